#include "Project/Saves.h"

#include "ErrorMatchers.h"
#include "FakeFileSystem.h"
#include "ManualClock.h"

using namespace hotjit;
using namespace hotjit::test;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class SavesTest : public testing::Test {
protected:
  void SetUp() override {
    FS.write("/p/a.c", "a1");
    FS.write("/p/b.c", "b1");
    FS.write("/p/h.h", "h1");
    for (const char *Path : {"/p/a.c", "/p/b.c", "/p/h.h"})
      ASSERT_EQ(messageOf(S.keep(Path)), "");
  }

  std::optional<ChangeSet> event(std::vector<std::string> Paths,
                                 Nanoseconds Time = 1ms) {
    return S.apply({std::move(Paths), /*Rescan=*/false, Time});
  }
  std::optional<ChangeSet> rescan(Nanoseconds Time = 1ms) {
    return S.apply({{}, /*Rescan=*/true, Time});
  }
  std::string known(llvm::StringRef Path) {
    return *S.texts().find(Path)->text();
  }

  FakeFileSystem FS;
  ManualClock C;
  Saves S{FS, C};
};

// H1 at the level of content.
TEST_F(SavesTest, FindsWhatWasSaved) {
  TextSnapshot Before = S.texts();
  FS.write("/p/a.c", "a2");
  std::optional<ChangeSet> Change = event({"/p/a.c"}, 7ms);
  ASSERT_TRUE(Change);
  EXPECT_THAT(Change->Files, ElementsAre("/p/a.c"));
  EXPECT_EQ(*Change->Texts.find("/p/a.c")->text(), "a2");
  EXPECT_EQ(*Change->Texts.find("/p/b.c")->text(), "b1");
  EXPECT_EQ(Change->Time, 7ms);
  EXPECT_EQ(known("/p/a.c"), "a2");
  EXPECT_EQ(*Before.find("/p/a.c")->text(), "a1");
}

// H3: a save without a change, a touch.
TEST_F(SavesTest, IgnoresASaveWithoutAChange) {
  FS.write("/p/a.c", "a1");
  EXPECT_FALSE(event({"/p/a.c"}));
  FS.touch("/p/a.c");
  EXPECT_FALSE(event({"/p/a.c"}));
}

TEST_F(SavesTest, IgnoresATextThatCameAndWent) {
  FS.write("/p/a.c", "a2");
  FS.write("/p/a.c", "a1");
  EXPECT_FALSE(event({"/p/a.c", "/p/a.c"}));
}

TEST_F(SavesTest, FindsAReturnToTheOldText) {
  FS.write("/p/a.c", "a2");
  ASSERT_TRUE(event({"/p/a.c"}));
  FS.write("/p/a.c", "a1");
  std::optional<ChangeSet> Change = event({"/p/a.c"});
  ASSERT_TRUE(Change);
  EXPECT_EQ(*Change->Texts.find("/p/a.c")->text(), "a1");
}

// H15: clocks do not count, not even a file that is older than before.
TEST_F(SavesTest, FindsAChangeInAFileWithAnOlderTime) {
  FS.write("/p/a.c", "a2");
  FS.setModified("/p/a.c", -3600s);
  EXPECT_TRUE(event({"/p/a.c"}));
}

// H13: what is not of the project, or not kept, is nobody's change.
TEST_F(SavesTest, IgnoresFilesThatAreNotKept) {
  FS.write("/p/other.c", "x");
  FS.write("/usr/include/stdio.h", "x");
  EXPECT_FALSE(event({"/p/other.c", "/usr/include/stdio.h", "/p/missing"}));
  ASSERT_EQ(messageOf(S.keep("/p/other.c")), "");
  FS.write("/p/other.c", "y");
  EXPECT_TRUE(event({"/p/other.c"}));
}

// H14: line ends, byte order mark, no final newline: content as any other.
TEST_F(SavesTest, KeepsBytesAsTheyAre) {
  for (const char *Text : {"int a;\r\n", "\xef\xbb\xbfint a;\n", "int a;"}) {
    FS.write("/p/a.c", Text);
    ASSERT_TRUE(event({"/p/a.c"})) << Text;
    EXPECT_EQ(known("/p/a.c"), Text);
  }
}

// H4: a formatter writes a second time.
TEST_F(SavesTest, FindsTheSecondWriteOfAFormatter) {
  FS.write("/p/a.c", "int  a;");
  ASSERT_TRUE(event({"/p/a.c"}, 1ms));
  FS.write("/p/a.c", "int a;");
  std::optional<ChangeSet> Change = event({"/p/a.c"}, 81ms);
  ASSERT_TRUE(Change);
  EXPECT_EQ(*Change->Texts.find("/p/a.c")->text(), "int a;");
  EXPECT_EQ(Change->Time, 81ms);
}

// H5: save-all of 40 files is one change, in order.
TEST_F(SavesTest, MakesOneChangeOfSaveAll) {
  std::vector<std::string> Paths;
  for (int I = 0; I != 40; ++I) {
    Paths.push_back("/p/" + std::to_string(100 + I) + ".c");
    FS.write(Paths.back(), "1");
    ASSERT_EQ(messageOf(S.keep(Paths.back())), "");
    FS.write(Paths.back(), "2");
  }
  std::vector<std::string> Reversed(Paths.rbegin(), Paths.rend());
  std::optional<ChangeSet> Change = event(Reversed);
  ASSERT_TRUE(Change);
  EXPECT_EQ(Change->Files, Paths);
}

// H11: events were lost; everything is looked at.
TEST_F(SavesTest, LooksAtEverythingOnARescan) {
  FS.write("/p/a.c", "a2");
  FS.write("/p/h.h", "h2");
  std::optional<ChangeSet> Change = rescan();
  ASSERT_TRUE(Change);
  EXPECT_THAT(Change->Files, ElementsAre("/p/a.c", "/p/h.h"));
  EXPECT_FALSE(rescan());
}

// D10: three saves before anybody looks: one change, the last text. And one
// look after each: three changes, the last text.
TEST_F(SavesTest, LetsTheLastTextWin) {
  for (const char *Text : {"a2", "a3", "a4"})
    FS.write("/p/a.c", Text);
  std::optional<ChangeSet> Change = event({"/p/a.c", "/p/a.c", "/p/a.c"});
  ASSERT_TRUE(Change);
  EXPECT_THAT(Change->Files, ElementsAre("/p/a.c"));
  EXPECT_EQ(*Change->Texts.find("/p/a.c")->text(), "a4");
  EXPECT_FALSE(event({"/p/a.c"}));

  for (const char *Text : {"a5", "a6", "a7"}) {
    FS.write("/p/a.c", Text);
    ASSERT_TRUE(event({"/p/a.c"}));
    EXPECT_EQ(known("/p/a.c"), Text);
  }
}

// E18: deleted between event and read, then there again.
TEST_F(SavesTest, KeepsTheOldTextOfAFileThatIsGone) {
  FS.remove("/p/a.c");
  EXPECT_FALSE(event({"/p/a.c"}));
  EXPECT_EQ(known("/p/a.c"), "a1");
  FS.write("/p/a.c", "a2");
  EXPECT_TRUE(event({"/p/a.c"}));
}

// E18: the event that was missed is not forgotten, whatever comes next; the
// change is as old as its first event.
TEST_F(SavesTest, LooksAgainAtWhatCouldNotBeRead) {
  FS.write("/p/a.c", "a2");
  FS.forbid("/p/a.c");
  EXPECT_FALSE(event({"/p/a.c"}, 5ms));
  EXPECT_FALSE(event({"/p/b.c"}, 6ms));
  FS.allow("/p/a.c");
  FS.write("/p/b.c", "b2");
  std::optional<ChangeSet> Change = event({"/p/b.c"}, 9ms);
  ASSERT_TRUE(Change);
  EXPECT_THAT(Change->Files, ElementsAre("/p/a.c", "/p/b.c"));
  EXPECT_EQ(Change->Time, 5ms);
  // And only until it was read.
  unsigned Reads = FS.reads();
  event({"/p/b.c"});
  EXPECT_EQ(FS.reads(), Reads + 1);
}

// E18: an empty file is a text; whether to wait for more is the policy's.
TEST_F(SavesTest, TakesAnEmptyFileForAChange) {
  FS.write("/p/a.c", "");
  ASSERT_TRUE(event({"/p/a.c"}));
  EXPECT_EQ(known("/p/a.c"), "");
}

TEST_F(SavesTest, TakesTheClockIfTheEventHasNoTime) {
  C.set(42ms);
  FS.write("/p/a.c", "a2");
  EXPECT_EQ(event({"/p/a.c"}, Nanoseconds(0))->Time, 42ms);
}

TEST_F(SavesTest, CannotKeepWhatCannotBeRead) {
  EXPECT_THAT(messageOf(S.keep("/p/missing.c")), HasSubstr("/p/missing.c"));
  EXPECT_EQ(S.texts().find("/p/missing.c"), nullptr);
}

// A file that fails to be read at any point leaves a state from which the next
// look finds everything.
TEST_F(SavesTest, LosesNothingWhicheverReadFails) {
  for (unsigned K = 1; K <= 3; ++K) {
    std::string Text = "v" + std::to_string(K);
    for (const char *Path : {"/p/a.c", "/p/b.c", "/p/h.h"})
      FS.write(Path, Text);
    FS.failAt(K);
    std::optional<ChangeSet> First = rescan();
    ASSERT_TRUE(First);
    EXPECT_EQ(First->Files.size(), 2u);
    std::optional<ChangeSet> Second = event({});
    ASSERT_TRUE(Second);
    EXPECT_EQ(Second->Files.size(), 1u);
    for (const char *Path : {"/p/a.c", "/p/b.c", "/p/h.h"})
      EXPECT_EQ(known(Path), Text);
  }
}

TEST(QuietPolicy, CommitsAtOnceWithoutAReasonToWait) {
  EXPECT_EQ(QuietPolicy().commitAt(5ms, 5ms, false, false), 5ms);
}

// H5
TEST(QuietPolicy, WaitsAfterTheLastOfSeveralFiles) {
  EXPECT_EQ(QuietPolicy().commitAt(5ms, 17ms, true, false), 37ms);
}

// E18: an empty or half-written file.
TEST(QuietPolicy, WaitsForTheRestOfAnIncompleteText) {
  EXPECT_EQ(QuietPolicy().commitAt(5ms, 5ms, false, true), 25ms);
}

TEST(QuietPolicy, DoesNotWaitForEver) {
  EXPECT_EQ(QuietPolicy().commitAt(0ms, 290ms, true, true), 300ms);
  EXPECT_EQ(QuietPolicy().commitAt(0ms, 10s, true, false), 300ms);
}

TEST(QuietPolicy, TakesItsTimesFromItsFields) {
  QuietPolicy P{50ms, 60ms};
  EXPECT_EQ(P.commitAt(0ms, 0ms, true, false), 50ms);
  EXPECT_EQ(P.commitAt(0ms, 20ms, true, false), 60ms);
}

} // namespace
