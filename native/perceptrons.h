// Evaluation of networks of several layers.
#pragma once
#include "evaluator.h"

namespace partinr {

class Perceptrons : public Evaluator {
 public:
  Perceptrons(const NetSpec& net, const Matrices& weights, const Rows& biases);
  void run(int64_t items, int64_t threads, const Work& work, const Poll& poll) const override;
  void values(void* worker, const Region& region, const Derivative& what, float* out, const int* halt) const override;
  int64_t longest() const override { return dims > 1 ? longest_row : INT64_MAX; }
  void sums(void* worker, int64_t region, const Nodes (&nodes)[3], const Derivative& what, float* out,
            const int* halt) const override;

 private:
  const NetSpec& net_;
  const Stack parameters_;
  const Kernel& path_;
};

}  // namespace partinr
