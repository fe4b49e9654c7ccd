#ifndef HOTJIT_PATCH_FENCE_H
#define HOTJIT_PATCH_FENCE_H

#include "Patch/FaultGuard.h"
#include "Patch/Stacks.h"
#include "Support/Thread.h"
#include "llvm/ADT/ArrayRef.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// A thread of the program has crashed in code that went live, and waits.
struct Crash {
  int Signal = 0;
  ProgramAddr Fault; ///< si_addr
  int Thread = 0;
  std::string ThreadName;
  /// From the innermost outwards: instructions that execute, and addresses
  /// behind calls. Many, not all, of a stack overflow.
  std::vector<WalkedFrame> Frames;
  size_t Culprit = 0; ///< the innermost frame of the program: it is new code
  bool IsOverflow = false;
  enum class Next {
    Ends,    ///< the program, by Signal
    Handler, ///< of the program's
    Guard,   ///< hotjit_guard returns
  };
  Next What = Next::Ends;
};

/// Code of the program in memory: what is new, and what it was built with. The
/// handler knows Ranges from here on, for ever. One thread at a time.
void publishLiveCode(llvm::ArrayRef<AddrRange> Ranges);
void publishBuiltCode(llvm::ArrayRef<AddrRange> Ranges);

/// Waits for crashes. A thread that crashes in new code is held while Report
/// does what is to be done, and then goes on as if nothing had been. One that
/// crashes in code that was built, or in a library that was called from there,
/// goes on at once.
class Fence {
public:
  /// What to do about a crash, on the fence's thread, which must not block:
  /// Done may be called later and anywhere, with a text for who is guarded.
  using Done = std::function<void(const std::string &)>;
  using Report = std::function<void(Crash, Done)>;
  /// As FrameWalk reads code: as it was built.
  using Code = std::function<llvm::ArrayRef<uint8_t>(ProgramAddr, uint64_t)>;

  static llvm::Expected<std::unique_ptr<Fence>> start(Report Tell, Code Built);
  ~Fence(); ///< whoever waits goes on

private:
  Fence(Report Tell, Code Built)
      : Tell(std::move(Tell)), Built(std::move(Built)) {}
  void run();
  void judge(struct CrashRequest &Request);

  Report Tell;
  Code Built;
  Thread TheThread;
};

/// In a forked child there is nobody to report to. Async-signal-safe.
void turnFenceOff();

/// Calls F(Argument). If it crashes in new code and there is a fence, returns
/// false and says in Error what happened; frames between are gone without their
/// destructors, what they locked stays locked. Exceptions and the end of the
/// thread pass through. F must not be left by longjmp. Any thread.
bool guardProgramCall(void (*F)(void *), void *Argument, char *Error,
                      size_t ErrorSize);

} // namespace hotjit

#endif
