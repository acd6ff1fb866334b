#include "evaluation.h"

namespace partinr {

namespace {

void check_ascending(const int64_t* starts, int64_t items, int64_t end, const char* name) {
  bool good = items >= 0 && starts[0] == 0 && starts[items] == end;
  for (int64_t i = 0; good && i < items; i++) good = starts[i] <= starts[i + 1];
  if (!good) refuse(std::string(name) + " must ascend from 0 to " + std::to_string(end));
}

Axis checked(const Array<const double, 1>& coords, const Array<const int64_t, 1>& entries,
             const Array<const int64_t, 1>& places, const Array<const float, 1>& shares,
             const Array<const float, 1>* slopes, const Array<const int64_t, 1>& offsets, int64_t size) {
  const Axis axis{size, static_cast<int64_t>(offsets.shape(0)) - 1, coords.data(), shares.data(),
                  slopes ? slopes->data() : nullptr, places.data(), entries.data(), offsets.data()};
  const int64_t nodes = static_cast<int64_t>(coords.shape(0)), all = static_cast<int64_t>(places.shape(0));
  expect(entries, {nodes + 1}, "entries");
  expect(shares, {all}, "shares");
  if (slopes) expect(*slopes, {all}, "slopes");
  if (size < 1) refuse("sizes must be at least 1");
  check_ascending(axis.entries, nodes, all, "entries");
  check_ascending(axis.offsets, axis.spans, nodes, "offsets");
  for (int64_t i = 0; i < all; i++)
    if (axis.places[i] < 0 || axis.places[i] >= size) refuse("places must be below " + std::to_string(size));
  return axis;
}

// An axis of one span, one node and one place, which stands in for those that are missing.
constexpr double nowhere[] = {0};
constexpr float all_of_it[] = {1}, level[] = {0};
constexpr int64_t only[] = {0}, alone[] = {0, 1};
constexpr Axis none{1, 1, nowhere, all_of_it, level, only, alone, alone};

// A box of a region's nodes, as if there were three axes; those missing come first and have one node.
struct Piece {
  int64_t region;
  int64_t node[3], nodes[3];    // first node along each axis, and how many
  int64_t place[3], places[3];  // the part of the output that they reach
  size_t sums;                  // where the piece's own sums begin

  int64_t reached() const { return places[0] * places[1] * places[2]; }
};

// Nodes of a piece, at most: a piece's coordinates and values stay in cache.
constexpr int64_t piece_most = 1 << 12;

std::vector<Piece> cut(const std::vector<Axis>& axes, const Array<const int64_t, 2>& spans,
                       const Array<const int64_t, 1>& members, int64_t channels, int64_t longest) {
  const size_t dims = static_cast<size_t>(spans.shape(1)), missing = 3 - dims;
  std::vector<Piece> pieces;
  size_t sums = 0;
  for (int64_t r = 0; r < static_cast<int64_t>(members.shape(0)); r++) {
    if (members.data()[r] < 0) continue;
    int64_t first[3], last[3], step[3], room = piece_most;
    for (size_t at = 3; at-- > 0;) {
      const int64_t span = at < missing ? 0 : spans.data()[static_cast<size_t>(r) * dims + at - missing];
      first[at] = axes[at].offsets[span];
      last[at] = axes[at].offsets[span + 1];
      step[at] = std::clamp<int64_t>(last[at] - first[at], 1, at == 2 ? std::min(room, longest) : room);
      room = std::max<int64_t>(1, room / step[at]);
    }
    for (int64_t i = first[0]; i < last[0]; i += step[0])
      for (int64_t j = first[1]; j < last[1]; j += step[1])
        for (int64_t k = first[2]; k < last[2]; k += step[2]) {
          Piece piece{r, {i, j, k}, {}, {}, {}, sums};
          for (size_t at = 0; at < 3; at++) {
            const Axis& axis = axes[at];
            piece.nodes[at] = std::min(step[at], last[at] - piece.node[at]);
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

}  // namespace

void evaluate_lattice(const Evaluator& of, const std::vector<Array<const double, 1>>& coords,
                      const std::vector<Array<const int64_t, 1>>& entries,
                      const std::vector<Array<const int64_t, 1>>& places,
                      const std::vector<Array<const float, 1>>& shares,
                      const std::vector<Array<const float, 1>>& slopes,
                      const std::vector<Array<const int64_t, 1>>& offsets, const Array<const int64_t, 2>& spans,
                      const std::vector<int64_t>& sizes, const Array<const int64_t, 1>& members,
                      const Array<const double, 2>& scale, const Array<const double, 2>& shift, bool exact,
                      const Derivative& what, int threads, const Array<float, 2>& out) {
  const int64_t count = of.regions, channels = what.planes() * of.channels;
  const size_t dims = static_cast<size_t>(of.dims), missing = 3 - dims;
  check_threads(threads);
  for (const size_t given : {coords.size(), entries.size(), places.size(), shares.size(), offsets.size(), sizes.size()})
    if (dims > 3 || given != dims)
      refuse("a lattice must have one to three axes, as many as the network has coordinates");
  if (slopes.size() != (what.order ? dims : 0)) refuse("derivatives need slopes along every axis, values need none");
  const int64_t regions = static_cast<int64_t>(members.shape(0));
  expect(spans, {regions, of.dims}, "spans");
  expect(scale, {regions, of.dims}, "scale");
  expect(shift, {regions, of.dims}, "shift");
  std::vector<Axis> axes(missing, none);
  int64_t all = 1;
  for (size_t a = 0; a < dims; a++) {
    axes.push_back(checked(coords[a], entries[a], places[a], shares[a], what.order ? &slopes[a] : nullptr, offsets[a], sizes[a]));
    all *= sizes[a];
  }
  expect(out, {all, channels}, "out");
  for (int64_t r = 0; r < regions; r++) {
    if (members.data()[r] >= count) refuse("members must be below " + std::to_string(count));
    for (size_t a = 0; a < dims; a++) {
      const int64_t span = spans.data()[static_cast<size_t>(r) * dims + a];
      if (span < 0 || span >= axes[missing + a].spans)
        refuse("spans must be below " + std::to_string(axes[missing + a].spans));
    }
  }

  const auto poll = poller(nb::none());
  float* const out_at = out.data();
  const double *const scale_at = scale.data(), *const shift_at = shift.data();
  const int64_t* const member_of = members.data();
  const nb::gil_scoped_release unlocked;
  const std::vector<Piece> pieces = cut(axes, spans, members, channels, of.longest());
  // Places that several pieces reach are theirs in common, so each has sums of its own until all are known; they are
  // added up in one order whatever the number of threads.
  std::vector<float> sums(
      pieces.empty() ? 0 : pieces.back().sums + static_cast<size_t>(pieces.back().reached() * channels));
  const int64_t items = static_cast<int64_t>(pieces.size());
  of.run(
      items, std::min<int64_t>(threads, items),
      [&](void* worker, Team*, int64_t item, const int* halt) {
        const Piece& piece = pieces[static_cast<size_t>(item)];
        Nodes nodes[3];
        for (size_t at = 0; at < 3; at++) {
          nodes[at] = {&axes[at], piece.node[at], piece.nodes[at], piece.place[at], piece.places[at], {0}, 1};
          if (at < missing) continue;
          const double* const coords_at = axes[at].coords + piece.node[at];
          const size_t r = static_cast<size_t>(piece.region) * dims + at - missing;
          nodes[at].scale = static_cast<float>(scale_at[r]);
          nodes[at].own.resize(static_cast<size_t>(piece.nodes[at]));
          // In the precision that the coordinates have.
          const float factor = static_cast<float>(scale_at[r]), offset = static_cast<float>(shift_at[r]);
          for (size_t i = 0; i < nodes[at].own.size(); i++)
            nodes[at].own[i] = exact ? coords_at[i] * scale_at[r] + shift_at[r]
                                     : double{static_cast<float>(coords_at[i]) * factor + offset};
        }
        of.sums(worker, member_of[piece.region], nodes, what, sums.data() + piece.sums, halt);
      },
      poll);
  int64_t step[3] = {0, 0, channels};
  for (size_t at = 2; at-- > 0;) step[at] = step[at + 1] * axes[at + 1].size;
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
