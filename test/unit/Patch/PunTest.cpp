#include "Patch/arch/x86_64/Pun.h"

#include "llvm/ADT/SmallVector.h"
#include "gtest/gtest.h"

using namespace hotjit;

namespace {

bool allowed(uint32_t Distance, unsigned Boundaries) {
  for (unsigned K = 1; K <= 4; ++K)
    if ((Boundaries >> K & 1) &&
        !isInvalidOpcode(uint8_t(Distance >> (8 * (K - 1)))))
      return false;
  return true;
}

TEST(PunTest, NextIsTheSmallestThatIsAllowed) {
  EXPECT_EQ(*nextPun(0x12345678, 0), 0x12345678u);
  EXPECT_EQ(*nextPun(0, 1u << 4), 0x06000000u);
  EXPECT_EQ(*nextPun(0x08112233, 1u << 4), 0x0e000000u);
  EXPECT_EQ(*nextPun(0, 0b11110), 0x06060606u);
  EXPECT_EQ(*nextPun(0x06060662, 0b11110), 0x06060706u);
  EXPECT_EQ(*nextPun(0x06616162, 0b11110), 0x07060606u);
  EXPECT_FALSE(nextPun(0x62000000, 1u << 4));
  // Against a search, for every set of boundaries.
  for (unsigned Boundaries = 0; Boundaries != 32; Boundaries += 2)
    for (uint32_t First : {0x06060000u, 0x0617ff00u, 0x3f606061u}) {
      uint32_t Expected = First;
      while (!allowed(Expected, Boundaries))
        ++Expected;
      EXPECT_EQ(*nextPun(First, Boundaries), Expected);
    }
}

TEST(PunTest, ChoosesWhatIsFree) {
  AddrRange Text = {ProgramAddr(0x400000), ProgramAddr(0x500000)};
  AddrRange Region = punRegions(Text).front();
  ProgramAddr Site(0x412345);
  ProgramAddr Taken =
      *choosePun(Site, 0b10010, Region, [](ProgramAddr A) { return A; });
  EXPECT_TRUE(Region.contains(Taken));
  EXPECT_TRUE(allowed(uint32_t(Taken - (Site + 5)), 0b10010));
  ProgramAddr Other = *choosePun(Site, 0b10010, Region, [&](ProgramAddr A) {
    return A < Taken + 18 ? Taken + 18 : A;
  });
  EXPECT_GE(Other, Taken + 18);
  EXPECT_TRUE(allowed(uint32_t(Other - (Site + 5)), 0b10010));
  EXPECT_FALSE(choosePun(Site, 0b10010, Region,
                         [&](ProgramAddr) { return Region.End; }));
}

TEST(PunTest, KnowsWhereABreakpointMakesAJumpLead) {
  AddrRange Text = {ProgramAddr(0x555555000000), ProgramAddr(0x555555100000)};
  AddrRange Region = punRegions(Text).front();
  ProgramAddr Site(0x555555012345), Stub = Site + 5 + 0x3f071661;
  ASSERT_TRUE(Region.contains(Stub));
  llvm::SmallVector<ProgramAddr, 4> Targets =
      breakpointTargets(Site, 0b11110, Stub);
  ASSERT_EQ(Targets.size(), 4u);
  EXPECT_EQ(Targets[0], Site + 5 + 0x3f0716cc);
  EXPECT_EQ(Targets[1], Site + 5 + 0x3f07cc61);
  EXPECT_EQ(Targets[2], Site + 5 + 0x3fcc1661);
  EXPECT_EQ(Targets[3], Site + 5 + int32_t(0xcc071661));
  for (int I : {0, 1, 2})
    EXPECT_TRUE(Region.contains(Targets[I]));
  EXPECT_TRUE(breakpointRegion(Text, Region)->contains(Targets[3]));
  // A program that is not position-independent has nothing below it.
  AddrRange Low = {ProgramAddr(0x400000), ProgramAddr(0x500000)};
  EXPECT_FALSE(breakpointRegion(Low, punRegions(Low).front()));
}

TEST(PunTest, EveryEntryOfAModuleHasHundredsOfPlacesInEachRegion) {
  AddrRange Text = {ProgramAddr(0x555555000000), ProgramAddr(0x555555800000)};
  for (AddrRange Region : punRegions(Text))
    for (ProgramAddr Site :
         {Text.Begin, Text.Begin + 0x34567, Text.End + -16}) {
      unsigned Places = 0;
      ProgramAddr From = Region.Begin;
      while (std::optional<ProgramAddr> Place =
                 choosePun(Site, 0b11110, {From, Region.End},
                           [](ProgramAddr A) { return A; })) {
        ++Places;
        From = *Place + 1;
      }
      EXPECT_GE(Places, 169u);
    }
}

} // namespace
