#include "LinkTest.h"

using namespace hotjit;

using ExceptionsTest = LinkTest;

TEST_F(ExceptionsTest, ProgramCatchesWhatNewCodeThrows) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @_ZTIi = external constant ptr
    declare ptr @__cxa_allocate_exception(i64)
    declare void @__cxa_throw(ptr, ptr, ptr)
    define void @f(i32 %x) {
      %e = call ptr @__cxa_allocate_exception(i64 4)
      store i32 %x, ptr %e
      call void @__cxa_throw(ptr %e, ptr @_ZTIi, ptr null)
      unreachable
    })");
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(programCatch(targetOf<void(int)>(G, "f"), 33), 33);
}

TEST_F(ExceptionsTest, NewCodeCatchesWhatTheProgramThrows) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @_ZTIi = external constant ptr
    declare void @programThrow(i32)
    declare i32 @__gxx_personality_v0(...)
    declare ptr @__cxa_begin_catch(ptr)
    declare void @__cxa_end_catch()
    define i32 @f(i32 %x) personality ptr @__gxx_personality_v0 {
      invoke void @programThrow(i32 %x) to label %no unwind label %pad
    no:
      ret i32 -1
    pad:
      %lp = landingpad { ptr, i32 } catch ptr @_ZTIi
      %o = extractvalue { ptr, i32 } %lp, 0
      %p = call ptr @__cxa_begin_catch(ptr %o)
      %v = load i32, ptr %p
      call void @__cxa_end_catch()
      ret i32 %v
    })");
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int(int)>(G, "f")(44), 44);
}

TEST_F(ExceptionsTest, ExceptionPassesThroughAnAbiThunk) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    declare void @programThrow(i32)
    define void @f(i32 %x) nounwind {
      call void @programThrow(i32 %x)
      ret void
    })");
  // nounwind: a unit that makes no unwind tables of its own gets them too.
  replace(U, "f", addressOf(programIdentity));
  U.Functions.back().NeedsAbiThunk = true;
  StagedGeneration G = stage(P);
  EXPECT_TRUE(G.Functions[0].AbiThunk);
  EXPECT_EQ(programCatch(targetOf<void(int)>(G, "f"), 55), 55);
}

// F9: generations share one registration with the unwinder. Each finds its way
// through it, whichever came before, and after others were taken back.
TEST_F(ExceptionsTest, ManyGenerationsCanBeUnwound) {
  constexpr int Count = 40;
  std::vector<void (*)(int)> Functions;
  for (int I = 0; I != Count; ++I) {
    Plan P;
    PlannedUnit &U = addUnit(P, R"(
      declare void @programThrow(i32)
      define void @f(i32 %x) uwtable {
        %y = add i32 %x, 1
        call void @programThrow(i32 %y)
        ret void
      })");
    replace(U, "f", addressOf(programIdentity));
    if (I % 4 == 3) {
      auto Staged = TheLinker->stage(P, {});
      ASSERT_TRUE(bool(Staged)) << toString(Staged.takeError());
      Staged->abandon();
      continue;
    }
    StagedGeneration G = stage(P);
    Functions.push_back(targetOf<void(int)>(G, "f"));
    EXPECT_EQ(programCatch(Functions.front(), I), I + 1);
    EXPECT_EQ(programCatch(Functions.back(), I), I + 1);
  }
  for (void (*F)(int) : Functions)
    EXPECT_EQ(programCatch(F, 7), 8);
}
