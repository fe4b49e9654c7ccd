// A thread that stood inside the bytes of an entry when they were overwritten
// meets an opcode that does not exist (Pun.cpp) and the kernel sends it SIGILL.
// The handler here looks the address up and moves the thread to the same
// instruction in the trampoline. The thread notices nothing: registers, flags
// and signal mask are restored by sigreturn, no system call is interrupted.
//
// Every other SIGILL belongs to the program, and its own handler must see what
// it would have seen:
//
//   SIG_DFL, SIG_IGN   A fault: the action is set back to the default and the
//                      instruction is executed again (the kernel ends the
//                      process there even if the signal is ignored), so the
//                      core file shows it. One sent by kill(2) is ignored, or
//                      sent again with its siginfo.
//   a handler          Called with the same arguments, with its sa_mask added
//   to
//                      the thread's (sigreturn takes it off). SA_RESETHAND is
//                      obeyed. SIGILL itself is not added: a thread that has it
//                      blocked and meets one of our windows would be killed.
//
// With the agent in front of sigaction(2) the earlier handler is the agent's.
//
// Without SA_ONSTACK a handler of the program's would have run on the thread's
// ordinary stack; here it runs on the alternate one if the thread has one.
//
// This is the one module with state outside objects: a signal handler has no
// argument. The state is constant-initialized, needs no constructor, and is
// read without locks or allocation. Windows are lists that only grow.

#include "Patch/os/linux/IllegalInstruction.h"

#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Errno.h"
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace hotjit {

using llvm::Error;

namespace {

/// Windows that were published together, sorted by site.
struct WindowList {
  const WindowList *Earlier;
  size_t Count;
  const RecoveryWindow *Windows;
};

std::atomic<const WindowList *> Newest{nullptr};
std::atomic<uint64_t> Recoveries{0};

/// The program's action, behind a sequence lock: the version is odd while it is
/// being written. Writers have all signals blocked, so a reader in a signal
/// handler never waits for its own thread.
std::atomic<unsigned> ActionVersion{0};
constexpr size_t ActionWords = sizeof(struct sigaction) / sizeof(uint64_t);
static_assert(sizeof(struct sigaction) % sizeof(uint64_t) == 0);
std::atomic<uint64_t> Action[ActionWords];

} // namespace

//===-- Recovery ----------------------------------------------------------===//

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

//===-- The program's own action ------------------------------------------===//

// The system call itself, because the agent interposes the libc function.
static void setThreadMask(int How, const sigset_t *New, sigset_t *Old) {
  ::syscall(SYS_rt_sigprocmask, How, New, Old, _NSIG / 8);
}

static struct sigaction loadAction() {
  uint64_t Words[ActionWords];
  for (size_t I = 0; I != ActionWords; ++I)
    Words[I] = Action[I].load(std::memory_order_relaxed);
  struct sigaction Copy;
  std::memcpy(&Copy, Words, sizeof Copy);
  return Copy;
}

static struct sigaction readAction() {
  for (;;) {
    unsigned Before = ActionVersion.load(std::memory_order_acquire);
    struct sigaction Copy = loadAction();
    std::atomic_thread_fence(std::memory_order_acquire);
    if (!(Before & 1) &&
        Before == ActionVersion.load(std::memory_order_relaxed))
      return Copy;
  }
}

static void writeAction(const struct sigaction &New) {
  sigset_t All, Mask;
  sigfillset(&All);
  setThreadMask(SIG_SETMASK, &All, &Mask);
  unsigned Version = ActionVersion.load(std::memory_order_relaxed);
  for (;;) {
    Version &= ~1u;
    if (ActionVersion.compare_exchange_weak(Version, Version + 1,
                                            std::memory_order_acquire))
      break;
  }
  std::atomic_thread_fence(std::memory_order_release);
  uint64_t Words[ActionWords];
  std::memcpy(Words, &New, sizeof Words);
  for (size_t I = 0; I != ActionWords; ++I)
    Action[I].store(Words[I], std::memory_order_relaxed);
  ActionVersion.store(Version + 2, std::memory_order_release);
  setThreadMask(SIG_SETMASK, &Mask, nullptr);
}

//===-- Passing on --------------------------------------------------------===//

static void setDefaultAction() {
  struct sigaction Default;
  std::memset(&Default, 0, sizeof Default);
  Default.sa_handler = SIG_DFL;
  ::sigaction(SIGILL, &Default, nullptr);
}

static void passOnDefault(bool Fault, siginfo_t *Info) {
  setDefaultAction();
  // A fault comes again when the instruction is executed again.
  if (!Fault)
    ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), SIGILL,
              Info);
}

static void passOn(int Signal, siginfo_t *Info, void *Context, bool Fault) {
  struct sigaction To = readAction();
  if (To.sa_handler == SIG_IGN && !Fault)
    return;
  if (To.sa_handler == SIG_IGN || To.sa_handler == SIG_DFL) {
    passOnDefault(Fault, Info);
    return;
  }
  if (To.sa_flags & SA_RESETHAND) {
    struct sigaction Default = To;
    Default.sa_handler = SIG_DFL;
    Default.sa_flags &= ~SA_SIGINFO;
    writeAction(Default);
  }
  sigset_t Mask = To.sa_mask;
  sigdelset(&Mask, SIGILL);
  setThreadMask(SIG_BLOCK, &Mask, nullptr);
  if (To.sa_flags & SA_SIGINFO)
    To.sa_sigaction(Signal, Info, Context);
  else
    To.sa_handler(Signal);
}

static void onIllegalInstruction(int Signal, siginfo_t *Info, void *Context) {
  int Errno = errno;
  auto *User = static_cast<ucontext_t *>(Context);
  greg_t &Rip = User->uc_mcontext.gregs[REG_RIP];
  // Codes above zero come from the kernel: an instruction, not kill(2).
  bool Fault = Info->si_code > 0;
  ProgramAddr To =
      Fault ? goOnAt(ProgramAddr(static_cast<uint64_t>(Rip))) : ProgramAddr();
  if (To) {
    Recoveries.fetch_add(1, std::memory_order_relaxed);
    Rip = static_cast<greg_t>(To.value());
  } else {
    passOn(Signal, Info, Context, Fault);
  }
  errno = Errno;
}

//===-- Installation ------------------------------------------------------===//

bool isIllegalInstructionHandlerFirst() {
  struct sigaction Now;
  return ::sigaction(SIGILL, nullptr, &Now) == 0 &&
         (Now.sa_flags & SA_SIGINFO) &&
         Now.sa_sigaction == onIllegalInstruction;
}

Error installIllegalInstructionHandler() {
  if (isIllegalInstructionHandlerFirst())
    return Error::success();
  struct sigaction Ours, Theirs;
  std::memset(&Ours, 0, sizeof Ours);
  Ours.sa_sigaction = onIllegalInstruction;
  sigemptyset(&Ours.sa_mask);
  if (::sigaction(SIGILL, nullptr, &Theirs) != 0)
    return makeError("sigaction(SIGILL): {} (HJ3005)",
                     llvm::sys::StrError(errno));
  // Known before ours can be called. SA_RESTART is theirs to decide: only a
  // SIGILL that was sent can interrupt a system call.
  writeAction(Theirs);
  Ours.sa_flags =
      SA_SIGINFO | SA_ONSTACK | SA_NODEFER | (Theirs.sa_flags & SA_RESTART);
  // What the agent gives here, and not when asked without an action, is a
  // handler that follows the program's later changes.
  if (::sigaction(SIGILL, &Ours, &Theirs) != 0)
    return makeError("sigaction(SIGILL): {} (HJ3005)",
                     llvm::sys::StrError(errno));
  writeAction(Theirs);
  return Error::success();
}

} // namespace hotjit
