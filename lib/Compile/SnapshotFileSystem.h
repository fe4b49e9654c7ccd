#ifndef HOTJIT_COMPILE_SNAPSHOTFILESYSTEM_H
#define HOTJIT_COMPILE_SNAPSHOTFILESYSTEM_H

#include "Project/TextStore.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBufferRef.h"
#include "llvm/Support/VirtualFileSystem.h"
#include <memory>
#include <set>
#include <string>

namespace hotjit {

/// The disk as one compile sees it: the texts of a snapshot lie over it, time
/// stamps do not exist, and the working directory is its own. Made for one
/// compile, used from its thread.
class SnapshotFileSystem final : public llvm::vfs::FileSystem {
public:
  SnapshotFileSystem(const TextSnapshot &Texts, llvm::StringRef Directory);

  /// Makes Content a file at Path, an absolute path that neither the snapshot
  /// nor the disk has. It must live as long as this.
  void add(llvm::StringRef Path, llvm::MemoryBufferRef Content);

  /// Real paths of the files that were opened, texts of the snapshot or not.
  const std::set<std::string> &opened() const { return Opened; }
  void forgetOpened() { Opened.clear(); }

  /// Path made absolute, with symbolic links resolved as far as it exists.
  std::string realPath(llvm::StringRef Path);
  /// The snapshot has the text. RealPath as from realPath().
  bool isOfProject(llvm::StringRef RealPath) const {
    return Texts.find(RealPath) != nullptr;
  }

  llvm::ErrorOr<llvm::vfs::Status> status(const llvm::Twine &Path) override;
  llvm::ErrorOr<std::unique_ptr<llvm::vfs::File>>
  openFileForRead(const llvm::Twine &Path) override;
  llvm::vfs::directory_iterator dir_begin(const llvm::Twine &Directory,
                                          std::error_code &EC) override;
  std::error_code setCurrentWorkingDirectory(const llvm::Twine &Path) override;
  llvm::ErrorOr<std::string> getCurrentWorkingDirectory() const override;
  std::error_code getRealPath(const llvm::Twine &Path,
                              llvm::SmallVectorImpl<char> &Output) override;

private:
  void addDirectories(llvm::StringRef Path);
  std::string absolute(const llvm::Twine &Path) const;
  const std::string &realDirectory(llvm::StringRef Absolute);
  /// Null if the snapshot has no such file. RealPath as from realPath().
  const std::string *textOf(llvm::StringRef RealPath);

  TextSnapshot Texts;
  std::string Directory;
  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> Disk;
  llvm::StringMap<std::string> RealDirectories; ///< by absolute path
  /// Uncompressed texts, kept because Clang asks for the size first.
  llvm::StringMap<std::shared_ptr<const std::string>> Uncompressed;
  llvm::StringSet<> SnapshotDirectories;
  llvm::StringMap<llvm::MemoryBufferRef> Additional;
  std::set<std::string> Opened;
};

} // namespace hotjit

#endif
