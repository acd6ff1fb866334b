// Output layers solved by least squares.
#pragma once
#include "arguments.h"

namespace partinr {

// See `solve_readout` in _native.pyi.
void solve_readout(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
                   const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
                   const std::optional<Array<const float, 1>>& sample_weights, int threads,
                   const Array<float, 3>& out);

}  // namespace partinr
