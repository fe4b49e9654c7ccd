// A compile that somebody began without haste, and that somebody else needs
// now.

#include "Session/PendingUnit.h"
#include "gtest/gtest.h"
#include <future>
#include <thread>

using namespace hotjit;
using Haste = PendingUnit::Haste;

static CompileResult unitOf(const char *Path) {
  CompileResult R;
  R.Unit = std::make_unique<CompiledUnit>();
  R.Unit->Path = Path;
  return R;
}

TEST(PendingUnit, IsTakenOverBeforeItBegins) {
  PendingUnit P;
  EXPECT_EQ(P.take(false), nullptr);
  EXPECT_FALSE(P.begin(Haste::None));
  EXPECT_FALSE(P.begin(Haste::Great));
}

TEST(PendingUnit, HasOneThatCompiles) {
  PendingUnit P;
  EXPECT_TRUE(P.begin(Haste::Great));
  EXPECT_FALSE(P.begin(Haste::Great));
  EXPECT_FALSE(P.begin(Haste::None));
  P.finish(unitOf("a.c"), Haste::Great);
  EXPECT_EQ(P.take(false)->Path, "a.c");
  EXPECT_EQ(P.wait()->Path, "a.c");
}

// A thread that gets no processor: this one sleeps.
TEST(PendingUnit, IsOvertakenWhereItStarves) {
  PendingUnit P;
  std::promise<void> Begun, Go;
  std::thread Slow([&] {
    EXPECT_TRUE(P.begin(Haste::None));
    Begun.set_value();
    Go.get_future().wait();
    P.finish(unitOf("slow.c"), Haste::None);
  });
  Begun.get_future().wait();
  EXPECT_FALSE(P.overtaken());
  EXPECT_TRUE(P.begin(Haste::Great));
  EXPECT_TRUE(P.overtaken());
  EXPECT_FALSE(P.begin(Haste::Great)) << "once";
  Go.set_value();
  Slow.join();
  EXPECT_EQ(P.find(), nullptr);
  P.finish(unitOf("fast.c"), Haste::Great);
  EXPECT_EQ(P.wait()->Path, "fast.c");
}

TEST(PendingUnit, IsNotOvertakenByThoseWithoutHaste) {
  PendingUnit P;
  EXPECT_TRUE(P.begin(Haste::None));
  EXPECT_FALSE(P.begin(Haste::None));
  P.finish(CompileResult(), Haste::None);
  EXPECT_EQ(P.wait(), nullptr);
  EXPECT_FALSE(P.begin(Haste::Great));
}
