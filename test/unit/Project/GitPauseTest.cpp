#include "Project/GitPause.h"

#include "FakeFileSystem.h"
#include "ManualClock.h"
#include "gmock/gmock.h"

using namespace hotjit;
using namespace hotjit::test;
using namespace std::chrono_literals;
using testing::ElementsAre;

namespace {

// H6: git writes files one by one, and holds its lock meanwhile.
class GitPauseTest : public testing::Test {
protected:
  void SetUp() override {
    FS.write("/p/.git/HEAD", "ref: refs/heads/main\n");
    FS.write("/p/src/a.c", "a");
    FS.write("/q/b.c", "b");
  }
  std::optional<FileEvents> event(std::vector<std::string> Paths) {
    return P.take({std::move(Paths), /*Rescan=*/false, C.now()});
  }

  FakeFileSystem FS;
  ManualClock C;
  GitPause P{FS, C};
};

TEST_F(GitPauseTest, LetsThroughWhatIsNotLocked) {
  EXPECT_TRUE(event({"/p/src/a.c"}));
  EXPECT_TRUE(event({"/q/b.c"}));
  EXPECT_FALSE(P.nextLook());
  EXPECT_FALSE(P.look());
}

TEST_F(GitPauseTest, GivesAllAtOnceWhenTheLockIsGone) {
  FS.write("/p/.git/index.lock", "");
  C.set(5ms);
  EXPECT_FALSE(event({"/p/src/a.c"}));
  C.set(6ms);
  EXPECT_FALSE(event({"/p/src/c.c"}));
  EXPECT_FALSE(event({"/p/src/a.c", "/q/b.c"}));
  ASSERT_TRUE(P.nextLook());
  C.set(*P.nextLook());
  EXPECT_FALSE(P.look());
  FS.remove("/p/.git/index.lock");
  std::optional<FileEvents> All = P.look();
  ASSERT_TRUE(All);
  EXPECT_THAT(All->Paths, ElementsAre("/p/src/a.c", "/p/src/c.c", "/q/b.c"));
  EXPECT_EQ(All->Time, 5ms); // The wait counts.
  EXPECT_FALSE(P.nextLook());
}

TEST_F(GitPauseTest, AnEventAfterTheLockBringsTheOthersAlong) {
  FS.write("/p/.git/index.lock", "");
  EXPECT_FALSE(event({"/p/src/a.c"}));
  FS.remove("/p/.git/index.lock");
  std::optional<FileEvents> All = event({"/p/src/c.c"});
  ASSERT_TRUE(All);
  EXPECT_THAT(All->Paths, ElementsAre("/p/src/a.c", "/p/src/c.c"));
}

TEST_F(GitPauseTest, DoesNotWaitForALockThatWasLeftBehind) {
  FS.write("/p/.git/index.lock", "");
  EXPECT_FALSE(event({"/p/src/a.c"}));
  C.advance(1900ms);
  EXPECT_FALSE(P.look());
  EXPECT_FALSE(event({"/p/src/c.c"})); // Somebody is at work.
  C.advance(1900ms);
  EXPECT_FALSE(P.look());
  C.advance(200ms);
  EXPECT_TRUE(P.look());
}

TEST_F(GitPauseTest, KnowsWorkTreesAndSubmodules) {
  FS.write("/w/.git", "gitdir: /p/.git/worktrees/w\n");
  FS.write("/p/.git/worktrees/w/index.lock", "");
  EXPECT_FALSE(event({"/w/x/a.c"}));
  FS.remove("/p/.git/worktrees/w/index.lock");
  EXPECT_TRUE(P.look());
  FS.write("/p/sub/.git", "gitdir: ../.git/modules/sub\n");
  FS.write("/p/.git/modules/sub/index.lock", "");
  EXPECT_FALSE(event({"/p/sub/a.c"}));
  FS.remove("/p/.git/modules/sub/index.lock");
  EXPECT_TRUE(P.look());
  // The repository around a submodule is another one.
  FS.write("/p/.git/index.lock", "");
  EXPECT_TRUE(event({"/p/sub/a.c"}));
}

TEST_F(GitPauseTest, HoldsARescanToo) {
  FS.write("/p/.git/index.lock", "");
  EXPECT_FALSE(event({"/p/src/a.c"}));
  EXPECT_FALSE(P.take({{}, /*Rescan=*/true, C.now()}));
  FS.remove("/p/.git/index.lock");
  std::optional<FileEvents> All = P.look();
  ASSERT_TRUE(All);
  EXPECT_TRUE(All->Rescan);
}

} // namespace
