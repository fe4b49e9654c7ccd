#include "LinkTest.h"
#include <latch>
#include <link.h>
#include <sys/mman.h>
#include <thread>
#include <vector>

using namespace hotjit;

using VariablesTest = LinkTest;

TEST_F(VariablesTest, FileLocalVariableIsTheProgramsOwn) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @counter = internal global i32 999
    define i32 @f(i32 %by) {
      %old = load i32, ptr @counter
      %new = add i32 %old, %by
      store i32 %new, ptr @counter
      ret i32 %new
    })");
  replace(U, "f", addressOf(programIdentity));
  place(U, "counter", Bind, addressOf(&programCounter()));
  StagedGeneration G = stage(P);
  programCounter() = 100;
  EXPECT_EQ(targetOf<int(int)>(G, "f")(5), 105);
  EXPECT_EQ(programCounter(), 105);
}

TEST_F(VariablesTest, OptimizerDoesNotSeeInitialValues) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @mode = internal global i32 5
    define i32 @f() {
      %v = load i32, ptr @mode
      ret i32 %v
    })");
  U.New->Settings.OptLevel = 2;
  replace(U, "f", addressOf(programIdentity));
  place(U, "mode", Bind, addressOf(&programMode()));
  programMode() = 7;
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int()>(G, "f")(), 7);
}

TEST_F(VariablesTest, AliasOfAVariableIsBound) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @counter = global i32 999
    @other = alias i32, ptr @counter
    define i32 @f() {
      %v = load i32, ptr @other
      ret i32 %v
    })");
  replace(U, "f", addressOf(programIdentity));
  place(U, "other", Bind, addressOf(&programCounter()));
  StagedGeneration G = stage(P);
  programCounter() = 6;
  EXPECT_EQ(targetOf<int()>(G, "f")(), 6);
}

TEST_F(VariablesTest, CreatedVariableIsReportedAndInitializedByItsCode) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @fresh = internal global [3 x i32] [i32 1, i32 2, i32 3]
    @llvm.global_ctors = appending global [1 x { i32, ptr, ptr }]
      [{ i32, ptr, ptr } { i32 65535, ptr @_GLOBAL__sub_I_unit, ptr null }]
    @llvm.used = appending global [1 x ptr] [ptr @fresh], section "llvm.metadata"
    define internal void @__cxx_global_var_init() section ".text.startup" {
      %v = load i32, ptr @fresh
      %n = add i32 %v, 10
      store i32 %n, ptr @fresh
      ret void
    }
    define internal void @_GLOBAL__sub_I_unit() {
      call void @__cxx_global_var_init()
      ret void
    }
    define i32 @f() {
      %v = load i32, ptr @fresh
      ret i32 %v
    })");
  U.New->Variables.push_back({});
  U.New->Variables.back().Symbol = "fresh";
  U.New->Variables.back().Name = "fresh";
  U.New->Variables.back().Linkage = SymbolLinkage::Internal;
  replace(U, "f", addressOf(programIdentity));
  place(U, "fresh", Create);
  U.Initializers = {"__cxx_global_var_init"};
  StagedGeneration G = stage(P);
  auto *F = targetOf<int()>(G, "f");
  EXPECT_EQ(F(), 1) << "staging ran the initializer";
  ASSERT_EQ(G.Initializers.size(), 1u);
  reinterpret_cast<void (*)()>(G.Initializers[0].value())();
  EXPECT_EQ(F(), 11);
  ASSERT_EQ(G.Variables.size(), 1u);
  EXPECT_EQ(G.Variables[0].Symbol, "fresh");
  EXPECT_EQ(G.Variables[0].Size, 12u);
  EXPECT_EQ(G.Variables[0].Linkage, SymbolLinkage::Internal);
  EXPECT_EQ(*reinterpret_cast<int *>(G.Variables[0].Address.value()), 11);
}

TEST_F(VariablesTest, ReinitializedVariableGetsItsNewInitialValue) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @counter = internal global i32 999
    define i32 @f() {
      %v = load i32, ptr @counter
      ret i32 %v
    })");
  replace(U, "f", addressOf(programIdentity));
  place(U, "counter", Bind, addressOf(&programCounter()));
  U.Reinitialize = {"counter"};
  programCounter() = 6;
  StagedGeneration G = stage(P);
  EXPECT_EQ(programCounter(), 6) << "staging changed the program";
  ASSERT_EQ(G.Initializers.size(), 1u);
  reinterpret_cast<void (*)()>(G.Initializers[0].value())();
  EXPECT_EQ(programCounter(), 999);
}

TEST_F(VariablesTest, CopyLivesWithTheNewCode) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @.str = private unnamed_addr constant [3 x i8] c"hi\00"
    @ProgramVisible = constant i32 8
    define i32 @f() {
      %a = load i32, ptr @ProgramVisible
      %c = load i8, ptr @.str
      %b = zext i8 %c to i32
      %r = add i32 %a, %b
      ret i32 %r
    })");
  replace(U, "f", addressOf(programIdentity));
  place(U, "ProgramVisible", Copy); // by its name it would be the program's
  StagedGeneration G = stage(P);
  EXPECT_EQ(targetOf<int()>(G, "f")(), 8 + 'h');
}

TEST_F(VariablesTest, InlineVariableOfTwoUnitsIsCreatedOnce) {
  Plan P;
  const char Text[] = R"(
    $inlined = comdat any
    @inlined = linkonce_odr global i32 1, comdat
    define i32 @f(i32 %by) {
      %old = load i32, ptr @inlined
      %new = add i32 %old, %by
      store i32 %new, ptr @inlined
      ret i32 %new
    })";
  PlannedUnit &A = addUnit(P, Text, "/a.cc");
  replace(A, "f", addressOf(programTwice));
  place(A, "inlined", Create);
  PlannedUnit &B = addUnit(P, Text, "/b.cc");
  replace(B, "f", addressOf(programHidden));
  place(B, "inlined", Create);
  StagedGeneration G = stage(P);
  EXPECT_EQ(G.Variables.size(), 1u);
  ASSERT_EQ(G.Functions.size(), 2u);
  auto Call = [&](size_t I, int By) {
    return reinterpret_cast<int (*)(int)>(G.Functions[I].Target.value())(By);
  };
  EXPECT_EQ(Call(0, 10), 11);
  EXPECT_EQ(Call(1, 100), 111);
}

TEST_F(VariablesTest, VariableFarAwayIsReached) {
  // As far as addresses go: a program that is not position independent.
  void *Low = mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  ASSERT_NE(Low, MAP_FAILED);
  *static_cast<int *>(Low) = 12;
  for (unsigned Level : {0u, 2u}) {
    Plan P;
    PlannedUnit &U = addUnit(P, R"(
      @low = internal global i32 0
      define i32 @f() {
        %v = load i32, ptr @low
        ret i32 %v
      })");
    U.New->Settings.OptLevel = Level;
    replace(U, "f", addressOf(programIdentity));
    place(U, "low", Bind, addressOf(static_cast<int *>(Low)));
    StagedGeneration G = stage(P);
    EXPECT_EQ(targetOf<int()>(G, "f")(), 12) << "-O" << Level;
  }
  munmap(Low, 4096);
}

namespace {
class ThreadLocalsTest : public LinkTest,
                         public testing::WithParamInterface<unsigned> {
protected:
  static const char *text() {
    return R"(
      @tl = thread_local global i32 999
      define i32 @f(i32 %by) {
        %p = call ptr @llvm.threadlocal.address.p0(ptr @tl)
        %old = load i32, ptr %p
        %new = add i32 %old, %by
        %q = call ptr @llvm.threadlocal.address.p0(ptr @tl)
        store i32 %new, ptr %q
        ret i32 %new
      }
      declare ptr @llvm.threadlocal.address.p0(ptr))";
  }

  /// Offset of the variable in the executable's TLS block.
  static uint64_t tlsOffset() {
    char *Block = nullptr;
    dl_iterate_phdr(
        [](dl_phdr_info *Info, size_t, void *Out) {
          *static_cast<void **>(Out) = Info->dlpi_tls_data;
          return 1; // the executable comes first
        },
        &Block);
    return reinterpret_cast<char *>(&ProgramThreadLocal) - Block;
  }

  /// A19: three threads alive at once, each with a value of its own.
  static void checkThreads(int (*F)(int)) {
    std::latch AllStarted(3);
    int Seen[3] = {}, Returned[3] = {};
    std::vector<std::thread> Threads;
    for (int I = 0; I != 3; ++I)
      Threads.emplace_back([&, I] {
        ProgramThreadLocal += I;
        AllStarted.arrive_and_wait();
        F(100);
        Returned[I] = F(1000);
        Seen[I] = ProgramThreadLocal;
      });
    for (std::thread &T : Threads)
      T.join();
    EXPECT_THAT(Seen, testing::ElementsAre(1105, 1106, 1107));
    EXPECT_THAT(Returned, testing::ElementsAre(1105, 1106, 1107));
  }
};
} // namespace

TEST_P(ThreadLocalsTest, ConstantDistanceFromTheThreadPointer) {
  const ImageModule &M = Program->modules()[executable()];
  ASSERT_TRUE(M.TlsBlockOffset.has_value());
  Plan P;
  PlannedUnit &U = addUnit(P, text());
  U.New->Settings.OptLevel = GetParam();
  replace(U, "f", addressOf(programIdentity));
  PlannedVariable &V = place(U, "tl", BindThreadLocal);
  V.TlsOffset = tlsOffset();
  V.TlsModuleId = M.TlsModuleId;
  V.TlsBlockOffset = M.TlsBlockOffset;
  StagedGeneration G = stage(P);
  checkThreads(targetOf<int(int)>(G, "f"));
}

TEST_P(ThreadLocalsTest, AskedOfTheDynamicLinker) {
  Plan P;
  PlannedUnit &U = addUnit(P, text());
  U.New->Settings.OptLevel = GetParam();
  replace(U, "f", addressOf(programIdentity));
  PlannedVariable &V = place(U, "tl", BindThreadLocal);
  V.TlsOffset = tlsOffset();
  V.TlsModuleId = Program->modules()[executable()].TlsModuleId;
  StagedGeneration G = stage(P);
  checkThreads(targetOf<int(int)>(G, "f"));
}

// A22: found by its name, in whatever module it is.
TEST_P(ThreadLocalsTest, FoundByName) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @ProgramThreadLocal = external thread_local global i32
    define i32 @f(i32 %by) {
      %p = call ptr @llvm.threadlocal.address.p0(ptr @ProgramThreadLocal)
      %old = load i32, ptr %p
      %new = add i32 %old, %by
      store i32 %new, ptr %p
      ret i32 %new
    }
    declare ptr @llvm.threadlocal.address.p0(ptr))");
  U.New->Settings.OptLevel = GetParam();
  replace(U, "f", addressOf(programIdentity));
  StagedGeneration G = stage(P);
  checkThreads(targetOf<int(int)>(G, "f"));
}

// A20: storage of our own. Code that names the variable itself, through
// arithmetic and at a join of two ways, as initializers and guards do.
TEST_P(ThreadLocalsTest, ANewOneHasItsInitialValueInEachThread) {
  Plan P;
  PlannedUnit &U = addUnit(P, R"(
    @tl = internal thread_local global [2 x i32] [i32 5, i32 7]
    define i32 @f(i32 %by) {
      %odd = trunc i32 %by to i1
      br i1 %odd, label %one, label %two
    one:
      br label %join
    two:
      br label %join
    join:
      %p = phi ptr [ @tl, %one ], [ getelementptr (i8, ptr @tl, i64 4), %two ]
      %old = load i32, ptr %p
      %new = add i32 %old, %by
      store i32 %new, ptr %p
      ret i32 %new
    })");
  U.New->Settings.OptLevel = GetParam();
  replace(U, "f", addressOf(programIdentity));
  place(U, "tl", Create);
  StagedGeneration G = stage(P);
  ASSERT_EQ(G.Variables.size(), 1u);
  EXPECT_TRUE(G.Variables[0].ThreadLocal);
  auto *F = targetOf<int(int)>(G, "f");
  EXPECT_EQ(F(1), 6);
  std::thread([&] {
    EXPECT_EQ(F(1), 6);
    EXPECT_EQ(F(2), 9);
  }).join();
  EXPECT_EQ(F(1), 7);
  EXPECT_EQ(F(2), 9);

  // The next generation knows it by its control block.
  Plan Next;
  PlannedUnit &V = addUnit(Next, text());
  replace(V, "f", addressOf(programIdentity));
  place(V, "tl", PlannedVariable::Action::BindAddedThreadLocal,
        G.Variables[0].Address);
  EXPECT_EQ(targetOf<int(int)>(stage(Next), "f")(10), 17);
}

INSTANTIATE_TEST_SUITE_P(Levels, ThreadLocalsTest, testing::Values(0u, 2u));
