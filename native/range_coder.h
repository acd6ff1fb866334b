// Integers as bits whose probabilities are learned on the way, and those bits as one long binary fraction.
//
// docs/format.md, "Coded parameters", states all of it; src/partinr/file/range_coder.py is the same in Python. Integers
// alone, so that every machine reads what any other wrote.
//
// Sources: Witten, Neal, Cleary, "Arithmetic coding for data compression", Communications of the ACM 30(6), 1987 (the
// interval); Krichevsky, Trofimov, "The performance of universal encoding", IEEE Transactions on Information Theory
// 27(2), 1981 (probabilities from counts).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace partinr {

constexpr int most_seen = 254;

// How far a probability that was seen so often moves: 2^16 / (seen + 2).
constexpr std::array<uint16_t, most_seen + 1> learning_rates = [] {
  std::array<uint16_t, most_seen + 1> rates{};
  for (unsigned seen = 0; seen <= most_seen; seen++) rates[seen] = static_cast<uint16_t>(65536 / (seen + 2));
  return rates;
}();

// Probability, of 2^16, that a bit is set.
struct Chance {
  uint16_t set = 1 << 15;
  uint16_t seen = 0;

  void learn(bool bit) {
    constexpr uint32_t least = 32;
    const uint32_t rate = learning_rates[seen], p = set;
    const uint32_t next = bit ? p + ((65536 - p) * rate >> 16) : p - (p * rate >> 16);
    set = static_cast<uint16_t>(next < least ? least : next > 65536 - least ? 65536 - least : next);
    seen += seen < most_seen;
  }
};

// The interval that is left, both ends included.
struct Interval {
  uint32_t low = 0, high = UINT32_MAX;

  // Last number of the part in which the bit is set.
  uint32_t split(uint32_t set) const {
    const uint32_t range = high - low;
    return low + (range >> 16) * set + ((range & 0xffff) * set >> 16);
  }
  void take(bool bit, uint32_t at) {
    if (bit)
      high = at;
    else
      low = at + 1;
  }
  bool settled() const { return ((low ^ high) >> 24) == 0; }
  void shift() {
    low <<= 8;
    high = high << 8 | 0xff;
  }
};

struct BitWriter {
  static constexpr bool writes = true;
  Interval left;
  std::vector<uint8_t> bytes;

  bool code(bool bit, uint32_t set) {
    left.take(bit, left.split(set));
    for (; left.settled(); left.shift()) bytes.push_back(static_cast<uint8_t>(left.high >> 24));
    return bit;
  }
  // As few bytes as name a number of the interval if zeros follow.
  void finish() {
    for (int count = 0; count <= 4; count++) {
      const uint32_t kept = count ? left.high & ~uint32_t{0} << (32 - 8 * count) : 0;
      if (kept < left.low) continue;
      for (int i = 0; i < count; i++) bytes.push_back(static_cast<uint8_t>(kept >> (24 - 8 * i)));
      return;
    }
  }
};

struct BitReader {
  static constexpr bool writes = false;
  Interval left;
  const uint8_t* bytes;
  size_t size, read = 0;
  uint32_t window = 0;

  BitReader(const uint8_t* bytes_, size_t size_) : bytes(bytes_), size(size_) {
    for (int i = 0; i < 4; i++) next();
  }
  // Behind the last byte are zeros.
  void next() {
    window = window << 8 | (read < size ? bytes[read] : 0u);
    read++;
  }
  bool code(bool, uint32_t set) {
    const uint32_t at = left.split(set);
    const bool bit = window <= at;
    left.take(bit, at);
    for (; left.settled(); left.shift()) next();
    return bit;
  }
  // A writer leaves out at most four bytes.
  bool overrun() const { return read > size + 4; }
  bool finished() const { return read >= size && !overrun(); }
};

// What is known of integers of one class: how long they are, and their first bits.
struct IntegerModel {
  static constexpr int length_bits = 5, longest = 20, most_leading = 2;
  std::array<Chance, 1 << length_bits> length;
  std::array<std::array<Chance, 1 << most_leading>, longest + 1> leading;

  template <class Coder>
  static bool adaptive(Coder& coder, Chance& chance, bool bit) {
    bit = coder.code(bit, chance.set);
    chance.learn(bit);
    return bit;
  }

  // Codes a value and returns it: the given one, or the one that was read. `valid` turns false for what no writer writes.
  template <class Coder>
  int32_t code(Coder& coder, int32_t value, bool& valid) {
    uint32_t size = value < 0 ? 0u - static_cast<uint32_t>(value) : static_cast<uint32_t>(value);
    uint32_t bits = 0;
    while (bits < 32 && size >> bits) bits++;
    uint32_t node = 1;
    for (int i = length_bits - 1; i >= 0; i--) node = node << 1 | adaptive(coder, length[node], bits >> i & 1);
    bits = node - (1 << length_bits);
    if (bits > longest) return valid = false, 0;
    if (bits == 0) return 0;
    uint32_t found = 1;
    for (int i = static_cast<int>(bits) - 2, led = 0; i >= 0; i--, led++) {
      const bool bit = size >> i & 1;
      found = found << 1 |
              (led < most_leading ? adaptive(coder, leading[bits][found & ((1 << led) - 1) | 1 << led], bit)
                                  : coder.code(bit, 1 << 15));
    }
    const bool negative = coder.code(value < 0, 1 << 15);
    return negative ? -static_cast<int32_t>(found) : static_cast<int32_t>(found);
  }
};

struct IntegerModels {
  static constexpr int classes = 64;
  std::array<IntegerModel, classes> of;
};

}  // namespace partinr
