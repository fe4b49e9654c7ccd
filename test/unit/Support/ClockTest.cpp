#include "Support/Clock.h"

#include "ManualClock.h"

#include "gtest/gtest.h"

#include <ctime>

using namespace hotjit;
using namespace std::chrono_literals;

static Nanoseconds monotonicNow() {
  timespec T{};
  clock_gettime(CLOCK_MONOTONIC, &T);
  return std::chrono::seconds(T.tv_sec) + Nanoseconds(T.tv_nsec);
}

TEST(RealClock, IsTheMonotonicClockOfTheSystem) {
  Nanoseconds Before = monotonicNow();
  Nanoseconds Now = RealClock().now();
  Nanoseconds After = monotonicNow();
  EXPECT_LE(Before, Now);
  EXPECT_LE(Now, After);
}

TEST(ManualClock, MovesOnlyByHand) {
  test::ManualClock C;
  C.set(5ms);
  EXPECT_EQ(C.now(), 5ms);
  C.advance(20ms);
  EXPECT_EQ(C.now(), 25ms);
}

TEST(Clock, ShowsMilliseconds) { EXPECT_EQ(toMilliseconds(1500us), 1.5); }
