#ifndef HOTJIT_SUPPORT_CLOCK_H
#define HOTJIT_SUPPORT_CLOCK_H

#include <chrono>

namespace hotjit {

using Nanoseconds = std::chrono::nanoseconds;

/// CLOCK_MONOTONIC, or a clock that a test moves by hand.
class Clock {
public:
  virtual ~Clock() = default;
  /// Time since an arbitrary fixed point. Any thread.
  virtual Nanoseconds now() const = 0;
};

class RealClock final : public Clock {
public:
  Nanoseconds now() const override;
};

inline double toMilliseconds(Nanoseconds T) { return T.count() / 1e6; }

} // namespace hotjit

#endif
