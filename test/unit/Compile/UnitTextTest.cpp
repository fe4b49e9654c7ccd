// What two texts tell of an edit before either has been compiled.

#include "Compile/UnitText.h"
#include "gtest/gtest.h"

using namespace hotjit;

static bool isOneBody(const std::string &Old, const std::string &New) {
  return differInOneBody(
      "#include <vector>\n" + Old + "\nint z() { return 0; }",
      "#include <vector>\n" + New + "\nint z() { return 0; }");
}

TEST(DifferInOneBody, InsideAFunction) {
  EXPECT_TRUE(isOneBody("int f() { return 1; }", "int f() { return 2; }"));
  EXPECT_TRUE(isOneBody("int f() { return 1; }", "int f() { g(); return 1; }"));
  EXPECT_TRUE(isOneBody("int f() { g(); return 1; }", "int f() { return 1; }"));
  EXPECT_TRUE(isOneBody("int f() { if (a) { b(); } return 1; }",
                        "int f() { if (a) { c(); } return 1; }"));
  EXPECT_TRUE(isOneBody("struct S { int f() const { return 1; } int n; };",
                        "struct S { int f() const { return 2; } int n; };"));
  EXPECT_TRUE(isOneBody("namespace n { S::S() : a{1}, b(2) { f(); } }",
                        "namespace n { S::S() : a{1}, b(2) { g(); } }"));
  EXPECT_TRUE(isOneBody("int f() { return '}'; /* } */ \"}\"; 1; }",
                        "int f() { return '}'; /* } */ \"}\"; 2; }"));
}

TEST(DifferInOneBody, OutsideOfFunctions) {
  EXPECT_FALSE(isOneBody("int n = 1;", "int n = 2;"));
  EXPECT_FALSE(isOneBody("int f() { return 1; }", "int g() { return 1; }"));
  EXPECT_FALSE(isOneBody("struct S { int n; };", "struct S { long n; };"));
  EXPECT_FALSE(isOneBody("int t[] = {1, 2};", "int t[] = {1, 3};"));
  EXPECT_FALSE(isOneBody("enum E : int { A };", "enum E : int { B };"));
  EXPECT_FALSE(isOneBody("#define M { 1 }", "#define M { 2 }"));
}

TEST(DifferInOneBody, InTwoFunctions) {
  EXPECT_FALSE(isOneBody("int f() { return 1; } int g() { return 1; }",
                         "int f() { return 2; } int g() { return 2; }"));
  EXPECT_FALSE(isOneBody("int f() { return 1; }",
                         "int f() { return 1; } int g() { return 2; }"));
}
