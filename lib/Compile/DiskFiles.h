#ifndef HOTJIT_COMPILE_DISKFILES_H
#define HOTJIT_COMPILE_DISKFILES_H

#include "Project/TextStore.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/FileSystem/UniqueID.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hotjit {

/// Files that a compile reads and that are not the project's (system headers),
/// as they were at one moment.
class DiskFiles {
public:
  DiskFiles() = default;
  /// Of Paths those that Texts has not.
  template <typename Range>
  DiskFiles(const Range &Paths, const TextSnapshot &Texts) {
    for (const std::string &Path : Paths)
      if (!Texts.find(Path))
        add(Path);
  }

  /// Nobody has written one of them since, and Texts has none of them.
  bool areUntouched(const TextSnapshot &Texts) const;

private:
  void add(const std::string &Path);

  struct File {
    std::string Path;
    llvm::sys::fs::UniqueID Id;
    llvm::sys::TimePoint<> Written;
    uint64_t Size;
  };
  std::vector<File> Files;
};

} // namespace hotjit

#endif
