// Pieces of work spread over threads, each with its own scratch memory.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "kernel.h"

namespace partinr {

using Poll = std::function<bool()>;
using Work = std::function<void(void* worker, Team* team, int64_t item, const int* stop)>;

// Calls work(worker, team, item, stop) once for each item 0..items-1, on `threads` threads, lowest first; threads
// that find no item left take shares of what others pass to their team. Each thread has a worker for every network;
// the one for an item is that of networks[network_of(item)]. The calling thread meanwhile calls poll() every few
// milliseconds; once that returns true, *stop turns 1 and no further items start. `prepare` is called with each worker
// and the place of its network before any work, and reserves what the work needs. Throws std::bad_alloc before any
// work, or what poll() or work() threw after all threads have ended.
void run(const Kernel& kernel, const std::vector<Network>& networks, int64_t items, int64_t threads,
         const std::function<size_t(int64_t item)>& network_of,
         const std::function<bool(void* worker, size_t network)>& prepare,
         const Work& work, const Poll& poll);

// The same where all items are of one network.
void run(const Kernel& kernel, const Network& network, int64_t items, int64_t threads,
         const std::function<bool(void* worker)>& prepare,
         const Work& work, const Poll& poll);

// The same for work that needs no scratch memory of a kernel: its worker is null. One thread is the calling one, which
// calls poll() between items.
void run(int64_t items, int64_t threads, const Work& work, const Poll& poll);

// On the calling thread, with this worker: many a piece of work is done sooner than a thread has begun.
void run_here(void* worker, int64_t items, const Work& work, const Poll& poll);

}  // namespace partinr
