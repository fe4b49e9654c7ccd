// Names: what a reference from another unit finds, and what it must not find.

#include "Fixture.h"
#include "gmock/gmock.h"

namespace hotjit {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

const char *const Library = R"(
int api(int x) { return x; }
__attribute__((visibility("hidden"))) int hidden(int x) { return x + 1; }
int internal_by_script(int x) { return x + 2; }
static __attribute__((noinline, used)) int file_local(int x) { return x + 3; }
int data_by_script = 4;
_Thread_local int per_thread = 5;
static int chosen(void) { return 6; }
static void *resolve(void) { return (void *)chosen; }
int by_resolver(void) __attribute__((ifunc("resolve")));
)";

class SymbolsTest : public testing::TestWithParam<const char *> {};

TEST_P(SymbolsTest, FindsWhatOtherUnitsCanName) {
  TempFolder Folder;
  std::string Script =
      Folder.write("api.map", "V1 { global: api; per_thread; local: *; };\n");
  std::string Source = Folder.write("lib.c", Library);
  compile(
      Compiler::GCC, {Source}, Folder.path("lib.so"),
      {"-g", "-shared", "-fPIC", GetParam(), "-Wl,--version-script=" + Script});
  std::unique_ptr<Image> I = open(Folder.path("lib.so"));
  ASSERT_TRUE(I);
  const ImageModule &M = I->modules().front();
  for (const char *Name : {"api", "hidden"}) {
    std::optional<ProgramAddr> Found = I->findSymbol(M, Name);
    ASSERT_TRUE(Found) << Name;
    const ImageFunction *F = I->functionAt(*Found);
    ASSERT_TRUE(F) << Name;
    EXPECT_EQ(F->Symbol, Name);
    EXPECT_EQ(F->Entry, *Found);
  }
  // Static, thread-local, resolver, imported.
  for (const char *Name : {"file_local", "per_thread", "by_resolver",
                           "__cxa_finalize", "no_such_name"})
    EXPECT_FALSE(I->findSymbol(M, Name)) << Name;
  EXPECT_THAT(I->findFunctions(M, "file_local"), SizeIs(1));
  EXPECT_THAT(I->findFunctions(M, "by_resolver"), IsEmpty());
  EXPECT_THAT(I->findFunctions(M, "chosen"), SizeIs(1));
}

INSTANTIATE_TEST_SUITE_P(Linkers, SymbolsTest,
                         testing::Values("-fuse-ld=bfd", "-fuse-ld=lld"));

// GNU ld marks them; lld does not, and then a name that a version script hides
// cannot be told from a static: it is not found, which refuses the edit.
TEST(VersionScriptTest, NamesThatAScriptHides) {
  TempFolder Folder;
  std::string Script =
      Folder.write("api.map", "V1 { global: api; local: *; };\n");
  std::string Source = Folder.write("lib.c", Library);
  compile(Compiler::GCC, {Source}, Folder.path("lib.so"),
          {"-g", "-shared", "-fPIC", "-fuse-ld=bfd",
           "-Wl,--version-script=" + Script});
  std::unique_ptr<Image> I = open(Folder.path("lib.so"));
  ASSERT_TRUE(I);
  const ImageModule &M = I->modules().front();
  EXPECT_TRUE(I->findSymbol(M, "internal_by_script"));
  EXPECT_TRUE(I->findSymbol(M, "data_by_script"));
  EXPECT_FALSE(I->findSymbol(M, "file_local"));
}

TEST(StrippedTest, DynamicSymbolsAreLeft) {
  TempFolder Folder;
  std::string Source = Folder.write("lib.c", Library);
  compile(Compiler::GCC, {Source}, Folder.path("lib.so"),
          {"-g", "-shared", "-fPIC"});
  run(HOTJIT_STRIP, {Folder.path("lib.so")});
  std::unique_ptr<Image> I = open(Folder.path("lib.so"));
  ASSERT_TRUE(I);
  const ImageModule &M = I->modules().front();
  EXPECT_TRUE(I->findSymbol(M, "api"));
  EXPECT_THAT(I->findFunctions(M, "api"), SizeIs(1));
  EXPECT_FALSE(I->findSymbol(M, "hidden"));
  EXPECT_THAT(I->findFunctions(M, "file_local"), IsEmpty());
}

// Guards and vtables are nobody's variables: they are found by name.
TEST(SynthesizedTest, GuardsAndVtables) {
  Built B(Compiler::GCC, "a.cpp", R"(
struct Logger { int n; Logger(); virtual ~Logger(); };
Logger::Logger() : n(1) {}
Logger::~Logger() {}
int log(int x) { static Logger l; return l.n += x; }
int main(int c, char **) { return log(c); }
)",
          {"-g"});
  const ImageModule &M = B.image().modules().front();
  std::vector<ImageSymbol> Guard = B.image().findData(M, "_ZGVZ3logiE1l");
  ASSERT_EQ(Guard.size(), 1u);
  EXPECT_EQ(Guard.front().Size, 8u);
  EXPECT_TRUE(Guard.front().Local);
  EXPECT_EQ(Guard.front().File, "a.cpp");
  EXPECT_TRUE(B.image().findSymbol(M, "_ZTV6Logger"));
  EXPECT_TRUE(B.image().findSymbol(M, "_ZTI6Logger"));
  // Made local by the linker, but not static.
  EXPECT_TRUE(B.image().findSymbol(M, "__dso_handle"));
}

TEST(FunctionAtTest, InsideAndOutside) {
  Built B(Compiler::Clang, "a.c",
          "int f(int x) { return x * 3; }\n"
          "int main(int c, char **v) { return f(c); }\n",
          {"-g"});
  const ImageFunction *F = B.function("f");
  ASSERT_TRUE(F);
  for (int64_t Offset : {int64_t(0), int64_t(1), int64_t(F->Size) - 1}) {
    const ImageFunction *Found = B.image().functionAt(F->Entry + Offset);
    ASSERT_TRUE(Found) << Offset;
    EXPECT_EQ(Found->Symbol, "f");
  }
  const ImageFunction *After =
      B.image().functionAt(F->Entry + static_cast<int64_t>(F->Size));
  EXPECT_TRUE(!After || After->Symbol != "f");
  EXPECT_EQ(B.image().functionAt(ProgramAddr(1)), nullptr);
}

} // namespace
} // namespace hotjit
