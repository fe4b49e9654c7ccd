// A thread that stood inside the bytes of an entry when they were overwritten
// meets an opcode that does not exist (Pun.cpp) and the kernel sends it SIGILL.
// The handler here looks the address up and moves the thread to the same
// instruction in the trampoline. The thread notices nothing: registers, flags
// and signal mask are restored by sigreturn, no system call is interrupted.
//
// Every other SIGILL belongs to somebody else (FaultSignals.cpp).
//
// The state here is read by the handler: constant-initialized, without locks or
// allocation. Windows are lists that only grow.

#include "Patch/os/linux/IllegalInstruction.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <atomic>
#include <memory>

namespace hotjit {

namespace {

/// Windows that were published together, sorted by site.
struct WindowList {
  const WindowList *Earlier;
  size_t Count;
  const RecoveryWindow *Windows;
};

std::atomic<const WindowList *> Newest{nullptr};
std::atomic<uint64_t> Recoveries{0};

} // namespace

static ProgramAddr goOnAt(ProgramAddr Stopped) {
  for (const WindowList *L = Newest.load(std::memory_order_acquire); L;
       L = L->Earlier) {
    // The last window that begins at or before Stopped.
    size_t Low = 0, High = L->Count;
    while (Low != High) {
      size_t Middle = Low + (High - Low) / 2;
      if (L->Windows[Middle].Site <= Stopped)
        Low = Middle + 1;
      else
        High = Middle;
    }
    if (Low == 0)
      continue;
    const RecoveryWindow &W = L->Windows[Low - 1];
    uint64_t Offset = static_cast<uint64_t>(Stopped - W.Site);
    if (Offset < W.GoOn.size() && W.GoOn[Offset])
      return W.GoOn[Offset];
  }
  return {};
}

ProgramAddr recoverFrom(ProgramAddr Pc) {
  ProgramAddr To = goOnAt(Pc);
  if (To)
    Recoveries.fetch_add(1, std::memory_order_relaxed);
  return To;
}

uint64_t countRecoveries() {
  return Recoveries.load(std::memory_order_relaxed);
}

void publishRecoveryWindows(llvm::ArrayRef<RecoveryWindow> Windows) {
  if (Windows.empty())
    return;
  // Never freed: a handler may be reading any of them.
  auto Copy = std::make_unique<RecoveryWindow[]>(Windows.size());
  llvm::copy(Windows, Copy.get());
  std::sort(Copy.get(), Copy.get() + Windows.size(),
            [](const RecoveryWindow &A, const RecoveryWindow &B) {
              return A.Site < B.Site;
            });
  auto List = std::make_unique<WindowList>(WindowList{
      Newest.load(std::memory_order_relaxed), Windows.size(), Copy.release()});
  Newest.store(List.release(), std::memory_order_release);
}

} // namespace hotjit
