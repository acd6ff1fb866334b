// What evaluates the functions of many regions, whatever their networks are.
#pragma once
#include "arguments.h"
#include "queue.h"

namespace partinr {

// Where along one axis the functions of regions are evaluated, and where in the output their values count.
struct Axis {
  int64_t size, spans;
  const float *coords, *shares;
  const int64_t *places, *entries, *offsets;

  // Whether some node counts for several places, as in means.
  bool spread() const { return entries[offsets[spans]] > offsets[spans]; }
};

// Some nodes of an axis in a region's own coordinates, and the run of the axis' places that they count for.
struct Nodes {
  const Axis* axis;
  int64_t node, nodes;
  int64_t place, places;
  std::vector<float> own;
};

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
  // Values (samples, channels) of a region at coordinates in its frame.
  virtual void values(void* worker, const Region& region, float* out, const int* halt) const = 0;
  // Nodes along the last axis that `sums` is to take at once, at most.
  virtual int64_t longest() const { return INT64_MAX; }
  // Weighted sums (places of all axes, channels) of a region's values on a lattice of nodes. There are always three
  // axes: those that are missing come first and have one node.
  virtual void sums(void* worker, int64_t region, const Nodes (&nodes)[3], float* out, const int* halt) const = 0;
};

}  // namespace partinr
