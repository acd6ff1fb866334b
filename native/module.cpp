// The extension module partinr._native: checks what Python passes, then runs the queue without the interpreter lock.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "dispatch.h"
#include "queue.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace partinr {
namespace {

template <class T, int dims>
using Array = nb::ndarray<T, nb::ndim<dims>, nb::c_contig, nb::device::cpu>;
using Matrices = std::vector<Array<float, 3>>;
using Rows = std::vector<Array<float, 2>>;

[[noreturn]] void refuse(const std::string& what) { throw std::invalid_argument(what); }

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); i++) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

template <class A>
void expect(const A& array, const std::vector<int64_t>& shape, const char* name) {
  std::vector<int64_t> got;
  for (size_t i = 0; i < array.ndim(); i++) got.push_back(static_cast<int64_t>(array.shape(i)));
  if (got != shape) refuse(std::string(name) + " must have shape " + shape_text(shape) + ", got " + shape_text(got));
}

// The shape of one region's network.
struct NetSpec {
  std::string kind;
  int dims, channels, hidden, layers;
  std::vector<float> omega, scale;
  std::vector<double> turns;
  Network network{};

  NetSpec(std::string kind_, int dims_, int channels_, int hidden_, int layers_, std::vector<float> omega_,
          std::vector<float> scale_, int octaves, const std::optional<Array<const double, 2>>& projections)
      : kind(std::move(kind_)), dims(dims_), channels(channels_), hidden(hidden_), layers(layers_),
        omega(std::move(omega_)), scale(std::move(scale_)) {
    const char* const names[] = {"siren", "relu", "fourier", "finer", "wire", "gauss"};
    const Kind kinds[] = {Kind::siren, Kind::relu, Kind::relu, Kind::finer, Kind::wire, Kind::gauss};
    const auto found = std::find(std::begin(names), std::end(names), kind);
    if (found == std::end(names)) refuse("kind must be siren, relu, fourier, finer, wire or gauss, got '" + kind + "'");
    if (dims < 1 || channels < 1 || hidden < 1 || layers < 0)
      refuse("dims, channels and hidden must be at least 1 and layers at least 0");
    const size_t activations = static_cast<size_t>(layers) + 1;
    for (std::vector<float>* list : {&omega, &scale}) {
      if (list->empty()) list->assign(activations, 1.0f);
      if (list->size() != activations)
        refuse("omega and scale must have one entry for each of the " + std::to_string(activations) +
               " hidden layers, got " + std::to_string(list->size()));
    }
    Encoding encoding = Encoding::none;
    int64_t waves = 0, features = dims;
    if (octaves < 0 || octaves > 128) refuse("octaves must be 0 to 128, got " + std::to_string(octaves));
    if (octaves && projections) refuse("a network has either octaves or projections, not both");
    if (octaves) {
      encoding = Encoding::harmonic;
      waves = octaves;
      features = int64_t(2) * dims * octaves;
    } else if (projections) {
      encoding = Encoding::projected;
      waves = static_cast<int64_t>(projections->shape(1));
      features = 2 * waves;
      expect(*projections, {dims, waves}, "projections");
      if (waves < 1 || waves > INT32_MAX / 4) refuse("projections must have at least one column");
      turns.assign(projections->data(), projections->data() + dims * waves);
      for (double& turn : turns) turn /= 3.14159265358979323846;
    }
    const int64_t widest = std::max({features, int64_t(channels), int64_t(hidden)});
    if (widest > INT32_MAX / 4 || widest * widest * (layers + 2) > INT32_MAX / 4)
      refuse("the network is too large for the native kernel");
    network = Network{kinds[found - std::begin(names)], encoding, dims, static_cast<int>(waves), nullptr,
                      static_cast<int>(features), channels, hidden, layers + 1, nullptr, nullptr};
  }

  Network view() const {
    Network net = network;
    net.turns = turns.empty() ? nullptr : turns.data();
    net.omega = omega.data();
    net.scale = scale.data();
    return net;
  }

  // (fan_in, fan_out) of each layer as stored.
  std::vector<std::tuple<int, int>> layer_shapes() const {
    const int parts = network.kind == Kind::wire ? 2 : 1;
    std::vector<std::tuple<int, int>> shapes{{network.features, hidden}};
    for (int l = 0; l < layers; l++) shapes.emplace_back(hidden, parts * hidden);
    shapes.emplace_back(hidden, parts * channels);
    return shapes;
  }
};

// Pointers to stacked parameters whose shapes have been checked.
struct Stack {
  std::vector<float*> weights, biases;

  Stack(const NetSpec& net, const Matrices& w, const Rows& b, int64_t regions, const char* name) {
    const auto shapes = net.layer_shapes();
    if (w.size() != shapes.size() || b.size() != shapes.size())
      refuse(std::string(name) + " must have " + std::to_string(shapes.size()) + " layers, got " +
             std::to_string(w.size()) + " weights and " + std::to_string(b.size()) + " biases");
    for (size_t l = 0; l < shapes.size(); l++) {
      const auto [fan_in, fan_out] = shapes[l];
      const std::string layer = std::string(name) + " of layer " + std::to_string(l);
      expect(w[l], {regions, fan_in, fan_out}, (layer + " (weights)").c_str());
      expect(b[l], {regions, fan_out}, (layer + " (biases)").c_str());
      weights.push_back(w[l].data());
      biases.push_back(b[l].data());
    }
  }

  Arrays view() const { return Arrays{weights.data(), biases.data()}; }
};

int64_t regions_of(const Rows& biases) {
  if (biases.empty()) refuse("biases must have one array for each layer, got none");
  return static_cast<int64_t>(biases[0].shape(0));
}

// The samples of all regions, checked.
struct Packed {
  const NetSpec& net;
  const float *coords, *values = nullptr, *importance = nullptr;
  const int64_t* offsets;
  int64_t regions, samples;

  Packed(const NetSpec& net_, const Array<const float, 2>& coords_, const Array<const int64_t, 1>& offsets_,
         int64_t regions_)
      : net(net_), coords(coords_.data()), offsets(offsets_.data()), regions(regions_),
        samples(static_cast<int64_t>(coords_.shape(0))) {
    expect(coords_, {samples, net.dims}, "coords");
    expect(offsets_, {regions + 1}, "offsets");
    if (offsets[0] < 0 || offsets[regions] > samples || !std::is_sorted(offsets, offsets + regions + 1))
      refuse("offsets must rise from 0 or more to at most the number of samples, " + std::to_string(samples));
    for (int64_t r = 0; r < regions; r++)
      if (offsets[r + 1] - offsets[r] > INT32_MAX) refuse("a region must have fewer than 2^31 samples");
  }

  void with_values(const Array<const float, 2>& array) {
    expect(array, {samples, net.channels}, "values");
    values = array.data();
  }

  void with_importance(const std::optional<Array<const float, 1>>& array) {
    if (!array) return;
    expect(*array, {samples}, "sample_weights");
    importance = array->data();
  }

  Region region(int64_t index) const {
    const int64_t start = offsets[index];
    Region it{};
    it.index = index;
    it.samples = offsets[index + 1] - start;
    it.coords = coords + start * net.dims;
    it.values = values ? values + start * net.channels : nullptr;
    it.importance = importance ? importance + start : nullptr;
    return it;
  }
};

void check_regions(const Array<const int64_t, 1>& regions, int64_t count) {
  std::vector<bool> seen(static_cast<size_t>(count));
  for (size_t i = 0; i < regions.shape(0); i++) {
    const int64_t r = regions(i);
    if (r < 0 || r >= count)
      refuse("regions must be indices below " + std::to_string(count) + ", got " + std::to_string(r));
    if (seen[static_cast<size_t>(r)]) refuse("regions must differ, got " + std::to_string(r) + " twice");
    seen[static_cast<size_t>(r)] = true;
  }
}

void check_threads(int threads) {
  if (threads < 1) refuse("threads must be at least 1, got " + std::to_string(threads));
}

// Asks Python whether to stop; raises what a signal handler or the callable raised.
std::function<bool()> poller(const nb::object& stop) {
  const volatile int32_t* flag = nullptr;
  bool call = false;
  if (!stop.is_none()) {
    Array<const int32_t, 1> array;
    if (nb::try_cast(stop, array, false)) {
      if (array.shape(0) < 1) refuse("stop must have an element");
      flag = array.data();
    } else if (PyCallable_Check(stop.ptr())) {
      call = true;
    } else {
      throw nb::type_error("stop must be None, a callable or an int32 array");
    }
  }
  return [stop = stop.ptr(), flag, call] {
    const nb::gil_scoped_acquire lock;
    if (PyErr_CheckSignals()) throw nb::python_error();
    if (flag) return *flag != 0;
    if (!call) return false;
    const int truth = PyObject_IsTrue(nb::handle(stop)().ptr());
    if (truth < 0) throw nb::python_error();
    return truth == 1;
  };
}

// Most samples first, so that no thread is left with a large region at the end.
std::vector<int64_t> by_size(const Packed& packed, const Array<const int64_t, 1>& regions) {
  std::vector<int64_t> order(regions.shape(0));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto size = [&](int64_t i) {
    const int64_t r = regions.data()[i];
    return packed.offsets[r + 1] - packed.offsets[r];
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return size(a) > size(b); });
  return order;
}

// What a call can keep busy.
struct Workload {
  int64_t parallel = 0;      // threads
  int64_t most_samples = 0;  // of a step of a region

  Workload(const Kernel& path, const Network& net, const Packed& packed, const Array<const int64_t, 1>& regions,
           int64_t batch) {
    for (size_t i = 0; i < regions.shape(0); i++) {
      const int64_t count = packed.region(regions.data()[i]).samples;
      const int64_t samples = batch ? std::min(batch, count) : count;
      parallel += path.slices(net, samples);
      most_samples = std::max(most_samples, samples);
    }
  }
};

const Kernel& kernel_for(const std::string& precision) {
  if (precision == "fp32") return kernel();
  if (precision == "bf16") return bf16_kernel();
  refuse("precision must be fp32 or bf16, got '" + precision + "'");
}

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> to_numpy(std::vector<T> values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

auto train(const NetSpec& net, const Matrices& weights, const Rows& biases, const Matrices& m_w, const Rows& m_b,
           const Matrices& v_w, const Rows& v_b, const Array<const float, 2>& coords,
           const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets,
           const Array<const int64_t, 1>& regions, const Array<const uint64_t, 1>& region_keys, int64_t first_step,
           const Array<const float, 1>& learning_rates, int64_t batch, double beta1, double beta2, double eps,
           const Array<const double, 1>& loss_scale, int threads, const Array<float, 2>& losses,
           const nb::object& stop, const std::optional<Array<const float, 1>>& sample_weights,
           const std::string& precision) {
  const int64_t count = regions_of(biases), steps = static_cast<int64_t>(learning_rates.shape(0));
  const Stack parameters(net, weights, biases, count, "parameters"), first(net, m_w, m_b, count, "first moments"),
      second(net, v_w, v_b, count, "second moments");
  Packed packed(net, coords, offsets, count);
  packed.with_values(values);
  packed.with_importance(sample_weights);
  check_regions(regions, count);
  check_threads(threads);
  expect(region_keys, {count}, "region_keys");
  expect(loss_scale, {count}, "loss_scale");
  const int64_t chosen = static_cast<int64_t>(regions.shape(0));
  expect(losses, {chosen, steps}, "losses");
  if (first_step < 0 || batch < 0 || batch > INT32_MAX) refuse("first_step and batch must not be negative");
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) refuse("beta1 and beta2 must be in [0, 1)");
  if (!(eps > 0)) refuse("eps must be above 0, got " + std::to_string(eps));

  const Kernel& path = kernel_for(precision);
  const Schedule plan{learning_rates.data(), steps, first_step, batch, beta1, beta2, eps};
  const std::vector<int64_t> order = by_size(packed, regions);
  const Workload load(path, net.view(), packed, regions, batch);
  const int64_t* const region_at = regions.data();
  const uint64_t* const key_at = region_keys.data();
  const double* const scale_at = loss_scale.data();
  float* const losses_at = losses.data();
  std::vector<int64_t> done(static_cast<size_t>(chosen), 0);
  const auto poll = poller(stop);
  {
    const nb::gil_scoped_release unlocked;
    run(
        path, net.view(), chosen, std::min<int64_t>(threads, load.parallel),
        [&](void* worker) { return path.reserve(worker, batch, load.most_samples); },
        [&](void* worker, Team* team, int64_t item, const int* halt) {
          const int64_t row = order[static_cast<size_t>(item)];
          Region region = packed.region(region_at[row]);
          region.key = key_at[region.index];
          region.loss_scale = scale_at[region.index];
          done[static_cast<size_t>(row)] =
              region.samples ? path.train(worker, team, parameters.view(), first.view(), second.view(), region, plan,
                                          losses_at + row * steps, halt)
                             : steps;
        },
        poll);
  }
  return to_numpy(std::move(done));
}

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

auto gradient(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
              const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets,
              const Array<const int64_t, 1>& regions, const Array<const double, 1>& loss_scale,
              const Matrices& grad_w, const Rows& grad_b, int threads,
              const std::optional<Array<const float, 1>>& sample_weights, const std::string& precision) {
  const int64_t count = regions_of(biases);
  const Stack parameters(net, weights, biases, count, "parameters"), to(net, grad_w, grad_b, count, "gradients");
  Packed packed(net, coords, offsets, count);
  packed.with_values(values);
  packed.with_importance(sample_weights);
  check_regions(regions, count);
  check_threads(threads);
  expect(loss_scale, {count}, "loss_scale");
  std::vector<double> squares(regions.shape(0), 0);
  const Kernel& path = kernel_for(precision);
  const Workload load(path, net.view(), packed, regions, 0);
  const int64_t* const region_at = regions.data();
  const double* const scale_at = loss_scale.data();
  const auto poll = poller(nb::none());
  {
    const nb::gil_scoped_release unlocked;
    run(
        path, net.view(), static_cast<int64_t>(squares.size()), std::min<int64_t>(threads, load.parallel),
        [&](void* worker) { return path.reserve(worker, 0, load.most_samples); },
        [&](void* worker, Team* team, int64_t item, const int*) {
          Region region = packed.region(region_at[item]);
          region.loss_scale = scale_at[region.index];
          if (region.samples)
            squares[static_cast<size_t>(item)] = path.gradient(worker, team, parameters.view(), region, to.view());
        },
        poll);
  }
  return to_numpy(std::move(squares));
}

void sincospi(const Array<const float, 1>& x, const Array<float, 1>& sine, const Array<float, 1>& cosine) {
  const int64_t count = static_cast<int64_t>(x.shape(0));
  expect(sine, {count}, "sine");
  expect(cosine, {count}, "cosine");
  kernel().sincospi(x.data(), sine.data(), cosine.data(), count);
}

void power_of_two(const Array<const float, 1>& x, const Array<float, 1>& out) {
  expect(out, {static_cast<int64_t>(x.shape(0))}, "out");
  kernel().exp2(x.data(), out.data(), static_cast<int64_t>(x.shape(0)));
}

int slices(const NetSpec& net, int64_t samples) { return kernel().slices(net.view(), samples); }

void encode(const NetSpec& net, const Array<const float, 2>& coords, const Array<float, 2>& out) {
  const int64_t samples = static_cast<int64_t>(coords.shape(0));
  if (net.network.encoding == Encoding::none) refuse("the network does not encode coordinates");
  expect(coords, {samples, net.dims}, "coords");
  expect(out, {samples, net.network.features}, "out");
  if (!kernel().encode(net.view(), coords.data(), samples, out.data())) throw std::bad_alloc();
}

auto stream(uint64_t key, int64_t count, uint64_t position, int64_t length) {
  if (count < 1 || count > INT32_MAX || length < 0) refuse("count must be at least 1 and length at least 0");
  std::vector<uint32_t> out(static_cast<size_t>(length));
  if (!kernel().stream(key, count, position, length, out.data())) throw std::bad_alloc();
  return to_numpy(std::move(out));
}

// Floating-point operations a second of one thread that does nothing but multiply and add.
double peak(double seconds) {
  using clock = std::chrono::steady_clock;
  const Kernel& path = kernel();
  const nb::gil_scoped_release unlocked;
  float sink = 0.5f;
  double best = 0;
  const auto end = clock::now() + std::chrono::duration<double>(seconds);
  do {
    const auto start = clock::now();
    const double operations = path.peak(200000, &sink);
    best = std::max(best, operations / std::chrono::duration<double>(clock::now() - start).count());
  } while (clock::now() < end);
  return best;
}

std::vector<std::string> isa_paths() {
  std::vector<std::string> names;
  for (const Kernel* k : kernels()) names.emplace_back(k->name);
  return names;
}

}  // namespace
}  // namespace partinr

NB_MODULE(_native, m) {
  using namespace partinr;
  m.doc() = "Fused training and evaluation of many small coordinate networks.";
  nb::class_<NetSpec>(m, "NetSpec")
      .def(nb::init<std::string, int, int, int, int, std::vector<float>, std::vector<float>, int,
                    const std::optional<Array<const double, 2>>&>(),
           "kind"_a, nb::kw_only(),
           "dims"_a, "channels"_a, "hidden"_a, "layers"_a, "omega"_a = std::vector<float>(),
           "scale"_a = std::vector<float>(), "octaves"_a = 0, "projections"_a.noconvert() = nb::none())
      .def_ro("kind", &NetSpec::kind)
      .def_ro("dims", &NetSpec::dims)
      .def_ro("channels", &NetSpec::channels)
      .def_ro("hidden", &NetSpec::hidden)
      .def_ro("layers", &NetSpec::layers)
      .def_ro("omega", &NetSpec::omega)
      .def_ro("scale", &NetSpec::scale)
      .def("layer_shapes", &NetSpec::layer_shapes);
  m.def("train", &train, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "m_w"_a.noconvert(),
        "m_b"_a.noconvert(), "v_w"_a.noconvert(), "v_b"_a.noconvert(), "coords"_a.noconvert(),
        "values"_a.noconvert(), "offsets"_a.noconvert(), "regions"_a.noconvert(), "region_keys"_a.noconvert(),
        nb::kw_only(), "first_step"_a, "learning_rates"_a.noconvert(), "batch"_a, "beta1"_a, "beta2"_a, "eps"_a,
        "loss_scale"_a.noconvert(), "threads"_a, "losses"_a.noconvert(), "stop"_a = nb::none(),
        "sample_weights"_a.noconvert() = nb::none(), "precision"_a = "fp32");
  m.def("evaluate", &evaluate, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(),
        "offsets"_a.noconvert(), "regions"_a.noconvert(), nb::kw_only(), "threads"_a, "out"_a.noconvert(),
        "stop"_a = nb::none());
  m.def("evaluate_points", &evaluate_points, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(),
        "coords"_a.noconvert(), "points"_a.noconvert(), "regions"_a.noconvert(), "pair_weights"_a.noconvert(),
        "members"_a.noconvert(), "scale"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "threads"_a,
        "out"_a.noconvert());
  m.def("evaluate_lattice", &evaluate_lattice, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(),
        "coords"_a.noconvert(), "cells"_a.noconvert(), "shares"_a.noconvert(), "lengths"_a, "members"_a.noconvert(),
        "scale"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "threads"_a, "out"_a.noconvert());
  m.def("gradient", &gradient, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(),
        "values"_a.noconvert(), "offsets"_a.noconvert(), "regions"_a.noconvert(), nb::kw_only(),
        "loss_scale"_a.noconvert(), "grad_w"_a.noconvert(), "grad_b"_a.noconvert(), "threads"_a,
        "sample_weights"_a.noconvert() = nb::none(), "precision"_a = "fp32");
  m.def("sincospi", &sincospi, "x"_a.noconvert(), "sine"_a.noconvert(), "cosine"_a.noconvert());
  m.def("exp2", &power_of_two, "x"_a.noconvert(), "out"_a.noconvert());
  m.def("slices", &slices, "net"_a, "samples"_a);
  m.def("encode", &encode, "net"_a, "coords"_a.noconvert(), "out"_a.noconvert());
  m.def("stream", &stream, "key"_a, "count"_a, "position"_a, "length"_a);
  m.def("peak", &peak, "seconds"_a);
  m.def("isa_paths", &isa_paths);
  m.def("bf16", [] { return std::string(bf16_kernel().name); });
  m.def("isa", [] { return std::string(kernel().name); });
}
