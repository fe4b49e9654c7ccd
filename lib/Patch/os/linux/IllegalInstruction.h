#ifndef HOTJIT_PATCH_OS_LINUX_ILLEGALINSTRUCTION_H
#define HOTJIT_PATCH_OS_LINUX_ILLEGALINSTRUCTION_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include <array>

namespace hotjit {

/// Bytes that were overwritten while a thread may have stood in them, and where
/// such a thread goes on.
struct RecoveryWindow {
  ProgramAddr Site; ///< the first byte
  /// For a thread at Site + K; no address: no instruction began there.
  std::array<ProgramAddr, 5> GoOn;
};

/// Where a thread goes on that got SIGILL at Pc; no address if Pc is in no
/// window: the signal is not ours. Async-signal-safe.
ProgramAddr recoverFrom(ProgramAddr Pc);

/// How many threads were moved on so far.
uint64_t countRecoveries();

/// The handler knows Windows from here on, for ever. A window for the same Site
/// takes the place of an earlier one. One thread at a time.
void publishRecoveryWindows(llvm::ArrayRef<RecoveryWindow> Windows);

} // namespace hotjit

#endif
