// The functions of the module that make, code and read spectra.
#include "spectra_module.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "arguments.h"
#include "spectra_search.h"

namespace partinr {
namespace {

using Numbers = Array<int32_t, 1>;
using Weights = std::optional<Array<const float, 1>>;

Layout layout_of(const std::vector<int64_t>& shape, int64_t channels, int64_t root, int64_t least) {
  Layout layout{{1, 1, 1}, static_cast<int32_t>(shape.size()), static_cast<int32_t>(channels), static_cast<int32_t>(root),
                static_cast<int32_t>(least)};
  if (shape.empty() || shape.size() > 3) refuse("shape must have 1 to 3 axes");
  for (size_t a = 0; a < shape.size(); a++) {
    if (shape[a] < 1 || shape[a] > INT32_MAX / 2) refuse("shape must be of 1 to 2^30 samples along each axis");
    layout.shape[3 - shape.size() + a] = static_cast<int32_t>(shape[a]);
  }
  if (root < 1 || root > 1024 || least < 1 || least > root) refuse("root must be 1 to 1024, and least at most root");
  if (channels < 1 || channels > 1 << 20) refuse("channels must be 1 to 2^20");
  return layout;
}

// (boxes, 2, dims): first sample, one past the last.
nb::object boxes_array(const Layout& layout, const std::vector<Box>& boxes) {
  const size_t dims = layout.dims;
  std::vector<int64_t> found;
  found.reserve(boxes.size() * 2 * dims);
  for (const Box& box : boxes)
    for (const int end : {0, 1})
      for (size_t a = 3 - dims; a < 3; a++) found.push_back(box.start[a] + (end ? box.size[a] : 0));
  // NumPy has two types of 64 bits that are equal and not the same; its own name gives the one that others use.
  return nb::cast(to_numpy(std::move(found))).attr("view")("int64").attr("reshape")(boxes.size(), 2, dims);
}

std::vector<Box> boxes_from(const Layout& layout, const Array<const int64_t, 3>& array) {
  const size_t dims = layout.dims;
  expect(array, {static_cast<int64_t>(array.shape(0)), 2, static_cast<int64_t>(dims)}, "boxes");
  std::vector<Box> boxes(array.shape(0));
  for (size_t i = 0; i < boxes.size(); i++)
    for (size_t a = 0; a < 3; a++) {
      boxes[i].start[a] = 0;
      boxes[i].size[a] = 1;
      if (a < 3 - dims) continue;
      const int64_t first = array.data()[(i * 2) * dims + a - (3 - dims)], last = array.data()[(i * 2 + 1) * dims + a - (3 - dims)];
      if (first < 0 || last <= first || last > layout.shape[a]) refuse("boxes must lie inside the signal");
      boxes[i].start[a] = static_cast<int32_t>(first);
      boxes[i].size[a] = static_cast<int32_t>(last - first);
    }
  return boxes;
}

int64_t samples_of(const std::vector<Box>& boxes) {
  int64_t sum = 0;
  for (const Box& box : boxes) sum += box.samples();
  return sum;
}

nb::tuple search_spectra(const Array<const float, 2>& values, const std::vector<int64_t>& shape,
                         const Array<const float, 2>& mixing, double step, double lambda, int64_t root, int64_t least,
                         const std::vector<int64_t>& roots, const Weights& weights, int threads, int64_t first) {
  check_threads(threads);
  const int64_t channels = static_cast<int64_t>(values.shape(1)), given = static_cast<int64_t>(values.shape(0));
  const Layout layout = layout_of(shape, channels, root, least);
  const int64_t all = int64_t{layout.shape[0]} * layout.shape[1] * layout.shape[2];
  if (first < 0 || first > all - given) refuse("values must be of samples of the signal");
  expect(mixing, {channels, channels}, "mixing");
  if (weights) expect(*weights, {all}, "weights");
  if (!(step > 0) || !(lambda >= 0)) refuse("step must be positive and lambda not negative");
  const Place count = layout.roots();
  int64_t samples = 0;
  for (const int64_t r : roots) {
    if (r < 0 || r >= int64_t{count[0]} * count[1] * count[2]) refuse("roots must be those of the signal");
    const Box box = layout.root_box(r);
    int64_t last = 0, from = 0;
    for (int a = 0; a < 3; a++) {
      from = from * layout.shape[a] + box.start[a];
      last = last * layout.shape[a] + box.start[a] + box.size[a] - 1;
    }
    if (from < first || last >= first + given) refuse("values must have the samples of the roots");
    samples += box.samples();
  }
  std::vector<float> spectra(samples * channels);
  std::vector<int32_t> chosen(samples * channels);
  std::vector<RootResult> results;
  const auto poll = poller(nb::none());
  {
    const nb::gil_scoped_release unlocked;
    results = search(layout, roots, {values.data(), mixing.data(), weights ? weights->data() : nullptr, first},
                     {static_cast<float>(1 / step), static_cast<float>(lambda)}, threads, poll, spectra.data(),
                     chosen.data());
  }
  std::vector<uint8_t> splits;
  std::vector<Box> boxes;
  std::vector<float> counting;
  double distortion = 0, bits = 0;
  for (const RootResult& result : results) {
    splits.insert(splits.end(), result.splits.begin(), result.splits.end());
    boxes.insert(boxes.end(), result.boxes.begin(), result.boxes.end());
    counting.insert(counting.end(), result.weights.begin(), result.weights.end());
    distortion += result.distortion;
    bits += result.bits;
  }
  return nb::make_tuple(to_numpy(std::move(splits)), boxes_array(layout, boxes), to_numpy(std::move(spectra)),
                        to_numpy(std::move(chosen)), distortion, bits, to_numpy(std::move(counting)));
}

nb::tuple choose_spectra(const Array<const int64_t, 3>& boxes, const Array<const float, 1>& spectra,
                      const std::vector<int64_t>& shape, int64_t channels, double step, double lambda,
                      const Weights& weights, int threads, const Numbers& out) {
  check_threads(threads);
  const Layout layout = layout_of(shape, channels, 1024, 1);
  const std::vector<Box> all = boxes_from(layout, boxes);
  expect(spectra, {samples_of(all) * channels}, "spectra");
  expect(out, {samples_of(all) * channels}, "out");
  if (weights) expect(*weights, {static_cast<int64_t>(all.size())}, "weights");
  const auto poll = poller(nb::none());
  std::array<double, 2> found;
  {
    const nb::gil_scoped_release unlocked;
    found = choose_again(layout, all, spectra.data(), weights ? weights->data() : nullptr,
                         {static_cast<float>(1 / step), static_cast<float>(lambda)}, threads, poll, out.data());
  }
  return nb::make_tuple(found[0], found[1]);
}

bool any_of(const int32_t* row, int64_t count) {
  int32_t bits = 0;
  for (int64_t k = 0; k < count; k++) bits |= row[k];
  return bits != 0;
}

// Of each box: one more than the greatest frequency along any axis of a coefficient that is not 0, and of each channel
// the sum of the coefficients' magnitudes, but for the first one's.
nb::tuple measure_spectra(const Array<const int64_t, 3>& boxes, const Array<const int32_t, 1>& coefficients,
                          const std::vector<int64_t>& shape, int64_t channels) {
  const Layout layout = layout_of(shape, channels, 1024, 1);
  const std::vector<Box> all = boxes_from(layout, boxes);
  expect(coefficients, {samples_of(all) * channels}, "coefficients");
  std::vector<int32_t> reach(all.size());
  std::vector<int64_t> activity(all.size() * static_cast<size_t>(channels));
  const int32_t* q = coefficients.data();
  {
    const nb::gil_scoped_release unlocked;
    for (size_t b = 0; b < all.size(); b++) {
      const Box& box = all[b];
      int32_t greatest = 0;
      for (int64_t c = 0; c < channels; c++) {
        int64_t sum = -std::abs(int64_t{*q});
        for (int32_t i = 0; i < box.size[0]; i++)
          for (int32_t j = 0; j < box.size[1]; j++, q += box.size[2]) {
            if (!any_of(q, box.size[2])) continue;
            int32_t last = 0;
            for (int32_t k = 0; k < box.size[2]; k++) {
              sum += std::abs(int64_t{q[k]});
              if (q[k]) last = k;
            }
            greatest = std::max({greatest, i, j, last});
          }
        activity[b * static_cast<size_t>(channels) + static_cast<size_t>(c)] = sum;
      }
      reach[b] = greatest + 1;
    }
  }
  return nb::make_tuple(to_numpy(std::move(reach)),
                        nb::cast(to_numpy(std::move(activity))).attr("view")("int64").attr("reshape")(all.size(), channels));
}

// The output layers of networks of cosines that are these spectra: value of a coefficient q in channel d
// sum over c of mixing(c, d) (q_c step), times sqrt((k ? 2 : 1) / n) along each axis.
void spectra_to_cosines(const Array<const int64_t, 3>& boxes, const Array<const int32_t, 1>& coefficients,
                        const std::vector<int64_t>& shape, double step, const Array<const float, 2>& mixing,
                        const Array<const int64_t, 1>& slots, int64_t frequencies, int threads,
                        const Array<float, 3>& weights, const Array<float, 2>& biases) {
  check_threads(threads);
  const int64_t channels = static_cast<int64_t>(mixing.shape(0));
  const Layout layout = layout_of(shape, channels, 1024, 1);
  const std::vector<Box> all = boxes_from(layout, boxes);
  const int64_t count = static_cast<int64_t>(all.size()), members = static_cast<int64_t>(biases.shape(0));
  expect(coefficients, {samples_of(all) * channels}, "coefficients");
  expect(mixing, {channels, channels}, "mixing");
  expect(slots, {count}, "slots");
  int64_t features = 1;
  for (int a = 0; a < layout.dims; a++) features *= frequencies;
  expect(weights, {members, features - 1, channels}, "weights");
  expect(biases, {members, channels}, "biases");
  for (int64_t i = 0; i < count; i++)
    if (slots.data()[i] >= members) refuse("slots must be below " + std::to_string(members));
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  std::vector<int64_t> at{0};
  for (const Box& box : all) at.push_back(at.back() + box.samples() * channels);
  each((count + 63) / 64, threads, poll, [&](int64_t piece) {
    for (int64_t r = piece * 64; r < std::min(count, piece * 64 + 64); r++) {
      const int64_t slot = slots.data()[r];
      if (slot < 0) continue;
      const Box& box = all[r];
      const int64_t samples = box.samples();
      double scales[3][2];  // sqrt((k ? 2 : 1) / n) along each axis
      int64_t count[3];
      for (int a = 0; a < 3; a++) {
        for (int k = 0; k < 2; k++) scales[a][k] = std::sqrt((k ? 2.0 : 1.0) / box.size[a]);
        count[a] = std::min<int64_t>(box.size[a], frequencies);
      }
      for (int64_t i = 0; i < count[0]; i++)
        for (int64_t j = 0; j < count[1]; j++) {
          const int32_t* const row = coefficients.data() + at[r] + (i * box.size[1] + j) * box.size[2];
          bool any = false;
          for (int64_t c = 0; c < channels; c++) any = any || any_of(row + c * samples, count[2]);
          if (!any) continue;
          const double scale = scales[0][i > 0] * scales[1][j > 0];
          const int64_t first = (i * (layout.dims > 1 ? frequencies : 1) + j) * frequencies;
          for (int64_t k = 0; k < count[2]; k++) {
            int32_t bits = 0;
            for (int64_t c = 0; c < channels; c++) bits |= row[c * samples + k];
            if (!bits) continue;
            const int64_t feature = first + k;
            float* out = feature ? weights.data() + (slot * (features - 1) + feature - 1) * channels
                                 : biases.data() + slot * channels;
            for (int64_t d = 0; d < channels; d++) {
              double sum = 0;
              for (int64_t c = 0; c < channels; c++)
                sum += double{mixing.data()[c * channels + d]} * (row[c * samples + k] * step);
              out[d] = static_cast<float>(sum * (scale * scales[2][k > 0]));
            }
          }
        }
    }
  });
}

// Splits of a root from `splits` on, and its coefficients: how many there are of each.
struct Counter {
  const Layout& layout;
  const Array<const uint8_t, 1>& splits;
  size_t next = 0;

  void walk(const Box& box) {
    if (!layout.splits(box)) return;
    if (next == splits.shape(0)) refuse("splits are too few for this shape");
    if (splits.data()[next++]) layout.halve(box, [&](const Box& part) { walk(part); });
  }
};

nb::list encode_spectra(const Array<const uint8_t, 1>& splits, const Array<const int32_t, 1>& coefficients,
                        const std::vector<int64_t>& shape, int64_t channels, int64_t root, int64_t least, int threads) {
  check_threads(threads);
  const Layout layout = layout_of(shape, channels, root, least);
  expect(coefficients, {int64_t{layout.shape[0]} * layout.shape[1] * layout.shape[2] * channels}, "coefficients");
  const auto slices = layout.slices();
  std::vector<std::vector<uint8_t>> bytes(slices.size());
  const auto poll = poller(nb::none());
  {
    const nb::gil_scoped_release unlocked;
    std::vector<size_t> split_at;
    std::vector<int64_t> number_at;
    Counter counter{layout, splits};
    int64_t numbers = 0;
    for (const auto& [first, last] : slices) {
      split_at.push_back(counter.next);
      number_at.push_back(numbers);
      for (int64_t i = first; i < last; i++) {
        const Box box = layout.root_box(i);
        counter.walk(box);
        numbers += box.samples() * channels;
      }
    }
    if (counter.next != splits.shape(0)) refuse("splits are too many for this shape");
    each(static_cast<int64_t>(slices.size()), threads, poll, [&](int64_t i) {
      bytes[i] = encode_slice(layout, slices[i][0], slices[i][1], splits.data() + split_at[i],
                              coefficients.data() + number_at[i]);
    });
  }
  nb::list found;
  for (const auto& slice : bytes) found.append(nb::bytes(slice.data(), slice.size()));
  return found;
}

nb::tuple decode_spectra(const std::vector<nb::bytes>& bytes, const std::vector<int64_t>& shape, int64_t channels,
                         int64_t root, int64_t least, int threads) {
  check_threads(threads);
  const Layout layout = layout_of(shape, channels, root, least);
  const auto slices = layout.slices();
  if (bytes.size() != slices.size())
    refuse("there must be " + std::to_string(slices.size()) + " slices, got " + std::to_string(bytes.size()));
  std::vector<std::pair<const uint8_t*, size_t>> parts;
  for (const nb::bytes& part : bytes) parts.emplace_back(reinterpret_cast<const uint8_t*>(part.c_str()), part.size());
  std::vector<Spectra> found(slices.size());
  const auto poll = poller(nb::none());
  {
    const nb::gil_scoped_release unlocked;
    each(static_cast<int64_t>(slices.size()), threads, poll, [&](int64_t i) {
      found[i] = decode_slice(layout, slices[i][0], slices[i][1], parts[i].first, parts[i].second);
    });
  }
  Spectra all = std::move(found[0]);
  for (size_t i = 1; i < found.size(); i++) {
    all.splits.insert(all.splits.end(), found[i].splits.begin(), found[i].splits.end());
    all.boxes.insert(all.boxes.end(), found[i].boxes.begin(), found[i].boxes.end());
    all.coefficients.insert(all.coefficients.end(), found[i].coefficients.begin(), found[i].coefficients.end());
    found[i] = {};
  }
  return nb::make_tuple(to_numpy(std::move(all.splits)), boxes_array(layout, all.boxes),
                        to_numpy(std::move(all.coefficients)));
}

}  // namespace

void bind_spectra(nb::module_& m) {
  using namespace nb::literals;
  m.def("search_spectra", &search_spectra, "values"_a.noconvert(), nb::kw_only(), "shape"_a, "mixing"_a.noconvert(),
        "step"_a, "lambda_"_a, "root"_a, "least"_a, "roots"_a, "weights"_a.noconvert() = nb::none(), "threads"_a, "first"_a = 0);
  m.def("choose_spectra", &choose_spectra, "boxes"_a.noconvert(), "spectra"_a.noconvert(), nb::kw_only(), "shape"_a,
        "channels"_a, "step"_a, "lambda_"_a, "weights"_a.noconvert() = nb::none(), "threads"_a, "out"_a.noconvert());
  m.def("measure_spectra", &measure_spectra, "boxes"_a.noconvert(), "coefficients"_a.noconvert(), nb::kw_only(),
        "shape"_a, "channels"_a);
  m.def("spectra_to_cosines", &spectra_to_cosines, "boxes"_a.noconvert(), "coefficients"_a.noconvert(), nb::kw_only(),
        "shape"_a, "step"_a, "mixing"_a.noconvert(), "slots"_a.noconvert(), "frequencies"_a, "threads"_a,
        "weights"_a.noconvert(), "biases"_a.noconvert());
  m.def("encode_spectra", &encode_spectra, "splits"_a.noconvert(), "coefficients"_a.noconvert(), nb::kw_only(), "shape"_a,
        "channels"_a, "root"_a, "least"_a, "threads"_a);
  m.def("decode_spectra", &decode_spectra, "slices"_a, nb::kw_only(), "shape"_a, "channels"_a, "root"_a, "least"_a,
        "threads"_a);
}

}  // namespace partinr
