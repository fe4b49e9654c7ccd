// After a commit, new calls go to the new code, and frames that are on a stack
// finish in the old. Whether there are any decides what the user is told
// ("pending", "settled"), so we look; and nothing may be stopped or signalled
// for it: a signal would make sleeping system calls return EINTR.
//
// A thread that sleeps in the kernel tells where its stack pointer and its
// instruction pointer are (/proc/self/task/TID/syscall). One that runs does
// not; perf_event_open(2) with a task clock makes the kernel take a sample of
// it: registers and up to 64 KiB of its stack, at one moment. Where that is not
// permitted (kernel.perf_event_paranoid), we look again for a while, and at
// last search all of its stack, of which no more can be said than "may have".
//
// A frame of a function is there if the instruction pointer is in it, or if a
// word of the stack is an address in it behind a call instruction: no frame
// pointers and no unwind tables are needed. Words that were left behind can
// look like frames; then "pending" lasts a little too long, which is the right
// side to err on. A signal that interrupted the function between two calls has
// saved its registers on the stack; that frame is known by the address of the
// kernel's return code and is followed, also to the stack that it interrupted.
//
// Not seen: stacks that no thread runs on (fibers), a thread that has read the
// old table but has not yet jumped, and, where sampling is not permitted, the
// function that a thread runs if it has called nothing.

#include "Patch/Stacks.h"

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

namespace {

// Looks at a thread that wakes and sleeps in between; each takes microseconds.
constexpr int LookLimit = 16;
// Stacks are of 8 MiB, some programs make them of 64; the mapping may be merged
// with others above it.
constexpr uint64_t ScanLimit = 256ULL << 20;
// A call instruction has at most this many bytes behind its prefixes.
constexpr unsigned CallSize = 7;
// A jump was written over the first bytes of an armed function, perhaps over a
// call; its return address lies not farther than this from the entry.
constexpr int64_t EntryBytes = 5 + 15;

/// What is found while one thread is looked at.
class Search {
public:
  Search(ArrayRef<AddrRange> Ranges, const std::vector<Mapping> &Map);

  void lookAtInstruction(ProgramAddr Rip);
  /// From Rsp to the end of its mapping. Copied holds the first bytes, if they
  /// were taken together with Rsp. False: no such stack is known.
  bool scanStack(ProgramAddr Rsp, ArrayRef<uint8_t> Copied);
  const std::vector<bool> &found() const { return Found; }
  void forget() { Found.assign(Ranges.size(), false); }

private:
  void scanWords(ProgramAddr At, ArrayRef<uint8_t> Bytes);
  void lookAtReturn(uint64_t Address);
  void followSignalFrame(ProgramAddr At);

  ArrayRef<AddrRange> Ranges;
  const std::vector<Mapping> &Map;
  uint64_t SignalReturn;
  uint64_t Lowest = ~0ULL, Highest = 0; ///< of all ranges
  std::vector<bool> Found;
  /// Stacks that a signal interrupted; a few.
  llvm::SmallVector<ProgramAddr, 4> Interrupted;
};

} // namespace

/// Bytes of our own memory; fewer if it is not mapped (any more).
static size_t readOwn(ProgramAddr A, void *To, size_t Size) {
  struct iovec Local = {To, Size};
  struct iovec Remote = {reinterpret_cast<void *>(A.value()), Size};
  ssize_t Got = ::process_vm_readv(::getpid(), &Local, 1, &Remote, 1, 0);
  return Got < 0 ? 0 : static_cast<size_t>(Got);
}

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

/// Do the bytes before a return address end with a call?
static bool endsWithCall(ArrayRef<uint8_t> Bytes) {
  auto Back = [&](size_t Distance) -> unsigned {
    return Distance <= Bytes.size() ? Bytes[Bytes.size() - Distance] : 0u;
  };
  if (Back(5) == 0xe8)
    return true;
  // ff /2: ModRM's middle bits are 010. Its upper two bits and lower three say
  // how many bytes follow.
  auto Indirect = [&](size_t Length, unsigned Mode, bool Sib) {
    unsigned ModRM = Back(Length - 1);
    return Back(Length) == 0xff && (ModRM & 0x38) == 0x10 &&
           ModRM >> 6 == Mode && (Mode == 3 || ((ModRM & 7) == 4) == Sib);
  };
  bool RipOrAbsolute = Back(6) == 0xff && Back(5) == 0x15;
  return Indirect(2, 3, false) || Indirect(2, 0, false) ||
         Indirect(3, 0, true) || Indirect(3, 1, false) ||
         Indirect(4, 1, true) || Indirect(6, 2, false) ||
         Indirect(7, 2, true) || RipOrAbsolute || Indirect(7, 0, true);
}

Search::Search(ArrayRef<AddrRange> Ranges, const std::vector<Mapping> &Map)
    : Ranges(Ranges), Map(Map), SignalReturn(signalReturnCode()),
      Found(Ranges.size()) {
  for (AddrRange R : Ranges) {
    Lowest = std::min(Lowest, R.Begin.value());
    Highest = std::max(Highest, R.End.value());
  }
}

void Search::lookAtInstruction(ProgramAddr Rip) {
  for (size_t I = 0; I != Ranges.size(); ++I)
    if (Ranges[I].contains(Rip))
      Found[I] = true;
}

void Search::lookAtReturn(uint64_t Address) {
  ProgramAddr A(Address);
  for (size_t I = 0; I != Ranges.size(); ++I) {
    AddrRange R = Ranges[I];
    // A call that is the last instruction returns to the end.
    if (Found[I] || A <= R.Begin || A > R.End)
      continue;
    if (A - R.Begin <= EntryBytes && A < R.End) {
      Found[I] = true;
      continue;
    }
    uint8_t Before[CallSize];
    size_t Got = readOwn(A + -int64_t(CallSize), Before, CallSize);
    if (Got == CallSize && endsWithCall(Before))
      Found[I] = true;
  }
}

void Search::followSignalFrame(ProgramAddr At) {
  // The kernel's rt_sigframe: the return address, then the ucontext.
  ucontext_t Context;
  constexpr size_t Needed =
      offsetof(ucontext_t, uc_mcontext) + sizeof(mcontext_t);
  if (readOwn(At + 8, &Context, Needed) != Needed)
    return;
  const greg_t *Registers = Context.uc_mcontext.gregs;
  lookAtInstruction(ProgramAddr(static_cast<uint64_t>(Registers[REG_RIP])));
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
    if (Word >= Lowest && Word <= Highest)
      lookAtReturn(Word);
    if (SignalReturn && Word == SignalReturn)
      followSignalFrame(At + Offset);
  }
}

bool Search::scanStack(ProgramAddr Rsp, ArrayRef<uint8_t> Copied) {
  bool Known = findMapping(Map, Rsp) != nullptr;
  Interrupted.assign({Rsp});
  for (size_t I = 0; I != Interrupted.size(); ++I) {
    ProgramAddr At(Interrupted[I].value() & ~7ULL);
    const Mapping *Stack = findMapping(Map, At);
    if (!Stack)
      continue;
    ProgramAddr End = std::min(Stack->Range.End, At + int64_t(ScanLimit));
    if (I == 0 && At == Rsp) {
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
enum class Look { Ended, Sure, Unsure };
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
  bool Self = Thread == ::syscall(SYS_gettid);
  for (int Try = 0; Try != LookLimit; ++Try) {
    std::string Stamp = taskRunStamp(Thread);
    std::optional<SleepingTask> Before = readSleepingTask(Thread);
    if (!Before)
      return false;
    S.forget();
    S.lookAtInstruction(Before->Rip);
    bool Known = S.scanStack(Before->Rsp, {});
    if (Self)
      return Known;
    // Has it slept all the time?
    std::optional<SleepingTask> After = readSleepingTask(Thread);
    if (Known && After && After->Text == Before->Text &&
        Stamp == taskRunStamp(Thread))
      return true;
  }
  return false;
}

static Look lookAt(int Thread, const std::vector<Mapping> &Map, Search &S) {
  if (lookAsleep(Thread, S))
    return Look::Sure;
  // It runs, or it is about to: a sample comes as soon as it does.
  Sampler Clock(Thread);
  for (int Try = 0; Try != LookLimit; ++Try) {
    if (std::optional<StackSample> Sample = Clock.next()) {
      S.forget();
      S.lookAtInstruction(Sample->Rip);
      if (S.scanStack(Sample->Rsp, Sample->Stack))
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

std::vector<FrameHit> findFrames(ArrayRef<AddrRange> Ranges,
                                 ArrayRef<int> Skip) {
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
    Search S(Ranges, *Map);
    Look Result = lookAt(Thread, *Map, S);
    if (Result == Look::Ended)
      continue;
    for (size_t I = 0; I != Ranges.size(); ++I)
      if (S.found()[I])
        Hits.push_back({I, Thread, taskName(Thread), Result == Look::Sure});
  }
  return Hits;
}

} // namespace hotjit
