// Relocatable objects: sections without addresses, debug info with relocations.

#include "Fixture.h"
#include "gmock/gmock.h"
#include <set>

namespace hotjit {
namespace {

class ObjectTest : public testing::TestWithParam<BuildMode> {};

TEST_P(ObjectTest, EverythingHasAPlaceOfItsOwn) {
  TempFolder Folder;
  std::string Source = Folder.write("a.c", R"(
struct pair { int a; long b; };
volatile struct pair both = {3, 4};
static volatile int number = 77;
static volatile int empty;
static _Thread_local volatile int mine = 5, yours;
__attribute__((noinline)) int first(int x) {
  static volatile int calls = 88;
  return x + ++calls;
}
__attribute__((noinline)) int second(int x) { return first(x) * number; }
int main(int c, char **v) {
  return second(c) + empty + mine + yours + both.a;
}
)");
  Words Flags = GetParam().Flags;
  Flags.insert(Flags.end(), {"-c", "-ffunction-sections", "-fdata-sections"});
  compile(GetParam().By, {Source}, Folder.path("a.o"), Flags);
  RealFileSystem FS;
  llvm::Expected<std::string> Bytes = FS.read(Folder.path("a.o"));
  ASSERT_TRUE(static_cast<bool>(Bytes));
  llvm::Expected<std::unique_ptr<Image>> I = Image::ofObject(*Bytes, "a.o");
  ASSERT_TRUE(static_cast<bool>(I)) << llvm::toString(I.takeError());
  Bytes->assign(Bytes->size(), 'x'); // The image keeps no reference to it.

  const UnitDetails &D = detailsOf(**I, Source);
  std::set<uint64_t> Entries;
  for (const char *Name : {"first", "second", "main"}) {
    const ImageFunction *F = only(D.Functions, Name);
    ASSERT_TRUE(F);
    EXPECT_EQ(F->Symbol, Name);
    EXPECT_EQ((*I)->functionAt(F->Entry)->Symbol, Name);
    EXPECT_TRUE((*I)->modules().front().Text.contains(F->Entry));
    EXPECT_EQ((*I)->findSymbol((*I)->modules().front(), Name), F->Entry);
    Entries.insert(F->Entry.value());
  }
  EXPECT_EQ(Entries.size(), 3u);
  for (auto [Name, Value] :
       {std::pair("number", 77), {"calls", 88}, {"both", 3}}) {
    const ImageVariable *V = only(D.Variables, Name);
    ASSERT_TRUE(V);
    EXPECT_EQ(V->Storage, StorageKind::Address) << Name;
    EXPECT_EQ(initialInt(**I, V->Address), Value) << Name;
    EXPECT_TRUE(V->Writable) << Name;
    EXPECT_EQ(V->Size, V->TypeSize) << Name;
  }
  EXPECT_EQ(only(D.Variables, "empty")->Storage, StorageKind::Address);
  for (const char *Name : {"mine", "yours"}) {
    EXPECT_EQ(only(D.Variables, Name)->Storage, StorageKind::ThreadLocal);
    EXPECT_EQ(only(D.Variables, Name)->Size, 4u) << Name;
  }
  EXPECT_NE(only(D.Variables, "mine")->TlsOffset,
            only(D.Variables, "yours")->TlsOffset);
  EXPECT_EQ(only(D.Types, "pair")->Size, 16u);
}

INSTANTIATE_TEST_SUITE_P(
    Builds, ObjectTest,
    testing::Values(
        BuildMode{"gcc_dwarf5", Compiler::GCC, {"-g", "-O0"}},
        BuildMode{"gcc_dwarf4", Compiler::GCC, {"-gdwarf-4", "-O2"}},
        BuildMode{"clang_dwarf5", Compiler::Clang, {"-g", "-O0"}},
        BuildMode{"clang_dwarf4", Compiler::Clang, {"-gdwarf-4", "-O2"}},
        BuildMode{"clang_compressed", Compiler::Clang, {"-g", "-gz"}}),
    nameOf);

} // namespace
} // namespace hotjit
