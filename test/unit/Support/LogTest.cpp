#include "Support/Log.h"

#include "ErrorMatchers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace hotjit;
using testing::HasSubstr;

namespace {

class LogTest : public testing::Test {
protected:
  void SetUp() override { Descriptor = memfd_create("log", MFD_CLOEXEC); }
  void TearDown() override { close(Descriptor); }

  std::string written() {
    std::string Text(lseek(Descriptor, 0, SEEK_END), '\0');
    EXPECT_EQ(pread(Descriptor, Text.data(), Text.size(), 0),
              ssize_t(Text.size()));
    return Text;
  }

  int Descriptor = -1;
};

TEST_F(LogTest, WritesALineWithItsLevel) {
  Log L(Descriptor);
  L.warning("{} of {}", 1, "two");
  EXPECT_EQ(written(), "warning: 1 of two\n");
}

TEST_F(LogTest, DropsWhatIsAboveItsLevel) {
  Log L(Descriptor, LogLevel::Warning);
  L.debug("d");
  L.info("i");
  L.warning("w");
  L.error("e");
  EXPECT_EQ(written(), "warning: w\nerror: e\n");
}

TEST_F(LogTest, KeepsLinesOfSeveralThreadsWhole) {
  constexpr int Threads = 4, Lines = 200;
  Log L(Descriptor);
  const std::string Long(300, 'x');
  std::vector<std::thread> Writers;
  for (int T = 0; T != Threads; ++T)
    Writers.emplace_back([&] {
      for (int I = 0; I != Lines; ++I)
        L.info("{}", Long);
    });
  for (std::thread &W : Writers)
    W.join();
  const std::string Line = "info: " + Long + "\n";
  std::string Expected;
  for (int I = 0; I != Threads * Lines; ++I)
    Expected += Line;
  EXPECT_TRUE(written() == Expected) << "lines are torn or lost";
}

TEST(Log, WithoutADescriptorIsSilent) {
  testing::internal::CaptureStderr();
  Log L;
  L.error("nobody");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Log, SurvivesAReaderThatIsGone) {
  int Pipe[2];
  ASSERT_EQ(pipe2(Pipe, O_CLOEXEC), 0);
  close(Pipe[0]);
  Log L(Pipe[1]);
  // Engine threads have SIGPIPE blocked.
  sigset_t Set, Before;
  sigemptyset(&Set);
  sigaddset(&Set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &Set, &Before);
  L.error("into the void");
  timespec None{};
  sigtimedwait(&Set, nullptr, &None);
  pthread_sigmask(SIG_SETMASK, &Before, nullptr);
  close(Pipe[1]);
}

} // namespace
