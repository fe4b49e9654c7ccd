// New code crashes, as any code does. Then the developer wants to know where,
// in which version, and not to start again if the program has said
// (hotjit_guard) that it can do without the call.
//
// The thread that has crashed may hold any lock, the unwinder's and malloc's
// too. So it does nothing but write down its registers and wait, with its stack
// as it is, while another thread looks:
//
//   thread that crashed (handler)      hotjit-fence          session
//   takes a request, writes registers
//   rings, waits  -------------------> walks its stack
//                                      not new code? -> answers at once
//                                      new code -----------> symbols, report,
//                                                            withdraws it
//   goes on <---------------------------------------------- answers
//
// It waits for some seconds at most: nobody can be sure that the others do not
// wait for a lock that it holds. Requests lie in static memory, so that an
// answer that comes too late finds something to write to.
//
// What counts is the innermost frame of the program: new code that hands a bad
// pointer to memcpy has crashed; a callback that was built with the program and
// is called by new code has crashed by itself.

#include "Patch/Fence.h"

#include "Patch/CrashRequest.h"
#include "Patch/GuardedCall.h"
#include "Patch/arch/x86_64/SignalFrame.h"
#include "Patch/os/linux/Tasks.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hotjit {

using llvm::ArrayRef;

//===-- Ranges that the handler knows -------------------------------------===//

namespace {
/// Ranges that were published together, sorted. Never freed.
struct RangeList {
  const RangeList *Earlier;
  size_t Count;
  const AddrRange *Ranges;
};
} // namespace

static constinit std::atomic<const RangeList *> Live{nullptr}, Built{nullptr};

static void publish(std::atomic<const RangeList *> &To,
                    ArrayRef<AddrRange> Ranges) {
  if (Ranges.empty())
    return;
  auto Copy = std::make_unique<AddrRange[]>(Ranges.size());
  llvm::copy(Ranges, Copy.get());
  auto List = std::make_unique<RangeList>(RangeList{
      To.load(std::memory_order_relaxed), Ranges.size(), Copy.release()});
  To.store(List.release(), std::memory_order_release);
}

void publishLiveCode(ArrayRef<AddrRange> Ranges) { publish(Live, Ranges); }
void publishBuiltCode(ArrayRef<AddrRange> Ranges) { publish(Built, Ranges); }

static bool contains(const std::atomic<const RangeList *> &In, ProgramAddr A) {
  for (const RangeList *L = In.load(std::memory_order_acquire); L;
       L = L->Earlier)
    for (size_t I = 0; I != L->Count; ++I)
      if (L->Ranges[I].contains(A))
        return true;
  return false;
}

//===-- Requests ----------------------------------------------------------===//

// As many threads may crash at once as are looked at; others wait.
static constinit CrashRequest Requests[16];
static constinit std::atomic<uint32_t> Bell{0};
static constinit std::atomic<bool> IsOn{false};
static constinit std::atomic<bool> IsEnding{false};

static void wait(std::atomic<uint32_t> &Word, uint32_t While,
                 const timespec *Until) {
  // FUTEX_WAIT_BITSET takes an absolute time.
  ::syscall(SYS_futex, &Word, FUTEX_WAIT_BITSET_PRIVATE, While, Until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
}
static void wake(std::atomic<uint32_t> &Word) {
  ::syscall(SYS_futex, &Word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr,
            0);
}

/// Null: all are taken, and stay so.
static CrashRequest *takeRequest() {
  constexpr unsigned Tries = 5000;
  const timespec Pause = {0, 1'000'000}; // About five seconds in all.
  for (unsigned Try = 0; Try != Tries; ++Try) {
    for (CrashRequest &R : Requests) {
      uint32_t Free = CrashRequest::Free;
      if (R.State.compare_exchange_strong(Free, CrashRequest::Taken))
        return &R;
    }
    ::syscall(SYS_nanosleep, &Pause, nullptr);
  }
  return nullptr;
}

static void answer(CrashRequest &R, uint32_t With) {
  uint32_t Expected = CrashRequest::Working;
  if (R.State.compare_exchange_strong(Expected, With))
    wake(R.State);
  else
    R.State = CrashRequest::Free; // It did not wait so long.
}

//===-- In the handler ----------------------------------------------------===//

// A stack is walked, symbols are read and a table is published meanwhile, and
// the session may be linking.
constexpr time_t Patience = 5; // seconds

/// Waits for the answer. False: there was none in time.
static bool awaitAnswer(CrashRequest &R) {
  timespec Until;
  ::clock_gettime(CLOCK_MONOTONIC, &Until);
  Until.tv_sec += Patience;
  for (;;) {
    uint32_t Now = R.State;
    if (Now == CrashRequest::Ours || Now == CrashRequest::NotOurs)
      return true;
    timespec Time;
    ::clock_gettime(CLOCK_MONOTONIC, &Time);
    bool IsOver = Time.tv_sec > Until.tv_sec ||
                  (Time.tv_sec == Until.tv_sec && Time.tv_nsec > Until.tv_nsec);
    // Nobody has looked yet, or somebody is looking.
    uint32_t Then =
        Now == CrashRequest::Posted ? CrashRequest::Free : CrashRequest::Left;
    if (IsOver && R.State.compare_exchange_strong(Now, Then))
      return false;
    if (!IsOver)
      wait(R.State, Now, &Until);
  }
}

static FrameRegisters registersOf(const void *Context) {
  const greg_t *Saved =
      static_cast<const ucontext_t *>(Context)->uc_mcontext.gregs;
  using R = FrameRegisters;
  FrameRegisters Registers;
  for (auto [Number, From] :
       {std::pair(R::Rbx, REG_RBX), std::pair(R::Rbp, REG_RBP),
        std::pair(R::Rsp, REG_RSP), std::pair(R::R12, REG_R12),
        std::pair(R::R13, REG_R13), std::pair(R::R14, REG_R14),
        std::pair(R::R15, REG_R15), std::pair(R::Rip, REG_RIP)})
    Registers[Number] = static_cast<uint64_t>(Saved[From]);
  return Registers;
}

namespace {
/// hotjit_guard.
struct ProgramGuard {
  sigjmp_buf Back;
  /// Could the frames of a thread with this stack pointer be below the guard?
  bool isAround(uint64_t Sp) const {
    return Sp < reinterpret_cast<uint64_t>(this);
  }
  char Text[sizeof(CrashRequest::Text)] = "";
};
} // namespace

static constinit thread_local ProgramGuard *InnermostGuard
    __attribute__((tls_model("initial-exec"))) = nullptr;

void takeByFence(int Signal, const siginfo_t &Info, void *Context) {
  ProgramAddr Pc(pcOf(Context));
  if (!IsOn || !Live.load() || !isRaisedByThread(Signal, Info) ||
      contains(Built, Pc))
    return;
  ProgramGuard *Guard = InnermostGuard;
  if (Guard && !Guard->isAround(spOf(Context)))
    Guard = nullptr;
  CrashRequest *R = takeRequest();
  if (!R)
    return;
  R->Signal = Signal;
  R->Fault = ProgramAddr(reinterpret_cast<uint64_t>(Info.si_addr));
  R->Thread = static_cast<int>(::syscall(SYS_gettid));
  R->Registers = registersOf(Context);
  R->IsOverflow = isStackOverflow(Signal, Info, Context);
  R->IsGuarded = Guard != nullptr;
  R->Text[0] = '\0';
  R->State = CrashRequest::Posted;
  Bell.fetch_add(1);
  wake(Bell);
  if (!awaitAnswer(*R))
    return;
  bool IsOurs = R->State == CrashRequest::Ours;
  if (IsOurs && Guard)
    std::memcpy(Guard->Text, R->Text, sizeof R->Text);
  R->State = CrashRequest::Free;
  if (IsOurs && Guard)
    siglongjmp(Guard->Back, 1);
}

//===-- The fence's thread ------------------------------------------------===//

llvm::Expected<std::unique_ptr<Fence>> Fence::start(Report Tell, Code Built) {
  std::unique_ptr<Fence> F(new Fence(std::move(Tell), std::move(Built)));
  IsEnding = false;
  llvm::Expected<Thread> T =
      Thread::start("hotjit-fence", [Raw = F.get()] { Raw->run(); });
  if (!T)
    return T.takeError();
  F->TheThread = std::move(*T);
  IsOn = true;
  return std::move(F);
}

void turnFenceOff() { IsOn = false; }

Fence::~Fence() {
  IsOn = false;
  IsEnding = true;
  Bell.fetch_add(1);
  wake(Bell);
  TheThread.join();
  for (CrashRequest &R : Requests)
    if (R.State == CrashRequest::Working)
      answer(R, CrashRequest::NotOurs);
}

void Fence::run() {
  while (!IsEnding) {
    uint32_t Heard = Bell;
    for (CrashRequest &R : Requests) {
      uint32_t Posted = CrashRequest::Posted;
      if (R.State.compare_exchange_strong(Posted, CrashRequest::Working))
        judge(R);
    }
    if (!IsEnding)
      wait(Bell, Heard, nullptr);
  }
}

/// The innermost frame of the program: of new code, or none.
static std::optional<size_t> findCulprit(ArrayRef<WalkedFrame> Frames) {
  for (size_t I = 0; I != Frames.size(); ++I) {
    ProgramAddr At = Frames[I].Pc + (Frames[I].Called ? int64_t(-1) : 0);
    if (contains(Live, At))
      return I;
    if (contains(hotjit::Built, At))
      return std::nullopt;
  }
  return std::nullopt;
}

void Fence::judge(CrashRequest &R) {
  Crash C;
  C.Frames = walkStack(R.Registers, [this](ProgramAddr A, uint64_t Size) {
    return Built(A, Size);
  });
  std::optional<size_t> Culprit = findCulprit(C.Frames);
  if (!Culprit)
    return answer(R, CrashRequest::NotOurs);
  C.Culprit = *Culprit;
  C.Signal = R.Signal;
  C.Fault = R.Fault;
  C.Thread = R.Thread;
  C.ThreadName = taskName(R.Thread);
  C.IsOverflow = R.IsOverflow;
  C.What = R.IsGuarded ? Crash::Next::Guard
           : programReaction(R.Signal) == ProgramReaction::Handler
               ? Crash::Next::Handler
               : Crash::Next::Ends;
  Tell(std::move(C), [&R](const std::string &Text) {
    size_t Size = std::min(Text.size(), sizeof R.Text - 1);
    std::memcpy(R.Text, Text.data(), Size);
    R.Text[Size] = '\0';
    answer(R, CrashRequest::Ours);
  });
}

//===-- hotjit_guard ------------------------------------------------------===//

// What a handler of ours needs, and the kernel's frame with all of AVX-512.
constexpr size_t HandlerStackSize = 24 << 10;

namespace {
/// Guards of a thread are left in order, by whatever way.
class GuardScope {
public:
  explicit GuardScope(ProgramGuard &Guard) : Outer(InnermostGuard) {
    InnermostGuard = &Guard;
  }
  ~GuardScope() { leave(); }
  void leave() {
    InnermostGuard = Outer;
    Stack.leave();
  }

private:
  ProgramGuard *Outer;
  HandlerStack<HandlerStackSize> Stack;
};
} // namespace

bool guardProgramCall(void (*F)(void *), void *Argument, char *Error,
                      size_t ErrorSize) {
  ProgramGuard Guard;
  GuardScope Scope(Guard);
  // A handler begins with the default modes of the floating point unit, and
  // siglongjmp leaves them.
  uint32_t Sse;
  uint16_t X87;
  asm volatile("stmxcsr %0; fnstcw %1" : "=m"(Sse), "=m"(X87));
  if (sigsetjmp(Guard.Back, 1) == 0) {
    callWithCleanup(
        F, Argument,
        [](void *Left) { static_cast<GuardScope *>(Left)->leave(); }, &Scope);
    return true;
  }
  asm volatile("ldmxcsr %0; fldcw %1" : : "m"(Sse), "m"(X87));
  size_t Size = std::min(std::strlen(Guard.Text), ErrorSize - 1);
  std::memcpy(Error, Guard.Text, Size);
  Error[Size] = '\0';
  return false;
}

} // namespace hotjit
