#ifndef HOTJIT_PATCH_STACKS_H
#define HOTJIT_PATCH_STACKS_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>
#include <vector>

namespace hotjit {

/// A thread that has, or may have, a frame in one of the ranges asked for.
struct FrameHit {
  size_t Range = 0; ///< index into the ranges asked for
  int Thread = 0;   ///< thread id
  std::string ThreadName;
  bool Certain = true; ///< false: the thread could not be looked at closely
};

/// Looks which threads of this process have a frame in one of Ranges. Stops,
/// signals and delays no thread: a thread that sleeps in the kernel tells its
/// stack pointer in /proc/self/task/TID/syscall (proc(5)), one that runs is
/// sampled with perf_event_open(2). Threads in Skip (hotjit's own) are left
/// out. Any thread.
std::vector<FrameHit> findFrames(llvm::ArrayRef<AddrRange> Ranges,
                                 llvm::ArrayRef<int> Skip);

} // namespace hotjit

#endif
