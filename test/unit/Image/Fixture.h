#ifndef HOTJIT_TEST_UNIT_IMAGE_FIXTURE_H
#define HOTJIT_TEST_UNIT_IMAGE_FIXTURE_H

#include "Image/Image.h"
#include "gtest/gtest.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

enum class Compiler { GCC, Clang };

using Words = std::vector<std::string>;

void PrintTo(StorageKind K, std::ostream *Out);

/// A new folder, removed with all it holds.
class TempFolder {
public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder &) = delete;
  /// Real path of a file in it.
  std::string path(const std::string &Name) const { return Root + "/" + Name; }
  /// Writes a file, and the folders that it lies in. Returns its path.
  std::string write(const std::string &Name, const std::string &Text) const;

private:
  std::string Root;
};

/// Runs a program to its end; a test failure if that is not 0.
void run(const std::string &Program, const Words &Arguments);

/// Compiles, and links unless -c: as C++ if the first source ends in .cpp.
void compile(Compiler By, const Words &Sources, const std::string &Output,
             const Words &Flags);

std::unique_ptr<Image> open(const std::string &Path);

/// Compiles one source and opens what came out.
class Built {
public:
  Built(Compiler By, const std::string &Name, const std::string &Text,
        const Words &Flags);
  Image &image() { return *Program; }
  const UnitDetails &details();
  const ImageVariable *variable(const std::string &Name);
  const ImageFunction *function(const std::string &Name);
  const ImageType *type(const std::string &Name);

  TempFolder Folder;
  std::string Source;
  std::string Output;

private:
  std::unique_ptr<Image> Program;
};

/// The details of the one unit that was compiled from Path.
const UnitDetails &detailsOf(const Image &I, const std::string &Path);

/// The only element with this Name; a test failure and null otherwise.
template <typename Named>
const Named *only(const std::vector<Named> &All, const std::string &Name) {
  const Named *Found = nullptr;
  for (const Named &N : All) {
    if (N.Name != Name)
      continue;
    EXPECT_EQ(Found, nullptr) << Name << " is there twice";
    Found = &N;
  }
  EXPECT_NE(Found, nullptr) << Name << " is missing";
  return Found;
}

/// The int that the file has at A.
int initialInt(const Image &I, ProgramAddr A);

/// Ways in which users build: every fact must come out the same.
struct BuildMode {
  const char *Name;
  Compiler By;
  Words Flags;
};
inline void PrintTo(const BuildMode &M, std::ostream *Out) { *Out << M.Name; }
std::vector<BuildMode> allBuildModes();
std::vector<BuildMode> unoptimizedBuildModes();

inline std::string nameOf(const testing::TestParamInfo<BuildMode> &Info) {
  return Info.param.Name;
}

} // namespace hotjit

#endif
