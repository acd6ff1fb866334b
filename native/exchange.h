// What regions that share samples are to learn there; see partinr/margins.py.
#pragma once

#include "arguments.h"

namespace partinr {

// Writes the targets of all pairs of a region and a shared sample into the values of the regions' groups.
void exchange(const Array<const float, 2>& found, const Array<const float, 1>& weights,
              const Array<const int32_t, 1>& points, const Array<const int64_t, 1>& offsets,
              const Array<const int32_t, 1>& order, const Array<const float, 2>& truth,
              const std::vector<Array<const int32_t, 1>>& rows, const std::vector<Array<float, 2>>& values,
              int threads);

}  // namespace partinr
