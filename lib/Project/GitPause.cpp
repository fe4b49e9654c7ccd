// `git checkout`, `stash`, `reset` and each step of a `rebase` change files one
// by one, a thousand of them in a second, and hold index.lock in the repository
// all that time. Whoever compiles in between compiles a mixture. So events of
// files in a repository wait until its lock is gone.
//
// A git that was killed leaves its lock behind, and `git commit -a` keeps it
// while its editor is open. Neither writes source files: when no event has come
// for a while, the lock is not about them, and is not waited for.

#include "Project/GitPause.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

// No event tells reliably that a lock has gone: `git` may remove it, or rename
// it.
static constexpr Nanoseconds Interval = std::chrono::milliseconds(10);
// Between two files that git writes there is a compressed object to be read.
static constexpr Nanoseconds LongestSilence = std::chrono::seconds(2);

bool GitPause::exists(StringRef Path) const {
  Expected<FileStatus> Status = FS.status(Path);
  if (Status)
    return true;
  consumeError(Status.takeError());
  return false;
}

/// The repository's own folder, of the work tree that Folder is the top of: as
/// a rule "Folder/.git"; of a submodule and of a further work tree that is a
/// file which names it. Empty: it is no top.
static std::string gitFolder(const FileSystem &FS, StringRef Folder) {
  SmallString<256> Git(Folder);
  sys::path::append(Git, ".git");
  Expected<FileStatus> Status = FS.status(Git);
  if (!Status) {
    consumeError(Status.takeError());
    return "";
  }
  if (Status->IsDirectory)
    return Git.str().str();
  Expected<std::string> Text = FS.read(Git);
  if (!Text) {
    consumeError(Text.takeError());
    return "";
  }
  StringRef Named = *Text;
  if (!Named.consume_front("gitdir:"))
    return "";
  SmallString<256> Result(Named.trim());
  if (sys::path::is_relative(Result)) {
    Result = Folder;
    sys::path::append(Result, Named.trim());
  }
  return Result.str().str();
}

/// A lock that is held in a repository that one of the files lies in.
std::optional<std::string> GitPause::lockOf(const FileEvents &Events) const {
  if (Events.Rescan && !AlsoLock.empty() && exists(AlsoLock))
    return AlsoLock;
  StringSet<> Seen;
  for (const std::string &Path : Events.Paths)
    for (StringRef Folder = sys::path::parent_path(Path);
         !Folder.empty() && Seen.insert(Folder).second;
         Folder = sys::path::parent_path(Folder)) {
      std::string Git = gitFolder(FS, Folder);
      if (Git.empty())
        continue;
      std::string Lock = Git + "/index.lock";
      if (exists(Lock))
        return Lock;
      break; // The repository around this one has a lock of its own.
    }
  return std::nullopt;
}

std::optional<FileEvents> GitPause::take(FileEvents Events) {
  if (!Held) {
    std::optional<std::string> Found = lockOf(Events);
    if (!Found)
      return Events;
    Lock = AlsoLock = *Found;
    Held = std::move(Events);
  } else {
    for (std::string &Path : Events.Paths)
      if (!is_contained(Held->Paths, Path))
        Held->Paths.push_back(std::move(Path));
    Held->Rescan |= Events.Rescan;
  }
  NextLook = C.now() + Interval;
  GiveUp = C.now() + LongestSilence;
  return look();
}

std::optional<FileEvents> GitPause::look() {
  if (!Held)
    return std::nullopt;
  Nanoseconds Now = C.now();
  if (exists(Lock) && Now < GiveUp) {
    NextLook = Now + Interval;
    return std::nullopt;
  }
  return std::exchange(Held, std::nullopt);
}

std::optional<Nanoseconds> GitPause::nextLook() const {
  return Held ? std::optional(NextLook) : std::nullopt;
}
