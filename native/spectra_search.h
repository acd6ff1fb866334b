#pragma once
#include <algorithm>

#include "queue.h"
#include "spectra.h"

namespace partinr {

struct Rate {
  float per_step;  // 1 / step
  float lambda;    // squared steps a bit
};

struct RootResult {
  std::vector<uint8_t> splits;
  std::vector<Box> boxes;
  std::vector<float> weights;       // of the boxes' squared errors
  double distortion = 0, bits = 0;  // in squared steps, weighted; expected
};

// Calls work(item) for each item; see `run`.
template <class Each>
void each(int64_t items, int64_t threads, const Poll& poll, Each work) {
  run(items, std::min(threads, items), [&](void*, Team*, int64_t item, const int*) { work(item); }, poll);
}

// A signal (samples, channels), whose channels are mixed by a matrix (coded, given), and what the squared error of each
// sample counts, 1 in the mean of those that do; null: 1 for all.
struct Weighted {
  const float *values, *mixing, *weights;
  int64_t first;  // sample of the signal that values begin with
};

// Cuts some roots of a signal. Writes coefficients and the whole numbers chosen for them, root after root, box after box,
// channel after channel.
std::vector<RootResult> search(const Layout&, const std::vector<int64_t>& roots, const Weighted&, const Rate&,
                               int64_t threads, const Poll& poll, float* spectra, int32_t* chosen);

// Whole numbers for another step; returns the squared error in squared steps, and the bits that are expected. Squared
// errors of boxes count by their weights; null: 1 for all.
std::array<double, 2> choose_again(const Layout&, const std::vector<Box>& boxes, const float* spectra, const float* weights,
                                   const Rate&, int64_t threads, const Poll& poll, int32_t* chosen);

}  // namespace partinr
