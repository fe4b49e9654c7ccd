#ifndef HOTJIT_PROJECT_GITPAUSE_H
#define HOTJIT_PROJECT_GITPAUSE_H

#include "Project/Watcher.h"
#include "Support/Clock.h"
#include "Support/FileSystem.h"
#include <optional>

namespace hotjit {

/// Holds events back while git works on the files that they are about: until
/// then some have the new text and some the old, and both together are nothing
/// that anybody wrote. Use from one thread.
class GitPause {
public:
  GitPause(const FileSystem &FS, const Clock &C) : FS(FS), C(C) {}

  /// Events with all that were held before; nothing if git is at work.
  std::optional<FileEvents> take(FileEvents Events);
  /// What was held, if git is done, or has been silent for too long.
  std::optional<FileEvents> look();
  /// When look() wants to be called.
  std::optional<Nanoseconds> nextLook() const;

private:
  std::optional<std::string> lockOf(const FileEvents &Events) const;
  bool exists(llvm::StringRef Path) const;

  const FileSystem &FS;
  const Clock &C;
  std::optional<FileEvents> Held;
  std::string Lock;        ///< while Held
  std::string AlsoLock;    ///< the last one seen: a rescan names no file
  Nanoseconds NextLook{0}; ///< while Held
  Nanoseconds GiveUp{0};   ///< while Held
};

} // namespace hotjit

#endif
