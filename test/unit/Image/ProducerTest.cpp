#include "Image/Producer.h"
#include "gtest/gtest.h"

namespace hotjit {
namespace {

TEST(ProducerTest, GccTellsItsOptions) {
  ProducerFacts F = parseProducer(
      "GNU C17 12.2.0 -mtune=generic -march=x86-64 -g -O2 -std=gnu99");
  EXPECT_EQ(F.By, Producer::GCC);
  EXPECT_EQ(F.OptLevel, 2u);
  EXPECT_FALSE(F.LTO);
}

TEST(ProducerTest, TheLastLevelCounts) {
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -O3 -O0").OptLevel, 0u);
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -O0 -O").OptLevel, 1u);
}

TEST(ProducerTest, LevelsThatAreNotNumbers) {
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -Os").OptLevel, 2u);
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -Og").OptLevel, 1u);
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -Ofast").OptLevel, 3u);
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -O9").OptLevel, 3u);
  EXPECT_EQ(parseProducer("GNU C17 12.2.0 -Other").OptLevel, 0u);
}

TEST(ProducerTest, ClangTellsItsVersion) {
  ProducerFacts F = parseProducer("Debian clang version 22.1.8 (++2026)");
  EXPECT_EQ(F.By, Producer::Clang);
  EXPECT_EQ(F.OptLevel, 0u);
}

TEST(ProducerTest, ClangWithRecordedCommandLine) {
  EXPECT_EQ(parseProducer("clang version 22.1.8 /usr/bin/clang -g -O2 -c a.c")
                .OptLevel,
            2u);
}

TEST(ProducerTest, GccLinkTimeOptimization) {
  EXPECT_TRUE(parseProducer("GNU GIMPLE 12.2.0 -O2 -fltrans").LTO);
  EXPECT_TRUE(parseProducer("GNU C17 12.2.0 -O2 -flto").LTO);
  EXPECT_TRUE(parseProducer("GNU C17 12.2.0 -O2 -flto=auto").LTO);
  EXPECT_FALSE(parseProducer("GNU C17 12.2.0 -flto -fno-lto").LTO);
}

TEST(ProducerTest, AnAssemblerIsNoCompiler) {
  EXPECT_EQ(parseProducer("GNU AS 2.40").By, Producer::Other);
}

} // namespace
} // namespace hotjit
