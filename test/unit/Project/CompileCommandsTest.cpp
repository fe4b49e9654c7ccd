#include "Project/CompileCommands.h"

#include "ErrorMatchers.h"
#include "FakeFileSystem.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

namespace {

class CompileCommandsTest : public testing::Test {
protected:
  void database(llvm::StringRef Text, llvm::StringRef Folder = "/p") {
    FS.write((Folder + "/compile_commands.json").str(), Text);
  }
  CompileCommands load() {
    llvm::Expected<CompileCommands> C = CompileCommands::load(FS, "/p");
    EXPECT_TRUE(static_cast<bool>(C)) << messageOf(C.takeError());
    return C ? std::move(*C) : CompileCommands();
  }
  std::string failToLoad(llvm::StringRef Text) {
    database(Text);
    return messageOf(CompileCommands::load(FS, "/p"));
  }
  /// The words of the only unit.
  std::vector<std::string> onlyCommand() {
    CompileCommands C = load();
    EXPECT_THAT(C.units(), SizeIs(1));
    return C.units().empty() ? std::vector<std::string>()
                             : C.units().front().Arguments;
  }

  FakeFileSystem FS;
};

// As `bear -- make generic MYCFLAGS=-g` writes it for Lua.
TEST_F(CompileCommandsTest, ReadsWhatBearWrites) {
  FS.write("/lua/src/lstrlib.c", "");
  database(R"([
  {
    "arguments": ["/usr/bin/gcc", "-O2", "-Wall", "-Wextra",
                  "-DLUA_COMPAT_5_3", "-g", "-std=gnu99", "-c", "-o",
                  "lstrlib.o", "lstrlib.c"],
    "directory": "/lua/src",
    "file": "/lua/src/lstrlib.c",
    "output": "/lua/src/lstrlib.o"
  }
])");
  CompileCommands C = load();
  EXPECT_EQ(C.path(), "/p/compile_commands.json");
  ASSERT_THAT(C.units(), SizeIs(1));
  const TranslationUnit &U = C.units().front();
  EXPECT_EQ(U.Path, "/lua/src/lstrlib.c");
  EXPECT_EQ(U.Directory, "/lua/src");
  EXPECT_THAT(U.Dropped, IsEmpty());
  EXPECT_EQ(U.Arguments.front(), "clang");
  EXPECT_THAT(std::vector(U.Arguments.end() - 3, U.Arguments.end()),
              ElementsAre("-x", "c", "lstrlib.c"));
}

// C17: the line is split as a shell does it.
TEST_F(CompileCommandsTest, SplitsALineForAShell) {
  database(R"([{"directory": "/p", "file": "a.c", "command":
    "cc '-DA=\"x y\"' \"-DB=\\\"z\\\"\" -DC=\\\"q\\\" -DD=a\\ b \"-DE=\\n\" '-DF=\\n' -DG= -c a.c"}])");
  std::vector<std::string> Words = onlyCommand();
  for (const char *Word : {"-DA=\"x y\"", "-DB=\"z\"", "-DC=\"q\"", "-DD=a b",
                           "-DE=\\n", "-DF=\\n", "-DG="})
    EXPECT_THAT(Words, Contains(Word));
}

TEST_F(CompileCommandsTest, FindsTheUnitByItsRealPath) {
  FS.write("/src/a.c", "");
  FS.link("/p/src", "/src");
  database(R"([{"directory": "/p", "file": "src/../src/a.c",
                "arguments": ["cc", "-c", "src/../src/a.c"]}])");
  CompileCommands C = load();
  EXPECT_THAT(C.findUnits("/src/a.c"), SizeIs(1));
  EXPECT_THAT(C.findUnits("/p/src/a.c"), IsEmpty());
  // __FILE__ and relative includes stay as the build sees them.
  EXPECT_EQ(C.units().front().Arguments.back(), "src/../src/a.c");
}

TEST_F(CompileCommandsTest, ListsCommandsOfOneFileThatDiffer) {
  database(R"([
    {"directory": "/p", "file": "a.c", "arguments": ["cc", "-DX", "a.c"]},
    {"directory": "/p", "file": "a.c", "arguments": ["cc", "-DY", "a.c"]},
    {"directory": "/p", "file": "a.c",
     "arguments": ["cc", "-DX", "-c", "a.c", "-o", "other.o"]}])");
  EXPECT_THAT(load().findUnits("/p/a.c"), SizeIs(2));
}

TEST_F(CompileCommandsTest, TakesOfSeveralSourcesTheEntrysOwn) {
  database(R"([
    {"directory": "/p", "file": "a.c",
     "arguments": ["cc", "-DX", "a.c", "b.c", "lib.o", "-o", "app"]},
    {"directory": "/p", "file": "b.c",
     "arguments": ["cc", "-DX", "a.c", "b.c", "lib.o", "-o", "app"]}])");
  CompileCommands C = load();
  ASSERT_THAT(C.units(), SizeIs(2));
  for (const TranslationUnit &U : C.units()) {
    llvm::StringRef Name = llvm::sys::path::filename(U.Path);
    EXPECT_EQ(U.Arguments.back(), Name);
    EXPECT_THAT(U.Arguments, Not(Contains(Name == "a.c" ? "b.c" : "a.c")));
  }
}

TEST_F(CompileCommandsTest, TakesADirectoryRelativeToTheDatabase) {
  database(R"([{"directory": "sub", "file": "a.c",
                "arguments": ["cc", "-c", "a.c"]}])");
  CompileCommands C = load();
  ASSERT_THAT(C.units(), SizeIs(1));
  EXPECT_EQ(C.units().front().Path, "/p/sub/a.c");
}

TEST_F(CompileCommandsTest, LeavesOutWhatIsNotCOrMakesNoCode) {
  database(R"([
    {"directory": "/p", "file": "a.S", "arguments": ["cc", "-c", "a.S"]},
    {"directory": "/p", "file": "h.hpp", "arguments": ["c++", "-c", "-x",
     "c++-header", "h.hpp"]},
    {"directory": "/p", "file": "a.c", "arguments": ["cc", "-E", "a.c"]},
    {"directory": "/p", "file": "a.c", "arguments": ["cc", "-c", "b.c"]}])");
  EXPECT_THAT(load().units(), IsEmpty());
}

TEST_F(CompileCommandsTest, NamesThePlaceOfWhatIsWrong) {
  EXPECT_THAT(messageOf(CompileCommands::load(FS, "/p")),
              HasSubstr("/p/compile_commands.json"));
  EXPECT_THAT(failToLoad("[\n{\"file\": }]"),
              HasSubstr("/p/compile_commands.json: [2:"));
  EXPECT_THAT(failToLoad("{}"), HasSubstr("not a list of commands"));
  EXPECT_THAT(failToLoad("[1]"), HasSubstr("entry 1: not an object"));
  EXPECT_THAT(failToLoad(R"([{"directory": "/p", "command": "cc a.c"}])"),
              HasSubstr("entry 1: no \"file\""));
  EXPECT_THAT(failToLoad(R"([{"file": "a.c", "command": "cc a.c"}])"),
              HasSubstr("entry 1: no \"directory\""));
  EXPECT_THAT(failToLoad(R"([
    {"directory": "/p", "file": "a.c", "command": "cc -c a.c"},
    {"directory": "/p", "file": "b.c"}])"),
              HasSubstr("entry 2: neither \"arguments\" nor \"command\""));
  EXPECT_THAT(failToLoad(R"([{"directory": "/p", "file": "a.c",
                             "arguments": ["cc", 1]}])"),
              HasSubstr("not a string"));
}

TEST_F(CompileCommandsTest, LooksInCandidatesThenInTheirParents) {
  FS.write("/w/proj/src/deep/a.c", "");
  FS.write("/w/other/app", "");
  database("[]", "/w/proj");
  llvm::Expected<CompileCommands> C =
      CompileCommands::find(FS, {"/w/other", "/w/proj/src/deep"});
  ASSERT_TRUE(static_cast<bool>(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->path(), "/w/proj/compile_commands.json");

  // A candidate itself is nearer than a parent, whichever is named first.
  database("[]", "/w/other");
  C = CompileCommands::find(FS, {"/w/proj/src/deep", "/w/other"});
  ASSERT_TRUE(static_cast<bool>(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->path(), "/w/other/compile_commands.json");
}

TEST_F(CompileCommandsTest, LooksInABuildFolderToo) {
  FS.write("/w/proj/src/a.c", "");
  database("[]", "/w/proj/build");
  llvm::Expected<CompileCommands> C =
      CompileCommands::find(FS, {"/w/proj/src"});
  ASSERT_TRUE(static_cast<bool>(C)) << messageOf(C.takeError());
  EXPECT_EQ(C->path(), "/w/proj/build/compile_commands.json");
}

// I1: absent.
TEST_F(CompileCommandsTest, SaysWhereItLooked) {
  EXPECT_THAT(
      messageOf(CompileCommands::find(FS, {"/w/src", "/w/obj"})),
      AllOf(HasSubstr("/w/src, /w/obj, /w, /"), HasSubstr("--build-dir")));
}

TEST_F(CompileCommandsTest, DoesNotPassOverADatabaseThatIsBroken) {
  database("[", "/w/src");
  database("[]", "/w");
  EXPECT_THAT(messageOf(CompileCommands::find(FS, {"/w/src"})),
              HasSubstr("/w/src/compile_commands.json"));
}

} // namespace
