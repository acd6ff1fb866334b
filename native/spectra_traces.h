// What boxes leave for those that touch them and are coded later: statistics of their coefficients.
#pragma once
#include <utility>

#include "spectra_faces.h"
#include "spectra_levels.h"

namespace partinr {

struct Trace {
  int32_t depth = 0;
  std::vector<int32_t> bands;                     // (channels, bands): mean size in 16ths of the coefficients of a band
  std::vector<int32_t> reach;                     // (channels,): how far coefficients reach, in 64ths of the greatest
  std::vector<std::array<int32_t, 2>> agreement;  // (channels,): of signs with those of two other channels
  int64_t places = 0;                             // where it is the last box along some axis
  int64_t border = 0;                             // that it has in common with the box at hand
};

// What the boxes that touch one say of it, by the length of the common border.
struct Expected {
  int64_t weight = 0;
  std::vector<int64_t> bands, reach;
  std::vector<std::array<int64_t, 2>> agreement;
};

class Traces {
 public:
  Traces(const Faces& faces, int32_t channels, int32_t bands) : faces_(faces), channels_(channels), bands_(bands) {
    for (int a = faces.first_axis; a < 3; a++) owner_[a].assign(faces.size(a), -1);
  }

  // How many boxes that touch the first sample of one are smaller.
  int smaller(const Box& box) const {
    int found = 0;
    for (int a = faces_.first_axis; a < 3; a++)
      if (faces_.touches(box, a)) found += traces_[owner_[a][faces_.index(box.start, a)]].depth > box.depth;
    return found;
  }

  const Expected& expected(const Box& box) {
    near_.clear();
    for (int a = faces_.first_axis; a < 3; a++) {
      if (!faces_.touches(box, a)) continue;
      const int32_t columns = box.size[Faces::along(a)];
      faces_.rows(box, a, [&](size_t place) {
        const int32_t* row = &owner_[a][place];
        for (int32_t j = 0, next; j < columns; j = next) {
          for (next = j + 1; next < columns && row[next] == row[j];) next++;
          Trace& trace = traces_[row[j]];
          if (trace.border == 0) near_.push_back(row[j]);
          trace.border += next - j;
        }
      });
    }
    expected_.weight = 0;
    expected_.bands.assign(size_t(channels_) * bands_, 0);
    expected_.reach.assign(channels_, 0);
    expected_.agreement.assign(channels_, {});
    for (const int32_t id : near_) {
      Trace& trace = traces_[id];
      const int64_t weight = std::exchange(trace.border, 0);
      expected_.weight += weight;
      for (size_t i = 0; i < trace.bands.size(); i++) expected_.bands[i] += weight * trace.bands[i];
      for (int32_t c = 0; c < channels_; c++) {
        expected_.reach[c] += weight * trace.reach[c];
        for (int i = 0; i < 2; i++) expected_.agreement[c][i] += weight * trace.agreement[c][i];
      }
    }
    if (expected_.weight) {
      for (auto& value : expected_.bands) value /= expected_.weight;
      for (auto& value : expected_.reach) value /= expected_.weight;
      for (auto& pair : expected_.agreement)
        for (auto& value : pair) value = floor_divide(value, expected_.weight);
    }
    return expected_;
  }

  // An empty trace for the box at hand; those that nothing touches any more are used again.
  Trace& begin(const Box& box) {
    if (free_.empty()) {
      free_.push_back(static_cast<int32_t>(traces_.size()));
      traces_.emplace_back();
    }
    Trace& trace = traces_[free_.back()];
    trace.depth = box.depth;
    trace.bands.assign(size_t(channels_) * bands_, 0);
    trace.reach.assign(channels_, 0);
    trace.agreement.assign(channels_, {});
    return trace;
  }

  // Leaves it for those after the box.
  void end(const Box& box) {
    const int32_t id = free_.back();
    free_.pop_back();
    for (int a = faces_.first_axis; a < 3; a++)
      faces_.rows(box, a, [&](size_t place) {
        const int32_t columns = box.size[Faces::along(a)];
        traces_[id].places += columns;
        for (int32_t* owner = &owner_[a][place]; owner < &owner_[a][place] + columns; owner++) {
          if (*owner >= 0 && --traces_[*owner].places == 0) free_.push_back(*owner);
          *owner = id;
        }
      });
  }

 private:
  const Faces faces_;
  const int32_t channels_, bands_;
  std::vector<Trace> traces_;
  std::vector<int32_t> free_, near_;
  std::array<std::vector<int32_t>, 3> owner_;  // the last box along an axis, for each place of its face
  Expected expected_;
};

}  // namespace partinr
