#include "LinkTest.h"

using namespace hotjit;
using testing::HasSubstr;

using FunctionsTest = LinkTest;

TEST_F(FunctionsTest, NewBodyCallsBoundFunction) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    define internal i32 @helper(i32 %x) {
      ret i32 -1
    }
    define i32 @f(i32 %x) {
      %r = call i32 @helper(i32 %x)
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  U.BoundFunctions["helper"] = addressOf(programTwice);
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(21), 42);
}

TEST_F(FunctionsTest, StagedFunctionTellsWhereItsCodeIs) {
  Plan P;
  PlannedUnit &U = addUnit(P, "define i32 @f(i32 %x) { ret i32 7 }");
  U.New->Functions.push_back({});
  U.New->Functions.back().Symbol = "f";
  U.New->Functions.back().Name = "space::f";
  replace(U, "f", addressOf(programIdentity));
  U.Functions.back().Kind = EntryKind::Patchable;
  StagedGeneration G = stage(P);
  ASSERT_EQ(G.Functions.size(), 1u);
  const StagedFunction &F = G.Functions[0];
  EXPECT_EQ(F.Unit, "/unit.c");
  EXPECT_EQ(F.Name, "space::f");
  EXPECT_EQ(F.Identity, addressOf(programIdentity));
  EXPECT_EQ(F.Kind, EntryKind::Patchable);
  EXPECT_FALSE(F.Added);
  EXPECT_FALSE(F.AbiThunk);
  EXPECT_EQ(F.Target, F.Code.Begin);
  EXPECT_GT(F.Code.size(), 0u);
  EXPECT_LT(F.Code.size(), 100u);
  EXPECT_GT(G.Bytes, 0u);
}

TEST_F(FunctionsTest, RecursionGoesThroughTheIdentity) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    define i32 @f(i32 %x) {
      %less = sub i32 %x, 1
      %rest = call i32 @f(i32 %less)
      %r = mul i32 %x, %rest
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(3), 3000);
}

TEST_F(FunctionsTest, OptimizerDoesNotSeeThroughAnIdentity) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    define internal i32 @g(i32 %x) {
      ret i32 1
    }
    define i32 @f(i32 %x) {
      %r = call i32 @g(i32 %x)
      ret i32 %r
    })");
  U.New->Settings.OptLevel = 2;
  replace(U, "f", addressOf(programTwice));
  replace(U, "g", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(3), 1000);
  EXPECT_EQ(targetOf<int(int)>(G, "g")(3), 1);
}

TEST_F(FunctionsTest, AddressTakenIsTheIdentity) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @table = internal constant [2 x ptr] [ptr @f, ptr @added]
    define ptr @f(i64 %i) {
      %p = getelementptr [2 x ptr], ptr @table, i64 0, i64 %i
      %r = load ptr, ptr %p
      ret ptr %r
    }
    define internal void @added() {
      ret void
    })");
  replace(U, "f", addressOf(programIdentity));
  add(U, "added", Add);
  place(U, "table", Copy);
  // A stub is anything with an address.
  Identities Added{{{"/unit.c", "added"}, addressOf(programTwice)}};
  StagedGeneration G = stage(P, Added);
  auto *F = targetOf<void *(long)>(G, "f");
  EXPECT_EQ(F(0), reinterpret_cast<void *>(programIdentity));
  EXPECT_EQ(F(1), reinterpret_cast<void *>(programTwice));
  ASSERT_EQ(G.Functions.size(), 2u);
  EXPECT_TRUE(G.Functions[1].Added);
  EXPECT_EQ(G.Functions[1].Identity, addressOf(programTwice));
}

TEST_F(FunctionsTest, PrivateCopyIsCalledDirectly) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    $twice = comdat any
    define linkonce_odr hidden i32 @twice(i32 %x) comdat {
      %r = add i32 %x, %x
      ret i32 %r
    }
    define i32 @f(i32 %x) {
      %r = call i32 @twice(i32 %x)
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  add(U, "twice", PrivateCopy);
  StagedGeneration G = stage(P);
  EXPECT_EQ(G.Functions.size(), 1u);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(8), 16);
}

TEST_F(FunctionsTest, UnboundNamesAreLookedUpInTheProgram) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @ProgramVisible = external hidden global i32
    declare hidden i32 @programHidden(i32)
    declare i32 @abs(i32)
    define i32 @f(i32 %x) {
      %a = call i32 @abs(i32 %x)
      %b = call i32 @programHidden(i32 %a)
      %v = load i32, ptr @ProgramVisible
      %r = add i32 %b, %v
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(-1), 1 + 77 + 31);
}

TEST_F(FunctionsTest, MissingWeakFunctionIsNull) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    declare extern_weak void @nobody_defines_this()
    define ptr @f() {
      ret ptr @nobody_defines_this
    })");
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<void *()>(G, "f")(), nullptr);
}

// Clang makes the complete-object constructor an alias of the base object's.
static const char Constructors[] = R"(
  @_ZN1AC1Ev = unnamed_addr alias void (ptr), ptr @_ZN1AC2Ev
  define void @_ZN1AC2Ev(ptr %this) {
    store i32 4, ptr %this
    ret void
  }
  define void @make(ptr %a) {
    call void @_ZN1AC1Ev(ptr %a)
    ret void
  })";

TEST_F(FunctionsTest, AliasAndItsBodyAreBothStaged) {
  Plan P;
  PlannedUnit &U = addUnit(P, Constructors);
  replace(U, "_ZN1AC1Ev", addressOf(programTwice));
  replace(U, "_ZN1AC2Ev", addressOf(programHidden));
  StagedGeneration G = stage(P);
  int A = 0, B = 0;
  targetOf<void(int *)>(G, "_ZN1AC1Ev")(&A);
  targetOf<void(int *)>(G, "_ZN1AC2Ev")(&B);
  EXPECT_EQ(A, 4);
  EXPECT_EQ(B, 4);
  ASSERT_EQ(G.Functions.size(), 2u);
  for (const StagedFunction &F : G.Functions)
    EXPECT_GT(F.Code.size(), 0u) << F.Symbol;
}

static int ConstructedAs;
static void oldConstructor(int *) { ConstructedAs = 1; }

TEST_F(FunctionsTest, CallOfAnAliasGoesToItsIdentity) {
  Plan P;
  PlannedUnit &U = addUnit(P, Constructors);
  replace(U, "make", addressOf(programTwice));
  U.BoundFunctions["_ZN1AC1Ev"] = addressOf(oldConstructor);
  StagedGeneration G = stage(P);
  ConstructedAs = 0;
  int A = 0;
  targetOf<void(int *)>(G, "make")(&A);
  EXPECT_EQ(ConstructedAs, 1);
  EXPECT_EQ(A, 0);
}

TEST_F(FunctionsTest, OnlyTheAliasCanBePlanned) {
  Plan P;
  PlannedUnit &U = addUnit(P, Constructors);
  replace(U, "_ZN1AC1Ev", addressOf(programTwice));
  add(U, "make", Add);
  Identities Added{{{"/unit.c", "make"}, addressOf(programHidden)}};
  StagedGeneration G = stage(P, Added);
  int A = 0;
  targetOf<void(int *)>(G, "_ZN1AC1Ev")(&A);
  EXPECT_EQ(A, 4);
}

TEST_F(FunctionsTest, PrivateCopyOfAnAliasIsItsBody) {
  Plan P;
  PlannedUnit &U = addUnit(P, Constructors);
  add(U, "_ZN1AC1Ev", PrivateCopy);
  replace(U, "make", addressOf(programTwice));
  StagedGeneration G = stage(P);
  int A = 0;
  targetOf<void(int *)>(G, "make")(&A);
  EXPECT_EQ(A, 4);
}

TEST_F(FunctionsTest, EqualFileLocalNamesOfTwoUnitsDoNotMeet) {
  Plan P;
  const char Text[] = R"(
    @state = internal global i32 0
    define internal i32 @f() {
      %v = load i32, ptr @state
      ret i32 %v
    })";
  static int One = 1, Two = 2;
  PlannedUnit &A = addUnit(P, Text, "/a/unit.c");
  replace(A, "f", addressOf(programTwice));
  place(A, "state", Bind, addressOf(&One));
  PlannedUnit &B = addUnit(P, Text, "/b/unit.c");
  replace(B, "f", addressOf(programHidden));
  place(B, "state", Bind, addressOf(&Two));
  StagedGeneration G = stage(P);
  ASSERT_EQ(G.Functions.size(), 2u);
  for (const StagedFunction &F : G.Functions)
    EXPECT_EQ(reinterpret_cast<int (*)()>(F.Target.value())(),
              F.Unit == "/a/unit.c" ? 1 : 2);
}

TEST_F(FunctionsTest, UnitsOfOnePlanUseWhatTheOthersAdd) {
  Plan P;
  PlannedUnit &A = addUnit(P, R"(
    @shared = external global i32
    declare i32 @fresh(i32)
    define i32 @f(i32 %x) {
      %v = load i32, ptr @shared
      %r = call i32 @fresh(i32 %v)
      ret i32 %r
    })",
                           "/a.c");
  replace(A, "f", addressOf(programIdentity));
  PlannedUnit &B = addUnit(P, R"(
    @shared = global i32 11
    define i32 @fresh(i32 %x) {
      ret i32 %x
    })",
                           "/b.c");
  B.New->Functions.push_back({});
  B.New->Functions.back().Symbol = "fresh";
  B.New->Functions.back().Linkage = SymbolLinkage::External;
  add(B, "fresh", Add);
  place(B, "shared", Create);
  Identities Added{{{"/b.c", "fresh"}, addressOf(programTwice)}};
  StagedGeneration G = stage(P, Added);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(0), 22);
}

TEST_F(FunctionsTest, FileLocalAliasIsStagedAndBound) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @other = internal alias i32 (i32), ptr @f
    define i32 @f(i32 %x) {
      %r = call i32 @other(i32 %x)
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  replace(U, "other", addressOf(programTwice));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(4), 8);
}

TEST_F(FunctionsTest, ComputedGotoJumpsInTheNewBody) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @labels = internal constant [2 x ptr]
      [ptr blockaddress(@f, %zero), ptr blockaddress(@f, %one)]
    define i32 @f(i64 %i) {
      %p = getelementptr [2 x ptr], ptr @labels, i64 0, i64 %i
      %l = load ptr, ptr %p
      indirectbr ptr %l, [label %zero, label %one]
    zero:
      ret i32 100
    one:
      ret i32 101
    })");
  replace(U, "f", addressOf(programIdentity));
  place(U, "labels", Copy);
  StagedGeneration G = stage(P);
  auto *F = targetOf<int(long)>(G, "f");
  EXPECT_EQ(F(0), 100);
  EXPECT_EQ(F(1), 101);
}
