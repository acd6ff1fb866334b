#include "nodes.h"

#include <array>
#include <limits>
#include <utility>

namespace partinr {
namespace {

// Nodes that the polynomial at a point goes through, at most.
constexpr int stencil = 6;
// Distances in pitches of the first nodes from an end at which a region has its full weight: beyond, they stand
// regularly. That takes `added` nodes more than regular ones throughout.
constexpr double at_end[] = {0.1, 0.5, 1.1, 1.8, 2.6, 3.5};
constexpr int64_t added = 2;
// Spans with fewer regular nodes have those of Gauss's rule, and one more.
constexpr int64_t few = 12;
// Intervals shorter than this, in samples, come from rounding.
constexpr double nothing = 1e-9;

// Nodes and weights of Gauss's rule on 0..1.
struct Gauss {
  std::vector<double> at, weights;

  explicit Gauss(int n) : at(static_cast<size_t>(n)), weights(static_cast<size_t>(n)) {
    for (int i = 0; i < n; i++) {
      double x = std::cos(3.14159265358979323846 * (n - i - 0.25) / (n + 0.5)), slope = 1;
      for (int newton = 0; newton < 8; newton++) {
        double before = 1, value = x;  // Legendre's polynomials of degrees k - 1 and k
        for (int k = 1; k < n; k++) before = std::exchange(value, ((2 * k + 1) * x * value - k * before) / (k + 1));
        slope = n * (x * value - before) / (x * x - 1);
        x -= value / slope;
      }
      at[static_cast<size_t>(i)] = (x + 1) / 2;
      weights[static_cast<size_t>(i)] = 1 / ((1 - x * x) * slope * slope);
    }
  }
};

const Gauss& gauss(int64_t nodes) {
  static const std::vector<Gauss> rules = [] {
    std::vector<Gauss> all;
    for (int n = 0; n <= few; n++) all.emplace_back(n);
    return all;
  }();
  return rules[static_cast<size_t>(nodes)];
}

// Where one span has weight, in samples, and how much.
struct Extent {
  double samples, width, start, stop, low, high;

  Extent(const int64_t* span, int64_t samples_, int64_t width_)
      : samples(static_cast<double>(samples_)), width(static_cast<double>(width_)) {
    // Spans at the signal's border go on without end.
    constexpr double endless = std::numeric_limits<double>::infinity();
    start = span[0] > 0 ? static_cast<double>(span[0]) - 0.5 : -endless;
    stop = span[1] < samples_ ? static_cast<double>(span[1]) - 0.5 : endless;
    low = std::max(start - width / 2, -0.5);
    high = std::min(stop + width / 2, samples - 0.5);
  }

  double weight(double x) const {
    if (width == 0) return 1;
    const double middle = std::clamp(x, 0.0, samples - 1), half = width / 2;
    return std::clamp((std::min(middle + half, stop) - std::max(middle - half, start)) / width, 0.0, 1.0);
  }

  bool full(double a, double b) const {
    return width == 0 || (a >= std::max(start + width / 2, 0.0) && b <= std::min(stop - width / 2, samples - 1));
  }

  // Where the weight may bend, ascending.
  std::vector<double> bends() const {
    std::vector<double> all;
    if (width > 0)
      for (const double bend : {start + width / 2, stop - width / 2, 0.0, samples - 1})
        if (bend > low && bend < high) all.push_back(bend);
    std::sort(all.begin(), all.end());
    return all;
  }

  // Nodes near first..last; where they are doesn't depend on these.
  std::vector<double> nodes(double pitch, double first, double last) const {
    const double length = high - low;
    const int64_t regular = std::max<int64_t>(2, static_cast<int64_t>(std::ceil(length / pitch)));
    std::vector<double> at;
    if (regular < few) {
      for (const double x : gauss(regular + 1).at) at.push_back(low + length * x);
      return at;
    }
    const bool full_low = width == 0 || std::isinf(start), full_high = width == 0 || std::isinf(stop);
    const int64_t total = regular + added * (full_low + full_high), margin = stencil + added + 2;
    pitch = length / static_cast<double>(regular);
    const auto from_end = [](int64_t j, bool full) {
      if (!full) return static_cast<double>(j) + 0.5;
      return j < std::ssize(at_end) ? at_end[j] : static_cast<double>(j - added) + 0.5;
    };
    const int64_t from = static_cast<int64_t>(std::floor((first - low) / pitch)) - margin;
    const int64_t to = static_cast<int64_t>(std::ceil((last - low) / pitch)) + margin + 2 * added;
    for (int64_t j = std::clamp<int64_t>(from, 0, total); j < std::clamp<int64_t>(to, 0, total); j++) {
      const int64_t back = total - 1 - j;
      const double away = j < back ? from_end(j, full_low) : static_cast<double>(regular) - from_end(back, full_high);
      at.push_back(low + pitch * away);
    }
    return at;
  }
};

using Integrals = std::array<double, stencil>;

// Integrals of Lagrange's polynomials through nodes, times a weight that goes straight from `at_a` to `at_b`, from a
// to b; Gauss's rule is exact.
template <int size>
Integrals lagrange(const double* nodes, double a, double b, double at_a, double at_b) {
  constexpr int points = size / 2 + 1;
  const Gauss& rule = gauss(points);
  double away[size][points], after[size][points], before[points];
  for (int i = 0; i < points; i++) {
    const double t = rule.at[static_cast<size_t>(i)];
    before[i] = (b - a) * rule.weights[static_cast<size_t>(i)] * (at_a + (at_b - at_a) * t);
    for (int k = 0; k < size; k++) away[k][i] = a + (b - a) * t - nodes[k];
    after[size - 1][i] = 1;
  }
  for (int k = size - 1; k > 0; k--)
    for (int i = 0; i < points; i++) after[k - 1][i] = after[k][i] * away[k][i];
  Integrals sums{};
  for (int k = 0; k < size; k++) {
    double sum = 0, apart = 1;
    for (int i = 0; i < points; i++) {
      sum += before[i] * after[k][i];
      before[i] *= away[k][i];
    }
    for (int m = 0; m < size; m++)
      if (m != k) apart *= nodes[k] - nodes[m];
    sums[static_cast<size_t>(k)] = sum / apart;
  }
  return sums;
}

Integrals lagrange(int64_t size, const double* nodes, double a, double b, double at_a, double at_b) {
  switch (size) {
    case 3: return lagrange<3>(nodes, a, b, at_a, at_b);
    case 4: return lagrange<4>(nodes, a, b, at_a, at_b);
    case 5: return lagrange<5>(nodes, a, b, at_a, at_b);
    default: return lagrange<stencil>(nodes, a, b, at_a, at_b);
  }
}

// From one regular node to the next, 1 apart, in the middle of six.
const Integrals& regular_integrals() {
  static const Integrals middle = [] {
    const double steps[stencil] = {-2, -1, 0, 1, 2, 3};
    return lagrange<stencil>(steps, 0, 1, 1, 1);
  }();
  return middle;
}

bool regular(const double* nodes, double a, double b) {
  for (int k = 0; k < stencil; k++)
    if (std::abs(nodes[k] - a - (b - a) * (k - (stencil / 2 - 1))) >= nothing) return false;
  return true;
}

struct Entry {
  size_t node;
  int64_t place;
  double share;
};

// What nodes count for in means over pixels, pixel by pixel.
std::vector<Entry> integrate(const Extent& extent, const std::vector<double>& nodes, const double* edges,
                             int64_t pixels) {
  std::vector<Entry> entries;
  std::vector<double> sums(nodes.size());
  const std::vector<double> bends = extent.bends();
  const int64_t all = std::ssize(nodes), size = std::min<int64_t>(all, stencil);
  double a = std::max(extent.low, edges[0]);
  const double end = std::min(extent.high, edges[pixels]);
  int64_t passed = std::upper_bound(nodes.begin(), nodes.end(), a) - nodes.begin();
  int64_t pixel = std::clamp<int64_t>(std::upper_bound(edges, edges + pixels + 1, a) - edges - 1, 0, pixels - 1);
  size_t bend = static_cast<size_t>(std::upper_bound(bends.begin(), bends.end(), a) - bends.begin());
  while (a < end) {
    // One pixel: intervals with one polynomial and one line as their weight.
    const double width = edges[pixel + 1] - edges[pixel], stop = std::min(end, edges[pixel + 1]);
    int64_t lowest = all, highest = 0;
    while (a < stop) {
      double b = stop;
      if (passed < all) b = std::min(b, nodes[static_cast<size_t>(passed)]);
      if (bend < bends.size()) b = std::min(b, bends[bend]);
      if (b - a > nothing) {
        const int64_t first = std::clamp<int64_t>(passed - size / 2, 0, all - size);
        const double* const near = nodes.data() + first;
        Integrals found;
        if (size == stencil && extent.full(a, b) && regular(near, a, b)) {
          found = regular_integrals();
          for (double& x : found) x *= b - a;
        } else {
          found = lagrange(size, near, a, b, extent.weight(a), extent.weight(b));
        }
        for (int64_t k = 0; k < size; k++) sums[static_cast<size_t>(first + k)] += found[static_cast<size_t>(k)];
        lowest = std::min(lowest, first);
        highest = std::max(highest, first + size);
      }
      while (passed < all && nodes[static_cast<size_t>(passed)] <= b) passed++;
      while (bend < bends.size() && bends[bend] <= b) bend++;
      a = b;
    }
    for (int64_t j = lowest; j < highest; j++) {
      double& sum = sums[static_cast<size_t>(j)];
      if (sum != 0) entries.push_back({static_cast<size_t>(j), pixel, std::exchange(sum, 0.0) / width});
    }
    pixel++;
  }
  return entries;
}

}  // namespace

std::tuple<Indices, Doubles, Indices, Indices, Floats> mean_nodes(int64_t samples, int64_t width,
                                                                 const Array<const int64_t, 2>& spans,
                                                                 const Array<const double, 1>& pitches,
                                                                 const Array<const double, 1>& edges) {
  const int64_t count = static_cast<int64_t>(spans.shape(0)), pixels = static_cast<int64_t>(edges.shape(0)) - 1;
  expect(spans, {count, 2}, "spans");
  expect(pitches, {count}, "pitches");
  const double *const pitch_at = pitches.data(), *const edge_at = edges.data();
  const int64_t* const span_at = spans.data();
  if (samples < 1 || width < 0) refuse("samples must be at least 1 and width at least 0");
  if (pixels < 1 || !std::is_sorted(edge_at, edge_at + pixels + 1)) refuse("edges must be two or more and ascend");
  for (int64_t s = 0; s < count; s++) {
    if (span_at[2 * s] < 0 || span_at[2 * s] >= span_at[2 * s + 1] || span_at[2 * s + 1] > samples)
      refuse("spans must have a first sample and a later end within the axis");
    if (!(pitch_at[s] > 0)) refuse("pitches must be positive");
  }
  std::vector<int64_t> offsets{0}, entries{0}, places;
  std::vector<double> coords;
  std::vector<float> shares;
  const double step = 2.0 / static_cast<double>(std::max<int64_t>(samples - 1, 1));
  std::vector<size_t> next;
  for (int64_t s = 0; s < count; s++) {
    const Extent extent(span_at + 2 * s, samples, width);
    if (extent.low < edge_at[pixels] && extent.high > edge_at[0]) {
      const std::vector<double> nodes = extent.nodes(pitch_at[s], edge_at[0], edge_at[pixels]);
      const std::vector<Entry> found = integrate(extent, nodes, edge_at, pixels);
      // From entries by pixel to entries by node.
      next.assign(nodes.size(), 0);
      for (const Entry& entry : found) next[entry.node]++;
      size_t total = places.size();
      for (size_t j = 0; j < nodes.size(); j++) {
        const size_t own = std::exchange(next[j], total);
        if (own == 0) continue;
        coords.push_back(nodes[j] * step - 1);
        entries.push_back(static_cast<int64_t>(total += own));
      }
      places.resize(total);
      shares.resize(total);
      for (const auto& [node, place, share] : found) {
        places[next[node]] = place;
        shares[next[node]++] = static_cast<float>(share);
      }
    }
    offsets.push_back(std::ssize(coords));
  }
  return {to_numpy(std::move(offsets)), to_numpy(std::move(coords)), to_numpy(std::move(entries)),
          to_numpy(std::move(places)), to_numpy(std::move(shares))};
}

}  // namespace partinr
