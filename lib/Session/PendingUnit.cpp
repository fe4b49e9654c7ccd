// Units are compiled ahead of edits, one after the other, by a thread of low
// priority. An edit may come first: a compile that has begun is waited for, one
// that has not is taken over.

#include "Session/PendingUnit.h"

using namespace hotjit;

bool PendingUnit::begin() {
  std::lock_guard Lock(M);
  if (Now != State::Queued)
    return false;
  Now = State::Running;
  return true;
}

void PendingUnit::finish(Result Made) {
  {
    std::lock_guard Lock(M);
    Unit = std::move(Made);
    Now = State::Done;
  }
  Changed.notify_all();
}

PendingUnit::Result PendingUnit::find() {
  std::lock_guard Lock(M);
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
