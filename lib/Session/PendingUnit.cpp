// Units are compiled ahead of edits, one after the other, by a thread of low
// priority. An edit may come first: a compile that has begun is waited for, one
// that has not is taken over.
//
// While the program keeps all cores busy, a thread of low priority gets next to
// nothing, and only root may raise it again: setpriority(2). Its compile is
// then begun anew by a thread that has the priority of the program.

#include "Session/PendingUnit.h"
#include <pthread.h>

using namespace hotjit;

static std::chrono::nanoseconds readClock(clockid_t Clock) {
  timespec T{};
  clock_gettime(Clock, &T);
  return std::chrono::seconds(T.tv_sec) + std::chrono::nanoseconds(T.tv_nsec);
}

/// Watches the running compile for a while.
bool PendingUnit::isStarved(std::unique_lock<std::mutex> &Lock) {
  static constexpr auto Trial = std::chrono::milliseconds(100);
  const auto Since = readClock(CLOCK_MONOTONIC), Before = readClock(Worked);
  auto IsSettled = [&] {
    return Now != State::Running || Pace == Haste::Great;
  };
  if (Changed.wait_for(Lock, Trial, IsSettled))
    return false;
  auto Passed = readClock(CLOCK_MONOTONIC) - Since;
  return (readClock(Worked) - Before) * 4 < Passed * 3;
}

bool PendingUnit::begin(Haste H) {
  std::unique_lock Lock(M);
  bool IsOurs = Now == State::Queued;
  if (Now == State::Running && H == Haste::Great && Pace == Haste::None)
    IsOurs = isStarved(Lock);
  if (!IsOurs)
    return false;
  Overtaken = Now == State::Running;
  Now = State::Running;
  // Without a clock it cannot be watched.
  Pace = pthread_getcpuclockid(pthread_self(), &Worked) == 0 ? H : Haste::Great;
  return true;
}

void PendingUnit::finish(CompileResult R, Haste H) {
  {
    std::lock_guard Lock(M);
    if (Overtaken && H == Haste::None)
      return;
    Unit = std::move(R.Unit);
    Said = std::move(R);
    Now = State::Done;
  }
  Changed.notify_all();
}

PendingUnit::Result PendingUnit::find() {
  std::lock_guard Lock(M);
  return Unit;
}

PendingUnit::Result PendingUnit::wait() {
  std::unique_lock Lock(M);
  Changed.wait(Lock, [&] { return Now != State::Running; });
  return Unit;
}

// Nobody wakes a waiting thread when its work is cancelled: it looks.
static constexpr auto CancelPoll = std::chrono::milliseconds(20);

PendingUnit::Result PendingUnit::take(const CancelFlag &Cancel) {
  std::unique_lock Lock(M);
  if (Now == State::Queued)
    Now = State::Taken;
  while (Now == State::Running && !Cancel)
    Changed.wait_for(Lock, CancelPoll);
  return Unit;
}
