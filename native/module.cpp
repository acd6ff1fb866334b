// The extension module partinr._native: checks what Python passes, then runs the queue without the interpreter lock.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <vector>

#include "spectra_module.h"
#include "arguments.h"
#include "coding.h"
#include "cosine.h"
#include "dispatch.h"
#include "evaluation.h"
#include "between.h"
#include "exchange.h"
#include "nodes.h"
#include "perceptrons.h"
#include "queue.h"
#include "readout.h"
#include "training.h"

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

auto gradient(const NetSpec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
              const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets,
              const Array<const int64_t, 1>& regions, const Array<const double, 1>& loss_scale,
              const Matrices& grad_w, const Rows& grad_b, int threads,
              const std::optional<Array<const float, 1>>& sample_weights, const std::string& precision) {
  const int64_t count = regions_of(biases);
  const LayerShapes shapes = net.layer_shapes();
  const Stack parameters(shapes, weights, biases, count, "parameters"), to(shapes, grad_w, grad_b, count, "gradients");
  Packed packed(net.dims, net.channels, coords, offsets, count);
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

// The functions that there are for every kind of network, for one of them.
template <class Spec, class Regions>
void define(nb::module_& m) {
  using namespace nb::literals;
  m.def(
      "evaluate",
      [](const Spec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
         const Array<const int64_t, 1>& offsets, const Array<const int64_t, 1>& regions, int threads,
         const Array<float, 2>& out, const nb::object& stop) {
        evaluate(Regions(net, weights, biases), coords, offsets, regions, threads, out, stop);
      },
      "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(), "offsets"_a.noconvert(),
      "regions"_a.noconvert(), nb::kw_only(), "threads"_a, "out"_a.noconvert(), "stop"_a = nb::none());
  m.def(
      "evaluate_points",
      [](const Spec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
         const Array<const int64_t, 1>& points, const Array<const int64_t, 1>& regions,
         const Array<const float, 1>& pair_weights, const Array<const int64_t, 1>& members,
         const Array<const float, 2>& scale, const Array<const float, 2>& shift, int threads,
         const Array<float, 2>& out, int order, const std::vector<int>& axes,
         const std::optional<Array<const float, 2>>& slopes) {
        evaluate_points(Regions(net, weights, biases), coords, points, regions, pair_weights, slopes, members, scale,
                        shift, derivative(order, axes, net.dims), threads, out);
      },
      "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(), "points"_a.noconvert(),
      "regions"_a.noconvert(), "pair_weights"_a.noconvert(), "members"_a.noconvert(), "scale"_a.noconvert(),
      "shift"_a.noconvert(), nb::kw_only(), "threads"_a, "out"_a.noconvert(), "order"_a = 0,
      "axes"_a = std::vector<int>(), "slopes"_a.noconvert() = nb::none());
  m.def(
      "evaluate_lattice",
      [](const Spec& net, const Matrices& weights, const Rows& biases, const std::vector<Array<const double, 1>>& coords,
         const std::vector<Array<const int64_t, 1>>& entries, const std::vector<Array<const int64_t, 1>>& places,
         const std::vector<Array<const float, 1>>& shares, const std::vector<Array<const int64_t, 1>>& offsets,
         const Array<const int64_t, 2>& spans, const std::vector<int64_t>& sizes,
         const Array<const int64_t, 1>& members, const Array<const double, 2>& scale,
         const Array<const double, 2>& shift, bool exact, int threads, const Array<float, 2>& out, int order,
         const std::vector<int>& axes, const std::vector<Array<const float, 1>>& slopes) {
        evaluate_lattice(Regions(net, weights, biases), coords, entries, places, shares, slopes, offsets, spans, sizes,
                         members, scale, shift, exact, derivative(order, axes, net.dims), threads, out);
      },
      "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(), "entries"_a.noconvert(),
      "places"_a.noconvert(), "shares"_a.noconvert(), "offsets"_a.noconvert(), "spans"_a.noconvert(), "sizes"_a,
      "members"_a.noconvert(), "scale"_a.noconvert(), "shift"_a.noconvert(), nb::kw_only(), "exact"_a, "threads"_a,
      "out"_a.noconvert(), "order"_a = 0, "axes"_a = std::vector<int>(),
      "slopes"_a.noconvert() = std::vector<Array<const float, 1>>());
  m.def(
      "solve_readout",
      [](const Spec& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
         const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
         const std::optional<Array<const float, 1>>& sample_weights,
         const std::optional<Array<const int64_t, 2>>& extents, int threads, const Array<float, 3>& out) {
        solve_readout(net, weights, biases, coords, values, offsets, ridge, sample_weights, extents, threads, out);
      },
      "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(), "values"_a.noconvert(),
      "offsets"_a.noconvert(), nb::kw_only(), "ridge"_a, "sample_weights"_a.noconvert() = nb::none(),
      "extents"_a.noconvert() = nb::none(), "threads"_a, "out"_a.noconvert());
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
  nb::class_<Cosines>(m, "Cosines")
      .def(nb::init<int, int, int>(), nb::kw_only(), "dims"_a, "channels"_a, "frequencies"_a)
      .def("layer_shapes", &Cosines::layer_shapes);
  nb::class_<Job>(m, "Job")
      .def(nb::init<const NetSpec&, const Matrices&, const Rows&, const Matrices&, const Rows&, const Matrices&,
                    const Rows&, const Array<const float, 2>&, const Array<const float, 2>&,
                    const Array<const int64_t, 1>&, const Array<const int64_t, 1>&, const Array<const uint64_t, 1>&,
                    int64_t, const Array<const float, 1>&, int64_t, double, double, double,
                    const Array<const double, 1>&, const Array<float, 2>&,
                    const std::optional<Array<const float, 1>>&>(),
           "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "m_w"_a.noconvert(), "m_b"_a.noconvert(),
           "v_w"_a.noconvert(), "v_b"_a.noconvert(), "coords"_a.noconvert(), "values"_a.noconvert(),
           "offsets"_a.noconvert(), "regions"_a.noconvert(), "region_keys"_a.noconvert(), nb::kw_only(),
           "first_step"_a, "learning_rates"_a.noconvert(), "batch"_a, "beta1"_a, "beta2"_a, "eps"_a,
           "loss_scale"_a.noconvert(), "losses"_a.noconvert(), "sample_weights"_a.noconvert() = nb::none());
  m.def("train", &train, "jobs"_a, nb::kw_only(), "threads"_a, "stop"_a = nb::none(), "precision"_a = "fp32");
  define<NetSpec, Perceptrons>(m);
  define<Cosines, CosineRegions>(m);
  m.def("mean_nodes", &mean_nodes, "samples"_a, "width"_a, "spans"_a.noconvert(), "pitches"_a.noconvert(),
        "edges"_a.noconvert());
  m.def("gradient", &gradient, "net"_a, "weights"_a.noconvert(), "biases"_a.noconvert(), "coords"_a.noconvert(),
        "values"_a.noconvert(), "offsets"_a.noconvert(), "regions"_a.noconvert(), nb::kw_only(),
        "loss_scale"_a.noconvert(), "grad_w"_a.noconvert(), "grad_b"_a.noconvert(), "threads"_a,
        "sample_weights"_a.noconvert() = nb::none(), "precision"_a = "fp32");
  m.def("exchange", &exchange, "found"_a.noconvert(), "weights"_a.noconvert(), "points"_a.noconvert(),
        "offsets"_a.noconvert(), "order"_a.noconvert(), "truth"_a.noconvert(), "rows"_a.noconvert(),
        "values"_a.noconvert(), nb::kw_only(), "threads"_a);
  m.def("deblock", &deblock, "values"_a.noconvert(), "boxes"_a.noconvert(), "activity"_a.noconvert(),
        "mixing"_a.noconvert(), "first"_a, nb::kw_only(), "limits"_a, "taken"_a, "most"_a, "threads"_a);
  m.def("halve", &halve, "values"_a.noconvert(), "direct"_a.noconvert(), "layers"_a.noconvert(), "slope"_a,
        nb::kw_only(), "threads"_a, "out"_a.noconvert());
  m.def("spline_coefficients", &spline_coefficients, "values"_a.noconvert(), nb::kw_only(), "threads"_a);
  m.def("weighted", &weighted, "values"_a.noconvert(), "first"_a.noconvert(), "weights"_a.noconvert(), nb::kw_only(),
        "threads"_a, "out"_a.noconvert());
  nb::class_<IntegerWriter>(m, "IntegerWriter")
      .def(nb::init<>())
      .def("write", &IntegerWriter::write, "values"_a.noconvert(), "classes"_a.noconvert())
      .def("finish", &IntegerWriter::finish);
  nb::class_<IntegerReader>(m, "IntegerReader")
      .def(nb::init<const nb::bytes&>(), "payload"_a)
      .def("read", &IntegerReader::read, "classes"_a.noconvert(), "out"_a.noconvert())
      .def("finished", &IntegerReader::finished);
  m.def("sincospi", &sincospi, "x"_a.noconvert(), "sine"_a.noconvert(), "cosine"_a.noconvert());
  m.def("exp2", &power_of_two, "x"_a.noconvert(), "out"_a.noconvert());
  m.def("slices", &slices, "net"_a, "samples"_a);
  m.def("encode", &encode, "net"_a, "coords"_a.noconvert(), "out"_a.noconvert());
  m.def("stream", &stream, "key"_a, "count"_a, "position"_a, "length"_a);
  m.def("peak", &peak, "seconds"_a);
  m.def("isa_paths", &isa_paths);
  m.def("bf16", [] { return std::string(bf16_kernel().name); });
  bind_spectra(m);
  m.def("isa", [] { return std::string(kernel().name); });
}
