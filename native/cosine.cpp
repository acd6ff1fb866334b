#include "cosine.h"

#include <nanobind/stl/optional.h>

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
    : Evaluator(net.dims, net.channels, regions_of(biases)), net_(net),
      parameters_(net.layer_shapes(), weights, biases, regions, "parameters") {}

void CosineRegions::run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const {
  partinr::run(items, threads, work, poll);
}

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

// What each frequency adds to each place, (frequencies, places): the lattice's sums are taken of cosines along one axis,
// not of values. Of an order from 1: what it adds to the derivative, along the axis, of the product with the weight.
std::vector<float> contracted(const Nodes& along, int64_t frequencies, int order) {
  const Axis& axis = *along.axis;
  const size_t size = static_cast<size_t>(frequencies * along.nodes);
  std::vector<double> cosine(size), last, before;
  cosines(along.own.data(), along.nodes, frequencies, cosine.data());
  const auto derived = [&](int n) {
    std::vector<double> found(size);
    cosine_derivatives(along.own.data(), along.nodes, frequencies, n, cosine.data(), found.data());
    for (double& x : found) x *= n == 2 ? double{along.scale} * along.scale : double{along.scale};
    return found;
  };
  if (order) last = derived(order);
  if (order) before = order == 2 ? derived(1) : cosine;
  const std::vector<double>& factor = order ? last : cosine;
  std::vector<float> sums(static_cast<size_t>(frequencies * along.places));
  for (int64_t k = 0; k < frequencies; k++) {
    float* const row = sums.data() + k * along.places;
    for (int64_t i = 0; i < along.nodes; i++) {
      const size_t at = static_cast<size_t>(k * along.nodes + i);
      for (int64_t e = axis.entries[along.node + i]; e < axis.entries[along.node + i + 1]; e++) {
        float& sum = row[axis.places[e] - along.place];
        sum += axis.shares[e] * static_cast<float>(factor[at]);
        if (order) sum += static_cast<float>(order) * axis.slopes[e] * static_cast<float>(before[at]);
      }
    }
  }
  return sums;
}

}  // namespace

void CosineRegions::sums(void*, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
                         const int*) const {
  const std::vector<float> weights = products(region, false);
  const std::vector<float> of[3] = {contracted(nodes[0], net_.along(0), 0), contracted(nodes[1], net_.along(1), 0),
                                    contracted(nodes[2], net_.along(2), 0)};
  for (int64_t p = 0; p < what.planes(); p++) {
    const std::vector<float>* tables[3] = {&of[0], &of[1], &of[2]};
    std::vector<float> own;
    if (what.order) {
      const int64_t axis = 3 - dims + what.axes[p];
      own = contracted(nodes[axis], net_.along(static_cast<int>(axis)), what.order);
      tables[axis] = &own;
    }
    synthesise(weights, tables, nodes, out + p * channels, what.planes() * channels);
  }
}

void CosineRegions::synthesise(const std::vector<float>& weights, const std::vector<float>* const (&of)[3],
                               const Nodes (&nodes)[3], float* out, int64_t step) const {
  const int64_t m0 = net_.along(0), m1 = net_.along(1), m2 = net_.along(2);
  const int64_t row = m2 * channels, places = nodes[2].places;
  std::vector<float> plane(static_cast<size_t>(m1 * row)), line(static_cast<size_t>(row));
  std::vector<float> run(static_cast<size_t>(places));
  for (int64_t i = 0; i < nodes[0].places; i++) {
    std::fill(plane.begin(), plane.end(), 0.0f);
    for (int64_t k = 0; k < m0; k++) {
      const float factor = (*of[0])[k * nodes[0].places + i];
      const float* const weight = weights.data() + k * m1 * row;
      for (int64_t x = 0; x < m1 * row; x++) plane[x] += factor * weight[x];
    }
    for (int64_t j = 0; j < nodes[1].places; j++, out += places * step) {
      std::fill(line.begin(), line.end(), 0.0f);
      for (int64_t k = 0; k < m1; k++) {
        const float factor = (*of[1])[k * nodes[1].places + j];
        const float* const weight = plane.data() + k * row;
        for (int64_t x = 0; x < row; x++) line[x] += factor * weight[x];
      }
      for (int64_t c = 0; c < channels; c++) {
        std::fill(run.begin(), run.end(), 0.0f);
        for (int64_t k = 0; k < m2; k++) {
          const float factor = line[k * channels + c];
          const float* const cosine = of[2]->data() + k * places;
          for (int64_t x = 0; x < places; x++) run[x] += factor * cosine[x];
        }
        for (int64_t x = 0; x < places; x++) out[x * step + c] = run[x];
      }
    }
  }
}

}  // namespace partinr
