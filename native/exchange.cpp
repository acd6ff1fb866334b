#include "exchange.h"

#include <memory>
#include <thread>

namespace partinr {
namespace {

// Calls work(first, end) for near-equal parts of 0..count-1, each on a thread.
template <class Work>
void in_parts(int64_t count, int64_t threads, Work work) {
  constexpr int64_t least = 1 << 13;  // what is worth a thread
  const int64_t parts = std::clamp<int64_t>(count / least, 1, threads);
  std::vector<std::jthread> others;
  for (int64_t k = 1; k < parts; k++)
    others.emplace_back([=] { work(count * k / parts, count * (k + 1) / parts); });
  work(0, count / parts);
}

void expect_indices(const Array<const int32_t, 1>& indices, int64_t below, const char* name) {
  const int32_t* const at = indices.data();
  uint32_t most = 0;  // of a negative index, too, which turns large
  for (size_t i = 0; i < indices.shape(0); i++) most = std::max(most, static_cast<uint32_t>(at[i]));
  if (indices.shape(0) && most >= below)
    refuse(std::string(name) + " must be indices below " + std::to_string(below));
}

}  // namespace

void exchange(const Array<const float, 2>& found, const Array<const float, 1>& weights,
              const Array<const int32_t, 1>& points, const Array<const int64_t, 1>& offsets,
              const Array<const int32_t, 1>& order, const Array<const float, 2>& truth,
              const std::vector<Array<const int32_t, 1>>& rows, const std::vector<Array<float, 2>>& values,
              int threads) {
  const int64_t pairs = static_cast<int64_t>(found.shape(0)), channels = static_cast<int64_t>(found.shape(1));
  const int64_t shared = static_cast<int64_t>(truth.shape(0));
  check_threads(threads);
  expect(weights, {pairs}, "weights");
  expect(points, {pairs}, "points");
  expect(offsets, {shared + 1}, "offsets");
  expect(order, {pairs}, "order");
  expect(truth, {shared, channels}, "truth");
  const int64_t* const offset_at = offsets.data();
  if (offset_at[0] != 0 || offset_at[shared] != pairs || !std::is_sorted(offset_at, offset_at + shared + 1))
    refuse("offsets must rise from 0 to the number of pairs");
  expect_indices(order, pairs, "order");
  expect_indices(points, shared, "points");
  if (rows.size() != values.size()) refuse("rows and values must have an array for each group");
  int64_t told = 0;
  for (size_t g = 0; g < rows.size(); g++) {
    const int64_t samples = static_cast<int64_t>(values[g].shape(0));
    expect(values[g], {samples, channels}, "values");
    expect_indices(rows[g], samples, "rows");
    told += static_cast<int64_t>(rows[g].shape(0));
  }
  if (told != pairs) refuse("rows must name a sample for each pair");

  // Left as it is: zeros would be written for nothing.
  const auto errors = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(shared * channels));
  float* const errors_at = errors.get();
  const float *const found_at = found.data(), *const weight_at = weights.data(), *const truth_at = truth.data();
  const int32_t *const order_at = order.data(), *const point_at = points.data();
  const nb::gil_scoped_release unlocked;
  in_parts(shared, threads, [=](int64_t first, int64_t end) {
    std::copy_n(truth_at + first * channels, (end - first) * channels, errors_at + first * channels);
    for (int64_t p = first; p < end; p++) {
      float* const error = errors_at + p * channels;
      for (int64_t k = offset_at[p]; k < offset_at[p + 1]; k++) {
        const float weight = weight_at[order_at[k]];
        const float* const value = found_at + order_at[k] * channels;
        for (int64_t c = 0; c < channels; c++) error[c] -= weight * value[c];
      }
    }
  });
  int64_t before = 0;
  for (size_t g = 0; g < rows.size(); g++) {
    const int64_t count = static_cast<int64_t>(rows[g].shape(0)), skip = before;
    const int32_t* const row_at = rows[g].data();
    float* const to = values[g].data();
    in_parts(count, threads, [=](int64_t first, int64_t end) {
      for (int64_t i = first; i < end; i++) {
        float* const target = to + row_at[i] * channels;
        const float *const own = found_at + (skip + i) * channels, *const error = errors_at + point_at[skip + i] * channels;
        for (int64_t c = 0; c < channels; c++) target[c] = own[c] + error[c];
      }
    });
    before += count;
  }
}

}  // namespace partinr
