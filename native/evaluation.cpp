#include "evaluation.h"

namespace partinr {

void evaluate(const Evaluator& of, const Array<const float, 2>& coords, const Array<const int64_t, 1>& offsets,
              const Array<const int64_t, 1>& regions, int threads, const Array<float, 2>& out, const nb::object& stop) {
  const Packed packed(of.dims, of.channels, coords, offsets, of.regions);
  check_regions(regions, of.regions);
  check_threads(threads);
  expect(out, {packed.samples, of.channels}, "out");
  // Samples don't depend on one another, so large regions are cut.
  constexpr int64_t most = 1 << 14;
  std::vector<Region> pieces;
  for (const int64_t row : by_size(packed, regions)) {
    const Region whole = packed.region(regions.data()[row]);
    for (int64_t start = 0; start < whole.samples; start += most) {
      Region piece = whole;
      piece.coords += start * of.dims;
      piece.samples = std::min(most, whole.samples - start);
      pieces.push_back(piece);
    }
  }
  float* const out_at = out.data();
  const auto poll = poller(stop);
  const nb::gil_scoped_release unlocked;
  const int64_t items = static_cast<int64_t>(pieces.size());
  of.run(
      items, std::min<int64_t>(threads, items),
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const Region& piece = pieces[static_cast<size_t>(item)];
        const int64_t start = (piece.coords - packed.coords) / of.dims;
        of.values(worker, piece, Derivative{}, out_at + start * of.channels, halt);
      },
      poll);
}

namespace {

// Regions' functions at points in any order, each times its weight, added up.
struct Pairs {
  int64_t count;
  const int64_t *points, *regions;
  const float* weights;
  std::vector<int64_t> offsets;  // by member
  std::vector<int32_t> order;    // pairs sorted by member

  Pairs(const Array<const int64_t, 1>& points_, const Array<const int64_t, 1>& regions_,
        const Array<const float, 1>& weights_, const Array<const int64_t, 1>& members, int64_t member_count,
        int64_t point_count)
      : count(static_cast<int64_t>(points_.shape(0))), points(points_.data()), regions(regions_.data()),
        weights(weights_.data()), offsets(static_cast<size_t>(member_count) + 1) {
    expect(regions_, {count}, "regions");
    expect(weights_, {count}, "weights");
    if (count > INT32_MAX) refuse("there must be fewer than 2^31 pairs");
    const int64_t region_count = static_cast<int64_t>(members.shape(0));
    for (int64_t r = 0; r < region_count; r++)
      if (members.data()[r] >= member_count) refuse("members must be below " + std::to_string(member_count));
    for (int64_t i = 0; i < count; i++) {
      if (regions[i] < 0 || regions[i] >= region_count || points[i] < 0 || points[i] >= point_count)
        refuse("points and regions must be indices of points and regions");
      const int64_t member = members.data()[regions[i]];
      if (member >= 0) offsets[static_cast<size_t>(member) + 1]++;
    }
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    order.resize(static_cast<size_t>(offsets.back()));
    std::vector<int64_t> next(offsets.begin(), offsets.end() - 1);
    for (int64_t i = 0; i < count; i++) {
      const int64_t member = members.data()[regions[i]];
      if (member >= 0) order[static_cast<size_t>(next[static_cast<size_t>(member)]++)] = static_cast<int32_t>(i);
    }
  }
};

}  // namespace

void evaluate_points(const Evaluator& of, const Array<const float, 2>& coords, const Array<const int64_t, 1>& points,
                     const Array<const int64_t, 1>& regions, const Array<const float, 1>& pair_weights,
                     const std::optional<Array<const float, 2>>& slopes, const Array<const int64_t, 1>& members,
                     const Array<const float, 2>& scale, const Array<const float, 2>& shift, const Derivative& what,
                     int threads, const Array<float, 2>& out) {
  const int64_t count = of.regions, dims = of.dims, channels = of.channels;
  const int64_t samples = static_cast<int64_t>(coords.shape(0));
  check_threads(threads);
  expect(coords, {samples, dims}, "coords");
  const int64_t jets = what.jets() * channels, planes = what.planes() * channels;
  expect(out, {samples, planes}, "out");
  if (what.order && !slopes) refuse("derivatives need the slopes of weights");
  if (slopes) expect(*slopes, {static_cast<int64_t>(points.shape(0)), what.planes()}, "slopes");
  const float* const slopes_at = slopes ? slopes->data() : nullptr;
  expect(scale, {static_cast<int64_t>(members.shape(0)), dims}, "scale");
  expect(shift, {static_cast<int64_t>(members.shape(0)), dims}, "shift");
  const auto poll = poller(nb::none());
  const float *const coords_at = coords.data(), *const scale_at = scale.data(), *const shift_at = shift.data();
  float* const out_at = out.data();
  const nb::gil_scoped_release unlocked;
  const Pairs pairs(points, regions, pair_weights, members, count, samples);
  constexpr int64_t most = 1 << 12;
  struct Piece {
    int64_t member, first, last;
  };
  std::vector<Piece> pieces;
  for (int64_t m = 0; m < count; m++)
    for (int64_t first = pairs.offsets[m]; first < pairs.offsets[m + 1]; first += most)
      pieces.push_back({m, first, std::min(first + most, pairs.offsets[m + 1])});
  std::vector<float> values(static_cast<size_t>(pairs.count * jets));
  const int64_t items = static_cast<int64_t>(pieces.size());
  of.run(
      items, std::min<int64_t>(threads, items),
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const auto [member, first, last] = pieces[static_cast<size_t>(item)];
        std::vector<float> own(static_cast<size_t>((last - first) * dims));
        std::vector<float> found(static_cast<size_t>((last - first) * jets));
        for (int64_t i = first; i < last; i++) {
          const int64_t pair = pairs.order[static_cast<size_t>(i)], region = pairs.regions[pair] * dims;
          const float* point = coords_at + pairs.points[pair] * dims;
          for (int64_t a = 0; a < dims; a++)
            own[static_cast<size_t>((i - first) * dims + a)] = point[a] * scale_at[region + a] + shift_at[region + a];
        }
        Region it{};
        it.index = member;
        it.samples = last - first;
        it.coords = own.data();
        of.values(worker, it, what, found.data(), halt);
        for (int64_t i = first; i < last; i++)
          std::copy_n(found.data() + (i - first) * jets, jets,
                      values.data() + int64_t(pairs.order[static_cast<size_t>(i)]) * jets);
      },
      poll);
  for (int64_t i = 0; i < pairs.count; i++) {
    if (members.data()[pairs.regions[i]] < 0) continue;
    const float* const value = values.data() + i * jets;
    float* const to = out_at + pairs.points[i] * planes;
    const float weight = pairs.weights[i];
    if (!what.order)
      for (int64_t c = 0; c < channels; c++) to[c] += weight * value[c];
    for (size_t k = 0; k < what.axes.size(); k++) {
      // (w f)' = w f' + w' f and (w f)'' = w f'' + 2 w' f', as weights are linear where they are smooth.
      const float own = scale_at[pairs.regions[i] * dims + what.axes[k]];
      const float slope = slopes_at[static_cast<size_t>(i) * what.axes.size() + k];
      const float* const last = value + (1 + (k + 1) * what.order - 1) * channels;
      const float* const before = what.order == 2 ? last - channels : value;
      const float of_last = weight * (what.order == 2 ? own * own : own), of_before = what.order == 2 ? 2 * own * slope : slope;
      for (int64_t c = 0; c < channels; c++) to[k * channels + c] += of_last * last[c] + of_before * before[c];
    }
  }
}

}  // namespace partinr
