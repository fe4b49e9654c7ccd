#include "Patch/os/linux/IllegalInstruction.h"

#include "Child.h"
#include "llvm/Support/Error.h"
#include <csetjmp>
#include <cstring>
#include <sys/mman.h>
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
  llvm::Error E = installIllegalInstructionHandler();
  ASSERT_FALSE(bool(E)) << llvm::toString(std::move(E));
}

void expectKilled(int Status) {
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGILL)
      << "status " << Status;
}

TEST(IllegalInstructionTest, AFaultWithTheDefaultActionEndsTheProcess) {
  expectKilled(statusOf([] {
    install();
    fault();
  }));
}

TEST(IllegalInstructionTest, ASentSignalWithTheDefaultActionEndsTheProcess) {
  expectKilled(statusOf([] {
    install();
    raise(SIGILL);
  }));
}

TEST(IllegalInstructionTest, IgnoredMeansIgnoredIfSentAndTheEndIfAFault) {
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

TEST(IllegalInstructionTest, AHandlerSeesTheSameFaultAndItsOwnMask) {
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

TEST(IllegalInstructionTest, AHandlerSeesWhoSentASignal) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    kill(getpid(), SIGILL);
    EXPECT_EQ(Calls, 1);
    EXPECT_EQ(Seen.si_code, SI_USER);
    EXPECT_EQ(Seen.si_pid, getpid());
  });
}

TEST(IllegalInstructionTest, AHandlerMayJumpOut) {
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

TEST(IllegalInstructionTest, AHandlerForOneTimeIsCalledOnce) {
  expectKilled(statusOf([] {
    setAction(onInfo, SA_SIGINFO | static_cast<int>(SA_RESETHAND));
    install();
    fault();
    if (Calls != 1)
      _exit(2);
    fault();
  }));
}

TEST(IllegalInstructionTest, InstallingTwiceDoesNotChainToItself) {
  inChild([] {
    setAction(onInfo, SA_SIGINFO);
    install();
    install();
    fault();
    EXPECT_EQ(Calls, 1);
    EXPECT_TRUE(isIllegalInstructionHandlerFirst());
    signal(SIGILL, SIG_DFL);
    EXPECT_FALSE(isIllegalInstructionHandlerFirst());
  });
}

TEST(IllegalInstructionTest, MovesAThreadOnFromAWindow) {
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
