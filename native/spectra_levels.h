// Sizes of numbers in a few classes.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace partinr {

// Three classes an octave, but for small numbers: a number's level is how many of these are no greater.
constexpr std::array<int32_t, 23> level_starts{1,  2,  3,  4,  5,  7,   8,   10,  13,  16,  20, 25,
                                               32, 40, 50, 64, 80, 100, 128, 160, 200, 256, 320};
constexpr int levels = level_starts.size() + 1;

constexpr std::array<uint8_t, level_starts.back() + 1> level_table = [] {
  std::array<uint8_t, level_starts.back() + 1> found{};
  for (int i = 0; i <= level_starts.back(); i++)
    for (const int32_t start : level_starts) found[i] += i >= start;
  return found;
}();

inline int32_t level(int64_t value) {
  return level_table[static_cast<size_t>(std::min<int64_t>(value, level_starts.back()))];
}

inline int32_t bit_length(uint64_t value) {
  return static_cast<int32_t>(std::bit_width(value));
}

// Rounded down; C++ rounds towards 0.
inline int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by < 0);
}

}  // namespace partinr
