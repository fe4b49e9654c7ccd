// F3, I1: the object that a unit of the program was linked from is told from
// others of the same source, whatever the linker made of it.

#include "Image/LinkedFrom.h"
#include "Fixture.h"
#include "Support/FileSystem.h"
#include "llvm/Support/Error.h"
#include "gmock/gmock.h"

using namespace hotjit;

namespace {

constexpr char Part[] = R"(
#include <stdio.h>
extern __thread int each;
__thread int own = 3;
extern int other;
const int Table[4] = {1, LIMIT, 3, 4};
int value = LIMIT;
static int calls;
int *where(void) { return &other; }
int limit(int x) { ++calls; return x > LIMIT ? other : x + each + own; }
int show(void) { return printf("%d\n", Table[calls & 3]); }
)";
constexpr char Main[] = R"(
__thread int each = 1;
int other = 2;
int limit(int);
int show(void);
int main(void) { return limit(1) + show(); }
)";

class LinkedFrom : public testing::TestWithParam<Compiler> {
protected:
  /// An object of Text.
  std::string object(const std::string &Name, const std::string &Text,
                     Words Flags) {
    std::string Source = Folder.write(Name + "/part.c", Text);
    Flags.insert(Flags.end(), {"-g", "-c", "-fPIC"});
    compile(GetParam(), {Source}, Folder.path(Name + ".o"), Flags);
    return Folder.path(Name + ".o");
  }
  void link(const std::string &Object, Words Flags = {}) {
    std::string Source = Folder.write("main.c", Main);
    Flags.push_back("-g");
    compile(GetParam(), {Source, Object}, Folder.path("out"), Flags);
    Program = open(Folder.path("out"));
  }
  std::optional<bool> ask(const std::string &Object) {
    for (const ImageUnit &U : Program->units())
      if (llvm::StringRef(U.Path).ends_with("part.c"))
        return canBeLinkedFrom(*Program, U,
                               llvm::cantFail(RealFileSystem().read(Object)));
    ADD_FAILURE() << "no such unit";
    return std::nullopt;
  }

  TempFolder Folder;
  std::unique_ptr<Image> Program;
};

TEST_P(LinkedFrom, ItsOwnObjectWhateverTheLinkerWroteIntoIt) {
  for (const char *Level : {"-O0", "-O2"}) {
    std::string Own = object("own", Part, {"-DLIMIT=10", Level});
    link(Own);
    EXPECT_EQ(ask(Own), true) << Level;
    link(Own, {"-Wl,-z,now", "-Wl,--gc-sections", "-no-pie"});
    EXPECT_EQ(ask(Own), true) << Level;
  }
}

TEST_P(LinkedFrom, AnotherConstantIsAnotherObject) {
  link(object("own", Part, {"-DLIMIT=10"}));
  EXPECT_EQ(ask(object("other", Part, {"-DLIMIT=20"})), false);
  EXPECT_EQ(ask(object("other", Part, {"-DLIMIT=10", "-O2"})), false);
}

TEST_P(LinkedFrom, ByAnInitialValueAlone) {
  std::string Text = "int value = LIMIT; int limit(int x) { return x; } "
                     "int show(void) { return value; }";
  link(object("own", Text, {"-DLIMIT=10"}));
  EXPECT_EQ(ask(object("other", Text, {"-DLIMIT=20"})), false);
  EXPECT_EQ(ask(object("same", Text, {"-DLIMIT=10"})), true);
}

TEST_P(LinkedFrom, ByAFunctionThatOnlyOneHas) {
  std::string Text = "int limit(int x) { return x; } int show(void) { return "
                     "1; }\n#ifdef MORE\nint more(void) { return 2; }\n#endif";
  std::string Less = object("less", Text, {}),
              More = object("more", Text, {"-DMORE"});
  link(Less);
  EXPECT_EQ(ask(More), false);
  EXPECT_EQ(ask(Less), true);
  link(More);
  EXPECT_EQ(ask(More), true);
  EXPECT_EQ(ask(Less), false);
}

TEST_P(LinkedFrom, WhatIsNoObjectSaysNothing) {
  link(object("own", Part, {"-DLIMIT=10"}));
  EXPECT_EQ(ask(Folder.path("out")), std::nullopt);
  EXPECT_EQ(ask(Folder.write("text", "no object")), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(By, LinkedFrom,
                         testing::Values(Compiler::GCC, Compiler::Clang));

} // namespace
