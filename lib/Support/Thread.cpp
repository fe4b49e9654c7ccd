// The engine's threads run in somebody else's process. A signal for the process
// is delivered to any thread that does not block it; were it one of ours, the
// program's handler would run on a stack and with thread-locals that it knows
// nothing of. The mask is set before the thread exists (a thread inherits its
// creator's), so that there is no moment without it.
//
// std::thread has no stack size and throws; llvm::thread ends the process if
// there are no more threads.

#include "Support/Thread.h"

#include "Support/Error.h"

#include "llvm/Support/Errno.h"

#include <csignal>
#include <memory>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <utility>

namespace hotjit {

// For the handler of a stack overflow, which says what Clang was doing.
static constexpr size_t HandlerStackSize = 256 << 10;

namespace {
struct Start {
  std::string Name;
  std::function<void()> Body;
};
} // namespace

static void *run(void *Argument) {
  std::unique_ptr<Start> S(static_cast<Start *>(Argument));
  ::prctl(PR_SET_NAME, S->Name.c_str());
  alignas(64) char HandlerStack[HandlerStackSize];
  stack_t Stack = {};
  Stack.ss_sp = HandlerStack;
  Stack.ss_size = HandlerStackSize;
  ::sigaltstack(&Stack, nullptr);
  S->Body();
  Stack.ss_flags = SS_DISABLE;
  ::sigaltstack(&Stack, nullptr);
  return nullptr;
}

/// A blocked fault is not held back, it kills: those stay open.
static sigset_t allButFaults() {
  sigset_t Set;
  ::sigfillset(&Set);
  for (int Signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
    ::sigdelset(&Set, Signal);
  return Set;
}

static size_t bytesOf(StackSize Stack) {
  rlimit Limit;
  if (::getrlimit(RLIMIT_AS, &Limit) == 0 && Limit.rlim_cur != RLIM_INFINITY)
    Stack = StackSize::Usual;
  return static_cast<size_t>(Stack);
}

llvm::Expected<Thread>
Thread::start(const char *Name, std::function<void()> Body, StackSize Stack) {
  auto S = std::make_unique<Start>(Start{Name, std::move(Body)});
  pthread_attr_t Attributes;
  ::pthread_attr_init(&Attributes);
  ::pthread_attr_setstacksize(&Attributes, bytesOf(Stack));
  sigset_t Blocked = allButFaults(), Before;
  ::pthread_sigmask(SIG_SETMASK, &Blocked, &Before);
  Thread Result;
  int Code = ::pthread_create(&Result.Handle, &Attributes, run, S.get());
  ::pthread_sigmask(SIG_SETMASK, &Before, nullptr);
  ::pthread_attr_destroy(&Attributes);
  if (Code != 0)
    return makeError("no thread '{}': {}", Name, llvm::sys::StrError(Code));
  S.release(); // The thread's now.
  Result.IsJoinable = true;
  return Result;
}

Thread::Thread(Thread &&Other) noexcept
    : Handle(Other.Handle), IsJoinable(std::exchange(Other.IsJoinable, false)) {
}

Thread &Thread::operator=(Thread &&Other) noexcept {
  HOTJIT_ASSERT(!IsJoinable, "a running thread is replaced");
  Handle = Other.Handle;
  IsJoinable = std::exchange(Other.IsJoinable, false);
  return *this;
}

Thread::~Thread() { HOTJIT_ASSERT(!IsJoinable, "a thread was not joined"); }

void Thread::join() {
  HOTJIT_ASSERT(IsJoinable, "no thread to join");
  if (std::exchange(IsJoinable, false))
    ::pthread_join(Handle, nullptr);
}

} // namespace hotjit
