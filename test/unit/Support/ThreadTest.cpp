#include "Support/Thread.h"

#include "ErrorMatchers.h"

#include <csignal>
#include <sys/prctl.h>

using namespace hotjit;
using namespace hotjit::test;

TEST(Thread, HasAName) {
  char Name[16] = {};
  ASSERT_GET(Thread T,
             Thread::start("hotjit-test", [&] { prctl(PR_GET_NAME, Name); }));
  T.join();
  EXPECT_STREQ(Name, "hotjit-test");
}

TEST(Thread, LeavesSignalsToTheProgramButFaultsOpen) {
  sigset_t Before, After, Inside;
  pthread_sigmask(SIG_SETMASK, nullptr, &Before);
  ASSERT_GET(Thread T, Thread::start("hotjit-test", [&] {
               pthread_sigmask(SIG_SETMASK, nullptr, &Inside);
             }));
  T.join();
  for (int S : {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGUSR1, SIGALRM, SIGPROF})
    EXPECT_TRUE(sigismember(&Inside, S)) << strsignal(S);
  for (int S : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP})
    EXPECT_FALSE(sigismember(&Inside, S)) << strsignal(S);
  pthread_sigmask(SIG_SETMASK, nullptr, &After);
  for (int S = 1; S != SIGRTMIN; ++S)
    EXPECT_EQ(sigismember(&Before, S), sigismember(&After, S)) << strsignal(S);
}

TEST(Thread, HasRoomForARecursiveParser) {
  size_t Size = 0;
  ASSERT_GET(Thread T, Thread::start("hotjit-test", [&] {
               pthread_attr_t A;
               pthread_getattr_np(pthread_self(), &A);
               pthread_attr_getstacksize(&A, &Size);
               pthread_attr_destroy(&A);
             }));
  T.join();
  EXPECT_GE(Size, 16u << 20);
}

TEST(Thread, MovesItsObligationToJoin) {
  ASSERT_GET(Thread T, Thread::start("hotjit-test", [] {}));
  Thread Other;
  EXPECT_FALSE(Other.isJoinable());
  Other = std::move(T);
  EXPECT_FALSE(T.isJoinable());
  ASSERT_TRUE(Other.isJoinable());
  Other.join();
  EXPECT_FALSE(Other.isJoinable());
}
