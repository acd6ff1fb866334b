// How the numbers of a tree's boxes become bits: in which order, and what each bit is expected from. One template for
// both ways. docs/format.md, "Coded cosines", states it; tests/inr_reader.py follows that page.
#pragma once
#include <cmath>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

#include "mixing.h"
#include "spectra.h"

namespace partinr {

// About three classes an octave: 0 to 5 themselves, then coarser and coarser.
constexpr int levels = 24;
inline int level(int64_t value) {
  static const std::array<uint8_t, 512> table = [] {
    std::array<uint8_t, 512> found{};
    for (int i = 0; i < 512; i++)
      found[i] = static_cast<uint8_t>(i < 6 ? i : std::min(levels - 1, static_cast<int>(5.5 + 3 * std::log2(i / 5.5))));
    return found;
  }();
  return table[static_cast<size_t>(std::min<int64_t>(value, 511))];
}

// Rounded down; C++ and others differ on negative numbers.
inline int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by < 0);
}

inline int32_t bit_length(uint64_t value) {
  int32_t length = 0;
  while (value >> length) length++;
  return length;
}

// Cosines of an axis of n samples in 2^-14: sqrt((k ? 2 : 1) / n) cos(pi k (x + 1/2) / n).
struct WholeCosines {
  int32_t n;
  std::vector<int32_t> at;      // (n, n): frequency, sample
  std::vector<int32_t> beyond;  // (n,): half way to the sample after the last, by its last two

  explicit WholeCosines(int32_t samples) : n(samples), at(size_t(n) * n), beyond(n) {
    for (int32_t k = 0; k < n; k++) {
      const double scale = 16384 * std::sqrt((k ? 2.0 : 1.0) / n);
      const auto exact = [&](int32_t x) { return scale * std::cos(3.14159265358979323846 * k * (2 * x + 1) / (2.0 * n)); };
      for (int32_t x = 0; x < n; x++) at[size_t(k) * n + x] = static_cast<int32_t>(std::lrint(exact(x)));
      const int32_t last = at[size_t(k) * n + n - 1], before = n > 1 ? at[size_t(k) * n + n - 2] : last;
      beyond[k] = last + ((last - before) >> 1);
    }
  }

  static const WholeCosines& of(int32_t samples) {
    static std::mutex mutex;
    static std::map<int32_t, std::unique_ptr<WholeCosines>> made;
    const std::lock_guard<std::mutex> lock(mutex);
    auto& found = made[samples];
    if (!found) found = std::make_unique<WholeCosines>(samples);
    return *found;
  }
};

// What a box leaves for those that are coded after it.
struct Trace {
  int32_t depth;
  std::vector<int32_t> bands;                   // (channels, bands): mean size in 16ths of the coefficients of a band
  std::vector<int32_t> reach;                   // (channels,): how far coefficients reach, in 64ths of the greatest
  std::vector<std::array<int32_t, 2>> agreement;  // (channels,): of signs with those of two other channels
};

template <class Port>
class SpectraModel {
 public:
  SpectraModel(const Layout& layout, const Place& start, Port& port)
      : layout_(layout), start_(start), port_(port), bits_(port, plain_size, mixed_size, sets), first_axis_(3 - layout.dims),
        bands_(layout.dims == 1 ? 40 : layout.dims == 2 ? 49 : 125) {
    for (int a = first_axis_; a < 3; a++) {
      const size_t face = face_size(layout.shape, a);
      owner_[a].assign(face, -1);
      edge_[a].assign(face * layout.channels, 0);
    }
  }

  // A tree's splits and boxes from its root down. Calls own(box) for each box; that gives its coefficients.
  template <class Own>
  void tree(const Box& box, const uint8_t*& splits, std::vector<uint8_t>* found, Own& own) {
    if (layout_.splits(box)) {
      int smaller = 0;
      for (int a = first_axis_; a < 3; a++) {
        const int32_t before = owner_[a][face_index(box.start, a)];
        if (box.start[a] > start_[a] && before >= 0 && traces_[before].depth > box.depth) smaller++;
      }
      const int split = bits_.plain(splits ? *splits++ : 0, std::min(box.depth, 15) * 4 + smaller);
      if (found) found->push_back(static_cast<uint8_t>(split));
      if (split) {
        layout_.halve(box, [&](const Box& part) { tree(part, splits, found, own); });
        return;
      }
    }
    leaf(box, own(box));
  }

 private:
  static constexpr int32_t reach_at = 64, mean_at = 12352, escape_at = 14656, plain_size = 14848;
  static constexpr int32_t sign_at = 32768, mixed_size = 36864, sets = 192;
  static constexpr int most_unary = 14;

  static size_t face_size(const Place& size, int axis) {
    return size_t(size[axis == 0 ? 1 : 0]) * size[axis == 2 ? 1 : 2];
  }

  size_t face_index(const Place& at, int axis) const {
    return size_t(at[axis == 0 ? 1 : 0]) * layout_.shape[axis == 2 ? 1 : 2] + at[axis == 2 ? 1 : 2];
  }

  // Class of a frequency along an axis of n samples: octaves, quarters of them where there is one axis alone.
  int32_t band(int32_t k, int32_t n) const {
    if (k == 0) return 0;
    if (layout_.dims == 1) {
      const uint64_t of = k * uint64_t{1024} / n;
      const int32_t octave = bit_length(of) - 1;
      return std::min<int32_t>(39, 1 + 4 * octave + static_cast<int32_t>((of << 2 >> octave) & 3));
    }
    const uint64_t of = k * uint64_t{layout_.dims == 2 ? 64u : 16u} / n;
    return std::clamp(bit_length(of), 1, layout_.dims == 2 ? 6 : 4);
  }

  int32_t band_index(const Place& k) const {
    const int32_t along = layout_.dims == 2 ? 7 : 5;
    return (band_of_[0][k[0]] * along + band_of_[1][k[1]]) * along + band_of_[2][k[2]];
  }

  // What the boxes that touch this one from before say of a channel, by the length of the common border.
  struct Expected {
    int64_t weight = 0;
    std::vector<int64_t> bands, reach, agreement;
  };

  Expected expected(const Box& box) {
    near_.clear();
    for (int a = first_axis_; a < 3; a++) {
      if (box.start[a] == start_[a]) continue;
      const int b = a == 0 ? 1 : 0, c = a == 2 ? 1 : 2;
      for (int32_t i = 0; i < box.size[b]; i++) {
        Place at = box.start;
        at[b] += i;
        const int32_t* row = &owner_[a][face_index(at, a)];
        for (int32_t j = 0; j < box.size[c];) {
          int32_t next = j + 1;
          while (next < box.size[c] && row[next] == row[j]) next++;
          auto known = std::find_if(near_.begin(), near_.end(), [&](const auto& n) { return n[0] == row[j]; });
          if (known == near_.end()) known = near_.insert(near_.end(), {row[j], 0});
          (*known)[1] += next - j;
          j = next;
        }
      }
    }
    Expected found;
    const size_t channels = layout_.channels;
    found.bands.assign(channels * bands_, 0);
    found.reach.assign(channels, 0);
    found.agreement.assign(channels * 2, 0);
    for (const auto& [id, weight] : near_) {
      const Trace& trace = traces_[id];
      found.weight += weight;
      for (size_t i = 0; i < found.bands.size(); i++) found.bands[i] += int64_t{weight} * trace.bands[i];
      for (size_t c = 0; c < channels; c++) {
        found.reach[c] += int64_t{weight} * trace.reach[c];
        for (size_t i = 0; i < 2; i++) found.agreement[2 * c + i] += int64_t{weight} * trace.agreement[c][i];
      }
    }
    if (found.weight) {
      for (auto& value : found.bands) value = (value + found.weight / 2) / found.weight;
      for (auto& value : found.reach) value /= found.weight;
      for (auto& value : found.agreement) value = floor_divide(value, found.weight);
    }
    return found;
  }

  void leaf(const Box& box, int32_t* coefficients) {
    const int32_t id = static_cast<int32_t>(traces_.size());
    const Expected before = expected(box);
    Trace trace{box.depth, std::vector<int32_t>(size_t(layout_.channels) * bands_), std::vector<int32_t>(layout_.channels),
                std::vector<std::array<int32_t, 2>>(layout_.channels)};
    for (int a = 0; a < 3; a++) {
      cosines_[a] = &WholeCosines::of(box.size[a]);
      band_of_[a].resize(box.size[a]);
      for (int32_t k = 0; k < box.size[a]; k++)
        band_of_[a][k] = a < first_axis_ ? 0 : band(k, box.size[a]);
    }
    for (int32_t c = 0; c < layout_.channels; c++) channel(box, c, coefficients, before, trace);
    traces_.push_back(std::move(trace));
    for (int a = first_axis_; a < 3; a++) {
      const int b = a == 0 ? 1 : 0, c = a == 2 ? 1 : 2;
      for (int32_t i = 0; i < box.size[b]; i++) {
        Place at = box.start;
        at[b] += i;
        std::fill_n(&owner_[a][face_index(at, a)], box.size[c], id);
      }
    }
  }

  static int32_t size_of(int32_t q) { return q < 0 ? -q : q; }

  // Sum over neighbours of higher frequency, which are coded before, of their sizes; weights add up to 8 or 9.
  int64_t above(const int32_t* q, const Place& k, const Place& n) const {
    const int64_t step1 = n[2], step0 = int64_t{n[1]} * n[2];
    int64_t sum = 0;
    const auto add = [&](bool inside, int64_t offset, int weight) {
      if (inside) sum += int64_t{weight} * size_of(q[offset]);
    };
    if (layout_.dims == 1) {
      for (int i = 1; i <= 4; i++) add(k[2] + i < n[2], i, i == 1 ? 3 : i == 4 ? 1 : 2);
    } else if (layout_.dims == 2) {
      add(k[2] + 1 < n[2], 1, 2);
      add(k[2] + 2 < n[2], 2, 1);
      add(k[1] + 1 < n[1], step1, 2);
      add(k[1] + 1 < n[1] && k[2] + 1 < n[2], step1 + 1, 1);
      add(k[1] + 1 < n[1] && k[2] > 0, step1 - 1, 1);
      add(k[1] + 2 < n[1], 2 * step1, 1);
    } else {
      add(k[2] + 1 < n[2], 1, 2);
      add(k[1] + 1 < n[1], step1, 2);
      add(k[0] + 1 < n[0], step0, 2);
      add(k[1] + 1 < n[1] && k[2] + 1 < n[2], step1 + 1, 1);
      add(k[0] + 1 < n[0] && k[2] + 1 < n[2], step0 + 1, 1);
      add(k[0] + 1 < n[0] && k[1] + 1 < n[1], step0 + step1, 1);
    }
    return sum;
  }

  // The same place in another channel, counted twice, and its neighbours along the axes.
  int64_t beside(const int32_t* q, const Place& k, const Place& n) const {
    const int64_t steps[3] = {int64_t{n[1]} * n[2], n[2], 1};
    int64_t sum = 2 * int64_t{size_of(*q)};
    for (int a = first_axis_; a < 3; a++) {
      if (k[a] > 0) sum += size_of(q[-steps[a]]);
      if (k[a] + 1 < n[a]) sum += size_of(q[steps[a]]);
    }
    return sum;
  }

  static int agreement_class(int64_t x) {
    return x < -24 ? 0 : x < -8 ? 1 : x < -2 ? 2 : x <= 2 ? 3 : x <= 8 ? 4 : x <= 24 ? 5 : 6;
  }

  // What is still missing to meet the border, in 64ths, against what one step of this coefficient gives there.
  static int32_t missing_class(int64_t missing, int64_t cosine) {
    const int64_t size = (missing < 0 ? -missing : missing) << 14;
    const int32_t of = size < 16 * cosine ? 0 : size < 38 * cosine ? 1 : size < 77 * cosine ? 2 : size < 160 * cosine ? 3 : 4;
    return missing < 0 ? 4 - of : 4 + of;
  }

  void channel(const Box& box, int32_t c, int32_t* all, const Expected& before, Trace& trace) {
    const Place& n = box.size;
    const int64_t samples = box.samples(), step1 = n[2], step0 = int64_t{n[1]} * n[2];
    int32_t* q = all + c * samples;
    const int32_t kind = std::min(c, 2);  // later channels share the statistics of the third
    const int32_t* other[2] = {c ? all : nullptr, c > 1 ? q - samples : nullptr};
    read_borders(box, c);

    // How far: one more than the greatest sum of a coefficient's frequencies, the constant left out.
    const int32_t most = n[0] + n[1] + n[2] - 2;
    int32_t reach = 0;
    if constexpr (Port::writes)
      for (int32_t i = 0; i < n[0]; i++)
        for (int32_t j = 0; j < n[1]; j++)
          for (int32_t k = n[2]; k-- > 0;)
            if (q[i * step0 + j * step1 + k]) {
              if (i + j + k) reach = std::max(reach, i + j + k + 1);
              break;
            }
    const int32_t usual = before.weight ? 1 + std::min(6, level(before.reach[c] * most / 64) / 3) : 0;
    const int32_t first_reach = c ? std::min(7, 1 + level(int64_t{trace.reach[0]} * most / 64) / 3) : 0;
    reach = bits_.number(reach, reach_at + ((kind * 8 + usual) * 8 + first_reach) * 64);
    if constexpr (!Port::writes)
      if (port_.overrun()) throw std::invalid_argument("the coded numbers are cut short");
    if (reach > most) throw std::invalid_argument("coded coefficients lie outside their box");
    trace.reach[c] = reach * 64 / most;

    std::array<int32_t, 2> agreed{};
    const std::array<int64_t, 2> usually{before.agreement[2 * c], before.agreement[2 * c + 1]};
    std::array<int32_t, 125> sums{}, counts{};
    const int32_t size_class = std::min(7, bit_length(static_cast<uint64_t>(std::max({n[0], n[1], n[2]}))));
    const int first = first_axis_;
    Place k;
    for (k[0] = std::min(n[0], reach) - 1; k[0] >= 0; k[0]--)
      for (k[1] = std::min(n[1], reach - k[0]) - 1; k[1] >= 0; k[1]--)
        for (k[2] = std::min(n[2], reach - k[0] - k[1]) - 1; k[2] >= 0; k[2]--) {
          if (k[0] + k[1] + k[2] == 0) continue;
          const int64_t at = k[0] * step0 + k[1] * step1 + k[2];
          int32_t size = size_of(q[at]);
          const int64_t higher = above(q + at, k, n);
          const int32_t band = band_index(k);
          const int64_t mean = before.bands[size_t(c) * bands_ + band];
          int64_t others = 0;
          for (const int32_t* o : other)
            if (o) others += beside(o + at, k, n);
          const int32_t a = level(higher), b = before.weight ? 1 + level(mean / 2) : 0, o = level(others);
          int64_t radius = 0;
          for (int x = first; x < 3; x++) radius += int64_t{k[x]} * (layout_.dims == 1 ? 256 : 64) / n[x];
          const int32_t r = level(radius / 2), slope = k[first] * 16 / n[first];
          const int32_t place = layout_.dims == 1   ? std::min(k[2], 63)
                                : layout_.dims == 2 ? std::min(k[1], 7) * 8 + std::min(k[2], 7)
                                                    : (std::min(k[0], 3) * 4 + std::min(k[1], 3)) * 4 + std::min(k[2], 3);
          const int32_t next = k[2] + 1 < n[2] ? std::min(size_of(q[at + 1]), 11) : 0;
          const int64_t along = layout_.dims == 1 ? 2 : layout_.dims == 2 ? step1 : step0;
          const int32_t beyond = k[first] + (layout_.dims == 1 ? 2 : 1) < n[first] ? std::min(size_of(q[at + along]), 11) : 0;
          const int32_t all_of_it = level((4 * higher + mean + 2 * others) / 4);
          int32_t found = 0;
          while (found < most_unary) {
            const int32_t base = std::min(found, 11) * 3 + kind;
            const Contexts contexts{(base * 24 + a) * 24 + r,
                                    (base * 25 + b) * 12 + a / 2,
                                    (base * 64 + place) * 8 + size_class,
                                    c ? (base * 24 + o) * 12 + a / 2 : (base * 25 + b) * 16 + slope,
                                    (base * 24 + all_of_it) * 8 + size_class,
                                    (base * 125 + band) * 7 + std::min(a / 2, 6),
                                    (base * 12 + next) * 12 + beyond};
            if (!bits_.mixed(found < size, contexts, base * 4 + (a == 0 ? 0 : a < 4 ? 1 : a < 8 ? 2 : 3))) break;
            found++;
          }
          if (found == most_unary) found += bits_.number(size - most_unary, escape_at + kind * 64);
          size = found;
          sums[band] += std::min(size, 1000);
          counts[band]++;
          if (size) {
            const int negative = sign(q[at] < 0, size, k, other, at, kind, agreed, usually);
            q[at] = negative ? -size : size;
            met(k, q[at]);
          } else {
            q[at] = 0;
          }
        }
    // The constant comes last: the borders say what is left for it.
    int64_t left = 0, borders = 0;
    for (int a = first_axis_; a < 3; a++) {
      if (!touches_[a]) continue;
      left += floor_divide(missing_[a][0] * 16384, cosines_[a]->at[0]);
      borders++;
    }
    const int64_t guess = borders ? floor_divide(left + 32 * borders, 64 * borders) : 0;
    const int32_t class_of_size = std::min(11, bit_length(static_cast<uint64_t>(samples)));
    q[0] = difference(q[0], static_cast<int32_t>(guess), mean_at + (kind * 12 + class_of_size) * 64);
    met({0, 0, 0}, q[0]);
    write_borders(box, c);

    for (int32_t i = 0; i < bands_; i++)
      if (counts[i]) trace.bands[size_t(c) * bands_ + i] = sums[i] * 16 / counts[i];
    for (size_t i = 0; i < 2; i++)
      trace.agreement[c][i] = agreed[i] ? agreed[i] : static_cast<int32_t>(floor_divide(usually[i], 2));
  }

  int32_t difference(int32_t value, int32_t guess, int32_t context) {
    const int32_t given = value - guess;
    const int32_t size = bits_.number(size_of(given), context);
    return guess + (size && bits_.raw(given < 0) ? -size : size);
  }

  // Whether a coefficient is negative: what would meet the borders, and what the signs of other channels say there.
  int sign(int negative, int32_t size, const Place& k, const int32_t* const other[2], int64_t at, int32_t kind,
           std::array<int32_t, 2>& agreed, const std::array<int64_t, 2>& usually) {
    const int first = first_axis_, last = 2;
    std::array<int32_t, 3> missing{9, 9, 9};
    for (int a = first; a < 3; a++)
      if (touches_[a]) missing[a] = missing_class(missing_[a][face_of(k, a)], cosines_[a]->at[size_t(k[a]) * cosines_[a]->n]);
    int32_t sizes[2] = {0, 0}, here[2] = {7, 7}, around[2] = {7, 7};
    int32_t value[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
      value[i] = other[i] ? other[i][at] : 0;
      if (!value[i]) continue;
      sizes[i] = std::min(3, size_of(value[i]));
      here[i] = agreement_class(value[i] < 0 ? -agreed[i] : agreed[i]);
      around[i] = agreement_class(value[i] < 0 ? -usually[i] : usually[i]);
    }
    const int32_t much = std::min(size, 3) - 1;
    const auto border = [&](int a, int b) {
      return ((missing[a] * 10 + std::min(k[a], 9)) * 3 + much) * 3 + std::min(k[b], 2);
    };
    Contexts contexts{(here[0] * 8 + sizes[0]) * 4 + sizes[1],
                      layout_.dims == 3 ? border(1, last) : (around[0] * 8 + sizes[0]) * 4 + sizes[1],
                      (here[0] * 8 + here[1]) * 4 + sizes[0],
                      border(last, first),
                      border(first, last),
                      (missing[last] * 10 + missing[first]) * 3 + much,
                      (missing[last] * 10 + missing[first]) * 8 + here[0]};
    for (auto& context : contexts) context = sign_at + context * 3 + kind;
    const int32_t octave = std::min(3, bit_length(static_cast<uint64_t>(k[0] + k[1] + k[2])) - 1);
    negative = bits_.mixed(negative, contexts, 144 + octave * 3 + kind);
    for (int i = 0; i < 2; i++) {
      if (!value[i]) continue;
      const int32_t weight = 3 * static_cast<int32_t>(std::min<int64_t>(4, int64_t{size} * size_of(value[i])));
      agreed[i] = std::clamp(agreed[i] + ((value[i] < 0) == (negative != 0) ? weight : -weight), -60, 60);
    }
    return negative;
  }

  size_t face_of(const Place& k, int axis) const {
    const int b = axis == 0 ? 1 : 0, c = axis == 2 ? 1 : 2;
    return size_t(k[b]) * cosines_[c]->n + k[c];
  }

  // Notes a coefficient that is known from now on.
  void met(const Place& k, int32_t q) {
    for (int a = first_axis_; a < 3; a++) {
      const WholeCosines& along = *cosines_[a];
      const size_t face = face_of(k, a);
      if (touches_[a]) missing_[a][face] -= (int64_t{q} * along.at[size_t(k[a]) * along.n] + 128) >> 8;
      shown_[a][face] += int64_t{q} * along.beyond[k[a]];
    }
  }

  // One axis of a face (rows, n, inner): its spectrum, or from its spectrum.
  void turn(std::vector<int64_t>& face, const WholeCosines& cosines, size_t rows, size_t inner, bool back) {
    const size_t n = cosines.n;
    if (n == 1) return;
    line_.resize(n);
    for (size_t row = 0; row < rows; row++)
      for (size_t i = 0; i < inner; i++) {
        int64_t* values = &face[row * n * inner + i];
        std::fill(line_.begin(), line_.end(), 0);
        for (size_t x = 0; x < n; x++) {
          const int64_t value = values[x * inner];
          if (value == 0) continue;
          for (size_t y = 0; y < n; y++) line_[y] += value * cosines.at[back ? x * n + y : y * n + x];
        }
        for (size_t x = 0; x < n; x++)
          values[x * inner] = std::clamp<int64_t>((line_[x] + 8192) >> 14, -(int64_t{1} << 36), int64_t{1} << 36);
      }
  }

  void read_borders(const Box& box, int32_t channel) {
    for (int a = first_axis_; a < 3; a++) {
      const int b = a == 0 ? 1 : 0, c = a == 2 ? 1 : 2;
      const size_t rows = box.size[b], columns = box.size[c];
      shown_[a].assign(rows * columns, 0);
      touches_[a] = box.start[a] > start_[a];
      if (!touches_[a]) continue;
      missing_[a].resize(rows * columns);
      for (size_t i = 0; i < rows; i++) {
        Place at = box.start;
        at[b] += static_cast<int32_t>(i);
        const int32_t* from = &edge_[a][face_index(at, a) * layout_.channels + channel];
        for (size_t j = 0; j < columns; j++) missing_[a][i * columns + j] = from[j * layout_.channels];
      }
      turn(missing_[a], *cosines_[c], rows, 1, false);
      turn(missing_[a], *cosines_[b], 1, columns, false);
    }
  }

  void write_borders(const Box& box, int32_t channel) {
    for (int a = first_axis_; a < 3; a++) {
      const int b = a == 0 ? 1 : 0, c = a == 2 ? 1 : 2;
      const size_t rows = box.size[b], columns = box.size[c];
      for (int64_t& value : shown_[a])
        value = std::clamp<int64_t>((value + 128) >> 8, -(int64_t{1} << 36), int64_t{1} << 36);
      turn(shown_[a], *cosines_[b], 1, columns, true);
      turn(shown_[a], *cosines_[c], rows, 1, true);
      for (size_t i = 0; i < rows; i++) {
        Place at = box.start;
        at[b] += static_cast<int32_t>(i);
        int32_t* to = &edge_[a][face_index(at, a) * layout_.channels + channel];
        for (size_t j = 0; j < columns; j++)
          to[j * layout_.channels] = static_cast<int32_t>(
              std::clamp<int64_t>(shown_[a][i * columns + j], -(int64_t{1} << 30), int64_t{1} << 30));
      }
    }
  }

  const Layout layout_;
  const Place start_;
  Port& port_;
  BitModel<Port> bits_;
  const int first_axis_;
  const int32_t bands_;
  std::vector<Trace> traces_;
  std::array<std::vector<int32_t>, 3> owner_;  // the last box along an axis, for each place of its face
  std::array<std::vector<int32_t>, 3> edge_;   // (place, channel): what it leads to expect beyond it, in 64ths of a step
  std::vector<std::array<int32_t, 2>> near_;
  std::array<const WholeCosines*, 3> cosines_{};
  std::array<std::vector<int32_t>, 3> band_of_;
  std::array<bool, 3> touches_{};
  std::vector<int64_t> line_;
  std::array<std::vector<int64_t>, 3> missing_, shown_;  // spectra of faces: what is missing, and what this box shows
};

}  // namespace partinr
