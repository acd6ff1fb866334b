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
namespace {

// From one call of poll() to the next.
constexpr std::chrono::milliseconds pause{20};

// A pause of a thread that waits for another for a moment.
inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Waits until value() is no longer `old`: for the time of a short piece of work awake, then asleep.
template <class T>
void wait_while(const std::atomic<T>& value, T old) {
  for (int i = 0; i < 4000; i++) {
    if (value.load(std::memory_order_acquire) != old) return;
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

// A thread's workers, one for each network.
using Workers = std::vector<std::unique_ptr<void, void (*)(void*)>>;

// What all threads of a run know of one another.
struct Board {
  std::atomic<uint32_t> news{0};  // counts what idle threads should look at

  void announce() {
    news.fetch_add(1, std::memory_order_acq_rel);
    news.notify_all();
  }
};

// The work that one thread shares, in phases: the items of a phase are claimed one by one by whoever comes, the
// thread itself included. Phase, next item and number of items are one word, so that a claim is of the phase whose
// items were counted, and a phase cannot end between a claim and its work.
class Crew : public Team {
 public:
  explicit Crew(Board& board) : Team{&enter}, board_(board) {}

  // The network of what is shared from now on.
  void turn_to(size_t network) { network_ = network; }

  // Does one item with the worker for its network; false if there is none.
  bool help(const Workers& workers) {
    const int64_t item = claim();
    if (item < 0) return false;
    finish(workers[network_].get(), item);
    return true;
  }

 private:
  static constexpr int bits = 20;
  static constexpr uint64_t most = (uint64_t{1} << bits) - 1;
  static uint64_t next(uint64_t ticket) { return ticket & most; }
  static uint64_t items(uint64_t ticket) { return ticket >> bits & most; }

  // The next item, which is then to be finished; negative if there is none.
  int64_t claim() {
    uint64_t ticket = ticket_.load(std::memory_order_acquire);
    do {
      if (next(ticket) >= items(ticket)) return -1;
    } while (!ticket_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_acq_rel, std::memory_order_acquire));
    return static_cast<int64_t>(next(ticket));
  }

  void finish(void* worker, int64_t item) {
    work_(context_, worker, item);
    if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
  }

  static void enter(Team* team, void* worker, int64_t items, void (*work)(void*, void*, int64_t), void* context) {
    Crew& crew = *static_cast<Crew*>(team);
    // Far more than there ever are; then a thread works alone.
    if (items > static_cast<int64_t>(most)) {
      for (int64_t i = 0; i < items; i++) work(context, worker, i);
      return;
    }
    crew.work_ = work;
    crew.context_ = context;
    crew.left_.store(items, std::memory_order_relaxed);
    crew.phase_++;
    crew.ticket_.store(crew.phase_ << (2 * bits) | static_cast<uint64_t>(items) << bits, std::memory_order_release);
    crew.board_.announce();
    for (int64_t item; (item = crew.claim()) >= 0;) crew.finish(worker, item);
    for (int64_t left; (left = crew.left_.load(std::memory_order_acquire)) > 0;) wait_while(crew.left_, left);
  }

  Board& board_;
  size_t network_ = 0;
  uint64_t phase_ = 0;
  void (*work_)(void*, void*, int64_t) = nullptr;
  void* context_ = nullptr;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> left_{0};
};

}  // namespace

void run(const Kernel& kernel, const std::vector<Network>& networks, int64_t items, int64_t threads,
         const std::function<size_t(int64_t item)>& network_of,
         const std::function<bool(void* worker, size_t network)>& prepare,
         const Work& work, const Poll& poll) {
  if (items == 0 || poll()) return;
  std::vector<Workers> workers(static_cast<size_t>(threads));
  for (Workers& own : workers)
    for (size_t n = 0; n < networks.size(); n++) {
      own.emplace_back(kernel.create(networks[n]), kernel.destroy);
      if (!own.back() || !prepare(own.back().get(), n)) throw std::bad_alloc();
    }

  Board board;
  std::vector<std::unique_ptr<Crew>> crews;
  for (int64_t i = 0; i < threads; i++) crews.push_back(std::make_unique<Crew>(board));
  std::atomic<int64_t> next{0}, busy{threads};
  int stop = 0;
  std::mutex mutex;
  std::condition_variable ended;
  int64_t running = threads;
  std::exception_ptr error;

  auto own_items = [&](int64_t me) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
      const int64_t item = next.fetch_add(1, std::memory_order_relaxed);
      if (item >= items) break;
      const size_t network = network_of(item);
      crews[me]->turn_to(network);
      try {
        work(workers[me][network].get(), threads > 1 ? crews[me].get() : nullptr, item, &stop);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error) error = std::current_exception();
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
      }
    }
    busy.fetch_sub(1, std::memory_order_acq_rel);
    board.announce();
  };
  auto others_items = [&](int64_t me) {
    for (;;) {
      const uint32_t news = board.news.load(std::memory_order_acquire);
      bool helped = false;
      for (int64_t i = 1; i < threads; i++)
        while (crews[(me + i) % threads]->help(workers[me])) helped = true;
      if (helped) continue;
      if (busy.load(std::memory_order_acquire) == 0) return;
      wait_while(board.news, news);
    }
  };
  {
    std::vector<std::jthread> pool;
    try {
      for (int64_t i = 0; i < threads; i++) {
        pool.emplace_back([&, i] {
          own_items(i);
          others_items(i);
          const std::lock_guard lock(mutex);
          if (--running == 0) ended.notify_one();
        });
      }
      std::unique_lock lock(mutex);
      while (!ended.wait_for(lock, pause, [&] { return running == 0; })) {
        lock.unlock();
        if (poll()) __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
        lock.lock();
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
      __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
      // Threads that did not start are busy no longer.
      busy.fetch_sub(threads - static_cast<int64_t>(pool.size()), std::memory_order_acq_rel);
      board.announce();
    }
  }  // joins
  if (error) std::rethrow_exception(error);
}

void run(const Kernel& kernel, const Network& network, int64_t items, int64_t threads,
         const std::function<bool(void* worker)>& prepare,
         const Work& work, const Poll& poll) {
  run(kernel, std::vector<Network>{network}, items, threads, [](int64_t) { return size_t{0}; },
      [&](void* worker, size_t) { return prepare(worker); }, work, poll);
}

void run_here(void* worker, int64_t items, const Work& work, const Poll& poll) {
  const int stop = 0;
  const auto now = std::chrono::steady_clock::now;
  auto asked = now();
  if (items == 0 || poll()) return;
  for (int64_t item = 0; item < items; item++) {
    if (now() - asked > pause) {
      if (poll()) return;
      asked = now();
    }
    work(worker, nullptr, item, &stop);
  }
}

void run(int64_t items, int64_t threads, const Work& work, const Poll& poll) {
  if (threads == 1) return run_here(nullptr, items, work, poll);
  static int nobody;
  Kernel none{};
  none.create = [](const Network&) -> void* { return &nobody; };
  none.destroy = [](void*) {};
  const auto alone = [&](void*, Team* team, int64_t item, const int* stop) { work(nullptr, team, item, stop); };
  run(none, Network{}, items, threads, [](void*) { return true; }, alone, poll);
}

}  // namespace partinr
