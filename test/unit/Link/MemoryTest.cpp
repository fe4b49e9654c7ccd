#include "LinkTest.h"
#include "Support/Error.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h"
#include <cstring>
#include <fstream>
#include <sys/mman.h>

using namespace hotjit;
using namespace llvm;

extern "C" struct jit_descriptor __jit_debug_descriptor;

using MemoryTest = LinkTest;

static std::vector<std::string> mappings() {
  std::ifstream Maps("/proc/self/maps");
  std::vector<std::string> Lines;
  for (std::string Line; std::getline(Maps, Line);)
    Lines.push_back(Line);
  return Lines;
}

static size_t objectsShownToDebuggers() {
  size_t Count = 0;
  for (jit_code_entry *E = __jit_debug_descriptor.first_entry; E;
       E = E->next_entry)
    ++Count;
  return Count;
}

static const char WithData[] = R"(
  @fresh = global i32 5
  @zeroes = global [64 x i32] zeroinitializer
  @table = internal constant [2 x i32] [i32 6, i32 7]
  define i32 @f(i64 %i) {
    %p = getelementptr [2 x i32], ptr @table, i64 0, i64 %i
    %a = load i32, ptr %p
    %b = load i32, ptr @fresh
    %r = add i32 %a, %b
    ret i32 %r
  })";

namespace {
class GenerationTest : public LinkTest {
protected:
  Expected<StagedGeneration> stageWithData() {
    Plan P;
    PlannedUnit &U = addUnit(P, WithData);
    replace(U, "f", addressOf(programIdentity));
    place(U, "fresh", Create);
    place(U, "zeroes", Create);
    place(U, "table", Copy);
    return TheLinker->stage(P, {});
  }
};
} // namespace

TEST_F(GenerationTest, CodeIsNearItsModule) {
  auto G = stageWithData();
  ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
  AddrRange Text = Program->modules()[executable()].Text;
  for (ProgramAddr End : {Text.Begin, Text.End}) {
    EXPECT_LT(std::abs(G->Functions[0].Target - End), int64_t(1) << 31);
    EXPECT_LT(std::abs(G->Variables[0].Address - End), int64_t(1) << 31);
  }
  G->abandon();
}

TEST_F(GenerationTest, NothingIsWritableAndExecutable) {
  auto G = stageWithData();
  ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
  for (const std::string &Line : mappings())
    EXPECT_FALSE(StringRef(Line).contains(" rwx")) << Line;
  G->abandon();
}

TEST_F(GenerationTest, AbandonLeavesNothingBehind) {
  // The slab and ORC's own first allocations stay.
  for (int I = 0; I != 3; ++I) {
    auto G = stageWithData();
    ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
    G->abandon();
  }
  size_t Shown = objectsShownToDebuggers();
  size_t Before = mappings().size();
  for (int I = 0; I != 50; ++I) {
    auto G = stageWithData();
    ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
    EXPECT_EQ(objectsShownToDebuggers(), Shown + 1);
    G->abandon();
  }
  EXPECT_EQ(objectsShownToDebuggers(), Shown);
  // Malloc may have made an arena meanwhile; fifty stages would leave 150.
  EXPECT_LT(mappings().size(), Before + 5);
}

// J1: generations lie beside each other, page by page of one permission, and
// the kernel has one mapping for all of them.
TEST_F(GenerationTest, AThousandTakeNoMoreMappingsThanOne) {
  auto Keep = [&] {
    auto G = stageWithData();
    ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
    EXPECT_EQ(targetOf<int(long)>(*G, "f")(0), 11);
    G->keep();
  };
  for (int I = 0; I != 10; ++I)
    Keep();
  size_t Before = mappings().size();
  for (int I = 0; I != 1000; ++I)
    Keep();
  // Arenas of malloc, another slab.
  EXPECT_LT(mappings().size(), Before + 20);
}

TEST_F(GenerationTest, FailedStageLeavesNothingBehind) {
  auto Fail = [&] {
    Plan P;
    PlannedUnit &U = addUnit(P, R"(
      declare void @frob()
      define void @f() {
        call void @frob()
        ret void
      })");
    replace(U, "f", addressOf(programIdentity));
    return stageError(P);
  };
  Fail();
  size_t Shown = objectsShownToDebuggers();
  size_t Before = mappings().size();
  for (int I = 0; I != 50; ++I)
    EXPECT_THAT(Fail(), testing::HasSubstr("frob"));
  EXPECT_EQ(objectsShownToDebuggers(), Shown);
  EXPECT_LT(mappings().size(), Before + 5);
}

TEST_F(GenerationTest, MemoryIsReusedAndZero) {
  auto First = stageWithData();
  ASSERT_TRUE(static_cast<bool>(First)) << toString(First.takeError());
  ProgramAddr Where = First->Functions[0].Target;
  auto Zeroes = [](const StagedGeneration &G) {
    EXPECT_EQ(G.Variables[1].Symbol, "zeroes");
    return reinterpret_cast<int *>(G.Variables[1].Address.value());
  };
  for (int I = 0; I != 64; ++I)
    Zeroes(*First)[I] = -1;
  First->abandon();
  auto Second = stageWithData();
  ASSERT_TRUE(static_cast<bool>(Second)) << toString(Second.takeError());
  EXPECT_EQ(Second->Functions[0].Target, Where);
  for (int I = 0; I != 64; ++I)
    EXPECT_EQ(Zeroes(*Second)[I], 0);
  auto *F = targetOf<int(long)>(*Second, "f");
  EXPECT_EQ(F(1), 12);
  Second->abandon();
}

TEST_F(GenerationTest, KeptCodeOutlivesTheLinker) {
  auto G = stageWithData();
  ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
  G->keep();
  auto *F = targetOf<int(long)>(*G, "f");
  size_t Shown = objectsShownToDebuggers();
  TheLinker.reset();
  EXPECT_EQ(F(0), 11);
  EXPECT_EQ(objectsShownToDebuggers(), Shown);
}

TEST_F(GenerationTest, UnmetObligationIsReported) {
  static std::string Reported;
  Reported.clear();
  setBrokenInvariantHandler([](const char *Text) { Reported = Text; });
  {
    auto G = stageWithData();
    ASSERT_TRUE(static_cast<bool>(G)) << toString(G.takeError());
    StagedGeneration Moved = std::move(*G);
  }
  setBrokenInvariantHandler(nullptr);
  EXPECT_THAT(Reported, testing::HasSubstr("neither kept nor abandoned"));
}

// llvm/llvm-project#190968: -fno-plt in a program below 4 GiB.
TEST_F(MemoryTest, CallThroughTheGotReachesLowMemory) {
  auto *Low = static_cast<uint8_t *>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  ASSERT_NE(Low, MAP_FAILED);
  const uint8_t Return42[] = {0xb8, 42, 0, 0, 0, 0xc3};
  std::memcpy(Low, Return42, sizeof(Return42));
  ASSERT_EQ(mprotect(Low, 4096, PROT_READ | PROT_EXEC), 0);
  for (unsigned Level : {0u, 2u}) {
    Plan P;
    PlannedUnit &U = addUnit(P, R"(
      declare i32 @low() nonlazybind
      define i32 @f() {
        %a = call i32 @low() nonlazybind
        %r = add i32 %a, 1
        ret i32 %r
      }
      define i32 @g() {
        %r = tail call i32 @low() nonlazybind
        ret i32 %r
      })");
    U.New->Settings.OptLevel = Level;
    replace(U, "f", addressOf(programIdentity));
    replace(U, "g", addressOf(programTwice));
    U.BoundFunctions["low"] = addressOf(Low);
    StagedGeneration G = stage(P);
    EXPECT_EQ(targetOf<int()>(G, "f")(), 43);
    EXPECT_EQ(targetOf<int()>(G, "g")(), 42);
  }
  munmap(Low, 4096);
}
