// What the values of boxes that are known lead to expect at the border of the next one: signs and constants are
// expected to meet it. Whole numbers alone, so that every machine expects the same.
#pragma once
#include <cmath>
#include <map>
#include <memory>
#include <numbers>

#include "spectra_faces.h"
#include "spectra_levels.h"

namespace partinr {

// Cosines of an axis of n samples in 2^-14: sqrt((k ? 2 : 1) / n) cos(pi k (x + 1/2) / n).
struct WholeCosines {
  int32_t n;
  std::vector<int32_t> first;   // (n,): at the first sample
  std::vector<int32_t> beyond;  // (n,): half way to the sample after the last, by its last two
  std::vector<int32_t> at;      // (n, n): frequency, sample; empty if not asked for

  WholeCosines(int32_t samples, bool all) : n(samples), first(n), beyond(n) {
    // None of these is nearer than 3e-6 to the middle between two whole numbers, for any n to 1024.
    std::vector<int32_t> waves(size_t(4) * n);  // at multiples of a quarter turn over n
    for (int32_t m = 0; m <= n; m++) {
      const double exact = 16384 * std::sqrt(2.0 / n) * std::cos(std::numbers::pi * m / (2.0 * n));
      const auto wave = m < n ? static_cast<int32_t>(std::lrint(exact)) : 0;
      waves[m] = waves[(size_t(4) * n - m) % waves.size()] = wave;
      waves[size_t(2) * n - m] = waves[size_t(2) * n + m] = -wave;
    }
    const auto flat = static_cast<int32_t>(std::lrint(16384 / std::sqrt(n)));
    const auto of = [&](int64_t k, int64_t x) { return k ? waves[k * (2 * x + 1) % (4 * n)] : flat; };
    for (int32_t k = 0; k < n; k++) {
      first[k] = of(k, 0);
      beyond[k] = of(k, n - 1) + ((of(k, n - 1) - of(k, std::max(n - 2, 0))) >> 1);
    }
    if (!all) return;
    at.resize(size_t(n) * n);
    for (int32_t k = 0; k < n; k++)
      for (int32_t x = 0; x < n; x++) at[size_t(k) * n + x] = of(k, x);
  }
};

class Borders {
 public:
  Borders(const Faces& faces, int32_t channels) : faces_(faces), channels_(channels) {
    for (int a = faces.first_axis; a < 3; a++) edge_[a].assign(faces.size(a) * channels, 0);
  }

  void enter(const Box& box) {
    box_ = &box;
    for (int a = 0; a < 3; a++) {
      auto& made = cosines_[box.size[a]];
      if (!made) made = std::make_unique<WholeCosines>(box.size[a], faces_.first_axis < 2);
      along_[a] = made.get();
      touches_[a] = a >= faces_.first_axis && faces_.touches(box, a);
    }
  }

  // What is missing at the borders, as spectra of faces: all of it as long as nothing is known of the box.
  void read(int32_t channel) {
    for (int a = faces_.first_axis; a < 3; a++) {
      const int b = Faces::across(a), c = Faces::along(a);
      const size_t rows = box_->size[b], columns = box_->size[c];
      shown_[a].assign(rows * columns, 0);
      missing_[a].clear();
      if (!touches_[a]) continue;
      faces_.rows(*box_, a, [&](size_t place) {
        const int32_t* from = &edge_[a][place * channels_ + channel];
        for (size_t j = 0; j < columns; j++) missing_[a].push_back(from[j * channels_]);
      });
      turn(missing_[a], *along_[c], rows, 1, false);
      turn(missing_[a], *along_[b], 1, columns, false);
    }
  }

  // Notes a coefficient that is known from now on.
  void met(const Place& k, int32_t q) {
    for (int a = faces_.first_axis; a < 3; a++) {
      const size_t face = index(k, a);
      if (touches_[a]) missing_[a][face] -= (int64_t{q} * along_[a]->first[k[a]] + 128) >> 8;
      shown_[a][face] += int64_t{q} * along_[a]->beyond[k[a]];
    }
  }

  // What is missing of a frequency, in 64ths, against what one step of it gives there: -4 to 4, plus 4; 9: no border.
  int32_t missing_class(const Place& k, int axis) const {
    if (!touches_[axis]) return 9;
    const int64_t missing = missing_[axis][index(k, axis)], one = along_[axis]->first[k[axis]];
    const int64_t size = (missing < 0 ? -missing : missing) << 14;
    const int32_t of = (size >= 16 * one) + (size >= 38 * one) + (size >= 77 * one) + (size >= 160 * one);
    return missing < 0 ? 4 - of : 4 + of;
  }

  // The constant that the borders ask for.
  int32_t constant() const {
    int64_t left = 0, borders = 0;
    for (int a = faces_.first_axis; a < 3; a++) {
      if (!touches_[a]) continue;
      left += floor_divide(missing_[a][0] * 16384, along_[a]->first[0]);
      borders++;
    }
    constexpr int64_t most = (1 << 26) - 1;
    return borders ? static_cast<int32_t>(std::clamp(floor_divide(left + 32 * borders, 64 * borders), -most, most)) : 0;
  }

  // Leaves what the box shows for those after it.
  void write(int32_t channel) {
    for (int a = faces_.first_axis; a < 3; a++) {
      const int b = Faces::across(a), c = Faces::along(a);
      const size_t rows = box_->size[b], columns = box_->size[c];
      for (int64_t& value : shown_[a]) value = std::clamp((value + 128) >> 8, -most_, most_);
      turn(shown_[a], *along_[b], 1, columns, true);
      turn(shown_[a], *along_[c], rows, 1, true);
      const int64_t* from = shown_[a].data();
      faces_.rows(*box_, a, [&](size_t place) {
        int32_t* to = &edge_[a][place * channels_ + channel];
        for (size_t j = 0; j < columns; j++)
          to[j * channels_] = static_cast<int32_t>(std::clamp<int64_t>(*from++, -(1 << 30), 1 << 30));
      });
    }
  }

 private:
  static constexpr int64_t most_ = int64_t{1} << 36;

  size_t index(const Place& k, int axis) const {
    return size_t(k[Faces::across(axis)]) * box_->size[Faces::along(axis)] + k[Faces::along(axis)];
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
          const int32_t* cosine = &cosines.at[back ? x * n : x];
          for (size_t y = 0; y < n; y++) line_[y] += value * cosine[back ? y : y * n];
        }
        for (size_t x = 0; x < n; x++) values[x * inner] = std::clamp((line_[x] + 8192) >> 14, -most_, most_);
      }
  }

  const Faces faces_;
  const int32_t channels_;
  const Box* box_ = nullptr;
  std::map<int32_t, std::unique_ptr<WholeCosines>> cosines_;
  std::array<const WholeCosines*, 3> along_{};
  std::array<bool, 3> touches_{};
  std::array<std::vector<int32_t>, 3> edge_;  // (place, channel): what is expected beyond it, in 64ths of a step
  std::array<std::vector<int64_t>, 3> missing_, shown_;
  std::vector<int64_t> line_;
};

}  // namespace partinr
