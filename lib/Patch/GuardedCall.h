#ifndef HOTJIT_PATCH_GUARDEDCALL_H
#define HOTJIT_PATCH_GUARDEDCALL_H

#include "Support/ProgramAddr.h"

namespace hotjit {

struct GuardedResult {
  enum class Ending {
    Returned,
    Threw,   ///< an exception of any language left the function
    Faulted, ///< a synchronous signal, or abort(3)
  };
  Ending How = Ending::Returned;
  int Signal = 0;    ///< for Faulted
  ProgramAddr Fault; ///< for Faulted: si_addr
};

/// Calls `void (*)(void)` at Function on this thread and comes back however it
/// ends, unless it never does. What it held (locks, memory) stays held after
/// Threw and Faulted; destructors of its frames do not run after Faulted. A
/// stack overflow counts if the thread has no alternate stack, or one that the
/// overflow left alone. Any thread, any number at once; needs
/// installFaultHandlers().
GuardedResult callGuarded(ProgramAddr Function);
/// The same with an argument.
GuardedResult callGuarded(void (*Function)(void *), void *Argument);

/// Calls Function. If an exception leaves it, or the thread's end
/// (pthread_exit), Cleanup(Left) is called on the way: what destructors do,
/// where code is compiled without exceptions. Any thread.
void callWithCleanup(void (*Function)(void *), void *Argument,
                     void (*Cleanup)(void *), void *Left);

/// Calls Function and comes back if it returns or throws (true); a fault is the
/// program's. Installs no handlers: any thread, any number of calls at a time.
bool callAndCatch(void (*Function)(void *), void *Argument);

} // namespace hotjit

#endif
