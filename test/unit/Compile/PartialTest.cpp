// Bodies of a unit's own file, compiled alone; from kept preambles and head
// starts.

#include "PartialFixture.h"
#include <csetjmp>

using namespace hotjit;
using namespace hotjit::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

//===-- Bodies ------------------------------------------------------------===//

static const char *const Plain = R"(
static int counter;
static int helper(int x) { return x + counter; }
int f(int x) { return helper(x) * 2; }
int g(int x) { return f(x) + 1; }
const char *name(void) { return "old"; }
)";

TEST_F(Partial, HasCodeForTheEditedBodyOnly) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "helper(x) * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f"));
  EXPECT_FALSE(O.Partial->Whole);
}

TEST_F(Partial, TakesSeveralBodies) {
  std::string New = with(Plain, "helper(x) * 2", "helper(x) * 3");
  Outcome O = editC(Plain, with(New, "\"old\"", "\"newer\""));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "name"));
}

TEST_F(Partial, MakesStaticFunctionsThatNobodyCallsHere) {
  Outcome O = editC(Plain, with(Plain, "x + counter", "x - counter"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("helper"));
}

TEST_F(Partial, MakesWhatIsNeeded) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "helper(x) * 3"), {},
                    {"helper"});
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "helper"));
}

TEST_F(Partial, OptimizedUnitsTakeTheCallers) {
  Outcome O = editC(Plain, with(Plain, "x + counter", "x - counter"), {"-O2"});
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "g", "helper"));
}

TEST_F(Partial, ShiftsPlacesBelow) {
  Outcome O = editC(Plain, with(Plain, "{ return helper(x) * 2; }",
                                "{\n\n  return helper(x) * 2;\n}"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(O.Partial->findFunction("g")->Place.Line, 8u);
}

TEST_F(Partial, ShiftsPlacesBetweenTwoEdits) {
  std::string New = with(Plain, "x + counter;", "x +\n\n counter;");
  Outcome O = editC(Plain, with(New, "f(x) + 1;", "f(x)\n + 2;"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(O.Partial->findFunction("f")->Place.Line, 6u);
  EXPECT_EQ(O.Partial->findFunction("name")->Place.Line, 9u);
}

TEST_F(Partial, FollowsEditsOneAfterTheOther) {
  std::string Text = Plain;
  Outcome O = editC(Text, with(Text, "* 2", "* 2\n * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  Text = with(Text, "* 2", "* 2\n * 3");
  for (int I = 0; I != 3; ++I) {
    std::string Next = with(Text, "f(x) + 1", "f(x) + 1 + 1");
    Live = std::move(O.Partial);
    O = again(unitAt("/src/a.c", {}), snapshotOf({{"/src/a.c", Text}}),
              snapshotOf({{"/src/a.c", Next}}));
    ASSERT_TRUE(O.Partial) << O.Why;
    EXPECT_THAT(O.Code, ElementsAre("g"));
    Text = Next;
  }
}

TEST_F(Partial, KnowsFunctionsThatWereFirstUsedInAPartialCompile) {
  const std::string Unused = "static int late(int n) { return n + 1; }\n"
                             "int f(int n) { return n; }\n";
  const std::string Used = with(Unused, "{ return n; }", "{ return late(n); }");
  Outcome O = editC(Unused, Used);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "late"));
  Live = std::move(O.Partial);
  O = again(unitAt("/src/a.c", {}), snapshotOf({{"/src/a.c", Used}}),
            snapshotOf({{"/src/a.c", with(Used, "n + 1", "n + 2")}}));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("late"));
}

TEST_F(Partial, KeepsStaticsOfTheBody) {
  const char *Old = "int f() { static int n = 4; return ++n; }\n"
                    "int g() { static int n = 5; return ++n; }\n";
  Outcome O = editC(Old, with(Old, "return ++n", "return n += 2"));
  ASSERT_TRUE(O.Partial) << O.Why;
  O = editC(Old,
            with(Old, "static int n = 4;", "static int m = 1, n = 4; n += m;"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_TRUE(O.Partial->findVariable("f.m"));
}

TEST_F(Partial, FunctionsThatUseTheirLineChangeWhenItMoves) {
  const char *Old = "int f() { return 1; }\n"
                    "int h() { return 7; }\n"
                    "int g() { return __LINE__; }\n";
  Outcome O = editC(Old, with(Old, "{ return 1; }", "{\n return 1; }"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "g"));
  O = editC(Old, with(Old, "{ return 1; }", "{ return 2; }"));
  EXPECT_THAT(O.Code, ElementsAre("f"));
}

//===-- C++ ---------------------------------------------------------------===//

static const char *const Classes = R"(
#include <map>
#include <string>
#include <vector>
namespace {
struct Entity {
  int id;
  explicit Entity(int i) : id(i) { ++made; }
  ~Entity() { --made; }
  int twice() const { return id * 2; }
  static int made;
};
int Entity::made = 0;
}
std::map<std::string, int> table{{"a", 1}};
namespace sim {
struct Base { virtual ~Base(); virtual int value() const; };
Base::~Base() {}
int Base::value() const { return 1; }
struct Derived : Base { int value() const override; int extra = 3; };
int Derived::value() const { return extra; }
static int total(const std::vector<int> &v) {
  int sum = 0;
  for (int x : v) sum += x;
  return sum;
}
int run(int n) {
  std::vector<int> v;
  for (int i = 0; i < n; ++i) v.push_back(i);
  Entity e(n);
  return total(v) + e.twice() + table["a"];
}
}
template <class T> T pick(T a, T b) { return a < b ? a : b; }
int use(int a, int b) { return pick(a, b); }
)";

TEST_F(Partial, CXX) {
  Outcome O = editCXX(Classes, with(Classes, "e.twice() +", "e.twice() * 2 +"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_ZN3sim3runEi"));
}

TEST_F(Partial, CXXWithoutAPreamble) {
  Warm = false;
  Outcome O = editCXX(Classes, with(Classes, "e.twice() +", "e.twice() * 2 +"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_ZN3sim3runEi"));
}

TEST_F(Partial, MethodsInClasses) {
  Outcome O = editCXX(Classes, with(Classes, "return id * 2", "return id * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_ZNK12_GLOBAL__N_16Entity5twiceEv"));
}

TEST_F(Partial, ConstructorsAndDestructors) {
  Outcome O = editCXX(Classes, with(Classes, "{ ++made; }", "{ made += 2; }"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ::testing::Contains("_ZN12_GLOBAL__N_16EntityC2Ei"));
  O = editCXX(Classes, with(Classes, "Base::~Base() {}",
                            "Base::~Base() { use(1, 2); }\n"));
  EXPECT_FALSE(O.Partial); // Not declared yet: an error.
  EXPECT_THAT(O.Rendered, HasSubstr("use of undeclared identifier 'use'"));
  O = editCXX(Classes, with(Classes, "Base::~Base() {}",
                            "Base::~Base() { table.clear(); }"));
  ASSERT_TRUE(O.Partial) << O.Why;
}

// Where Clang has seen that a callee throws nothing it makes no landing pad,
// and the fingerprint is another one, for as long as the body is not edited
// again.
TEST_F(Partial, PadsOfAnEarlierEditAreNoDifference) {
  std::string Text = "static int calm(int n) { return n; }\n"
                     "int f(int n) {\n"
                     "  try { return calm(n) + 1; } catch (int) { return 2; }\n"
                     "}\n"
                     "int g() { return 1; }\n";
  std::string Next = with(Text, "calm(n) + 1", "calm(n) + 2");
  Outcome O = editCXX(Text, Next);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z1fi"));
  Live = std::move(O.Partial);
  O = again(unitAt("/src/a.cpp", {}), snapshotOf({{"/src/a.cpp", Next}}),
            snapshotOf({{"/src/a.cpp", with(Next, "return 1", "return 3")}}));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z1gv"));
}

// The code generator makes `before` before f, and `late`, which is static, when
// it has made f: one call has a landing pad, the other has none.
TEST_F(Partial, HasThePadsOfTheWhole) {
  const char *Text = "int mayThrow(int);\n"
                     "static int late(int n) { return n; }\n"
                     "int before(int n) { return n; }\n"
                     "int f(int n) {\n"
                     "  try { return 1 + before(n); } catch (int) {}\n"
                     "  try { return late(n); } catch (long) { return 2; }\n"
                     "}\n"
                     "int after(int n) {\n"
                     "  try { return f(n) + mayThrow(n); }\n"
                     "  catch (int) { return before(n); }\n"
                     "}\n";
  const std::pair<const char *, const char *> Edits[] = {
      {"1 + before", "7 + before"},
      {"return 2", "return 7"},
      {"mayThrow(n)", "mayThrow(7)"}};
  for (auto [From, To] : Edits) {
    std::string New = with(Text, From, To);
    Outcome O = editCXX(Text, New);
    ASSERT_TRUE(O.Partial) << O.Why;
    std::unique_ptr<CompiledUnit> Whole = compileCXX(New);
    ASSERT_TRUE(Whole);
    for (const CompiledFunction &F : Whole->Functions)
      EXPECT_EQ(F.Body, O.Partial->findFunction(F.Symbol)->Body) << F.Symbol;
  }
}

// A switch of one case is what it was where pads were dropped.
TEST_F(Partial, KeepsSwitches) {
  const char *Text =
      "struct S { ~S(); };\n"
      "static int late(int n) { return n; }\n"
      "int f(int n) noexcept {\n"
      "  S s;\n"
      "  switch (late(n)) { case 0: return 1; default: return 2; }\n"
      "}\n";
  Outcome O = editCXX(Text, with(Text, "return 2", "return 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
}

// The whole sees that f throws nothing any more.
TEST_F(Partial, TheLastCallThatMayThrowGoes) {
  std::string Text = "int mayThrow(int);\n"
                     "int calm(int n) { return n; }\n"
                     "int f(int n) { mayThrow(n); return calm(n); }\n";
  Outcome O = editCXX(Text, with(Text, "mayThrow(n);", ""));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z1fi"));
}

TEST_F(Partial, VirtualMethods) {
  Outcome O =
      editCXX(Classes, with(Classes, "return extra", "return extra + 1"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_ZNK3sim7Derived5valueEv"));
}

TEST_F(Partial, NewInstantiationsAreMade) {
  Outcome O = editCXX(Classes, with(Classes, "return pick(a, b)",
                                    "return pick(a, b) + pick(1.5, 2.5)"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z3useii", "_Z4pickIdET_S0_S0_"));
  O = editCXX(Classes, with(Classes, "Entity e(n);",
                            "Entity e(n); std::vector<Entity *> w; "
                            "w.push_back(&e); n += w.size();"));
  ASSERT_TRUE(O.Partial) << O.Why;
}

const char Lambdas[] = R"(
#include <functional>
#include <vector>
#include <algorithm>
static auto first = [](int x) { return x + 1; };
static auto second = [](int x) { return x * 10; };
int hidden(std::vector<int> &v, int n) {
  struct Local { int n; bool operator()(int a, int b) const { return a % n < b % n; } };
  std::sort(v.begin(), v.end(), Local{n});
  std::function<int(int)> f = [n](int x) { return x + n; };
  return f(v.size()) + first(1);
}
int use(int n) { return second(n); }
int plain(int n) { std::vector<int> v{n}; return hidden(v, n) + 1; }
)";

TEST_F(Partial, BodiesWithLambdasAreSkipped) {
  Outcome O = editCXX(Lambdas, with(Lambdas, "(v, n) + 1", "(v, n) + 2"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z5plaini"));
}

// Clang numbers what has no name in the order in which it makes code.
TEST_F(Partial, LambdasKeepTheirNumbers) {
  Outcome O = editCXX(Lambdas, with(Lambdas, "second(n);", "\nsecond(n) + 1;"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z3usei"));
  bool IsNamed = false;
  for (const llvm::Function &F : *O.Partial->Code.Module)
    if (F.getName().contains("$_")) {
      IsNamed = true;
      EXPECT_EQ(O.Partial->findFunction(F.getName())->Place.Line, 6u);
    }
  EXPECT_TRUE(IsNamed);
}

TEST_F(Partial, ABodyWithLambdasIsMadeForAnother) {
  std::string Text = Lambdas;
  SourceFiles Old = {{"/src/a.cpp", Text}};
  SourceFiles New = {{"/src/a.cpp", with(Text, "(v, n) + 1", "(v, n) + 2")}};
  Outcome O =
      edit("/src/a.cpp", Old, New, {}, {"_Z6hiddenRSt6vectorIiSaIiEEi"});
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, testing::Contains("_Z6hiddenRSt6vectorIiSaIiEEi"));
}

// The unit has code for one of the two so far; the other must not be taken for
// it.
TEST_F(Partial, RefusesALambdaThatLooksLikeAKnownOne) {
  std::string Text = "auto a = [](int x) { return x; }; auto b = [](int x) { "
                     "return -x; };\nint f(int n) { return a(n); }\n"
                     "int g(int n) { return n; }\n";
  Outcome O = editCXX(Text, with(Text, "{ return n; }", "{ return b(n); }"));
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("has no name"));
  O = editCXX(Text, with(Text, "{ return n; }", "{ return a(n); }"));
  EXPECT_TRUE(O.Partial) << O.Why;
}

TEST_F(Partial, RefusesLambdasThatLookAlike) {
  std::string Text = "auto a = [](int x) { return x; }; auto b = [](int x) { "
                     "return -x; };\nint f(int n) { return a(n) + b(n); }\n";
  Outcome O = editCXX(Text, with(Text, "b(n)", "b(n) + 1"));
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("has no name"));
}

TEST_F(Partial, Optimized) {
  Outcome O = editCXX(Classes, with(Classes, "sum += x", "sum -= x"), {"-O2"});
  ASSERT_TRUE(O.Partial) << O.Why;
}

//===-- Doubts ------------------------------------------------------------===//

TEST_F(Partial, RefusesWhatIsNotOnlyABody) {
  EXPECT_FALSE(
      editC(Plain, with(Plain, "int counter", "long counter")).Partial);
  EXPECT_FALSE(
      editC(Plain, with(Plain, "int g(int x)", "int g(long x)")).Partial);
  EXPECT_FALSE(editC(Plain, std::string(Plain) + "int more;\n").Partial);
  EXPECT_FALSE(
      editC(Plain, with(Plain, "int g(int x) { return f(x) + 1; }", ""))
          .Partial);
  EXPECT_FALSE(
      editC(Plain, with(Plain, "return helper(x) * 2; }",
                        "return helper(x) * 2; }\nint h() { return 1; }"))
          .Partial);
}

TEST_F(Partial, RefusesWhatLosesAStaticFunction) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "x * 2"));
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("no longer used"));
}

TEST_F(Partial, RefusesWhatLosesFunctionsThatCallEachOther) {
  const char *Old = "static int odd(int);\n"
                    "static int even(int n) { return n ? odd(n - 1) : 1; }\n"
                    "static int odd(int n) { return n ? even(n - 1) : 0; }\n"
                    "int f(int n) { return even(n) + 1; }\n";
  Outcome O = editC(Old, with(Old, "even(n) + 1", "n + 1"));
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("no longer used"));
  Old = "static int a(void) { return 1; }\n"
        "int b(void) { return 2; }\n"
        "int f(void) { static int (*table[])(void) = {a, b}; "
        "return table[0](); }\n";
  O = editC(Old, with(Old, "{a, b}", "{b, b}"));
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("no longer used"));
}

TEST_F(Partial, MayKeepAConstantWhoseValueWasFolded) {
  const char *Text = "struct pair { unsigned x, y; };"
                     "static const struct pair table = {78, 67};"
                     "unsigned f(unsigned n) { return n ^ table.x; }";
  Outcome O = editC(Text, with(Text, " ^ table.x", ""));
  ASSERT_TRUE(O.Partial) << O.Why;
}

TEST_F(Partial, RefusesDirectivesThatReachFurther) {
  const char *Old =
      "int f() {\n#define N 1\n return N; }\nint g() { return N; }";
  EXPECT_THAT(editC(Old, with(Old, "N 1", "N 2")).Why, HasSubstr("directive"));
  const char *If = "int f() {\n#if 1\n return 1;\n#endif\n}\n"
                   "int g() { return 2; }\n";
  Outcome O = editC(If, with(If, "return 1", "return 3"));
  EXPECT_TRUE(O.Partial) << O.Why;
  O = editC(If, with(If, "#if 1\n return 1;\n#endif\n", "#if 0\n return 1;\n"));
  EXPECT_FALSE(O.Partial);
}

TEST_F(Partial, RefusesBodiesThatOthersDependOn) {
  const char *Old = "constexpr int size() { return 3; }\n"
                    "int table[size()];\n"
                    "auto f() { return 1; }\n"
                    "int g() { auto l = [] { return 1; }; return l(); }\n"
                    "int h() { struct S { int a; } s{1}; return s.a; }\n"
                    "template <class T> T id(T t) { return t; }\n"
                    "int i() { return id(1); }\n";
  for (const char *Edit :
       {"return 3", "return 1", "return l()", "return s.a", "return t"}) {
    Outcome O = editCXX(Old, with(Old, Edit, std::string(Edit) + " + 0"));
    EXPECT_FALSE(O.Partial) << Edit;
  }
}

TEST_F(Partial, RefusesWhatStartsToThrow) {
  const char *Old = "struct D { ~D(); };\n"
                    "static int f(int n) { return n; }\n"
                    "int g(int n) { D d; return f(n); }\n";
  EXPECT_THAT(
      editCXX(Old, with(Old, "return n;", "if (n) throw n; return n;")).Why,
      HasSubstr("threw nothing before"));
  Outcome O = editCXX(Old, with(Old, "return n;", "return n + 1;"));
  EXPECT_TRUE(O.Partial) << O.Why;
}

TEST_F(Partial, RefusesWhatCountsOn) {
  const char *Old = "int f() { return 0; }\nint g() { return __COUNTER__; }\n";
  EXPECT_THAT(editC(Old, with(Old, "return 0", "return __COUNTER__")).Why,
              HasSubstr("__COUNTER__"));
}

TEST_F(Partial, ErrorsOfTheBodyAreToldAndOthersAreNot) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "helper(x) * nothing"));
  EXPECT_EQ(O.Why, "");
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Rendered, HasSubstr("undeclared identifier 'nothing'"));
  O = editC(Plain, with(Plain, "helper(x) * 2; }", "helper(x) * 2;"));
  EXPECT_FALSE(O.Partial);
}

TEST_F(Partial, AHeaderThatChangedIsReadAnew) {
  SourceFiles Old = {{"/src/a.c", "#include \"a.h\"\nint f() { return N; }\n"},
                     {"/src/a.h", "#define N 1\n"}};
  Outcome O = edit("/src/a.c", Old, Old);
  EXPECT_FALSE(O.Partial); // Nothing to do.
  SourceFiles Middle = Old;
  Middle["/src/a.h"] = "#define N 2\n";
  SourceFiles New = Middle;
  New["/src/a.c"] = "#include \"a.h\"\nint f() { return N + 1; }\n";
  TranslationUnit Unit = unitAt("/src/a.c", {});
  TheCompiler.warm(Unit, snapshotOf(Old));
  Warm = false;
  O = edit("/src/a.c", Middle, New);
  ASSERT_TRUE(O.Partial) << O.Why;
}

//===-- Deep preambles ----------------------------------------------------===//

/// Long: 3,000 functions, statics and tables among them, and one that uses
/// some.
static std::string longFile() {
  std::string Text = "static int calls;\n";
  for (int I = 0; I != 3000; ++I) {
    std::string N = std::to_string(I);
    Text += "int f" + N + "(int x) { static int n; ++calls; return x + n + " +
            N + "; }\n";
  }
  Text += "static int (*const table[])(int) = {f1, f2};\n"
          "static int helper(int x) { return table[x & 1](x); }\n"
          "int last(int x) { return f7(x) + helper(x) + calls; }\n"
          "int end(int x) { return x; }\n";
  return Text;
}

TEST_F(Partial, WhatStandsAboveIsKeptParsed) {
  std::string Old = longFile();
  std::string Middle = with(Old, "f7(x) +", "f7(x) * 2 +");
  std::string New = with(Old, "f7(x) +", "f8(x) * 3 + f9(x) +");
  Outcome O = editC(Old, Middle);
  ASSERT_TRUE(O.Partial) << O.Why;
  Live = std::move(O.Partial);
  TranslationUnit Unit = unitAt("/src/a.c", {});
  TextSnapshot First = snapshotOf({{"/src/a.c", Middle}});
  TextSnapshot Second = snapshotOf({{"/src/a.c", New}});
  O = again(Unit, First, Second);
  EXPECT_GT(TheCompiler.bytesKept(), 0u);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("last"));
  // An edit further up cannot start behind it.
  Live = std::move(O.Partial);
  std::string Above = with(New, "return x + n + 5;", "return x + n + 6;");
  O = again(Unit, Second, snapshotOf({{"/src/a.c", Above}}));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f5"));
}

// A preamble numbers closures as Clang does, the whole unit as GCC did.
TEST_F(Partial, RefusesClosuresThatGCCNumbers) {
  SourceFiles Old = {{"/src/a.cpp", "#include \"a.h\"\n"
                                    "int f(int n) { return three(n) + 1; }\n"},
                     {"/src/a.h", R"(
inline int three(int n) {
  auto a = [] { return 1; };
  auto b = [](int x) { return x + 10; };
  auto c = [](int x) { return x * 100; };
  return a() + b(n) + c(n);
}
)"}};
  SourceFiles New = Old;
  New["/src/a.cpp"] = with(Old["/src/a.cpp"], "+ 1", "+ 2");
  TranslationUnit Unit = unitAt("/src/a.cpp", {"-O2"});
  Unit.ByGCC = true;
  TextSnapshot Before = snapshotOf(Old), After = snapshotOf(New);
  llvm::Expected<CompileResult> Whole = TheCompiler.compile(Unit, Before);
  ASSERT_TRUE(Whole && Whole->Unit);
  Live = std::move(Whole->Unit);
  Outcome O = again(Unit, Before, After);
  EXPECT_TRUE(O.Partial) << O.Why; // It names none.
  O = again(Unit, Before, After, {"_Z5threei"});
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("has no name"));
}

TEST_F(Partial, ASecondNameIsEditedWithItsFunction) {
  const char *Old = "int f(void) { return 1; }\n"
                    "int g(void) __attribute__((alias(\"f\")));\n"
                    "int h(void) { return g(); }\n";
  Outcome O = editC(Old, with(Old, "return 1", "return 2"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(O.Partial->findFunction("f")->Body,
            O.Partial->findFunction("g")->Body);
}

TEST_F(Partial, AFileThatBeginsInAConditional) {
  const char *Old = "#include <stddef.h>\n#ifndef OFF\n#include <limits.h>\n"
                    "int f(void) { return INT_MAX; }\n#endif\n"
                    "size_t g(void) { return 1; }\n";
  Outcome O = editC(Old, with(Old, "return INT_MAX", "return INT_MIN"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_GT(TheCompiler.bytesKept(), 0u);
  O = editC(Old, with(Old, "return 1", "return 2"));
  ASSERT_TRUE(O.Partial) << O.Why;
}

//===-- Head starts -------------------------------------------------------===//

TEST_F(Partial, GoesOnFromWhereTheLastEditWas) {
  std::string Middle = with(Plain, "helper(x) * 2", "helper(x) * 3");
  Outcome O = editC(Plain, Middle);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 1u);
  // Lines are added, and a function further down is edited too.
  Live = std::move(O.Partial);
  std::string New = with(Middle, "{ return helper(x) * 3",
                         "{\n  ++counter;\n\n  return helper(x)");
  New = with(New, "\"old\"", "\"new\"");
  TranslationUnit Unit = unitAt("/src/a.c", {});
  TextSnapshot First = snapshotOf({{"/src/a.c", Middle}});
  TextSnapshot Second = snapshotOf({{"/src/a.c", New}});
  O = again(Unit, First, Second);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("f", "name"));
  EXPECT_EQ(TheCompiler.headStartsUsed(), 2u);
  EXPECT_EQ(O.Partial->findFunction("g")->Place.Line, 8u);
  // What stands above where it waits was edited.
  Live = std::move(O.Partial);
  std::string Above = with(New, "x + counter", "x - counter");
  TheCompiler.begin(Unit, Second, Live);
  O = compileBodies(Unit, Second, snapshotOf({{"/src/a.c", Above}}), {});
  EXPECT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 2u);
}

TEST_F(Partial, AHeadStartIsOfOneText) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "helper(x) * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  TranslationUnit Unit = unitAt("/src/a.c", {});
  TextSnapshot Before = snapshotOf({{"/src/a.c", Plain}});
  TheCompiler.begin(Unit, Before, Live);
  size_t Used = TheCompiler.headStartsUsed();
  // Compiled anew, from the same text: not what it was begun with.
  llvm::Expected<CompileResult> Whole = TheCompiler.compile(Unit, Before);
  ASSERT_TRUE(Whole && Whole->Unit);
  Live = std::move(Whole->Unit);
  O = compileBodies(
      Unit, Before,
      snapshotOf({{"/src/a.c", with(Plain, "helper(x) * 2", "helper(x) * 4")}}),
      {});
  EXPECT_EQ(TheCompiler.headStartsUsed(), Used);
}

/// A head start goes on with the edit, and is left in the middle.
class Broken : public Partial {
protected:
  Broken() : Partial({.Run = run, .Limit = limit}) {}

  static bool run(llvm::function_ref<void()> Work) {
    if (setjmp(Back) != 0)
      return false;
    Work();
    return true;
  }
  static std::shared_ptr<void> limit(const CancelFlag &Cancel) {
    if (!Cancel)
      longjmp(Back, 1);
    return nullptr;
  }

  static inline thread_local jmp_buf Back;
};

TEST_F(Broken, WhatAHeadStartLeavesIsDoneFromTheBeginning) {
  Outcome O = editC(Plain, with(Plain, "helper(x) * 2", "helper(x) * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 0u);
  EXPECT_TRUE(TheCompiler.isIntact());
}

TEST_F(Partial, HeadStartsCountAgainstTheLimitOfMemory) {
  std::string Old = std::string("#include <stddef.h>\n") + Plain;
  std::string New = with(Old, "helper(x) * 2", "helper(x) * 3");
  std::map<std::string, std::shared_ptr<CompiledUnit>> Units;
  auto Begin = [&](const std::string &Path) {
    TheCompiler.begin(unitAt(Path, {}), snapshotOf({{Path, Old}}), Units[Path]);
  };
  auto UsesHeadStart = [&](const std::string &Path) {
    size_t Before = TheCompiler.headStartsUsed();
    Live = Units[Path];
    compileBodies(unitAt(Path, {}), snapshotOf({{Path, Old}}),
                  snapshotOf({{Path, New}}), {});
    return TheCompiler.headStartsUsed() != Before;
  };
  for (const char *Path : {"/src/a.c", "/src/b.c"}) {
    ASSERT_TRUE(edit(Path, {{Path, Old}}, {{Path, New}}).Partial);
    Units[Path] = Live;
  }
  Begin("/src/a.c");
  Begin("/src/b.c");
  EXPECT_TRUE(UsesHeadStart("/src/a.c"));
  Begin("/src/a.c");
  // Too little for both: that of the unit that was edited last stays.
  TheCompiler.setLimit(1);
  EXPECT_FALSE(UsesHeadStart("/src/b.c"));
  EXPECT_TRUE(UsesHeadStart("/src/a.c"));
}

TEST_F(Partial, NothingIsBegunWithoutMemory) {
  TheCompiler.setLimit(0);
  std::string Text = std::string("#include <stddef.h>\n") + Plain;
  Outcome O = editC(Text, with(Text, "helper(x) * 2", "helper(x) * 3"));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 0u);
  EXPECT_EQ(TheCompiler.bytesKept(), 0u);
}
