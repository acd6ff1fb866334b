#pragma once
#include <functional>

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

// Calls work(item) for each item, on `threads` threads; throws what one of them threw.
void share_items(int64_t items, int64_t threads, const std::function<void(int64_t)>& work);

// Cuts some roots of a signal (samples, channels), whose channels are mixed by a matrix (coded, given). Writes
// coefficients and the whole numbers chosen for them, root after root, box after box, channel after channel.
std::vector<RootResult> search(const Layout&, const std::vector<int64_t>& roots, const float* values, const float* mixing,
                               const Rate&, int64_t threads, float* spectra, int32_t* chosen);

// Whole numbers for another step; returns the squared error in squared steps, and the bits that are expected.
std::array<double, 2> choose_again(const Layout&, const std::vector<Box>& boxes, const float* spectra, const Rate&, int64_t threads,
                    int32_t* chosen);

}  // namespace partinr
