#ifndef HOTJIT_TEST_ERRORMATCHERS_H
#define HOTJIT_TEST_ERRORMATCHERS_H

// llvm::Error and Expected in GoogleTest. Debian's LLVM has assertions off, so
// an Error that nobody looks at goes by in silence: tests always name what they
// expect of one.

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "llvm/Support/Error.h"

namespace hotjit::test {

/// The text of E; empty for success.
///
/// **Example**:
///   EXPECT_EQ(messageOf(TheWatcher->watch(Folder)), "");
///   EXPECT_THAT(messageOf(load("bad.json")), HasSubstr("bad.json:3"));
inline std::string messageOf(llvm::Error E) {
  return E ? llvm::toString(std::move(E)) : std::string();
}
template <typename T> std::string messageOf(llvm::Expected<T> E) {
  return messageOf(E.takeError());
}

} // namespace hotjit::test

#define HOTJIT_TEST_CONCAT_(A, B) A##B
#define HOTJIT_TEST_CONCAT(A, B) HOTJIT_TEST_CONCAT_(A, B)

/// Defines or assigns Lhs from an Expected; ends the test with the error's text
/// if there is one.
///
/// **Example**:   ASSERT_GET(std::string Text, FS.read(Path));
#define ASSERT_GET(Lhs, ...)                                                   \
  ASSERT_GET_(HOTJIT_TEST_CONCAT(Expected, __LINE__), Lhs, __VA_ARGS__)
#define ASSERT_GET_(Name, Lhs, ...)                                            \
  auto Name = (__VA_ARGS__);                                                   \
  ASSERT_TRUE(static_cast<bool>(Name)) << llvm::toString(Name.takeError());    \
  Lhs = std::move(*Name)

#endif
