#ifndef HOTJIT_PATCH_OS_LINUX_FAULTSIGNALS_H
#define HOTJIT_PATCH_OS_LINUX_FAULTSIGNALS_H

#include "llvm/Support/Error.h"
#include <csignal>

namespace hotjit {

/// What a thread raises by what it does. SIGABRT counts: abort(3) raises it.
constexpr int FaultSignals[] = {SIGSEGV, SIGBUS,  SIGILL,
                                SIGFPE,  SIGABRT, SIGTRAP};

/// What the program wants of a signal that our handler got. Deliver: it is
/// about to be done, so a handler for one time is used up. Async-signal-safe.
using ProgramActionOf = void (*)(int Signal, int Deliver,
                                 struct sigaction *Action);

/// Makes this process's handlers for FaultSignals ours, in front of the ones it
/// finds. Once is enough; more does nothing. Error: HJ3005.
///
/// Ours take what is hotjit's: threads in overwritten bytes
/// (IllegalInstruction.h), faults in guarded calls (GuardedCall.h), crashes of
/// new code (Fence.h). Anything else reaches the program's handler, or its
/// default action, as if ours were not there. They stay for the life of the
/// process.
///
/// That they stay in front is the agent's work: it interposes sigaction(2) and
/// its relatives, and ActionOf tells what the program asked for. Null: what was
/// found when ours were installed.
llvm::Error installFaultHandlers(ProgramActionOf ActionOf = nullptr);

/// Is ours still the first? A program that called sigaction(2) past the agent
/// has replaced it.
bool isFaultHandlerFirst(int Signal);

} // namespace hotjit

#endif
