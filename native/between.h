// What lies between samples: details predicted from those around, and splines; see partinr/model/between/.
#pragma once

#include "arguments.h"

namespace partinr {

using Filters = Array<const float, 4>;

// Means over the quarters of each sample's area, each channel by itself: `values` (rows, columns, channels) have so many
// samples more on every side as the layers reach, `out` (2 rows, 2 columns, channels) has not.
void halve(const Array<const float, 3>& values, const Filters& direct, const std::vector<Filters>& layers, float slope,
           int threads, const Array<float, 3>& out);

// Coefficients of the quartic spline through values along the middle axis, in place. The ends settle over some samples.
void spline_coefficients(const Array<float, 3>& values, int threads);

// Sums along the middle axis: out(i, j, k) = sum over t of weights(j, t) values(i, first(j) + t, k).
void weighted(const Array<const float, 3>& values, const Array<const int64_t, 1>& first,
              const Array<const float, 2>& weights, int threads, const Array<float, 3>& out);

// Takes jumps at the borders of boxes back, in place; `values` (planes, rows, columns, channels) of a window that starts at
// `first`.
void deblock(const Array<float, 4>& values, const Array<const int64_t, 3>& boxes, const Array<const uint8_t, 2>& activity,
             const Array<const float, 3>& mixing, const std::vector<int64_t>& first, std::pair<float, float> limits,
             float taken, int64_t most, int threads);

}  // namespace partinr
