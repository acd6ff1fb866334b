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
  double distortion = 0, bits = 0;  // in squared steps; expected
};

// Calls work(item) for each item; see `run`.
template <class Each>
void each(int64_t items, int64_t threads, const Poll& poll, Each work) {
  run(items, std::min(threads, items), [&](void*, Team*, int64_t item, const int*) { work(item); }, poll);
}

// Cuts some roots of a signal (samples, channels), whose channels are mixed by a matrix (coded, given). Writes
// coefficients and the whole numbers chosen for them, root after root, box after box, channel after channel.
std::vector<RootResult> search(const Layout&, const std::vector<int64_t>& roots, const float* values, const float* mixing,
                               const Rate&, int64_t threads, const Poll& poll, float* spectra, int32_t* chosen);

// Whole numbers for another step; returns the squared error in squared steps, and the bits that are expected.
std::array<double, 2> choose_again(const Layout&, const std::vector<Box>& boxes, const float* spectra, const Rate&,
                                   int64_t threads, const Poll& poll, int32_t* chosen);

}  // namespace partinr
