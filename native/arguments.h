// What Python passes to the functions of the module, checked.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernel.h"

namespace partinr {

namespace nb = nanobind;

template <class T, int dims>
using Array = nb::ndarray<T, nb::ndim<dims>, nb::c_contig, nb::device::cpu>;
using Matrices = std::vector<Array<float, 3>>;
using Rows = std::vector<Array<float, 2>>;

[[noreturn]] inline void refuse(const std::string& what) { throw std::invalid_argument(what); }

inline std::string shape_text(const std::vector<int64_t>& shape) {
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

// (fan_in, fan_out) of each layer as stored.
using LayerShapes = std::vector<std::tuple<int, int>>;

// (fan_in, fan_out) of each layer as stored.
using LayerShapes = std::vector<std::tuple<int, int>>;

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

  LayerShapes layer_shapes() const {
    const int parts = network.kind == Kind::wire ? 2 : 1;
    LayerShapes shapes{{network.features, hidden}};
    for (int l = 0; l < layers; l++) shapes.emplace_back(hidden, parts * hidden);
    shapes.emplace_back(hidden, parts * channels);
    return shapes;
  }
};

// Pointers to stacked parameters whose shapes have been checked.
struct Stack {
  std::vector<float*> weights, biases;

  Stack(const LayerShapes& shapes, const Matrices& w, const Rows& b, int64_t regions, const char* name) {
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

inline int64_t regions_of(const Rows& biases) {
  if (biases.empty()) refuse("biases must have one array for each layer, got none");
  return static_cast<int64_t>(biases[0].shape(0));
}

// The samples of all regions, checked.
struct Packed {
  int64_t dims, channels;
  const float *coords, *values = nullptr, *importance = nullptr;
  const int64_t* offsets;
  int64_t regions, samples;

  Packed(int64_t dims_, int64_t channels_, const Array<const float, 2>& coords_,
         const Array<const int64_t, 1>& offsets_, int64_t regions_)
      : dims(dims_), channels(channels_), coords(coords_.data()), offsets(offsets_.data()), regions(regions_),
        samples(static_cast<int64_t>(coords_.shape(0))) {
    expect(coords_, {samples, dims}, "coords");
    expect(offsets_, {regions + 1}, "offsets");
    if (offsets[0] < 0 || offsets[regions] > samples || !std::is_sorted(offsets, offsets + regions + 1))
      refuse("offsets must rise from 0 or more to at most the number of samples, " + std::to_string(samples));
    for (int64_t r = 0; r < regions; r++)
      if (offsets[r + 1] - offsets[r] > INT32_MAX) refuse("a region must have fewer than 2^31 samples");
  }

  void with_values(const Array<const float, 2>& array) {
    expect(array, {samples, channels}, "values");
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
    it.coords = coords + start * dims;
    it.values = values ? values + start * channels : nullptr;
    it.importance = importance ? importance + start : nullptr;
    return it;
  }
};

inline void check_regions(const Array<const int64_t, 1>& regions, int64_t count) {
  std::vector<bool> seen(static_cast<size_t>(count));
  for (size_t i = 0; i < regions.shape(0); i++) {
    const int64_t r = regions(i);
    if (r < 0 || r >= count)
      refuse("regions must be indices below " + std::to_string(count) + ", got " + std::to_string(r));
    if (seen[static_cast<size_t>(r)]) refuse("regions must differ, got " + std::to_string(r) + " twice");
    seen[static_cast<size_t>(r)] = true;
  }
}

inline void check_threads(int threads) {
  if (threads < 1) refuse("threads must be at least 1, got " + std::to_string(threads));
}

// Asks Python whether to stop; raises what a signal handler or the callable raised.
inline std::function<bool()> poller(const nb::object& stop) {
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

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> to_numpy(std::vector<T> values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

// Most samples first, so that no thread is left with a large region at the end.
inline std::vector<int64_t> by_size(const Packed& packed, const Array<const int64_t, 1>& regions) {
  std::vector<int64_t> order(regions.shape(0));
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto size = [&](int64_t i) {
    const int64_t r = regions.data()[i];
    return packed.offsets[r + 1] - packed.offsets[r];
  };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return size(a) > size(b); });
  return order;
}

}  // namespace partinr
