#ifndef HOTJIT_PROJECT_SAVES_H
#define HOTJIT_PROJECT_SAVES_H

#include "Project/TextStore.h"
#include "Project/Watcher.h"
#include "Support/Clock.h"
#include "Support/FileSystem.h"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hotjit {

/// Files whose content differs from what is live.
struct ChangeSet {
  std::vector<std::string> Files; ///< absolute, real, sorted
  TextSnapshot Texts;             ///< the project as it is now
  Nanoseconds Time{0};            ///< of the first event
};

/// When a change may be committed. Compiling starts at the event; only the
/// commit waits, and only if there is reason to think that more is coming.
struct QuietPolicy {
  Nanoseconds Quiet = std::chrono::milliseconds(20);
  /// A stream of saves is committed at the latest after this.
  Nanoseconds Max = std::chrono::milliseconds(300);

  /// The time at which to commit. Pure. FirstEvent, LastEvent: of this change;
  /// AnotherFileWithin: another project file changed within Quiet before or
  /// after; Incomplete: the text did not parse. With neither it is
  /// LastEvent: at once.
  Nanoseconds commitAt(Nanoseconds FirstEvent, Nanoseconds LastEvent,
                       bool AnotherFileWithin, bool Incomplete) const;
};

/// Turns events into changes by content: a touch, a save without a change and
/// a file that came and went make none. Use from one thread.
class Saves {
public:
  Saves(const FileSystem &FS, const Clock &C) : FS(FS), C(C) {}

  /// Reads the file as it is now and makes that its known text. Error: cannot
  /// be read.
  llvm::Error keep(llvm::StringRef Path);
  /// As keep(), of many files in one step. The error joins those of all files
  /// that cannot be read; the others are kept.
  llvm::Error keepAll(const std::set<std::string> &Paths);
  /// Looks at the files of the events (at all files on a rescan) and returns
  /// what differs from the known texts, which become the new ones. A file that
  /// cannot be read now (replaced in the same instant, deleted) keeps its old
  /// text and is looked at again on the next event, whatever that is about.
  std::optional<ChangeSet> apply(const FileEvents &Events);
  /// Why files that are there could not be read in apply(), by file; each once,
  /// until it was read.
  std::map<std::string, std::string> takeUnreadable();
  const TextSnapshot &texts() const { return Known; }

private:
  std::map<std::string, Nanoseconds> filesOf(const FileEvents &Events);

  const FileSystem &FS;
  const Clock &C;
  TextSnapshot Known;
  /// Files that could not be read, with the time of the event that was missed.
  std::map<std::string, Nanoseconds> LookAgain;
  std::map<std::string, std::string> Unreadable; ///< not taken yet
  std::set<std::string> KnownUnreadable;
};

} // namespace hotjit

#endif
