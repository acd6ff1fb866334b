// Integers in few bytes; see range_coder.h.
#pragma once
#include <memory>

#include "arguments.h"
#include "range_coder.h"

namespace partinr {

struct IntegerWriter {
  BitWriter bits;
  std::unique_ptr<IntegerModels> models = std::make_unique<IntegerModels>();

  void write(const Array<const int32_t, 1>& values, const Array<const uint8_t, 1>& classes);
  nb::bytes finish();
};

struct IntegerReader {
  std::vector<uint8_t> payload;
  BitReader bits;
  std::unique_ptr<IntegerModels> models = std::make_unique<IntegerModels>();

  explicit IntegerReader(const nb::bytes& given)
      : payload(static_cast<const uint8_t*>(given.data()), static_cast<const uint8_t*>(given.data()) + given.size()),
        bits(payload.data(), payload.size()) {}
  // False if no writer writes such bytes.
  bool read(const Array<const uint8_t, 1>& classes, const Array<int32_t, 1>& out);
  bool finished() const { return bits.finished(); }
};

}  // namespace partinr
