#ifndef HOTJIT_SUPPORT_FILESYSTEM_H
#define HOTJIT_SUPPORT_FILESYSTEM_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

struct FileStatus {
  uint64_t Device = 0;
  uint64_t Inode = 0;
  uint64_t Size = 0;
  std::chrono::nanoseconds Modified{0}; ///< since the epoch
  bool IsDirectory = false;
  bool operator==(const FileStatus &) const = default;
};

/// The disk as hotjit reads it; FakeFileSystem in the tests. hotjit writes no
/// file of the user's, so there is no way to write here. Any thread.
class FileSystem {
public:
  virtual ~FileSystem() = default;
  virtual llvm::Expected<std::string> read(llvm::StringRef Path) const = 0;
  virtual llvm::Expected<FileStatus> status(llvm::StringRef Path) const = 0;
  /// Symbolic links resolved, as realpath(3).
  virtual llvm::Expected<std::string> realPath(llvm::StringRef Path) const = 0;
  /// Names without "." and "..", unsorted.
  virtual llvm::Expected<std::vector<std::string>>
  list(llvm::StringRef Directory) const = 0;
};

class RealFileSystem final : public FileSystem {
public:
  llvm::Expected<std::string> read(llvm::StringRef Path) const override;
  llvm::Expected<FileStatus> status(llvm::StringRef Path) const override;
  llvm::Expected<std::string> realPath(llvm::StringRef Path) const override;
  llvm::Expected<std::vector<std::string>>
  list(llvm::StringRef Directory) const override;
};

} // namespace hotjit

#endif
