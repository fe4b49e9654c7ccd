#ifndef HOTJIT_PATCH_CRASHREQUEST_H
#define HOTJIT_PATCH_CRASHREQUEST_H

#include "Patch/arch/x86_64/FrameWalk.h"
#include <atomic>
#include <csignal>

namespace hotjit {

/// What a thread that has crashed writes down, in static memory.
struct CrashRequest {
  enum : uint32_t {
    Free,
    Taken,   ///< being written
    Posted,  ///< the thread waits for an answer
    Working, ///< so it does, and somebody looks
    NotOurs, ///< answered
    Ours,    ///< answered: Text is there
    Left,    ///< the thread waits no more; who looks frees it
  };
  std::atomic<uint32_t> State{Free}; ///< a futex
  int Signal = 0;
  ProgramAddr Fault;
  int Thread = 0;
  FrameRegisters Registers;
  bool IsOverflow = false;
  bool IsGuarded = false;
  char Text[600] = "";
};

/// In the handler: holds the thread while a crash of new code is reported. Does
/// not return if a guard takes it; else the signal is the program's.
void takeByFence(int Signal, const siginfo_t &Info, void *Context);

} // namespace hotjit

#endif
