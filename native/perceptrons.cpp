#include "perceptrons.h"

#include "dispatch.h"

namespace partinr {
namespace {

// What the sums over a row of a lattice are made of, sum by sum.
struct RowSums {
  std::vector<int64_t> first, offsets{0};
  std::vector<float> shares, totals;

  explicit RowSums(const Nodes& along)
      : first(static_cast<size_t>(along.places), along.nodes), totals(static_cast<size_t>(along.places)) {
    const Axis& axis = *along.axis;
    std::vector<int64_t> end(first.size(), 0);
    const auto each = [&](auto work) {
      for (int64_t i = 0; i < along.nodes; i++)
        for (int64_t e = axis.entries[along.node + i]; e < axis.entries[along.node + i + 1]; e++)
          work(i, static_cast<size_t>(axis.places[e] - along.place), axis.shares[e]);
    };
    each([&](int64_t i, size_t p, float) {
      first[p] = std::min(first[p], i);
      end[p] = std::max(end[p], i + 1);
    });
    for (size_t p = 0; p < first.size(); p++) offsets.push_back(offsets[p] + std::max<int64_t>(0, end[p] - first[p]));
    shares.resize(static_cast<size_t>(offsets.back()));
    each([&](int64_t i, size_t p, float share) {
      shares[static_cast<size_t>(offsets[p] + i - first[p])] += share;
      totals[p] += share;
    });
  }

  Row row(int64_t samples) const {
    return {samples, static_cast<int64_t>(first.size()), first.data(), offsets.data(), shares.data(), totals.data()};
  }
};

// Weighted sums along the axis in the middle of an array (outer, nodes, inner).
std::vector<float> contracted(const std::vector<float>& from, int64_t outer, int64_t inner, const Nodes& along) {
  const Axis& axis = *along.axis;
  std::vector<float> sums(static_cast<size_t>(outer * along.places * inner));
  const float* value = from.data();
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = along.node; i < along.node + along.nodes; i++, value += inner)
      for (int64_t e = axis.entries[i]; e < axis.entries[i + 1]; e++) {
        const float share = axis.shares[e];
        float* const sum = sums.data() + (o * along.places + axis.places[e] - along.place) * inner;
        for (int64_t k = 0; k < inner; k++) sum[k] += share * value[k];
      }
  return sums;
}

// The same of values with their derivatives, of which number k are along this axis: those of products with the weight,
// (w f)' = w f' + w' f and (w f)'' = w f'' + 2 w' f', as weights are linear where they are smooth.
std::vector<float> differentiated(std::vector<float>& from, int64_t outer, int64_t inner, const Nodes& along,
                                  const Derivative& what, int64_t k, int64_t channels) {
  const Axis& axis = *along.axis;
  const int64_t jets = what.jets() * channels, first = (1 + k * what.order) * channels, second = first + channels;
  for (float* jet = from.data(); jet < from.data() + from.size(); jet += jets) {
    for (int64_t c = 0; c < channels; c++) jet[first + c] *= along.scale;
    if (what.order == 2)
      for (int64_t c = 0; c < channels; c++) jet[second + c] *= along.scale * along.scale;
  }
  std::vector<float> sums = contracted(from, outer, inner, along);
  const float* value = from.data();
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = along.node; i < along.node + along.nodes; i++, value += inner)
      for (int64_t e = axis.entries[i]; e < axis.entries[i + 1]; e++) {
        const float slope = axis.slopes[e];
        if (slope == 0) continue;
        float* const sum = sums.data() + (o * along.places + axis.places[e] - along.place) * inner;
        for (int64_t jet = 0; jet < inner; jet += jets)
          for (int64_t c = 0; c < channels; c++) {
            sum[jet + first + c] += slope * value[jet + c];
            if (what.order == 2) sum[jet + second + c] += 2 * slope * value[jet + first + c];
          }
      }
  return sums;
}

}  // namespace

Perceptrons::Perceptrons(const NetSpec& net, const Matrices& weights, const Rows& biases)
    : Evaluator(net.dims, net.channels, regions_of(biases)), net_(net),
      parameters_(net.layer_shapes(), weights, biases, regions, "parameters"), path_(kernel()) {}

void Perceptrons::run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const {
  partinr::run(path_, net_.view(), items, threads, [](void*) { return true; }, work, poll);
}

void Perceptrons::values(void* worker, const Region& region, const Derivative& what, float* out,
                         const int* halt) const {
  if (what.order == 0) {
    path_.evaluate(worker, parameters_.view(), region, out, halt);
    return;
  }
  const Directions along{what.order, static_cast<int>(what.axes.size()), what.axes.data()};
  path_.jets(worker, parameters_.view(), region, along, out, halt);
}

void Perceptrons::sums(void* worker, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
                       const int* halt) const {
  const Nodes& last = nodes[2];
  const int64_t rows = nodes[0].nodes * nodes[1].nodes, samples = rows * last.nodes, missing = 3 - dims;
  std::vector<float> own(static_cast<size_t>(samples * dims));
  float* next = own.data();
  for (const double x : nodes[0].own)
    for (const double y : nodes[1].own)
      for (const double z : last.own) {
        if (missing < 1) *next++ = static_cast<float>(x);
        if (missing < 2) *next++ = static_cast<float>(y);
        *next++ = static_cast<float>(z);
      }
  Region it{};
  it.index = region;
  it.samples = samples;
  it.coords = own.data();
  // For means alone: values at samples are those of training, to the last bit.
  const bool means = std::any_of(nodes, nodes + 3, [](const Nodes& along) { return along.axis->spread(); });
  std::optional<RowSums> row_sums;
  Row row{};
  if (means && !what.order && last.nodes <= longest_row && last.places <= longest_row) {
    row = row_sums.emplace(last).row(last.nodes);
    it.row = &row;
  }
  const int64_t jets = what.jets() * channels;
  std::vector<float> found(static_cast<size_t>(rows * (it.row ? last.places : last.nodes) * jets));
  values(worker, it, what, found.data(), halt);
  // The first axis first: sums of long rows.
  int64_t outer = 1, inner = static_cast<int64_t>(found.size());
  for (int64_t at = missing; at < (it.row ? 2 : 3); outer *= nodes[at++].places) {
    inner /= nodes[at].nodes;
    const int64_t k = what.index(at - missing);
    if (k < 0) {
      found = contracted(found, outer, inner, nodes[at]);
    } else {
      found = differentiated(found, outer, inner, nodes[at], what, k, channels);
    }
  }
  if (!what.order) {
    std::copy(found.begin(), found.end(), out);
    return;
  }
  const float* jet = found.data();
  for (int64_t i = 0; i < outer; i++, jet += jets)
    for (int64_t k = 0; k < what.planes(); k++, out += channels)
      std::copy_n(jet + (k + 1) * what.order * channels, channels, out);
}

}  // namespace partinr
