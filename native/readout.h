// Output layers solved by least squares.
#pragma once
#include "arguments.h"

namespace partinr {

// Overwrites the right sides (size, columns) with the solutions of a symmetric system, of which the lower left is
// given and overwritten, with a ridge relative to the mean of the diagonal, but for the last unknown. By Cholesky's
// decomposition: Golub, Van Loan, "Matrix computations", 4th edition, algorithm 4.2.2.
void solve(double* matrix, double* sides, int64_t size, int64_t columns, double ridge);

// See `solve_readout` in _native.pyi.
void solve_readout(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
                   const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
                   const std::optional<Array<const float, 1>>& sample_weights,
                   const std::optional<Array<const int64_t, 2>>& extents, int threads, const Array<float, 3>& out);

}  // namespace partinr
