// E5: an initializer that throws, crashes or aborts does not end the program.

#include "Patch/GuardedCall.h"

#include "Child.h"
#include "Patch/os/linux/FaultSignals.h"
#include "gtest/gtest.h"
#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <stdexcept>
#include <string>

using namespace hotjit;

static ProgramAddr addressOf(void (*F)()) {
  return ProgramAddr(reinterpret_cast<uint64_t>(F));
}

class GuardedCall : public testing::Test {
protected:
  void SetUp() override {
    llvm::Error E = installFaultHandlers();
    ASSERT_FALSE(bool(E)) << llvm::toString(std::move(E));
  }
};

static int Calls = 0;
static void returns() { ++Calls; }
static void throws() { throw std::runtime_error("from an initializer"); }
static void crashes() { *reinterpret_cast<volatile int *>(16) = 1; }
static void aborts() { std::abort(); }

TEST_F(GuardedCall, ReturnsWhenTheFunctionDoes) {
  EXPECT_EQ(callGuarded(addressOf(returns)).How,
            GuardedResult::Ending::Returned);
  EXPECT_EQ(Calls, 1);
}

TEST_F(GuardedCall, StopsAnException) {
  for (int I = 0; I != 3; ++I)
    EXPECT_EQ(callGuarded(addressOf(throws)).How, GuardedResult::Ending::Threw);
}

TEST_F(GuardedCall, ComesBackFromAFault) {
  for (int I = 0; I != 3; ++I) {
    GuardedResult R = callGuarded(addressOf(crashes));
    EXPECT_EQ(R.How, GuardedResult::Ending::Faulted);
    EXPECT_EQ(R.Signal, SIGSEGV);
    EXPECT_EQ(R.Fault, ProgramAddr(16));
  }
}

TEST_F(GuardedCall, ComesBackFromAbort) {
  GuardedResult R = callGuarded(addressOf(aborts));
  EXPECT_EQ(R.How, GuardedResult::Ending::Faulted);
  EXPECT_EQ(R.Signal, SIGABRT);
}

static int overflow(int N) {
  volatile char Frame[512];
  Frame[0] = static_cast<char>(N);
  return N < 0 ? 0 : overflow(N + 1) + Frame[0];
}
static void overflows() { overflow(0); }

TEST_F(GuardedCall, ComesBackFromAStackOverflow) {
  // On a thread, as in the program: its stack ends somewhere.
  auto Body = [](void *) -> void * {
    for (int I = 0; I != 2; ++I) {
      GuardedResult R = callGuarded(addressOf(overflows));
      EXPECT_EQ(R.How, GuardedResult::Ending::Faulted);
      EXPECT_EQ(R.Signal, SIGSEGV);
    }
    stack_t Now;
    EXPECT_EQ(sigaltstack(nullptr, &Now), 0);
    EXPECT_TRUE(Now.ss_flags & SS_DISABLE) << "the stack for it is gone";
    return nullptr;
  };
  pthread_t Thread;
  ASSERT_EQ(pthread_create(&Thread, nullptr, Body, nullptr), 0);
  pthread_join(Thread, nullptr);
}

static void nested() {
  EXPECT_EQ(callGuarded(addressOf(crashes)).How,
            GuardedResult::Ending::Faulted);
  crashes();
}

TEST_F(GuardedCall, Nests) {
  EXPECT_EQ(callGuarded(addressOf(nested)).How, GuardedResult::Ending::Faulted);
}

TEST_F(GuardedCall, AFaultBesideItIsTheProgramsOwn) {
  int Status = statusOf([] {
    callGuarded(addressOf(crashes));
    crashes();
  });
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGSEGV);
}
