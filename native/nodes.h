// Where the functions of boxes are evaluated along one axis for means over pixels; see _native.pyi.
#pragma once

#include "arguments.h"

namespace partinr {

using Indices = nb::ndarray<nb::numpy, int64_t, nb::ndim<1>>;
using Doubles = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
using Floats = nb::ndarray<nb::numpy, float, nb::ndim<1>>;

// Offsets of each span's nodes, their coordinates, entries, places and shares.
std::tuple<Indices, Doubles, Indices, Indices, Floats> mean_nodes(int64_t samples, int64_t width,
                                                                 const Array<const int64_t, 2>& spans,
                                                                 const Array<const double, 1>& pitches,
                                                                 const Array<const double, 1>& edges);

}  // namespace partinr
