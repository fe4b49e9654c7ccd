#include "LinkTest.h"

using namespace hotjit;
using testing::AllOf;
using testing::HasSubstr;

using RefusalsTest = LinkTest;

static const char Good[] = "define i32 @f(i32 %x) { ret i32 3 }";

// E3: the error names every symbol with who needs it, and the next good plan
// goes through.
TEST_F(RefusalsTest, UndefinedSymbolsAreNamedWithWhoNeedsThem) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    declare i32 @frob(i32)
    declare i32 @_Z5fnordi(i32)
    define i32 @tick(i32 %x) {
      %r = call i32 @frob(i32 %x)
      ret i32 %r
    }
    define i32 @_Z4tocki(i32 %x) {
      %r = call i32 @_Z5fnordi(i32 %x)
      ret i32 %r
    })");
  replace(U, "tick", addressOf(programIdentity));
  replace(U, "_Z4tocki", addressOf(programTwice));
  EXPECT_THAT(stageError(P),
              AllOf(HasSubstr("undefined symbol 'frob' needed by 'tick'"),
                    HasSubstr("undefined symbol 'fnord(int)' needed by "
                              "'tock(int)'")));
  Plan Next;
  PlannedUnit &V = addUnit(Next, Good);
  replace(V, "f", addressOf(programIdentity));
  StagedGeneration G = stage(Next);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(0), 3);
}

TEST_F(RefusalsTest, FileLocalFunctionIsNeverLookedUpByName) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    define internal i32 @programTwice(i32 %x) {
      ret i32 0
    }
    define i32 @f(i32 %x) {
      %r = call i32 @programTwice(i32 %x)
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  EXPECT_THAT(stageError(P),
              HasSubstr("undefined symbol 'programTwice' needed by 'f'"));
}

TEST_F(RefusalsTest, FileLocalVariableIsNeverLookedUpByName) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @ProgramVisible = internal global i32 1
    define ptr @f() {
      ret ptr @ProgramVisible
    })");
  replace(U, "f", addressOf(programIdentity));
  EXPECT_THAT(stageError(P),
              HasSubstr("undefined symbol 'ProgramVisible' needed by 'f'"));
}

TEST_F(RefusalsTest, ThreadLocalWithoutAPlan) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @nobodys = external thread_local global i32
    define ptr @f() {
      %p = call ptr @llvm.threadlocal.address.p0(ptr @nobodys)
      ret ptr %p
    }
    declare ptr @llvm.threadlocal.address.p0(ptr))");
  replace(U, "f", addressOf(programIdentity));
  EXPECT_THAT(stageError(P), HasSubstr("undefined symbol 'nobodys'"));
}

TEST_F(RefusalsTest, FileLocalThreadLocalIsNeverLookedUpByName) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @ProgramThreadLocal = internal thread_local global i32 1
    define ptr @f() {
      %p = call ptr @llvm.threadlocal.address.p0(ptr @ProgramThreadLocal)
      ret ptr %p
    }
    declare ptr @llvm.threadlocal.address.p0(ptr))");
  replace(U, "f", addressOf(programIdentity));
  EXPECT_THAT(stageError(P),
              HasSubstr("undefined symbol 'ProgramThreadLocal'"));
}

TEST_F(RefusalsTest, InlineAssemblyThatDoesNotAssemble) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    define void @f() {
      call void asm sideeffect "no_such_instruction", ""()
      ret void
    })");
  replace(U, "f", addressOf(programIdentity));
  EXPECT_THAT(stageError(P),
              AllOf(HasSubstr("/unit.c"), HasSubstr("no_such_instruction")));
}

TEST_F(RefusalsTest, PlannedFunctionThatTheUnitDoesNotDefine) {
  Plan P;
  PlannedUnit &U = addUnit(P, Good);
  replace(U, "g", addressOf(programIdentity));
  EXPECT_THAT(stageError(P), HasSubstr("'g'"));
}

TEST_F(RefusalsTest, AddedFunctionWithoutAStub) {
  Plan P;
  PlannedUnit &U = addUnit(P, Good);
  add(U, "f", Add);
  EXPECT_THAT(stageError(P), HasSubstr("'f' is new and has no stub"));
}

TEST_F(RefusalsTest, CodeIsTakenOnce) {
  Plan P;
  PlannedUnit &U = addUnit(P, Good);
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_THAT(stageError(P), HasSubstr("taken before"));
}

namespace {
class ThunkRefusalsTest : public LinkTest {
protected:
  std::string errorFor(const char *Text) {
    Plan P;
    PlannedUnit &U = addUnit(P, Text);
    replace(U, "f", addressOf(programIdentity));
    U.Functions.back().NeedsAbiThunk = true;
    return stageError(P);
  }
};
} // namespace

TEST_F(ThunkRefusalsTest, Variadic) {
  EXPECT_THAT(errorFor("define i32 @f(i32 %x, ...) { ret i32 3 }"),
              AllOf(HasSubstr("'f'"), HasSubstr("variadic")));
}

TEST_F(ThunkRefusalsTest, OwnCallingConvention) {
  EXPECT_THAT(errorFor("define fastcc i32 @f(i32 %x) { ret i32 3 }"),
              HasSubstr("calling convention"));
}

TEST_F(ThunkRefusalsTest, WideVectorArgumentWithoutItsRegisters) {
  EXPECT_THAT(errorFor("define void @f(<16 x float> %x) { ret void }"),
              HasSubstr("argument 1"));
}

TEST_F(ThunkRefusalsTest, WideVectorResultWithoutItsRegisters) {
  EXPECT_THAT(
      errorFor("define <16 x float> @f() { ret <16 x float> zeroinitializer }"),
      HasSubstr("result"));
}
