// Layouts: every spelling of debug info gives the same.

#include "Fixture.h"
#include "gmock/gmock.h"

namespace hotjit {

bool operator==(const ImageField &A, const ImageField &B) {
  return std::tie(A.Name, A.OffsetBits, A.SizeBits, A.VirtualBase) ==
         std::tie(B.Name, B.OffsetBits, B.SizeBits, B.VirtualBase);
}
void PrintTo(const ImageField &F, std::ostream *Out) {
  *Out << F.Name << " @" << F.OffsetBits << " +" << F.SizeBits;
}

namespace {

using testing::ElementsAre;

ImageField field(const char *Name, uint64_t Offset, uint64_t Size,
                 bool VirtualBase = false) {
  return {Name, Offset, Size, VirtualBase};
}

class TypesTest : public testing::TestWithParam<BuildMode> {
protected:
  Built build(const std::string &Name, const std::string &Text) {
    return Built(GetParam().By, Name, Text, GetParam().Flags);
  }
};

// B41: a field more or less is seen in this list.
TEST_P(TypesTest, B41Fields) {
  Built B = build("a.c", R"(
struct point { char tag; double x, y; short pair[2][3]; struct point *next; };
struct point origin;
int main(void) { return origin.tag; }
)");
  const ImageType *T = B.type("point");
  ASSERT_TRUE(T);
  EXPECT_EQ(T->Size, 48u);
  EXPECT_EQ(T->File, B.Source);
  EXPECT_EQ(T->Line, 2u);
  EXPECT_THAT(T->Fields,
              ElementsAre(field("tag", 0, 8), field("x", 64, 64),
                          field("y", 128, 64), field("pair", 192, 96),
                          field("next", 320, 64)));
}

TEST_P(TypesTest, BitFields) {
  Built B = build("a.c", R"(
struct bits {
  unsigned a : 3;
  unsigned b : 7;
  unsigned : 5;
  unsigned c : 4;
  int plain;
  unsigned long d : 33;
  signed char e : 1;
  unsigned : 0;
  unsigned long f : 64;
};
struct bits all;
int main(void) { return all.plain; }
)");
  const ImageType *T = B.type("bits");
  ASSERT_TRUE(T);
  EXPECT_THAT(T->Fields,
              ElementsAre(field("a", 0, 3), field("b", 3, 7), field("c", 15, 4),
                          field("plain", 32, 32), field("d", 64, 33),
                          field("e", 97, 1), field("f", 128, 64)));
}

TEST_P(TypesTest, AnonymousMembersAreFlattened) {
  Built B = build("a.c", R"(
struct node {
  int kind;
  union {
    long number;
    struct { int low; int high : 5; };
  };
  struct { int inner; } named;
  int tail[];
};
struct node root;
int main(void) { return root.kind; }
)");
  const ImageType *T = B.type("node");
  ASSERT_TRUE(T);
  EXPECT_THAT(T->Fields,
              ElementsAre(field("kind", 0, 32), field("number", 64, 64),
                          field("low", 64, 32), field("high", 96, 5),
                          field("named", 128, 32), field("tail", 160, 0)));
}

TEST_P(TypesTest, TypedefNamesAnUnnamedType) {
  Built B = build("a.c", R"(
typedef struct { int a; } plain_t;
typedef union { int i; float f; } either_t;
plain_t one;
either_t two;
int main(void) { return one.a + two.i; }
)");
  ASSERT_TRUE(B.type("plain_t") && B.type("either_t"));
  EXPECT_EQ(B.type("plain_t")->Size, 4u);
  EXPECT_THAT(B.type("either_t")->Fields,
              ElementsAre(field("i", 0, 32), field("f", 0, 32)));
}

TEST_P(TypesTest, ClassesWithBasesAndVtables) {
  Built B = build("a.cpp", R"(
struct Empty {};
struct Base { virtual ~Base() {} int b = 1; };
namespace inner {
class Derived : public Base, Empty {
public:
  static int count;
  static const int limit = 5;
  int d = 2;
  int Derived::*pointer = nullptr;
  void (Derived::*method)() = nullptr;
  int &reference;
  decltype(nullptr) nothing;
  Derived(int &r) : reference(r) {}
};
int Derived::count;
}
struct Diamond : virtual Base { int e = 3; };
template <typename T, int N> struct Array { T elements[N]; };
int main(int c, char **) {
  struct Local { long x; char y; } l{c, 1};
  Array<int, 5> a{};
  inner::Derived d(c);
  Diamond v;
  return d.d + v.e + l.x + a.elements[2];
}
)");
  ASSERT_TRUE(B.type("Derived") && B.type("Diamond") && B.type("Local"));
  EXPECT_THAT(B.type("Derived")->Bases,
              ElementsAre(field("Base", 0, 128), field("Empty", 0, 8)));
  EXPECT_THAT(B.type("Derived")->Fields,
              ElementsAre(field("d", 96, 32), field("pointer", 128, 64),
                          field("method", 192, 128),
                          field("reference", 320, 64),
                          field("nothing", 384, 64)));
  EXPECT_THAT(B.type("Base")->Fields, ElementsAre(field("b", 64, 32)));
  EXPECT_THAT(B.type("Diamond")->Bases,
              ElementsAre(field("Base", 0, 128, true)));
  EXPECT_THAT(B.type("Local")->Fields,
              ElementsAre(field("x", 0, 64), field("y", 64, 8)));
  ASSERT_TRUE(B.type("Array<int, 5>"));
  EXPECT_THAT(B.type("Array<int, 5>")->Fields,
              ElementsAre(field("elements", 0, 160)));
}

TEST_P(TypesTest, DeclarationsAreSkipped) {
  Built B = build("a.c", R"(
struct opaque;
struct holder { struct opaque *p; } h;
int main(void) { return h.p != 0; }
)");
  ASSERT_TRUE(B.type("holder"));
  for (const ImageType &T : B.details().Types)
    EXPECT_NE(T.Name, "opaque");
}

INSTANTIATE_TEST_SUITE_P(Builds, TypesTest,
                         testing::ValuesIn(unoptimizedBuildModes()), nameOf);

} // namespace
} // namespace hotjit
