#include "Patch/Stacks.h"

#include "gmock/gmock.h"
#include <atomic>
#include <csignal>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace hotjit;

// Each function that is looked for has a section of its own, so that its range
// is known: __start_NAME and __stop_NAME come from the linker.
#define IN_SECTION(Name)                                                       \
  extern "C" char __start_##Name[], __stop_##Name[];                           \
  __attribute__((noinline, section(#Name)))
#define RANGE_OF(Name)                                                         \
  AddrRange {                                                                  \
    ProgramAddr(reinterpret_cast<uint64_t>(__start_##Name)),                   \
        ProgramAddr(reinterpret_cast<uint64_t>(__stop_##Name))                 \
  }

static std::atomic<bool> Stop;
static std::atomic<int> Ready;

IN_SECTION(waits) int waits(int Descriptor) {
  char Byte;
  Ready = 1;
  ssize_t Got = read(Descriptor, &Byte, 1);
  asm volatile("" ::: "memory");
  return static_cast<int>(Got) + 1;
}

IN_SECTION(spins) int spins() {
  int Turns = 0;
  Ready = 1;
  while (!Stop.load(std::memory_order_relaxed))
    asm volatile("" : "+r"(Turns));
  return Turns;
}

IN_SECTION(spinsbelow) int spinsBelow() {
  int Turns = spins();
  asm volatile("" : "+r"(Turns));
  return Turns + 1;
}

IN_SECTION(interrupted) int interrupted(int Thread) {
  // No call but the system call, which is made here: known by the instruction
  // pointer that the signal has saved, not by a return address.
  long Result = SYS_tgkill;
  asm volatile("syscall"
               : "+a"(Result)
               : "D"(getpid()), "S"(Thread), "d"(SIGUSR1)
               : "rcx", "r11", "memory");
  asm volatile("nop; nop; nop; nop");
  return static_cast<int>(Result);
}

// As a compiler makes it without optimization: its frame is found from rbp,
// which the system call's function does not save and the kernel does not tell.
// read(2) would be a sanitizer's.
IN_SECTION(unoptimized)
__attribute__((optnone)) int unoptimized(int Descriptor) {
  char Line[100];
  Ready = 1;
  return static_cast<int>(syscall(SYS_read, Descriptor, Line, 1));
}

// Its rsp is not where the prologue left it.
IN_SECTION(variablesize)
__attribute__((optnone)) int variableSize(int Descriptor, int Size) {
  auto *Line = static_cast<char *>(__builtin_alloca(Size));
  Ready = 1;
  return static_cast<int>(read(Descriptor, Line, 1)) + Size;
}

IN_SECTION(recursive)
__attribute__((optnone)) int recursive(int Descriptor, int Depth) {
  if (Depth > 0)
    return recursive(Descriptor, Depth - 1) + 1;
  return unoptimized(Descriptor);
}

__attribute__((noinline)) void nothing() { asm volatile("" ::: "memory"); }

// Its return address stays behind on the stack.
IN_SECTION(leavesbehind)
__attribute__((optnone)) void leavesBehind(int Depth) {
  nothing();
  if (Depth > 0)
    leavesBehind(Depth - 1);
}

__attribute__((noinline, optnone)) int sleepsAbove(int Descriptor) {
  char NotWritten[4096];
  Ready = 1;
  return static_cast<int>(read(Descriptor, NotWritten, 1));
}

IN_SECTION(nowhere) int nowhere(int A) {
  asm volatile("" : "+r"(A));
  return A + 1;
}

namespace {

/// A thread that runs Body and has set Ready when it is where it should be.
class Worker {
public:
  template <typename F> explicit Worker(F Body) {
    Ready = 0;
    Stop = false;
    Thread = std::thread([this, Body] {
      Id = static_cast<int>(syscall(SYS_gettid));
      Body();
    });
    while (!Ready)
      std::this_thread::yield();
  }
  ~Worker() {
    Stop = true;
    Thread.join();
  }
  std::atomic<int> Id{0};

private:
  std::thread Thread;
};

/// The test's code is not changed while it runs.
llvm::ArrayRef<uint8_t> asItIs(ProgramAddr, uint64_t) { return {}; }

std::vector<FrameHit> find(std::vector<AddrRange> Ranges) {
  return findFrames(Ranges, {static_cast<int>(syscall(SYS_gettid))}, asItIs);
}

class Pipe {
public:
  Pipe() { EXPECT_EQ(pipe(Ends), 0); }
  ~Pipe() {
    close(Ends[0]);
    close(Ends[1]);
  }
  void wake() { EXPECT_EQ(write(Ends[1], "x", 1), 1); }
  int Ends[2];
};

TEST(StacksTest, FindsAThreadThatSleepsInASystemCall) { // D3
  Pipe P;
  Worker W([&] { waits(P.Ends[0]); });
  std::vector<FrameHit> Hits;
  // Ready is set just before it sleeps; it is in the function all the time.
  Hits = find({RANGE_OF(nowhere), RANGE_OF(waits)});
  ASSERT_EQ(Hits.size(), 1u);
  EXPECT_EQ(Hits[0].Range, 1u);
  EXPECT_EQ(Hits[0].Thread, W.Id);
  EXPECT_TRUE(Hits[0].Certain);
  P.wake();
}

TEST(StacksTest, FindsNothingWhenTheFrameHasEnded) {
  Pipe P, Q;
  Worker W([&] {
    waits(P.Ends[0]);
    Ready = 2;
    char Byte;
    EXPECT_EQ(read(Q.Ends[0], &Byte, 1), 1);
  });
  P.wake();
  while (Ready != 2)
    std::this_thread::yield();
  EXPECT_TRUE(find({RANGE_OF(waits)}).empty());
  Q.wake();
}

TEST(StacksTest, FindsAThreadThatRuns) {
  Worker W([] { spinsBelow(); });
  std::vector<FrameHit> Hits =
      find({RANGE_OF(nowhere), RANGE_OF(spins), RANGE_OF(spinsbelow)});
  ASSERT_FALSE(Hits.empty());
  EXPECT_EQ(Hits.back().Range, 2u);
  EXPECT_EQ(Hits.back().Thread, W.Id);
  if (!Hits.back().Certain)
    GTEST_SKIP() << "perf_event_open(2) is not permitted here";
  ASSERT_EQ(Hits.size(), 2u);
  EXPECT_EQ(Hits[0].Range, 1u);
}

TEST(StacksTest, FindsTheCallingThread) {
  EXPECT_TRUE(find({RANGE_OF(nowhere)}).empty());
  EXPECT_TRUE(findFrames({RANGE_OF(nowhere)}, {}, asItIs).empty());
}

TEST(StacksTest, LeavesOutWhomItIsTold) {
  Pipe P;
  Worker W([&] { waits(P.Ends[0]); });
  EXPECT_TRUE(findFrames({RANGE_OF(waits)},
                         {static_cast<int>(syscall(SYS_gettid)), W.Id.load()},
                         asItIs)
                  .empty());
  P.wake();
}

TEST(StacksTest, UnwindsCodeWithFramePointers) { // D3
  Pipe P;
  Worker W([&] {
    // Not known to the compiler, and not to us: no direct call of it.
    int (*volatile Call)(int) = unoptimized;
    Call(P.Ends[0]);
  });
  std::vector<FrameHit> Hits = find({RANGE_OF(unoptimized)});
  ASSERT_EQ(Hits.size(), 1u);
  EXPECT_TRUE(Hits[0].Certain);
  EXPECT_EQ(Hits[0].Frames, 1u);
  EXPECT_EQ(Hits[0].Depth, 1u); // syscall() is the innermost
  EXPECT_TRUE(Hits[0].Called);
  P.wake();
}

TEST(StacksTest, UnwindsFramesOfVariableSize) {
  Pipe P;
  Worker W([&] { variableSize(P.Ends[0], 300); });
  std::vector<FrameHit> Hits = find({RANGE_OF(variablesize)});
  ASSERT_EQ(Hits.size(), 1u);
  EXPECT_TRUE(Hits[0].Certain);
  P.wake();
}

TEST(StacksTest, CountsFrames) { // B39
  Pipe P;
  Worker W([&] { recursive(P.Ends[0], 9); });
  std::vector<FrameHit> Hits =
      find({RANGE_OF(recursive), RANGE_OF(unoptimized)});
  ASSERT_EQ(Hits.size(), 2u);
  EXPECT_EQ(Hits[0].Frames, 10u);
  EXPECT_EQ(Hits[0].Depth, 2u);
  EXPECT_TRUE(Hits[0].Certain);
  EXPECT_EQ(Hits[1].Depth, 1u);
  P.wake();
}

TEST(StacksTest, IsNotFooledByWhatAFinishedCallLeftBehind) {
  Pipe P;
  Worker W([&] {
    leavesBehind(20);
    sleepsAbove(P.Ends[0]);
  });
  EXPECT_TRUE(find({RANGE_OF(leavesbehind)}).empty());
  P.wake();
}

int HandlerPipe;
void sleepInHandler(int) { waits(HandlerPipe); }

/// Runs interrupted() with a handler that sleeps, on Stack if given.
void interruptWith(int Flags, void *Stack) {
  stack_t Alternate = {};
  Alternate.ss_sp = Stack;
  Alternate.ss_size = 1 << 16;
  if (Stack) {
    ASSERT_EQ(sigaltstack(&Alternate, nullptr), 0);
  }
  struct sigaction A = {};
  A.sa_handler = sleepInHandler;
  A.sa_flags = Flags;
  ASSERT_EQ(sigaction(SIGUSR1, &A, nullptr), 0);
  interrupted(static_cast<int>(syscall(SYS_gettid)));
}

TEST(StacksTest, FindsWhatASignalInterrupted) {
  for (bool OnOtherStack : {false, true}) {
    Pipe P;
    HandlerPipe = P.Ends[0];
    void *Stack = mmap(nullptr, 1 << 16, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Worker W([&] {
      interruptWith(OnOtherStack ? SA_ONSTACK : 0,
                    OnOtherStack ? Stack : nullptr);
    });
    std::vector<FrameHit> Hits =
        find({RANGE_OF(interrupted), RANGE_OF(nowhere), RANGE_OF(waits)});
    ASSERT_EQ(Hits.size(), 2u) << OnOtherStack;
    EXPECT_EQ(Hits[0].Range, 0u);
    EXPECT_TRUE(Hits[0].Certain);
    EXPECT_FALSE(Hits[0].Called);
    EXPECT_EQ(Hits[1].Range, 2u);
    EXPECT_TRUE(Hits[1].Certain);
    EXPECT_LT(Hits[1].Depth, Hits[0].Depth);
    P.wake();
  }
}

} // namespace
