#include "Patch/Ledger.h"

#include "gtest/gtest.h"

using namespace hotjit;

namespace {

ProgramAddr at(uint64_t A) { return ProgramAddr(A); }

Ledger::Switch to(unsigned Slot, uint64_t Target) {
  return {Slot, at(Target), {at(Target), at(Target + 0x10)}};
}

class LedgerTest : public testing::Test {
protected:
  void SetUp() override {
    Book.addSlot({at(0xa0), {}});
    Book.addSlot({at(0xb0), {}});
  }
  uint64_t target(unsigned Slot) { return Book.bodyOf(Slot).Target.value(); }
  Ledger Book;
};

TEST_F(LedgerTest, BeginsAsBuilt) {
  EXPECT_EQ(Book.current(), 0u);
  EXPECT_EQ(target(0), 0xa0u);
  EXPECT_FALSE(Book.undo());
  EXPECT_FALSE(Book.redo());
}

TEST_F(LedgerTest, UndoesAndRedoesAcrossFive) { // E14
  for (uint64_t I = 1; I <= 5; ++I)
    EXPECT_EQ(Book.commit({to(0, 0xa0 + I)}), I);
  for (uint64_t I = 5; I-- != 0;) {
    EXPECT_TRUE(Book.undo());
    EXPECT_EQ(Book.current(), I);
    EXPECT_EQ(target(0), 0xa0 + I);
  }
  EXPECT_FALSE(Book.undo());
  for (uint64_t I = 1; I <= 5; ++I) {
    EXPECT_TRUE(Book.redo());
    EXPECT_EQ(target(0), 0xa0 + I);
  }
  EXPECT_FALSE(Book.redo());
}

TEST_F(LedgerTest, ASlotKeepsWhatAnEarlierGenerationGaveIt) {
  Book.commit({to(0, 1), to(1, 2)});
  Book.commit({to(1, 3)});
  EXPECT_EQ(target(0), 1u);
  EXPECT_EQ(target(1), 3u);
  Book.undo();
  EXPECT_EQ(target(1), 2u);
  Book.undo();
  EXPECT_EQ(target(1), 0xb0u);
}

TEST_F(LedgerTest, ACommitForgetsWhatWasUndone) { // E14
  Book.commit({to(0, 1)});
  Book.commit({to(0, 2), to(1, 2)});
  Book.undo();
  // The number of the forgotten one is not given again.
  EXPECT_EQ(Book.commit({to(0, 3)}), 3u);
  EXPECT_FALSE(Book.redo());
  EXPECT_EQ(target(0), 3u);
  EXPECT_EQ(target(1), 0xb0u);
  Book.undo();
  EXPECT_EQ(Book.current(), 1u);
  EXPECT_EQ(target(0), 1u);
}

TEST_F(LedgerTest, SlotsThatComeLaterAreInEarlierGenerationsToo) {
  Book.commit({to(0, 1)});
  Book.addSlot({at(0xc0), {}});
  Book.commit({to(2, 2)});
  Book.undo();
  EXPECT_EQ(target(2), 0xc0u);
}

TEST_F(LedgerTest, AnAddedFunctionKeepsABodyForWhoeverHoldsItsAddress) {
  Book.addAddedSlot({at(0xdead), {}});
  EXPECT_EQ(target(2), 0xdeadu);
  Book.commit({to(2, 7)});
  Book.commit({to(2, 8)});
  Book.undo();
  Book.undo();
  EXPECT_EQ(target(2), 7u);
  Book.commit({to(0, 1)});
  EXPECT_EQ(target(2), 7u);
}

} // namespace
