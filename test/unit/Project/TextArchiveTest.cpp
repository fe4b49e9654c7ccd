#include "Project/TextArchive.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"

#include <fstream>

using namespace hotjit;
namespace fs = llvm::sys::fs;

namespace {
class TextArchiveTest : public testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> Made;
    ASSERT_FALSE(fs::createUniqueDirectory("hotjit-archive", Made));
    Folder = Made.str().str();
  }
  void TearDown() override { (void)fs::remove_directories(Folder); }

  TextSnapshot some() const {
    return TextSnapshot()
        .with("/p/a.c", SourceText::create("int a;\n"))
        .with("/p/b.h", SourceText::create(std::string("\0\n", 2)))
        .with("/p/empty.h", SourceText::create(""));
  }
  size_t count() const {
    std::error_code Failed;
    size_t Count = 0;
    for (fs::directory_iterator It(Folder + "/texts", Failed), End;
         !Failed && It != End; It.increment(Failed))
      ++Count;
    return Count;
  }

  std::string Folder;
};
} // namespace

TEST_F(TextArchiveTest, GivesBackWhatItKept) {
  TextArchive A(Folder + "/texts");
  EXPECT_FALSE(A.find("k").has_value());
  ASSERT_FALSE(bool(A.keep("k", some())));
  std::optional<TextSnapshot> Found = TextArchive(Folder + "/texts").find("k");
  ASSERT_TRUE(Found.has_value());
  EXPECT_EQ(Found->files().size(), 3u);
  const TextSnapshot Kept = some();
  for (const auto &Entry : Kept.files()) {
    ASSERT_TRUE(Found->find(Entry.getKey())) << Entry.getKey().str();
    EXPECT_EQ(*Found->find(Entry.getKey())->text(), *Entry.getValue()->text());
  }
  EXPECT_FALSE(A.find("other").has_value());
}

TEST_F(TextArchiveTest, TheFirstTextsOfABuildCount) {
  TextArchive A(Folder + "/texts");
  ASSERT_FALSE(bool(A.keep("k", some())));
  ASSERT_FALSE(bool(A.keep("k", some().with("/p/a.c", nullptr))));
  EXPECT_EQ(A.find("k")->files().size(), 3u);
}

TEST_F(TextArchiveTest, IsForTheUserAlone) {
  TextArchive A(Folder + "/texts");
  ASSERT_FALSE(bool(A.keep("k", some())));
  auto Of = [](const std::string &Path) {
    return *fs::getPermissions(Path) & fs::all_perms;
  };
  EXPECT_EQ(Of(Folder + "/texts"), fs::owner_all);
  EXPECT_EQ(Of(Folder + "/texts/k.texts"), fs::owner_read | fs::owner_write);
}

TEST_F(TextArchiveTest, DamagedFilesAreNone) {
  TextArchive A(Folder + "/texts");
  ASSERT_FALSE(bool(A.keep("k", some())));
  std::string Path = Folder + "/texts/k.texts", Bytes;
  {
    std::ifstream In(Path, std::ios::binary);
    Bytes.assign(std::istreambuf_iterator<char>(In), {});
  }
  // Cut anywhere, or with any byte another.
  for (size_t I = 0; I != Bytes.size(); ++I)
    for (bool Cut : {true, false}) {
      std::string Damaged = Cut ? Bytes.substr(0, I) : Bytes;
      if (!Cut)
        Damaged[I] = static_cast<char>(Damaged[I] ^ 0x55);
      std::ofstream(Path, std::ios::binary) << Damaged;
      if (std::optional<TextSnapshot> Found = A.find("k"))
        EXPECT_EQ(*Found->find("/p/a.c")->text(), "int a;\n") << I;
    }
}

TEST_F(TextArchiveTest, NoMemoryIsTakenForADamagedSize) {
  TextArchive A(Folder + "/texts");
  ASSERT_FALSE(bool(A.keep("k", some())));
  std::ofstream(Folder + "/texts/k.texts", std::ios::binary)
      << "hotjit texts 1 9000000000000000000 0\nx";
  EXPECT_FALSE(A.find("k"));
}

TEST_F(TextArchiveTest, OldBuildsGo) {
  TextArchive A(Folder + "/texts");
  for (int I = 0; I != 40; ++I)
    ASSERT_FALSE(bool(A.keep("k" + std::to_string(I), some())));
  EXPECT_LE(count(), 32u);
}

TEST_F(TextArchiveTest, AFolderThatCannotBeWrittenIsSaid) {
  std::ofstream(Folder + "/file") << "x";
  EXPECT_TRUE(bool(llvm::errorToBool(
      TextArchive(Folder + "/file/texts").keep("k", some()))));
  EXPECT_FALSE(llvm::errorToBool(TextArchive("").keep("k", some())));
}
