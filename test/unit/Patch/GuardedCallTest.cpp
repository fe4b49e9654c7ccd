// E5: an initializer that throws, crashes or aborts does not end the program.

#include "Patch/GuardedCall.h"
#include "gtest/gtest.h"
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

using namespace hotjit;

static ProgramAddr addressOf(void (*F)()) {
  return ProgramAddr(reinterpret_cast<uint64_t>(F));
}

static int Calls = 0;
static void returns() { ++Calls; }
static void throws() { throw std::runtime_error("from an initializer"); }
static void crashes() { *reinterpret_cast<volatile int *>(16) = 1; }
static void aborts() { std::abort(); }

TEST(GuardedCall, ReturnsWhenTheFunctionDoes) {
  EXPECT_EQ(callGuarded(addressOf(returns)).How,
            GuardedResult::Ending::Returned);
  EXPECT_EQ(Calls, 1);
}

TEST(GuardedCall, StopsAnException) {
  for (int I = 0; I != 3; ++I)
    EXPECT_EQ(callGuarded(addressOf(throws)).How, GuardedResult::Ending::Threw);
}

TEST(GuardedCall, ComesBackFromAFault) {
  for (int I = 0; I != 3; ++I) {
    GuardedResult R = callGuarded(addressOf(crashes));
    EXPECT_EQ(R.How, GuardedResult::Ending::Faulted);
    EXPECT_EQ(R.Signal, SIGSEGV);
    EXPECT_EQ(R.Fault, ProgramAddr(16));
  }
}

TEST(GuardedCall, ComesBackFromAbort) {
  GuardedResult R = callGuarded(addressOf(aborts));
  EXPECT_EQ(R.How, GuardedResult::Ending::Faulted);
  EXPECT_EQ(R.Signal, SIGABRT);
}

static void onSegv(int) {}

TEST(GuardedCall, GivesTheHandlersBack) {
  struct sigaction Mine = {};
  Mine.sa_handler = onSegv;
  struct sigaction Before;
  ASSERT_EQ(sigaction(SIGSEGV, &Mine, &Before), 0);
  callGuarded(addressOf(crashes));
  struct sigaction Now;
  ASSERT_EQ(sigaction(SIGSEGV, &Before, &Now), 0);
  EXPECT_EQ(Now.sa_handler, onSegv);
}
