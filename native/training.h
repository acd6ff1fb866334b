// Training of regions of several networks in one call, so that no thread waits between one network and the next.
#pragma once
#include "arguments.h"

namespace partinr {

// Steps of some regions of one network; see `Job` in _native.pyi. Keeps the arrays that it was made of.
class Job {
 public:
  Job(const NetSpec& net, const Matrices& weights, const Rows& biases, const Matrices& m_w, const Rows& m_b,
      const Matrices& v_w, const Rows& v_b, const Array<const float, 2>& coords, const Array<const float, 2>& values,
      const Array<const int64_t, 1>& offsets, const Array<const int64_t, 1>& regions,
      const Array<const uint64_t, 1>& region_keys, int64_t first_step, const Array<const float, 1>& learning_rates,
      int64_t batch, double beta1, double beta2, double eps, const Array<const double, 1>& loss_scale,
      const Array<float, 2>& losses, const std::optional<Array<const float, 1>>& sample_weights);
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  Network network() const { return net_.view(); }
  int64_t batch() const { return plan_.batch; }
  int64_t rows() const { return static_cast<int64_t>(regions_.shape(0)); }
  // Samples of a step of the region in a row.
  int64_t used(int64_t row) const;
  // Products of a step of the region in a row.
  int64_t work(int64_t row) const { return used(row) * products_; }
  // Trains the region in a row; returns the steps done.
  int64_t train(const Kernel& path, void* worker, Team* team, int64_t row, const int* halt) const;

 private:
  const NetSpec net_;
  const std::vector<Matrices> matrices_;
  const std::vector<Rows> rows_;
  const Array<const float, 2> coords_, values_;
  const std::optional<Array<const float, 1>> importance_;
  const Array<const int64_t, 1> offsets_, regions_;
  const Array<const uint64_t, 1> keys_;
  const Array<const float, 1> rates_;
  const Array<const double, 1> scales_;
  const Array<float, 2> losses_;
  const Stack parameters_, first_, second_;
  Packed packed_;
  const Schedule plan_;
  int64_t products_ = 0;
};

// See `train` in _native.pyi.
nb::list train(const std::vector<const Job*>& jobs, int threads, const nb::object& stop, const std::string& precision);

}  // namespace partinr
