// E17: what the compiler may do to the thread that it runs on.

#include "Patch/CompilerGuard.h"

#include "Patch/CompilerWatch.h"
#include "Patch/os/linux/FaultSignals.h"
#include "Support/Error.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/PrettyStackTrace.h"
#include "llvm/Support/raw_ostream.h"
#include "gmock/gmock.h"
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

using namespace hotjit;
using testing::HasSubstr;
using testing::Not;

namespace {

class CompilerGuardTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::Error E = installFaultHandlers();
    ASSERT_FALSE(bool(E)) << llvm::toString(std::move(E));
  }
};

void crash() { *reinterpret_cast<volatile int *>(16) = 1; }

/// Something that is being done, as Clang and LLVM note it.
class Doing : public llvm::PrettyStackTraceEntry {
public:
  Doing(const char *What, bool Crashes = false)
      : What(What), Crashes(Crashes) {}
  void print(llvm::raw_ostream &OS) const override {
    OS << What << '\n';
    if (Crashes)
      crash();
  }

private:
  const char *What;
  bool Crashes;
};

TEST_F(CompilerGuardTest, WorkThatEndsIsNotDisturbed) {
  bool Done = false;
  EXPECT_FALSE(runCompiler([&] { Done = true; }));
  EXPECT_TRUE(Done);
}

TEST_F(CompilerGuardTest, SaysWhatItWasDoing) {
  for (int I = 0; I != 3; ++I) {
    std::optional<CompilerFailure> Why = runCompiler([] {
      Doing A("parsing the file");
      Doing B("parsing 'f'");
      Doing C("t.cpp:3:7: at ';'");
      crash();
    });
    ASSERT_TRUE(Why);
    EXPECT_EQ(Why->What,
              "the compiler crashed by SIGSEGV (Segmentation fault) at "
              "t.cpp:3:7: at ';', parsing 'f'");
    EXPECT_EQ(llvm::SavePrettyStackState(), nullptr);
  }
}

TEST_F(CompilerGuardTest, ACrashWhileSayingItIsOneMore) {
  std::optional<CompilerFailure> Why = runCompiler([] {
    Doing A("never said");
    Doing B("half said", /*Crashes=*/true);
    std::abort();
  });
  ASSERT_TRUE(Why);
  EXPECT_THAT(Why->What, HasSubstr("crashed by SIGABRT"));
  EXPECT_THAT(Why->What, HasSubstr("half said"));
  EXPECT_THAT(Why->What, Not(HasSubstr("never said")));
}

TEST_F(CompilerGuardTest, GivingUpHasAReason) {
  std::optional<CompilerFailure> Why =
      runCompiler([] { giveUpCompiling("cannot select this"); });
  ASSERT_TRUE(Why);
  EXPECT_EQ(Why->What, "the compiler gave up: cannot select this");
  giveUpCompiling("nobody compiles"); // and comes back
}

/// Needs memory to say what it is, say.
class DoingMuch : public llvm::PrettyStackTraceEntry {
public:
  void print(llvm::raw_ostream &OS) const override {
    OS << "half said\n";
    giveUpCompiling("out of memory again");
  }
};

TEST_F(CompilerGuardTest, GivingUpWhileSayingWhereIsOneMore) {
  std::optional<CompilerFailure> Why = runCompiler([] {
    DoingMuch A;
    giveUpCompiling("out of memory");
  });
  ASSERT_TRUE(Why);
  EXPECT_EQ(Why->What, "the compiler gave up: out of memory at half said");
}

int recurse(int N) {
  volatile char Frame[300];
  Frame[0] = static_cast<char>(N);
  return N < 0 ? 0 : recurse(N + 1) + Frame[0];
}

TEST_F(CompilerGuardTest, AStackOverflowIsNamed) {
  for (int I = 0; I != 2; ++I) {
    std::optional<CompilerFailure> Why = runCompiler([] { recurse(0); });
    ASSERT_TRUE(Why);
    EXPECT_EQ(Why->What, "the compiler ran out of stack");
  }
}

TEST_F(CompilerGuardTest, WorkWithoutEndIsStopped) {
  auto Watch = CompilerWatch::start();
  ASSERT_TRUE(bool(Watch));
  for (int I = 0; I != 2; ++I) {
    CompilerLimits Limits;
    Limits.Time = std::chrono::milliseconds(1);
    std::optional<CompilerFailure> Why = runCompiler(
        [] {
          Doing A("counting");
          for (;;)
            asm volatile("" : : : "memory"); // What stands in memory is read.
        },
        Watch->get(), Limits);
    ASSERT_TRUE(Why);
    EXPECT_TRUE(Why->OfLimits);
    EXPECT_EQ(Why->What,
              "the compiler was stopped: not done after 0 s at counting");
  }
}

std::mutex HangMutex;
std::condition_variable HangEnds;
bool HangIsTold = false;

TEST_F(CompilerGuardTest, WorkThatCannotBeStoppedIsTold) {
  setBrokenInvariantHandler([](const char *Text) {
    EXPECT_THAT(Text, HasSubstr("the compiler hangs"));
    std::lock_guard Lock(HangMutex);
    HangIsTold = true;
    HangEnds.notify_all();
  });
  auto Watch = CompilerWatch::start();
  ASSERT_TRUE(bool(Watch));
  CompilerLimits Limits;
  Limits.Time = Limits.Patience = std::chrono::milliseconds(1);
  runCompiler(
      [] {
        std::unique_lock Lock(HangMutex);
        HangEnds.wait(Lock, [] { return HangIsTold; });
      },
      Watch->get(), Limits);
  EXPECT_TRUE(HangIsTold);
  setBrokenInvariantHandler(nullptr);
}

TEST_F(CompilerGuardTest, WorkThatGrowsIsStopped) {
  auto Watch = CompilerWatch::start();
  ASSERT_TRUE(bool(Watch));
  CompilerLimits Limits;
  Limits.Memory = 32 << 20;
  std::optional<CompilerFailure> Why = runCompiler(
      [] {
        std::vector<char *> Kept;
        for (volatile unsigned N = 0;; N = N + 1)
          if (N % 65536 == 0 && Kept.size() < 4096) {
            Kept.push_back(static_cast<char *>(malloc(1 << 16)));
            memset(Kept.back(), 1, 1 << 16);
          }
      },
      Watch->get(), Limits);
  ASSERT_TRUE(Why);
  EXPECT_THAT(Why->What, HasSubstr("the process has grown by"));
}

TEST_F(CompilerGuardTest, AFaultInCodeOfALibraryIsOneToo) {
  std::optional<CompilerFailure> Why = runCompiler([] {
    volatile size_t Size = 100;
    char To[100];
    memcpy(To, reinterpret_cast<char *>(16), Size);
    asm volatile("" : : "r"(To) : "memory");
  });
  ASSERT_TRUE(Why);
  EXPECT_THAT(Why->What, HasSubstr("crashed by SIGSEGV"));
}

} // namespace
