#include "dispatch.h"

#include <cstdlib>
#include <stdexcept>

#include "processor.h"

namespace partinr {

const std::vector<const Kernel*>& kernels() {
  static const std::vector<const Kernel*> found = [] {
    std::vector<const Kernel*> list;
#if defined(__x86_64__)
    const Processor processor;
    if (processor.avx512 && kernel_avx512()) list.push_back(kernel_avx512());
    if (processor.avx2 && kernel_avx2()) list.push_back(kernel_avx2());
#endif
    list.push_back(kernel_generic());
    return list;
  }();
  return found;
}

const Kernel& kernel() {
  const char* wanted = std::getenv("PARTINR_ISA");
  if (!wanted || !*wanted) return *kernels().front();
  std::string names;
  for (const Kernel* k : kernels()) {
    if (k->name == std::string(wanted)) return *k;
    names += (names.empty() ? "" : ", ") + std::string(k->name);
  }
  throw std::invalid_argument("PARTINR_ISA must name a code path that this machine can run (" + names + "), got '" +
                              wanted + "'; correct it or leave it unset");
}

const Kernel& bf16_kernel() {
  const Kernel& single = kernel();
  const Kernel* found = nullptr;
#if defined(__x86_64__)
  if (&single == kernel_avx512() && Processor().avx512_bf16) found = kernel_avx512_bf16();
#endif
  if (!found)
    throw std::invalid_argument("precision bf16 needs a processor with AVX-512 BF16; the code path here is " +
                                std::string(single.name));
  return *found;
}

const Kernel& kernel_for(const std::string& precision) {
  if (precision == "fp32") return kernel();
  if (precision == "bf16") return bf16_kernel();
  throw std::invalid_argument("precision must be fp32 or bf16, got '" + precision + "'");
}

}  // namespace partinr
