// Function entries: which can be armed by patching NOPs, told from their bytes.

#include "Fixture.h"
#include "gmock/gmock.h"

namespace hotjit {
namespace {

using testing::ElementsAre;

const char *const Calls = R"(
static int helper(int x) { return x * 3; }
__attribute__((noinline)) int worker(int x) { return helper(x) + 1; }
int main(int argc, char **argv) { return worker(argc); }
)";

class EntriesTest : public testing::TestWithParam<
                        std::tuple<Compiler, const char *, const char *>> {
protected:
  Words flags(const Words &More) const {
    auto [By, Level, Protection] = GetParam();
    Words Flags{"-g", Level, Protection};
    Flags.insert(Flags.end(), More.begin(), More.end());
    return Flags;
  }
};

TEST_P(EntriesTest, PatchableEntriesAreRecognised) {
  Built B(std::get<0>(GetParam()), "a.c", Calls,
          flags({"-fpatchable-function-entry=7,5"}));
  for (const char *Name : {"worker", "main"}) {
    const ImageFunction *F = B.function(Name);
    ASSERT_TRUE(F);
    EXPECT_EQ(F->Kind, EntryKind::Patchable) << Name;
  }
}

TEST_P(EntriesTest, OrdinaryEntriesArePlain) {
  Built B(std::get<0>(GetParam()), "a.c", Calls, flags({}));
  for (const char *Name : {"worker", "main"}) {
    const ImageFunction *F = B.function(Name);
    ASSERT_TRUE(F);
    EXPECT_EQ(F->Kind, EntryKind::Plain) << Name;
    bool Protected = std::string(std::get<2>(GetParam())).ends_with("full");
    EXPECT_EQ(F->HasEndbr, Protected) << Name;
  }
}

// NOPs at the entry alone leave no room for a jump.
TEST_P(EntriesTest, NopsAtTheEntryAloneArePlain) {
  Built B(std::get<0>(GetParam()), "a.c", Calls,
          flags({"-fpatchable-function-entry=2,0"}));
  const ImageFunction *F = B.function("worker");
  ASSERT_TRUE(F);
  EXPECT_EQ(F->Kind, EntryKind::Plain);
}

INSTANTIATE_TEST_SUITE_P(
    Builds, EntriesTest,
    testing::Combine(testing::Values(Compiler::GCC, Compiler::Clang),
                     testing::Values("-O0", "-O2", "-Os"),
                     testing::Values("-fcf-protection=none",
                                     "-fcf-protection=full")));

// The NOPs before an entry may be the end of the function before it.
TEST(EntryBytesTest, CodeOfTheFunctionBeforeIsNotFree) {
  Built B(Compiler::GCC, "a.c", R"(
asm(".globl before, after, free\n"
    ".type before, @function\n"
    "before: ret; nop; nop; nop; nop; nop\n"
    ".size before, .-before\n"
    ".type after, @function\n"
    "after: nop; nop; ret\n"
    ".size after, .-after\n"
    "nop; nop; nop; nop; nop\n"
    ".type free, @function\n"
    "free: nop; nop; ret\n"
    ".size free, .-free\n");
int main(void) { return 0; }
)",
          {"-g"});
  const ImageModule &M = B.image().modules().front();
  std::vector<const ImageFunction *> After =
      B.image().findFunctions(M, "after");
  ASSERT_EQ(After.size(), 1u);
  EXPECT_EQ(After.front()->Kind, EntryKind::Plain);
  std::vector<const ImageFunction *> Free = B.image().findFunctions(M, "free");
  ASSERT_EQ(Free.size(), 1u);
  EXPECT_EQ(Free.front()->Kind, EntryKind::Patchable);
}

TEST(EntryAliasesTest, ConstructorVariantsShareTheirCode) {
  Built B(Compiler::GCC, "a.cpp", R"(
struct Widget { int n; Widget(int x); };
Widget::Widget(int x) : n(x) {}
int main(int c, char **) { return Widget(c).n; }
)",
          {"-g", "-O0"});
  const ImageFunction *F = B.function("Widget");
  ASSERT_TRUE(F);
  EXPECT_EQ(F->Symbol, "_ZN6WidgetC2Ei");
  EXPECT_THAT(F->Aliases, ElementsAre("_ZN6WidgetC1Ei"));
  const ImageModule &M = B.image().modules().front();
  std::vector<const ImageFunction *> C1 =
      B.image().findFunctions(M, "_ZN6WidgetC1Ei");
  ASSERT_EQ(C1.size(), 1u);
  EXPECT_EQ(C1.front()->Entry, F->Entry);
  EXPECT_THAT(C1.front()->Aliases, ElementsAre("_ZN6WidgetC2Ei"));
}

TEST(EntryAliasesTest, FoldedFunctionsNameEachOther) {
  Built B(
      Compiler::Clang, "a.c", R"(
__attribute__((noinline)) int one(int x) { return x * 7 + 3; }
__attribute__((noinline)) int two(int x) { return x * 7 + 3; }
int main(int c, char **v) { return one(c) + two(c); }
)",
      {"-g", "-O1", "-ffunction-sections", "-fuse-ld=lld", "-Wl,--icf=all"});
  // The linker leaves debug info of the one that it kept.
  const ImageFunction *One = B.function("one");
  ASSERT_TRUE(One);
  EXPECT_EQ(One->Symbol, "one");
  EXPECT_THAT(One->Aliases, ElementsAre("two"));
  const ImageModule &M = B.image().modules().front();
  std::vector<const ImageFunction *> Two = B.image().findFunctions(M, "two");
  ASSERT_EQ(Two.size(), 1u);
  EXPECT_EQ(One->Entry, Two.front()->Entry);
  EXPECT_THAT(Two.front()->Aliases, ElementsAre("one"));
}

// gold leaves the debug info of both and the symbol of one.
TEST(EntryAliasesTest, StaticFunctionsThatGccFolded) {
  Built B(
      Compiler::GCC, "a.cpp", R"(
static __attribute__((noinline)) int two(int x) { return x * 7 + 3; }
static __attribute__((noinline)) int one(int x) { return x * 7 + 3; }
int (*volatile a)(int) = one, (*volatile b)(int) = two;
int main(int c, char **) { return a(c) + b(c); }
)",
      {"-g", "-O1", "-ffunction-sections", "-fuse-ld=gold", "-Wl,--icf=all"});
  for (const char *Name : {"one", "two"}) {
    const ImageFunction *F = B.function(Name);
    ASSERT_TRUE(F);
    EXPECT_THAT(F->Aliases, ElementsAre(*Name == 'o' ? "two" : "one"));
  }
}

// A function whose cold part stands elsewhere starts at its symbol.
TEST(EntryPlaceTest, ColdPartsAreNotEntries) {
  Built B(Compiler::GCC, "a.c", R"(
#include <stdlib.h>
void __attribute__((cold)) fail(int);
int work(int x) {
  if (__builtin_expect(x < 0, 0)) { fail(x); fail(x + 1); abort(); }
  return x * 5;
}
void fail(int x) { if (x == 3) exit(3); }
int main(int c, char **v) { return work(c); }
)",
          {"-g", "-O2", "-fno-inline"});
  const ImageFunction *F = B.function("work");
  ASSERT_TRUE(F);
  EXPECT_EQ(F->Symbol, "work");
  const ImageModule &M = B.image().modules().front();
  std::vector<const ImageFunction *> Cold =
      B.image().findFunctions(M, "work.cold");
  ASSERT_EQ(Cold.size(), 1u);
  EXPECT_NE(Cold.front()->Entry, F->Entry);
  EXPECT_EQ(B.image().functionAt(Cold.front()->Entry), Cold.front());
}

// GCC's clones have symbols of their own and the original's name in DWARF.
TEST(EntryPlaceTest, ClonesKeepTheirSymbol) {
  Built B(Compiler::GCC, "a.c", R"(
struct pair { int a, b; };
static __attribute__((noinline)) int sum(struct pair *p, int unused) {
  return p->a * 3;
}
int main(int c, char **v) {
  struct pair p = {c, 2};
  return sum(&p, 1) + sum(&p, 2);
}
)",
          {"-g", "-O2"});
  const ImageFunction *F = B.function("sum");
  ASSERT_TRUE(F);
  EXPECT_EQ(F->Symbol.substr(0, 4), "sum.");
  EXPECT_TRUE(F->Local);
}

} // namespace
} // namespace hotjit
