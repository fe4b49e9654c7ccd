// Where new code finds the program's state.

#include "FakeProgram.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Action = PlannedVariable::Action;

/// f was edited and names v.
static Scene names(CompiledVariable V) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1", {}, {V.Symbol})};
  S.New.Functions = {function("f", "2", {}, {V.Symbol})};
  S.Old.Variables = S.New.Variables = {V};
  return S;
}

static CompiledVariable constant(std::string Symbol) {
  CompiledVariable V = variable(std::move(Symbol));
  V.Const = true;
  V.Linkage = SymbolLinkage::Internal;
  return V;
}

// A1, A23: also a common symbol, which has an address like any other.
TEST(Variables, TheProgramsOwnIsBound) {
  Scene S = names(variable("v"));
  ProgramAddr Address = S.Program.addVariable(*S.Built, "v").Address;
  PlannedVariable P = plannedVariable(S.plan(), "v");
  EXPECT_EQ(P.What, Action::Bind);
  EXPECT_EQ(P.Address, Address);
}

// A3: debug info of this unit, not the name, says which `static int n` it is.
TEST(Variables, AFileLocalVariableIsItsOwnUnits) {
  CompiledVariable N = variable("n");
  N.Linkage = SymbolLinkage::Internal;
  Scene S = names(N);
  S.Program.addVariable(S.Program.addUnit("/src/other/a.c"), "n");
  ProgramAddr Own = S.Program.addVariable(*S.Built, "n").Address;
  EXPECT_EQ(plannedVariable(S.plan(), "n").Address, Own);
}

// A4: GCC calls `static int calls` in f `calls.0`, Clang `f.calls`.
TEST(Variables, AFunctionStaticIsFoundByFunctionAndName) {
  CompiledVariable V = variable("f.calls");
  V.Name = "calls";
  V.Function = "f";
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  ImageVariable &Other = S.Program.addVariable(*S.Built, "calls.1");
  Other.Name = "calls";
  Other.Function = "g";
  ImageVariable &Own = S.Program.addVariable(*S.Built, "calls.0");
  Own.Name = "calls";
  Own.Function = "f";
  ProgramAddr Address = Own.Address;
  EXPECT_EQ(plannedVariable(S.plan(), "f.calls").Address, Address);
}

// GCC leaves the tag of std::string out of names that are local to a file.
TEST(Variables, TagsOfLocalNamesAreNotCompared) {
  CompiledVariable V = variable("_ZN1nL1mB5cxx11E");
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  S.Program.addVariable(*S.Built, "_ZN1kL1mE");
  ProgramAddr Own = S.Program.addVariable(*S.Built, "_ZN1nL1mE").Address;
  EXPECT_EQ(plannedVariable(S.plan(), V.Symbol).Address, Own);
}

/// Two block-scoped statics n in f; Symbols as Clang numbers them.
static Scene twoStatics() {
  CompiledVariable V = variable("f.n");
  V.Name = "n";
  V.Function = "f";
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  ImageVariable &Built = S.Program.addVariable(*S.Built, "n.0");
  Built.Name = "n";
  Built.Function = "f";
  return S;
}

// A7, V-10: an inserted `static int n` takes the name of the one below it.
TEST(Variables, TwoStaticsOfOneNameInAFunctionAreRefused) {
  Scene S = twoStatics();
  EXPECT_EQ(plannedVariable(S.plan(), "f.n").What, Action::Bind);
  CompiledVariable Second = S.New.Variables[0];
  Second.Symbol = "f.n.1";
  S.New.Variables.push_back(Second);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1508 f.n"));
  // Also where only the new one is named, which was not there before.
  S.New.Functions[0].Variables = {"f.n.1"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1508 f.n"));
}

TEST(Variables, TwoStaticsOfOneNameInTheProgramAreRefused) {
  Scene S = twoStatics();
  ImageVariable Second = S.Program.of(*S.Built).Variables[0];
  Second.Address = ProgramAddr(0x9990);
  Second.Line = 7;
  S.Program.of(*S.Built).Variables.push_back(Second);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1508 f.n"));
  // Debug info repeats it in each inlined copy of f: still one.
  Second = S.Program.of(*S.Built).Variables[0];
  S.Program.of(*S.Built).Variables[1] = Second;
  EXPECT_EQ(plannedVariable(S.plan(), "f.n").What, Action::Bind);
}

// A8: a macro makes the name from __LINE__, and a line was inserted above.
TEST(Variables, AStaticNamedAfterItsLineIsNotStartedAnew) {
  CompiledVariable V = variable("f.once_12");
  V.Name = "once_12";
  V.Function = "f";
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  S.New.Variables[0].Symbol = "f.once_13";
  S.New.Variables[0].Name = "once_13";
  S.New.Functions[0].Variables = {"f.once_13"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1508 f.once_12"));
}

// A10: the value is kept and the user is told, even if no code changed.
TEST(Variables, AnEditedInitializerIsNotApplied) {
  Scene S = names(variable("v", "5"));
  S.Program.addVariable(*S.Built, "v");
  S.New.Variables[0].Initializer = hashBytes("7");
  S.New.Functions[0].Body = S.Old.Functions[0].Body;
  Plan P = S.plan();
  EXPECT_TRUE(P.empty());
  EXPECT_EQ(planText(P),
            "note HJ1503 v (a.c:1): a.c:1: 'v' keeps its value: the edited "
            "initializer is not applied\n"
            "unchanged 1\n");
}

// A14.
TEST(Variables, AnotherTypeIsRefusedWithBoth) {
  Scene S = names(variable("v"));
  S.Program.addVariable(*S.Built, "v");
  S.New.Variables[0].Type = "long";
  S.New.Variables[0].Size = 8;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1507 v"));
  EXPECT_THAT(S.text(), HasSubstr("type changed 'int' -> 'long'"));
  // The same size is no excuse.
  S.New.Variables[0].Type = "float";
  S.New.Variables[0].Size = 4;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1507 v"));
}

// A15: a function that reads an edited table has changed with it.
TEST(Variables, AnEditedConstantIsNewData) {
  Scene S = names(constant("table"));
  S.Program.addVariable(*S.Built, "table").Writable = false;
  S.New.Functions = S.Old.Functions;
  S.New.Variables[0].Initializer = hashBytes("other");
  Plan P = S.plan();
  EXPECT_EQ(plannedFunction(P, "f").What, PlannedFunction::Action::Replace);
  EXPECT_EQ(plannedVariable(P, "table").What, Action::Copy);
}

TEST(Variables, ATableMayGrowIfItIsItsFilesOwn) {
  Scene S = names(constant("table"));
  S.New.Variables[0].Type = "int[2]";
  S.New.Variables[0].Size = 8;
  EXPECT_EQ(plannedVariable(S.plan(), "table").What, Action::Copy);
  // Another file has its own idea of how large it is.
  S.Old.Variables[0].Linkage = S.New.Variables[0].Linkage =
      SymbolLinkage::External;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1507 table"));
}

// A constant that names an edited one is edited too: its data points to it.
TEST(Variables, AnEditOfAConstantReachesThroughOthers) {
  Scene S = names(constant("outer"));
  S.Program.addVariable(*S.Built, "outer").Writable = false;
  S.Program.addVariable(*S.Built, "inner").Writable = false;
  S.Old.Variables[0].References = {"inner"};
  S.Old.Variables.push_back(constant("inner"));
  S.New.Variables = S.Old.Variables;
  S.New.Variables[1].Initializer = hashBytes("other");
  S.New.Functions = S.Old.Functions;
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "outer").What, Action::Copy);
  EXPECT_EQ(plannedVariable(P, "inner").What, Action::Copy);
}

// Its address may be a key: new code has the same.
TEST(Variables, AnUnchangedConstantIsTheProgramsOwn) {
  Scene S = names(constant("key"));
  ImageVariable &Built = S.Program.addVariable(*S.Built, "key");
  Built.Writable = false;
  ProgramAddr Address = Built.Address;
  EXPECT_EQ(plannedVariable(S.plan(), "key").Address, Address);
  // What the optimizer dropped is made again.
  S.Program.of(*S.Built).Variables.clear();
  EXPECT_EQ(plannedVariable(S.plan(), "key").What, Action::Copy);
}

// After generation 1 changed it, the program's data is not the live text's.
TEST(Variables, AConstantChangedBeforeIsNotBoundToTheProgram) {
  Scene S = names(constant("table"));
  S.Program.addVariable(*S.Built, "table").Writable = false;
  S.New.Variables[0].Initializer = hashBytes("other");
  Plan First = S.plan();
  First.Units[0].New = &S.New;
  recordCommitted(First, S.Earlier);
  S.Old.Variables = S.New.Variables;
  EXPECT_EQ(plannedVariable(S.plan(), "table").What, Action::Copy);
  EXPECT_TRUE(S.Earlier.Units.contains("/src/a.c"));
}

TEST(Variables, AnExternalConstantIsReadByOtherFiles) {
  CompiledVariable V = constant("limit");
  V.Linkage = SymbolLinkage::External;
  Scene S = names(V);
  S.New.Variables[0].Initializer = hashBytes("other");
  EXPECT_THAT(S.text(), HasSubstr("refused HJ1504 limit"));
}

// B36: a table of labels is of no use without the code that it points into.
TEST(Variables, LabelTablesLiveWithTheirCode) {
  CompiledVariable V = constant("f.labels");
  V.HoldsLabels = true;
  Scene S = names(V);
  S.Program.addVariable(*S.Built, "f.labels");
  EXPECT_EQ(plannedVariable(S.plan(), "f.labels").What, Action::Copy);
}

TEST(Variables, StringLiteralsAreNotPlanned) {
  CompiledVariable V = constant(".str");
  V.Unnamed = true;
  EXPECT_THAT(names(V).plan().Units[0].Variables, IsEmpty());
}

// A11: created once, its constructor runs before new code can see it.
TEST(Variables, ANewVariableIsCreatedAndInitializedInOrder) {
  Scene S;
  S.Program.addFunction(*S.Built, "f");
  S.Old.Functions = {function("f", "1")};
  S.New.Functions = {function("f", "2", {}, {"a", "z"}),
                     function("__cxx_global_var_init", "1", {"helper"}),
                     function("__cxx_global_var_init.2", "1"),
                     function("__cxx_global_var_init.10", "1"),
                     function("helper", "1")};
  for (CompiledFunction &F : S.New.Functions)
    if (F.Symbol != "f")
      F.Linkage = SymbolLinkage::Internal;
  CompiledVariable A = variable("a"), M = variable("m"), Z = variable("z");
  A.DynamicInitializer = M.DynamicInitializer = Z.DynamicInitializer = true;
  A.InitializerFunction = "__cxx_global_var_init.10";
  M.InitializerFunction = "__cxx_global_var_init.2";
  Z.InitializerFunction = "__cxx_global_var_init";
  M.Linkage = SymbolLinkage::Internal; // nobody names it: its effect counts
  S.New.Variables = {A, M, Z};
  Plan P = S.plan();
  EXPECT_THAT(P.Units[0].Initializers,
              ElementsAre("__cxx_global_var_init", "__cxx_global_var_init.2",
                          "__cxx_global_var_init.10"));
  EXPECT_EQ(plannedVariable(P, "m").What, Action::Create);
  EXPECT_EQ(plannedFunction(P, "helper").What, PlannedFunction::Action::Add);
  EXPECT_THAT(planText(P), Not(HasSubstr("live __cxx")));
  EXPECT_THAT(planText(P), HasSubstr("added a (a.c:1): new variable"));
}

TEST(Variables, ANewVariableIsCreatedThoughNobodyNamesItYet) {
  Scene S;
  S.New.Variables = {variable("v")};
  EXPECT_EQ(plannedVariable(S.plan(), "v").What, Action::Create);
}

TEST(Variables, WhatAGenerationCreatedIsBound) {
  Scene S = names(variable("v"));
  S.Earlier.Variables[{"/src/a.c", "v"}] = {ProgramAddr(0x777), 4};
  EXPECT_EQ(plannedVariable(S.plan(), "v").Address, ProgramAddr(0x777));
  S.Earlier.Variables[{"/src/a.c", "v"}].Size = 8;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1507 v"));
}

TEST(Variables, AnotherUnitsCreatedVariableIsBound) {
  Scene S = names(variable("v"));
  S.Old.Variables = {};
  S.New.Variables = {};
  S.Earlier.Variables[{"", "v"}] = {ProgramAddr(0x777), 4};
  EXPECT_EQ(plannedVariable(S.plan(), "v").Address, ProgramAddr(0x777));
}

TEST(Variables, ANewVariableThatTheProgramHasIsADuplicate) {
  Scene S;
  S.Program.Tables[0].Symbols["v"] = ProgramAddr(0x100);
  S.New.Variables = {variable("v")};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1702 v"));
}

// A12, A13: the old storage stays, the new name starts anew; both are said.
TEST(Variables, ARenamedVariableIsToldAsTwo) {
  Scene S = names(variable("before"));
  S.New.Variables = {variable("after")};
  S.New.Functions[0].Variables = {"after"};
  std::string Text = S.text();
  EXPECT_THAT(Text, HasSubstr("note HJ1505 before"));
  EXPECT_THAT(Text, HasSubstr("added after"));
}

// In C++ the symbol changes with the linkage: the value must not be lost.
TEST(Variables, StaticThatBecomesExternalIsRefused) {
  CompiledVariable V = variable("_ZL1n");
  V.QualifiedName = "n";
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  S.New.Variables[0].Symbol = "n";
  S.New.Variables[0].Linkage = SymbolLinkage::External;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 n"));
}

TEST(Variables, ACVariableThatChangesItsLinkageIsRefused) {
  Scene S = names(variable("n"));
  S.New.Variables[0].Linkage = SymbolLinkage::Internal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1211 n"));
}

class OptimizedAway : public testing::Test {
protected:
  Scene S = names(variable("v"));
  ImageVariable &Built = S.Program.addVariable(*S.Built, "v");
  std::string why() {
    std::vector<std::string> Refused = S.refused();
    EXPECT_THAT(Refused, ElementsAre("HJ1516 v"));
    return S.text();
  }
};

TEST_F(OptimizedAway, InPieces) {
  Built.Storage = StorageKind::Composed;
  EXPECT_THAT(why(), HasSubstr("taken apart"));
}
TEST_F(OptimizedAway, AsAConstant) {
  Built.Storage = StorageKind::Constant;
  EXPECT_THAT(why(), HasSubstr("made a constant"));
}
TEST_F(OptimizedAway, WithoutAPlace) {
  Built.Storage = StorageKind::None;
  EXPECT_THAT(why(), HasSubstr("'v' was optimized away; build with -O0"));
}
// Clang -O2 makes one byte of `static int mode`, under the same symbol.
TEST_F(OptimizedAway, Shrunk) {
  Built.Size = 1;
  EXPECT_THAT(why(), HasSubstr("keeps 1 of its 4 bytes"));
}
// GCC moves what nobody writes to .rodata.
TEST_F(OptimizedAway, ReadOnly) {
  Built.Writable = false;
  EXPECT_THAT(why(), HasSubstr("read-only"));
}
TEST_F(OptimizedAway, UnknownToDebugInfo) {
  S.Program.of(*S.Built).Variables.clear();
  EXPECT_THAT(why(), HasSubstr("not in the program's debug info"));
}
TEST_F(OptimizedAway, NotIfTheTextIsAnother) {
  Built.Size = Built.TypeSize = 8;
  EXPECT_THAT(S.refused(), ElementsAre("HJ2004 v"));
}

/// v is a static that the optimizer removed, f and g read it, f is edited.
class Unwritten : public testing::Test {
protected:
  Unwritten() {
    CompiledVariable V = variable("v");
    V.Linkage = SymbolLinkage::Internal;
    S = names(V);
    S.Program.addFunction(*S.Built, "g");
    S.Old.Functions.push_back(function("g", "1", {}, {"v"}));
    S.New.Functions.push_back(function("g", "1", {}, {"v"}));
    S.Program.addVariable(*S.Built, "v").Storage = StorageKind::None;
    S.Built->OptLevel = 2;
  }
  Scene S;
};

TEST_F(Unwritten, IsItsInitialValue) {
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "v").What, Action::Copy);
  EXPECT_THAT(P.Units[0].Functions, testing::SizeIs(1));
}
TEST_F(Unwritten, IsMadeForAllWhoReadItWhenItIsWritten) {
  S.New.Functions[0].Written = {"v"};
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "v").What, Action::Create);
  EXPECT_THAT(P.Units[0].Functions, testing::SizeIs(2));
  EXPECT_THAT(S.text(), HasSubstr("note HJ1516 v"));
}
TEST_F(Unwritten, NotIfTheOldTextCouldWriteIt) {
  S.Old.Functions[1].Written = S.New.Functions[1].Written = {"v"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 v"));
}
TEST_F(Unwritten, NotIfDataLeadsToIt) {
  CompiledVariable Pointer = variable("w");
  Pointer.References = {"v"};
  S.Old.Variables.push_back(Pointer);
  S.New.Variables.push_back(Pointer);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 v"));
}
TEST_F(Unwritten, NotIfAnEarlierTextCouldWriteIt) {
  S.Earlier.Written = {{S.New.Path, "v"}};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 v"));
}
TEST_F(Unwritten, NotIfItsInitialValueWasEdited) {
  S.New.Variables[0].Initializer = hashBytes("other");
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 v"));
}

// A19.
TEST(Variables, AThreadLocalIsReachedThroughItsModule) {
  CompiledVariable V = variable("v");
  V.ThreadLocal = true;
  Scene S = names(V);
  S.Program.Modules[0].TlsModuleId = 1;
  S.Program.Modules[0].TlsBlockOffset = -64;
  ImageVariable &Built = S.Program.addVariable(*S.Built, "v");
  Built.Storage = StorageKind::ThreadLocal;
  Built.TlsOffset = 12;
  PlannedVariable P = plannedVariable(S.plan(), "v");
  EXPECT_EQ(P.What, Action::BindThreadLocal);
  EXPECT_EQ(P.TlsOffset, 12u);
  EXPECT_EQ(P.TlsModuleId, 1u);
  EXPECT_EQ(P.TlsBlockOffset, std::optional<int64_t>(-64));
  Built.Storage = StorageKind::Composed;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 v"));
}

// A20.
TEST(Variables, ANewThreadLocalIsCreatedAndLaterFoundAgain) {
  CompiledVariable V = variable("v");
  V.ThreadLocal = true;
  Scene S = names(V);
  S.Old.Variables = {};
  EXPECT_EQ(plannedVariable(S.plan(), "v").What, Action::Create);
  Scene Later = names(V);
  Later.Earlier.Variables[{"/src/a.c", "v"}] = {ProgramAddr(0x77), 4, true};
  PlannedVariable P = plannedVariable(Later.plan(), "v");
  EXPECT_EQ(P.What, Action::BindAddedThreadLocal);
  EXPECT_EQ(P.Address, ProgramAddr(0x77));
}

/// `thread_local S v;` with the functions by which code sets it up.
static Scene setUpInThreads() {
  CompiledVariable V = variable("v");
  V.ThreadLocal = V.DynamicInitializer = true;
  V.InitializerFunction = "__cxx_global_var_init";
  V.ThreadInit = "_ZTH1v";
  Scene S = names(V);
  S.New.Functions[0].Functions = {"_ZTW1v"};
  CompiledFunction Wrapper = function("_ZTW1v", "", {"_ZTH1v"}, {"v"});
  Wrapper.Linkage = SymbolLinkage::Inline;
  CompiledFunction Init =
      function("_ZTH1v", "", {"__cxx_global_var_init"}, {"__tls_guard"});
  Init.AliasOf = "__tls_init";
  Init.Unsupported = "alias of __tls_init";
  CompiledFunction OfUnit = Init;
  OfUnit.Symbol = "__tls_init";
  OfUnit.AliasOf = "";
  OfUnit.Unsupported.reset();
  OfUnit.Linkage = SymbolLinkage::Internal;
  CompiledFunction One = function("__cxx_global_var_init", "", {}, {"v"});
  One.Linkage = SymbolLinkage::Internal;
  CompiledVariable Guard = variable("__tls_guard");
  Guard.ThreadLocal = Guard.Synthesized = true;
  Guard.Linkage = SymbolLinkage::Internal;
  for (CompiledUnit *U : {&S.Old, &S.New}) {
    for (const CompiledFunction &F : {Wrapper, Init, OfUnit, One})
      U->Functions.push_back(F);
    U->Variables.push_back(Guard);
  }
  S.Program.Modules[0].TlsModuleId = 1;
  return S;
}

// A21: only Link can make the code that sets up a new one.
TEST(Variables, ANewThreadLocalWithAConstructorHasAnInitOfItsOwn) {
  Scene S = setUpInThreads();
  S.Old.Variables = {};
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "v").What, Action::Create);
  EXPECT_EQ(plannedVariable(P, "v").ThreadInit, "_ZTH1v");
  EXPECT_EQ(plannedVariable(P, "v").Initializer, "__cxx_global_var_init");
  EXPECT_EQ(plannedFunction(P, "_ZTH1v").What, PlannedFunction::Action::Add);
  EXPECT_THAT(P.Units[0].Initializers, testing::IsEmpty());
}

// A19.
TEST(Variables, AThreadLocalWithAConstructorIsSetUpByTheProgramsCode) {
  Scene S = setUpInThreads();
  ImageVariable &Built = S.Program.addVariable(*S.Built, "v");
  Built.Storage = StorageKind::ThreadLocal;
  ImageFunction &Init = S.Program.addFunction(*S.Built, "__tls_init", true);
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "v").What, Action::BindThreadLocal);
  EXPECT_EQ(P.Units[0].BoundFunctions["_ZTH1v"], Init.Entry);
}

// An optimizer left only the guard: new code sets up what that guards.
TEST(Variables, AThreadLocalWhoseSetUpWasInlinedIsSetUpByNewCode) {
  Scene S = setUpInThreads();
  ImageVariable &Built = S.Program.addVariable(*S.Built, "v");
  Built.Storage = StorageKind::ThreadLocal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 __tls_guard"));
  S.Program.Tables[0].ThreadLocals["__tls_guard"] = {
      {8, 1, /*Local=*/true, /*External=*/false, "a.c"}};
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "__tls_guard").TlsOffset, 8u);
  EXPECT_EQ(plannedFunction(P, "_ZTH1v").What,
            PlannedFunction::Action::PrivateCopy);
}

TEST(Variables, AThreadLocalThatBecomesSetUpByCodeIsRefused) {
  Scene S = setUpInThreads();
  for (CompiledVariable &V : S.Old.Variables)
    V.ThreadInit = "";
  ImageVariable &Built = S.Program.addVariable(*S.Built, "v");
  Built.Storage = StorageKind::ThreadLocal;
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 v"));
}

/// A24: Foo &instance() { static Foo foo; ... }
static Scene singleton() {
  CompiledVariable Foo = variable("_ZZ8instancevE3foo");
  Foo.Name = "foo";
  Foo.Function = "_Z8instancev";
  Foo.Guard = "_ZGVZ8instancevE3foo";
  Foo.Linkage = SymbolLinkage::Internal;
  CompiledVariable Guard = variable(Foo.Guard);
  Guard.Synthesized = true;
  Guard.Linkage = SymbolLinkage::Internal;
  Scene S = names(Foo);
  S.Old.Variables.push_back(Guard);
  S.New.Variables.push_back(Guard);
  S.New.Functions[0].Variables = {Guard.Symbol, Foo.Symbol};
  ImageVariable &Built = S.Program.addVariable(*S.Built, Foo.Symbol);
  Built.Name = "foo";
  Built.Function = "_Z8instancev";
  return S;
}

TEST(Variables, AConstructedStaticIsBoundWithItsGuard) {
  Scene S = singleton();
  S.Program.Tables[0].Data["_ZGVZ8instancevE3foo"] = {
      {ProgramAddr(0x500), 8, true, "b.c"},
      {ProgramAddr(0x600), 8, true, "a.c"}};
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "_ZGVZ8instancevE3foo").What, Action::Bind);
  EXPECT_EQ(plannedVariable(P, "_ZGVZ8instancevE3foo").Address,
            ProgramAddr(0x600));
  EXPECT_EQ(plannedVariable(P, "_ZZ8instancevE3foo").What, Action::Bind);
  EXPECT_EQ(P.Units[0].Variables.size(), 2u);
}

TEST(Variables, AGuardMayLackATag) {
  Scene S = singleton();
  for (CompiledUnit *U : {&S.Old, &S.New}) {
    CompiledVariable &Foo = U->Variables[0], &Guard = U->Variables[1];
    Foo.Symbol += "B5cxx11";
    Guard.Symbol += "B5cxx11";
    Foo.Guard = Guard.Symbol;
    U->Functions[0].Variables = {Guard.Symbol, Foo.Symbol};
  }
  S.Program.Tables[0].Data["_ZGVZ8instancevE3foo"] = {
      {ProgramAddr(0x600), 8, true, "a.c"}};
  EXPECT_EQ(plannedVariable(S.plan(), "_ZGVZ8instancevE3fooB5cxx11").Address,
            ProgramAddr(0x600));
}

// Two files of one name in different folders: the symbol table cannot tell.
TEST(Variables, AGuardThatMayBeAnotherFilesIsRefused) {
  Scene S = singleton();
  S.Program.addUnit("/src/other/a.c");
  S.Program.Tables[0].Data["_ZGVZ8instancevE3foo"] = {
      {ProgramAddr(0x600), 8, true, "a.c"}};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 _ZZ8instancevE3foo"));
}

TEST(Variables, AStaticWithoutItsGuardIsRefused) {
  EXPECT_THAT(singleton().refused(), ElementsAre("HJ1516 _ZZ8instancevE3foo"));
}

// The program constructs it at its first use, Clang would not: has it been?
TEST(Variables, AGuardThatOnlyTheProgramHasIsRefused) {
  Scene S = singleton();
  S.Program.Tables[0].Symbols["_ZGVZ8instancevE3foo"] = ProgramAddr(0x600);
  for (CompiledUnit *U : {&S.Old, &S.New}) {
    U->Variables.eraseIf([](const CompiledVariable &V) {
      return llvm::StringRef(V.Symbol).starts_with("_ZGV");
    });
    U->Variables[0].Guard = "";
    U->Functions[0].Variables = {U->Variables[0].Symbol};
  }
  EXPECT_THAT(S.refused(), ElementsAre("HJ1000 _ZZ8instancevE3foo"));
}

// A6: a static that is new comes with its guard.
TEST(Variables, ANewConstructedStaticIsCreatedWithItsGuard) {
  Scene S = singleton();
  S.Old.Variables = {};
  Plan P = S.plan();
  EXPECT_EQ(plannedVariable(P, "_ZGVZ8instancevE3foo").What, Action::Create);
  EXPECT_EQ(plannedVariable(P, "_ZZ8instancevE3foo").What, Action::Create);
}

static CompiledVariable vtable() {
  CompiledVariable V = variable("_ZTV1A");
  V.Synthesized = V.Const = true;
  V.Linkage = SymbolLinkage::Inline;
  V.References = {"_ZN1A1fEv"};
  return V;
}

// B34: one vtable and one type_info, the program's.
TEST(Variables, VtablesAreTheProgramsOrCreatedForEver) {
  Scene S = names(vtable());
  EXPECT_EQ(plannedVariable(S.plan(), "_ZTV1A").What, Action::Create);
  S.Program.Tables[0].Symbols["_ZTV1A"] = ProgramAddr(0x700);
  EXPECT_EQ(plannedVariable(S.plan(), "_ZTV1A").Address, ProgramAddr(0x700));
}

TEST(Variables, AVtableLocalToItsFileMustBeFound) {
  CompiledVariable V = vtable();
  V.Linkage = SymbolLinkage::Internal;
  Scene S = names(V);
  EXPECT_THAT(S.refused(), ElementsAre("HJ1516 _ZTV1A"));
  S.Program.Tables[0].Data["_ZTV1A"] = {{ProgramAddr(0x700), 24, true, "a.c"}};
  EXPECT_EQ(plannedVariable(S.plan(), "_ZTV1A").Address, ProgramAddr(0x700));
}

// B9: an override was added: objects of the program keep the old table.
TEST(Variables, AVtableWithOtherFunctionsIsRefused) {
  Scene S = names(vtable());
  S.New.Variables[0].References = {"_ZN1A1gEv"};
  EXPECT_THAT(S.refused(), ElementsAre("HJ1305 _ZTV1A"));
}

// Data that is copied or created brings what it names.
TEST(Variables, NewDataPullsInWhatItNames) {
  Scene S = names(constant("table"));
  S.Old.Variables = {};
  S.Old.Functions[0].Variables = {};
  ProgramAddr G = S.Program.addFunction(*S.Built, "g").Entry;
  ProgramAddr State = S.Program.addVariable(*S.Built, "state").Address;
  S.Old.Functions.push_back(function("g", "1"));
  S.New.Functions.push_back(function("g", "1"));
  S.Old.Variables.push_back(variable("state"));
  S.New.Variables.push_back(variable("state"));
  S.New.Variables[0].References = {"g", "state"};
  Plan P = S.plan();
  EXPECT_EQ(P.Units[0].BoundFunctions.at("g"), G);
  EXPECT_EQ(plannedVariable(P, "state").Address, State);
}
