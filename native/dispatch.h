// Which code path runs on this machine.
#pragma once
#include <string>
#include <vector>

#include "kernel.h"

namespace partinr {

// The paths that this machine can run, best first.
const std::vector<const Kernel*>& kernels();

// The path that the environment variable PARTINR_ISA names, else the best.
// Throws std::invalid_argument if it names none, or one that the machine does not have.
const Kernel& kernel();

// The path whose hidden layers compute in bfloat16, for training.
// Throws std::invalid_argument if the machine has none, or PARTINR_ISA names another path than avx512.
const Kernel& bf16_kernel();

// One of the two: "fp32" or "bf16".
// Throws std::invalid_argument for other words too.
const Kernel& kernel_for(const std::string& precision);

}  // namespace partinr
