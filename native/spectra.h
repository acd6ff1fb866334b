// Spectra: the coefficients of cosines over the boxes of a tree, as whole numbers of one step.
//
// Three axes everywhere; those that a signal lacks come first and have one sample.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

namespace partinr {

using Place = std::array<int32_t, 3>;

struct Box {
  Place start, size;
  int32_t depth;  // splits above it

  int64_t samples() const { return int64_t{size[0]} * size[1] * size[2]; }
};

// How a signal's samples are cut: equal parts of at most `root` samples along each axis, of which each is halved along
// all its axes as often as the tree says, down to sides of `least` samples.
struct Layout {
  Place shape;
  int32_t dims, channels, root, least;

  Place roots() const {
    Place count;
    for (int a = 0; a < 3; a++) count[a] = (shape[a] + root - 1) / root;
    return count;
  }

  Box root_box(int64_t index) const {
    const Place count = roots();
    const Place at{static_cast<int32_t>(index / (int64_t{count[1]} * count[2])),
                   static_cast<int32_t>(index / count[2] % count[1]), static_cast<int32_t>(index % count[2])};
    Box box{};
    for (int a = 0; a < 3; a++) {
      box.start[a] = static_cast<int32_t>(int64_t{at[a]} * shape[a] / count[a]);
      box.size[a] = static_cast<int32_t>((int64_t{at[a]} + 1) * shape[a] / count[a]) - box.start[a];
    }
    return box;
  }

  // The box of some whole rows of roots.
  Box span(int64_t first, int64_t last) const {
    Box box = root_box(first);
    const Box end = root_box(last - 1);
    for (int a = 0; a < 3; a++) box.size[a] = end.start[a] + end.size[a] - box.start[a];
    return box;
  }

  // Whether a box may be halved: along all axes of more than one sample at once.
  bool splits(const Box& box) const {
    bool any = false;
    for (int a = 3 - dims; a < 3; a++) {
      if (box.size[a] == 1) continue;
      if (box.size[a] < 2 * least) return false;
      any = true;
    }
    return any;
  }

  // Calls visit(part) for each half, the last axis fastest; the first half of an odd number is the smaller one.
  template <class Visit>
  void halve(const Box& box, Visit visit) const {
    Place parts;
    for (int a = 0; a < 3; a++) parts[a] = box.size[a] > 1 ? 2 : 1;
    for (int i = 0; i < parts[0]; i++)
      for (int j = 0; j < parts[1]; j++)
        for (int k = 0; k < parts[2]; k++) {
          Box part{box.start, box.size, box.depth + 1};
          const Place at{i, j, k};
          for (int a = 0; a < 3; a++) {
            if (parts[a] == 1) continue;
            const int32_t half = box.size[a] / 2;
            part.start[a] += at[a] ? half : 0;
            part.size[a] = at[a] ? box.size[a] - half : half;
          }
          visit(part);
        }
  }

  // Slices: rows of roots along the first axis of more than one of them that are coded by themselves, so that threads
  // can share the work. Each is a range of roots.
  std::vector<std::array<int64_t, 2>> slices() const {
    constexpr int64_t enough = 1 << 20;
    const Place count = roots();
    const int64_t all = int64_t{count[0]} * count[1] * count[2];
    const int first = count[0] > 1 ? 0 : count[1] > 1 ? 1 : 2;
    const int64_t row = all / count[first], samples = int64_t{shape[0]} * shape[1] * shape[2] / count[first];
    const int64_t rows = std::max<int64_t>(1, enough / std::max<int64_t>(1, samples));
    std::vector<std::array<int64_t, 2>> found;
    for (int64_t i = 0; i < count[first]; i += rows)
      found.push_back({i * row, std::min<int64_t>(i + rows, count[first]) * row});
    return found;
  }
};

// What is coded: for each root its splits in depth-first order (1: halved), and for each box that is not, all
// coefficients of each channel, those of higher frequencies along the last axis fastest.
struct Spectra {
  std::vector<uint8_t> splits;
  std::vector<Box> boxes;
  std::vector<int32_t> coefficients;
};

std::vector<uint8_t> encode_slice(const Layout&, int64_t first_root, int64_t last_root, const uint8_t* splits,
                                  const int32_t* coefficients);

// Throws std::invalid_argument when these are no such bytes.
Spectra decode_slice(const Layout&, int64_t first_root, int64_t last_root, const uint8_t* bytes, size_t size);

}  // namespace partinr
