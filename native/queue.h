// Pieces of work spread over threads, each with its own scratch memory.
#pragma once
#include <cstdint>
#include <functional>

#include "kernel.h"

namespace partinr {

// Calls work(worker, item, stop) once for each item 0..items-1, on `threads` threads, lowest first. The calling
// thread meanwhile calls poll() every few milliseconds; once that returns true, *stop turns 1 and no further items
// start. `batch` is what the workers reserve. Throws std::bad_alloc before any work, or what poll() threw after all
// threads have ended.
void run(const Kernel& kernel, const Network& network, int64_t batch, int64_t items, int threads,
         const std::function<void(void* worker, int64_t item, const int* stop)>& work,
         const std::function<bool()>& poll);

}  // namespace partinr
