#include "Link/AbiThunk.h"
#include "Link/Emitter.h"
#include "LinkTest.h"
#include <cstring>

using namespace hotjit;

// The caller that GCC would make, in assembly: it keeps a value in every
// caller-saved register over the call, with a stack that may be misaligned.

namespace {
struct alignas(32) Registers {
  uint64_t General[9]; // rax, rdx, rcx, rsi, rdi, r8, r9, r10, r11
  uint64_t Unused[3];
  uint8_t Vector[16][32]; // xmm: the lower 16 bytes
};
} // namespace

extern "C" {
void callXMM(uint64_t Target, const Registers *Before, Registers *After,
             uint64_t Misaligned);
void callYMM(uint64_t Target, const Registers *Before, Registers *After,
             uint64_t Misaligned);
/// Overwrites every caller-saved register.
void trashXMM();
void trashYMM();
uint64_t StackSeen; ///< rsp at the last entry of a trash function
}

asm(R"(
  .pushsection .text

  .macro caller name, move, reg
  .globl \name
  .type \name, @function
\name:
  pushq %rbp
  movq %rsp, %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  subq %rcx, %rsp
  movq %rdi, %r12
  movq %rsi, %rbx
  movq %rdx, %r13
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  \move 96 + 32 * \i(%rbx), %\reg\i
  .endr
  movq (%rbx), %rax
  movq 8(%rbx), %rdx
  movq 16(%rbx), %rcx
  movq 24(%rbx), %rsi
  movq 32(%rbx), %rdi
  movq 40(%rbx), %r8
  movq 48(%rbx), %r9
  movq 56(%rbx), %r10
  movq 64(%rbx), %r11
  callq *%r12
  movq %r13, %rbx
  movq %rax, (%rbx)
  movq %rdx, 8(%rbx)
  movq %rcx, 16(%rbx)
  movq %rsi, 24(%rbx)
  movq %rdi, 32(%rbx)
  movq %r8, 40(%rbx)
  movq %r9, 48(%rbx)
  movq %r10, 56(%rbx)
  movq %r11, 64(%rbx)
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  \move %\reg\i, 96 + 32 * \i(%rbx)
  .endr
  leaq -32(%rbp), %rsp
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  retq
  .endm

  .macro trashGeneral
  movq %rsp, StackSeen(%rip)
  .irp r, rax, rdx, rcx, rsi, rdi, r8, r9, r10, r11
  movq $-1, %\r
  .endr
  .endm

  caller callXMM, movups, xmm
  caller callYMM, vmovups, ymm

  .globl trashXMM
  .type trashXMM, @function
trashXMM:
  trashGeneral
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  pcmpeqd %xmm\i, %xmm\i
  .endr
  retq

  .globl trashYMM
  .type trashYMM, @function
trashYMM:
  trashGeneral
  .irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  vcmptrueps %ymm\i, %ymm\i, %ymm\i
  .endr
  retq

  .popsection
)");

namespace {
class AbiThunkTest : public LinkTest {
protected:
  AbiThunkTest() {
    std::memset(&Before, 0, sizeof(Before));
    for (size_t I = 0; I != 9; ++I)
      Before.General[I] = 0x1111111111111111 * (I + 1);
    for (size_t I = 0; I != 16; ++I)
      std::memset(Before.Vector[I], 0x21 + I, 32);
    std::memset(&After, 0, sizeof(After));
  }

  /// Stages f of the text behind a thunk.
  StagedGeneration stageThunk(const char *Text) {
    Plan P;
    PlannedUnit &U = addUnit(P, Text);
    U.New->Settings.OptLevel = 2;
    replace(U, "f", addressOf(programIdentity));
    U.Functions.back().NeedsAbiThunk = true;
    StagedGeneration G = stage(P);
    if (G.Functions.size() == 1) {
      const StagedFunction &F = G.Functions[0];
      EXPECT_TRUE(F.AbiThunk);
      EXPECT_FALSE(F.Code.contains(F.Target));
    }
    return G;
  }

  /// Calls the thunk of f; expects all registers to be as before, but the
  /// first Returned of rax, rdx and of the vector registers.
  void check(const StagedGeneration &G, size_t General, size_t Vector,
             size_t VectorBytes = 16) {
    ASSERT_EQ(G.Functions.size(), 1u);
    auto *Call = VectorBytes == 16 ? callXMM : callYMM;
    for (uint64_t Misaligned : {0, 8}) {
      StackSeen = 0;
      Call(G.Functions[0].Target.value(), &Before, &After, Misaligned);
      EXPECT_EQ((StackSeen + 8) % 16, 0u) << "stack given to the new body";
      EXPECT_NE(StackSeen, 0u);
      for (size_t I = General; I != 9; ++I)
        EXPECT_EQ(After.General[I], Before.General[I]) << "register " << I;
      for (size_t I = Vector; I != 16; ++I)
        EXPECT_EQ(std::memcmp(After.Vector[I], Before.Vector[I], VectorBytes),
                  0)
            << "vector register " << I;
    }
  }

  Registers Before, After;
};
} // namespace

TEST_F(AbiThunkTest, CallerKnowsThatItsRegistersAreTrashedOtherwise) {
  // Without a thunk the same check would see -1 everywhere.
  callXMM(reinterpret_cast<uint64_t>(trashXMM), &Before, &After, 0);
  for (size_t I = 0; I != 9; ++I)
    EXPECT_EQ(After.General[I], ~uint64_t(0));
  for (size_t I = 0; I != 16; ++I)
    EXPECT_EQ(After.Vector[I][15], 0xff);
}

TEST_F(AbiThunkTest, VoidKeepsEveryRegister) {
  StagedGeneration G = stageThunk(R"(
    declare void @trashXMM()
    define void @f() {
      call void @trashXMM()
      ret void
    })");
  check(G, 0, 0);
}

TEST_F(AbiThunkTest, IntegerResultAndArguments) {
  StagedGeneration G = stageThunk(R"(
    declare void @trashXMM()
    define i64 @f(i64 %rdi, i64 %rsi) {
      call void @trashXMM()
      %r = sub i64 %rdi, %rsi
      ret i64 %r
    })");
  check(G, 1, 0);
  EXPECT_EQ(After.General[0], 0x1111111111111111u * (5 - 4));
}

TEST_F(AbiThunkTest, TwoIntegers) {
  StagedGeneration G = stageThunk(R"(
    declare void @trashXMM()
    define { i64, i32 } @f() {
      call void @trashXMM()
      ret { i64, i32 } { i64 71, i32 72 }
    })");
  check(G, 2, 0);
  EXPECT_EQ(After.General[0], 71u);
  EXPECT_EQ(After.General[1] & 0xffffffff, 72u);
}

TEST_F(AbiThunkTest, DoubleResult) {
  StagedGeneration G = stageThunk(R"(
    declare void @trashXMM()
    define double @f(double %x) {
      call void @trashXMM()
      ret double %x
    })");
  check(G, 0, 1);
  EXPECT_EQ(std::memcmp(After.Vector[0], Before.Vector[0], 8), 0);
}

TEST_F(AbiThunkTest, IntegerAndDouble) {
  StagedGeneration G = stageThunk(R"(
    declare void @trashXMM()
    define { double, i64 } @f(double %x) {
      call void @trashXMM()
      %a = insertvalue { double, i64 } poison, double %x, 0
      %b = insertvalue { double, i64 } %a, i64 73, 1
      ret { double, i64 } %b
    })");
  check(G, 1, 1);
  EXPECT_EQ(After.General[0], 73u);
}

TEST_F(AbiThunkTest, LongDoubleResult) {
  StagedGeneration G = stageThunk(R"(
    define x86_fp80 @f(x86_fp80 %x) {
      %r = fadd x86_fp80 %x, %x
      ret x86_fp80 %r
    })");
  EXPECT_EQ(targetOf<long double(long double)>(G, "f")(1.5L), 3.0L);
}

TEST_F(AbiThunkTest, UpperHalvesWhereTheUnitHasThem) {
  if (!__builtin_cpu_supports("avx"))
    GTEST_SKIP() << "this machine has no AVX";
  StagedGeneration G = stageThunk(R"(
    declare void @trashYMM()
    define void @f() "target-features"="+avx,+avx2" {
      call void @trashYMM()
      ret void
    })");
  check(G, 0, 0, 32);
}

// Few machines can run it.
TEST_F(AbiThunkTest, WidestRegistersAssemble) {
  Plan P;
  PlannedUnit &U = addUnit(P, "define double @f(double %x) { ret double %x }");
  llvm::Module &M = *U.New->Code.Module;
  auto Text =
      makeAbiThunk(*M.getFunction("f"), "f", "f.thunk", VectorRegisters::ZMM);
  ASSERT_TRUE(static_cast<bool>(Text)) << toString(Text.takeError());
  EXPECT_THAT(*Text, testing::HasSubstr("%zmm31"));
  EXPECT_THAT(*Text, testing::HasSubstr("%k7"));
  EXPECT_THAT(*Text, testing::Not(testing::HasSubstr("%zmm0,")));
  M.appendModuleInlineAsm(*Text);
  auto Object = Emitter().emit(M, U.New->Settings, "unit");
  EXPECT_TRUE(static_cast<bool>(Object)) << toString(Object.takeError());
}

TEST_F(AbiThunkTest, StackArgumentsAreCopied) {
  StagedGeneration G = stageThunk(R"(
    %struct.Big = type { [5 x i64] }
    define i64 @f(i64 %a, i64 %b, i64 %c, i64 %d, i64 %e, i64 %g, i64 %h,
                  ptr byval(%struct.Big) align 8 %s, i32 %i) {
      %p = getelementptr %struct.Big, ptr %s, i64 0, i32 0, i64 4
      %v = load i64, ptr %p
      %w = sext i32 %i to i64
      %x = add i64 %v, %h
      %y = add i64 %x, %w
      %z = add i64 %y, %a
      ret i64 %z
    })");
  struct Big {
    long A[5];
  };
  auto *F = targetOf<long(long, long, long, long, long, long, long, Big, int)>(
      G, "f");
  ASSERT_TRUE(F);
  EXPECT_EQ(F(1, 2, 3, 4, 5, 6, 10, {{0, 0, 0, 0, 100}}, 1000), 1111);
}

namespace {
struct Triple {
  long A, B, C;
};
} // namespace

TEST_F(AbiThunkTest, ResultInMemoryReturnsItsAddress) {
  StagedGeneration G = stageThunk(R"(
    %struct.Triple = type { i64, i64, i64 }
    declare void @trashXMM()
    define void @f(ptr sret(%struct.Triple) align 8 %r, i64 %x) {
      call void @trashXMM()
      %p = getelementptr %struct.Triple, ptr %r, i64 0, i32 2
      store i64 %x, ptr %p
      ret void
    })");
  Triple Result = {};
  Before.General[4] = reinterpret_cast<uint64_t>(&Result);
  check(G, 1, 0);
  EXPECT_EQ(After.General[0], reinterpret_cast<uint64_t>(&Result));
  EXPECT_EQ(Result.C, static_cast<long>(Before.General[3]));
}
