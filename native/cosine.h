// Networks of one hidden layer of cosines with whole frequencies, whose output layer alone has parameters: a function
// is the sum over k of W_k prod_a cos(pi k_a (u_a + 1) / 2), so all that is done with it is done axis by axis.
#pragma once
#include "evaluator.h"

namespace partinr {

// cos(pi k (u + 1) / 2) at `count` coordinates for k = 0 .. frequencies - 1, shape (frequencies, count), by Chebyshev's
// recurrence.
template <class T>
void cosines(const T* u, int64_t count, int64_t frequencies, double* out) {
  constexpr double half_pi = 1.57079632679489661923;
  std::fill_n(out, count, 1.0);
  if (frequencies < 2) return;
  double* const first = out + count;
  for (int64_t i = 0; i < count; i++) first[i] = std::cos(half_pi * (static_cast<double>(u[i]) + 1));
  for (int64_t k = 2; k < frequencies; k++) {
    double* const next = out + k * count;
    for (int64_t i = 0; i < count; i++) next[i] = 2 * first[i] * next[i - count] - next[i - 2 * count];
  }
}

// Their derivatives of this order, 1 or 2, with respect to u, from the cosines themselves.
template <class T>
void cosine_derivatives(const T* u, int64_t count, int64_t frequencies, int order, const double* cosine, double* out) {
  constexpr double half_pi = 1.57079632679489661923;
  std::fill_n(out, count * std::min<int64_t>(frequencies, 2), 0.0);
  if (frequencies < 2) return;
  if (order == 2) {
    for (int64_t k = 1; k < frequencies; k++)
      for (int64_t i = k * count; i < (k + 1) * count; i++) out[i] = -(half_pi * k) * (half_pi * k) * cosine[i];
    return;
  }
  double* const first = out + count;
  for (int64_t i = 0; i < count; i++) first[i] = std::sin(half_pi * (static_cast<double>(u[i]) + 1));
  for (int64_t k = 2; k < frequencies; k++)
    for (int64_t i = k * count; i < (k + 1) * count; i++)
      out[i] = 2 * cosine[i % count + count] * out[i - count] - out[i - 2 * count];
  for (int64_t k = 1; k < frequencies; k++)
    for (int64_t i = k * count; i < (k + 1) * count; i++) out[i] *= -half_pi * k;
}

// The shape of one region's network.
struct Cosines {
  int dims, channels, frequencies;

  Cosines(int dims, int channels, int frequencies);
  // Products of cosines, the constant included.
  int64_t products() const;
  LayerShapes layer_shapes() const;
  // Frequencies along each of three axes: those that are missing come first and have the constant alone.
  int64_t along(int axis) const { return axis < 3 - dims ? 1 : frequencies; }
};

class CosineRegions : public Evaluator {
  static constexpr int64_t block = 16;  // points side by side
  struct Scratch;

 public:
  CosineRegions(const Cosines& net, const Matrices& weights, const Rows& biases);
  void run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const override;
  void values(void* worker, const Region& region, const Derivative& what, float* out, const int* halt) const override;
  void sums(void* worker, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
            const int* halt) const override;

 private:
  // Parameters of a region, the constant's first: (products, channels), or (channels, products).
  std::vector<float> products(int64_t region, bool by_channel) const;
  // The same with rows for the channels side by side, (frequencies of the first axis and the second, row()).
  void rows(int64_t region, std::vector<float>& found) const;
  int64_t row() const { return padded(net_.along(2) * channels); }
  // Sums over all products of cosines at up to `block` points: tables (frequencies, block) of each axis' factors.
  void superpose(const float* weights, const float* const (&tables)[3], float* total) const;
  // The same on a lattice, of `rows`: tables as `Tables` has them; `step` numbers from one place to the next.
  void synthesise(Scratch& scratch, const float* const (&tables)[3], const Nodes (&nodes)[3], float* out,
                  int64_t step) const;

  const Cosines& net_;
  const Kernel& kernel_;
  const Stack parameters_;
};

// See `solve_readout` in _native.pyi.
void solve_readout(const Cosines& net, const Matrices& weights, const Rows& biases, const Array<const float, 2>& coords,
                   const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets, double ridge,
                   const std::optional<Array<const float, 1>>& sample_weights,
                   const std::optional<Array<const int64_t, 2>>& extents, int threads, const Array<float, 3>& out);

}  // namespace partinr
