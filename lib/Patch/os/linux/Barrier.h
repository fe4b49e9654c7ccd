#ifndef HOTJIT_PATCH_OS_LINUX_BARRIER_H
#define HOTJIT_PATCH_OS_LINUX_BARRIER_H

#include "llvm/Support/Error.h"

namespace hotjit {

/// Makes every thread of the process see code that was written before, as if
/// it had executed a serializing instruction; membarrier(2),
/// PRIVATE_EXPEDITED_SYNC_CORE.
class CodeBarrier {
public:
  /// Error: the kernel has none (HJ3001).
  static llvm::Expected<CodeBarrier> create();

  /// Returns when every thread that was running has passed the barrier. Waits
  /// for nobody; microseconds. Any thread.
  void operator()() const;

private:
  CodeBarrier() = default;
};

} // namespace hotjit

#endif
