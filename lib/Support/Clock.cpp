// Two clocks, one interface: the machine's, and one that a test moves by hand,
// so that nothing that depends on time needs to wait for it.

#include "Support/Clock.h"

#include <ctime>

namespace hotjit {

// clock_gettime, not std::chrono::steady_clock: CLOCK_MONOTONIC is what the
// event stream promises as "time_ns", and what other tools can compare with.
Nanoseconds RealClock::now() const {
  timespec T{};
  ::clock_gettime(CLOCK_MONOTONIC, &T);
  return std::chrono::seconds(T.tv_sec) + Nanoseconds(T.tv_nsec);
}

} // namespace hotjit
