#ifndef HOTJIT_PATCH_ARCH_X86_64_SIGNALFRAME_H
#define HOTJIT_PATCH_ARCH_X86_64_SIGNALFRAME_H

#include <csignal>
#include <cstdint>
#include <ucontext.h>

namespace hotjit {

/// Where a thread goes on when our handler has decided: in the program's
/// handler, with these arguments, as if the kernel had called it. Handler 0:
/// back to where the signal came.
struct SignalEntry {
  uint64_t Handler = 0;
  uint64_t Frame = 0; ///< rsp on entry: points to the return address
  uint64_t Info = 0;
  uint64_t Context = 0;
};

/// Decides about a signal; async-signal-safe, on the stack that the kernel
/// chose, with all signals blocked. Entry holds what the kernel gave us, except
/// Handler. Defined by FaultSignals.cpp.
extern "C" __attribute__((visibility("hidden"))) void
hotjitOnFault(int Signal, siginfo_t *Info, void *Context, SignalEntry *Entry);

/// The handler for the kernel: calls hotjitOnFault and goes where it says.
extern "C" __attribute__((visibility("hidden"))) void
hotjitFaultEntry(int Signal, siginfo_t *Info, void *Context);

/// Did the kernel change to the alternate stack for this signal?
bool isOnAlternateStack(const SignalEntry &Entry);

/// Copies the kernel's frame to where it would lie had the handler not asked
/// for the alternate stack, and lets Entry say so. False: there is no room (the
/// stack has overflowed); nothing was written.
bool moveToInterruptedStack(SignalEntry &Entry);

/// What the interrupted code executes, and its stack.
uint64_t pcOf(const void *Context);
uint64_t spOf(const void *Context);
void setPc(void *Context, uint64_t Pc);

} // namespace hotjit

#endif
