#include "Support/NearRegion.h"

#include "ErrorMatchers.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace hotjit;
using namespace hotjit::test;
using testing::HasSubstr;

namespace {

const uint64_t PageSize = sysconf(_SC_PAGESIZE);

int AnAnchor; // of the test program's own data

AddrRange around(const void *P, uint64_t Size) {
  auto At = reinterpret_cast<uint64_t>(P) & ~(PageSize - 1);
  return {ProgramAddr(At), ProgramAddr(At + Size)};
}

void *pointer(ProgramAddr A) { return reinterpret_cast<void *>(A.value()); }

/// Every byte of A to every byte of B.
bool isNear(AddrRange A, AddrRange B) {
  auto Near = [](int64_t D) { return uint64_t(std::abs(D)) <= NearLimit; };
  return Near(A.End - B.Begin) && Near(B.End - A.Begin);
}

class NearRegionTest : public testing::Test {
protected:
  AddrRange get(AddrRange Anchor, uint64_t Size) {
    llvm::Expected<AddrRange> R = reserveNear(Anchor, Size);
    EXPECT_TRUE(static_cast<bool>(R)) << messageOf(R.takeError());
    if (!R)
      return {};
    Taken.push_back(*R);
    return *R;
  }
  void TearDown() override {
    for (AddrRange R : Taken)
      munmap(pointer(R.Begin), R.size());
  }
  std::vector<AddrRange> Taken;
};

TEST_F(NearRegionTest, IsInReachOfTheProgramAndOfALibrary) {
  for (AddrRange Anchor :
       {around(&AnAnchor, PageSize),
        around(reinterpret_cast<void *>(&std::strlen), 1 << 20)}) {
    AddrRange R = get(Anchor, 64 << 20);
    EXPECT_EQ(R.size(), 64u << 20);
    EXPECT_TRUE(isNear(R, Anchor));
  }
}

TEST_F(NearRegionTest, IsZeroedAndWritable) {
  AddrRange R = get(around(&AnAnchor, PageSize), 3 * PageSize);
  auto *Bytes = static_cast<unsigned char *>(pointer(R.Begin));
  EXPECT_EQ(Bytes[R.size() - 1], 0);
  Bytes[0] = Bytes[R.size() - 1] = 1;
}

TEST_F(NearRegionTest, RoundsUpToPages) {
  EXPECT_EQ(get(around(&AnAnchor, PageSize), 1).size(), PageSize);
}

TEST_F(NearRegionTest, RegionsDoNotOverlapUntilTheRoomIsUsedUp) {
  // 300 MiB each: three fit into NearLimit on any side.
  AddrRange Anchor = around(&AnAnchor, PageSize);
  for (int I = 0; I != 3; ++I)
    get(Anchor, 300 << 20);
  for (const AddrRange &A : Taken)
    for (const AddrRange &B : Taken)
      EXPECT_TRUE(A == B || A.End <= B.Begin || B.End <= A.Begin);
  // And the room ends: an error in the end, not a region too far away.
  std::string Message;
  for (int I = 0; I != 12 && Message.empty(); ++I) {
    llvm::Expected<AddrRange> R = reserveNear(Anchor, 300 << 20);
    if (R) {
      EXPECT_TRUE(isNear(*R, Anchor));
      Taken.push_back(*R);
    } else {
      Message = messageOf(R.takeError());
    }
  }
  EXPECT_THAT(Message, HasSubstr("no free 314572800 bytes within 1500 MiB"));
}

TEST_F(NearRegionTest, RefusesWhatNoBranchSpans) {
  EXPECT_THAT(
      messageOf(reserveNear(around(&AnAnchor, PageSize), NearLimit + 1)),
      HasSubstr("more than a branch can span"));
  EXPECT_NE(messageOf(reserveNear(around(&AnAnchor, PageSize), 0)), "");
}

TEST_F(NearRegionTest, LeavesNullPointersWithOffsetsAFault) {
  // The lowest anchor that there is: a program that is not
  // position-independent.
  AddrRange R = get({ProgramAddr(0x400000), ProgramAddr(0x401000)}, PageSize);
  EXPECT_GE(R.Begin.value(), 1u << 20);
}

TEST_F(NearRegionTest, ReservesAtAnAddressOnlyIfItIsFree) {
  AddrRange R = get(around(&AnAnchor, PageSize), 2 * PageSize);
  auto *Byte = static_cast<char *>(pointer(R.Begin));
  *Byte = 42;
  EXPECT_NE(messageOf(reserveAt(R.Begin, PageSize)), "");
  EXPECT_NE(messageOf(reserveAt(R.Begin + -int64_t(PageSize), 2 * PageSize)),
            "");
  EXPECT_EQ(*Byte, 42);
  munmap(pointer(R.Begin), R.size());
  EXPECT_EQ(messageOf(reserveAt(R.Begin, R.size())), "");
  EXPECT_EQ(*Byte, 0);
}

TEST_F(NearRegionTest, ReservesWholePagesOnly) {
  EXPECT_THAT(messageOf(reserveAt(ProgramAddr(0x100001), PageSize)),
              HasSubstr("not whole pages"));
  EXPECT_THAT(messageOf(reserveAt(ProgramAddr(0x100000), 100)),
              HasSubstr("not whole pages"));
}

} // namespace
