#include "Project/TextStore.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace hotjit;

static std::string someSource(unsigned Lines) {
  std::string Text;
  for (unsigned I = 0; I != Lines; ++I)
    Text += "static int f" + std::to_string(I) + "(int a) { return a; }\n";
  return Text;
}

TEST(SourceText, GivesBackEveryByte) {
  std::string Noise;
  for (unsigned I = 0, X = 1; I != 5000; ++I) // Does not compress.
    Noise += static_cast<char>((X = X * 1103515245 + 12345) >> 16);
  for (const std::string &Text :
       {std::string(), std::string("int x;\n"), std::string("a\0b\r\n", 5),
        someSource(1000), Noise, std::string(1 << 20, ' ')}) {
    std::shared_ptr<const SourceText> Kept = SourceText::create(Text);
    EXPECT_TRUE(*Kept->text() == Text) << Text.size();
    EXPECT_EQ(Kept->bytesKept(), Text.size());
    std::shared_ptr<const std::string> Held = Kept->text();
    Kept->pack();
    EXPECT_TRUE(*Kept->text() == Text) << Text.size();
    EXPECT_TRUE(*Held == Text) << Text.size();
    Kept->pack();
    EXPECT_TRUE(*Kept->text() == Text) << Text.size();
    EXPECT_EQ(Kept->hash(), hashBytes(Text));
  }
}

TEST(SourceText, RestsCompressed) {
  std::string Text = someSource(1000);
  EXPECT_LT(SourceText::createPacked(Text)->bytesKept(), Text.size() / 3);
}

TEST(SourceText, IsNeverLargerThanItsText) {
  for (size_t Size : {0, 1, 100, 511, 512, 513, 4096}) {
    std::string Noise;
    for (unsigned I = 0, X = 7; I != Size; ++I)
      Noise += static_cast<char>((X = X * 1103515245 + 12345) >> 16);
    EXPECT_LE(SourceText::createPacked(Noise)->bytesKept(), Size);
  }
}

TEST(TextSnapshot, IsAValue) {
  auto One = SourceText::create("1"), Two = SourceText::create("2");
  TextSnapshot Empty;
  TextSnapshot First = Empty.with("/p/a.c", One);
  TextSnapshot Second = First.with("/p/a.c", Two).with("/p/b.c", One);
  TextSnapshot Third = Second.with("/p/a.c", nullptr);

  EXPECT_EQ(Empty.find("/p/a.c"), nullptr);
  EXPECT_EQ(First.find("/p/a.c"), One);
  EXPECT_EQ(First.find("/p/b.c"), nullptr);
  EXPECT_EQ(Second.find("/p/a.c"), Two);
  EXPECT_EQ(Third.find("/p/a.c"), nullptr);
  EXPECT_EQ(Third.find("/p/b.c"), One);
}

TEST(TextSnapshot, TakesManyChangesAtOnce) {
  auto One = SourceText::create("1"), Two = SourceText::create("2");
  TextSnapshot S = TextSnapshot().with("/p/a.c", One).with("/p/b.c", One);
  std::vector<TextSnapshot::Change> Changes = {
      {"/p/a.c", Two}, {"/p/b.c", nullptr}, {"/p/c.c", One}};
  TextSnapshot T = S.with(Changes);
  EXPECT_EQ(T.find("/p/a.c"), Two);
  EXPECT_EQ(T.find("/p/b.c"), nullptr);
  EXPECT_EQ(T.find("/p/c.c"), One);
  EXPECT_EQ(S.files().size(), 2u);
}

TEST(TextSnapshot, SharesTextsBetweenVersions) {
  auto One = SourceText::create(someSource(100));
  TextSnapshot S = TextSnapshot().with("/p/a.c", One);
  TextSnapshot T = S.with("/p/b.c", SourceText::create("2"));
  EXPECT_EQ(S.find("/p/a.c").get(), T.find("/p/a.c").get());
}
