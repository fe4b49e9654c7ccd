// What is swapped together with an edit, and how optimized callers enter it.

#include "FakeProgram.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// main calls outer calls inner; other calls nothing. Edits inner.
static Scene chain() {
  Scene S;
  for (const char *Name : {"inner", "main", "other", "outer"})
    S.Program.addFunction(*S.Built, Name);
  auto Text = [](std::string Inner) {
    return FactList{function("inner", std::move(Inner)),
                    function("main", "main", {"outer"}),
                    function("other", "other"),
                    function("outer", "outer", {"inner"})};
  };
  S.Old.Functions = Text("inner");
  S.New.Functions = Text("edited");
  return S;
}

TEST(Closure, WithoutOptimizationAFunctionChangesAlone) {
  EXPECT_EQ(chain().text(), "unit a.c\n"
                            "  replace inner plain\n"
                            "live inner (a.c:1)\n"
                            "unchanged 3\n");
}

// C8, V-11: what the optimizer knew of the old body, nobody can see.
TEST(Closure, OptimizedCallersGoAlong) {
  Scene S = chain();
  S.Built->OptLevel = 2;
  EXPECT_EQ(S.text(),
            "unit a.c\n"
            "  replace inner plain\n"
            "  replace main plain\n"
            "  replace outer plain\n"
            "live inner (a.c:1)\n"
            "live main (a.c:1) [along]: swapped with 'inner': the optimizer "
            "may have used its old body\n"
            "live outer (a.c:1) [along]: swapped with 'inner': the optimizer "
            "may have used its old body\n"
            "unchanged 1\n");
}

// The binary's debug info may not say how it was optimized; its command does.
TEST(Closure, TheCommandsLevelCountsToo) {
  Scene S = chain();
  S.New.Settings.OptLevel = 1;
  EXPECT_THAT(S.text(), HasSubstr("replace main"));
}

// The old text called inner, so the optimizer saw its body there.
TEST(Closure, CallersOfTheOldTextCount) {
  Scene S = chain();
  S.Built->OptLevel = 2;
  S.New.Functions[3].Functions = {};
  EXPECT_THAT(S.text(), HasSubstr("replace outer"));
}

TEST(Closure, HoldersOfAnInlinedCopyGoAlongAtAnyLevel) {
  Scene S = chain();
  S.Program.of(*S.Built).InlinedCopies = {{"inner", "other", "", 0}};
  EXPECT_THAT(S.text(), HasSubstr("live other (a.c:1) [along]: swapped with "
                                  "'inner': it holds an inlined copy\n"));
}

// Debug info has one name for all variants of a constructor.
TEST(Closure, InlinedConstructorsAreFoundByTheirSharedName) {
  Scene S;
  S.Program.addFunction(*S.Built, "_ZN1AC2Ev");
  S.Program.addFunction(*S.Built, "f");
  S.Program.of(*S.Built).InlinedCopies = {{"_ZN1AC4Ev", "f", "", 0}};
  S.Old.Functions = {function("_ZN1AC2Ev", "1"), function("f", "1")};
  S.New.Functions = {function("_ZN1AC2Ev", "2"), function("f", "1")};
  EXPECT_THAT(S.text(), HasSubstr("replace f"));
}

TEST(Closure, CallersOfAlwaysInlineGoAlong) {
  Scene S = chain();
  S.Old.Functions[0].AlwaysInline = true;
  EXPECT_THAT(S.text(), HasSubstr("replace outer"));
  EXPECT_THAT(S.text(), Not(HasSubstr("replace main")));
}

/// inner is called by outer, both made by GCC -O2.
static Scene gcc() {
  Scene S = chain();
  S.Built->By = Producer::GCC;
  S.Built->OptLevel = 2;
  return S;
}

TEST(Closure, GccCallersEnterThroughAThunk) {
  std::string Text = gcc().text();
  EXPECT_THAT(Text, HasSubstr("  replace inner plain thunk\n"));
  EXPECT_THAT(Text, HasSubstr("  replace outer plain thunk\n"));
  // Nobody of the file calls it.
  EXPECT_THAT(Text, HasSubstr("  replace main plain\n"));
}

TEST(Closure, PatchableEntriesAndUnoptimizedCodeNeedNoThunk) {
  Scene S = gcc();
  for (ImageFunction &F : S.Program.Functions)
    F.Kind = EntryKind::Patchable;
  EXPECT_THAT(S.text(), HasSubstr("  replace inner patchable\n"));
  Scene Unoptimized = gcc();
  Unoptimized.Built->OptLevel = 0;
  EXPECT_THAT(Unoptimized.text(), HasSubstr("  replace inner plain\n"));
}

/// "twin" has the text of inner; user calls it.
static Scene twins() {
  Scene S = gcc();
  S.Program.addFunction(*S.Built, "user");
  for (CompiledUnit *U : {&S.Old, &S.New}) {
    U->Functions.push_back(function("twin", "twin"));
    U->Functions.push_back(function("user", "user", {"twin"}));
  }
  return S;
}

// GCC folds equal functions: one is a jump to the other, and the callers of
// both call the other.
TEST(Closure, AFoldedFunctionGetsABodyOfItsOwn) {
  Scene S = twins();
  EXPECT_THAT(S.text(), Not(HasSubstr("replace twin")));
  S = twins();
  ProgramAddr Inner = S.Program.of(*S.Built).Functions[0].Entry;
  ImageFunction Twin = S.Program.addFunction(*S.Built, "twin");
  auto Jump = [&](int64_t Distance) {
    return std::vector<uint8_t>{0xF3,
                                0x0F,
                                0x1E,
                                0xFA,
                                0xE9,
                                uint8_t(Distance),
                                uint8_t(Distance >> 8),
                                uint8_t(Distance >> 16),
                                uint8_t(Distance >> 24),
                                0,
                                0};
  };
  S.Program.Code[Twin.Entry] = Jump(Inner - Twin.Entry - 9 + 1);
  EXPECT_THAT(S.text(), Not(HasSubstr("replace twin")));
  S.Program.Code[Twin.Entry] = Jump(Inner - Twin.Entry - 9);
  std::string Text = S.text();
  EXPECT_THAT(Text, HasSubstr("live twin (a.c:1) [along]: swapped with "
                              "'inner': GCC may have made one of both\n"));
  EXPECT_THAT(Text, HasSubstr("replace user"));
  // It was told not to.
  S.Built->ProducerText = "GNU C17 12.2.0 -O2 -fno-ipa-icf";
  EXPECT_THAT(S.text(), Not(HasSubstr("replace twin")));
}

// GCC may copy the body back into the jump, and no trace is left; the callers
// stay redirected.
TEST(Closure, EqualFunctionsMayBeFoldedWithoutATrace) {
  Scene S = twins();
  S.Program.addFunction(*S.Built, "twin");
  for (CompiledUnit *U : {&S.Old, &S.New})
    for (CompiledFunction &F : U->Functions)
      if (F.Symbol == "twin")
        F.Body = hashBytes("inner");
  std::string Text = S.text();
  EXPECT_THAT(Text, HasSubstr("replace twin"));
  EXPECT_THAT(Text, HasSubstr("replace user"));
}

// Of a static one nothing is left: who calls it calls the other.
TEST(Closure, AFoldedStaticLeavesNothing) {
  Scene S = twins();
  for (CompiledUnit *U : {&S.Old, &S.New})
    for (CompiledFunction &F : U->Functions)
      if (F.Symbol == "twin")
        F.Linkage = SymbolLinkage::Internal;
  EXPECT_THAT(S.text(), HasSubstr("replace user"));
  // Inlined is not folded.
  S.Program.of(*S.Built).InlinedCopies = {{"twin", "user", "", 0}};
  EXPECT_THAT(S.text(), Not(HasSubstr("replace user")));
}

TEST(Closure, AVariadicFunctionThatNeedsAThunkIsRefused) {
  Scene S = gcc();
  S.New.Functions[0].Variadic = true;
  EXPECT_THAT(S.refused(), ElementsAre("HJ2001 inner"));
}

// What is refused in a function that was not edited says whose fault it is.
TEST(Closure, ARefusalOfASwappedFunctionNamesTheEdit) {
  Scene S = gcc();
  S.New.Functions[3].Unsupported = "inline assembly";
  std::string Text = S.text();
  EXPECT_THAT(Text, HasSubstr("refused HJ1000 outer (a.c:1) [along]"));
  EXPECT_THAT(Text, HasSubstr("swapped with 'inner'"));
  EXPECT_THAT(Text, HasSubstr("held inner (a.c:1)"));
}
