#include "Reserve.h"

#include <atomic>
#include <cstddef>
#include <sys/mman.h>

using namespace hotjit;

// What a compiler leaves behind when it is interrupted is not given back, so
// this is for what comes after: the end of the reload, the event, its JSON.
static constexpr size_t ReserveSize = 8 << 20;
static std::atomic<void *> Reserve{nullptr};

void hotjit::keepReserve() {
  if (Reserve)
    return;
  void *Memory = ::mmap(nullptr, ReserveSize, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  void *None = nullptr;
  if (Memory != MAP_FAILED && !Reserve.compare_exchange_strong(None, Memory))
    ::munmap(Memory, ReserveSize);
}

bool hotjit::useReserve() {
  void *Memory = Reserve.exchange(nullptr);
  return Memory && ::munmap(Memory, ReserveSize) == 0;
}
