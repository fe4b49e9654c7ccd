#ifndef HOTJIT_PROJECT_TEXTARCHIVE_H
#define HOTJIT_PROJECT_TEXTARCHIVE_H

#include "Project/TextStore.h"
#include "Support/FileSystem.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace hotjit {

/// The texts that programs were built from, from one start to the next: a file
/// for each build, in the user's cache folder. Use from one thread.
class TextArchive {
public:
  /// Folder: absolute, made when something is kept; empty: nothing is kept.
  explicit TextArchive(std::string Folder) : Folder(std::move(Folder)) {}

  /// Names one build of a program or library: the file and its state.
  static std::string keyOf(llvm::StringRef Path, const FileStatus &Status);

  /// The texts that the build Key is known to be built from; nullopt if it was
  /// never kept, or its file is damaged.
  std::optional<TextSnapshot> find(llvm::StringRef Key) const;

  /// Keeps Texts for the build Key; of all builds only the newest ones stay.
  /// Does nothing if Key is there. Any thread. Error: the folder cannot be
  /// written to.
  llvm::Error keep(llvm::StringRef Key, const TextSnapshot &Texts) const;

private:
  std::string fileOf(llvm::StringRef Key) const;
  void removeOldest() const;

  std::string Folder;
};

} // namespace hotjit

#endif
