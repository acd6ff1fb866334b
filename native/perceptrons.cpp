#include "perceptrons.h"

#include "dispatch.h"

namespace partinr {
namespace {

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

}  // namespace

Perceptrons::Perceptrons(const NetSpec& net, const Matrices& weights, const Rows& biases)
    : Evaluator(net.dims, net.channels, regions_of(biases)), net_(net),
      parameters_(net.layer_shapes(), weights, biases, regions, "parameters"), path_(kernel()) {}

void Perceptrons::run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const {
  partinr::run(path_, net_.view(), items, threads, [](void*) { return true; }, work, poll);
}

void Perceptrons::values(void* worker, const Region& region, float* out, const int* halt) const {
  path_.evaluate(worker, parameters_.view(), region, out, halt);
}

void Perceptrons::sums(void* worker, int64_t region, const Nodes (&nodes)[3], float* out, const int* halt) const {
  const int64_t samples = nodes[0].nodes * nodes[1].nodes * nodes[2].nodes, missing = 3 - dims;
  std::vector<float> own(static_cast<size_t>(samples * dims)), found(static_cast<size_t>(samples * channels));
  float* next = own.data();
  for (const float x : nodes[0].own)
    for (const float y : nodes[1].own)
      for (const float z : nodes[2].own) {
        if (missing < 1) *next++ = x;
        if (missing < 2) *next++ = y;
        *next++ = z;
      }
  Region it{};
  it.index = region;
  it.samples = samples;
  it.coords = own.data();
  // Values at samples are those of training, to the last bit.
  if (std::any_of(nodes, nodes + 3, [](const Nodes& along) { return along.axis->spread(); })) it.row = nodes[2].nodes;
  values(worker, it, found.data(), halt);
  // The first axis first: sums of long rows.
  int64_t outer = 1, inner = samples * channels;
  for (int64_t at = missing; at < 3; outer *= nodes[at++].places) {
    inner /= nodes[at].nodes;
    found = contracted(found, outer, inner, nodes[at]);
  }
  std::copy(found.begin(), found.end(), out);
}

}  // namespace partinr
