// One handler for every signal that a thread raises by what it does, in front
// of the program's. Four may ask for a signal, in this order:
//
//   1. a thread that stood in the bytes of an entry (IllegalInstruction.cpp)
//   2. a guarded call on this thread (GuardedCall.cpp): the compiler,
//      initializers of new variables
//   3. the fence: code that went live (Fence.cpp)
//   4. the program
//
// The program must see what it would have seen. SignalFrame.cpp brings it the
// kernel's own frame; here is what the kernel decides:
//
//   SIG_DFL  The action is set back to the default in the kernel, and the
//   signal
//            is queued for this thread with its siginfo. It comes when our
//            handler has returned, at the instruction where the first one came:
//            the core file shows it.
//   SIG_IGN  The same for a fault: the kernel does not let it be ignored. One
//            that was sent is dropped.
//   handler  Its sa_mask and the signal are blocked as the kernel does it;
//            SA_RESETHAND is obeyed. If there is no room for its frame, the
//            kernel ends the process by SIGSEGV, and so do we.
//
// Our handler blocks every signal while it decides, and runs on the thread's
// alternate stack if there is one. A fault of its own would end the process.
//
// The state outside objects (a handler has no argument) is constant-initialized
// and read without locks.

#include "Patch/os/linux/FaultSignals.h"

#include "Patch/CompilerWatch.h"
#include "Patch/CrashRequest.h"
#include "Patch/FaultGuard.h"
#include "Patch/arch/x86_64/SignalFrame.h"
#include "Patch/os/linux/IllegalInstruction.h"
#include "Support/Error.h"
#include "llvm/Support/Errno.h"
#include <atomic>
#include <cerrno>
#include <cstring>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace hotjit {

using llvm::Error;

//===-- What the program wants --------------------------------------------===//

// Found at installation; read if nobody knows better. A handler for one time is
// taken out under the same word.
static struct sigaction Found[_NSIG];
static std::atomic<bool> UsedUp[_NSIG];
static std::atomic<ProgramActionOf> TheActionOf{nullptr};

static struct sigaction actionOf(int Signal, bool Deliver) {
  struct sigaction Action;
  if (ProgramActionOf Ask = TheActionOf.load(std::memory_order_acquire)) {
    Ask(Signal, Deliver, &Action);
    return Action;
  }
  Action = Found[Signal];
  bool IsForOnce = Action.sa_flags & SA_RESETHAND;
  if (IsForOnce &&
      (Deliver ? UsedUp[Signal].exchange(true) : UsedUp[Signal].load()))
    Action.sa_handler = SIG_DFL;
  return Action;
}

static bool isDefault(const struct sigaction &A) {
  return A.sa_handler == SIG_DFL;
}
static bool isIgnored(const struct sigaction &A) {
  return A.sa_handler == SIG_IGN;
}

ProgramReaction programReaction(int Signal) {
  struct sigaction Action = actionOf(Signal, /*Deliver=*/false);
  return isDefault(Action) || isIgnored(Action) ? ProgramReaction::Ends
                                                : ProgramReaction::Handler;
}

//===-- Passing on --------------------------------------------------------===//

// The system call itself, because the agent interposes the libc function.
static void setThreadMask(const sigset_t *New) {
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, New, nullptr, _NSIG / 8);
}

/// Ends the process by Signal when our handler has returned. Comes to the
/// kernel past the agent: only the call from the engine's text would be let
/// through.
static void endByDefault(int Signal, siginfo_t *Info) {
  struct {
    void (*Handler)(int);
    unsigned long Flags;
    void (*Restorer)();
    uint64_t Mask;
  } Default = {};
  ::syscall(SYS_rt_sigaction, Signal, &Default, nullptr, sizeof Default.Mask);
  ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), ::syscall(SYS_gettid), Signal,
            Info);
}

/// The ones that the kernel itself raises for an instruction.
static bool isFault(const siginfo_t &Info) { return Info.si_code > 0; }

static void passOn(int Signal, siginfo_t *Info, void *Context,
                   SignalEntry &Entry) {
  struct sigaction Action = actionOf(Signal, /*Deliver=*/true);
  if (isIgnored(Action) && !isFault(*Info))
    return;
  if (isIgnored(Action) || isDefault(Action))
    return endByDefault(Signal, Info);
  if (!(Action.sa_flags & SA_ONSTACK) && isOnAlternateStack(Entry) &&
      !moveToInterruptedStack(Entry)) {
    siginfo_t NoStack = {};
    NoStack.si_signo = SIGSEGV;
    NoStack.si_code = SI_KERNEL;
    return endByDefault(SIGSEGV, &NoStack);
  }
  sigset_t Mask = static_cast<ucontext_t *>(Context)->uc_sigmask;
  for (int S = 1; S != _NSIG; ++S)
    if (::sigismember(&Action.sa_mask, S) == 1)
      ::sigaddset(&Mask, S);
  // One that is blocked where a thread meets an overwritten entry kills it.
  if (!(Action.sa_flags & SA_NODEFER) && Signal != SIGILL)
    ::sigaddset(&Mask, Signal);
  ::sigdelset(&Mask, SIGILL);
  Entry.Handler = reinterpret_cast<uint64_t>(Action.sa_sigaction);
  setThreadMask(&Mask);
}

//===-- The handler -------------------------------------------------------===//

/// Threads of hotjit have names that begin so; the program's have not.
static bool isOwnThread() {
  char Name[16] = "";
  ::prctl(PR_GET_NAME, Name);
  constexpr char Begin[] = "hotjit";
  return std::strncmp(Name, Begin, sizeof Begin - 1) == 0;
}

bool isRaisedByThread(int Signal, const siginfo_t &Info) {
  if (Signal == SIGABRT)
    return Info.si_code == SI_TKILL && Info.si_pid == ::getpid();
  return isFault(Info);
}

/// A crash that nobody takes, on a thread of hotjit. The thread cannot go on,
/// and the program must: so it waits for ever.
[[noreturn]] static void parkBrokenThread(int Signal, ProgramAddr Pc) {
  // Saying so may need what there is no more of: memory.
  static constinit thread_local bool IsParked
      __attribute__((tls_model("initial-exec"))) = false;
  while (std::exchange(IsParked, true))
    ::pause();
  reportBrokenInvariant(::sigabbrev_np(Signal), "a thread of hotjit crashed",
                        "address", static_cast<int>(Pc.value() & 0x7fffffff));
  for (;;)
    ::pause();
}

extern "C" void hotjitOnFault(int Signal, siginfo_t *Info, void *Context,
                              SignalEntry *Entry) {
  int Errno = errno;
  ProgramAddr Pc(pcOf(Context));
  ProgramAddr To =
      Signal == SIGILL && isFault(*Info) ? recoverFrom(Pc) : ProgramAddr();
  if (To)
    setPc(Context, To.value());
  else if (takeByGuard(Signal, *Info, Context))
    ; // and the thread goes on
  else if (CompilerWatch::isInterrupt(Signal, *Info))
    ; // too late: the work has ended
  else if (isRaisedByThread(Signal, *Info) && isOwnThread())
    parkBrokenThread(Signal, Pc);
  else {
    takeByFence(Signal, *Info, Context);
    passOn(Signal, Info, Context, *Entry);
  }
  errno = Errno;
}

//===-- Installation ------------------------------------------------------===//

bool isFaultHandlerFirst(int Signal) {
  struct sigaction Now;
  return ::sigaction(Signal, nullptr, &Now) == 0 &&
         (Now.sa_flags & SA_SIGINFO) && Now.sa_sigaction == hotjitFaultEntry;
}

static Error install(int Signal) {
  if (isFaultHandlerFirst(Signal))
    return Error::success();
  if (::sigaction(Signal, nullptr, &Found[Signal]) != 0)
    return makeError("sigaction({}): {} (HJ3005)", Signal,
                     llvm::sys::StrError(errno));
  UsedUp[Signal] = false;
  struct sigaction Ours = {};
  Ours.sa_sigaction = hotjitFaultEntry;
  sigfillset(&Ours.sa_mask);
  // SA_RESTART is theirs to decide: only a signal that was sent can interrupt a
  // system call. The agent keeps it right when the program changes its mind.
  Ours.sa_flags =
      SA_SIGINFO | SA_ONSTACK | (Found[Signal].sa_flags & SA_RESTART);
  if (::sigaction(Signal, &Ours, nullptr) != 0)
    return makeError("sigaction({}): {} (HJ3005)", Signal,
                     llvm::sys::StrError(errno));
  return Error::success();
}

Error installFaultHandlers(ProgramActionOf ActionOf) {
  learnOwnCode();
  if (ActionOf)
    TheActionOf.store(ActionOf, std::memory_order_release);
  for (int Signal : FaultSignals)
    if (Error E = install(Signal))
      return E;
  return Error::success();
}

} // namespace hotjit
