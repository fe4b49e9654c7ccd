#include "Project/Polling.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include <filesystem>

using namespace hotjit;
using namespace hotjit::test;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

namespace {

// H10: a file system that tells nothing.
class PollingTest : public testing::Test {
protected:
  void SetUp() override {
    Folder.write("a.c", "1");
    Folder.write("b.c", "1");
    ASSERT_TRUE(P.empty());
    ASSERT_TRUE(P.add(Folder.path(), "told so"));
    ASSERT_FALSE(P.empty());
  }
  std::vector<std::string> look() {
    std::vector<std::string> Changed;
    P.look(Changed);
    return Changed;
  }

  TemporaryFolder Folder;
  Polling P;
};

TEST_F(PollingTest, WhatIsThereIsNoChange) {
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(PollingTest, ReportsAFileOnceItStandsStill) {
  Folder.write("a.c", "12");
  EXPECT_THAT(look(), IsEmpty());
  Folder.write("a.c", "123"); // The writer goes on.
  EXPECT_THAT(look(), IsEmpty());
  EXPECT_THAT(look(), ElementsAre(Folder / "a.c"));
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(PollingTest, SeesRenamesNewFilesAndFoldersThatComeBack) {
  Folder.write("new.c", "1");
  std::filesystem::rename(Folder / "b.c", Folder / "c.c");
  look();
  EXPECT_THAT(look(), UnorderedElementsAre(Folder / "new.c", Folder / "c.c"));
  std::filesystem::rename(Folder.path(), Folder.path() + ".away");
  EXPECT_THAT(look(), IsEmpty());
  std::filesystem::rename(Folder.path() + ".away", Folder.path());
  look();
  EXPECT_THAT(look(), IsEmpty()); // It is as it was.
}

TEST_F(PollingTest, LeavesOutEditorsTemporaryFiles) {
  Folder.write(".a.c.swp", "1");
  Folder.write("4913", "");
  look();
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(PollingTest, SaysWhatAndWhy) {
  EXPECT_FALSE(P.add(Folder.path(), "again"));
  EXPECT_EQ(P.describe(), "1 folder is looked at five times a second: told so");
}

} // namespace
