// Units: what the program was built from, and how.

#include "Fixture.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MD5.h"
#include "gmock/gmock.h"

namespace hotjit {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const char *const Trivial = "int main(void) { return 0; }\n";

std::vector<std::string> pathsOf(const ImageUnit &U) {
  std::vector<std::string> Paths;
  for (const ImageSource &S : U.Sources)
    Paths.push_back(S.Path);
  return Paths;
}

class UnitsTest : public testing::TestWithParam<BuildMode> {};

TEST_P(UnitsTest, PathsOfUnitAndSources) {
  TempFolder Folder;
  std::string Header =
      Folder.write("include/part.h",
                   "__attribute__((noinline)) int part(void) { return 3; }\n");
  std::string Source =
      Folder.write("src/main.c", "#include \"../include/part.h\"\n"
                                 "int main(void) { return part(); }\n");
  // By a path that real paths do not contain.
  ASSERT_FALSE(
      llvm::sys::fs::create_link(Folder.path("src"), Folder.path("link")));
  compile(GetParam().By, {Folder.path("link/../link/main.c")},
          Folder.path("out"), GetParam().Flags);
  std::unique_ptr<Image> I = open(Folder.path("out"));
  ASSERT_TRUE(I);
  ASSERT_EQ(I->units().size(), 1u);
  const ImageUnit &U = I->units().front();
  EXPECT_EQ(U.Path, Source);
  EXPECT_EQ(U.By,
            GetParam().By == Compiler::GCC ? Producer::GCC : Producer::Clang);
  EXPECT_FALSE(U.LTO);
  EXPECT_THAT(pathsOf(U), Contains(Source).Times(1));
  EXPECT_THAT(pathsOf(U), Contains(Header).Times(1));
  EXPECT_TRUE(I->modules()[U.Module].HasDebugInfo);
  EXPECT_EQ(I->modules()[U.Module].DebugProblem, "");
}

INSTANTIATE_TEST_SUITE_P(Builds, UnitsTest, testing::ValuesIn(allBuildModes()),
                         nameOf);

TEST(UnitFactsTest, OptimizationLevelOfGcc) {
  Built B(Compiler::GCC, "a.c", Trivial, {"-g", "-O2"});
  EXPECT_EQ(B.image().units().front().OptLevel, 2u);
}

TEST(UnitFactsTest, ClangWritesTheHashOfEachFile) {
  Built B(Compiler::Clang, "a.c", Trivial, {"-g"});
  const ImageUnit &U = B.image().units().front();
  llvm::MD5 Hash;
  Hash.update(Trivial);
  llvm::MD5::MD5Result Expected = Hash.final();
  ASSERT_FALSE(U.Sources.empty());
  EXPECT_EQ(U.Sources.front().Path, B.Source);
  ASSERT_TRUE(U.Sources.front().MD5);
  EXPECT_TRUE(*U.Sources.front().MD5 == Expected);
}

TEST(UnitFactsTest, OneFileBuiltTwiceIsTwoUnits) {
  TempFolder Folder;
  std::string Part = Folder.write("part.c", "int NAME(void) { return 1; }\n");
  std::string Main = Folder.write("main.c", Trivial);
  compile(Compiler::GCC, {Part}, Folder.path("one.o"),
          {"-g", "-c", "-DNAME=one"});
  compile(Compiler::GCC, {Part}, Folder.path("two.o"),
          {"-g", "-c", "-DNAME=two"});
  compile(Compiler::GCC, {Main, Folder.path("one.o"), Folder.path("two.o")},
          Folder.path("out"), {"-g"});
  std::unique_ptr<Image> I = open(Folder.path("out"));
  ASSERT_TRUE(I);
  EXPECT_EQ(I->findUnits(Part).size(), 2u);
  EXPECT_EQ(I->findUnits(Main).size(), 1u);
  EXPECT_THAT(I->findUnits(Folder.path("none.c")), IsEmpty());
}

TEST(UnitFactsTest, InlinedCopies) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    Built B(By, "a.cpp", R"(
volatile int sink; // A copy of which no instruction is left is not listed.
struct Widget { int n; Widget(int x) : n(x * 3) { sink = x; } };
static inline int twice(int x) { return sink = x * 2; }
inline int thrice(int x) { return sink = x * 3; }
int user(int x) { return twice(x) + Widget(x).n; }
static __attribute__((noinline)) int in_static(int x) { return thrice(x) * x; }
int free_standing(int x) { return in_static(x) + 1; }
int main(int c, char **) { return c; }
)",
            {"-g", "-O2"});
    std::vector<std::pair<std::string, std::string>> Copies;
    for (const UnitDetails::Inlined &I : B.details().InlinedCopies)
      Copies.emplace_back(I.Function, I.Into);
    const char *Twice = By == Compiler::GCC ? "twice" : "_ZL5twicei";
    EXPECT_THAT(Copies, Contains(std::pair(Twice, "_Z4useri")));
    EXPECT_THAT(Copies, Contains(std::pair("_ZN6WidgetC2Ei", "_Z4useri")));
    EXPECT_THAT(Copies, Contains(std::pair("_Z6thricei", "_ZL9in_statici")));
    for (const UnitDetails::Inlined &I : B.details().InlinedCopies) {
      EXPECT_NE(I.Function, "_Z13free_standingi");
      EXPECT_EQ(I.File, B.Source);
      if (I.Function == Twice)
        EXPECT_EQ(I.Line, 4u);
    }
  }
}

TEST(UnitFactsTest, FunctionsHaveTheirPlace) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    Built B(By, "a.cpp", R"(
struct Widget { int touch(int x); };
int Widget::touch(int x) { return x; }
int main(int c, char **) { return Widget().touch(c); }
)",
            {"-g", "-O0"});
    const ImageFunction *F = B.function("touch");
    ASSERT_TRUE(F);
    EXPECT_EQ(F->Symbol, "_ZN6Widget5touchEi");
    EXPECT_EQ(F->File, B.Source);
    EXPECT_EQ(F->Line, 3u);
    EXPECT_FALSE(F->Local);
    EXPECT_GT(F->Size, 0u);
  }
}

// Debug info that cannot be used is said to be, and nothing is made of it.
TEST(DebugProblemTest, StrippedHasNoUnitsAndNoProblem) {
  Built B(Compiler::GCC, "a.c", Trivial, {"-g"});
  run(HOTJIT_STRIP, {B.Output});
  std::unique_ptr<Image> I = open(B.Output);
  ASSERT_TRUE(I);
  EXPECT_TRUE(I->units().empty());
  EXPECT_FALSE(I->modules().front().HasDebugInfo);
  EXPECT_EQ(I->modules().front().DebugProblem, "");
}

TEST(DebugProblemTest, SplitDwarf) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang})
    for (const char *Version : {"-gdwarf-4", "-gdwarf-5"}) {
      TempFolder Folder;
      std::string Source = Folder.write("a.c", Trivial);
      std::string Object = Folder.path("a.o");
      compile(By, {Source}, Object, {"-c", Version, "-gsplit-dwarf"});
      compile(By, {Object}, Folder.path("out"), {});
      std::unique_ptr<Image> I = open(Folder.path("out"));
      ASSERT_TRUE(I);
      EXPECT_TRUE(I->units().empty());
      EXPECT_FALSE(I->modules().front().HasDebugInfo);
      EXPECT_THAT(I->modules().front().DebugProblem, HasSubstr("split DWARF"));
    }
}

TEST(DebugProblemTest, TypeUnits) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    Built B(By, "a.cpp", R"(
struct Widget { int a, b; };
Widget w;
int main() { return w.a; }
)",
            {"-g", "-fdebug-types-section"});
    EXPECT_TRUE(B.image().units().empty());
    EXPECT_THAT(B.image().modules().front().DebugProblem,
                HasSubstr("-fdebug-types-section"));
  }
}

TEST(DebugProblemTest, LinkTimeOptimization) {
  Built B(Compiler::GCC, "a.c",
          "int f(int x) { return x; }\nint main(int c, char **v) { return "
          "f(c); }\n",
          {"-g", "-O2", "-flto", "-fno-inline"});
  ASSERT_FALSE(B.image().units().empty());
  for (const ImageUnit &U : B.image().units()) {
    EXPECT_TRUE(U.LTO) << U.ProducerText;
    llvm::Expected<const UnitDetails *> D = B.image().details(U);
    ASSERT_FALSE(static_cast<bool>(D));
    EXPECT_THAT(llvm::toString(D.takeError()), HasSubstr("link time"));
  }
}

TEST(DebugProblemTest, DamagedDebugInfo) {
  Built B(Compiler::GCC, "a.c", Trivial, {"-g"});
  RealFileSystem FS;
  llvm::Expected<std::string> Bytes = FS.read(B.Output);
  ASSERT_TRUE(static_cast<bool>(Bytes));
  // Cut short, so that headers and sections lie behind the end.
  for (size_t Cut : {4u, 40u, 64u, 200u, 4000u, 12000u}) {
    std::string Short = Bytes->substr(0, Cut);
    TempFolder Folder;
    llvm::Expected<std::unique_ptr<Image>> I =
        Image::ofFile(FS, Folder.write("short", Short));
    EXPECT_FALSE(static_cast<bool>(I)) << Cut;
    llvm::consumeError(I.takeError());
  }
}

TEST(DebugProblemTest, NotAnElfFile) {
  TempFolder Folder;
  RealFileSystem FS;
  llvm::Expected<std::unique_ptr<Image>> I =
      Image::ofFile(FS, Folder.write("text", "#!/bin/sh\n"));
  ASSERT_FALSE(static_cast<bool>(I));
  EXPECT_THAT(llvm::toString(I.takeError()), HasSubstr("not an ELF file"));
}

} // namespace
} // namespace hotjit
