#include "readout.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include "dispatch.h"
#include "queue.h"

namespace partinr {
namespace {

// Added to the diagonal at the bias, which is free but for that.
constexpr double bias_ridge = 1e-9;

}  // namespace

void solve(double* matrix, double* sides, int64_t size, int64_t columns, double ridge) {
  double scale = 0;
  for (int64_t i = 0; i < size; i++) scale += matrix[i * size + i];
  scale = std::max(scale / static_cast<double>(size), 1e-30);
  for (int64_t i = 0; i < size; i++) {
    double* row = matrix + i * size;
    row[i] += scale * (i + 1 < size ? ridge : bias_ridge);
    for (int64_t j = 0; j <= i; j++) {
      const double* other = matrix + j * size;
      double rest = row[j];
      for (int64_t k = 0; k < j; k++) rest -= row[k] * other[k];
      // What is left of a diagonal element is at least its ridge, but for rounding.
      row[j] = i == j ? std::sqrt(std::max(rest, scale * bias_ridge)) : rest / other[j];
    }
  }
  for (int64_t i = 0; i < size; i++)
    for (int64_t c = 0; c < columns; c++) {
      double rest = sides[i * columns + c];
      for (int64_t k = 0; k < i; k++) rest -= matrix[i * size + k] * sides[k * columns + c];
      sides[i * columns + c] = rest / matrix[i * size + i];
    }
  for (int64_t i = size; i-- > 0;)
    for (int64_t c = 0; c < columns; c++) {
      double rest = sides[i * columns + c];
      for (int64_t k = i + 1; k < size; k++) rest -= matrix[k * size + i] * sides[k * columns + c];
      sides[i * columns + c] = rest / matrix[i * size + i];
    }
}

namespace {

// Large regions are cut into pieces whose sums are added in order, so that threads can share them.
int64_t pieces_of(int64_t samples) {
  constexpr int64_t enough = 1 << 14, most = 16;
  return std::clamp(samples / enough, int64_t{1}, most);
}

}  // namespace

void solve_readout(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
                   const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
                   const std::optional<Array<const float, 1>>& sample_weights,
                   const std::optional<Array<const int64_t, 2>>&, int threads, const Array<float, 3>& out) {
  const int64_t count = regions_of(biases), channels = net.channels;
  const Stack parameters(net.layer_shapes(), weights, biases, count, "parameters");
  Packed packed(net.dims, channels, coords, offsets, count);
  packed.with_values(values);
  packed.with_importance(sample_weights);
  check_threads(threads);
  if (!(ridge > 0)) refuse("ridge must be above 0, got " + std::to_string(ridge));
  const int64_t size = net.hidden * (net.network.kind == Kind::wire ? 2 : 1) + 1;
  expect(out, {count, size, channels}, "out");
  int64_t pieces = 0;
  for (int64_t r = 0; r < count; r++) pieces += pieces_of(packed.region(r).samples);
  const int64_t sums = size * (size + channels);
  const Kernel& path = kernel();
  float* const out_at = out.data();
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  run(
      path, net.view(), count, std::min<int64_t>(threads, pieces), [](void*) { return true; },
      [&](void* worker, Team* team, int64_t item, const int*) {
        const Region region = packed.region(item);
        const int64_t shares = pieces_of(region.samples);
        std::vector<double> found(static_cast<size_t>(shares * sums));
        share(team, worker, shares, [&](void* hand, int64_t i) {
          const int64_t first = region.samples * i / shares, end = region.samples * (i + 1) / shares;
          Region piece = region;
          piece.samples = end - first;
          piece.coords += first * net.dims;
          piece.values += first * channels;
          if (piece.importance) piece.importance += first;
          double* const gram = found.data() + i * sums;
          path.moments(hand, parameters.view(), piece, gram, gram + size * size);
        });
        for (int64_t i = sums; i < shares * sums; i++) found.data()[i % sums] += found.data()[i];
        double* const sides = found.data() + size * size;
        solve(found.data(), sides, size, channels, ridge);
        for (int64_t i = 0; i < size * channels; i++) out_at[item * size * channels + i] = static_cast<float>(sides[i]);
      },
      poll);
}

}  // namespace partinr
