#include "training.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include "dispatch.h"
#include "queue.h"

namespace partinr {

Job::Job(const NetSpec& net, const Matrices& weights, const Rows& biases, const Matrices& m_w, const Rows& m_b,
         const Matrices& v_w, const Rows& v_b, const Array<const float, 2>& coords,
         const Array<const float, 2>& values, const Array<const int64_t, 1>& offsets,
         const Array<const int64_t, 1>& regions, const Array<const uint64_t, 1>& region_keys, int64_t first_step,
         const Array<const float, 1>& learning_rates, int64_t batch, double beta1, double beta2, double eps,
         const Array<const double, 1>& loss_scale, const Array<float, 2>& losses,
         const std::optional<Array<const float, 1>>& sample_weights)
    : net_(net), matrices_{weights, m_w, v_w}, rows_{biases, m_b, v_b}, coords_(coords), values_(values),
      importance_(sample_weights), offsets_(offsets), regions_(regions), keys_(region_keys), rates_(learning_rates),
      scales_(loss_scale), losses_(losses),
      parameters_(net.layer_shapes(), weights, biases, regions_of(biases), "parameters"),
      first_(net.layer_shapes(), m_w, m_b, regions_of(biases), "first moments"),
      second_(net.layer_shapes(), v_w, v_b, regions_of(biases), "second moments"),
      packed_(net.dims, net.channels, coords, offsets, regions_of(biases)),
      plan_{learning_rates.data(), static_cast<int64_t>(learning_rates.shape(0)), first_step, batch, beta1, beta2, eps} {
  packed_.with_values(values);
  packed_.with_importance(sample_weights);
  check_regions(regions, packed_.regions);
  expect(region_keys, {packed_.regions}, "region_keys");
  expect(loss_scale, {packed_.regions}, "loss_scale");
  expect(losses, {rows(), plan_.steps}, "losses");
  if (first_step < 0 || batch < 0 || batch > INT32_MAX) refuse("first_step and batch must not be negative");
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) refuse("beta1 and beta2 must be in [0, 1)");
  if (!(eps > 0)) refuse("eps must be above 0, got " + std::to_string(eps));
  for (const auto& [fan_in, fan_out] : net.layer_shapes()) products_ += int64_t(fan_in) * fan_out;
}

int64_t Job::used(int64_t row) const {
  const int64_t samples = packed_.region(regions_.data()[row]).samples;
  return plan_.batch ? std::min(plan_.batch, samples) : samples;
}

int64_t Job::train(const Kernel& path, void* worker, Team* team, int64_t row, const int* halt) const {
  Region region = packed_.region(regions_.data()[row]);
  if (!region.samples) return plan_.steps;
  region.key = keys_.data()[region.index];
  region.loss_scale = scales_.data()[region.index];
  return path.train(worker, team, parameters_.view(), first_.view(), second_.view(), region, plan_,
                    losses_.data() + row * plan_.steps, halt);
}

nb::list train(const std::vector<const Job*>& jobs, int threads, const nb::object& stop, const std::string& precision) {
  check_threads(threads);
  const Kernel& path = kernel_for(precision);
  struct Item {
    size_t job;
    int64_t row, work;
  };
  std::vector<Item> items;
  std::vector<Network> networks;
  std::vector<int64_t> most_samples;
  std::vector<std::vector<int64_t>> done;
  int64_t parallel = 0;
  for (size_t j = 0; j < jobs.size(); j++) {
    const Job& job = *jobs[j];
    networks.push_back(job.network());
    most_samples.push_back(0);
    done.emplace_back(static_cast<size_t>(job.rows()), 0);
    for (int64_t row = 0; row < job.rows(); row++) {
      items.push_back({j, row, job.work(row)});
      most_samples[j] = std::max(most_samples[j], job.used(row));
      parallel += path.slices(networks[j], job.used(row));
    }
  }
  // Most work first, so that no thread is left with much of it at the end.
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.work > b.work; });
  const auto at = [&](int64_t item) -> const Item& { return items[static_cast<size_t>(item)]; };
  const auto poll = poller(stop);
  {
    const nb::gil_scoped_release unlocked;
    run(
        path, networks, static_cast<int64_t>(items.size()), std::min<int64_t>(threads, parallel),
        [&](int64_t item) { return at(item).job; },
        [&](void* worker, size_t job) { return path.reserve(worker, jobs[job]->batch(), most_samples[job]); },
        [&](void* worker, Team* team, int64_t item, const int* halt) {
          const Item& it = at(item);
          done[it.job][static_cast<size_t>(it.row)] = jobs[it.job]->train(path, worker, team, it.row, halt);
        },
        poll);
  }
  nb::list found;
  for (auto& steps : done) found.append(to_numpy(std::move(steps)));
  return found;
}

}  // namespace partinr
