#include "Patch/StubTable.h"
#include "Patch/ModuleCode.h"
#include "Patch/os/linux/MemoryMap.h"

#include "gtest/gtest.h"
#include <sys/mman.h>

using namespace hotjit;

namespace {

int one() { return 1; }
int two() { return 2; }

template <typename F> ProgramAddr address(F *Function) {
  return ProgramAddr(reinterpret_cast<uint64_t>(Function));
}

int call(ProgramAddr Stub) {
  return reinterpret_cast<int (*)()>(Stub.value())();
}

/// Calls Stub with a value in r11 and says whether it is still there.
bool keepsR11(ProgramAddr Stub) {
  uint64_t After = 0;
  asm volatile("mov $0x1234567, %%r11\n\t"
               "sub $128, %%rsp\n\t" // the compiler's red zone
               "call *%1\n\t"
               "add $128, %%rsp\n\t"
               "mov %%r11, %0"
               : "=r"(After)
               : "r"(Stub.value())
               : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
                 "xmm0", "xmm1", "memory", "cc");
  return After == 0x1234567;
}

class StubTableTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::Expected<CodeBarrier> Barrier = CodeBarrier::create();
    ASSERT_TRUE(bool(Barrier));
    llvm::Expected<std::unique_ptr<StubTable>> T = StubTable::create(*Barrier);
    ASSERT_TRUE(bool(T));
    Table = std::move(*T);
    ProgramAddr Here = address(&one);
    Code = std::make_unique<ModuleCode>(AddrRange{Here, Here + 1},
                                        Table->currentWord());
  }
  ProgramAddr stub(bool PreserveR11, ProgramAddr Target) {
    llvm::Expected<ProgramAddr> Stub =
        Code->addStub(PreserveR11, Table->slots());
    EXPECT_TRUE(bool(Stub));
    Table->addSlot(Target);
    return *Stub;
  }
  std::unique_ptr<StubTable> Table;
  std::unique_ptr<ModuleCode> Code;
};

TEST_F(StubTableTest, OnePublicationSwitchesEveryStub) {
  ProgramAddr A = stub(false, address(&one)), B = stub(true, address(&two));
  ASSERT_FALSE(bool(Table->publish()));
  EXPECT_EQ(call(A), 1);
  EXPECT_EQ(call(B), 2);
  Table->set(0, address(&two));
  Table->set(1, address(&one));
  EXPECT_EQ(call(A), 1); // not yet
  ASSERT_FALSE(bool(Table->publish()));
  EXPECT_EQ(call(A), 2);
  EXPECT_EQ(call(B), 1);
}

TEST_F(StubTableTest, PublishedTablesAreNotTouchedAgain) {
  stub(false, address(&one));
  ASSERT_FALSE(bool(Table->publish()));
  auto **Current = reinterpret_cast<uint64_t **>(Table->currentWord().value());
  uint64_t *First = *Current;
  stub(false, address(&two));
  Table->set(0, address(&two));
  ASSERT_FALSE(bool(Table->publish()));
  EXPECT_NE(*Current, First);
  EXPECT_EQ(First[0], address(&one).value());
  EXPECT_EQ((*Current)[0], address(&two).value());
}

TEST_F(StubTableTest, ThePushingFormPreservesR11) {
  ProgramAddr Plain = stub(false, address(&one));
  ProgramAddr Pushing = stub(true, address(&one));
  ASSERT_FALSE(bool(Table->publish()));
  EXPECT_FALSE(keepsR11(Plain));
  EXPECT_TRUE(keepsR11(Pushing));
}

TEST_F(StubTableTest, StubsBeginWithEndbr) {
  ProgramAddr A = stub(false, address(&one));
  EXPECT_EQ(*reinterpret_cast<const uint32_t *>(A.value()), 0xfa1e0ff3u);
}

TEST_F(StubTableTest, ItsCodeIsNeverWritableWhereItRuns) {
  ProgramAddr A = stub(false, address(&one));
  llvm::Expected<std::vector<Mapping>> Map = readMemoryMap();
  ASSERT_TRUE(bool(Map));
  const Mapping *M = findMapping(*Map, A);
  ASSERT_NE(M, nullptr);
  EXPECT_EQ(M->Protection, PROT_READ | PROT_EXEC);
}

} // namespace
