// Binary arithmetic coding with integers alone, so that every machine decodes the same bits: two bounds of 32 bits, a
// byte whenever they agree in it. After Mahoney, "Adaptive weighing of context models for lossless data compression",
// Florida Tech. report CS-2005-16, section 3. docs/format.md states it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace partinr {

constexpr uint32_t even_odds = 1u << 15;

class RangeEncoder {
 public:
  static constexpr bool encodes = true;

  // Writes a bit whose probability of being 1 is one_odds / 2^16, which is neither 0 nor 1.
  int bit(int value, uint32_t one_odds) {
    const uint32_t middle = low_ + static_cast<uint32_t>((uint64_t{high_ - low_} * one_odds) >> 16);
    if (value) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    while (!((low_ ^ high_) >> 24)) {
      bytes_.push_back(static_cast<uint8_t>(high_ >> 24));
      low_ <<= 8;
      high_ = (high_ << 8) | 255;
    }
    return value;
  }

  // All bytes, the last of them as few as lead between the bounds when zeros follow.
  std::vector<uint8_t> finish() {
    // The shortest number between the bounds.
    for (int kept = 1; kept <= 4; kept++) {
      const uint32_t below = kept == 4 ? 0 : 0xffffffffu >> (8 * kept);
      const uint32_t shortest = (low_ + below) & ~below;
      if (low_ && (shortest < low_ || shortest > high_)) continue;
      for (int i = 0; low_ && i < kept; i++) bytes_.push_back(static_cast<uint8_t>(shortest >> (24 - 8 * i)));
      break;
    }
    return std::move(bytes_);
  }

 private:
  uint32_t low_ = 0, high_ = 0xffffffffu;
  std::vector<uint8_t> bytes_;
};

class RangeDecoder {
 public:
  static constexpr bool encodes = false;

  RangeDecoder(const uint8_t* bytes, size_t size) : next_(bytes), end_(bytes + size) {
    for (int i = 0; i < 4; i++) code_ = (code_ << 8) | take();
  }

  int bit(int, uint32_t one_odds) {
    const uint32_t middle = low_ + static_cast<uint32_t>((uint64_t{high_ - low_} * one_odds) >> 16);
    const int value = code_ <= middle;
    if (value) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    while (!((low_ ^ high_) >> 24)) {
      low_ <<= 8;
      high_ = (high_ << 8) | 255;
      code_ = (code_ << 8) | take();
    }
    return value;
  }

 private:
  uint32_t take() {
    if (next_ != end_) return *next_++;
    // Four bytes are read ahead, and the encoder leaves out those that are zero.
    if (++missing_ > most_missing) throw std::invalid_argument("the coded numbers are cut short");
    return 0;
  }

  static constexpr int most_missing = 4;
  const uint8_t *next_, *end_;
  int missing_ = 0;
  uint32_t low_ = 0, high_ = 0xffffffffu, code_ = 0;
};

}  // namespace partinr
