// Which boxes a signal is cut into, and which whole numbers their coefficients become: the least of
// squared error + lambda * bits, after Shoham, Gersho, "Efficient bit allocation for an arbitrary set of quantizers",
// IEEE Trans. ASSP 36 (1988), and Chou, Lookabaugh, Gray, "Optimal pruning ...", IEEE Trans. IT 35 (1989).
#include "spectra_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>

#include "dispatch.h"
#include "spectra_levels.h"

namespace partinr {
namespace {

#include "spectra_rates.inc"

const RateModel& rate_model() {
  static const RateModel model = [] {
    RateModel made{};
    static std::array<uint8_t, 512> of;
    for (int i = 0; i < 512; i++) of[i] = static_cast<uint8_t>(level(i));
    for (int l = 0; l < levels; l++)
      for (int s = 0; s < RateModel::sizes; s++) made.cost[l][s] = static_cast<float>(hundredths[l][s] / 100.0);
    made.level = of.data();
    return made;
  }();
  return model;
}

// What a box costs beside its coefficients, in bits a channel: how far they reach, and the constant.
constexpr double box_bits = 4, split_bits = 1;

// Cosines as `Kernel::spectrum` wants them.
struct Basis {
  std::vector<float> by_frequency, by_sample;
  explicit Basis(int32_t n) : by_frequency(n * padded(n)), by_sample(n * padded(n)) {
    for (int64_t k = 0; k < n; k++)
      for (int64_t x = 0; x < n; x++) {
        const double value = std::sqrt((k ? 2.0 : 1.0) / n) * std::cos(3.14159265358979323846 * k * (2 * x + 1) / (2.0 * n));
        by_frequency[k * padded(n) + x] = by_sample[x * padded(n) + k] = static_cast<float>(value);
      }
  }
};

// Calls visit(first, to) for each row of a box: its first sample in the signal, and in the box.
template <class Visit>
void rows_of(const Layout& layout, const Box& box, Visit visit) {
  int64_t to = 0;
  for (int32_t i = 0; i < box.size[0]; i++)
    for (int32_t j = 0; j < box.size[1]; j++, to += box.size[2])
      visit((int64_t{box.start[0] + i} * layout.shape[1] + box.start[1] + j) * layout.shape[2] + box.start[2], to);
}

// A box' samples, each channel for itself, mixed.
void read(const Layout& layout, const Weighted& signal, const Box& box, std::vector<float>& planes) {
  const int64_t count = box.samples(), channels = layout.channels;
  planes.resize(count * channels);
  rows_of(layout, box, [&](int64_t first, int64_t to) {
    const float* from = signal.values + (first - signal.first) * channels;
    for (int64_t c = 0; c < channels; c++) {
      float* row = planes.data() + c * count + to;
      for (int32_t k = 0; k < box.size[2]; k++) row[k] = 0;
      for (int64_t d = 0; d < channels; d++) {
        const float factor = signal.mixing[c * channels + d];
        for (int32_t k = 0; k < box.size[2]; k++) row[k] += factor * from[k * channels + d];
      }
    }
  });
}

// What the squared error of a box counts: the mean of its samples' weights, each as often as it weighs, so that what
// counts decides where there is little of it. Where there is none a smooth filling is to be kept all the same, as long as
// it costs little.
constexpr float least_weight = 1.0f / 16;

float box_weight(const Layout& layout, const float* weights, const Box& box) {
  if (!weights) return 1;
  double sum = 0, squares = 0;
  rows_of(layout, box, [&](int64_t first, int64_t) {
    float row = 0, row_squares = 0;
    for (int32_t k = 0; k < box.size[2]; k++) {
      row += weights[first + k];
      row_squares += weights[first + k] * weights[first + k];
    }
    sum += row;
    squares += row_squares;
  });
  return sum > 0 ? std::max(static_cast<float>(squares / sum), least_weight) : least_weight;
}

// Memory of one thread.
class Searcher {
 public:
  Searcher(const Layout& layout, const Weighted& signal, const Rate& rate, float* spectra, int32_t* chosen)
      : layout_(layout), signal_(signal), rate_(rate), spectra_(spectra), chosen_(chosen) {}

  RootResult root(int64_t index, int64_t at) {
    RootResult result;
    const Box box = layout_.root_box(index);
    root_ = box;
    read(layout_, signal_, box, planes_);
    const Cost cost = search(box, at, result);
    result.distortion = cost.distortion;
    result.bits = cost.bits;
    return result;
  }

 private:
  struct Cost {
    double distortion = 0, bits = 0;
    double of(double lambda) const { return distortion + lambda * bits; }
  };
  struct Level {
    std::vector<float> spectrum;
    std::vector<int32_t> chosen;
    float weight = 1;
  };

  Cost evaluate(const Box& box, Level& level) {
    level.weight = box_weight(layout_, signal_.weights, box);
    const int64_t row = padded(box.size[2]), rows = int64_t{box.size[0]} * box.size[1], room = rows * row;
    const float* forward[3];
    for (int a = 0; a < 3; a++) {
      auto& basis = bases_[box.size[a]];
      if (!basis) basis = std::make_unique<Basis>(box.size[a]);
      forward[a] = a == 2 ? basis->by_sample.data() : basis->by_frequency.data();
    }
    level.spectrum.resize(room * layout_.channels);
    level.chosen.resize(box.samples() * layout_.channels);
    input_.assign(room, 0);
    scratch_.resize(room);
    sizes_.resize((box.size[0] + 1) * int64_t{box.size[1] + 2} * (box.size[2] + 4) + 16);
    Cost cost;
    for (int32_t c = 0; c < layout_.channels; c++) {
      const float* plane = planes_.data() + c * root_.samples();
      for (int32_t i = 0; i < box.size[0]; i++)
        for (int32_t j = 0; j < box.size[1]; j++) {
          const int64_t line = int64_t{box.start[0] - root_.start[0] + i} * root_.size[1] + box.start[1] - root_.start[1] + j;
          std::memcpy(&input_[(int64_t{i} * box.size[1] + j) * row], plane + line * root_.size[2] + box.start[2] - root_.start[2],
                      box.size[2] * sizeof(float));
        }
      float* spectrum = level.spectrum.data() + c * room;
      kernel_.spectrum(input_.data(), box.size.data(), forward, scratch_.data(), spectrum);
      double distortion, bits;
      kernel_.choose(spectrum, box.size.data(), layout_.dims, rate_.per_step, rate_.lambda / level.weight, rate_model(),
                     sizes_.data(), level.chosen.data() + c * box.samples(), &distortion, &bits);
      cost.distortion += distortion * level.weight;
      cost.bits += bits + box_bits;
    }
    return cost;
  }

  Cost search(const Box& box, int64_t at, RootResult& result) {
    if (levels_.size() <= static_cast<size_t>(box.depth)) levels_.resize(box.depth + 1);
    const Cost own = evaluate(box, levels_[box.depth]);
    const bool splits = layout_.splits(box);
    // Halves cost at least their constants.
    if (splits && own.of(rate_.lambda) > rate_.lambda * box_bits * layout_.channels * (1 << layout_.dims)) {
      const size_t split = result.splits.size(), first = result.boxes.size();
      result.splits.push_back(1);
      Cost halves;
      halves.bits = split_bits;
      int64_t next = at;
      layout_.halve(box, [&](const Box& part) {
        const Cost cost = search(part, next, result);
        halves.distortion += cost.distortion;
        halves.bits += cost.bits;
        next += part.samples() * layout_.channels;
      });
      if (halves.of(rate_.lambda) < own.of(rate_.lambda)) return halves;
      result.splits.resize(split);
      result.boxes.resize(first);
      result.weights.resize(first);
    }
    if (splits) result.splits.push_back(0);
    const Level& level = levels_[box.depth];
    result.boxes.push_back(box);
    result.weights.push_back(level.weight);
    std::copy(level.chosen.begin(), level.chosen.end(), chosen_ + at);
    const int64_t row = padded(box.size[2]);
    for (int64_t r = 0; r < int64_t{box.size[0]} * box.size[1] * layout_.channels; r++)
      std::memcpy(spectra_ + at + r * box.size[2], &level.spectrum[r * row], box.size[2] * sizeof(float));
    return own;
  }

  const Layout& layout_;
  const Weighted signal_;
  const Rate rate_;
  float* spectra_;
  int32_t* chosen_;
  const Kernel& kernel_ = kernel();
  Box root_{};
  std::vector<float> planes_, input_, scratch_;
  std::vector<int32_t> sizes_;
  std::vector<Level> levels_;
  std::map<int32_t, std::unique_ptr<Basis>> bases_;
};

}  // namespace

std::vector<RootResult> search(const Layout& layout, const std::vector<int64_t>& roots, const Weighted& signal,
                               const Rate& rate, int64_t threads, const Poll& poll, float* spectra, int32_t* chosen) {
  std::vector<int64_t> at{0};
  for (const int64_t root : roots) at.push_back(at.back() + layout.root_box(root).samples() * layout.channels);
  std::vector<RootResult> results(roots.size());
  std::mutex mutex;
  std::vector<std::unique_ptr<Searcher>> idle;
  each(static_cast<int64_t>(roots.size()), threads, poll, [&](int64_t i) {
    std::unique_ptr<Searcher> mine;
    {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!idle.empty()) {
        mine = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (!mine) mine = std::make_unique<Searcher>(layout, signal, rate, spectra, chosen);
    results[i] = mine->root(roots[i], at[i]);
    const std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(std::move(mine));
  });
  return results;
}

std::array<double, 2> choose_again(const Layout& layout, const std::vector<Box>& boxes, const float* spectra,
                                   const float* weights, const Rate& rate, int64_t threads, const Poll& poll,
                                   int32_t* chosen) {
  constexpr int64_t together = 64;
  std::vector<int64_t> at{0};
  for (const Box& box : boxes) at.push_back(at.back() + box.samples() * layout.channels);
  const int64_t count = static_cast<int64_t>(boxes.size()), pieces = (count + together - 1) / together;
  std::vector<std::array<double, 2>> found(pieces);
  each(pieces, threads, poll, [&](int64_t piece) {
    std::vector<float> rows;
    std::vector<int32_t> sizes;
    for (int64_t i = piece * together; i < std::min(count, (piece + 1) * together); i++) {
      const Box& box = boxes[i];
      const float weight = weights ? weights[i] : 1;
      const int64_t row = padded(box.size[2]), lines = int64_t{box.size[0]} * box.size[1];
      rows.assign(lines * row, 0);
      sizes.resize((box.size[0] + 1) * int64_t{box.size[1] + 2} * (box.size[2] + 4) + 16);
      for (int32_t c = 0; c < layout.channels; c++) {
        const int64_t first = at[i] + c * box.samples();
        for (int64_t r = 0; r < lines; r++)
          std::memcpy(&rows[r * row], spectra + first + r * box.size[2], box.size[2] * sizeof(float));
        double distortion, bits;
        kernel().choose(rows.data(), box.size.data(), layout.dims, rate.per_step, rate.lambda / weight, rate_model(),
                        sizes.data(), chosen + first, &distortion, &bits);
        found[piece][0] += distortion * weight;
        found[piece][1] += bits + box_bits;
      }
    }
  });
  std::array<double, 2> sum{};
  for (const auto& piece : found)
    for (const int i : {0, 1}) sum[i] += piece[i];
  return sum;
}

}  // namespace partinr
