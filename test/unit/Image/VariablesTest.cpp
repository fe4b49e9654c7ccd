// Variables with static and thread storage: which one is it, where is it, and
// is it still a variable.

#include "Fixture.h"
#include "gmock/gmock.h"

namespace hotjit {
namespace {

class VariablesTest : public testing::TestWithParam<BuildMode> {
protected:
  Built build(const std::string &Name, const std::string &Text) {
    return Built(GetParam().By, Name, Text, GetParam().Flags);
  }
};

// Volatile, so that an optimizer leaves them alone.
TEST_P(VariablesTest, FileAndFunctionScope) {
  Built B = build("a.c", R"(
volatile int zero;
volatile int seven = 7;
static volatile int eight = 8;
int bump(void) {
  static volatile int calls = 9;
  return ++calls + eight;
}
int main(void) { return bump() + zero + seven; }
)");
  struct {
    const char *Name, *Function;
    int Value;
  } const Expected[] = {
      {"seven", "", 7}, {"eight", "", 8}, {"calls", "bump", 9}};
  for (const auto &E : Expected) {
    const ImageVariable *V = B.variable(E.Name);
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::Address) << E.Name;
    EXPECT_EQ(initialInt(B.image(), V->Address), E.Value) << E.Name;
    EXPECT_EQ(V->Function, E.Function) << E.Name;
    EXPECT_EQ(V->Size, 4u) << E.Name;
    EXPECT_EQ(V->TypeSize, 4u) << E.Name;
    EXPECT_TRUE(V->Writable) << E.Name;
    EXPECT_EQ(V->File, B.Source) << E.Name;
  }
  EXPECT_EQ(B.variable("seven")->Symbol, "seven");
  EXPECT_EQ(B.variable("seven")->Line, 3u);
  // GCC writes "calls.0", Clang "bump.calls": neither says it in DWARF.
  EXPECT_EQ(B.variable("calls")->Symbol,
            GetParam().By == Compiler::GCC ? "calls.0" : "bump.calls");
  const ImageVariable *Zero = B.variable("zero");
  ASSERT_TRUE(Zero);
  EXPECT_EQ(Zero->Storage, StorageKind::Address);
  EXPECT_TRUE(Zero->Writable);
  EXPECT_TRUE(B.image().fileBytes(Zero->Address, 4).empty()); // .bss
}

TEST_P(VariablesTest, ScopesOfCxx) {
  Built B = build("a.cpp", R"(
namespace outer {
volatile int global = 1;
namespace { volatile int hidden = 2; }
struct Widget { static volatile int count; void touch(); };
volatile int Widget::count = 3;
inline volatile int shared = 4;
template <typename T> struct Box { static volatile T held; };
template <typename T> volatile T Box<T>::held = 5;
void Widget::touch() { static volatile int times = 6; times = times + 1; }
}
static volatile int local = 7;
int main() {
  using namespace outer;
  Widget().touch();
  return global + hidden + Widget::count + shared + Box<int>::held + local;
}
)");
  struct {
    const char *Name;
    int Value;
    const char *Symbol;
  } const Expected[] = {
      {"global", 1, "_ZN5outer6globalE"},
      {"hidden", 2, "_ZN5outer12_GLOBAL__N_16hiddenE"},
      {"count", 3, "_ZN5outer6Widget5countE"},
      {"shared", 4, "_ZN5outer6sharedE"},
      {"held", 5, "_ZN5outer3BoxIiE4heldE"},
      {"times", 6, "_ZZN5outer6Widget5touchEvE5times"},
      {"local", 7, "_ZL5local"},
  };
  for (const auto &E : Expected) {
    const ImageVariable *V = B.variable(E.Name);
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::Address) << E.Name;
    EXPECT_EQ(initialInt(B.image(), V->Address), E.Value) << E.Name;
    EXPECT_EQ(V->Symbol, E.Symbol);
  }
  EXPECT_EQ(B.variable("times")->Function, "_ZN5outer6Widget5touchEv");
}

// A7: an inserted block-scoped static takes the name of the one below it.
TEST_P(VariablesTest, A7SameNameInTwoBlocks) {
  Built B = build("a.c", R"(
int step(int x) {
  int r = 0;
  { static volatile int n = 10; r += ++n; }
  { static volatile int n = 20; r += ++n; }
  return r + x;
}
int main(int c, char **v) { return step(c); }
)");
  std::vector<const ImageVariable *> Found;
  for (const ImageVariable &V : B.details().Variables)
    if (V.Name == "n")
      Found.push_back(&V);
  ASSERT_EQ(Found.size(), 2u);
  if (Found[0]->Line > Found[1]->Line)
    std::swap(Found[0], Found[1]);
  EXPECT_EQ(Found[0]->Line, 4u);
  EXPECT_EQ(initialInt(B.image(), Found[0]->Address), 10);
  EXPECT_EQ(Found[1]->Line, 5u);
  EXPECT_EQ(initialInt(B.image(), Found[1]->Address), 20);
  for (const ImageVariable *V : Found)
    EXPECT_EQ(V->Function, "step");
}

// A3: two files of one name, each with its own static of one name.
TEST_P(VariablesTest, A3SameNameInTwoFilesOfOneName) {
  TempFolder Folder;
  std::string One = Folder.write("one/part.c", R"(
static volatile int n = 111;
int first(void) { return ++n; }
)");
  std::string Two = Folder.write("two/part.c", R"(
static volatile int n = 222;
int first(void);
int main(void) { return first() + ++n; }
)");
  compile(GetParam().By, {One, Two}, Folder.path("out"), GetParam().Flags);
  std::unique_ptr<Image> I = open(Folder.path("out"));
  ASSERT_TRUE(I);
  const ImageVariable *InOne = only(detailsOf(*I, One).Variables, "n");
  const ImageVariable *InTwo = only(detailsOf(*I, Two).Variables, "n");
  ASSERT_TRUE(InOne && InTwo);
  EXPECT_EQ(InOne->Symbol, InTwo->Symbol);
  EXPECT_EQ(initialInt(*I, InOne->Address), 111);
  EXPECT_EQ(initialInt(*I, InTwo->Address), 222);
  EXPECT_EQ(I->findData(I->modules().front(), "n").size(), 2u);
}

TEST_P(VariablesTest, ThreadLocals) {
  Built B = build("a.c", R"(
_Thread_local volatile int first = 1;
static _Thread_local volatile int second = 2;
int use(void) {
  static _Thread_local volatile int third;
  return ++third + first + second;
}
int main(void) { return use(); }
)");
  std::vector<uint64_t> Offsets;
  for (const char *Name : {"first", "second", "third"}) {
    const ImageVariable *V = B.variable(Name);
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::ThreadLocal) << Name;
    EXPECT_FALSE(V->Address) << Name;
    EXPECT_EQ(V->Size, 4u) << Name; // So its symbol was found at its offset.
    EXPECT_THAT(V->Symbol, testing::HasSubstr(Name));
    Offsets.push_back(V->TlsOffset);
  }
  EXPECT_THAT(Offsets, testing::UnorderedElementsAre(0, 4, 8));
  EXPECT_EQ(B.variable("third")->Function, "use");
}

// A14: the program's own idea of sizes decides whether a type was changed.
TEST_P(VariablesTest, A14SizesOfTypes) {
  Built B = build("a.c", R"(
typedef struct { char c; long l; } pair_t;
enum colour { red, green };
volatile char letter = 1;
volatile long number = 1;
volatile pair_t pairs[2][3] = {{{1, 1}}};
const char *volatile const names[3] = {"a", "b", "c"};
int (*volatile callback)(int);
enum colour volatile paint = green;
int empty[0];
double _Complex wave = 1;
int main(void) {
  return letter + number + pairs[0][0].c + names[1][0] + (callback != 0) +
         paint + sizeof empty + (wave != 0);
}
)");
  struct {
    const char *Name;
    uint64_t Size;
  } const Expected[] = {{"letter", 1}, {"number", 8},   {"pairs", 96},
                        {"names", 24}, {"callback", 8}, {"paint", 4},
                        {"empty", 0},  {"wave", 16}};
  for (const auto &E : Expected) {
    const ImageVariable *V = B.variable(E.Name);
    ASSERT_TRUE(V);
    EXPECT_EQ(V->TypeSize, E.Size) << E.Name;
  }
}

TEST_P(VariablesTest, ArrayWhoseSizeCameWithTheDefinition) {
  Built B = build("a.c", R"(
extern volatile int table[];
volatile int table[] = {5, 6, 7};
int main(void) { return table[1]; }
)");
  const ImageVariable *V = B.variable("table");
  ASSERT_TRUE(V);
  EXPECT_EQ(V->TypeSize, 12u);
  EXPECT_EQ(initialInt(B.image(), V->Address + 8), 7);
}

TEST_P(VariablesTest, WhatIsReadOnlyAfterStartIsNotWritable) {
  Built B = build("a.c", R"(
extern int main(void);
extern const int fixed;
extern int (*const entry)(void);
const int fixed = 3;
int (*const entry)(void) = main;
volatile int open_one = 4;
const void *volatile users[] = {&fixed, &entry};
int main(void) { return (users[0] != users[1]) + open_one; }
)");
  ASSERT_TRUE(B.variable("fixed") && B.variable("entry") &&
              B.variable("open_one"));
  EXPECT_FALSE(B.variable("fixed")->Writable);
  EXPECT_FALSE(B.variable("entry")->Writable);
  EXPECT_TRUE(B.variable("open_one")->Writable);
}

TEST_P(VariablesTest, DeclarationsAreNotVariables) {
  Built B = build("a.c", R"(
#include <stdio.h>
extern volatile int elsewhere_not_used;
int main(void) {
  extern char **environ;
  volatile int automatic = 4;
  puts("a string literal");
  return environ != 0 && stdout != 0 && automatic;
}
)");
  EXPECT_TRUE(B.details().Variables.empty())
      << B.details().Variables.front().Name;
}

INSTANTIATE_TEST_SUITE_P(Builds, VariablesTest,
                         testing::ValuesIn(allBuildModes()), nameOf);

// A23: tentative definitions in two files are one variable.
TEST(CommonTest, A23TentativeDefinitions) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    TempFolder Folder;
    std::string One = Folder.write("one.c", "int shared; int one(void) "
                                            "{ return ++shared; }\n");
    std::string Two = Folder.write("two.c", "int shared; int one(void);\n"
                                            "int main(void) { return one() + "
                                            "shared; }\n");
    compile(By, {One, Two}, Folder.path("out"), {"-g", "-fcommon"});
    std::unique_ptr<Image> I = open(Folder.path("out"));
    ASSERT_TRUE(I);
    const ImageVariable *A = only(detailsOf(*I, One).Variables, "shared");
    const ImageVariable *B = only(detailsOf(*I, Two).Variables, "shared");
    ASSERT_TRUE(A && B);
    EXPECT_EQ(A->Storage, StorageKind::Address);
    EXPECT_EQ(A->Address, B->Address);
    EXPECT_EQ(A->Size, 4u);
    EXPECT_EQ(I->findSymbol(I->modules().front(), "shared"), A->Address);
  }
}

// A18: .data and .bss differ in what the file holds, not in being bound.
TEST(SectionsTest, A18DataAndBssBothHaveAnAddress) {
  Built Data(Compiler::GCC, "a.c", "int n = 5; int main(void) { return n; }",
             {"-g"});
  Built Bss(Compiler::GCC, "a.c", "int n; int main(void) { return n; }",
            {"-g"});
  for (Built *B : {&Data, &Bss}) {
    const ImageVariable *V = B->variable("n");
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::Address);
    EXPECT_EQ(V->Symbol, "n");
    EXPECT_EQ(V->Size, 4u);
    EXPECT_TRUE(V->Writable);
  }
}

// Clang makes a variable that has two values one byte, under its own symbol.
TEST(OptimizedTest, ShrunkVariableIsComposed) {
  Built B(Compiler::Clang, "a.c", R"(
static int mode = 5;
void on(void) { mode = 6; }
void off(void) { mode = 5; }
int current(void) { return mode; }
int main(int c, char **v) { on(); off(); return current(); }
)",
          {"-g", "-O2", "-fno-inline"});
  const ImageVariable *V = B.variable("mode");
  ASSERT_TRUE(V);
  EXPECT_EQ(V->Storage, StorageKind::Composed);
  EXPECT_FALSE(V->Address);
}

TEST(OptimizedTest, SplitStructIsComposed) {
  Built B(Compiler::Clang, "a.c", R"(
static struct { int a, b; double c; } parts;
void put(int x) { parts.a = x; parts.b += x; }
int get(void) { return parts.a + parts.b; }
int main(int c, char **v) { put(c); return get(); }
)",
          {"-g", "-O2", "-fno-inline"});
  const ImageVariable *V = B.variable("parts");
  ASSERT_TRUE(V);
  EXPECT_EQ(V->Storage, StorageKind::Composed);
}

// The same for a static local: its place is made of its address, so it is not
// taken for an automatic variable; a pointer that holds an address is one.
TEST(OptimizedTest, ShrunkStaticLocalIsComposed) {
  Built B(Compiler::Clang, "a.c", R"(
static int target;
int *leak;
__attribute__((noinline)) int flip(int x) {
  static int state = 5;
  int *pointer = &target;
  leak = pointer;
  if (x == 7)
    return state;
  if (x)
    state = 6;
  else
    state = 5;
  return 1;
}
int main(int c, char **v) { return flip(c) + flip(c + 1); }
)",
          {"-g", "-O2"});
  const ImageVariable *V = B.variable("state");
  ASSERT_TRUE(V);
  EXPECT_EQ(V->Storage, StorageKind::Composed);
  for (const ImageVariable &Other : B.details().Variables)
    EXPECT_NE(Other.Name, "pointer");
}

TEST(OptimizedTest, FoldedConstantHasNoStorage) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    Built B(By, "a.c", R"(
static const int limit = 42;
static int never_written = 17;
int main(int c, char **v) { return c + limit + never_written; }
)",
            {"-g", "-O2"});
    for (const char *Name : {"limit", "never_written"}) {
      const ImageVariable *V = B.variable(Name);
      ASSERT_TRUE(V);
      EXPECT_NE(V->Storage, StorageKind::Address) << Name;
      EXPECT_EQ(V->Symbol, "") << Name;
    }
  }
}

// A static of a function that is inlined everywhere, or nowhere, is one.
TEST(OptimizedTest, StaticOfAnInlinedFunction) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang}) {
    Built B(By, "a.cpp", R"(
static inline int next(int x) {
  static volatile int calls = 31;
  return calls = calls + x;
}
__attribute__((noinline)) int a(int x) { return next(x) + 1; }
__attribute__((noinline)) int b(int x) { return next(x + 4) + next(x); }
int main(int c, char **) { return a(c) + b(c); }
)",
            {"-g", "-O2"});
    const ImageVariable *V = B.variable("calls");
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::Address);
    EXPECT_EQ(initialInt(B.image(), V->Address), 31);
    EXPECT_EQ(V->Function, "_ZL4nexti");
  }
}

// What the linker threw away has address 0 (GNU ld) or -1 (lld) in DWARF.
TEST(GarbageCollectedTest, IsNowhere) {
  for (Compiler By : {Compiler::GCC, Compiler::Clang})
    for (const char *Linker : {"-fuse-ld=bfd", "-fuse-ld=lld"})
      for (const char *Pie : {"-pie", "-no-pie"}) {
        Built B(By, "a.c", R"(
int unused_data = 3;
_Thread_local int unused_tls = 4;
_Thread_local int used_tls = 5;
int unused_function(int x) { return x + unused_data + unused_tls; }
int main(void) { return used_tls; }
)",
                {"-g", "-O0", "-ffunction-sections", "-fdata-sections",
                 "-Wl,--gc-sections", Linker, Pie});
        for (const ImageFunction &F : B.details().Functions)
          EXPECT_NE(F.Name, "unused_function") << Linker;
        ASSERT_TRUE(B.variable("unused_data") && B.variable("unused_tls") &&
                    B.variable("used_tls"));
        EXPECT_EQ(B.variable("unused_data")->Storage, StorageKind::None)
            << Linker;
        EXPECT_EQ(B.variable("unused_tls")->Storage, StorageKind::None)
            << Linker;
        EXPECT_EQ(B.variable("used_tls")->Storage, StorageKind::ThreadLocal)
            << Linker;
      }
}

} // namespace
} // namespace hotjit
