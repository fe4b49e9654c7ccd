// After a commit, new calls go to the new code, and frames that are on a stack
// finish in the old. Whether there are any decides what the user is told
// ("pending", "settled"), so we look; and nothing may be stopped or signalled
// for it: a signal would make sleeping system calls return EINTR.
//
// A thread that sleeps in the kernel tells where its stack pointer and its
// instruction pointer are (/proc/self/task/TID/syscall). One that runs does
// not; perf_event_open(2) with a task clock makes the kernel take a sample of
// it: registers and up to 60 KiB of its stack, at one moment. From there the
// frames are unwound one by one (FrameWalk.cpp), which is exact.
//
// Where an unwinder cannot go on (code without tables, a frame whose registers
// nobody knows), the rest of the stack is searched for words that are addresses
// behind a call in one of the ranges. So is a whole stack where sampling is not
// permitted (kernel.perf_event_paranoid) and the thread does not sleep while we
// look. Such a word may be left over from a call that ended: then no more can
// be said than "perhaps", and "pending" may last a little too long, which is
// the right side to err on. There too a signal that interrupted a function
// between two calls is recognised, by the address of the kernel's return code,
// and followed, also to the stack that it interrupted.
//
// Not seen: stacks that no thread runs on (fibers), a thread that has read the
// old table but has not yet jumped, one that is within the first instructions
// of a function, moved to its trampoline, and, where sampling is not permitted,
// the function that a thread runs if it has called nothing.

#include "Patch/Stacks.h"

#include "Patch/arch/x86_64/FrameWalk.h"
#include "Patch/os/linux/MemoryMap.h"
#include "Patch/os/linux/Sampler.h"
#include "Patch/os/linux/Tasks.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

namespace hotjit {

using llvm::ArrayRef;

// Looks at a thread that wakes and sleeps in between; each takes microseconds.
constexpr int LookLimit = 16;
// Stacks are of 8 MiB, some programs make them of 64; the mapping may be merged
// with others above it.
constexpr uint64_t ScanLimit = 256ULL << 20;

/// Bytes of our own memory; fewer if it is not mapped (any more).
static size_t readOwn(ProgramAddr A, void *To, size_t Size) {
  struct iovec Local = {To, Size};
  struct iovec Remote = {reinterpret_cast<void *>(A.value()), Size};
  ssize_t Got = ::process_vm_readv(::getpid(), &Local, 1, &Remote, 1, 0);
  return Got < 0 ? 0 : static_cast<size_t>(Got);
}

namespace {

/// A stack: what was copied together with the registers, if anything was, and
/// memory as it is now.
class StackMemory {
public:
  StackMemory(ProgramAddr Begin, ArrayRef<uint8_t> Copied)
      : Begin(Begin), Copied(Copied) {}

  bool read(ProgramAddr A, llvm::MutableArrayRef<uint8_t> To);
  /// The copied bytes from A upwards.
  ArrayRef<uint8_t> copiedFrom(ProgramAddr A) const {
    return A >= Begin && A <= Begin + Copied.size()
               ? Copied.drop_front(A - Begin)
               : ArrayRef<uint8_t>();
  }
  /// Has memory been read that may have changed since the copy?
  bool outran() const { return Outran && !Copied.empty(); }

private:
  ProgramAddr Begin;
  ArrayRef<uint8_t> Copied;
  bool Outran = false;
  ProgramAddr PieceAt;
  std::vector<uint8_t> Piece; ///< read ahead
};

/// What is found while one thread is looked at.
class Search {
public:
  Search(ArrayRef<AddrRange> Ranges, const std::vector<Mapping> &Map,
         BuiltCode Code);

  /// The frames of a thread with these registers, whose stack Copied holds from
  /// rsp upwards, if it holds any. False: there is no such stack.
  bool unwind(const FrameRegisters &Registers, ArrayRef<uint8_t> Copied);
  /// Every word from At to the end of its mapping. False: none is known.
  bool scanStack(ProgramAddr At, ArrayRef<uint8_t> Copied);

  struct Found {
    unsigned Frames = 0;
    bool Certain = true;
    WalkedFrame Innermost;
  };
  ArrayRef<Found> found() const { return Hits; }
  void forget() { Hits.assign(Ranges.size(), Found()); }

private:
  void add(const WalkedFrame &F, bool Certain);
  void scanWords(ProgramAddr At, ArrayRef<uint8_t> Bytes);
  bool readCode(ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) const;
  bool isReturn(ProgramAddr A) const;
  void followSignalFrame(ProgramAddr At);

  ArrayRef<AddrRange> Ranges;
  const std::vector<Mapping> &Map;
  BuiltCode Code;
  uint64_t SignalReturn;
  uint64_t Lowest = ~0ULL, Highest = 0; ///< of all ranges
  std::vector<Found> Hits;
  /// Stacks that a signal interrupted; a few.
  llvm::SmallVector<ProgramAddr, 4> Interrupted;
};

} // namespace

/// Where signal handlers return to: `mov eax, SYS_rt_sigreturn; syscall` in
/// libc, the same for every signal.
static uint64_t signalReturnCode() {
  // The kernel's structure; libc's hides the restorer.
  struct {
    void *Handler;
    unsigned long Flags;
    void *Restorer;
    uint64_t Mask;
  } Kernel = {};
  // Of any handler that was installed through libc.
  for (int Signal = 1; Signal != SIGRTMIN; ++Signal)
    if (::syscall(SYS_rt_sigaction, Signal, nullptr, &Kernel,
                  sizeof Kernel.Mask) == 0 &&
        Kernel.Restorer)
      return reinterpret_cast<uint64_t>(Kernel.Restorer);
  return 0;
}

bool StackMemory::read(ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) {
  if (ArrayRef<uint8_t> Have = copiedFrom(A); Have.size() >= To.size()) {
    std::memcpy(To.data(), Have.data(), To.size());
    return true;
  }
  Outran = true;
  // Frames are small and come one after the other.
  constexpr size_t Ahead = 4096;
  bool Holds =
      A >= PieceAt && A - PieceAt + int64_t(To.size()) <= int64_t(Piece.size());
  if (!Holds) {
    PieceAt = A;
    Piece.resize(Ahead);
    Piece.resize(readOwn(A, Piece.data(), Ahead));
  }
  if (size_t(A - PieceAt) + To.size() > Piece.size())
    return false;
  std::memcpy(To.data(), Piece.data() + (A - PieceAt), To.size());
  return true;
}

Search::Search(ArrayRef<AddrRange> Ranges, const std::vector<Mapping> &Map,
               BuiltCode Code)
    : Ranges(Ranges), Map(Map), Code(Code), SignalReturn(signalReturnCode()) {
  forget();
  for (AddrRange R : Ranges) {
    Lowest = std::min(Lowest, R.Begin.value());
    Highest = std::max(Highest, R.End.value());
  }
}

void Search::add(const WalkedFrame &F, bool Certain) {
  // A call that is the last instruction returns to the end.
  ProgramAddr At = F.Called ? F.Pc + int64_t(-1) : F.Pc;
  if (At.value() < Lowest || At.value() > Highest)
    return;
  for (size_t I = 0; I != Ranges.size(); ++I) {
    if (!Ranges[I].contains(At))
      continue;
    if (Hits[I].Frames++ == 0) {
      Hits[I].Innermost = F;
      Hits[I].Certain = Certain;
    }
  }
}

bool Search::readCode(ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) const {
  ArrayRef<uint8_t> Built = Code(A, To.size());
  if (Built.size() == To.size())
    std::memcpy(To.data(), Built.data(), To.size());
  return Built.size() == To.size() ||
         readOwn(A, To.data(), To.size()) == To.size();
}

bool Search::unwind(const FrameRegisters &Registers, ArrayRef<uint8_t> Copied) {
  ProgramAddr Rsp(*Registers.Values[FrameRegisters::Rsp]);
  StackMemory Stack(Rsp, Copied);
  auto ReadStack = [&](ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) {
    return Stack.read(A, To);
  };
  auto ReadCode = [&](ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) {
    return readCode(A, To);
  };
  FrameWalk W =
      walkFrames(Registers, {ReadStack, ReadCode}, [&](const WalkedFrame &F) {
        add(F, /*Certain=*/!Stack.outran());
      });
  return W.Complete || scanStack(W.Rest, Stack.copiedFrom(W.Rest));
}

bool Search::isReturn(ProgramAddr A) const {
  uint8_t Before[LongestCall];
  return readCode(A + -int64_t(LongestCall), Before) && endsWithCall(Before);
}

void Search::followSignalFrame(ProgramAddr At) {
  // The kernel's rt_sigframe: the return address, then the ucontext.
  ucontext_t Context;
  constexpr size_t Needed =
      offsetof(ucontext_t, uc_mcontext) + sizeof(mcontext_t);
  if (readOwn(At + 8, &Context, Needed) != Needed)
    return;
  const greg_t *Registers = Context.uc_mcontext.gregs;
  ProgramAddr Rip(static_cast<uint64_t>(Registers[REG_RIP]));
  add({/*Depth=*/0, Rip, /*Called=*/false}, /*Certain=*/false);
  ProgramAddr Rsp(static_cast<uint64_t>(Registers[REG_RSP]));
  const Mapping *Here = findMapping(Map, At);
  const Mapping *There = findMapping(Map, Rsp);
  if (There && There != Here && Interrupted.size() < 4)
    Interrupted.push_back(Rsp);
}

void Search::scanWords(ProgramAddr At, ArrayRef<uint8_t> Bytes) {
  for (size_t Offset = 0; Offset + 8 <= Bytes.size(); Offset += 8) {
    uint64_t Word;
    std::memcpy(&Word, Bytes.data() + Offset, 8);
    ProgramAddr A(Word);
    if (Word > Lowest && Word <= Highest &&
        llvm::any_of(Ranges,
                     [&](AddrRange R) { return A > R.Begin && A <= R.End; }) &&
        isReturn(A))
      add({/*Depth=*/0, A, /*Called=*/true}, /*Certain=*/false);
    if (SignalReturn && Word == SignalReturn)
      followSignalFrame(At + Offset);
  }
}

bool Search::scanStack(ProgramAddr Begin, ArrayRef<uint8_t> Copied) {
  bool Known = findMapping(Map, Begin) != nullptr;
  Interrupted.assign({Begin});
  for (size_t I = 0; I != Interrupted.size(); ++I) {
    ProgramAddr At(Interrupted[I].value() & ~7ULL);
    const Mapping *Stack = findMapping(Map, At);
    if (!Stack)
      continue;
    ProgramAddr End = std::min(Stack->Range.End, At + int64_t(ScanLimit));
    if (I == 0 && At == Begin) {
      scanWords(At, Copied);
      At = At + (Copied.size() & ~7ULL);
    }
    std::vector<uint8_t> Piece(1 << 16);
    while (At < End) {
      size_t Size = std::min<uint64_t>(Piece.size(), End - At);
      size_t Got = readOwn(At, Piece.data(), Size);
      if (Got < 8)
        break;
      scanWords(At, ArrayRef<uint8_t>(Piece.data(), Got));
      At = At + (Got & ~7ULL);
    }
  }
  return Known;
}

namespace {
enum class Look {
  Ended,
  Sure,   ///< each frame says whether it is certain
  Unsure, ///< none is
};
} // namespace

/// Nothing is known of where the thread is: every stack that it could have. A
/// stack has a guard page below it.
static void scanAllStacks(const std::vector<Mapping> &Map, Search &S) {
  const Mapping *Below = nullptr;
  for (const Mapping &M : Map) {
    bool Guarded = Below && Below->Protection == PROT_NONE &&
                   Below->Range.End == M.Range.Begin;
    if ((M.Protection & PROT_WRITE) && !M.Shared &&
        (Guarded || M.Path == "[stack]"))
      S.scanStack(M.Range.Begin, {});
    Below = &M;
  }
}

/// Looks while the thread sleeps. False: it does not, or not long enough.
static bool lookAsleep(int Thread, Search &S) {
  for (int Try = 0; Try != LookLimit; ++Try) {
    std::string Stamp = taskRunStamp(Thread);
    std::optional<SleepingTask> Before = readSleepingTask(Thread);
    if (!Before)
      return false;
    FrameRegisters Registers;
    Registers[FrameRegisters::Rsp] = Before->Rsp.value();
    Registers[FrameRegisters::Rip] = Before->Rip.value();
    S.forget();
    bool Known = S.unwind(Registers, {});
    // Has it slept all the time?
    std::optional<SleepingTask> After = readSleepingTask(Thread);
    if (Known && After && After->Text == Before->Text &&
        Stamp == taskRunStamp(Thread))
      return true;
  }
  return false;
}

/// The calling thread, from here on: this frame does not end while we look.
static bool lookAtSelf(Search &S) {
  ucontext_t Here;
  ::getcontext(&Here);
  const greg_t *Saved = Here.uc_mcontext.gregs;
  using R = FrameRegisters;
  FrameRegisters Registers;
  for (auto [Number, Value] :
       {std::pair(R::Rbx, Saved[REG_RBX]), std::pair(R::Rbp, Saved[REG_RBP]),
        std::pair(R::Rsp, Saved[REG_RSP]), std::pair(R::R12, Saved[REG_R12]),
        std::pair(R::R13, Saved[REG_R13]), std::pair(R::R14, Saved[REG_R14]),
        std::pair(R::R15, Saved[REG_R15]), std::pair(R::Rip, Saved[REG_RIP])})
    Registers[Number] = static_cast<uint64_t>(Value);
  S.forget();
  return S.unwind(Registers, {});
}

static Look lookAt(int Thread, const std::vector<Mapping> &Map, Search &S) {
  if (Thread == ::syscall(SYS_gettid))
    return lookAtSelf(S) ? Look::Sure : Look::Unsure;
  if (lookAsleep(Thread, S))
    return Look::Sure;
  // It runs, or it is about to: a sample comes as soon as it does.
  Sampler Clock(Thread);
  for (int Try = 0; Try != LookLimit; ++Try) {
    if (std::optional<StackSample> Sample = Clock.next()) {
      S.forget();
      if (S.unwind(Sample->Registers, Sample->Stack))
        return Look::Sure;
    }
    if (lookAsleep(Thread, S))
      return Look::Sure;
  }
  if (taskName(Thread).empty())
    return Look::Ended;
  S.forget();
  scanAllStacks(Map, S);
  return Look::Unsure;
}

std::vector<FrameHit> findFrames(ArrayRef<AddrRange> Ranges, ArrayRef<int> Skip,
                                 BuiltCode Code) {
  std::vector<FrameHit> Hits;
  // The stack of each thread in the list is mapped by now.
  std::vector<int> Threads = listTasks();
  llvm::Expected<std::vector<Mapping>> Map = readMemoryMap();
  if (!Map) {
    // No stack's end is known; better to say "may have" than "no".
    llvm::consumeError(Map.takeError());
    for (size_t I = 0; I != Ranges.size(); ++I)
      Hits.push_back({I, 0, "?", /*Certain=*/false});
    return Hits;
  }
  for (int Thread : Threads) {
    if (llvm::is_contained(Skip, Thread))
      continue;
    Search S(Ranges, *Map, Code);
    Look Result = lookAt(Thread, *Map, S);
    if (Result == Look::Ended)
      continue;
    for (size_t I = 0; I != Ranges.size(); ++I) {
      const Search::Found &F = S.found()[I];
      if (F.Frames)
        Hits.push_back({I, Thread, taskName(Thread),
                        Result == Look::Sure && F.Certain, F.Frames,
                        F.Innermost.Depth, F.Innermost.Pc, F.Innermost.Called});
    }
  }
  return Hits;
}

// As many as anybody reads, and enough to get out of a library.
constexpr size_t WalkLimit = 256;

std::vector<WalkedFrame> walkStack(FrameRegisters Registers, BuiltCode Code) {
  std::vector<WalkedFrame> Frames;
  StackMemory Stack(ProgramAddr(*Registers[FrameRegisters::Rsp]), {});
  auto ReadStack = [&](ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) {
    return Stack.read(A, To);
  };
  auto ReadCode = [&](ProgramAddr A, llvm::MutableArrayRef<uint8_t> To) {
    ArrayRef<uint8_t> Built = Code(A, To.size());
    if (Built.size() == To.size())
      std::memcpy(To.data(), Built.data(), To.size());
    return Built.size() == To.size() ||
           readOwn(A, To.data(), To.size()) == To.size();
  };
  auto Walk = [&] {
    return walkFrames(Registers, {ReadStack, ReadCode},
                      [&](const WalkedFrame &F) {
                        if (Frames.size() != WalkLimit)
                          Frames.push_back(F);
                      });
  };
  if (Walk().Complete || Frames.size() != 1)
    return Frames;
  // No code is known there: the call has pushed where it came from.
  ProgramAddr Top(*Registers[FrameRegisters::Rsp]);
  uint64_t Return = 0;
  if (readOwn(Top, &Return, sizeof Return) != sizeof Return)
    return Frames;
  Registers[FrameRegisters::Rip] = Return;
  Registers[FrameRegisters::Rsp] = Top.value() + sizeof Return;
  Walk();
  if (Frames.size() > 1)
    Frames[1].Called = true;
  return Frames;
}

} // namespace hotjit
