#include "between.h"

#include <memory>

#include "dispatch.h"
#include "queue.h"

namespace partinr {
namespace {

// Quarters are made for square tiles of samples, whose planes fit into a core's own cache.
constexpr int64_t tile = 64;

// Planes of a tile with what is around it.
struct Planes {
  int64_t row, plane;
  std::vector<float> numbers;

  Planes(int64_t side, int64_t planes) : row(padded_columns(side)), plane(side * row) {
    // What is read beyond the last column is in the next row, and of the last one behind it.
    numbers.resize(static_cast<size_t>(plane * planes + column_unit + 16));
  }

  static int64_t padded_columns(int64_t columns) { return (columns + column_unit - 1) / column_unit * column_unit; }
};

struct Shape {
  int64_t rows, columns, channels;
};

struct Quarters {
  const Kernel& of;
  std::vector<Convolution> layers;
  Convolution direct;
  int64_t reach;
  Shape shape;
  const float* values;
  float* out;
};

int64_t reach_of(const Convolution& it) { return it.high / 2; }

// One tile of one channel, rows x columns of it at a place.
void make(const Quarters& it, int64_t top, int64_t left, int64_t rows, int64_t columns, int64_t channel, Planes& samples,
          Planes& first, Planes& second) {
  const int64_t channels = it.shape.channels, wide = it.shape.columns + 2 * it.reach;
  for (int64_t y = 0; y < rows + 2 * it.reach; y++) {
    const float* from = it.values + ((top + y) * wide + left) * channels + channel;
    float* to = samples.numbers.data() + y * samples.row;
    for (int64_t x = 0; x < columns + 2 * it.reach; x++) to[x] = from[x * channels];
  }
  const Planes* in = &samples;
  Planes* made = &first;
  int64_t spare = it.reach;
  for (const Convolution& layer : it.layers) {
    const int64_t high = rows + 2 * (spare - reach_of(layer)), across = columns + 2 * (spare - reach_of(layer));
    it.of.convolve(layer, in->numbers.data(), in->row, in->plane, made->numbers.data(), made->row, made->plane, high,
                   Planes::padded_columns(across));
    spare -= reach_of(layer);
    Planes* other = made == &first ? &second : &first;
    in = made;
    made = other;
  }
  const int64_t aside = it.reach - reach_of(it.direct);
  it.of.convolve(it.direct, samples.numbers.data() + aside * samples.row + aside, samples.row, samples.plane,
                 made->numbers.data(), made->row, made->plane, rows, Planes::padded_columns(columns));
  const int64_t out_row = 2 * it.shape.columns * channels;
  for (int64_t y = 0; y < rows; y++) {
    const float* own = samples.numbers.data() + (y + it.reach) * samples.row + it.reach;
    const float* learned = in->numbers.data() + (y + spare) * in->row + spare;
    const float* plain = made->numbers.data() + y * made->row;
    float* upper = it.out + (2 * (top + y)) * out_row + 2 * left * channels + channel;
    float* lower = upper + out_row;
    for (int64_t x = 0; x < columns; x++) {
      const float across = learned[x] + plain[x];
      const float down = learned[x + in->plane] + plain[x + made->plane];
      const float both = learned[x + 2 * in->plane] + plain[x + 2 * made->plane];
      upper[2 * x * channels] = own[x] + across + down + both;
      upper[(2 * x + 1) * channels] = own[x] - across + down - both;
      lower[2 * x * channels] = own[x] + across - down - both;
      lower[(2 * x + 1) * channels] = own[x] - across - down + both;
    }
  }
}

Convolution convolution(const Filters& weights, float slope, const char* name) {
  const auto side = [&](int a) { return static_cast<int64_t>(weights.shape(a)); };
  if (side(0) != side(1) || side(0) % 2 != 1 || side(0) > 31) refuse(std::string(name) + " must be square with an odd side");
  if (side(2) < 1 || side(3) < 1 || std::max(side(2), side(3)) > 1024) refuse(std::string(name) + " must have 1 to 1024 planes");
  return {static_cast<int>(side(0)), static_cast<int>(side(1)), static_cast<int>(side(2)), static_cast<int>(side(3)),
          weights.data(), slope};
}

}  // namespace

void halve(const Array<const float, 3>& values, const Filters& direct, const std::vector<Filters>& layers, float slope,
           int threads, const Array<float, 3>& out) {
  check_threads(threads);
  if (layers.empty() || !(slope >= 0 && slope <= 1)) refuse("there must be layers, and a slope of 0 to 1");
  Quarters it{kernel(), {}, convolution(direct, 1, "direct"), 0, {}, values.data(), out.data()};
  int64_t planes = 3, fan_in = 1;
  for (size_t l = 0; l < layers.size(); l++) {
    it.layers.push_back(convolution(layers[l], l + 1 < layers.size() ? slope : 1.0f, "layers"));
    if (it.layers.back().fan_in != fan_in) refuse("each of layers must take what the one before gives");
    fan_in = it.layers.back().fan_out;
    planes = std::max(planes, fan_in);
    it.reach += reach_of(it.layers.back());
  }
  if (fan_in != 3 || it.direct.fan_in != 1 || it.direct.fan_out != 3) refuse("there must be three details");
  it.reach = std::max(it.reach, reach_of(it.direct));
  it.shape = {static_cast<int64_t>(values.shape(0)) - 2 * it.reach, static_cast<int64_t>(values.shape(1)) - 2 * it.reach,
              static_cast<int64_t>(values.shape(2))};
  if (it.shape.rows < 1 || it.shape.columns < 1) refuse("values must have samples on every side of others");
  expect(out, {2 * it.shape.rows, 2 * it.shape.columns, it.shape.channels}, "out");
  const int64_t high = (it.shape.rows + tile - 1) / tile, wide = (it.shape.columns + tile - 1) / tile;
  const int64_t items = high * wide * it.shape.channels, side = tile + 2 * it.reach;
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  run(
      items, std::min<int64_t>(threads, items),
      [&](void*, Team*, int64_t item, const int*) {
        thread_local std::unique_ptr<Planes> samples, first, second;
        thread_local int64_t room = 0;
        if (room != side * planes) {
          samples = std::make_unique<Planes>(side, 1);
          first = std::make_unique<Planes>(side, planes);
          second = std::make_unique<Planes>(side, planes);
          room = side * planes;
        }
        const int64_t channel = item % it.shape.channels, at = item / it.shape.channels;
        const int64_t top = at / wide * tile, left = at % wide * tile;
        make(it, top, left, std::min(tile, it.shape.rows - top), std::min(tile, it.shape.columns - left), channel,
             *samples, *first, *second);
      },
      poll);
}

void spline_coefficients(const Array<float, 3>& values, int threads) {
  check_threads(threads);
  // Of the quartic B-spline at whole numbers: Unser, Aldroubi, Eden, 1993, table I.
  const double root = std::sqrt(664 - std::sqrt(438976.0)), other = std::sqrt(664 + std::sqrt(438976.0));
  const float poles[] = {static_cast<float>(root + std::sqrt(304.0) - 19), static_cast<float>(other - std::sqrt(304.0) - 19)};
  float gain = 1;
  for (const float z : poles) gain *= (1 - z) * (1 - 1 / z);
  const int64_t outer = static_cast<int64_t>(values.shape(0)), n = static_cast<int64_t>(values.shape(1));
  const int64_t inner = static_cast<int64_t>(values.shape(2));
  // Long rows of neighbours are cut, so that there is work for all.
  const int64_t most = 1024, cuts = std::max<int64_t>(1, (inner + most - 1) / most);
  float* const at = values.data();
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  run(
      outer * cuts, std::min<int64_t>(threads, outer * cuts),
      [&](void*, Team*, int64_t item, const int*) {
        const int64_t start = item % cuts * most, count = std::min(most, inner - start);
        float* const line = at + item / cuts * n * inner + start;
        for (int64_t k = 0; k < n; k++)
          for (int64_t i = 0; i < count; i++) line[k * inner + i] *= gain;
        for (const float z : poles) {
          // Values are taken to go on as they end.
          for (int64_t i = 0; i < count; i++) line[i] *= 1 / (1 - z);
          for (int64_t k = 1; k < n; k++) {
            float* c = line + k * inner;
            for (int64_t i = 0; i < count; i++) c[i] += z * c[i - inner];
          }
          float* last = line + (n - 1) * inner;
          for (int64_t i = 0; i < count; i++) last[i] *= z / (z - 1);
          for (int64_t k = n - 1; k-- > 0;) {
            float* c = line + k * inner;
            for (int64_t i = 0; i < count; i++) c[i] = z * (c[i + inner] - c[i]);
          }
        }
      },
      poll);
}

void weighted(const Array<const float, 3>& values, const Array<const int64_t, 1>& first,
              const Array<const float, 2>& weights, int threads, const Array<float, 3>& out) {
  check_threads(threads);
  const int64_t outer = static_cast<int64_t>(values.shape(0)), n = static_cast<int64_t>(values.shape(1));
  const int64_t inner = static_cast<int64_t>(values.shape(2)), size = static_cast<int64_t>(first.shape(0));
  const int64_t taps = static_cast<int64_t>(weights.shape(1));
  expect(weights, {size, taps}, "weights");
  expect(out, {outer, size, inner}, "out");
  for (int64_t j = 0; j < size; j++)
    if (first.data()[j] < 0 || first.data()[j] > n - taps) refuse("first must leave room for all weights");
  const float *const from = values.data(), *const shares = weights.data();
  const int64_t* const places = first.data();
  float* const to = out.data();
  // Some sums of a row at a time.
  const int64_t most = 64, cuts = (size + most - 1) / most;
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  run(
      outer * cuts, std::min<int64_t>(threads, outer * cuts),
      [&](void*, Team*, int64_t item, const int*) {
        const int64_t i = item / cuts, start = item % cuts * most;
        for (int64_t j = start; j < std::min(size, start + most); j++) {
          float* sum = to + (i * size + j) * inner;
          for (int64_t k = 0; k < inner; k++) sum[k] = 0;
          for (int64_t t = 0; t < taps; t++) {
            const float share = shares[j * taps + t];
            const float* value = from + (i * n + places[j] + t) * inner;
            for (int64_t k = 0; k < inner; k++) sum[k] += share * value[k];
          }
        }
      },
      poll);
}

namespace {

// What is to be closed along one axis of a window; the numbers of `deblocking.py`.
struct Closing {
  const float* before;
  float* after;
  int64_t size[3], stride[3];  // of the window
  int64_t channels, axis;
  float jump, flat, taken;
  const uint8_t* activity;  // of each value's box
  int64_t most;             // samples that a jump is spread over
};

// What is known of the jumps of one line of a border.
struct Jumps {
  std::vector<float> own, inner, other, outer;  // values on this side, the nearest first, and beyond
  std::vector<float> parts, taken;
  std::vector<float> each;  // one over the samples that a jump is spread over

  void resize(int64_t count) {
    for (auto* const one : {&own, &inner, &other, &outer, &parts, &taken, &each}) one->resize(static_cast<size_t>(count));
  }
};

// A box's half of the jumps at its end `end`, from which the box goes on to `inwards`.
void close_end(const Closing& it, const int64_t low[3], const int64_t high[3], int64_t length, int64_t end,
               int64_t inwards, Jumps& jumps) {
  const int64_t a = it.axis, size = it.size[a], step = it.stride[a] * inwards;
  const int64_t beyond = end - 2 * inwards, further = end + (length > 1 ? inwards : 0);
  if (end < 0 || end >= size || beyond < 0 || beyond >= size || further < 0 || further >= size) return;
  const int64_t o = a == 0 ? 1 : 0, i = a == 2 ? 1 : 2, there = inwards > 0 ? size - end : end + 1;
  const int64_t inner_step = (further - end) * it.stride[a];
  // Values that follow one another in memory and are as far from the border.
  const int64_t together = i > a ? (high[i] - low[i]) * it.channels : it.channels;
  const int64_t lines = i > a ? 1 : high[i] - low[i];
  jumps.resize(together * lines);
  const float three_lengths = static_cast<float>(3 * length), most = static_cast<float>(it.most);
  for (int64_t y = low[o]; y < high[o]; y++) {
    const int64_t at = y * it.stride[o] + low[i] * it.stride[i] + end * it.stride[a];
    for (int64_t x = 0; x < lines; x++) {
      const float* const from = it.before + at + x * it.stride[i];
      const uint8_t* const lively = it.activity + at + x * it.stride[i];
      for (int64_t k = 0, to = x * together; k < together; k++, to++) {
        jumps.own[to] = from[k];
        jumps.other[to] = from[k - step];
        jumps.inner[to] = from[k + inner_step];
        jumps.outer[to] = from[k - 2 * step];
        jumps.parts[to] = static_cast<float>(6 + 3 * lively[k] + lively[k - step]);
      }
    }
    float furthest = 0;
    for (size_t k = 0; k < jumps.own.size(); k++) {
      const float jump = jumps.own[k] - jumps.other[k];
      const float rough = std::abs(jumps.own[k] - jumps.inner[k]) + std::abs(jumps.other[k] - jumps.outer[k]);
      const float small = 1 - (jump / it.jump) * (jump / it.jump), smooth = 1 - rough / it.flat;
      jumps.taken[k] = it.taken * std::max(small, 0.0f) * std::max(smooth, 0.0f) * jump;
      // Whole numbers this small are divided and rounded down as such.
      const float whole = static_cast<float>(static_cast<int32_t>(three_lengths / jumps.parts[k]));
      const float over = std::min(std::max(whole, 1.0f), most);
      jumps.each[k] = 1 / over;
      furthest = std::max(furthest, over);
    }
    const int64_t far = std::min(static_cast<int64_t>(furthest), there);
    for (int64_t x = 0; x < lines; x++) {
      const float *const each = jumps.each.data() + x * together, *const taken = jumps.taken.data() + x * together;
      for (int64_t s = 0; s < far; s++) {
        float* const to = it.after + at + x * it.stride[i] + s * step;
        for (int64_t k = 0; k < together; k++)
          to[k] -= 0.5f * std::max(1 - (float(s) + 0.5f) * each[k], 0.0f) * taken[k];
      }
    }
  }
}

// Channels of all samples times a matrix, (channels, channels), in place.
void mix(float* values, int64_t samples, int64_t channels, const float* matrix, int threads, const Poll& poll) {
  constexpr int64_t some = 1 << 14;
  const int64_t items = (samples + some - 1) / some;
  run(
      items, std::min<int64_t>(threads, items),
      [&](void*, Team*, int64_t item, const int*) {
        if (channels == 3) {
          const float* m = matrix;
          for (int64_t s = item * some; s < std::min(samples, (item + 1) * some); s++) {
            float* own = values + s * 3;
            const float a = own[0], b = own[1], c = own[2];
            for (int e = 0; e < 3; e++) own[e] = a * m[e] + b * m[3 + e] + c * m[6 + e];
          }
          return;
        }
        std::vector<float> mixed(static_cast<size_t>(channels));
        for (int64_t s = item * some; s < std::min(samples, (item + 1) * some); s++) {
          float* own = values + s * channels;
          for (int64_t e = 0; e < channels; e++) {
            float sum = 0;
            for (int64_t c = 0; c < channels; c++) sum += own[c] * matrix[c * channels + e];
            mixed[static_cast<size_t>(e)] = sum;
          }
          std::copy_n(mixed.data(), channels, own);
        }
      },
      poll);
}

}  // namespace

void deblock(const Array<float, 4>& values, const Array<const int64_t, 3>& boxes, const Array<const uint8_t, 2>& activity,
             const Array<const float, 3>& mixing, const std::vector<int64_t>& first, std::pair<float, float> limits,
             float taken, int64_t most, int threads) {
  check_threads(threads);
  const int64_t dims = static_cast<int64_t>(first.size()), count = static_cast<int64_t>(boxes.shape(0));
  if (dims < 1 || dims > 3 || !(limits.first > 0) || !(limits.second > 0) || most < 1)
    refuse("there must be 1 to 3 axes, and positive limits");
  expect(boxes, {count, 2, dims}, "boxes");
  Closing it{};
  it.channels = static_cast<int64_t>(values.shape(3));
  int64_t total = it.channels;
  for (int a = 2; a >= 0; a--) {
    it.size[a] = static_cast<int64_t>(values.shape(static_cast<size_t>(a)));
    it.stride[a] = total;
    total *= it.size[a];
    if (a < 3 - dims && it.size[a] != 1) refuse("values must have one sample along axes that the signal has not");
  }
  it.jump = limits.first;
  it.flat = limits.second;
  it.taken = taken;
  it.most = most;
  it.after = values.data();
  expect(activity, {count, it.channels}, "activity");
  const bool mixed = mixing.shape(0) > 0;
  if (mixed) expect(mixing, {2, it.channels, it.channels}, "mixing");
  const int64_t* const box_at = boxes.data();
  const auto poll = poller(nb::none());
  const nb::gil_scoped_release unlocked;
  std::vector<float> before(static_cast<size_t>(total));
  it.before = before.data();
  if (mixed) mix(values.data(), total / it.channels, it.channels, mixing.data(), threads, poll);
  constexpr int64_t some = 64;
  const int64_t items = (count + some - 1) / some;
  // Each box's part of the window, with its ends along all axes.
  const auto boxes_do = [&](auto&& work) {
    run(
        items, std::min<int64_t>(threads, items),
        [&](void*, Team*, int64_t item, const int*) {
          for (int64_t b = item * some; b < std::min(count, (item + 1) * some); b++) {
            int64_t low[3] = {0, 0, 0}, high[3] = {1, 1, 1}, start[3] = {0, 0, 0}, stop[3] = {1, 1, 1};
            for (int64_t d = 0; d < dims; d++) {
              const int64_t a = 3 - dims + d;
              start[a] = box_at[(2 * b) * dims + d] - first[static_cast<size_t>(d)];
              stop[a] = box_at[(2 * b + 1) * dims + d] - first[static_cast<size_t>(d)];
              low[a] = std::clamp<int64_t>(start[a], 0, it.size[a]);
              high[a] = std::clamp<int64_t>(stop[a], 0, it.size[a]);
            }
            work(b, low, high, start, stop);
          }
        },
        poll);
  };
  std::vector<uint8_t> lively(static_cast<size_t>(total));
  it.activity = lively.data();
  boxes_do([&](int64_t b, const int64_t* low, const int64_t* high, const int64_t*, const int64_t*) {
    thread_local std::vector<uint8_t> row;
    row.clear();
    const uint8_t* const own = activity.data() + b * it.channels;
    for (int64_t k = low[2]; k < high[2]; k++) row.insert(row.end(), own, own + it.channels);
    for (int64_t i = low[0]; i < high[0]; i++)
      for (int64_t j = low[1]; j < high[1]; j++)
        std::copy(row.begin(), row.end(), lively.data() + i * it.stride[0] + j * it.stride[1] + low[2] * it.stride[2]);
  });
  for (int64_t axis = 2; axis >= 3 - dims; axis--) {
    std::copy_n(values.data(), total, before.data());
    it.axis = axis;
    boxes_do([&](int64_t, const int64_t* low, const int64_t* high, const int64_t* start, const int64_t* stop) {
      thread_local Jumps jumps;
      for (int64_t a = 0; a < 3; a++)
        if (a != axis && low[a] >= high[a]) return;
      const int64_t length = stop[axis] - start[axis];
      close_end(it, low, high, length, start[axis], 1, jumps);
      close_end(it, low, high, length, stop[axis] - 1, -1, jumps);
    });
  }
  if (mixed)
    mix(values.data(), total / it.channels, it.channels, mixing.data() + it.channels * it.channels, threads, poll);
}

}  // namespace partinr
