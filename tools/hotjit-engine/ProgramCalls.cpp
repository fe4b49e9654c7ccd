// Who waits for whom. A thread of the program waits for the session thread; the
// session thread never waits for one of the program, it only leaves word what
// is to be done when one comes. So there is no circle, whatever locks of its
// own the program holds.
//
//   program's thread                    session thread
//   ----------------                    --------------
//                                       offer(Before, Go): want_safepoint(1)
//   hotjit_safepoint()
//     callbacks: before
//     waits       ----- post ---------> Go: commits; collect(After)
//     goes on    <---- Changed --------
//     callbacks: after
//
// One thread at a time is held; others that come go on, because the callbacks
// of the one that is held may be waiting for them.

#include "ProgramCalls.h"
#include "llvm/ADT/STLExtras.h"
#include <memory>

using namespace hotjit;
using namespace llvm;

// A commit takes microseconds; initializers before it have limits of their own.
// Longer than this and something is wrong that must not stop the program.
static constexpr auto LongestHold = std::chrono::seconds(10);

void ProgramCalls::offer(std::optional<Notice> Before, Session::Consent Go) {
  std::lock_guard<std::mutex> Lock(M);
  if (Ended)
    return;
  if (Before)
    erase_if(Waiting, [](const Round &R) { return R.Before.has_value(); });
  Waiting.push_back({std::move(Before), std::move(Go)});
  Api.want_safepoint(1);
  Changed.notify_all(); // One may wait in request().
}

void ProgramCalls::withdraw(unsigned Reload) {
  std::lock_guard<std::mutex> Lock(M);
  erase_if(Waiting, [&](const Round &R) {
    return R.Before && R.Before->Reload == Reload;
  });
  if (Waiting.empty())
    Api.want_safepoint(0);
}

bool ProgramCalls::collect(const Notice &N) {
  std::lock_guard<std::mutex> Lock(M);
  bool IsFor = Collecting && N.Phase == HOTJIT_PHASE_AFTER;
  if (IsFor)
    Collected.push_back(N);
  return IsFor;
}

bool ProgramCalls::isWaiting() {
  std::lock_guard<std::mutex> Lock(M);
  return !Waiting.empty();
}

void ProgramCalls::reachSafepoint() {
  std::unique_lock<std::mutex> Lock(M);
  if (Busy)
    return;
  Busy = true;
  // Not those that come meanwhile: the program has other things to do.
  for (size_t Left = Waiting.size(); Left && !Waiting.empty(); --Left) {
    Round R = std::move(Waiting.front());
    Waiting.pop_front();
    if (Waiting.empty())
      Api.want_safepoint(0);
    Lock.unlock();
    hold(std::move(R));
    Lock.lock();
  }
  Busy = false;
  Changed.notify_all(); // What one of request() asked for may be left.
}

void ProgramCalls::hold(Round R) {
  std::optional<Verdict> Objection;
  if (R.Before)
    Objection = callBack(Api, *R.Before, OnFault::Program);
  auto Done = std::make_shared<bool>(false);
  std::unique_lock<std::mutex> Lock(M);
  Collecting = true;
  Lock.unlock();
  ToSession([this, Done, Go = std::move(R.Go), Objection] {
    Go(Objection);
    std::lock_guard<std::mutex> Lock(M);
    *Done = true;
    Changed.notify_all();
  });
  Lock.lock();
  Changed.wait_for(Lock, LongestHold, [&] { return *Done || Ended; });
  Collecting = false;
  std::vector<Notice> After = std::move(Collected);
  Collected.clear();
  Lock.unlock();
  for (const Notice &N : After)
    callBack(Api, N, OnFault::Program);
}

std::optional<std::string>
ProgramCalls::request(std::function<void(Finish)> Ask) {
  struct Outcome {
    bool Done = false;
    std::optional<std::string> Problem;
  };
  auto Result = std::make_shared<Outcome>();
  ToSession([this, Result, Ask = std::move(Ask)] {
    Ask([this, Result](std::optional<std::string> Problem) {
      std::lock_guard<std::mutex> Lock(M);
      Result->Done = true;
      Result->Problem = std::move(Problem);
      Changed.notify_all();
    });
  });
  std::unique_lock<std::mutex> Lock(M);
  while (!Result->Done && !Ended) {
    if (!Waiting.empty() && !Busy) {
      Lock.unlock();
      reachSafepoint();
      Lock.lock();
      continue;
    }
    Changed.wait(Lock);
  }
  return Result->Done ? Result->Problem : Ended;
}

void ProgramCalls::end(std::string Why) {
  std::lock_guard<std::mutex> Lock(M);
  if (!Ended)
    Ended = std::move(Why);
  Waiting.clear();
  Api.want_safepoint(0);
  Changed.notify_all();
}
