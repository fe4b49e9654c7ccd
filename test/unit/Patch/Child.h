#ifndef HOTJIT_TEST_UNIT_PATCH_CHILD_H
#define HOTJIT_TEST_UNIT_PATCH_CHILD_H

#include "gtest/gtest.h"
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

namespace hotjit {

/// Runs Body in a child process: what it does to code and signal handlers is
/// gone afterwards. Returns the child's wait status; an assertion that fails in
/// the child makes it exit with 1.
template <typename F> int statusOf(F Body) {
  std::fflush(nullptr);
  pid_t Child = ::fork();
  if (Child == 0) {
    Body();
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int Status = -1;
  ::waitpid(Child, &Status, 0);
  return Status;
}

template <typename F> void inChild(F Body) {
  int Status = statusOf(Body);
  EXPECT_TRUE(WIFEXITED(Status)) << "ended by signal " << WTERMSIG(Status);
  if (WIFEXITED(Status)) {
    EXPECT_EQ(WEXITSTATUS(Status), 0) << "see the child's assertions above";
  }
}

} // namespace hotjit

#endif
