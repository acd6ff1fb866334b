#include "queue.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace partinr {

void run(const Kernel& kernel, const Network& network, int64_t batch, int64_t items, int threads,
         const std::function<void(void* worker, int64_t item, const int* stop)>& work,
         const std::function<bool()>& poll) {
  if (items == 0 || poll()) return;
  const int64_t count = std::min<int64_t>(threads, items);
  std::vector<std::unique_ptr<void, void (*)(void*)>> workers;
  for (int64_t i = 0; i < count; i++) {
    workers.emplace_back(kernel.create(network), kernel.destroy);
    if (!workers.back() || !kernel.reserve(workers.back().get(), batch)) throw std::bad_alloc();
  }

  std::atomic<int64_t> next{0};
  int stop = 0;
  std::mutex mutex;
  std::condition_variable ended;
  int64_t running = count;
  std::exception_ptr error;
  {
    std::vector<std::jthread> pool;
    try {
      for (int64_t i = 0; i < count; i++) {
        pool.emplace_back([&, worker = workers[i].get()] {
          while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
            const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
            if (item >= items) break;
            work(worker, item, &stop);
          }
          const std::lock_guard lock(mutex);
          if (--running == 0) ended.notify_one();
        });
      }
      std::unique_lock lock(mutex);
      while (!ended.wait_for(lock, std::chrono::milliseconds(20), [&] { return running == 0; })) {
        lock.unlock();
        if (poll()) __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        lock.lock();
      }
    } catch (...) {
      error = std::current_exception();
      __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    }
  }  // joins
  if (error) std::rethrow_exception(error);
}

}  // namespace partinr
