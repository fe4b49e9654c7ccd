#ifndef HOTJIT_PATCH_FAULTGUARD_H
#define HOTJIT_PATCH_FAULTGUARD_H

#include "Support/ProgramAddr.h"
#include <csetjmp>
#include <csignal>
#include <cstddef>

namespace hotjit {

/// A call that faults may end, on the thread that it is made on: what the
/// handler asks. Guards nest. Made on the stack, around the call.
class FaultGuard {
public:
  FaultGuard();
  virtual ~FaultGuard(); ///< leaves the guard, if leave() has not

  FaultGuard(const FaultGuard &) = delete;
  FaultGuard &operator=(const FaultGuard &) = delete;

  /// In the handler, with all signals blocked. Takes the signal by jumping to
  /// Back, or by returning true: then the thread goes on where it was. False:
  /// it is for somebody else.
  virtual bool take(int Signal, const siginfo_t &Info, void *Context) = 0;

  /// LLVM gives up on this thread. Does not return if the guard takes that.
  virtual void giveUp(const char *) {}

  /// Back is set: from here on the handler asks this guard first.
  void enter();
  /// The call has ended, one way or the other.
  void leave();

  /// The innermost of the calling thread. Async-signal-safe.
  static FaultGuard *innermost();
  FaultGuard *outer() const { return Outer; }

  sigjmp_buf Back; ///< saved with the signal mask

private:
  FaultGuard *Outer;
};

/// A stack for signal handlers in this frame, if the thread has none: a handler
/// cannot run on the stack that has overflowed.
template <size_t Size> class HandlerStack {
public:
  HandlerStack() {
    stack_t Ours = {};
    Ours.ss_sp = Memory;
    Ours.ss_size = Size;
    IsOurs = ::sigaltstack(nullptr, &Before) == 0 &&
             (Before.ss_flags & SS_DISABLE) &&
             ::sigaltstack(&Ours, nullptr) == 0;
  }
  ~HandlerStack() { leave(); }
  void leave() {
    stack_t Now;
    // The guarded call may have set another, and that stays.
    if (IsOurs && ::sigaltstack(nullptr, &Now) == 0 && Now.ss_sp == Memory)
      ::sigaltstack(&Before, nullptr);
  }
  HandlerStack(const HandlerStack &) = delete;
  HandlerStack &operator=(const HandlerStack &) = delete;

private:
  alignas(64) char Memory[Size];
  stack_t Before;
  bool IsOurs;
};

//===-- What the handler asks, and is asked -------------------------------===//

/// Asks the guards of this thread, from the innermost outwards.
bool takeByGuard(int Signal, const siginfo_t &Info, void *Context);

/// Did the thread raise the signal itself: a fault, or abort(3)?
bool isRaisedByThread(int Signal, const siginfo_t &Info);

/// Finds out what isOwnCode is to know. Not async-signal-safe.
void learnOwnCode();
/// Is Pc in the library (the program, in tests) that this code is part of?
bool isOwnCode(ProgramAddr Pc);

/// A fault of the stack that has run into its end.
bool isStackOverflow(int Signal, const siginfo_t &Info, const void *Context);

enum class ProgramReaction {
  Ends,    ///< the default action, or an ignored fault
  Handler, ///< of the program's
};
/// What the program does about Signal, if we do nothing.
ProgramReaction programReaction(int Signal);

} // namespace hotjit

#endif
