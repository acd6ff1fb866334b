#include <nanobind/stl/vector.h>

#include "dispatch.h"
#include "evaluation.h"
#include "queue.h"

namespace partinr {

namespace {

// Where along one axis the functions of regions are evaluated, and where in the output their values count.
struct Axis {
  int64_t size, spans;
  const float *coords, *shares;
  const int64_t *places, *entries, *offsets;

  Axis(const Array<const float, 1>& coords_, const Array<const int64_t, 1>& entries_,
       const Array<const int64_t, 1>& places_, const Array<const float, 1>& shares_,
       const Array<const int64_t, 1>& offsets_, int64_t size_)
      : size(size_), spans(static_cast<int64_t>(offsets_.shape(0)) - 1), coords(coords_.data()),
        shares(shares_.data()), places(places_.data()), entries(entries_.data()), offsets(offsets_.data()) {
    const int64_t nodes = static_cast<int64_t>(coords_.shape(0)), all = static_cast<int64_t>(places_.shape(0));
    expect(entries_, {nodes + 1}, "entries");
    expect(shares_, {all}, "shares");
    if (size < 1) refuse("sizes must be at least 1");
    check_ascending(entries, nodes, all, "entries");
    check_ascending(offsets, spans, nodes, "offsets");
    for (int64_t i = 0; i < all; i++)
      if (places[i] < 0 || places[i] >= size) refuse("places must be below " + std::to_string(size));
  }

  static void check_ascending(const int64_t* starts, int64_t items, int64_t end, const char* name) {
    bool good = items >= 0 && starts[0] == 0 && starts[items] == end;
    for (int64_t i = 0; good && i < items; i++) good = starts[i] <= starts[i + 1];
    if (!good) refuse(std::string(name) + " must ascend from 0 to " + std::to_string(end));
  }
};

// A box of a region's nodes, as if there were three axes; those missing come first and have one node.
struct Piece {
  int64_t region;
  int64_t node[3], nodes[3];    // first node along each axis, and how many
  int64_t place[3], places[3];  // the part of the output that they reach
  size_t sums;                  // where the piece's own sums begin

  int64_t samples() const { return nodes[0] * nodes[1] * nodes[2]; }
  int64_t reached() const { return places[0] * places[1] * places[2]; }
};

// Nodes of a piece, at most: a piece's coordinates and values stay in cache.
constexpr int64_t piece_most = 1 << 12;

std::vector<Piece> cut(const std::vector<Axis>& axes, const Array<const int64_t, 2>& spans,
                       const Array<const int64_t, 1>& members, int64_t channels) {
  const size_t dims = axes.size(), missing = 3 - dims;
  std::vector<Piece> pieces;
  size_t sums = 0;
  for (int64_t r = 0; r < static_cast<int64_t>(members.shape(0)); r++) {
    if (members.data()[r] < 0) continue;
    int64_t first[3] = {0, 0, 0}, last[3] = {1, 1, 1}, step[3] = {1, 1, 1}, room = piece_most;
    for (size_t at = 3; at-- > 0;) {
      if (at >= missing) {
        const Axis& axis = axes[at - missing];
        const int64_t span = spans.data()[static_cast<size_t>(r) * dims + at - missing];
        first[at] = axis.offsets[span];
        last[at] = axis.offsets[span + 1];
      }
      step[at] = std::clamp<int64_t>(last[at] - first[at], 1, room);
      room = std::max<int64_t>(1, room / step[at]);
    }
    for (int64_t i = first[0]; i < last[0]; i += step[0])
      for (int64_t j = first[1]; j < last[1]; j += step[1])
        for (int64_t k = first[2]; k < last[2]; k += step[2]) {
          Piece piece{r, {i, j, k}, {}, {0, 0, 0}, {1, 1, 1}, sums};
          for (size_t at = 0; at < 3; at++) {
            piece.nodes[at] = std::min(step[at], last[at] - piece.node[at]);
            if (at < missing) continue;
            const Axis& axis = axes[at - missing];
            const auto [low, high] = std::minmax_element(axis.places + axis.entries[piece.node[at]],
                                                         axis.places + axis.entries[piece.node[at] + piece.nodes[at]]);
            piece.place[at] = *low;
            piece.places[at] = *high - *low + 1;
          }
          sums += static_cast<size_t>(piece.reached() * channels);
          pieces.push_back(piece);
        }
  }
  return pieces;
}

// Weighted sums along the axis in the middle of an array (outer, nodes, inner).
std::vector<float> contracted(const std::vector<float>& from, int64_t outer, int64_t inner, const Axis& axis,
                              int64_t node, int64_t nodes, int64_t place, int64_t places) {
  std::vector<float> sums(static_cast<size_t>(outer * places * inner));
  const float* value = from.data();
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = node; i < node + nodes; i++, value += inner)
      for (int64_t e = axis.entries[i]; e < axis.entries[i + 1]; e++) {
        const float share = axis.shares[e];
        float* const sum = sums.data() + (o * places + axis.places[e] - place) * inner;
        for (int64_t k = 0; k < inner; k++) sum[k] += share * value[k];
      }
  return sums;
}

}  // namespace

void evaluate_lattice(const NetSpec& net, const Matrices& weights, const Rows& biases,
                      const std::vector<Array<const float, 1>>& coords,
                      const std::vector<Array<const int64_t, 1>>& entries,
                      const std::vector<Array<const int64_t, 1>>& places,
                      const std::vector<Array<const float, 1>>& shares,
                      const std::vector<Array<const int64_t, 1>>& offsets, const Array<const int64_t, 2>& spans,
                      const std::vector<int64_t>& sizes, const Array<const int64_t, 1>& members,
                      const Array<const float, 2>& scale, const Array<const float, 2>& shift, int threads,
                      const Array<float, 2>& out) {
  const int64_t count = regions_of(biases), channels = net.channels;
  const size_t dims = static_cast<size_t>(net.dims), missing = 3 - dims;
  const Stack parameters(net, weights, biases, count, "parameters");
  check_threads(threads);
  for (const size_t given : {coords.size(), entries.size(), places.size(), shares.size(), offsets.size(), sizes.size()})
    if (dims > 3 || given != dims)
      refuse("a lattice must have one to three axes, as many as the network has coordinates");
  const int64_t regions = static_cast<int64_t>(members.shape(0));
  expect(spans, {regions, net.dims}, "spans");
  expect(scale, {regions, net.dims}, "scale");
  expect(shift, {regions, net.dims}, "shift");
  std::vector<Axis> axes;
  int64_t all = 1;
  for (size_t a = 0; a < dims; a++) {
    axes.emplace_back(coords[a], entries[a], places[a], shares[a], offsets[a], sizes[a]);
    all *= sizes[a];
  }
  expect(out, {all, channels}, "out");
  for (int64_t r = 0; r < regions; r++) {
    if (members.data()[r] >= count) refuse("members must be below " + std::to_string(count));
    for (size_t a = 0; a < dims; a++) {
      const int64_t span = spans.data()[static_cast<size_t>(r) * dims + a];
      if (span < 0 || span >= axes[a].spans) refuse("spans must be below " + std::to_string(axes[a].spans));
    }
  }

  const auto poll = poller(nb::none());
  const Kernel& path = kernel();
  float* const out_at = out.data();
  const float *const scale_at = scale.data(), *const shift_at = shift.data();
  const int64_t* const member_of = members.data();
  const nb::gil_scoped_release unlocked;
  const std::vector<Piece> pieces = cut(axes, spans, members, channels);
  // Places that several pieces reach are theirs in common, so each has sums of its own until all are known; they are
  // added up in one order whatever the number of threads.
  std::vector<float> sums(
      pieces.empty() ? 0 : pieces.back().sums + static_cast<size_t>(pieces.back().reached() * channels));
  const int64_t items = static_cast<int64_t>(pieces.size());
  run(
      path, net.view(), items, std::min<int64_t>(threads, items), [](void*) { return true; },
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const Piece& piece = pieces[static_cast<size_t>(item)];
        const int64_t samples = piece.samples();
        std::vector<float> own(static_cast<size_t>(samples) * dims), found(static_cast<size_t>(samples * channels));
        std::vector<float> along[3];
        for (size_t at = 0; at < 3; at++) {
          along[at].assign(static_cast<size_t>(piece.nodes[at]), 0);
          if (at < missing) continue;
          const float* const coords_at = axes[at - missing].coords + piece.node[at];
          const size_t r = static_cast<size_t>(piece.region) * dims + at - missing;
          for (size_t i = 0; i < along[at].size(); i++) along[at][i] = coords_at[i] * scale_at[r] + shift_at[r];
        }
        float* next = own.data();
        for (const float x : along[0])
          for (const float y : along[1])
            for (const float z : along[2]) {
              if (missing < 1) *next++ = x;
              if (missing < 2) *next++ = y;
              *next++ = z;
            }
        Region it{};
        it.index = member_of[piece.region];
        it.samples = samples;
        it.coords = own.data();
        path.evaluate(worker, parameters.view(), it, found.data(), halt);
        // The first axis first: sums of long rows.
        int64_t outer = 1, inner = samples * channels;
        for (size_t at = missing; at < 3; outer *= piece.places[at++]) {
          inner /= piece.nodes[at];
          found = contracted(found, outer, inner, axes[at - missing], piece.node[at], piece.nodes[at], piece.place[at],
                             piece.places[at]);
        }
        std::copy(found.begin(), found.end(), sums.begin() + static_cast<std::ptrdiff_t>(piece.sums));
      },
      poll);
  int64_t step[3] = {0, 0, channels};
  for (size_t at = 2; at-- > missing;) step[at] = step[at + 1] * axes[at + 1 - missing].size;
  for (const Piece& piece : pieces) {
    const float* from = sums.data() + piece.sums;
    const int64_t row = piece.places[2] * channels;
    for (int64_t i = 0; i < piece.places[0]; i++)
      for (int64_t j = 0; j < piece.places[1]; j++, from += row) {
        float* const to = out_at + (piece.place[0] + i) * step[0] + (piece.place[1] + j) * step[1] + piece.place[2] * channels;
        for (int64_t k = 0; k < row; k++) to[k] += from[k];
      }
  }
}

}  // namespace partinr
