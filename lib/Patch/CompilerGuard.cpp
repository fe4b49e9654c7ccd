// Clang and LLVM run inside the user's program, and they crash: on code that
// nobody has tried, in recursion that eats the stack, by an assertion that
// calls abort. The program must not notice. So the work is left by siglongjmp
// from the signal handler, and whoever asked for it makes a new compiler.
//
// LLVM's own CrashRecoveryContext cannot be used: it takes the program's
// handlers away, turns itself off for good when the program faults, and does
// not survive a stack overflow. (ADR 11.)
//
// Before the thread goes, it says where it was: Clang and LLVM keep a list of
// what they are doing, on the stack (PrettyStackTrace). Printing it may crash
// once more; then it is left out.
//
// Work that never ends is interrupted by the watch (CompilerWatch.cpp), by a
// signal. That may come anywhere, also inside malloc with its lock held, which
// the whole process would wait for. So it is obeyed only while the thread is in
// the library's own code, where no lock of libc is held, and is sent again
// until it is. The same goes for a stack overflow: the end of the stack is kept
// back, and given to code that is not ours piece by piece.
//
// A crash cannot be chosen. If malloc was left in the middle, its lock is held
// for ever, or its memory is damaged, and hotjit must end here: so malloc is
// tried at once, while the watch still looks.

#include "Patch/CompilerGuard.h"

#include "Patch/CompilerWatch.h"
#include "Patch/FaultGuard.h"
#include "Patch/arch/x86_64/SignalFrame.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace llvm;

namespace hotjit {

namespace {

/// Text of limited length: nothing is allocated.
class FixedText final : public raw_ostream {
public:
  FixedText() { SetUnbuffered(); }
  StringRef text() const { return {Bytes, Used}; }

private:
  void write_impl(const char *Data, size_t Size) override {
    Size = std::min(Size, sizeof Bytes - Used);
    std::memcpy(Bytes + Used, Data, Size);
    Used += Size;
  }
  uint64_t current_pos() const override { return Used; }

  char Bytes[600];
  size_t Used = 0;
};

class CompilerGuard final : public FaultGuard {
public:
  CompilerGuard() { keepStackBack(); }
  bool take(int Signal, const siginfo_t &Info, void *Context) override;
  void giveUp(const char *Reason) override;
  bool isInterrupted() const { return WasInterrupted; }
  /// Interrupted: why, if it was.
  std::string describe(const std::string &Interrupted) const;
  /// The stack may have been used to the last.
  void takeStackBack();
  /// After the work was left. Does not return if malloc is broken.
  void tryMalloc();

private:
  void sayWhere();
  void keepStackBack();
  bool giveStack();

  volatile int TheSignal = 0;
  volatile bool Overflow = false;
  volatile bool WasInterrupted = false;
  volatile bool IsSaying = false;
  volatile bool IsTryingMalloc = false;
  /// The end of the stack that only code which is not ours may use.
  char *ReserveBegin = nullptr;
  char *volatile ReserveUnused = nullptr; ///< what is given is above
  sigjmp_buf Silent; ///< where to go on if saying it crashes
  FixedText Reason;
  FixedText Where;
};

} // namespace

/// The innermost things that are being done; the list is long.
void CompilerGuard::sayWhere() {
  constexpr unsigned Enough = 2;
  // A crash in here must reach the handler.
  sigset_t Faults;
  sigemptyset(&Faults);
  for (int Signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
    sigaddset(&Faults, Signal);
  IsSaying = true;
  if (sigsetjmp(Silent, 0) == 0) {
    ::pthread_sigmask(SIG_UNBLOCK, &Faults, nullptr);
    auto *Entry =
        static_cast<const PrettyStackTraceEntry *>(SavePrettyStackState());
    for (unsigned I = 0; Entry && I != Enough; ++I) {
      Entry->print(Where);
      Entry = Entry->getNextEntry();
    }
  }
  IsSaying = false;
}

bool CompilerGuard::take(int Signal, const siginfo_t &Info, void *Context) {
  bool IsInside = isOwnCode(ProgramAddr(pcOf(Context)));
  if (CompilerWatch::isInterrupt(Signal, Info)) {
    // It comes again until it finds us here, and once more perhaps before the
    // watch knows that it did.
    if (!IsInside || WasInterrupted || IsSaying || IsTryingMalloc)
      return true;
    WasInterrupted = true;
    sayWhere();
    siglongjmp(Back, 1);
  }
  if (!isRaisedByThread(Signal, Info))
    return false;
  if (IsSaying)
    siglongjmp(Silent, 1);
  bool IsOverflow = isStackOverflow(Signal, Info, Context);
  if (IsOverflow && !IsInside && giveStack())
    return true;
  TheSignal = Signal;
  Overflow = IsOverflow;
  sayWhere();
  siglongjmp(Back, 1);
}

// Of a stack of 64 MB; what a function of libc needs is a thousandth.
constexpr size_t ReserveSize = 1 << 20;
constexpr size_t ReservePiece = 128 << 10;

/// Of threads that pthread_create made; the stack of the main thread grows.
void CompilerGuard::keepStackBack() {
  pthread_attr_t Attributes;
  if (::getpid() == ::gettid() ||
      ::pthread_getattr_np(::pthread_self(), &Attributes) != 0)
    return;
  void *Begin = nullptr;
  size_t Size = 0, Guard = 0;
  ::pthread_attr_getstack(&Attributes, &Begin, &Size);
  ::pthread_attr_getguardsize(&Attributes, &Guard);
  ::pthread_attr_destroy(&Attributes);
  char *Reserve = static_cast<char *>(Begin) + Guard;
  if (Size < 8 * ReserveSize ||
      ::mprotect(Reserve, ReserveSize, PROT_NONE) != 0)
    return;
  ReserveBegin = Reserve;
  ReserveUnused = Reserve + ReserveSize;
}

bool CompilerGuard::giveStack() {
  if (ReserveUnused == ReserveBegin)
    return false;
  char *Piece = ReserveUnused - ReservePiece;
  if (::mprotect(Piece, ReservePiece, PROT_READ | PROT_WRITE) != 0)
    return false;
  ReserveUnused = Piece;
  return true;
}

void CompilerGuard::takeStackBack() {
  if (ReserveBegin && ReserveUnused != ReserveBegin + ReserveSize)
    ::mprotect(ReserveBegin, ReserveSize, PROT_NONE);
}

void CompilerGuard::tryMalloc() {
  // Back leads here a second time if that crashes.
  while (IsTryingMalloc)
    ::pause();
  IsTryingMalloc = true;
  // More than a thread keeps for itself, less than is mapped alone.
  constexpr size_t Size = 64 << 10;
  void *volatile Memory = std::malloc(Size);
  std::free(Memory);
}

void CompilerGuard::giveUp(const char *Text) {
  if (IsSaying)
    siglongjmp(Silent, 1);
  Reason << Text;
  sayWhere();
  siglongjmp(Back, 1);
}

std::string CompilerGuard::describe(const std::string &Interrupted) const {
  std::string Text;
  if (WasInterrupted)
    Text = "the compiler was stopped" +
           (Interrupted.empty() ? "" : ": " + Interrupted);
  else if (!Reason.text().empty())
    Text = fmt::format("the compiler gave up: {}", Reason.text().trim());
  else if (Overflow)
    Text = "the compiler ran out of stack";
  else
    Text = fmt::format("the compiler crashed by SIG{} ({})",
                       ::sigabbrev_np(TheSignal), ::strsignal(TheSignal));
  SmallVector<StringRef, 4> Lines;
  Where.text().split(Lines, '\n', -1, /*KeepEmpty=*/false);
  for (size_t I = 0; I != Lines.size(); ++I)
    Text += (I == 0 ? " at " : ", ") + Lines[I].trim().str();
  return Text;
}

// Printing what Clang does takes more than a handler's usual stack.
constexpr size_t HandlerStackSize = 256 << 10;

std::optional<CompilerFailure> runCompiler(function_ref<void()> Work,
                                           CompilerWatch *Watch,
                                           const CompilerLimits &Limits) {
  HandlerStack<HandlerStackSize> Stack;
  std::optional<CompilerWatch::Watched> Watched;
  if (Watch)
    Watched.emplace(*Watch, Limits);
  CompilerGuard Guard;
  const void *Doing = SavePrettyStackState();
  if (sigsetjmp(Guard.Back, 1) == 0) {
    Guard.enter();
    Work();
    return std::nullopt;
  }
  if (Watched)
    Watched->left();
  Guard.tryMalloc();
  Guard.leave();
  // What it was doing stood in frames that are gone.
  RestorePrettyStackState(Doing);
  Guard.takeStackBack();
  std::string Interrupted = Watched ? Watched->why() : "";
  return CompilerFailure{Guard.describe(Interrupted), Guard.isInterrupted()};
}

void giveUpCompiling(const char *Reason) {
  if (FaultGuard *Guard = FaultGuard::innermost())
    Guard->giveUp(Reason);
}

} // namespace hotjit
