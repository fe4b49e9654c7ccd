// Initializers of new variables are code of the user that runs for the first
// time. They may throw, crash or abort; the program must not die of it, for
// until the commit nobody asked for that code.
//
// An exception is stopped by a frame with a personality of our own (Itanium
// C++ ABI: Exception Handling, level I): it claims every exception in the
// search phase and lands behind the call in the second. That needs no C++
// runtime, of which the program may have another copy than the engine.
//
// A fault is left by siglongjmp from the handler (FaultSignals.cpp).

#include "Patch/GuardedCall.h"

#include "Patch/FaultGuard.h"
#include <cstdint>
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

// void hotjitCallWithCleanup(void (*Function)(void *), void *Argument,
//                            void (*Cleanup)(void *), void *Left)
// The frame takes part in the second phase of unwinding only: an exception that
// nobody catches still ends where it was thrown. While it resumes, the frame is
// asked again, and is not behind the call any more.
extern "C" void hotjitCallWithCleanup(void (*Function)(void *), void *Argument,
                                      void (*Cleanup)(void *), void *Left);
extern "C" const char hotjitCalled[], hotjitCleaned[];

__asm__(R"(
  .text
  .p2align 4
  .local hotjitCallWithCleanup
  .type hotjitCallWithCleanup,@function
hotjitCallWithCleanup:
  .cfi_startproc
  .cfi_personality 0x1b, hotjitCleanupPersonality
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  subq $32, %rsp
  movq %rdx, -8(%rbp)
  movq %rcx, -16(%rbp)
  movq %rdi, %rax
  movq %rsi, %rdi
  callq *%rax
  .local hotjitCalled
hotjitCalled:
  leave
  .cfi_def_cfa %rsp, 8
  retq
  .cfi_def_cfa %rbp, 16
  .local hotjitCleaned
hotjitCleaned:
  movq %rax, -24(%rbp)
  movq -16(%rbp), %rdi
  callq *-8(%rbp)
  movq -24(%rbp), %rdi
  callq _Unwind_Resume@PLT
  ud2
  .cfi_endproc
  .size hotjitCallWithCleanup, .-hotjitCallWithCleanup
)");

extern "C" __attribute__((used, visibility("hidden"))) _Unwind_Reason_Code
hotjitCleanupPersonality(int Version, _Unwind_Action Actions,
                         _Unwind_Exception_Class, _Unwind_Exception *Thrown,
                         _Unwind_Context *Context) {
  if (Version != 1)
    return _URC_FATAL_PHASE1_ERROR;
  if (!(Actions & _UA_CLEANUP_PHASE) ||
      _Unwind_GetIP(Context) != reinterpret_cast<uintptr_t>(hotjitCalled))
    return _URC_CONTINUE_UNWIND;
  _Unwind_SetGR(Context, __builtin_eh_return_data_regno(0),
                reinterpret_cast<uintptr_t>(Thrown));
  _Unwind_SetIP(Context, reinterpret_cast<uintptr_t>(hotjitCleaned));
  return _URC_INSTALL_CONTEXT;
}

void hotjit::callWithCleanup(void (*Function)(void *), void *Argument,
                             void (*Cleanup)(void *), void *Left) {
  hotjitCallWithCleanup(Function, Argument, Cleanup, Left);
}

namespace {
class InitializerGuard final : public FaultGuard {
public:
  bool take(int Signal, const siginfo_t &Info, void *) override {
    if (!isRaisedByThread(Signal, Info))
      return false;
    TheSignal = Signal;
    Address = Info.si_addr;
    siglongjmp(Back, 1);
  }
  volatile int TheSignal = 0;
  void *volatile Address = nullptr;
};
} // namespace

bool hotjit::callAndCatch(void (*Function)(void *), void *Argument) {
  return hotjitCallAndCatch(Function, Argument) != 0;
}

GuardedResult hotjit::callGuarded(ProgramAddr Function) {
  // One argument too many is none to the callee.
  return callGuarded(reinterpret_cast<void (*)(void *)>(Function.value()),
                     nullptr);
}

// What a handler of ours needs, and the kernel's frame with all of AVX-512.
constexpr size_t HandlerStackSize = 24 << 10;

GuardedResult hotjit::callGuarded(void (*Function)(void *), void *Argument) {
  HandlerStack<HandlerStackSize> Stack;
  InitializerGuard Guard;
  GuardedResult Result;
  if (sigsetjmp(Guard.Back, 1) == 0) {
    Guard.enter();
    if (hotjitCallAndCatch(Function, Argument))
      Result.How = GuardedResult::Ending::Threw;
  } else {
    Result.How = GuardedResult::Ending::Faulted;
    Result.Signal = Guard.TheSignal;
    Result.Fault = ProgramAddr(reinterpret_cast<uint64_t>(Guard.Address));
  }
  return Result;
}
