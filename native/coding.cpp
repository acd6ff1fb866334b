#include "coding.h"

namespace partinr {
namespace {

void check_classes(const Array<const uint8_t, 1>& classes) {
  for (size_t i = 0; i < classes.shape(0); i++)
    if (classes(i) >= IntegerModels::classes)
      refuse("classes must be below " + std::to_string(IntegerModels::classes) + ", got " + std::to_string(classes(i)));
}

}  // namespace

void IntegerWriter::write(const Array<const int32_t, 1>& values, const Array<const uint8_t, 1>& classes) {
  const int64_t count = static_cast<int64_t>(values.shape(0));
  expect(classes, {count}, "classes");
  check_classes(classes);
  constexpr int32_t limit = 1 << IntegerModel::longest;
  for (int64_t i = 0; i < count; i++)
    if (values.data()[i] <= -limit || values.data()[i] >= limit)
      refuse("integers must be below 2^20 in size, got " + std::to_string(values.data()[i]));
  bool valid = true;
  const nb::gil_scoped_release unlocked;
  for (int64_t i = 0; i < count; i++) models->of[classes.data()[i]].code(bits, values.data()[i], valid);
}

nb::bytes IntegerWriter::finish() {
  bits.finish();
  return nb::bytes(bits.bytes.data(), bits.bytes.size());
}

bool IntegerReader::read(const Array<const uint8_t, 1>& classes, const Array<int32_t, 1>& out) {
  const int64_t count = static_cast<int64_t>(classes.shape(0));
  expect(out, {count}, "out");
  check_classes(classes);
  bool valid = true;
  const nb::gil_scoped_release unlocked;
  for (int64_t i = 0; i < count && valid; i++) {
    out.data()[i] = models->of[classes.data()[i]].code(bits, 0, valid);
    valid = valid && !bits.overrun();
  }
  return valid;
}

}  // namespace partinr
