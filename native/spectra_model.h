// How the numbers of a tree's boxes become bits: in which order, and what each bit is expected from. One template for
// both ways. docs/format.md, "Coded cosines", states it; src/partinr/file/spectra_decoding.py is the same in Python, and
// tests/spectra_reader.py follows the page.
#pragma once
#include <stdexcept>

#include "mixing.h"
#include "spectra_borders.h"
#include "spectra_traces.h"

namespace partinr {

template <class Port>
class SpectraModel {
 public:
  SpectraModel(const Layout& layout, const Box& slice, Port& port)
      : layout_(layout), port_(port), first_(3 - layout.dims), kinds_(std::min(layout.channels, 3)),
        along_bands_(layout.dims == 1 ? 40 : layout.dims == 2 ? 7 : 5),
        bands_(layout.dims == 1 ? 40 : layout.dims == 2 ? 49 : 125), traces_({slice, first_}, layout.channels, bands_),
        borders_({slice, first_}, layout.channels), bits_(port, plain_size) {
    for (int i = 0; i < mixed_contexts; i++) {
      sizes_[i].resize(size_t(size_contexts[i]) * kinds_ * unaries);
      signs_[i].resize(size_t(sign_contexts[i]) * kinds_);
    }
  }

  // A tree's splits and boxes from its root down. Calls own(box) for each box; that gives its coefficients.
  template <class Own>
  void tree(const Box& box, const uint8_t*& splits, std::vector<uint8_t>* found, Own& own) {
    if (layout_.splits(box)) {
      const int split = bits_.plain(splits ? *splits++ : 0, std::min(box.depth, 15) * 4 + traces_.smaller(box));
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
  static constexpr int most_unary = 14, unaries = 16;  // the next power of two: a context's are one line of the cache
  static constexpr int32_t size_contexts[mixed_contexts] = {24 * 24, 25 * 12, 64 * 8, 25 * 16, 24 * 8, 125 * 7, 12 * 12};
  static constexpr int32_t sign_contexts[mixed_contexts] = {128, 900, 256, 900, 900, 300, 800};
  static constexpr int32_t large = 1000;

  // What is known of a frequency along an axis of n samples.
  struct Frequency {
    int32_t band, radius, slope, place;
  };

  // Classes of frequencies: octaves, quarters of them where there is one axis alone.
  int32_t band(int64_t k, int32_t n) const {
    if (k == 0) return 0;
    const int32_t dims = layout_.dims;
    if (dims > 1) return std::clamp(bit_length(k * (dims == 2 ? 64 : 16) / n), 1, dims == 2 ? 6 : 4);
    const int64_t of = k * 1024 / n;
    const int32_t octave = bit_length(of) - 1;
    return octave < 0 ? 1 : std::min<int32_t>(39, 1 + 4 * octave + static_cast<int32_t>((4 * of >> octave) & 3));
  }

  const std::vector<Frequency>& frequencies(int32_t n) {
    auto& found = frequencies_[n];
    if (found.empty())
      for (int32_t k = 0; k < n; k++)
        found.push_back({band(k, n), k * (layout_.dims == 1 ? 256 : 64) / n, k * 16 / n,
                         std::min(k, layout_.dims == 1 ? 63 : layout_.dims == 2 ? 7 : 3)});
    return found;
  }

  void leaf(const Box& box, int32_t* coefficients) {
    const Expected& before = traces_.expected(box);
    Trace& trace = traces_.begin(box);
    borders_.enter(box);
    for (int a = 0; a < 3; a++) frequencies_of_[a] = frequencies(box.size[a]).data();
    // Sizes have zeros around them; those after a row are those before the next one.
    Place padded = box.size;
    for (int a = first_; a < 3; a++) padded[a] += layout_.dims == 1 ? 4 : 2;
    steps_ = {int64_t{padded[1]} * padded[2], padded[2], 1};
    origin_ = steps_[0] + steps_[1] + 1;
    const auto room = static_cast<size_t>(origin_ + padded[0] * steps_[0]);
    for (auto& other : others_) other.resize(room);
    for (int32_t c = 0; c < layout_.channels; c++) {
      own_.assign(room, 0);
      channel(box, c, coefficients, before, trace);
      if (c + 1 < layout_.channels) surround(box.size, others_[c > 0]);
    }
    traces_.end(box);
  }

  static int32_t size_of(int32_t q) { return q < 0 ? -q : q; }

  // Sum over neighbours of higher frequency, which are coded before, of their sizes; weights add up to 8 or 9.
  int32_t above(const int16_t* q) const {
    const int64_t up = steps_[1], out = steps_[0];
    if (layout_.dims == 1) return 3 * q[1] + 2 * (q[2] + q[3]) + q[4];
    if (layout_.dims == 2) return 2 * (q[1] + q[up]) + q[2] + q[up + 1] + q[up - 1] + q[2 * up];
    return 2 * (q[1] + q[up] + q[out]) + q[up + 1] + q[out + 1] + q[out + up];
  }

  // What a channel says of the same place in later ones: its size, counted twice, and its neighbours' along the axes.
  void surround(const Place& n, std::vector<int16_t>& found) const {
    for (int32_t i = 0; i < n[0]; i++)
      for (int32_t j = 0; j < n[1]; j++) {
        const int64_t row = origin_ + i * steps_[0] + j * steps_[1];
        const int16_t* q = &own_[row];
        int16_t* to = &found[row];
        for (int32_t k = 0; k < n[2]; k++) to[k] = static_cast<int16_t>(2 * q[k] + q[k - 1] + q[k + 1]);
        for (int a = first_; a < 2; a++)
          for (int32_t k = 0; k < n[2]; k++) to[k] = static_cast<int16_t>(to[k] + q[k - steps_[a]] + q[k + steps_[a]]);
      }
  }

  static int agreement_class(int64_t x) {
    return x < -24 ? 0 : x < -8 ? 1 : x < -2 ? 2 : x <= 2 ? 3 : x <= 8 ? 4 : x <= 24 ? 5 : 6;
  }

  // One more than the greatest sum of a coefficient's frequencies, the constant left out.
  static int32_t reach_of(const int32_t* q, const Place& n) {
    int32_t reach = 0;
    for (int32_t i = 0; i < n[0]; i++)
      for (int32_t j = 0; j < n[1]; j++, q += n[2])
        for (int32_t k = n[2] - 1, least = std::max(0, std::max(reach, 1) - i - j); k >= least; k--)
          if (q[k]) {
            reach = i + j + k + 1;
            break;
          }
    return reach;
  }

  void channel(const Box& box, int32_t c, int32_t* all, const Expected& before, Trace& trace) {
    const Place& n = box.size;
    const int64_t samples = box.samples();
    int32_t* q = all + c * samples;
    const int32_t kind = std::min(c, 2);  // later channels share the statistics of the third
    const int32_t* other[2] = {c ? all : nullptr, c > 1 ? q - samples : nullptr};
    borders_.read(c);

    const int32_t most = n[0] + n[1] + n[2] - 2;
    int32_t reach = Port::writes ? reach_of(q, n) : 0;
    const int32_t usual = before.weight ? 1 + std::min(6, level(before.reach[c] * most / 64) / 3) : 0;
    const int32_t first_reach = c ? std::min(7, 1 + level(int64_t{trace.reach[0]} * most / 64) / 3) : 0;
    reach = bits_.number(reach, reach_at + ((kind * 8 + usual) * 8 + first_reach) * 64);
    if (reach > most) throw std::invalid_argument("coded coefficients lie outside their box");
    trace.reach[c] = reach * 64 / most;

    std::array<int32_t, 2> agreed{};
    const std::array<int64_t, 2>& usually = before.agreement[c];
    std::array<int32_t, 125> sums{}, counts{};
    const int64_t* means = &before.bands[size_t(c) * bands_];
    std::array<uint8_t, 125> mean_levels;
    for (int32_t i = 0; i < bands_; i++) mean_levels[i] = before.weight ? 1 + level(means[i] / 2) : 0;
    const int32_t size_class = std::min(7, bit_length(std::max({n[0], n[1], n[2]})));
    const int64_t ahead = layout_.dims == 1 ? 2 : steps_[first_];
    const auto& [f0, f1, f2] = frequencies_of_;
    Place k;
    for (k[0] = std::min(n[0], reach) - 1; k[0] >= 0; k[0]--)
      for (k[1] = std::min(n[1], reach - k[0]) - 1; k[1] >= 0; k[1]--) {
        if constexpr (!Port::writes)
          if (port_.overrun()) throw std::invalid_argument("the coded numbers are cut short");
        const int32_t row_band = (f0[k[0]].band * along_bands_ + f1[k[1]].band) * along_bands_;
        const int32_t row_place = layout_.dims == 1 ? 0 : layout_.dims == 2 ? f1[k[1]].place * 8 : (f0[k[0]].place * 4 + f1[k[1]].place) * 4;
        const int32_t row_radius = f0[k[0]].radius + f1[k[1]].radius;
        int32_t* row = q + (int64_t{k[0]} * n[1] + k[1]) * n[2];
        const int64_t place = origin_ + k[0] * steps_[0] + k[1] * steps_[1];
        for (k[2] = std::min(n[2], reach - k[0] - k[1]) - 1; k[2] >= 0; k[2]--) {
          if (k[0] + k[1] + k[2] == 0) continue;
          int16_t* own = &own_[place + k[2]];
          const Frequency& f = f2[k[2]];
          int32_t others = 0;
          if (c) others = others_[0][place + k[2]];
          if (c > 1) others += others_[1][place + k[2]];
          const int32_t higher = above(own), band = row_band + f.band;
          const auto mean = static_cast<int32_t>(means[band]);
          const int32_t a = level(higher), b = mean_levels[band], o = level(others), r = level((row_radius + f.radius) / 2);
          const int32_t slope = layout_.dims == 1 ? f.slope : layout_.dims == 2 ? f1[k[1]].slope : f0[k[0]].slope;
          const int32_t all_of_it = level((4 * higher + mean + 2 * others) / 4);
          const int32_t contexts[mixed_contexts] = {a * 24 + r,
                                                    b * 12 + a / 2,
                                                    (row_place + f.place) * 8 + size_class,
                                                    c ? o * 12 + a / 2 : b * 16 + slope,
                                                    all_of_it * 8 + size_class,
                                                    band * 7 + std::min(a / 2, 6),
                                                    std::min<int32_t>(own[1], 11) * 12 + std::min<int32_t>(own[ahead], 11)};
          Counters counters;
          for (int i = 0; i < mixed_contexts; i++)
            counters[i] = &sizes_[i][size_t(contexts[i] * kinds_ + kind) * unaries];
          Weights* weights = &size_weights_[(kind * 4 + (a == 0 ? 0 : a < 4 ? 1 : a < 8 ? 2 : 3)) * most_unary];
          const int32_t given = size_of(row[k[2]]);
          int32_t size = 0;
          while (size < most_unary && bits_.mixed(size < given, counters, weights[size])) {
            size++;
            for (auto& counter : counters) counter++;
          }
          if (size == most_unary) size += bits_.number(given - most_unary, escape_at + kind * 64);
          counts[band]++;
          if (size) {
            sums[band] += *own = static_cast<int16_t>(std::min(size, large));
            const int negative = sign(row[k[2]] < 0, size, k, other, row + k[2] - q, kind, agreed, usually);
            row[k[2]] = negative ? -size : size;
            borders_.met(k, row[k[2]]);
          } else {
            row[k[2]] = 0;
          }
        }
      }
    // The constant comes last: the borders say what is left for it.
    const int32_t class_of_size = std::min(11, bit_length(static_cast<uint64_t>(samples)));
    const int32_t guess = borders_.constant();
    q[0] = difference(q[0], guess, mean_at + (kind * 12 + class_of_size) * 64);
    borders_.met({0, 0, 0}, q[0]);
    borders_.write(c);
    if constexpr (!Port::writes)
      if (port_.overrun()) throw std::invalid_argument("the coded numbers are cut short");
    own_[origin_] = static_cast<int16_t>(std::min(size_of(q[0]), large));

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
    const int last = 2;
    std::array<int32_t, 3> missing{9, 9, 9};
    for (int a = first_; a < 3; a++) missing[a] = borders_.missing_class(k, a);
    int32_t sizes[2] = {0, 0}, here[2] = {7, 7}, around[2] = {7, 7}, value[2] = {0, 0};
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
    const int32_t contexts[mixed_contexts] = {
        (here[0] * 4 + sizes[0]) * 4 + sizes[1],
        layout_.dims == 3 ? border(1, last) : (around[0] * 4 + sizes[0]) * 4 + sizes[1],
        (here[0] * 8 + here[1]) * 4 + sizes[0],
        border(last, first_),
        border(first_, last),
        (missing[last] * 10 + missing[first_]) * 3 + much,
        (missing[last] * 10 + missing[first_]) * 8 + here[0]};
    Counters counters;
    for (int i = 0; i < mixed_contexts; i++) counters[i] = &signs_[i][size_t(contexts[i]) * kinds_ + kind];
    const int32_t octave = std::min(3, bit_length(k[0] + k[1] + k[2]) - 1);
    negative = bits_.mixed(negative, counters, sign_weights_[octave * 3 + kind]);
    for (int i = 0; i < 2; i++) {
      if (!value[i]) continue;
      const int32_t weight = 3 * static_cast<int32_t>(std::min<int64_t>(4, int64_t{size} * size_of(value[i])));
      agreed[i] = std::clamp(agreed[i] + ((value[i] < 0) == (negative != 0) ? weight : -weight), -60, 60);
    }
    return negative;
  }

  const Layout layout_;
  Port& port_;
  const int first_;
  const int32_t kinds_, along_bands_, bands_;
  Traces traces_;
  Borders borders_;
  BitModel<Port> bits_;
  std::array<std::vector<Counter>, mixed_contexts> sizes_, signs_;
  std::array<Weights, 3 * 4 * most_unary> size_weights_;
  std::array<Weights, 4 * 3> sign_weights_;
  std::map<int32_t, std::vector<Frequency>> frequencies_;
  std::array<const Frequency*, 3> frequencies_of_{};
  std::array<int64_t, 3> steps_{};
  int64_t origin_ = 0;
  std::vector<int16_t> own_;                    // sizes of the channel at hand
  std::array<std::vector<int16_t>, 2> others_;  // what the first channel and the one before say
};

}  // namespace partinr
