// The faces between boxes: for each axis, the places of a slice's boxes seen along it.
#pragma once
#include "spectra.h"

namespace partinr {

struct Faces {
  Box slice;
  int first_axis;  // axes before it have one sample

  // The axes of a face, the last fastest.
  static int across(int axis) { return axis == 0 ? 1 : 0; }
  static int along(int axis) { return axis == 2 ? 1 : 2; }

  size_t size(int axis) const { return size_t(slice.size[across(axis)]) * slice.size[along(axis)]; }

  size_t index(const Place& at, int axis) const {
    const int b = across(axis), c = along(axis);
    return size_t(at[b] - slice.start[b]) * slice.size[c] + (at[c] - slice.start[c]);
  }

  // Whether other boxes come before this one along an axis.
  bool touches(const Box& box, int axis) const { return box.start[axis] > slice.start[axis]; }

  // Calls visit(place) for the first place of each row of a box's face.
  template <class Visit>
  void rows(const Box& box, int axis, Visit visit) const {
    Place at = box.start;
    for (int32_t i = 0; i < box.size[across(axis)]; i++, at[across(axis)]++) visit(index(at, axis));
  }
};

}  // namespace partinr
