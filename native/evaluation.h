// Evaluation of many regions; see _native.pyi for what the arguments are.
#pragma once

#include "evaluator.h"

namespace partinr {

// Values of some regions at their samples.
void evaluate(const Evaluator& of, const Array<const float, 2>& coords, const Array<const int64_t, 1>& offsets,
              const Array<const int64_t, 1>& regions, int threads, const Array<float, 2>& out, const nb::object& stop);

// Adds weighted values of regions at points in any order, or derivatives of the products of values and weights, of
// which `slopes` are the derivatives along the axes asked for.
void evaluate_points(const Evaluator& of, const Array<const float, 2>& coords, const Array<const int64_t, 1>& points,
                     const Array<const int64_t, 1>& regions, const Array<const float, 1>& pair_weights,
                     const std::optional<Array<const float, 2>>& slopes, const Array<const int64_t, 1>& members,
                     const Array<const float, 2>& scale, const Array<const float, 2>& shift, const Derivative& what,
                     int threads, const Array<float, 2>& out);

// Adds weighted sums of values of regions, whose weights are products over the axes, on a lattice, or of derivatives
// as above; there are slopes for every axis then.
void evaluate_lattice(const Evaluator& of, const std::vector<Array<const double, 1>>& coords,
                      const std::vector<Array<const int64_t, 1>>& entries,
                      const std::vector<Array<const int64_t, 1>>& places,
                      const std::vector<Array<const float, 1>>& shares,
                      const std::vector<Array<const float, 1>>& slopes,
                      const std::vector<Array<const int64_t, 1>>& offsets, const Array<const int64_t, 2>& spans,
                      const std::vector<int64_t>& sizes, const Array<const int64_t, 1>& members,
                      const Array<const double, 2>& scale, const Array<const double, 2>& shift, bool exact,
                      const Derivative& what, int threads, const Array<float, 2>& out);

}  // namespace partinr
