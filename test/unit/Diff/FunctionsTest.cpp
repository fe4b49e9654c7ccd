// Which functions changed, where the program calls them, and what is refused.

#include "FakeProgram.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Action = PlannedFunction::Action;

// B1: a changed body goes live at the function's own entry.
TEST(Functions, AChangedBodyReplacesTheEntry) {
  Scene S;
  ImageFunction F = S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1"), function("g", "1")};
  S.New.Functions = {function("f", "2"), function("g", "1")};
  Plan P = S.plan();
  PlannedFunction Planned = plannedFunction(P, "f");
  EXPECT_EQ(Planned.What, Action::Replace);
  EXPECT_EQ(Planned.Entry, F.Entry);
  EXPECT_EQ(Planned.Size, F.Size);
  EXPECT_EQ(planText(P), "unit a.c\n"
                         "  replace f plain\n"
                         "live f (a.c:1)\n"
                         "unchanged 1\n");
}

// H3: a comment changes nothing, and nobody reads debug info for it.
TEST(Functions, NothingChangedIsAnEmptyPlan) {
  Scene S;
  S.Old.Functions = S.New.Functions = {function("f", "1")};
  Plan P = S.plan();
  EXPECT_TRUE(P.empty());
  EXPECT_THAT(P.Verdicts, IsEmpty());
  EXPECT_EQ(P.Unchanged, 1u);
  EXPECT_EQ(S.Program.DetailsRead, 0u);
}

// B14: new code calls the unchanged g where the program does, and stores the
// same address for it.
TEST(Functions, AnUnchangedFunctionIsBoundToItsEntry) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  ProgramAddr Entry = S.Program.addFunction(*S.Built, "g").Entry;
  S.Old.Functions = {function("f", "1", {"g"}), function("g", "1")};
  S.New.Functions = {function("f", "2", {"g", "puts"}), function("g", "1")};
  Plan P = S.plan();
  ASSERT_EQ(P.Units.size(), 1u);
  // puts is Link's to look up.
  EXPECT_EQ(P.Units[0].BoundFunctions,
            (std::map<std::string, ProgramAddr>{{"g", Entry}}));
}

// A3: the file-local helper of another unit has the same name.
TEST(Functions, AFileLocalFunctionIsItsOwnUnits) {
  Scene S;
  ImageUnit &Other = S.Program.addUnit("/src/other/a.c");
  S.Program.addFunction(Other, "helper", /*Local=*/true);
  ProgramAddr Own =
      S.Program.addFunction(*S.Built, "helper", /*Local=*/true).Entry;
  S.Old.Functions = {function("helper", "1")};
  S.New.Functions = {function("helper", "2")};
  S.Old.Functions[0].Linkage = S.New.Functions[0].Linkage =
      SymbolLinkage::Internal;
  EXPECT_EQ(plannedFunction(S.plan(), "helper").Entry, Own);
}

TEST(Functions, TwoFunctionsOfOneUnitUnderOneNameAreRefused) {
  Scene S;
  S.Program.addFunction(*S.Built, "helper", /*Local=*/true);
  S.Program.addFunction(*S.Built, "helper", /*Local=*/true);
  S.Old.Functions = {function("helper", "1")};
  S.New.Functions = {function("helper", "2")};
  S.Old.Functions[0].Linkage = S.New.Functions[0].Linkage =
      SymbolLinkage::Internal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 helper"));
}

/// A scene with a static function that only the symbol table knows.
static Scene withoutDebugInfo(ImageFunction &Known) {
  Scene S;
  Known.Symbol = Known.Name = "helper";
  Known.Entry = ProgramAddr(0x5000);
  Known.Size = 16;
  Known.Local = true;
  Known.File = "a.c";
  S.Program.Tables[S.Built->Module].Functions["helper"] = {&Known};
  S.Old.Functions = {function("helper", "1")};
  S.New.Functions = {function("helper", "2")};
  S.Old.Functions[0].Linkage = S.New.Functions[0].Linkage =
      SymbolLinkage::Internal;
  return S;
}

// C8: GCC folds a function into an equal one and, as its address is taken,
// leaves an entry without debug info. Pointers lead there.
TEST(Functions, AStaticFunctionWithoutDebugInfoIsFoundByItsFile) {
  ImageFunction Known;
  Scene S = withoutDebugInfo(Known);
  EXPECT_EQ(plannedFunction(S.plan(), "helper").Entry, Known.Entry);
}

TEST(Functions, AStaticFunctionWithoutDebugInfoIsNotGuessed) {
  ImageFunction Known;
  Scene S = withoutDebugInfo(Known);
  S.Built = &S.Program.addUnit("/src/other/a.c");
  S.New.Path = S.Old.Path = "/src/other/a.c";
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 helper"));
}

// Linkers make hidden functions local; debug info then tells which is which.
TEST(Functions, AHiddenFunctionIsFoundThroughDebugInfo) {
  Scene S;
  ImageUnit &Other = S.Program.addUnit("/src/b.c");
  S.Program.addFunction(Other, "f", /*Local=*/true);
  ProgramAddr Own = S.Program.addFunction(*S.Built, "f", /*Local=*/true).Entry;
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  EXPECT_EQ(plannedFunction(S.plan(), "f").Entry, Own);
}

// A function that was inlined everywhere lives in its callers.
TEST(Functions, AFunctionWithoutEntryGoesLiveInItsCallers) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1", {"tiny"}), function("tiny", "1")};
  S.New.Functions = {function("f", "1", {"tiny"}), function("tiny", "2")};
  S.Old.Functions[1].Linkage = S.New.Functions[1].Linkage =
      SymbolLinkage::Internal;
  EXPECT_EQ(S.text(),
            "unit a.c\n"
            "  replace f plain\n"
            "  private tiny\n"
            "live f (a.c:1) [along]: swapped with 'tiny': that has no entry "
            "of its own to redirect\n"
            "live tiny (a.c:1): the program has no copy that can be called; it "
            "lives in the code that calls it\n"
            "unchanged 0\n");
}

// GCC's clones and Clang's functions with a calling convention of their own
// are never entered from new code.
TEST(Functions, ClonesAndPrivateConventionsCountAsNoEntry) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Program.addFunction(*S.Built, "g.isra.0", /*Local=*/true).Name = "g";
  S.Program.addFunction(*S.Built, "h", /*Local=*/true).NonStandardCall = true;
  S.Old.Functions = {function("f", "1", {"g", "h"}), function("g", "1"),
                     function("h", "1")};
  S.New.Functions = {function("f", "2", {"g", "h"}), function("g", "1"),
                     function("h", "1")};
  for (auto *U : {&S.Old, &S.New})
    U->Functions[1].Linkage = U->Functions[2].Linkage = SymbolLinkage::Internal;
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "g").What, Action::PrivateCopy);
  EXPECT_EQ(plannedFunction(P, "h").What, Action::PrivateCopy);
  EXPECT_THAT(P.Units[0].BoundFunctions, IsEmpty());
}

TEST(Functions, WithoutASymbolTableNothingIsGuessed) {
  Scene S;
  S.Program.addFunction(*S.Built, "").Name = "f";
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 f"));
}

TEST(Functions, TagsOfLocalNamesAreNotCompared) {
  Scene S;
  ProgramAddr Entry =
      S.Program.addFunction(*S.Built, "_ZL2sfi", /*Local=*/true).Entry;
  S.Old.Functions = {function("_ZL2sfB5cxx11i", "1")};
  S.New.Functions = {function("_ZL2sfB5cxx11i", "2")};
  S.Old.Functions[0].Linkage = S.New.Functions[0].Linkage =
      SymbolLinkage::Internal;
  EXPECT_EQ(plannedFunction(S.plan(), "_ZL2sfB5cxx11i").Entry, Entry);
}

// Explicitly instantiated templates: the library has the code.
TEST(Functions, ExternInlineCodeIsLookedUpAndNotMade) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Built->OptLevel = 2;
  CompiledFunction G = function("g", "1", {"h"}), H = function("h", "1");
  G.Linkage = H.Linkage = SymbolLinkage::Inline;
  G.Unsupported = H.Unsupported = "extern inline";
  S.Old.Functions = {function("f", "1", {"g"}), G, H};
  S.New.Functions = {function("f", "2", {"g"}), G, H};
  EXPECT_EQ(S.text(), "unit a.c\n"
                      "  replace f plain\n"
                      "live f (a.c:1)\n"
                      "unchanged 2\n");
  S.New.Functions[2].Body = hashBytes("2");
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 h"));
}

// C++ has one body for all of them, and it is edited where it is made.
TEST(Functions, AnEditedExternTemplateIsSwappedWhereItIsMade) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Built->OptLevel = 2;
  CompiledFunction H = function("_ZN3BoxIiE3getEv", "1");
  H.Linkage = SymbolLinkage::Inline;
  H.Unsupported = "extern inline";
  S.Old.Functions = {function("f", "1", {H.Symbol}), H};
  H.Body = hashBytes("2");
  S.New.Functions = {function("f", "1", {H.Symbol}), H};
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "f").What, Action::Replace);
}

// C8: GCC's name for a call past the dynamic linker is the function's own.
TEST(Functions, ALocalAliasIsNoOtherFunction) {
  Scene S;
  S.Program.addFunction(*S.Built, "f").Aliases = {"f.localalias"};
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "f").What, Action::Replace);
}

// C4: the linker dropped a function that new code needs.
TEST(Functions, ADroppedExternalFunctionIsAddedWhenNeeded) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1"), function("unused", "1")};
  S.New.Functions = {function("f", "2", {"unused"}), function("unused", "1")};
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "unused").What, Action::Add);
  EXPECT_THAT(planText(P), HasSubstr("added unused (a.c:1) [along]"));
}

TEST(Functions, ANewFunctionIsAdded) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2", {"g"}), function("g", "1")};
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "g").What, Action::Add);
  EXPECT_THAT(planText(P), HasSubstr("added g (a.c:1)\n"));
}

TEST(Functions, WhatAnEarlierGenerationAddedHasItsIdentity) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Earlier.Functions[{"/src/a.c", "g"}] = {ProgramAddr(0x777),
                                            SymbolLinkage::Internal};
  S.Earlier.Functions[{"", "elsewhere"}] = {ProgramAddr(0x888),
                                            SymbolLinkage::External};
  S.Old.Functions = {function("f", "1", {"g"}), function("g", "1")};
  S.New.Functions = {function("f", "2", {"g", "elsewhere"}),
                     function("g", "2")};
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "g").Entry, ProgramAddr(0x777));
  EXPECT_EQ(plannedFunction(P, "g").Size, 0u);
  EXPECT_EQ(P.Units[0].BoundFunctions.at("elsewhere"), ProgramAddr(0x888));
}

// E4.
TEST(Functions, ANewFunctionThatTheProgramHasIsADuplicate) {
  Scene S;
  size_t Library = S.Program.addModule("/lib/libother.so");
  S.Program.addFunction(S.Program.addUnit("/src/b.c", Library), "g");
  S.New.Functions = {function("g", "1")};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1702 g"));
  EXPECT_THAT(S.text(), HasSubstr("in libother.so"));
}

TEST(Functions, ARemovedStaticIsFine) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1", {"g"}), function("g", "1")};
  S.Old.Functions[1].Linkage = SymbolLinkage::Internal;
  S.New.Functions = {function("f", "2")};
  EXPECT_THAT(S.text(), HasSubstr("removed g (a.c:1)\n"));
}

TEST(Functions, ARemovedExternalIsRefused) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1"), function("g", "1")};
  S.New.Functions = {function("f", "2")};
  EXPECT_EQ(S.text(),
            "refused HJ1203 g (a.c:1): a.c:1: 'g' was removed, and other code "
            "of the program may call it; keep it or restart to apply\n"
            "held f (a.c:1): held back: another part of the change is "
            "refused\n");
}

// E15: an edit that added a function is taken back in the editor.
TEST(Functions, WhatAGenerationAddedMayBeRemovedAgain) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Earlier.Functions[{"/src/a.c", "g"}] = {ProgramAddr(0x777),
                                            SymbolLinkage::External};
  S.Old.Functions = {function("f", "2", {"g"}), function("g", "1")};
  S.New.Functions = {function("f", "1")};
  EXPECT_THAT(S.text(), HasSubstr("removed g (a.c:1)\n"));
}

// B27: old callers would call with the old convention.
TEST(Functions, ASignatureUnderTheSameSymbolIsRefused) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  S.New.Functions[0].Signature = "void (int)";
  EXPECT_THAT(S.refused(), ElementsAre("HJ1205 f"));
  EXPECT_THAT(S.text(), HasSubstr("'void ()' -> 'void (int)'"));
}

// B27: the caller's own text may show nothing of it, if only the name of a type
// differs.
TEST(Functions, AStaticWithAnotherSignatureIsAnotherFunction) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Program.addFunction(*S.Built, "g", /*Local=*/true);
  S.Old.Functions = {function("f", "1", {"g"}), function("g", "1")};
  S.New.Functions = {function("f", "1", {"g"}), function("g", "1")};
  S.Old.Functions[1].Linkage = S.New.Functions[1].Linkage =
      SymbolLinkage::Internal;
  S.New.Functions[1].Signature = "void (int)";
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "g").What, Action::Add);
  EXPECT_EQ(plannedFunction(P, "f").What, Action::Replace);
}

TEST(Functions, ASignatureIsRefusedIfAPointerMayLeadThere) {
  Scene S;
  S.Program.addFunction(*S.Built, "g", /*Local=*/true);
  S.Old.Functions = S.New.Functions = {function("g", "1")};
  S.Old.Functions[0].Linkage = S.New.Functions[0].Linkage =
      SymbolLinkage::Internal;
  S.Old.Functions[0].AddressTaken = true;
  S.New.Functions[0].Signature = "void (int)";
  EXPECT_THAT(S.refused(), ElementsAre("HJ1205 g"));
}

TEST(Functions, NoreturnThatReturnsIsRefused) {
  Scene S;
  S.Program.addFunction(*S.Built, "die");
  S.Old.Functions = {function("die", "1")};
  S.Old.Functions[0].NoReturn = true;
  S.New.Functions = {function("die", "2")};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1209 die"));
}

TEST(Functions, StaticThatBecomesExternalIsRefused) {
  Scene S;
  S.Program.addFunction(*S.Built, "f", /*Local=*/true);
  S.Old.Functions = S.New.Functions = {function("f", "1")};
  S.Old.Functions[0].Linkage = SymbolLinkage::Internal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 f"));
}

TEST(Functions, FoldedCodeIsRefusedAndConstructorVariantsAreNot) {
  Scene S;
  S.Program.addFunction(*S.Built, "f").Aliases = {"g"};
  S.Program.addFunction(*S.Built, "_ZN1AC2Ev").Aliases = {"_ZN1AC1Ev"};
  S.Old.Functions = {function("f", "1"), function("_ZN1AC2Ev", "1")};
  S.New.Functions = {function("f", "2"), function("_ZN1AC2Ev", "2")};
  EXPECT_THAT(S.refused(), ElementsAre("HJ2007 f"));
}

// B7: unoptimized, Clang's complete constructor calls the base one; led to the
// one entry that both have in the program, it would call itself for ever.
TEST(Functions, ConstructorVariantsAtOneEntryAreMadeOnce) {
  Scene S;
  ImageFunction Base = S.Program.addFunction(*S.Built, "_ZN1AC2Ev");
  Base.Symbol = "_ZN1AC1Ev";
  S.Program.of(*S.Built).Functions.push_back(Base);
  S.Program.Functions.push_back(Base);
  S.Program.Tables[0].Functions["_ZN1AC1Ev"] = {&S.Program.Functions.back()};
  S.Old.Functions = {function("_ZN1AC1Ev", "1", {"_ZN1AC2Ev"}),
                     function("_ZN1AC2Ev", "1")};
  S.New.Functions = {function("_ZN1AC1Ev", "2", {"_ZN1AC2Ev"}),
                     function("_ZN1AC2Ev", "2")};
  EXPECT_THAT(S.text(), HasSubstr("  replace _ZN1AC2Ev plain\n"
                                  "  call _ZN1AC1Ev\n"));
}

// B38: the text says that both are one.
TEST(Functions, AnAliasIsMadeWithItsTarget) {
  Scene S;
  S.Program.addFunction(*S.Built, "f").Aliases = {"g"};
  ImageFunction G = S.Program.of(*S.Built).Functions[0];
  G.Symbol = "g";
  G.Aliases = {"f"};
  S.Program.of(*S.Built).Functions.push_back(G);
  S.Program.Functions.push_back(G);
  S.Program.Tables[0].Functions["g"] = {&S.Program.Functions.back()};
  S.Old.Functions = {function("f", "1"), function("g", "1")};
  S.New.Functions = {function("f", "2"), function("g", "2")};
  S.Old.Functions[0].AliasOf = S.New.Functions[0].AliasOf = "g";
  EXPECT_THAT(S.text(), HasSubstr("  replace g plain\n"
                                  "  call f\n"));
}

// B36, B38: what cannot be made anew says so.
TEST(Functions, UnsupportedCodeIsRefusedByName) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2")};
  S.New.Functions[0].Unsupported = "naked";
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 f"));
  EXPECT_THAT(S.text(), HasSubstr("naked"));
}

TEST(Functions, EditedFileAssemblyIsRefused) {
  Scene S;
  S.New.FileAssembly = ".globl x";
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 a.c"));
}

// B37.
TEST(Functions, AConstructorFunctionIsNotRunAgain) {
  Scene S;
  S.Program.addFunction(*S.Built, "setup");
  S.Old.Functions = {function("setup", "1")};
  S.New.Functions = {function("setup", "2")};
  S.New.Functions[0].Constructor = S.Old.Functions[0].Constructor = true;
  EXPECT_THAT(S.text(), HasSubstr("note HJ1514 setup (a.c:1): is not run "
                                  "again\n"));
}

TEST(Functions, ANewConstructorFunctionIsRefused) {
  Scene S;
  S.New.Functions = {function("setup", "1")};
  S.New.Functions[0].Constructor = true;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 setup"));
}

// V-9: GCC and Clang number lambdas differently.
TEST(Functions, AChangedLambdaThatTheProgramDoesNotNameIsRefused) {
  Scene S;
  std::string Lambda = "_ZZ2mkvENK3$_0clEi";
  S.Program.addFunction(*S.Built, "_Z2mkv");
  S.Program.addFunction(*S.Built, "_ZZ2mkvENKUliE_clEi", /*Local=*/true);
  S.Old.Functions = {function("_Z2mkv", "1", {Lambda}), function(Lambda, "1")};
  S.New.Functions = {function("_Z2mkv", "1", {Lambda}), function(Lambda, "2")};
  S.Old.Functions[1].Linkage = S.New.Functions[1].Linkage =
      SymbolLinkage::Internal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1603 lambda"));
}

// An edited initializer of a variable is no edited function.
TEST(Functions, CodeThatSetsVariablesUpIsNotTold) {
  Scene S;
  S.Program.addVariable(*S.Built, "v");
  S.Old.Variables = {variable("v", "1")};
  S.New.Variables = {variable("v", "2")};
  S.New.Variables[0].InitializerFunction =
      S.Old.Variables[0].InitializerFunction = "__cxx_global_var_init";
  S.Old.Functions = {function("__cxx_global_var_init", "1"),
                     function("_GLOBAL__sub_I_a.cpp", "1")};
  S.New.Functions = {function("__cxx_global_var_init", "2"),
                     function("_GLOBAL__sub_I_a.cpp", "2")};
  Plan P = S.plan();
  EXPECT_TRUE(P.empty());
  EXPECT_EQ(P.Unchanged, 0u);
  ASSERT_EQ(P.Verdicts.size(), 1u);
  EXPECT_EQ(P.Verdicts[0].Code, Reason::InitializerKept);
}

// Template code that only new code uses is made, and is not the user's edit.
TEST(Functions, NewInstantiationsAreMadeOnlyIfNeeded) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2", {"_Z1tIiEvv"}),
                     function("_Z1tIiEvv", "1"), function("_Z1tIlEvv", "1")};
  S.New.Functions[1].Linkage = S.New.Functions[2].Linkage =
      SymbolLinkage::Inline;
  S.New.Functions[1].Name = "t<int>";
  Plan P = S.plan();
  EXPECT_EQ(P.Units[0].Functions.size(), 2u);
  EXPECT_EQ(plannedFunction(P, "_Z1tIiEvv").What, Action::Add);
  EXPECT_THAT(planText(P), HasSubstr("added void t<int>() (a.c:1) [along]\n"));
}
