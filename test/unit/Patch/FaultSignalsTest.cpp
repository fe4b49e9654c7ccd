// What a program sees of a fault that is not hotjit's: what it would see
// without it. Each in a child process, most with an action that was there
// before.

#include "Patch/os/linux/FaultSignals.h"

#include "Patch/os/linux/IllegalInstruction.h"

#include "Child.h"
#include "llvm/Support/Error.h"
#include <csetjmp>
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <thread>
#include <ucontext.h>

using namespace hotjit;

namespace {

int Calls;
siginfo_t Seen;
sigset_t SeenMask;
sigjmp_buf Out;

/// ud2, and goes on behind it if the handler says so.
void fault() { asm volatile("ud2"); }

void onInfo(int, siginfo_t *Info, void *Context) {
  ++Calls;
  Seen = *Info;
  pthread_sigmask(SIG_BLOCK, nullptr, &SeenMask);
  if (Info->si_code > 0)
    static_cast<ucontext_t *>(Context)->uc_mcontext.gregs[REG_RIP] += 2;
}

void onPlain(int) {
  ++Calls;
  siglongjmp(Out, 1);
}

void setAction(void (*Handler)(int, siginfo_t *, void *), int Flags) {
  struct sigaction A;
  std::memset(&A, 0, sizeof A);
  A.sa_sigaction = Handler;
  A.sa_flags = Flags;
  sigaddset(&A.sa_mask, SIGUSR1);
  ASSERT_EQ(sigaction(SIGILL, &A, nullptr), 0);
}

void install() {
  llvm::Error E = installFaultHandlers();
  ASSERT_FALSE(bool(E)) << llvm::toString(std::move(E));
}

void expectKilled(int Status) {
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGILL)
      << "status " << Status;
}

TEST(FaultSignalsTest, AFaultWithTheDefaultActionEndsTheProcess) {
  expectKilled(statusOf([] {
    install();
    fault();
  }));
}

TEST(FaultSignalsTest, ASentSignalWithTheDefaultActionEndsTheProcess) {
  expectKilled(statusOf([] {
    install();
    raise(SIGILL);
  }));
}

TEST(FaultSignalsTest, IgnoredMeansIgnoredIfSentAndTheEndIfAFault) {
  expectKilled(statusOf([] {
    signal(SIGILL, SIG_IGN);
    install();
    fault();
  }));
  inChild([] {
    signal(SIGILL, SIG_IGN);
    install();
    raise(SIGILL);
  });
}

TEST(FaultSignalsTest, AHandlerSeesTheSameFaultAndItsOwnMask) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    fault();
    EXPECT_EQ(Calls, 1);
    EXPECT_EQ(Seen.si_signo, SIGILL);
    EXPECT_EQ(Seen.si_code, ILL_ILLOPN);
    EXPECT_TRUE(sigismember(&SeenMask, SIGUSR1));
    EXPECT_FALSE(sigismember(&SeenMask, SIGILL));
    sigset_t After;
    pthread_sigmask(SIG_BLOCK, nullptr, &After);
    EXPECT_FALSE(sigismember(&After, SIGUSR1));
    fault();
    EXPECT_EQ(Calls, 2);
  });
}

TEST(FaultSignalsTest, AHandlerSeesWhoSentASignal) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    kill(getpid(), SIGILL);
    EXPECT_EQ(Calls, 1);
    EXPECT_EQ(Seen.si_code, SI_USER);
    EXPECT_EQ(Seen.si_pid, getpid());
  });
}

TEST(FaultSignalsTest, AHandlerMayJumpOut) {
  inChild([] {
    signal(SIGILL, onPlain);
    install();
    for (int I = 1; I != 3; ++I) {
      if (sigsetjmp(Out, 1) == 0)
        fault();
      EXPECT_EQ(Calls, I);
    }
  });
}

TEST(FaultSignalsTest, AHandlerForOneTimeIsCalledOnce) {
  expectKilled(statusOf([] {
    setAction(onInfo, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
    install();
    fault();
    if (Calls != 1)
      _exit(2);
    fault();
  }));
}

TEST(FaultSignalsTest, InstallingTwiceDoesNotChainToItself) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    install();
    fault();
    EXPECT_EQ(Calls, 1);
    EXPECT_TRUE(isFaultHandlerFirst(SIGILL));
    signal(SIGILL, SIG_DFL);
    EXPECT_FALSE(isFaultHandlerFirst(SIGILL));
  });
}

//===-- Where the handler runs, and what it sees --------------------------===//

char Alternate[64 << 10];

void setAlternateStack() {
  stack_t Stack = {};
  Stack.ss_sp = Alternate;
  Stack.ss_size = sizeof Alternate;
  ASSERT_EQ(sigaltstack(&Stack, nullptr), 0);
}

bool isOnAlternate(const void *A) {
  return A >= Alternate && A < Alternate + sizeof Alternate;
}

/// How a handler for SIGSEGV found things.
struct Sight {
  bool Ran = false;
  bool OnAlternate = false;
  bool ContextOnAlternate = false;
  void *Address = nullptr;
  greg_t Rip = 0, Rsp = 0, Rbx = 0;
  sigset_t Mask;
  double Vector = 0;
} Look;

char *Hole; ///< a page that is not readable

void onSegv(int, siginfo_t *Info, void *Context) {
  auto *User = static_cast<ucontext_t *>(Context);
  char Local = 0;
  Look.Ran = true;
  Look.OnAlternate = isOnAlternate(&Local);
  Look.ContextOnAlternate = isOnAlternate(Context);
  Look.Address = Info->si_addr;
  Look.Rip = User->uc_mcontext.gregs[REG_RIP];
  Look.Rsp = User->uc_mcontext.gregs[REG_RSP];
  Look.Rbx = User->uc_mcontext.gregs[REG_RBX];
  pthread_sigmask(SIG_BLOCK, nullptr, &Look.Mask);
  // It may use what the interrupted code uses, and repair the fault.
  volatile double Other = 5;
  Look.Vector = Other * 2;
  mprotect(Hole, 4096, PROT_READ | PROT_WRITE);
}

/// Faults with something in rbx and in a vector register, and goes on if the
/// handler has repaired it. The vector register afterwards.
__attribute__((noinline)) double touchHole() {
  double Result;
  asm volatile("movq $0x1234, %%rbx\n\t"
               "movl $7, %%eax\n\t"
               "cvtsi2sdl %%eax, %%xmm3\n\t"
               "movb $1, (%1)\n\t"
               "movapd %%xmm3, %0"
               : "=x"(Result)
               : "r"(Hole + 8)
               : "rbx", "eax", "xmm3", "memory");
  return Result;
}

void look(int Flags, bool WithAlternate) {
  Hole = static_cast<char *>(
      mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  struct sigaction A;
  std::memset(&A, 0, sizeof A);
  A.sa_sigaction = onSegv;
  A.sa_flags = Flags | SA_SIGINFO;
  sigaddset(&A.sa_mask, SIGUSR1);
  ASSERT_EQ(sigaction(SIGSEGV, &A, nullptr), 0);
  install();
  if (WithAlternate)
    setAlternateStack();
  EXPECT_EQ(touchHole(), 7.0);
  EXPECT_TRUE(Look.Ran);
  EXPECT_EQ(Look.Address, Hole + 8);
  EXPECT_EQ(Look.Rbx, 0x1234);
  EXPECT_TRUE(sigismember(&Look.Mask, SIGUSR1));
  EXPECT_EQ(sigismember(&Look.Mask, SIGSEGV), !(Flags & SA_NODEFER));
  EXPECT_FALSE(sigismember(&Look.Mask, SIGUSR2));
  sigset_t After;
  pthread_sigmask(SIG_BLOCK, nullptr, &After);
  EXPECT_TRUE(sigisemptyset(&After));
  // The same again: nothing was used up.
  Look.Ran = false;
  mprotect(Hole, 4096, PROT_NONE);
  EXPECT_EQ(touchHole(), 7.0);
  EXPECT_EQ(Look.Ran, !(static_cast<unsigned>(Flags) & SA_RESETHAND));
}

TEST(FaultSignalsTest, AHandlerThatDidNotAskRunsOnTheOrdinaryStack) {
  inChild([] {
    look(0, /*WithAlternate=*/true);
    EXPECT_FALSE(Look.OnAlternate);
    EXPECT_FALSE(Look.ContextOnAlternate);
    // As near as the kernel puts it: below the red zone.
    auto Here = reinterpret_cast<greg_t>(__builtin_frame_address(0));
    EXPECT_LT(Look.Rsp, Here);
  });
}

TEST(FaultSignalsTest, AHandlerThatAskedRunsOnTheAlternateStack) {
  inChild([] {
    look(SA_ONSTACK, /*WithAlternate=*/true);
    EXPECT_TRUE(Look.OnAlternate);
    EXPECT_TRUE(Look.ContextOnAlternate);
  });
}

TEST(FaultSignalsTest, WithoutAnAlternateStackEveryHandlerRunsOnTheOther) {
  inChild([] { look(SA_ONSTACK, /*WithAlternate=*/false); });
  inChild([] { look(SA_NODEFER, /*WithAlternate=*/false); });
}

TEST(FaultSignalsTest, OnAnyThread) {
  inChild([] { std::thread([] { look(0, /*WithAlternate=*/true); }).join(); });
}

sigjmp_buf Deep;
void onOverflow(int) { siglongjmp(Deep, 1); }

int Depth;
__attribute__((noinline)) int recurse(int N) {
  volatile char Frame[512];
  Frame[0] = static_cast<char>(N);
  ++Depth;
  return N < 0 ? 0 : recurse(N + 1) + Frame[0];
}

void overflow(int Flags) {
  struct sigaction A;
  std::memset(&A, 0, sizeof A);
  A.sa_handler = onOverflow;
  A.sa_flags = Flags;
  sigaction(SIGSEGV, &A, nullptr);
  install();
  setAlternateStack();
  rlimit Small = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_STACK, &Small);
  for (int I = 0; I != 2; ++I)
    if (sigsetjmp(Deep, 1) == 0)
      recurse(0);
  if (Depth < 1000)
    _exit(2);
}

TEST(FaultSignalsTest, AStackOverflowReachesAHandlerWithAStackOfItsOwn) {
  inChild([] { overflow(SA_ONSTACK); });
}

TEST(FaultSignalsTest, AStackOverflowEndsAProgramWithoutOne) {
  // As the kernel does it: there is no room for the frame.
  int Status = statusOf([] { overflow(0); });
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGSEGV)
      << "status " << Status;
}

TEST(FaultSignalsTest, AbortEndsTheProgramThoughItsHandlerReturns) {
  int Status = statusOf([] {
    signal(SIGABRT, [](int) { ++Calls; });
    install();
    abort();
  });
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGABRT)
      << "status " << Status;
}

TEST(FaultSignalsTest, ATrapWithTheDefaultActionEndsTheProgram) {
  int Status = statusOf([] {
    install();
    asm volatile("int3");
  });
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGTRAP)
      << "status " << Status;
}

TEST(FaultSignalsTest, ABlockedFaultEndsTheProgramAsItAlwaysDid) {
  int Status = statusOf([] {
    setAction(onInfo, SA_SIGINFO);
    signal(SIGSEGV, onOverflow);
    install();
    sigset_t Segv;
    sigemptyset(&Segv);
    sigaddset(&Segv, SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &Segv, nullptr);
    *reinterpret_cast<volatile int *>(16) = 1;
  });
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGSEGV)
      << "status " << Status;
}

//===-- Overwritten entries -----------------------------------------------===//

TEST(FaultSignalsTest, MovesAThreadOnFromAWindow) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    // push es; ...; at +16: mov eax,7; ret
    static const uint8_t Code[] = {
        0x06, 0x90, 0x06, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
        0x90, 0x90, 0x90, 0x90, 0x90, 0xb8, 7,    0,    0,    0,    0xc3};
    void *Page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // A sanitizer that checks indirect calls reads what stands before.
    char *Begin = static_cast<char *>(Page) + 64;
    std::memcpy(Begin, Code, sizeof Code);
    ProgramAddr Site(reinterpret_cast<uint64_t>(Begin));
    RecoveryWindow W = {Site, {}};
    W.GoOn[2] = Site + 16;
    publishRecoveryWindows(W);
    auto At = [&](int Offset) {
      return reinterpret_cast<int (*)()>(Begin + Offset);
    };
    uint64_t Before = countRecoveries();
    EXPECT_EQ(At(2)(), 7);
    EXPECT_EQ(countRecoveries(), Before + 1);
    EXPECT_EQ(Calls, 0);
    // A later window for the same site decides.
    W.GoOn[0] = Site + 16;
    publishRecoveryWindows(W);
    EXPECT_EQ(At(0)(), 7);
    EXPECT_EQ(At(2)(), 7);
    EXPECT_EQ(Calls, 0);
  });
}

} // namespace
