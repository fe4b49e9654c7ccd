#include "Support/Error.h"

#include "ErrorMatchers.h"

#include <string>

using namespace hotjit;
using namespace hotjit::test;
using testing::HasSubstr;

namespace {

// A function pointer has no room for the test's own variable.
std::string *Heard = nullptr;

class BrokenInvariantTest : public testing::Test {
protected:
  void SetUp() override {
    Heard = &Text;
    setBrokenInvariantHandler([](const char *T) { *Heard = T; });
  }
  void TearDown() override { setBrokenInvariantHandler(nullptr); }

  std::string Text;
};

TEST_F(BrokenInvariantTest, TellsTheHandlerWhatAndWhereAndGoesOn) {
  int Line = __LINE__ + 1;
  HOTJIT_ASSERT(1 + 1 == 3, "arithmetic has changed");
  EXPECT_THAT(Text, HasSubstr("arithmetic has changed (1 + 1 == 3)"));
  EXPECT_THAT(Text,
              HasSubstr("BrokenInvariantTest.cpp:" + std::to_string(Line)));
}

TEST_F(BrokenInvariantTest, SaysNothingOfWhatHolds) {
  HOTJIT_ASSERT(1 + 1 == 2, "arithmetic has changed");
  EXPECT_EQ(Text, "");
}

TEST_F(BrokenInvariantTest, CutsALongText) {
  std::string Long(4096, 'x');
  reportBrokenInvariant("c", Long.c_str(), "f", 1);
  EXPECT_THAT(Text, HasSubstr("internal error: xxx"));
  EXPECT_LT(Text.size(), Long.size());
}

TEST(BrokenInvariantWithoutHandler, SaysItOnStderr) {
  testing::internal::CaptureStderr();
  HOTJIT_ASSERT(false, "nobody listens");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("hotjit: internal error: nobody listens (false)"));
}

TEST(MakeError, FormatsAndKeepsPercentSigns) {
  EXPECT_EQ(messageOf(makeError("{}: {} of 100%s", "a.c", 7)),
            "a.c: 7 of 100%s");
}

} // namespace
