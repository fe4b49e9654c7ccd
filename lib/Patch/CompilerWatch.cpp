// A constant expression may loop, templates may instantiate each other without
// end, an array may have more elements than there is memory. Clang's own limits
// are for a process that may end; here it would be the user's program that is
// killed when memory is used up. And a save that corrects such a text must not
// wait for it.
//
// So a thread looks at the work ten times a second. When there is reason to end
// it, it sends the thread a signal, again and again until one arrives where the
// work may be left (CompilerGuard.cpp).

#include "Patch/CompilerWatch.h"

#include "Patch/os/linux/MemoryUse.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include <utility>

using namespace std::chrono;

namespace hotjit {

constexpr auto LookInterval = milliseconds(100);
constexpr auto InterruptInterval = milliseconds(1);
// Work that is told to stop does so by itself within a second, if it can, and
// then loses no memory.
constexpr auto CancelPatience = seconds(2);
// After a crash nothing is left to do but to say so.
constexpr auto LeavePatience = seconds(1);

// The signal carries its address.
static const char InterruptTag = 0;

bool CompilerWatch::isInterrupt(int Signal, const siginfo_t &Info) {
  return Signal == SIGABRT && Info.si_code == SI_QUEUE &&
         Info.si_value.sival_ptr == &InterruptTag;
}

llvm::Expected<std::unique_ptr<CompilerWatch>> CompilerWatch::start() {
  std::unique_ptr<CompilerWatch> W(new CompilerWatch);
  llvm::Expected<Thread> T =
      Thread::start("hotjit-limits", [Watch = W.get()] { Watch->run(); });
  if (!T)
    return T.takeError();
  W->TheThread = std::move(*T);
  return std::move(W);
}

CompilerWatch::~CompilerWatch() {
  {
    std::lock_guard Lock(M);
    Ending = true;
  }
  Changed.notify_all();
  TheThread.join();
}

CompilerWatch::Watched::Watched(CompilerWatch &By, const CompilerLimits &Limits)
    : By(By), Limits(Limits) {
  {
    std::lock_guard Lock(By.M);
    By.Active.push_back(this);
  }
  By.Changed.notify_all();
}

CompilerWatch::Watched::~Watched() {
  std::lock_guard Lock(By.M);
  By.Active.remove(this);
}

std::string CompilerWatch::Watched::why() const {
  std::lock_guard Lock(By.M);
  return Why;
}

/// Why W must end; empty if it need not.
std::string CompilerWatch::exceeded(Watched &W) {
  auto Now = steady_clock::now();
  if (W.Limits.Cancel && *W.Limits.Cancel) {
    if (!W.CancelledAt)
      W.CancelledAt = Now;
    if (Now - *W.CancelledAt > CancelPatience)
      return "a later save took over";
  }
  if (Now - W.Begin > W.Limits.Time)
    return fmt::format("not done after {} s",
                       duration_cast<seconds>(W.Limits.Time).count());
  uint64_t Resident = residentBytes();
  if (!W.ResidentAtBegin) {
    W.ResidentAtBegin = Resident;
    W.MemoryLimit = W.Limits.Memory ? W.Limits.Memory : availableBytes() / 2;
  }
  uint64_t Grown = Resident - std::min(Resident, *W.ResidentAtBegin);
  if (Grown > W.MemoryLimit)
    return fmt::format("the process has grown by {} MB, and {} MB are free",
                       Grown >> 20, availableBytes() >> 20);
  return "";
}

/// What this thread waits for will never be: hotjit turns itself off.
void CompilerWatch::giveUp(Watched &W, const char *Why) {
  if (!std::exchange(W.IsGivenUp, true))
    reportBrokenInvariant("W.IsGivenUp", Why, __FILE__, __LINE__);
}

/// True if W is being interrupted.
bool CompilerWatch::look(Watched &W) {
  auto Now = steady_clock::now();
  if (W.IsLeft) {
    if (!W.LeftAt)
      W.LeftAt = Now;
    if (Now - *W.LeftAt > LeavePatience)
      giveUp(W, "the compiler crashed, and malloc does not work any more");
    return false;
  }
  if (!W.InterruptedAt) {
    W.Why = exceeded(W);
    if (W.Why.empty())
      return false;
    W.InterruptedAt = Now;
  }
  if (Now - *W.InterruptedAt > W.Limits.Patience)
    giveUp(W, "the compiler hangs");
  sigval Tag = {.sival_ptr = const_cast<char *>(&InterruptTag)};
  ::pthread_sigqueue(W.Thread, SIGABRT, Tag);
  return true;
}

void CompilerWatch::run() {
  std::unique_lock Lock(M);
  while (!Ending) {
    if (Active.empty()) {
      Changed.wait(Lock);
      continue;
    }
    bool Interrupting = false;
    for (Watched *W : Active)
      Interrupting |= look(*W);
    Changed.wait_for(Lock, Interrupting ? InterruptInterval : LookInterval);
  }
}

} // namespace hotjit
