#include "kernel.h"

#if defined(__AVX2__) && defined(__FMA__)
#define PARTINR_PATH_NAME "avx2"
#define PARTINR_LANES 8
#define PARTINR_BF16 0
#define PARTINR_HALF_LANES 8
#define PARTINR_REGISTERS 16
#include "kernel.inc"

namespace partinr {
const Kernel* kernel_avx2() { return &table; }
}  // namespace partinr
#else
namespace partinr {
const Kernel* kernel_avx2() { return nullptr; }
}  // namespace partinr
#endif
