#include "Wire/SocketFolder.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include "Wire/Client.h"
#include "Wire/UnixSocket.h"
#include "llvm/Support/FileSystem.h"
#include <sys/stat.h>

using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

TEST(SocketFolder, IsTheRuntimeFolderElseInTmp) {
  EXPECT_EQ(socketFolder("/run/user/1000", 1000), "/run/user/1000/hotjit");
  EXPECT_EQ(socketFolder("/run/user/1000/", 1000), "/run/user/1000/hotjit");
  EXPECT_EQ(socketFolder("", 1000), "/tmp/hotjit-1000");
  EXPECT_EQ(socketFolder("relative", 1000), "/tmp/hotjit-1000");
  EXPECT_EQ(socketPath("/tmp/hotjit-0", 12), "/tmp/hotjit-0/12.sock");
}

TEST(SocketFolder, LongPathsAreErrorsThatSayHowLong) {
  EXPECT_EQ(messageOf(checkSocketPath(std::string(107, 'x'))), "");
  EXPECT_THAT(messageOf(checkSocketPath(std::string(108, 'x'))),
              HasSubstr("108 bytes are too long"));
}

class SocketFolderOnDisk : public testing::Test {
protected:
  std::string path(StringRef Name) { return Top / Name; }
  unsigned modeOf(const std::string &Path) {
    struct stat S = {};
    ::lstat(Path.c_str(), &S);
    return S.st_mode & 07777;
  }
  TemporaryFolder Top;
};

TEST_F(SocketFolderOnDisk, IsMadeForTheOwnerOnly) {
  EXPECT_EQ(messageOf(prepareSocketFolder(path("hotjit"))), "");
  EXPECT_EQ(modeOf(path("hotjit")), 0700u);
  EXPECT_EQ(messageOf(prepareSocketFolder(path("hotjit"))), "");
}

TEST_F(SocketFolderOnDisk, IsRefusedIfOthersMayEnter) {
  ASSERT_EQ(::mkdir(path("hotjit").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path("hotjit").c_str(), 0755), 0);
  EXPECT_THAT(messageOf(prepareSocketFolder(path("hotjit"))),
              HasSubstr("mode 755 lets others in"));
}

TEST_F(SocketFolderOnDisk, IsRefusedIfItIsALinkOrAFile) {
  ASSERT_EQ(::mkdir(path("real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink(path("real").c_str(), path("hotjit").c_str()), 0);
  EXPECT_THAT(messageOf(prepareSocketFolder(path("hotjit"))),
              HasSubstr("not a folder"));
}

TEST_F(SocketFolderOnDisk, IsRefusedIfItBelongsToSomebodyElse) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can make a folder of another user";
  ASSERT_EQ(::mkdir(path("hotjit").c_str(), 0700), 0);
  ASSERT_EQ(::chown(path("hotjit").c_str(), 12345, 12345), 0);
  EXPECT_THAT(messageOf(prepareSocketFolder(path("hotjit"))),
              HasSubstr("belongs to user 12345"));
}

TEST_F(SocketFolderOnDisk, ASocketIsForTheOwnerOnly) {
  ASSERT_GET(Descriptor Listening, listenAt(path("7.sock")));
  EXPECT_EQ(modeOf(path("7.sock")), 0600u);
}

TEST_F(SocketFolderOnDisk, AListeningSocketIsNotReplaced) {
  ASSERT_GET(Descriptor Listening, listenAt(path("7.sock")));
  EXPECT_THAT(messageOf(listenAt(path("7.sock"))),
              HasSubstr("another program listens"));
}

TEST_F(SocketFolderOnDisk, AStaleSocketIsReplaced) {
  {
    ASSERT_GET(Descriptor Gone, listenAt(path("7.sock")));
  }
  ASSERT_TRUE(sys::fs::exists(path("7.sock")));
  ASSERT_GET(Descriptor Listening, listenAt(path("7.sock")));
  EXPECT_EQ(messageOf(connectTo(path("7.sock"))), "");
}

TEST_F(SocketFolderOnDisk, AFileIsNotReplaced) {
  Top.write("7.sock", "precious");
  EXPECT_THAT(messageOf(listenAt(path("7.sock"))), HasSubstr("not a socket"));
}

TEST_F(SocketFolderOnDisk, RunningProgramsAnswerAndStaleSocketsGo) {
  std::string Folder = path("hotjit");
  EXPECT_EQ(messageOf(prepareSocketFolder(Folder)), "");
  ASSERT_GET(Descriptor One, listenAt(Folder + "/12.sock"));
  ASSERT_GET(Descriptor Two, listenAt(Folder + "/7.sock"));
  {
    ASSERT_GET(Descriptor Gone, listenAt(Folder + "/3.sock"));
  }
  Top.write("hotjit/4.sock", "not a socket");
  ASSERT_GET(std::vector<RunningProgram> Running, runningPrograms(Folder));
  ASSERT_EQ(Running.size(), 2u);
  EXPECT_EQ(Running[0].Pid, 7);
  EXPECT_EQ(Running[1].Pid, 12);
  EXPECT_FALSE(sys::fs::exists(Folder + "/3.sock"));
  EXPECT_TRUE(sys::fs::exists(Folder + "/4.sock"));
}

TEST_F(SocketFolderOnDisk, AMissingFolderHasNoPrograms) {
  ASSERT_GET(std::vector<RunningProgram> Running,
             runningPrograms(path("nothing")));
  EXPECT_TRUE(Running.empty());
}

TEST_F(SocketFolderOnDisk, TheOnlyProgramNeedsNoChoice) {
  std::string Folder = path("hotjit");
  EXPECT_EQ(messageOf(prepareSocketFolder(Folder)), "");
  EXPECT_THAT(messageOf(findProgram({}, Folder)),
              HasSubstr("no program runs with hotjit"));
  ASSERT_GET(Descriptor One, listenAt(Folder + "/12.sock"));
  ASSERT_GET(std::string Found, findProgram({}, Folder));
  EXPECT_EQ(Found, Folder + "/12.sock");
  ASSERT_GET(Descriptor Two, listenAt(Folder + "/13.sock"));
  EXPECT_THAT(messageOf(findProgram({}, Folder)), HasSubstr("--pid: 12 13"));
  ProgramChoice Thirteen;
  Thirteen.Pid = 13;
  ASSERT_GET(std::string Chosen, findProgram(Thirteen, Folder));
  EXPECT_EQ(Chosen, Folder + "/13.sock");
  Thirteen.Pid = 14;
  Error E = findProgram(Thirteen, Folder).takeError();
  EXPECT_TRUE(E.isA<NoSuchProgram>());
  consumeError(std::move(E));
}

} // namespace
