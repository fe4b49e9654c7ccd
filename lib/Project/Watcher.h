#ifndef HOTJIT_PROJECT_WATCHER_H
#define HOTJIT_PROJECT_WATCHER_H

#include "Support/Clock.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// The name of the file system that Folder is on if inotify does not tell of
/// all that is written there, because another machine may write it: "NFS". Else
/// "".
std::string remoteFileSystem(llvm::StringRef Folder);

/// Something happened to files. Not yet a change: only their content tells.
struct FileEvents {
  std::vector<std::string> Paths; ///< as watched: directory + "/" + name
  /// Events were lost (queue overflow, a folder went away and came back): look
  /// at every file again.
  bool Rescan = false;
  Nanoseconds Time{0}; ///< when the kernel's event was read
};

/// Watches folders with inotify(7): a file is reported when a writer closed it
/// or when it was moved into place, so an editor's way of saving does not
/// matter. A new name for a file (a symbolic or hard link) is reported when it
/// is made; a name that went away is not, for it is half of a save. Editors'
/// temporary files (4913, .#x, x~, *.swp, ...) are never reported.
///
/// Where inotify cannot be had (a limit is reached), or does not see everything
/// (a file system that other machines write to), folders are looked at five
/// times a second, and polling() says so.
class Watcher {
public:
  /// Called on the watcher's thread; no lock is held. Must not block.
  using Callback = std::function<void(FileEvents)>;

  /// Starts a thread named "hotjit-watch", which shares the caller's descriptor
  /// table. C must live as long as the watcher. RemoteAt: the name of the file
  /// system that a folder is on if others write to it unseen, else "".
  static llvm::Expected<std::unique_ptr<Watcher>> create(
      const Clock &C, Callback Report,
      std::function<std::string(llvm::StringRef)> RemoteAt = remoteFileSystem);
  ~Watcher(); ///< joins the thread

  /// Watches Directory (absolute) itself, not what is below it. Twice is once.
  /// A folder that goes away is watched again when it is back. Any thread that
  /// shares the descriptor table with create(). Error: it is not there.
  llvm::Error watch(llvm::StringRef Directory);

  /// How many folders are looked at and why, and which sysctl to raise, for
  /// people; empty: none. Any thread.
  std::string polling() const;

private:
  struct State;
  explicit Watcher(std::unique_ptr<State> S);
  std::unique_ptr<State> S;
};

/// True for names that editors use for temporary and lock files.
bool isEditorTemporary(llvm::StringRef FileName);

} // namespace hotjit

#endif
