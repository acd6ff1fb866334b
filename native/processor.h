// What instructions the processor has and the system lets programs use, asked of the processor itself:
// __builtin_cpu_supports needs a library that Clang does not link on Windows.
#pragma once
#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>

namespace partinr {

struct Processor {
  bool avx2 = false;         // and FMA
  bool avx512 = false;       // F, DQ, BW and VL, besides
  bool avx512_bf16 = false;  // besides

  // Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, 14.3 and 15.2 to 15.4.
  Processor() {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(1, 0, &a, &b, &c, &d)) return;
    const bool fma = c >> 12 & 1, saves = c >> 27 & 1, avx = c >> 28 & 1;
    if (!fma || !saves || !avx) return;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const bool wide = (low & 0x06) == 0x06;
#if defined(__APPLE__)
    const bool widest = wide;  // saved from their first use on
#else
    const bool widest = (low & 0xe6) == 0xe6;
#endif
    if (!wide || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    avx2 = b >> 5 & 1;
    avx512 = avx2 && widest && (b >> 16 & 1) && (b >> 17 & 1) && (b >> 30 & 1) && (b >> 31 & 1);
    avx512_bf16 = avx512 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
  }
};

}  // namespace partinr
#endif
