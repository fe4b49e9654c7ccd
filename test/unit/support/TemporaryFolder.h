#ifndef HOTJIT_TEST_TEMPORARYFOLDER_H
#define HOTJIT_TEST_TEMPORARYFOLDER_H

#include "gtest/gtest.h"

#include "llvm/ADT/StringRef.h"

#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <unistd.h>

namespace hotjit::test {

/// A folder of the test's own on the real disk, removed with all in it at the
/// end. Its path has no symbolic link.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string Template =
        std::filesystem::canonical(std::filesystem::temp_directory_path()) /
        "hotjit-test-XXXXXX";
    if (!::mkdtemp(Template.data()))
      ADD_FAILURE() << "cannot create " << Template;
    Path = Template;
  }
  ~TemporaryFolder() {
    std::error_code Ignored;
    std::filesystem::remove_all(Path, Ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::string &path() const { return Path; }
  std::string operator/(llvm::StringRef Name) const {
    return Path + "/" + Name.str();
  }

  /// As a program that opens, truncates, writes and closes.
  void write(llvm::StringRef Name, llvm::StringRef Text) const {
    int File = ::open((*this / Name).c_str(),
                      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ASSERT_GE(File, 0) << Name.str();
    EXPECT_EQ(::write(File, Text.data(), Text.size()), ssize_t(Text.size()));
    ::close(File);
  }
  void makeFolder(llvm::StringRef Name) const {
    std::filesystem::create_directories(*this / Name);
  }
  void rename(llvm::StringRef From, llvm::StringRef To) const {
    EXPECT_EQ(::rename((*this / From).c_str(), (*this / To).c_str()), 0)
        << From.str() << " -> " << To.str();
  }
  void remove(llvm::StringRef Name) const {
    std::filesystem::remove_all(*this / Name);
  }

private:
  std::string Path;
};

} // namespace hotjit::test

#endif
