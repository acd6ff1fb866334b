#include "evaluation.h"

#include <nanobind/stl/vector.h>

#include "dispatch.h"
#include "queue.h"

namespace partinr {

void evaluate(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
              const Array<const int64_t, 1>& offsets, const Array<const int64_t, 1>& regions, int threads,
              const Array<float, 2>& out, const nb::object& stop) {
  const int64_t count = regions_of(biases);
  const Stack parameters(net, weights, biases, count, "parameters");
  const Packed packed(net, coords, offsets, count);
  check_regions(regions, count);
  check_threads(threads);
  expect(out, {packed.samples, net.channels}, "out");
  // Samples don't depend on one another, so large regions are cut.
  constexpr int64_t most = 1 << 14;
  std::vector<Region> pieces;
  for (const int64_t row : by_size(packed, regions)) {
    const Region whole = packed.region(regions.data()[row]);
    for (int64_t start = 0; start < whole.samples; start += most) {
      Region piece = whole;
      piece.coords += start * net.dims;
      piece.samples = std::min(most, whole.samples - start);
      pieces.push_back(piece);
    }
  }
  const Kernel& path = kernel();
  float* const out_at = out.data();
  const auto poll = poller(stop);
  const nb::gil_scoped_release unlocked;
  const int64_t count_pieces = static_cast<int64_t>(pieces.size());
  run(
      path, net.view(), count_pieces, std::min<int64_t>(threads, count_pieces), [](void*) { return true; },
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const Region& piece = pieces[static_cast<size_t>(item)];
        const int64_t start = (piece.coords - packed.coords) / net.dims;
        path.evaluate(worker, parameters.view(), piece, out_at + start * net.channels, halt);
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

void evaluate_points(const NetSpec& net, const Matrices& weights, const Rows& biases,
                     const Array<const float, 2>& coords, const Array<const int64_t, 1>& points,
                     const Array<const int64_t, 1>& regions, const Array<const float, 1>& pair_weights,
                     const Array<const int64_t, 1>& members, const Array<const float, 2>& scale,
                     const Array<const float, 2>& shift, int threads, const Array<float, 2>& out) {
  const int64_t count = regions_of(biases), dims = net.dims, channels = net.channels;
  const int64_t samples = static_cast<int64_t>(coords.shape(0));
  const Stack parameters(net, weights, biases, count, "parameters");
  check_threads(threads);
  expect(coords, {samples, dims}, "coords");
  expect(out, {samples, channels}, "out");
  expect(scale, {static_cast<int64_t>(members.shape(0)), dims}, "scale");
  expect(shift, {static_cast<int64_t>(members.shape(0)), dims}, "shift");
  const auto poll = poller(nb::none());
  const Kernel& path = kernel();
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
  std::vector<float> values(static_cast<size_t>(pairs.count * channels));
  const int64_t items = static_cast<int64_t>(pieces.size());
  run(
      path, net.view(), items, std::min<int64_t>(threads, items), [](void*) { return true; },
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const auto [member, first, last] = pieces[static_cast<size_t>(item)];
        std::vector<float> own(static_cast<size_t>((last - first) * dims));
        std::vector<float> found(static_cast<size_t>((last - first) * channels));
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
        path.evaluate(worker, parameters.view(), it, found.data(), halt);
        for (int64_t i = first; i < last; i++)
          std::copy_n(found.data() + (i - first) * channels, channels,
                      values.data() + int64_t(pairs.order[static_cast<size_t>(i)]) * channels);
      },
      poll);
  for (int64_t i = 0; i < pairs.count; i++) {
    if (members.data()[pairs.regions[i]] < 0) continue;
    for (int64_t c = 0; c < channels; c++)
      out_at[pairs.points[i] * channels + c] += pairs.weights[i] * values[static_cast<size_t>(i * channels + c)];
  }
}

namespace {

// Which cells of a grid have weight at the positions of a lattice, along one axis.
struct Axis {
  int64_t positions, cells, most;  // `most` cells have weight at a position
  const float* coords;
  std::vector<int64_t> first, last;  // of each cell: positions first .. last - 1
  std::vector<float> weights;        // (cells, positions), zero outside

  Axis(const Array<const float, 1>& coords_, const Array<const int64_t, 1>& cell, const Array<const float, 2>& shares,
       int64_t cells_)
      : positions(static_cast<int64_t>(coords_.shape(0))), cells(cells_), most(static_cast<int64_t>(shares.shape(0))),
        coords(coords_.data()), first(static_cast<size_t>(cells_), positions), last(static_cast<size_t>(cells_), 0),
        weights(static_cast<size_t>(cells_ * positions)) {
    expect(cell, {positions}, "cells of positions");
    expect(shares, {most, positions}, "shares");
    for (int64_t i = 0; i < positions; i++)
      for (int64_t k = 0; k < most; k++) {
        const float share = shares.data()[k * positions + i];
        if (share == 0) continue;
        const int64_t c = cell.data()[i] + k;
        if (c < 0 || c >= cells) refuse("cells of positions must be below " + std::to_string(cells));
        const size_t at = static_cast<size_t>(c);
        first[at] = std::min(first[at], i);
        last[at] = std::max(last[at], i + 1);
        weights[static_cast<size_t>(c * positions + i)] += share;
      }
  }
};

}  // namespace

void evaluate_lattice(const NetSpec& net, const Matrices& weights, const Rows& biases,
                      const std::vector<Array<const float, 1>>& coords,
                      const std::vector<Array<const int64_t, 1>>& cells,
                      const std::vector<Array<const float, 2>>& shares, const std::vector<int64_t>& lengths,
                      const Array<const int64_t, 1>& members, const Array<const float, 2>& scale,
                      const Array<const float, 2>& shift, int threads, const Array<float, 2>& out) {
  const int64_t count = regions_of(biases);
  const size_t dims = static_cast<size_t>(net.dims);
  const Stack parameters(net, weights, biases, count, "parameters");
  check_threads(threads);
  if (dims > 3 || coords.size() != dims || cells.size() != dims || shares.size() != dims || lengths.size() != dims)
    refuse("a lattice must have one to three axes, as many as the network has coordinates");
  const int64_t regions = static_cast<int64_t>(members.shape(0));
  expect(scale, {regions, net.dims}, "scale");
  expect(shift, {regions, net.dims}, "shift");
  std::vector<Axis> axes;
  int64_t all_cells = 1, all_points = 1, colours = 1;
  for (size_t a = 0; a < dims; a++) {
    axes.emplace_back(coords[a], cells[a], shares[a], lengths[a]);
    all_cells *= axes[a].cells;
    all_points *= axes[a].positions;
    colours *= axes[a].most;
  }
  if (all_cells != regions) refuse("there must be a region for each cell");
  for (int64_t r = 0; r < regions; r++)
    if (members.data()[r] >= count) refuse("members must be below " + std::to_string(count));
  expect(out, {all_points, net.channels}, "out");

  // Cells whose number along each axis is the same modulo the most that share a position share none: those of one
  // colour can be added by different threads, and colours follow one another in a fixed order.
  struct Piece {
    int64_t region, first, last;  // positions along the first axis
  };
  const int64_t row_most = 1 << 12;
  std::vector<std::vector<Piece>> pieces(static_cast<size_t>(colours));
  for (int64_t r = 0; r < regions; r++) {
    if (members.data()[r] < 0) continue;
    int64_t rest = r, colour = 0, row = 1, stride = 1;
    for (size_t a = dims; a-- > 0; rest /= axes[a].cells) {
      const int64_t c = rest % axes[a].cells;
      colour += c % axes[a].most * stride;
      stride *= axes[a].most;
      if (a) row *= std::max<int64_t>(axes[a].last[static_cast<size_t>(c)] - axes[a].first[static_cast<size_t>(c)], 0);
    }
    const size_t c = static_cast<size_t>(r / (all_cells / axes[0].cells));
    const int64_t rows = row ? std::max<int64_t>(1, row_most / row) : 0;
    for (int64_t first = axes[0].first[c]; rows && first < axes[0].last[c]; first += rows)
      pieces[static_cast<size_t>(colour)].push_back({r, first, std::min(first + rows, axes[0].last[c])});
  }

  const auto poll = poller(nb::none());
  const Kernel& path = kernel();
  float* const out_at = out.data();
  const float *const scale_at = scale.data(), *const shift_at = shift.data();
  const int64_t* const member_of = members.data();
  const int64_t channels = net.channels;
  const nb::gil_scoped_release unlocked;
  for (const std::vector<Piece>& now : pieces) {
    const int64_t items = static_cast<int64_t>(now.size());
    run(
        path, net.view(), items, std::min<int64_t>(threads, items), [](void*) { return true; },
        [&](void* worker, Team*, int64_t item, const int* halt) {
          const Piece& piece = now[static_cast<size_t>(item)];
          // The rectangle, as if there were three axes; those missing come first and have one position.
          int64_t from[3] = {0, 0, 0}, length[3] = {1, 1, 1}, step[3] = {0, 0, 0}, cell[3] = {0, 0, 0};
          const size_t missing = 3 - dims;
          int64_t rest = piece.region, stride = 1;
          for (size_t a = dims; a-- > 0; rest /= axes[a].cells) {
            const size_t c = static_cast<size_t>(rest % axes[a].cells), at = a + missing;
            cell[at] = static_cast<int64_t>(c);
            from[at] = a ? axes[a].first[c] : piece.first;
            length[at] = (a ? axes[a].last[c] : piece.last) - from[at];
            step[at] = stride;
            stride *= axes[a].positions;
          }
          const int64_t samples = length[0] * length[1] * length[2];
          std::vector<float> own(static_cast<size_t>(samples) * dims), found(static_cast<size_t>(samples * channels));
          auto each = [&](auto visit) {
            int64_t sample = 0;
            for (int64_t i = 0; i < length[0]; i++)
              for (int64_t j = 0; j < length[1]; j++)
                for (int64_t k = 0; k < length[2]; k++) visit(sample++, from[0] + i, from[1] + j, from[2] + k);
          };
          std::vector<float> along[3];
          for (size_t a = 0; a < dims; a++) {
            const size_t at = a + missing, r = static_cast<size_t>(piece.region) * dims + a;
            for (int64_t i = 0; i < length[at]; i++)
              along[at].push_back(axes[a].coords[from[at] + i] * scale_at[r] + shift_at[r]);
          }
          float* to = own.data();
          each([&](int64_t, int64_t i, int64_t j, int64_t k) {
            const int64_t place[3] = {i - from[0], j - from[1], k - from[2]};
            for (size_t at = missing; at < 3; at++) *to++ = along[at][static_cast<size_t>(place[at])];
          });
          Region it{};
          it.index = member_of[piece.region];
          it.samples = samples;
          it.coords = own.data();
          path.evaluate(worker, parameters.view(), it, found.data(), halt);
          const float* weight_at[3] = {nullptr, nullptr, nullptr};
          for (size_t a = 0; a < dims; a++)
            weight_at[a + missing] = axes[a].weights.data() + cell[a + missing] * axes[a].positions;
          each([&](int64_t sample, int64_t i, int64_t j, int64_t k) {
            const int64_t place[3] = {i, j, k};
            float weight = 1;
            for (size_t at = missing; at < 3; at++) weight *= weight_at[at][place[at]];
            float* const sum = out_at + (i * step[0] + j * step[1] + k * step[2]) * channels;
            for (int64_t c = 0; c < channels; c++) sum[c] += weight * found[static_cast<size_t>(sample * channels + c)];
          });
        },
        poll);
  }
}

}  // namespace partinr
