// x86 processors keep their caches coherent with stores to code, but one that
// has fetched instructions may execute them from its pipeline after another
// processor has changed them. It is sure to see the change after a serializing
// instruction; the kernel makes each processor that runs a thread of ours
// execute one (and those that do not run one do when they switch to it).

#include "Patch/os/linux/Barrier.h"

#include "Support/Error.h"
#include "llvm/Support/Errno.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotjit {

static long membarrier(int Command) {
  return ::syscall(SYS_membarrier, Command, 0, 0);
}

llvm::Expected<CodeBarrier> CodeBarrier::create() {
  if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE) != 0)
    return makeError("membarrier(2) with SYNC_CORE: {}; it needs Linux 4.16 "
                     "and no seccomp filter that forbids it (HJ3001)",
                     llvm::sys::StrError(errno));
  return CodeBarrier();
}

void CodeBarrier::operator()() const {
  // Once registered it does not fail; a filter installed later can forbid it.
  bool Passed = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) == 0;
  HOTJIT_ASSERT(Passed, "membarrier failed after its registration");
}

} // namespace hotjit
