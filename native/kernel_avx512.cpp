#include "kernel.h"

#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define PARTINR_PATH_NAME "avx512"
#define PARTINR_LANES 16
#define PARTINR_BF16 0
#define PARTINR_HALF_LANES 8
#define PARTINR_REGISTERS 32
#include "kernel.inc"

namespace partinr {
const Kernel* kernel_avx512() { return &table; }
}  // namespace partinr
#else
namespace partinr {
const Kernel* kernel_avx512() { return nullptr; }
}  // namespace partinr
#endif
