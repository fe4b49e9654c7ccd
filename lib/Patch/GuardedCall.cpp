// Initializers of new variables are code of the user that runs for the first
// time. They may throw, crash or abort; the program must not die of it, for
// until the commit nobody asked for that code.
//
// An exception is stopped by a frame with a personality of our own (Itanium
// C++ ABI: Exception Handling, level I): it claims every exception in the
// search phase and lands behind the call in the second. That needs no C++
// runtime, of which the program may have another copy than the engine.
//
// A fault is left by siglongjmp from a handler. Faults of other threads are
// passed on as if we had not been there.

#include "Patch/GuardedCall.h"
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <dlfcn.h>
#include <iterator>
#include <unwind.h>

using namespace hotjit;

// int hotjitCallAndCatch(void (*Function)(void *), void *Argument)
//   0: returned; 1: an exception was thrown and is gone.
extern "C" int hotjitCallAndCatch(void (*Function)(void *), void *Argument);
extern "C" const char hotjitCaught[];

__asm__(R"(
  .text
  .p2align 4
  .local hotjitCallAndCatch
  .type hotjitCallAndCatch,@function
hotjitCallAndCatch:
  .cfi_startproc
  .cfi_personality 0x1b, hotjitCatchAllPersonality
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdi, %rax
  movq %rsi, %rdi
  callq *%rax
  xorl %eax, %eax
  popq %rbp
  .cfi_def_cfa %rsp, 8
  retq
  .cfi_def_cfa %rbp, 16
  .local hotjitCaught
hotjitCaught:
  movq %rax, %rdi
  callq _Unwind_DeleteException@PLT
  movl $1, %eax
  popq %rbp
  .cfi_def_cfa %rsp, 8
  retq
  .cfi_endproc
  .size hotjitCallAndCatch, .-hotjitCallAndCatch
)");

extern "C" __attribute__((used, visibility("hidden"))) _Unwind_Reason_Code
hotjitCatchAllPersonality(int Version, _Unwind_Action Actions,
                          _Unwind_Exception_Class, _Unwind_Exception *Thrown,
                          _Unwind_Context *Context) {
  if (Version != 1)
    return _URC_FATAL_PHASE1_ERROR;
  if (Actions & _UA_FORCE_UNWIND)
    return _URC_CONTINUE_UNWIND; // Thread cancellation is not ours to stop.
  if (Actions & _UA_SEARCH_PHASE)
    return _URC_HANDLER_FOUND;
  _Unwind_SetGR(Context, __builtin_eh_return_data_regno(0),
                reinterpret_cast<uintptr_t>(Thrown));
  _Unwind_SetIP(Context, reinterpret_cast<uintptr_t>(hotjitCaught));
  return _URC_INSTALL_CONTEXT;
}

namespace {
constexpr int Guarded[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT};

// What the signal handler needs: it has no argument of ours. Written only by
// callGuarded, which runs once at a time.
struct Guard {
  std::atomic<pthread_t> Thread{0};
  sigjmp_buf Back;
  volatile sig_atomic_t Signal = 0;
  void *volatile Fault = nullptr;
  struct sigaction Before[std::size(Guarded)];
};
Guard TheGuard;

/// sigaction(2) of libc itself: the agent stands in front of the program's.
int realSigaction(int Signal, const struct sigaction *New,
                  struct sigaction *Old) {
  using Function = int (*)(int, const struct sigaction *, struct sigaction *);
  static const Function Real = [] {
    void *Libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return reinterpret_cast<Function>(Libc ? dlsym(Libc, "sigaction")
                                           : nullptr);
  }();
  return Real ? Real(Signal, New, Old) : sigaction(Signal, New, Old);
}

/// As the kernel would have done it without us.
void passOn(int Signal, siginfo_t *Info, void *Context) {
  size_t Index = 0;
  while (Index + 1 < std::size(Guarded) && Guarded[Index] != Signal)
    ++Index;
  const struct sigaction &Before = TheGuard.Before[Index];
  if (Before.sa_flags & SA_SIGINFO)
    return Before.sa_sigaction(Signal, Info, Context);
  if (Before.sa_handler != SIG_DFL && Before.sa_handler != SIG_IGN)
    return Before.sa_handler(Signal);
  // The default action: on return the instruction faults again, and nobody
  // stands in front of the kernel any more. abort(3) raises again by itself.
  realSigaction(Signal, &Before, nullptr);
}

void onFault(int Signal, siginfo_t *Info, void *Context) {
  if (TheGuard.Thread.load() != pthread_self())
    return passOn(Signal, Info, Context);
  TheGuard.Signal = Signal;
  TheGuard.Fault = Info->si_addr;
  siglongjmp(TheGuard.Back, 1);
}
} // namespace

bool hotjit::callAndCatch(void (*Function)(void *), void *Argument) {
  return hotjitCallAndCatch(Function, Argument) != 0;
}

GuardedResult hotjit::callGuarded(ProgramAddr Function) {
  // One argument too many is none to the callee.
  return callGuarded(reinterpret_cast<void (*)(void *)>(Function.value()),
                     nullptr);
}

GuardedResult hotjit::callGuarded(void (*Function)(void *), void *Argument) {
  GuardedResult Result;
  struct sigaction Ours = {};
  Ours.sa_sigaction = onFault;
  Ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&Ours.sa_mask);
  for (size_t I = 0; I != std::size(Guarded); ++I)
    realSigaction(Guarded[I], &Ours, &TheGuard.Before[I]);
  if (sigsetjmp(TheGuard.Back, 1) == 0) {
    TheGuard.Thread = pthread_self();
    if (hotjitCallAndCatch(Function, Argument))
      Result.How = GuardedResult::Ending::Threw;
  } else {
    Result.How = GuardedResult::Ending::Faulted;
    Result.Signal = TheGuard.Signal;
    Result.Fault = ProgramAddr(reinterpret_cast<uint64_t>(TheGuard.Fault));
  }
  TheGuard.Thread = pthread_t{};
  // A handler that the program installed meanwhile stays.
  for (size_t I = 0; I != std::size(Guarded); ++I) {
    struct sigaction Now = {};
    realSigaction(Guarded[I], nullptr, &Now);
    if ((Now.sa_flags & SA_SIGINFO) && Now.sa_sigaction == onFault)
      realSigaction(Guarded[I], &TheGuard.Before[I], nullptr);
  }
  return Result;
}
