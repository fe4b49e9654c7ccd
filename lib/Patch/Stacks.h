#ifndef HOTJIT_PATCH_STACKS_H
#define HOTJIT_PATCH_STACKS_H

#include "Patch/arch/x86_64/FrameWalk.h"
#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>
#include <vector>

namespace hotjit {

/// A thread that has, or may have, frames in one of the ranges asked for.
struct FrameHit {
  size_t Range = 0; ///< index into the ranges asked for
  int Thread = 0;   ///< thread id
  std::string ThreadName;
  /// The frame was found by unwinding. False: the thread could not be unwound
  /// so far, and a word on its stack may be left over from a call that ended.
  bool Certain = true;
  unsigned Frames = 1; ///< how many
  /// Of the innermost: its place on the stack (0 runs; only if Certain), and
  /// the instruction where it goes on.
  unsigned Depth = 0;
  ProgramAddr GoesOnAt = {};
  bool Called = true; ///< GoesOnAt is behind a call
};

/// Bytes of code as the program was built; none if no file has them.
using BuiltCode =
    llvm::function_ref<llvm::ArrayRef<uint8_t>(ProgramAddr, uint64_t)>;

/// Looks which threads of this process have frames in one of Ranges: at most
/// one hit for a thread and a range. Stops, signals and delays no thread: a
/// thread that sleeps in the kernel tells its stack pointer in
/// /proc/self/task/TID/syscall (proc(5)), one that runs is sampled with
/// perf_event_open(2). Threads in Skip (hotjit's own) are left out. Takes locks
/// of the unwinder: no fork(2) meanwhile. Any thread.
std::vector<FrameHit> findFrames(llvm::ArrayRef<AddrRange> Ranges,
                                 llvm::ArrayRef<int> Skip, BuiltCode Code);

/// The innermost frames of a thread that stands still with these registers. If
/// it has called an address where no code is, that is the first. Takes locks of
/// the unwinder. Any thread.
std::vector<WalkedFrame> walkStack(FrameRegisters Registers, BuiltCode Code);

} // namespace hotjit

#endif
