// What a unit learns from another one's compile of an edited header must be
// what its own compile says.

#include "Compile/Follow.h"
#include "Compile/Agreement.h"
#include "CompileInMemory.h"

using namespace hotjit;
using namespace hotjit::test;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace {

const std::string Header = "/src/prices.h";
const std::string Prices = R"(
#ifndef PRICES_H
#define PRICES_H
static inline int alone(int n) { return -n; }
inline int rounded(int n) { return n / 10 * 10; }
inline int never(int n) { static int Calls = 3; return Calls += n; }
inline int known(int n) { return n + 7; }
inline int Total = 0;
inline int price(int n) { return FACTOR * n; }
inline int counted(int n) { static int Calls; return ++Calls + n; }
static inline int fee(int n) { return n + 1; }
inline int line(int n) { return n + __LINE__; }
struct Shop {
  int n;
  int worth() const { return price(n) + 1; }
};
#endif
)";
const std::string Factor = "#define FACTOR 3\n#include \"prices.h\"\n";
const std::string First =
    Factor +
    "int first(int n) { return price(n) + counted(n) + fee(n); }\n"
    "int minus(int n) { return alone(n); }\n"
    "int worth(Shop s) { return s.worth() + line(1) + known(Total); }\n";
const std::string Second =
    Factor +
    "#include <string>\n"
    "int second(int n) { return price(n) + counted(n) + fee(n); }\n"
    "int total(Shop s) { return s.worth() + line(2) + rounded(s.n); }\n";

class Follow : public ::testing::Test {
protected:
  /// Edits From to To in the header; compiles first.cpp, and asks what that
  /// says of second.cpp. Null: it says nothing.
  std::unique_ptr<CompiledUnit> edit(const std::string &From,
                                     const std::string &To) {
    SourceFiles Files = {
        {"/src/first.cpp", First}, {"/src/second.cpp", Text}, {Header, Prices}};
    TextSnapshot Before = snapshotOf(Files);
    Files[Header].replace(Files[Header].find(From), From.size(), To);
    TextSnapshot After = snapshotOf(Files);
    TranslationUnit Lead = unitAt("/src/first.cpp", {"-std=c++20"});
    TranslationUnit Unit = unitAt("/src/second.cpp", Options);
    auto LeadOld = whole(Lead, Before), Old = whole(Unit, Before);
    auto New = TheCompiler.compileBodies(Lead, After,
                                         {*LeadOld, Before, {}, Header}, Why);
    if (!New || !*New || !(*New)->Unit) {
      ADD_FAILURE() << Why;
      return nullptr;
    }
    Compiled.know(*(*New)->Unit);
    auto Made = follow(Unit, {*Old, Before, {}, Header},
                       {Lead, *LeadOld, *(*New)->Unit, *(*New)->Bodies}, Why);
    if (Made) {
      EXPECT_FALSE(Made->Whole);
      EXPECT_FALSE(Made->Code.Module);
      EXPECT_EQ(Compiled.disagreement(*whole(Unit, After), *Made), "");
    }
    return Made;
  }

  std::unique_ptr<CompiledUnit> whole(const TranslationUnit &Unit,
                                      const TextSnapshot &Texts) {
    llvm::Expected<CompileResult> R = TheCompiler.compile(Unit, Texts);
    EXPECT_TRUE(R && R->Unit) << (R ? R->Rendered : "");
    Compiled.know(*R->Unit);
    return std::move(R->Unit);
  }

  Compiler TheCompiler;
  Agreement Compiled;
  std::string Text = Second;
  Flags Options = {"-std=c++20"};
  std::string Why;
};

} // namespace

TEST_F(Follow, ABody) {
  auto Unit = edit("FACTOR * n", "FACTOR *\n 4 * n");
  ASSERT_TRUE(Unit) << Why;
  EXPECT_EQ(Unit->Taken, (std::vector<std::string>{"_Z4linei", "_Z5pricei"}));
  EXPECT_EQ(Unit->findFunction("_ZNK4Shop5worthEv")->Place.Line, 16u);
  EXPECT_EQ(Unit->textOf(Header)->LineUses.size(), 1u);
}

TEST_F(Follow, WhatABodyUsesForTheFirstTime) {
  auto Unit = edit("FACTOR * n", "rounded(never(n))");
  ASSERT_TRUE(Unit) << Why;
  // An edit of that body is an edit of the unit from now on.
  EXPECT_TRUE(llvm::any_of(Unit->textOf(Header)->Bodies, [](const BodyText &B) {
    return llvm::is_contained(B.Symbols, "_Z5neveri");
  }));
  EXPECT_TRUE(edit("price(n) + 1", "price(n) + (&rounded != nullptr)")) << Why;
}

// The lead has code for it from before, so none is made.
TEST_F(Follow, WhatOnlyTheLeadUsedBefore) {
  EXPECT_TRUE(edit("FACTOR * n", "known(n)")) << Why;
  EXPECT_TRUE(edit("FACTOR * n", "(Total += n)")) << Why;
  EXPECT_FALSE(edit("FACTOR * n", "alone(n)"));
  EXPECT_THAT(Why, HasSubstr("each unit has for itself"));
}

TEST_F(Follow, AStaticOfABody) {
  EXPECT_TRUE(edit("++Calls + n", "Calls += n")) << Why;
  EXPECT_TRUE(
      edit("static int Calls; return ++Calls", "static int Sum; return ++Sum"))
      << Why;
}

TEST_F(Follow, NotWhatIsPrivateToAUnit) {
  EXPECT_FALSE(edit("n + 1", "n + 2"));
  EXPECT_THAT(Why, HasSubstr("_ZL3feei is not what it is in"));
}

TEST_F(Follow, NotABodyThatMeansSomethingElse) {
  Text = "#define FACTOR 5\n" + Second.substr(Second.find("#include"));
  EXPECT_FALSE(edit("FACTOR * n", "FACTOR * n * 2"));
  EXPECT_THAT(Why, HasSubstr("_Z5pricei is not what it is in"));
}

TEST_F(Follow, NotWithOtherFlags) {
  Options.push_back("-DUNUSED");
  EXPECT_FALSE(edit("FACTOR * n", "FACTOR * n * 2"));
  EXPECT_THAT(Why, HasSubstr("in another way"));
}

TEST_F(Follow, AUnitThatCallsNothingOfIt) {
  Text = Factor + "int second(int n) { return n; }\n";
  auto Unit = edit("FACTOR * n", "FACTOR * n * 2");
  ASSERT_TRUE(Unit) << Why;
  EXPECT_THAT(Unit->Taken, IsEmpty());
}

TEST_F(Follow, AUnitThatWouldNotCompile) {
  // Seen later, by its own compile: here only that nothing breaks.
  Text = "#define FACTOR 3\nvoid rounded(int, int);\n" +
         Second.substr(Second.find("#include"));
  EXPECT_TRUE(edit("FACTOR * n", "FACTOR * n * 2")) << Why;
}
