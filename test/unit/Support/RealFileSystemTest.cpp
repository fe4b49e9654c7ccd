#include "Support/FileSystem.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include <atomic>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace hotjit;
using namespace hotjit::test;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

namespace {

class RealFileSystemTest : public testing::Test {
protected:
  TemporaryFolder Folder;
  RealFileSystem FS;
};

TEST_F(RealFileSystemTest, ReadsBytesAsTheyAre) {
  // H14: no line end is translated, nothing is cut at a NUL.
  std::string Text("\xef\xbb\xbf"
                   "a\r\nb\0c",
                   9);
  Folder.write("a.c", Text);
  ASSERT_GET(std::string Read, FS.read(Folder / "a.c"));
  EXPECT_EQ(Read, Text);
}

TEST_F(RealFileSystemTest, ReadsEmptyAndLargeFiles) {
  std::string Large(3 << 20, 'x');
  Folder.write("empty", "");
  Folder.write("large", Large);
  ASSERT_GET(std::string Empty, FS.read(Folder / "empty"));
  EXPECT_EQ(Empty, "");
  ASSERT_GET(std::string Read, FS.read(Folder / "large"));
  EXPECT_TRUE(Read == Large);
}

TEST_F(RealFileSystemTest, ReadsFilesOfTheKernelThatHaveNoSize) {
  ASSERT_GET(std::string Maps, FS.read("/proc/self/maps"));
  EXPECT_THAT(Maps, HasSubstr("[stack]"));
}

TEST_F(RealFileSystemTest, NamesTheFileThatItCannotRead) {
  EXPECT_THAT(messageOf(FS.read(Folder / "missing.c")),
              testing::AllOf(HasSubstr(Folder / "missing.c"),
                             HasSubstr("No such file")));
  EXPECT_THAT(messageOf(FS.read(Folder.path())),
              HasSubstr("not a regular file"));
}

TEST_F(RealFileSystemTest, DoesNotWaitForTheWriterOfAFifo) {
  ASSERT_EQ(mkfifo((Folder / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(messageOf(FS.read(Folder / "fifo")),
              HasSubstr("not a regular file"));
}

// E18: a file that is written in place while it is read. Each text is longer
// than the last, so that a mix of two shows in its bytes or its size.
TEST_F(RealFileSystemTest, NeverReturnsAMixOfTwoTextsOfAFileThatGrows) {
  Folder.write("a.c", "0");
  std::atomic<bool> Stop{false};
  std::thread Writer([&] {
    int File = open((Folder / "a.c").c_str(), O_WRONLY | O_CLOEXEC);
    for (unsigned I = 1; !Stop && I != 4000; ++I) {
      std::string Text(I, char('0' + I % 10));
      ASSERT_EQ(pwrite(File, Text.data(), Text.size(), 0), ssize_t(I));
    }
    close(File);
  });
  for (int I = 0; I != 300; ++I) {
    llvm::Expected<std::string> Text = FS.read(Folder / "a.c");
    if (!Text) { // Refused: written to all the time.
      EXPECT_THAT(messageOf(Text.takeError()), HasSubstr("written to while"));
      continue;
    }
    EXPECT_EQ(Text->find_first_not_of((*Text)[0]), std::string::npos);
    EXPECT_EQ((*Text)[0], char('0' + (Text->size() == 1 ? (*Text)[0] - '0'
                                                        : Text->size() % 10)));
  }
  Stop = true;
  Writer.join();
}

TEST_F(RealFileSystemTest, TellsAFileReplacedByRenameFromTheOldOne) {
  Folder.write("a.c", "one");
  ASSERT_GET(FileStatus Before, FS.status(Folder / "a.c"));
  Folder.write("b.c", "three");
  Folder.rename("b.c", "a.c");
  ASSERT_GET(FileStatus After, FS.status(Folder / "a.c"));
  EXPECT_NE(Before.Inode, After.Inode);
  EXPECT_EQ(After.Size, 5u);
  EXPECT_FALSE(After.IsDirectory);
}

TEST_F(RealFileSystemTest, GivesTimesInNanoseconds) {
  Folder.write("a.c", "");
  timespec Times[2] = {{0, UTIME_OMIT}, {1700000000, 123456789}};
  ASSERT_EQ(utimensat(AT_FDCWD, (Folder / "a.c").c_str(), Times, 0), 0);
  ASSERT_GET(FileStatus S, FS.status(Folder / "a.c"));
  EXPECT_EQ(S.Modified.count(), 1700000000123456789);
}

TEST_F(RealFileSystemTest, ResolvesLinks) {
  Folder.write("real.c", "");
  ASSERT_EQ(symlink("real.c", (Folder / "link.c").c_str()), 0);
  ASSERT_GET(std::string Path, FS.realPath(Folder / "link.c"));
  EXPECT_EQ(Path, Folder / "real.c");
  EXPECT_THAT(messageOf(FS.realPath(Folder / "no.c")), HasSubstr("no.c"));
}

TEST_F(RealFileSystemTest, ListsWithoutDots) {
  Folder.write("a.c", "");
  Folder.write(".hidden", "");
  ASSERT_EQ(symlink("nowhere", (Folder / "dangling").c_str()), 0);
  ASSERT_GET(std::vector<std::string> Names, FS.list(Folder.path()));
  EXPECT_THAT(Names, UnorderedElementsAre("a.c", ".hidden", "dangling"));
  EXPECT_THAT(messageOf(FS.list(Folder / "none")), HasSubstr("cannot list"));
}

} // namespace
