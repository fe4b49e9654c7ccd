// Bodies of the project's headers, compiled alone.

#include "PartialFixture.h"

using namespace hotjit;
using namespace hotjit::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using HeaderBodies = Partial;

static const char *Prices =
    "#ifndef PRICES_H\n#define PRICES_H\n#include <string.h>\n"
    "inline int unused(int n) { return n; }\n"
    "inline int price(int n) { return 3 * n; }\n"
    "static inline int fee(int n) { static int Calls; return ++Calls + n; }\n"
    "struct Shop { int n; int worth() const { return price(n) + 1; } };\n"
    "#endif\n";
static const char *Market =
    "#ifdef OFF\n#include <nothing.h>\n#endif\n#include \"prices.h\"\n"
    "#include <vector>\n"
    "int market(int n) {\n"
    "  std::vector<int> All(n, price(n));\n"
    "  return Shop{n}.worth() + fee(n) + All.size();\n}\n";

TEST_F(HeaderBodies, EditsBodiesOfAHeader) {
  Header = "/src/prices.h";
  SourceFiles Old = {{"/src/a.cpp", Market}, {Header, Prices}};
  for (auto [From, To, Symbol] :
       {std::tuple{"3 * n", "4 * n", "_Z5pricei"},
        {"3 * n", "\n#define\n", ""},
        {"price(n) + 1", "price(n) +\n\n2", "_ZNK4Shop5worthEv"},
        {"price(n) + 1", "price(unused(n)) + strlen(\"x\")", ""},
        {"++Calls + n", "++Calls - n", "_ZL3feei"}}) {
    SourceFiles New = Old;
    New[Header] = with(Old[Header], From, To);
    Outcome O = edit("/src/a.cpp", Old, New);
    if (llvm::StringRef(To).contains("define")) {
      EXPECT_THAT(O.Why, HasSubstr("directive"));
      continue;
    }
    ASSERT_TRUE(O.Partial) << To << ": " << O.Why << O.Rendered;
    if (*Symbol)
      EXPECT_THAT(O.Code, ElementsAre(Symbol));
    else
      EXPECT_THAT(O.Code, ElementsAre("_Z6unusedi", "_ZNK4Shop5worthEv"));
    // The file itself is edited next, and then the header again.
    Live = std::move(O.Partial);
    SourceFiles Next = New;
    Next["/src/a.cpp"] =
        with(Market, "+ All.size()", "+ All.size() + unused(1)");
    TranslationUnit Unit = unitAt("/src/a.cpp", {});
    std::string Was = std::exchange(Header, "");
    O = again(Unit, snapshotOf(New), snapshotOf(Next));
    Header = Was;
    ASSERT_TRUE(O.Partial) << O.Why << O.Rendered;
    Live = std::move(O.Partial);
    SourceFiles Last = Next;
    Last[Header] = with(Next[Header], "return n; }", "return n + 1; }");
    O = again(Unit, snapshotOf(Next), snapshotOf(Last));
    ASSERT_TRUE(O.Partial) << O.Why << O.Rendered;
    EXPECT_THAT(O.Code, ElementsAre("_Z6unusedi"));
  }
}

TEST_F(HeaderBodies, ErrorsInABodyOfAHeaderAreTold) {
  Header = "/src/prices.h";
  SourceFiles Old = {{"/src/a.cpp", Market}, {Header, Prices}};
  SourceFiles New = Old;
  New[Header] = with(Prices, "3 * n", "nothing * n");
  Outcome O = edit("/src/a.cpp", Old, New);
  EXPECT_EQ(O.Why, "");
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Rendered, HasSubstr("prices.h:5"));
}

TEST_F(HeaderBodies, AHeaderThatIsReadTwiceIsCompiledWhole) {
  Header = "/src/list.h";
  SourceFiles Old = {
      {"/src/a.cpp", "#define X f\n#include \"list.h\"\n#undef X\n"
                     "#define X g\n#include \"list.h\"\n"},
      {Header, "inline int X(int n) { return n; }\nint (*X##_p)(int) = X;\n"}};
  Old[Header] = "int X(int n) { return n; }\n";
  SourceFiles New = Old;
  New[Header] = "int X(int n) { return n + 1; }\n";
  Outcome O = edit("/src/a.cpp", Old, New);
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("not known well enough"));
}

TEST_F(HeaderBodies, AHeaderOfAnOptimizedUnitIsCompiledWhole) {
  Header = "/src/prices.h";
  SourceFiles Old = {{"/src/a.cpp", Market}, {Header, Prices}};
  SourceFiles New = Old;
  New[Header] = with(Prices, "3 * n", "4 * n");
  Outcome O = edit("/src/a.cpp", Old, New, {"-O2"});
  EXPECT_FALSE(O.Partial);
  EXPECT_THAT(O.Why, HasSubstr("optimized"));
}

TEST_F(HeaderBodies, AHeadStartInAHeader) {
  Header = "/src/prices.h";
  SourceFiles Old = {{"/src/a.cpp", Market}, {Header, Prices}};
  SourceFiles Middle = Old;
  Middle[Header] = with(Prices, "3 * n", "4 * n");
  Outcome O = edit("/src/a.cpp", Old, Middle);
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 1u);
  Live = std::move(O.Partial);
  SourceFiles New = Middle;
  New[Header] = with(Middle[Header], "{ return 4 * n; }",
                     "{\n  int m = strlen(\"x\");\n  return m * 4 * n;\n}");
  New[Header] = with(New[Header], "price(n) + 1", "price(n) + 2");
  TranslationUnit Unit = unitAt("/src/a.cpp", {});
  O = again(Unit, snapshotOf(Middle), snapshotOf(New));
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_THAT(O.Code, ElementsAre("_Z5pricei", "_ZNK4Shop5worthEv"));
  EXPECT_EQ(TheCompiler.headStartsUsed(), 2u);
  // Another file of the unit was edited: it would not know.
  Live = std::move(O.Partial);
  SourceFiles Other = New;
  Other["/src/a.cpp"] = with(Market, "+ All.size()", "- All.size()");
  TheCompiler.begin(Unit, snapshotOf(New), Live);
  Header = "";
  O = compileBodies(Unit, snapshotOf(New), snapshotOf(Other), {});
  ASSERT_TRUE(O.Partial) << O.Why;
  EXPECT_EQ(TheCompiler.headStartsUsed(), 2u);
}
