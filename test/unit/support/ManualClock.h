#ifndef HOTJIT_TEST_MANUALCLOCK_H
#define HOTJIT_TEST_MANUALCLOCK_H

#include "Support/Clock.h"

#include <atomic>

namespace hotjit::test {

/// A clock that stands still until the test moves it. Any thread.
class ManualClock final : public Clock {
public:
  Nanoseconds now() const override { return Nanoseconds(Now.load()); }
  void set(Nanoseconds T) { Now = T.count(); }
  void advance(Nanoseconds By) { Now += By.count(); }

private:
  std::atomic<Nanoseconds::rep> Now{0};
};

} // namespace hotjit::test

#endif
