#include "Project/Includes.h"

#include "FakeFileSystem.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::UnorderedElementsAre;

namespace {

class IncludesTest : public testing::Test {
protected:
  std::set<std::string> filesOf(std::vector<std::string> Flags) {
    TranslationUnit Unit;
    Unit.Path = "/p/src/a.c";
    Unit.Directory = "/p";
    Unit.Arguments = std::move(Flags);
    return IncludeScanner(FS).filesOf(Unit);
  }

  FakeFileSystem FS;
};

TEST_F(IncludesTest, FollowsQuotedAndAngledIncludes) {
  FS.write("/p/src/a.c", "#include \"b.h\"\n  #  include <c.h>\n");
  FS.write("/p/src/b.h", "#include \"sub/d.h\"\n");
  FS.write("/p/src/sub/d.h", "");
  FS.write("/p/inc/c.h", "");
  FS.write("/p/other/c.h", "");
  EXPECT_THAT(filesOf({"clang", "-Iinc", "-I", "other"}),
              UnorderedElementsAre("/p/src/a.c", "/p/src/b.h", "/p/src/sub/d.h",
                                   "/p/inc/c.h"));
}

TEST_F(IncludesTest, LooksIntoBranchesThatAreNotTaken) {
  FS.write("/p/src/a.c", "#if 0\n#include \"b.h\"\n#endif\n");
  FS.write("/p/src/b.h", "");
  EXPECT_THAT(filesOf({"clang"}),
              UnorderedElementsAre("/p/src/a.c", "/p/src/b.h"));
}

TEST_F(IncludesTest, IgnoresCommentsAndStrings) {
  FS.write("/p/src/a.c", "/*\n#include \"b.h\"\n*/\n// #include \"b.h\"\n"
                         "const char *s = \"#include <b.h>\";\n");
  FS.write("/p/src/b.h", "");
  EXPECT_THAT(filesOf({"clang"}), UnorderedElementsAre("/p/src/a.c"));
}

TEST_F(IncludesTest, EndsOnFilesThatIncludeEachOther) {
  FS.write("/p/src/a.c", "#include \"b.h\"\n");
  FS.write("/p/src/b.h", "#include \"c.h\"\n");
  FS.write("/p/src/c.h", "#include \"b.h\"\n");
  EXPECT_THAT(filesOf({"clang"}),
              UnorderedElementsAre("/p/src/a.c", "/p/src/b.h", "/p/src/c.h"));
}

// H13: system headers are not edited.
TEST_F(IncludesTest, LeavesOutSystemHeaders) {
  FS.write("/p/src/a.c", "#include <stdio.h>\n#include <x.h>\n");
  FS.write("/usr/include/stdio.h", "#include \"y.h\"\n");
  FS.write("/opt/lib/x.h", "");
  EXPECT_THAT(filesOf({"clang", "-I/usr/include", "-isystem", "/opt/lib"}),
              UnorderedElementsAre("/p/src/a.c", "/opt/lib/x.h"));
}

// A header that holds only macros is in no line table.
TEST_F(IncludesTest, FindsForcedIncludes) {
  FS.write("/p/src/a.c", "");
  FS.write("/p/config.h", "#include \"more.h\"\n");
  FS.write("/p/more.h", "");
  FS.write("/p/inc/macros.h", "");
  FS.write("/build/pch.h", "");
  EXPECT_THAT(
      filesOf({"clang", "-include", "config.h", "-imacros", "macros.h", "-Iinc",
               "-Xclang", "-include", "-Xclang", "/build/pch.h"}),
      UnorderedElementsAre("/p/src/a.c", "/p/config.h", "/p/more.h",
                           "/p/inc/macros.h", "/build/pch.h"));
}

TEST_F(IncludesTest, ResolvesLinks) {
  FS.write("/p/src/a.c", "#include \"b.h\"\n");
  FS.write("/elsewhere/b.h", "");
  FS.link("/p/src/b.h", "/elsewhere/b.h");
  EXPECT_THAT(filesOf({"clang"}),
              UnorderedElementsAre("/p/src/a.c", "/elsewhere/b.h"));
}

} // namespace
