#include "Support/ContentHash.h"

#include "gtest/gtest.h"

#include <set>
#include <string>

using namespace hotjit;

TEST(ContentHash, IsTheSameForTheSameBytes) {
  std::string A = "int f() { return 1; }\n", B = A;
  EXPECT_EQ(hashBytes(A), hashBytes(B));
}

TEST(ContentHash, TellsTextsApartThatDifferInOneByte) {
  // H14: line ends and byte order marks are content.
  std::set<ContentHash> Seen;
  for (std::string Text : {"", "\n", "\r\n", "a", "a\n", "a\r\n",
                           "\xef\xbb\xbf"
                           "a\n"})
    EXPECT_TRUE(Seen.insert(hashBytes(Text)).second) << Text;
}

TEST(ContentHash, LooksBehindANul) {
  EXPECT_NE(hashBytes(llvm::StringRef("a\0b", 3)),
            hashBytes(llvm::StringRef("a\0c", 3)));
}
