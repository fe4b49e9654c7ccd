#ifndef HOTJIT_PATCH_OS_LINUX_ILLEGALINSTRUCTION_H
#define HOTJIT_PATCH_OS_LINUX_ILLEGALINSTRUCTION_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <array>
#include <csignal>

namespace hotjit {

/// Bytes that were overwritten while a thread may have stood in them, and where
/// such a thread goes on.
struct RecoveryWindow {
  ProgramAddr Site; ///< the first byte
  /// For a thread at Site + K; no address: no instruction began there.
  std::array<ProgramAddr, 5> GoOn;
};

/// Makes this process's SIGILL handler ours, in front of the one it finds. Once
/// is enough; more does nothing. Error: HJ3005.
///
/// That it stays in front is the agent's work: it interposes sigaction(2) and
/// its relatives, gives us as the earlier handler one that acts as the program
/// wants at that moment, and lets no signal mask hold SIGILL.
llvm::Error installIllegalInstructionHandler();

/// Is it still the first? A program that called sigaction(2) past the agent has
/// replaced it.
bool isIllegalInstructionHandlerFirst();

/// How many threads were moved on so far.
uint64_t countRecoveries();

/// The handler knows Windows from here on, for ever. A window for the same Site
/// takes the place of an earlier one. One thread at a time.
void publishRecoveryWindows(llvm::ArrayRef<RecoveryWindow> Windows);

} // namespace hotjit

#endif
