#include "spectra_model.h"

namespace partinr {
namespace {

constexpr int32_t largest = 1 << 26;

}  // namespace

std::vector<uint8_t> encode_slice(const Layout& layout, int64_t first_root, int64_t last_root, const uint8_t* splits,
                                  const int32_t* coefficients) {
  BitWriter port;
  SpectraModel<BitWriter> model(layout, layout.span(first_root, last_root), port);
  std::vector<int32_t> scratch;
  auto own = [&](const Box& box) {
    const int64_t count = box.samples() * layout.channels;
    scratch.assign(coefficients, coefficients + count);
    for (const int32_t q : scratch)
      if (q <= -largest || q >= largest) throw std::invalid_argument("the step is too small for these values");
    coefficients += count;
    return scratch.data();
  };
  for (int64_t i = first_root; i < last_root; i++) model.tree(layout.root_box(i), splits, nullptr, own);
  port.finish();
  return std::move(port.bytes);
}

Spectra decode_slice(const Layout& layout, int64_t first_root, int64_t last_root, const uint8_t* bytes, size_t size) {
  BitReader port(bytes, size);
  SpectraModel<BitReader> model(layout, layout.span(first_root, last_root), port);
  Spectra found;
  found.coefficients.reserve(static_cast<size_t>(layout.span(first_root, last_root).samples() * layout.channels));
  const uint8_t* none = nullptr;
  auto own = [&](const Box& box) {
    found.boxes.push_back(box);
    const size_t before = found.coefficients.size();
    found.coefficients.resize(before + static_cast<size_t>(box.samples() * layout.channels));
    return found.coefficients.data() + before;
  };
  for (int64_t i = first_root; i < last_root; i++) model.tree(layout.root_box(i), none, &found.splits, own);
  if (!port.finished()) throw std::invalid_argument("the coded numbers end too early or too late");
  return found;
}

}  // namespace partinr
