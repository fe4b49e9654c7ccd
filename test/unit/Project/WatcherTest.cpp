// Editors' ways of saving, replayed as the system calls that they make, on the
// real disk. Every test waits for an event of the watcher; what must *not* be
// reported is shown by a marker: a file saved last, whose event comes after all
// that came before.

#include "Project/Watcher.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include "Support/FileSystem.h"

#include "llvm/ADT/STLExtras.h"

#include <condition_variable>
#include <fstream>
#include <functional>
#include <mutex>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace hotjit;
using namespace hotjit::test;
using namespace std::chrono_literals;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

namespace {

// Only reached if an event is lost.
constexpr auto Patience = 60s;

/// What the watcher said, and what the files held at that moment.
class Ear {
public:
  Watcher::Callback callback() {
    return [this](FileEvents Events) { hear(std::move(Events)); };
  }
  /// True if the path was reported, now or later.
  bool waitFor(const std::string &Path) {
    return waitUntil([&] { return llvm::is_contained(Paths, Path); });
  }
  /// From now on a rescan looks at the path.
  void know(std::string Path) {
    std::lock_guard Lock(M);
    Known.push_back(std::move(Path));
  }
  bool waitForText(const std::string &Path, const std::string &Text) {
    return waitUntil([&] { return Seen[Path] == Text; });
  }
  bool waitForRescan() {
    return waitUntil([&] { return Rescans > 0; });
  }
  unsigned rescans() {
    std::lock_guard Lock(M);
    return Rescans;
  }
  std::vector<std::string> paths() {
    std::lock_guard Lock(M);
    return Paths;
  }
  /// The file as it was at its last event.
  std::string seen(const std::string &Path) {
    std::lock_guard Lock(M);
    return Seen[Path];
  }
  void forget() {
    std::lock_guard Lock(M);
    Paths.clear();
    Rescans = 0;
  }
  /// Until go() the watcher's thread stays in its callback.
  void stop() {
    std::lock_guard Lock(M);
    IsStopped = true;
  }
  void go() {
    std::lock_guard Lock(M);
    IsStopped = false;
    Changed.notify_all();
  }
  bool waitUntilStopped() {
    return waitUntil([&] { return IsWaiting; });
  }

private:
  bool waitUntil(std::function<bool()> Condition) {
    std::unique_lock Lock(M);
    return Changed.wait_for(Lock, Patience, Condition);
  }
  void look(const std::string &Path) {
    llvm::Expected<std::string> Text = RealFileSystem().read(Path);
    Seen[Path] = Text ? *Text : "(gone)";
    llvm::consumeError(Text.takeError());
  }
  void hear(FileEvents Events) {
    std::unique_lock Lock(M);
    for (std::string &Path : Events.Paths) {
      look(Path);
      Paths.push_back(std::move(Path));
    }
    if (Events.Rescan)
      for (const std::string &Path : Known)
        look(Path);
    Rescans += Events.Rescan;
    IsWaiting = IsStopped;
    Changed.notify_all();
    Changed.wait(Lock, [&] { return !IsStopped; });
    IsWaiting = false;
  }

  std::mutex M;
  std::condition_variable Changed;
  std::vector<std::string> Paths, Known;
  std::map<std::string, std::string> Seen;
  unsigned Rescans = 0;
  bool IsStopped = false;
  bool IsWaiting = false;
};

class WatcherTest : public testing::Test {
protected:
  void SetUp() override {
    Folder.makeFolder("src");
    Folder.write("src/a.c", "old");
    ASSERT_GET(TheWatcher, Watcher::create(C, Heard.callback()));
    ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "src")), "");
  }
  void TearDown() override {
    Heard.go();
    TheWatcher.reset();
  }

  std::string at(llvm::StringRef Name) {
    return Folder / ("src/" + Name.str());
  }

  /// All that was reported before now, but for the marker.
  std::vector<std::string> reported() {
    Folder.write("src/marker", "");
    EXPECT_TRUE(Heard.waitFor(at("marker")));
    std::vector<std::string> Paths = Heard.paths();
    llvm::erase(Paths, at("marker"));
    return Paths;
  }
  /// What was reported, without repetitions.
  std::vector<std::string> namesReported() {
    std::vector<std::string> Paths = reported();
    llvm::sort(Paths);
    Paths.erase(std::unique(Paths.begin(), Paths.end()), Paths.end());
    return Paths;
  }
  void link(const char *Target, llvm::StringRef Name) {
    EXPECT_EQ(::symlink(Target, at(Name).c_str()), 0);
  }

  TemporaryFolder Folder;
  RealClock C;
  Ear Heard;
  std::unique_ptr<Watcher> TheWatcher;
};

//===----------------------------------------------------------------------===//
// Ways to save
//===----------------------------------------------------------------------===//

// H1: nano, echo, VS Code.
TEST_F(WatcherTest, ReportsAPlainWrite) {
  Folder.write("src/a.c", "new");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H1, E18: nothing is reported before the writer has closed the file.
TEST_F(WatcherTest, WaitsUntilTheWriterCloses) {
  int File = ::open(at("a.c").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  EXPECT_EQ(::write(File, "ne", 2), 2);
  EXPECT_THAT(reported(), IsEmpty());
  EXPECT_EQ(::write(File, "w", 1), 1);
  ::close(File);
  ASSERT_TRUE(Heard.waitFor(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: vim, 'nobackup writebackup backupcopy=auto': the old file is moved away,
// a new one is written under its name. H12: 4913, the swap file.
TEST_F(WatcherTest, ReportsVimsSaveByRename) {
  Folder.write("src/.a.c.swp", "swap");
  Folder.write("src/4913", "");
  Folder.remove("src/4913");
  Folder.rename("src/a.c", "src/a.c~");
  Folder.write("src/a.c", "new");
  Folder.remove("src/a.c~");
  Folder.write("src/.a.c.swp", "swap2");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: vim, 'backupcopy=yes': the backup is a copy, the file is written in
// place.
TEST_F(WatcherTest, ReportsVimsSaveInPlace) {
  Folder.write("src/a.c~", "old");
  Folder.write("src/a.c", "new");
  Folder.remove("src/a.c~");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: gedit and all that save with GLib.
TEST_F(WatcherTest, ReportsGLibsSafeWrite) {
  Folder.write("src/.goutputstream-X1Y2Z3", "new");
  Folder.rename("src/.goutputstream-X1Y2Z3", "src/a.c");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: JetBrains.
TEST_F(WatcherTest, ReportsJetBrainsSafeWrite) {
  Folder.write("src/a.c___jb_tmp___", "new");
  Folder.rename("src/a.c", "src/a.c___jb_old___");
  Folder.rename("src/a.c___jb_tmp___", "src/a.c");
  Folder.remove("src/a.c___jb_old___");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: kate and all that save with Qt's QSaveFile.
TEST_F(WatcherTest, ReportsQtsSafeWrite) {
  Folder.write("src/a.c.XyZaBc", "new");
  Folder.rename("src/a.c.XyZaBc", "src/a.c");
  EXPECT_THAT(namesReported(), Contains(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: emacs: a lock that is a dangling link, then the old file becomes the
// backup. H12: the lock, the auto-save file.
TEST_F(WatcherTest, ReportsEmacsSave) {
  link("user@host.4711:1700000000", ".#a.c");
  Folder.write("src/#a.c#", "auto");
  Folder.rename("src/a.c", "src/a.c~");
  Folder.write("src/a.c", "new");
  Folder.remove("src/.#a.c");
  Folder.remove("src/#a.c#");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: sed -i, perl -i, clang-format -i.
TEST_F(WatcherTest, ReportsSedInPlace) {
  Folder.write("src/sedQ1W2E3", "new");
  Folder.rename("src/sedQ1W2E3", "src/a.c");
  EXPECT_THAT(namesReported(), Contains(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
}

// H2: patch writes beside, git unlinks and creates.
TEST_F(WatcherTest, ReportsPatchAndGit) {
  Folder.write("src/a.c.oX1Y2Z3", "new");
  Folder.rename("src/a.c", "src/a.c.orig");
  Folder.rename("src/a.c.oX1Y2Z3", "src/a.c");
  EXPECT_THAT(reported(),
              AllOf(Contains(at("a.c")), Not(Contains(at("a.c.orig")))));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
  Heard.forget();

  ::unlink(at("a.c").c_str());
  Folder.write("src/a.c", "newer");
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "newer");
}

// H4, D10: the last text is seen at the last event, however many come.
TEST_F(WatcherTest, SeesTheLastOfManySaves) {
  for (int I = 0; I != 50; ++I)
    Folder.write("src/a.c", std::to_string(I));
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "49");
}

// H5
TEST_F(WatcherTest, ReportsSaveAll) {
  std::vector<std::string> Expected;
  for (int I = 0; I != 40; ++I) {
    std::string Name = "f" + std::to_string(I) + ".c";
    Folder.write("src/" + Name, "x");
    Expected.push_back(at(Name));
  }
  EXPECT_THAT(namesReported(), testing::UnorderedElementsAreArray(Expected));
}

// H2, E18: a name that goes away is half of a save. What comes in its place is
// told when it is whole; who looked earlier would find the new file empty.
TEST_F(WatcherTest, DoesNotReportANameThatGoesAway) {
  Folder.rename("src/a.c", "a.c");
  EXPECT_THAT(reported(), IsEmpty());
  int File = ::open(at("a.c").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  EXPECT_THAT(reported(), IsEmpty());
  EXPECT_EQ(::write(File, "new", 3), 3);
  ::close(File);
  ASSERT_TRUE(Heard.waitFor(at("a.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
  Heard.forget();
  Folder.remove("src/a.c");
  EXPECT_THAT(reported(), IsEmpty());
}

// Nobody closes a link: it is whole when it is made.
TEST_F(WatcherTest, ReportsNewLinks) {
  Folder.write("elsewhere.c", "new");
  Folder.remove("src/a.c");
  link("../elsewhere.c", "a.c");
  EXPECT_EQ(::link((Folder / "elsewhere.c").c_str(), at("b.c").c_str()), 0);
  EXPECT_THAT(namesReported(), UnorderedElementsAre(at("a.c"), at("b.c")));
  EXPECT_EQ(Heard.seen(at("a.c")), "new");
  EXPECT_EQ(Heard.seen(at("b.c")), "new");
}

TEST_F(WatcherTest, DoesNotReportReading) {
  ASSERT_GET(std::string Text, RealFileSystem().read(at("a.c")));
  EXPECT_EQ(Text, "old");
  ::chmod(at("a.c").c_str(), 0600);
  EXPECT_THAT(reported(), IsEmpty());
}

TEST_F(WatcherTest, DoesNotReportFoldersAndWhatIsBelow) {
  Folder.makeFolder("src/sub");
  Folder.write("src/sub/b.c", "x");
  Folder.write("beside.c", "x");
  EXPECT_THAT(reported(), IsEmpty());
}

TEST_F(WatcherTest, ReportsUnusualNames) {
  for (const char *Name : {"with space.c", "caf\xc3\xa9.c", "-dash.c"}) {
    Folder.write("src/" + std::string(Name), "x");
    EXPECT_TRUE(Heard.waitFor(at(Name)));
  }
  std::string Long(255, 'n'); // NAME_MAX
  Folder.write("src/" + Long, "x");
  EXPECT_TRUE(Heard.waitFor(at(Long)));
}

TEST_F(WatcherTest, GivesTheTimeOfTheRead) {
  struct StoppedClock final : Clock {
    Nanoseconds now() const override { return 4711ns; }
  } Stopped;
  std::mutex M;
  std::condition_variable Changed;
  Nanoseconds Time{0};
  ASSERT_GET(auto Other, Watcher::create(Stopped, [&](FileEvents Events) {
               std::lock_guard Lock(M);
               Time = Events.Time;
               Changed.notify_all();
             }));
  ASSERT_EQ(messageOf(Other->watch(Folder / "src")), "");
  Folder.write("src/a.c", "new");
  std::unique_lock Lock(M);
  EXPECT_TRUE(Changed.wait_for(Lock, Patience, [&] { return Time == 4711ns; }));
}

//===----------------------------------------------------------------------===//
// Several folders, several names
//===----------------------------------------------------------------------===//

TEST_F(WatcherTest, WatchesSeveralFoldersAndEachOnce) {
  Folder.makeFolder("inc");
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "inc")), "");
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "src")), "");
  Folder.write("inc/h.h", "new");
  Folder.write("src/a.c", "new");
  EXPECT_THAT(reported(), UnorderedElementsAre(Folder / "inc/h.h", at("a.c")));
}

// H9: one folder under two names is reported under both.
TEST_F(WatcherTest, ReportsUnderEveryNameOfAFolder) {
  ASSERT_EQ(::symlink("src", (Folder / "link").c_str()), 0);
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "link")), "");
  Folder.write("src/a.c", "new");
  EXPECT_THAT(reported(), UnorderedElementsAre(Folder / "link/a.c", at("a.c"),
                                               Folder / "link/marker"));
}

// A folder and the one above it, which is watched for both reasons.
TEST_F(WatcherTest, WatchesAFolderAboveAWatchedOne) {
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder.path())), "");
  Folder.write("top.c", "new");
  Folder.write("src/a.c", "new");
  EXPECT_THAT(reported(), UnorderedElementsAre(Folder / "top.c", at("a.c")));
}

TEST_F(WatcherTest, SaysThatAFolderIsNotThere) {
  EXPECT_THAT(messageOf(TheWatcher->watch(Folder / "none")),
              AllOf(HasSubstr(Folder / "none"), HasSubstr("No such file")));
  EXPECT_THAT(messageOf(TheWatcher->watch(at("a.c"))),
              HasSubstr("Not a directory"));
}

//===----------------------------------------------------------------------===//
// H11, H6: nothing is lost in silence
//===----------------------------------------------------------------------===//

TEST_F(WatcherTest, AsksForARescanWhenTheKernelDropsEvents) {
  unsigned Queue = 0;
  std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> Queue;
  ASSERT_GT(Queue, 0u);
  Heard.stop();
  Folder.write("src/a.c", "1");
  ASSERT_TRUE(Heard.waitUntilStopped());
  // Two names in turn: equal events that follow each other are made one.
  for (unsigned I = 0; I != Queue / 2 + 10; ++I)
    for (const char *Name : {"src/b.c", "src/c.c"})
      ::close(::open((Folder / Name).c_str(), O_WRONLY | O_CREAT, 0600));
  Folder.write("src/a.c", "2"); // The event that is dropped.
  Heard.go();
  EXPECT_TRUE(Heard.waitForRescan());
  Heard.forget();
  Folder.write("src/a.c", "3");
  EXPECT_TRUE(Heard.waitFor(at("a.c")));
}

// A folder is new, not another one, if it is asked for before its own creation
// is told: no rescan.
TEST_F(WatcherTest, DoesNotRescanForAFolderThatIsTheSame) {
  Heard.stop();
  Folder.write("src/a.c", "1");
  ASSERT_TRUE(Heard.waitUntilStopped());
  Folder.makeFolder("new");
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "new")), "");
  Folder.write("new/b.c", "x");
  Heard.go();
  EXPECT_THAT(reported(), UnorderedElementsAre(at("a.c"), Folder / "new/b.c"));
  EXPECT_EQ(Heard.rescans(), 0u);
}

TEST_F(WatcherTest, GoesOnWhenAFolderIsDeletedAndMadeAnew) {
  Folder.remove("src");
  EXPECT_TRUE(Heard.waitForRescan());
  Heard.forget();
  Folder.makeFolder("src");
  EXPECT_TRUE(Heard.waitForRescan());
  Folder.write("src/a.c", "new");
  EXPECT_TRUE(Heard.waitFor(at("a.c")));
}

// A shell that stands in the folder keeps its inode, and the kernel silent.
TEST_F(WatcherTest, GoesOnThoughSomebodyHoldsTheDeletedFolder) {
  int Held =
      ::open((Folder / "src").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(Held, 0);
  Folder.remove("src");
  EXPECT_TRUE(Heard.waitForRescan());
  Heard.forget();
  Folder.makeFolder("src");
  EXPECT_TRUE(Heard.waitForRescan());
  Folder.write("src/a.c", "new");
  EXPECT_TRUE(Heard.waitFor(at("a.c")));
  ::close(Held);
}

TEST_F(WatcherTest, GoesOnWhenAFolderIsReplacedByAnother) {
  Folder.makeFolder("src2");
  Folder.write("src2/a.c", "other");
  Folder.rename("src", "src1");
  Folder.rename("src2", "src");
  EXPECT_TRUE(Heard.waitForRescan());
  Folder.write("src/b.c", "new");
  EXPECT_TRUE(Heard.waitFor(at("b.c")));
  // The old one is no longer the project's.
  Heard.forget();
  Folder.write("src1/a.c", "x");
  EXPECT_THAT(reported(), IsEmpty());
}

TEST_F(WatcherTest, GoesOnWhenSeveralLevelsGoAndComeBack) {
  Folder.makeFolder("x/y/z");
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "x/y/z")), "");
  Folder.remove("x");
  EXPECT_TRUE(Heard.waitForRescan());
  for (const char *Level : {"x", "x/y"}) {
    Folder.makeFolder(Level);
    reported();
  }
  Heard.forget();
  Folder.makeFolder("x/y/z");
  EXPECT_TRUE(Heard.waitForRescan());
  Folder.write("x/y/z/a.c", "new");
  EXPECT_TRUE(Heard.waitFor(Folder / "x/y/z/a.c"));
}

TEST_F(WatcherTest, GoesOnWhenTheFolderAboveIsRenamedAndBack) {
  Folder.makeFolder("x/y");
  ASSERT_EQ(messageOf(TheWatcher->watch(Folder / "x/y")), "");
  Folder.rename("x", "x1");
  EXPECT_TRUE(Heard.waitForRescan());
  Heard.forget();
  Folder.rename("x1", "x");
  EXPECT_TRUE(Heard.waitForRescan());
  Folder.write("x/y/a.c", "new");
  EXPECT_TRUE(Heard.waitFor(Folder / "x/y/a.c"));
}

// Gone and back a hundred times: who looks at every event and every rescan has
// the last text in the end.
TEST_F(WatcherTest, KeepsUpWithAFolderThatGoesAndComes) {
  Heard.know(at("a.c"));
  for (int I = 0; I != 100; ++I) {
    Folder.remove("src");
    Folder.makeFolder("src");
  }
  Folder.write("src/a.c", "new");
  EXPECT_TRUE(Heard.waitForText(at("a.c"), "new"));
}

/// What Body returns in a process of its own whose user may have only so many
/// inotify watches and instances; nothing if such a process cannot be had.
std::optional<std::string> withLimits(const char *Watches,
                                      const char *Instances,
                                      std::function<std::string()> Body) {
  int Pipe[2];
  if (::pipe2(Pipe, O_CLOEXEC) != 0)
    return std::nullopt;
  pid_t Child = ::fork();
  if (Child == 0) {
    if (::unshare(CLONE_NEWUSER) != 0 ||
        !(std::ofstream("/proc/sys/user/max_inotify_watches")
          << Watches << std::flush) ||
        !(std::ofstream("/proc/sys/user/max_inotify_instances")
          << Instances << std::flush))
      ::_exit(77);
    std::string Text = Body();
    ::_exit(::write(Pipe[1], Text.data(), Text.size()) < 0);
  }
  ::close(Pipe[1]);
  std::string Text(4096, '\0');
  ssize_t Size = ::read(Pipe[0], Text.data(), Text.size());
  ::close(Pipe[0]);
  int Status = 0;
  ::waitpid(Child, &Status, 0);
  if (WIFEXITED(Status) && WEXITSTATUS(Status) == 77)
    return std::nullopt;
  Text.resize(std::max<ssize_t>(Size, 0));
  return Text;
}

/// What polling() says of eight folders that are watched. In each a file was
/// saved, and seen.
std::string watchEight(TemporaryFolder &Folder) {
  RealClock C;
  Ear Heard;
  auto W = Watcher::create(C, Heard.callback());
  if (!W)
    return "create: " + messageOf(W.takeError());
  for (int I = 0; I != 8; ++I) {
    std::string Name = "d" + std::to_string(I);
    Folder.makeFolder(Name);
    Folder.write(Name + "/a.c", "old");
    if (llvm::Error E = (*W)->watch(Folder / Name))
      return messageOf(std::move(E));
  }
  for (int I = 0; I != 8; ++I) {
    std::string Name = "d" + std::to_string(I) + "/a.c";
    Folder.write(Name, "new text");
    if (!Heard.waitForText(Folder / Name, "new text"))
      return Name + " is not seen";
  }
  return (*W)->polling();
}

// H10, H11
TEST(WatcherLimits, LooksAtFoldersWithoutAWatchAndNamesTheSysctl) {
  TemporaryFolder Folder;
  std::optional<std::string> Text =
      withLimits("3", "8", [&] { return watchEight(Folder); });
  if (!Text)
    GTEST_SKIP() << "no user namespace to be had";
  EXPECT_THAT(*Text, AllOf(HasSubstr("6 folders are looked at five times"),
                           HasSubstr("fs.inotify.max_user_watches")));
}

// H10, H11
TEST(WatcherLimits, LooksAtAllFoldersWithoutAnInstance) {
  TemporaryFolder Folder;
  std::optional<std::string> Text =
      withLimits("8", "0", [&] { return watchEight(Folder); });
  if (!Text)
    GTEST_SKIP() << "no user namespace to be had";
  EXPECT_THAT(*Text, AllOf(HasSubstr("8 folders are looked at five times"),
                           HasSubstr("fs.inotify.max_user_instances")));
}

// H10
TEST(WatcherLimits, LooksAtFoldersThatOtherMachinesWriteTo) {
  TemporaryFolder Folder;
  Folder.makeFolder("near");
  Folder.makeFolder("far");
  RealClock C;
  ASSERT_GET(auto W, Watcher::create(
                         C, [](FileEvents) {},
                         [&](llvm::StringRef Path) -> std::string {
                           return Path.ends_with("far") ? "NFS" : "";
                         }));
  ASSERT_EQ(messageOf(W->watch(Folder / "near")), "");
  EXPECT_EQ(W->polling(), "");
  ASSERT_EQ(messageOf(W->watch(Folder / "far")), "");
  ASSERT_EQ(messageOf(W->watch(Folder / "far")), "");
  EXPECT_EQ(W->polling(),
            "1 folder is looked at five times a second: on NFS what another "
            "machine writes makes no event");
}

TEST(WatcherLimits, KnowsNoRemoteFileSystemHere) {
  EXPECT_EQ(remoteFileSystem("/proc"), "");
  EXPECT_EQ(remoteFileSystem("/nonexistent"), "");
}

//===----------------------------------------------------------------------===//
// The thread and its descriptors
//===----------------------------------------------------------------------===//

unsigned descriptorsOpen() {
  llvm::Expected<std::vector<std::string>> Names =
      RealFileSystem().list("/proc/self/fd");
  return Names ? Names->size() : 0;
}

TEST(WatcherThread, LeavesNothingBehind) {
  RealClock C;
  TemporaryFolder Folder;
  unsigned Before = descriptorsOpen();
  for (int I = 0; I != 20; ++I) {
    ASSERT_GET(auto W, Watcher::create(C, [](FileEvents) {}));
    ASSERT_EQ(messageOf(W->watch(Folder.path())), "");
  }
  EXPECT_EQ(descriptorsOpen(), Before);
}

} // namespace
