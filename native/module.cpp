// The extension module partinr._native: checks what Python passes, then runs the queue without the interpreter lock.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <vector>

#include "arguments.h"
#include "dispatch.h"
#include "evaluation.h"
#include "queue.h"
#include "readout.h"

namespace partinr {
namespace {

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
  using namespace nb::literals;
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
  m.def("solve_readout", &solve_readout, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(),
        "coords"_a.noconvert(), "values"_a.noconvert(), "offsets"_a.noconvert(), nb::kw_only(), "ridge"_a,
        "sample_weights"_a.noconvert() = nb::none(), "threads"_a, "out"_a.noconvert());
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
