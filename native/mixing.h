// Adaptive probabilities, and several of them mixed into one: each context that a bit is seen in has a probability of
// its own, and a small linear network over their log-odds, learned as bits are coded, says how far to believe each.
// After Mahoney, "Adaptive weighing of context models for lossless data
// compression", Florida Tech. report CS-2005-16, section 4. Integers alone.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "range_coder.h"

namespace partinr {

constexpr int most_log_odds = 3071;  // in 256ths
constexpr int least_odds = 24;       // in 2^-16

struct OddsTables {
  std::array<int16_t, 4096> log_odds;                // of a probability's upper 12 bits
  std::array<uint16_t, 2 * most_log_odds + 1> odds;  // of log-odds from -most_log_odds
  std::array<int32_t, 1024> learning_rate;           // of weights used so often

  OddsTables() {
    for (int i = 0; i < 4096; i++) {
      const double p = (i + 0.5) / 4096;
      log_odds[i] = static_cast<int16_t>(std::lrint(256 * std::log(p / (1 - p))));
    }
    for (int i = -most_log_odds; i <= most_log_odds; i++) {
      const long p = std::lrint(65536 / (1 + std::exp(-i / 256.0)));
      odds[i + most_log_odds] = static_cast<uint16_t>(std::clamp<long>(p, least_odds, 65536 - least_odds));
    }
    for (int n = 0; n < 1024; n++) learning_rate[n] = 197 + 2425 * 32 / (32 + n);
  }
};

inline const OddsTables odds_tables;

// Probability, of 2^16, that a bit is set, and how often it was seen.
struct Counter {
  uint16_t set = 1 << 15;
  uint16_t seen = 0;

  void learn(bool bit) {
    set = static_cast<uint16_t>(set + (((bit ? 65535 : 0) - set) * int32_t{learning_rates[seen]} >> 16));
    seen += seen < most_seen;
  }
};

constexpr int mixed_contexts = 7;
using Counters = std::array<Counter*, mixed_contexts>;

// How far each of several probabilities is believed, in 2^-16.
struct Weights {
  std::array<int32_t, mixed_contexts> of;
  int32_t used = 0;
  Weights() { of.fill(14418); }  // 0.22
};

template <class Port>
class BitModel {
 public:
  explicit BitModel(Port& port, size_t plain) : port_(port), plain_(plain) {}

  int raw(int bit) { return port_.code(bit, 1 << 15); }

  // A bit seen in one context.
  int plain(int bit, int32_t context) {
    Chance& chance = plain_[static_cast<size_t>(context)];
    bit = port_.code(bit, chance.set);
    chance.learn(bit);
    return bit;
  }

  // A bit seen in several contexts, their probabilities mixed.
  int mixed(int bit, const Counters& counters, Weights& weights) {
    std::array<int32_t, mixed_contexts> inputs;
    int64_t sum = 0;
    for (int i = 0; i < mixed_contexts; i++) {
      inputs[i] = odds_tables.log_odds[counters[i]->set >> 4] * std::min(counters[i]->seen + 1, 8) >> 3;
      sum += int64_t{weights.of[i]} * inputs[i];
    }
    const int64_t log_odds = std::clamp<int64_t>(sum >> 16, -most_log_odds, most_log_odds);
    const uint32_t one = odds_tables.odds[static_cast<size_t>(log_odds + most_log_odds)];
    bit = port_.code(bit, one);
    const int64_t error = ((bit << 16) - static_cast<int32_t>(one)) * int64_t{odds_tables.learning_rate[weights.used]};
    weights.used += weights.used < 1023;
    for (int i = 0; i < mixed_contexts; i++) {
      const int64_t moved = weights.of[i] + ((inputs[i] * error + (1 << 23)) >> 24);
      weights.of[i] = static_cast<int32_t>(std::clamp<int64_t>(moved, -(1 << 24), 1 << 24));
      counters[i]->learn(bit);
    }
    return bit;
  }

  // A number from 0, less than 2^27: its length in bits in unary, then its bits. `context` is the first of 64.
  int32_t number(int32_t value, int32_t context) {
    int length = 0;
    while (length < 26 && plain(value + 1 >= 2 << length, context + length)) length++;
    int32_t found = 1;
    for (int i = length - 1; i >= 0; i--) {
      const int bit = (value + 1) >> i & 1;
      found = found * 2 + (i == length - 1 ? plain(bit, context + 32 + length) : raw(bit));
    }
    return found - 1;
  }

 private:
  Port& port_;
  std::vector<Chance> plain_;
};

}  // namespace partinr
