// What evaluates the functions of many regions, whatever their networks are.
#pragma once
#include "arguments.h"
#include "queue.h"

namespace partinr {

// Where along one axis the functions of regions are evaluated, and where in the output their values count.
struct Axis {
  int64_t size, spans;
  const double* coords;
  const float *shares, *slopes;  // slopes: derivatives of the shares; null for values
  const int64_t *places, *entries, *offsets;

  // Whether some node counts for several places, as in means.
  bool spread() const { return entries[offsets[spans]] > offsets[spans]; }
};

// Some nodes of an axis in a region's own coordinates, and the run of the axis' places that they count for.
struct Nodes {
  const Axis* axis;
  int64_t node, nodes;
  int64_t place, places;
  std::vector<double> own;
  float scale;  // of the region's coordinates against the axis' own
};

// What is asked of functions: derivatives of one order, 1 or 2, along some axes, or, of order 0, values.
struct Derivative {
  int order = 0;
  std::vector<int> axes;

  // Numbers that are asked for, and those that they are made of by the product rule: values, then along one axis after
  // the other all orders from 1.
  int64_t planes() const { return order ? static_cast<int64_t>(axes.size()) : 1; }
  int64_t jets() const { return 1 + order * static_cast<int64_t>(axes.size()); }
  // Which of the axes this is, -1 if none.
  int64_t index(int64_t axis) const {
    const auto found = std::find(axes.begin(), axes.end(), axis);
    return found == axes.end() ? -1 : found - axes.begin();
  }
};

// The same from Python, checked.
inline Derivative derivative(int order, const std::vector<int>& axes, int64_t dims) {
  Derivative it{order, axes};
  if (order < 0 || order > 2 || (order == 0) != axes.empty())
    refuse("order must be 1 or 2 with the axes of the derivatives, or 0 without axes");
  for (size_t i = 0; i < axes.size(); i++)
    if (axes[i] < 0 || axes[i] >= dims || it.index(axes[i]) != static_cast<int64_t>(i))
      refuse("axes must differ and be below " + std::to_string(dims));
  return it;
}

// Regions of one network with their parameters.
class Evaluator {
 public:
  const int64_t dims, channels, regions;

  Evaluator(int64_t dims_, int64_t channels_, int64_t regions_) : dims(dims_), channels(channels_), regions(regions_) {}
  virtual ~Evaluator() = default;
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // See `run` in queue.h; workers are what `values` and `sums` need.
  virtual void run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const = 0;
  // What a derivative is made of, (samples, jets, channels), of a region at and along coordinates in its frame.
  virtual void values(void* worker, const Region& region, const Derivative& what, float* out,
                      const int* halt) const = 0;
  // Nodes along the last axis that `sums` is to take at once, at most.
  virtual int64_t longest() const { return INT64_MAX; }
  // Weighted sums (places of all axes, planes, channels) of a region's values on a lattice of nodes, or of derivatives
  // of the products of values and weights along the lattice's axes. There are always three axes: those that are missing
  // come first and have one node.
  virtual void sums(void* worker, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
                    const int* halt) const = 0;
};

}  // namespace partinr
