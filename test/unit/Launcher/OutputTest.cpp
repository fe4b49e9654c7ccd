#include "Output.h"

#include "gtest/gtest.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string>
#include <termios.h>
#include <unistd.h>

using namespace hotjit;

namespace {

std::string readNow(int Descriptor) {
  std::string Text;
  char Buffer[4096];
  pollfd P = {Descriptor, POLLIN, 0};
  while (::poll(&P, 1, 0) > 0 && (P.revents & POLLIN)) {
    ssize_t Size = ::read(Descriptor, Buffer, sizeof(Buffer));
    if (Size <= 0)
      break;
    Text.append(Buffer, Size);
  }
  return Text;
}

TEST(Output, WaitsWhileTheTerminalIsRaw) {
  int Master, Slave;
  ASSERT_EQ(::openpty(&Master, &Slave, nullptr, nullptr, nullptr), 0);
  termios Cooked, Raw;
  ASSERT_EQ(::tcgetattr(Slave, &Cooked), 0);
  Raw = Cooked;
  ::cfmakeraw(&Raw);
  ASSERT_EQ(::tcsetattr(Slave, TCSANOW, &Raw), 0);

  Output O(Slave);
  O.add("line\n");
  O.flush();
  EXPECT_EQ(readNow(Master), "");
  EXPECT_TRUE(O.isHeldBack());
  EXPECT_FALSE(O.wantsToWrite());

  ASSERT_EQ(::tcsetattr(Slave, TCSANOW, &Cooked), 0);
  EXPECT_TRUE(O.wantsToWrite());
  O.flush();
  EXPECT_EQ(readNow(Master), "line\r\n");
  EXPECT_FALSE(O.isHeldBack());
  ::close(Master);
  ::close(Slave);
}

TEST(Output, DoesNotWaitForAPipeThatNobodyReads) {
  int Pipe[2];
  ASSERT_EQ(::pipe2(Pipe, O_CLOEXEC), 0); // it blocks, as stderr does
  std::string Line(99, 'x');
  Line += '\n';
  Output O(Pipe[1]);
  std::string All;
  for (int I = 0; I < 1000; ++I) {
    O.add(Line);
    All += Line;
  }
  O.flush();
  EXPECT_TRUE(O.wantsToWrite());
  std::string Got;
  for (int I = 0; I < 1000 && Got.size() < All.size(); ++I) {
    Got += readNow(Pipe[0]);
    O.flush();
  }
  EXPECT_EQ(Got, All);
  ::close(Pipe[0]);
  ::close(Pipe[1]);
}

TEST(Output, WhatNobodyWillReadIsForgotten) {
  int Pipe[2];
  ASSERT_EQ(::pipe2(Pipe, O_CLOEXEC), 0);
  ::close(Pipe[0]);
  ::signal(SIGPIPE, SIG_IGN);
  Output O(Pipe[1]);
  O.add("line\n");
  O.flush();
  EXPECT_FALSE(O.wantsToWrite());
  O.finish();
  ::close(Pipe[1]);
}

} // namespace
