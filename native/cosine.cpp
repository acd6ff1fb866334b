#include "cosine.h"

#include <nanobind/stl/optional.h>

#include <memory>

#include "dispatch.h"

namespace partinr {
Cosines::Cosines(int dims_, int channels_, int frequencies_)
    : dims(dims_), channels(channels_), frequencies(frequencies_) {
  if (dims < 1 || dims > 3) refuse("dims must be 1 to 3, got " + std::to_string(dims));
  if (channels < 1 || frequencies < 2) refuse("channels must be at least 1 and frequencies at least 2");
  int64_t size = channels;
  for (int a = 0; a < dims; a++)
    if ((size *= frequencies) > INT32_MAX / 4) refuse("the network is too large for the native kernel");
}

int64_t Cosines::products() const { return along(0) * along(1) * along(2); }

LayerShapes Cosines::layer_shapes() const { return {{static_cast<int>(products() - 1), channels}}; }

CosineRegions::CosineRegions(const Cosines& net, const Matrices& weights, const Rows& biases)
    : Evaluator(net.dims, net.channels, regions_of(biases)), net_(net), kernel_(kernel()),
      parameters_(net.layer_shapes(), weights, biases, regions, "parameters") {}

std::vector<float> CosineRegions::products(int64_t region, bool by_channel) const {
  const int64_t all = net_.products();
  const float* const bias = parameters_.biases[0] + region * channels;
  const float* const weight = parameters_.weights[0] + region * (all - 1) * channels;
  std::vector<float> found(static_cast<size_t>(all * channels));
  if (!by_channel) {
    std::copy_n(bias, channels, found.begin());
    std::copy_n(weight, (all - 1) * channels, found.begin() + channels);
    return found;
  }
  for (int64_t c = 0; c < channels; c++) {
    float* const row = found.data() + c * all;
    row[0] = bias[c];
    for (int64_t k = 1; k < all; k++) row[k] = weight[(k - 1) * channels + c];
  }
  return found;
}

void CosineRegions::superpose(const float* weight, const float* const (&tables)[3], float* total) const {
  const int64_t m[3] = {net_.along(0), net_.along(1), net_.along(2)};
  std::fill_n(total, block, 0.0f);
  for (int64_t i = 0; i < m[0]; i++) {
    float plane[block] = {};
    for (int64_t j = 0; j < m[1]; j++, weight += m[2]) {
      float row[block] = {};
      const float* cosine = tables[2];
      for (int64_t k = 0; k < m[2]; k++, cosine += block)
        for (int64_t p = 0; p < block; p++) row[p] += weight[k] * cosine[p];
      cosine = tables[1] + j * block;
      for (int64_t p = 0; p < block; p++) plane[p] += row[p] * cosine[p];
    }
    const float* const cosine = tables[0] + i * block;
    for (int64_t p = 0; p < block; p++) total[p] += plane[p] * cosine[p];
  }
}

void CosineRegions::values(void*, const Region& region, const Derivative& what, float* out, const int*) const {
  const int64_t m[3] = {net_.along(0), net_.along(1), net_.along(2)}, all = net_.products(), missing = 3 - dims;
  const int64_t jets = what.jets();
  const std::vector<float> weights = products(region.index, true);
  std::vector<float> tables[3][3];  // of each order along each axis
  for (int64_t order = 0; order <= what.order; order++)
    for (int64_t a = 0; a < 3; a++) tables[order][a].assign(static_cast<size_t>(m[a] * block), 1.0f);
  std::vector<double> exact(static_cast<size_t>(m[2] * block)), slope(exact.size());
  for (int64_t start = 0; start < region.samples; start += block) {
    const int64_t points = std::min(block, region.samples - start);
    for (int64_t a = missing; a < 3; a++) {
      float u[block] = {};
      for (int64_t p = 0; p < points; p++) u[p] = region.coords[(start + p) * dims + a - missing];
      cosines(u, block, m[a], exact.data());
      for (int64_t i = 0; i < m[a] * block; i++) tables[0][a][i] = static_cast<float>(exact[i]);
      for (int order = 1; order <= what.order; order++) {
        cosine_derivatives(u, block, m[a], order, exact.data(), slope.data());
        for (int64_t i = 0; i < m[a] * block; i++) tables[order][a][i] = static_cast<float>(slope[i]);
      }
    }
    for (int64_t q = 0; q < jets; q++) {
      const float* factors[3] = {tables[0][0].data(), tables[0][1].data(), tables[0][2].data()};
      if (q) {
        const int64_t axis = missing + what.axes[(q - 1) / what.order];
        factors[axis] = tables[1 + (q - 1) % what.order][axis].data();
      }
      for (int64_t c = 0; c < channels; c++) {
        float total[block];
        superpose(weights.data() + c * all, factors, total);
        for (int64_t p = 0; p < points; p++) out[((start + p) * jets + q) * channels + c] = total[p];
      }
    }
  }
}

namespace {

// What each frequency adds to each place: the lattice's sums are taken of cosines along one axis, not of values. Of an
// order from 1: what it adds to the derivative, along the axis, of the product with the weight. Frequency k and place p
// are at k * by_frequency + p * by_place.
std::vector<float> contracted(const Nodes& along, int64_t frequencies, int order, size_t size, int64_t by_frequency,
                              int64_t by_place) {
  const Axis& axis = *along.axis;
  const size_t all = static_cast<size_t>(frequencies * along.nodes);
  std::vector<double> cosine(all), last, before;
  cosines(along.own.data(), along.nodes, frequencies, cosine.data());
  const auto derived = [&](int n) {
    std::vector<double> found(all);
    cosine_derivatives(along.own.data(), along.nodes, frequencies, n, cosine.data(), found.data());
    for (double& x : found) x *= n == 2 ? double{along.scale} * along.scale : double{along.scale};
    return found;
  };
  if (order) last = derived(order);
  if (order) before = order == 2 ? derived(1) : cosine;
  const std::vector<double>& factor = order ? last : cosine;
  std::vector<float> sums(size);
  for (int64_t i = 0; i < along.nodes; i++)
    for (int64_t e = axis.entries[along.node + i]; e < axis.entries[along.node + i + 1]; e++) {
      float* const column = sums.data() + (axis.places[e] - along.place) * by_place;
      const float share = axis.shares[e], slope = order ? static_cast<float>(order) * axis.slopes[e] : 0;
      for (int64_t k = 0; k < frequencies; k++) {
        const size_t at = static_cast<size_t>(k * along.nodes + i);
        column[k * by_frequency] += share * static_cast<float>(factor[at]);
        if (order) column[k * by_frequency] += slope * static_cast<float>(before[at]);
      }
    }
  return sums;
}

// The same of one axis of an output for the regions that a thread takes: many of them have the same extent.
class Tables {
 public:
  // (places, frequencies), of the last axis (frequencies, padded places); until the next call for this axis.
  const float* of(const Nodes& along, int64_t frequencies, int order, bool last) {
    Table& table = tables_[static_cast<size_t>(along.node) % tables_.size()];
    if (table.node == along.node && table.order == order && table.place == along.place &&
        table.places == along.places && table.scale == along.scale && table.own == along.own)
      return table.sums.data();
    const int64_t row = last ? padded(along.places) : frequencies, rows = last ? frequencies : along.places;
    Table made{along.node, along.place, along.places, order, along.scale, along.own,
               contracted(along, frequencies, order, static_cast<size_t>(row * rows), last ? row : 1, last ? 1 : row)};
    // Those of long boxes are few, and large.
    Table& kept = row * rows <= most ? table : long_;
    kept = std::move(made);
    return kept.sums.data();
  }

 private:
  static constexpr int64_t most = 1 << 13;
  struct Table {
    int64_t node = -1, place, places;
    int order;
    float scale;
    std::vector<double> own;
    std::vector<float> sums;
  };
  std::vector<Table> tables_ = std::vector<Table>(64);
  Table long_;
};

}  // namespace

// What one thread needs for `sums`: tables of the three axes and, of those along which something is derived, another.
struct CosineRegions::Scratch {
  Tables tables[3], derived[3];
  std::vector<float> weights, plane, lines, run;
};

void CosineRegions::run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const {
  if (threads == 1) {
    Scratch alone;
    return run_here(&alone, items, work, poll);
  }
  Kernel own{};
  own.create = [](const Network&) -> void* { return new (std::nothrow) Scratch; };
  own.destroy = [](void* worker) { delete static_cast<Scratch*>(worker); };
  partinr::run(own, Network{}, items, threads, [](void*) { return true; }, work, poll);
}

void CosineRegions::rows(int64_t region, std::vector<float>& found) const {
  const int64_t inner = net_.along(2), lines = net_.along(0) * net_.along(1);
  const float* const bias = parameters_.biases[0] + region * channels;
  const float* weight = parameters_.weights[0] + region * (net_.products() - 1) * channels - channels;
  found.assign(static_cast<size_t>(lines * row()), 0.0f);
  for (int64_t r = 0; r < lines; r++) {
    float* const to = found.data() + r * row();
    for (int64_t k = 0; k < inner; k++, weight += channels)
      for (int64_t c = 0; c < channels; c++) to[c * inner + k] = r + k ? weight[c] : bias[c];
  }
}

void CosineRegions::sums(void* worker, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
                         const int*) const {
  Scratch& scratch = *static_cast<Scratch*>(worker);
  rows(region, scratch.weights);
  const float* of[3];
  for (int a = 0; a < 3; a++) of[a] = scratch.tables[a].of(nodes[a], net_.along(a), 0, a == 2);
  for (int64_t p = 0; p < what.planes(); p++) {
    const float* tables[3] = {of[0], of[1], of[2]};
    if (what.order) {
      const int axis = 3 - static_cast<int>(dims) + what.axes[static_cast<size_t>(p)];
      tables[axis] = scratch.derived[axis].of(nodes[axis], net_.along(axis), what.order, axis == 2);
    }
    synthesise(scratch, tables, nodes, out + p * channels, what.planes() * channels);
  }
}

void CosineRegions::synthesise(Scratch& scratch, const float* const (&tables)[3], const Nodes (&nodes)[3], float* out,
                               int64_t step) const {
  const int64_t m0 = net_.along(0), m1 = net_.along(1), m2 = net_.along(2), inner = row();
  const int64_t high = nodes[1].places, wide = nodes[2].places, run = padded(wide);
  scratch.plane.resize(static_cast<size_t>(m1 * inner));
  scratch.lines.resize(static_cast<size_t>(high * inner));
  scratch.run.resize(static_cast<size_t>(high * run));
  for (int64_t i = 0; i < nodes[0].places; i++) {
    const float* plane = scratch.weights.data();
    if (dims == 3) {
      kernel_.multiply(tables[0] + i * m0, m0, plane, m1 * inner, scratch.plane.data(), m1 * inner, 1, m0, m1 * inner);
      plane = scratch.plane.data();
    }
    kernel_.multiply(tables[1], m1, plane, inner, scratch.lines.data(), inner, high, m1, inner);
    for (int64_t c = 0; c < channels; c++) {
      kernel_.multiply(scratch.lines.data() + c * m2, inner, tables[2], run, scratch.run.data(), run, high, m2, run);
      for (int64_t j = 0; j < high; j++) {
        const float* const from = scratch.run.data() + j * run;
        float* const to = out + (i * high + j) * wide * step + c;
        for (int64_t x = 0; x < wide; x++) to[x * step] = from[x];
      }
    }
  }
}

}  // namespace partinr
