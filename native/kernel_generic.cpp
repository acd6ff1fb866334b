#include "kernel.h"

// Vectors of 128 bits: NEON on ARM, SSE2 on x86-64, whatever the compiler makes of them elsewhere.
#define PARTINR_PATH_NAME "generic"
#define PARTINR_LANES 4
#define PARTINR_BF16 0
#define PARTINR_HALF_LANES 4
#if defined(__aarch64__)
#define PARTINR_REGISTERS 32
#else
#define PARTINR_REGISTERS 16
#endif
#include "kernel.inc"

namespace partinr {
const Kernel* kernel_generic() { return &table; }
}  // namespace partinr
