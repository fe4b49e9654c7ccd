// Changes of several units, and programs that cannot be changed at all.

#include "FakeProgram.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

/// A header's inline function h, used by a.c and b.c, was edited.
struct HeaderEdit {
  FakeProgram Program;
  Adopted Earlier;
  CompiledUnit OldA, NewA, OldB, NewB;
  std::vector<UnitChange> Changes;

  static CompiledFunction h(std::string Body) {
    CompiledFunction F = function("h", Body);
    F.Linkage = SymbolLinkage::Inline;
    F.Place = {"/src/h.h", 3};
    return F;
  }

  HeaderEdit() {
    ImageUnit &A = Program.addUnit("/src/a.c");
    ImageUnit &B = Program.addUnit("/src/b.c");
    Program.addFunction(A, "h");
    Program.addFunction(A, "f");
    Program.addFunction(B, "g");
    OldA.Path = NewA.Path = "/src/a.c";
    OldB.Path = NewB.Path = "/src/b.c";
    OldA.Functions = {function("f", "1", {"h"}), h("1")};
    NewA.Functions = {function("f", "1", {"h"}), h("2")};
    OldB.Functions = {function("g", "1", {"h"}), h("1")};
    NewB.Functions = {function("g", "1", {"h"}), h("2")};
    for (CompiledUnit *U : {&OldB, &NewB})
      U->Functions[0].Place.File = "/src/b.c";
    Changes = {{&OldA, &NewA, &A}, {&OldB, &NewB, &B}};
  }

  std::string text() {
    llvm::Expected<PlanOrRefusal> Decision = diff(Changes, Program, Earlier);
    return Decision ? planText(*Decision)
                    : "error: " + llvm::toString(Decision.takeError());
  }
};

} // namespace

// B24: one copy wins, one verdict.
TEST(Change, AnInlineFunctionOfTwoUnitsIsMadeOnce) {
  EXPECT_EQ(HeaderEdit().text(), "unit a.c\n"
                                 "  replace h plain\n"
                                 "live h (h.h:3)\n"
                                 "unchanged 2\n");
}

// The copies that are inlined in its callers are each unit's own.
TEST(Change, EveryUnitSwapsItsOwnHolders) {
  HeaderEdit E;
  E.Program.of(E.Program.Units[1]).InlinedCopies = {{"h", "g", "", 0}};
  EXPECT_EQ(E.text(), "unit a.c\n"
                      "  replace h plain\n"
                      "unit b.c\n"
                      "  replace g plain\n"
                      "  call h\n"
                      "live h (h.h:3)\n"
                      "live g (b.c:1) [along]: swapped with 'h': it holds an "
                      "inlined copy\n"
                      "unchanged 1\n");
}

// C8: a unit that reads the header and is not compiled keeps its copies.
TEST(Change, InlinedCopiesInOtherUnitsMakeItPartial) {
  HeaderEdit E;
  ImageUnit &C = E.Program.addUnit("/src/c.c");
  E.Program.of(C).InlinedCopies = {{"h", "k", "", 0}};
  EXPECT_THAT(E.text(), Not(HasSubstr("partial")));
  C.Sources = {{"/src/h.h", std::nullopt}};
  EXPECT_THAT(E.text(),
              HasSubstr("partial HJ1107 h (h.h:3): inlined copies stay old in "
                        "c.c, which is not part of this change\n"));
}

TEST(Change, TwoUnitsThatAddOneNameAreRefused) {
  HeaderEdit E;
  E.NewA.Functions.push_back(function("n", "1"));
  E.NewB.Functions.push_back(function("n", "1"));
  EXPECT_THAT(E.text(), HasSubstr("refused HJ1702 n"));
}

TEST(Change, OneUnitMayCallWhatAnotherAdds) {
  HeaderEdit E;
  E.NewA.Functions.push_back(function("n", "1"));
  E.NewB.Functions[0] = function("g", "2", {"h", "n"});
  EXPECT_THAT(E.text(), HasSubstr("add n"));
  EXPECT_THAT(E.text(), Not(HasSubstr("call n"))); // Link knows where it is
}

// All reasons at once; a unit that cannot be changed holds the others back.
TEST(Change, EveryReasonIsToldAtOnce) {
  HeaderEdit E;
  E.Changes[1].Built = nullptr;
  E.OldA.Functions.push_back(function("removed", "1"));
  EXPECT_EQ(E.text(),
            "refused HJ2003 b.c (b.c:0): b.c: the program has no debug info "
            "for this file; build it with -g\n"
            "refused HJ1203 removed (a.c:1): a.c:1: 'removed' was removed, and "
            "other code of the program may call it; keep it or restart to "
            "apply\n"
            "held h (h.h:3): held back: another part of the change is "
            "refused\n");
}

// C9.
TEST(Change, LinkTimeOptimizationIsRefused) {
  Scene S;
  S.Built->LTO = true;
  EXPECT_THAT(S.refused(), ElementsAre("HJ2002 a.c"));
  S.Built->LTO = false;
  S.New.Settings.LTO = true;
  EXPECT_THAT(S.refused(), ElementsAre("HJ2002 a.c"));
}

TEST(Change, AnUnknownOldTextIsRefused) {
  Scene S;
  UnitChange Change{nullptr, &S.New, S.Built};
  ASSERT_GET(PlanOrRefusal Decision, diff(Change, S.Program, S.Earlier));
  EXPECT_THAT(planText(Decision), HasSubstr("refused HJ2004 a.c"));
}

// Invariant 4: same inputs, same plan.
TEST(Change, TheSameInputsGiveTheSamePlan) {
  HeaderEdit E;
  std::string First = E.text();
  EXPECT_EQ(E.text(), First);
}

// Every code that Diff gives is what users see.
TEST(Change, CodesAndWords) {
  EXPECT_EQ(codeOf(Reason::LayoutChanged), "HJ1402");
  EXPECT_EQ(codeOf(Reason::NotSupportedYet), "HJ1000");
  EXPECT_STREQ(spell(VerdictKind::Live), "live");
  EXPECT_STREQ(spell(VerdictKind::Held), "held");
}

TEST(Change, UnqualifiedNames) {
  EXPECT_EQ(sharedName("_ZN1AC1Ev"), sharedName("_ZN1AC4Ev"));
  EXPECT_FALSE(areVariants("_ZN1AC1Ev", "_ZN1AD1Ev"));
  EXPECT_FALSE(areVariants("_ZN1AC1Ev", "_ZN1BC1Ev"));
  EXPECT_FALSE(areVariants("f", "f"));
}
