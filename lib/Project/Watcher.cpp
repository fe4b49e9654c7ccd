// An editor's "save" is many things: truncate and write, write beside and
// rename, move the old file away and write a new one, unlink and create. What
// they have in common is their end: the name then leads to a file that somebody
// has closed, or that was moved there. Those ends are what we report, of
// folders (the file itself is another inode after each save), and nothing in
// between, for a file between truncation and close is not what the user saved.
//
// Three things must not happen in silence:
//  - the kernel drops events (IN_Q_OVERFLOW): all files are looked at again;
//  - a folder is deleted and made anew (git does it when branches change): its
//    watch is of the old inode, and while somebody's shell stands in the
//    deleted folder the kernel does not even say that it is gone. So the folder
//    above is watched too; then the nearest one that exists, until the folder
//    is back, and then all files are looked at again;
//  - a limit of the system is reached, or the file system is one that other
//    machines write to, of which the kernel does not know: such folders are
//    looked at again and again (Polling.cpp), and people are told why and what
//    to set.
//
// What is not seen is a rename two or more levels above a watched folder.

#include "Project/Watcher.h"
#include "Project/Polling.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Support/Thread.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/Path.h"

#include <atomic>
#include <cerrno>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hotjit {

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

// Of a folder whose files are asked for. IN_CREATE is for links: a symbolic or
// hard link is whole when it is made, and nobody will close it.
static constexpr uint32_t FolderMask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// Of the folder above it: which folders come and go there. IN_MASK_ADD: the
// same inode may be asked for, too, and one inode has one mask.
static constexpr uint32_t AncestorMask =
    IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
    IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;

// A burst of saves fits: the event of a ten-letter name takes 32 bytes.
static constexpr size_t BufferSize = 64 << 10;

/// How often a folder that comes back and goes again is chased in one go; the
/// next event of its ancestor goes on.
static constexpr int ChaseLimit = 64;

/// Why inotify does not do it.
static std::string limitText(int Code) {
  switch (Code) {
  case ENOSPC:
    return "the user's inotify watches are used up; raise "
           "fs.inotify.max_user_watches (sysctl)";
  case EMFILE:
    return "the user's inotify instances, or the program's file descriptors, "
           "are "
           "used up; raise fs.inotify.max_user_instances (sysctl), or ulimit "
           "-n";
  default:
    return fmt::format("inotify: {}", llvm::sys::StrError(Code));
  }
}

struct Watcher::State {
  State(const Clock &C, Callback Report,
        std::function<std::string(StringRef)> RemoteAt)
      : C(C), Report(std::move(Report)), RemoteAt(std::move(RemoteAt)) {}
  ~State();

  Error add(StringRef Directory);
  void loop();
  void wake();

  int Inotify = -1;      ///< -1: none can be had
  std::string NoInotify; ///< why
  int Wake = -1;         ///< an eventfd
  std::atomic<bool> IsStopped{false};
  Polling Polls;
  Thread Loop;

private:
  using Names = llvm::SmallVector<std::string, 1>;
  /// One inode that is watched, under all names that lead to it.
  struct Watch {
    Names Asked;     ///< its files are reported
    Names Ancestors; ///< only what becomes of a folder below it matters
  };

  int addLocked(StringRef Directory);
  bool readEvents(FileEvents &Found);
  int addAncestor(StringRef Directory);
  bool recheck(StringRef Folder);
  void removeUnused();
  bool findLost();
  bool findLostFolder(const std::string &Directory);
  void forgetAncestors();
  void handle(const inotify_event &Event, FileEvents &Found);
  void handleFolder(const inotify_event &Event, FileEvents &Found);
  void report(const Watch &W, const inotify_event &Event, FileEvents &Found);

  const Clock &C;
  const Callback Report;
  const std::function<std::string(StringRef)> RemoteAt;
  const std::unique_ptr<char[]> Buffer = std::make_unique<char[]>(BufferSize);
  std::mutex M; ///< of what follows; not held while calling Report
  llvm::DenseMap<int, Watch> Watches; ///< by inotify's watch descriptor
  llvm::StringSet<> Lost;             ///< asked for, and not there now
};

Watcher::State::~State() {
  for (int Descriptor : {Inotify, Wake})
    if (Descriptor >= 0)
      ::close(Descriptor);
}

template <typename Container>
static void addOnce(Container &Names, StringRef Name) {
  if (!llvm::is_contained(Names, Name))
    Names.push_back(Name.str());
}

Error Watcher::State::add(StringRef Directory) {
  struct stat S{};
  if (::stat(Directory.str().c_str(), &S) != 0)
    return makeError("{}: cannot be watched: {}", Directory,
                     llvm::sys::StrError(errno));
  if (!S_ISDIR(S.st_mode))
    return makeError("{}: cannot be watched: {}", Directory,
                     llvm::sys::StrError(ENOTDIR));
  std::string Why = NoInotify;
  if (Why.empty()) {
    std::lock_guard Lock(M);
    if (int Code = addLocked(Directory))
      Why = limitText(Code);
  }
  if (Why.empty())
    if (std::string Remote = RemoteAt(Directory); !Remote.empty())
      Why = fmt::format("on {} what another machine writes makes no event",
                        Remote);
  if (!Why.empty() && Polls.add(Directory, std::move(Why)))
    wake();
  return Error::success();
}

/// 0 or an errno.
int Watcher::State::addLocked(StringRef Directory) {
  // The folder above comes first: between the two calls nothing is missed.
  int Code = addAncestor(llvm::sys::path::parent_path(Directory));
  if (Code == ENOSPC)
    return Code;
  int Descriptor =
      ::inotify_add_watch(Inotify, Directory.str().c_str(), FolderMask);
  if (Descriptor < 0)
    return errno;
  addOnce(Watches[Descriptor].Asked, Directory);
  Lost.erase(Directory);
  return 0;
}

/// 0 or an errno. "" is above "/", and is always there.
int Watcher::State::addAncestor(StringRef Directory) {
  if (Directory.empty())
    return 0;
  int Descriptor =
      ::inotify_add_watch(Inotify, Directory.str().c_str(), AncestorMask);
  if (Descriptor < 0)
    return errno;
  addOnce(Watches[Descriptor].Ancestors, Directory);
  return 0;
}

//===----------------------------------------------------------------------===//
// Folders that go and come
//===----------------------------------------------------------------------===//

static bool isAtOrBelow(StringRef Path, StringRef Folder) {
  return Path.consume_front(Folder) && (Path.empty() || Path.starts_with("/"));
}

/// Something happened to Folder ("": to any). Whatever is watched there is
/// looked up anew: the kernel gives the same descriptor for the same inode.
/// True if a folder that was asked for is another one now, or none.
bool Watcher::State::recheck(StringRef Folder) {
  auto IsThere = [&](StringRef Name) { return isAtOrBelow(Name, Folder); };
  llvm::SmallVector<std::pair<int, std::string>> Asked;
  Names Ancestors;
  for (auto &[Descriptor, W] : Watches) {
    for (const std::string &Name : llvm::make_filter_range(W.Asked, IsThere))
      Asked.emplace_back(Descriptor, Name);
    llvm::append_range(Ancestors,
                       llvm::make_filter_range(W.Ancestors, IsThere));
    llvm::erase_if(W.Asked, IsThere);
    llvm::erase_if(W.Ancestors, IsThere);
  }
  for (const std::string &Name : Ancestors)
    addAncestor(Name);
  bool IsChanged = false;
  for (const auto &[Descriptor, Name] : Asked) {
    if (addLocked(Name) != 0)
      Lost.insert(Name);
    IsChanged |= !llvm::is_contained(Watches[Descriptor].Asked, Name);
  }
  removeUnused();
  return IsChanged;
}

void Watcher::State::removeUnused() {
  llvm::SmallVector<int> Unused;
  for (const auto &[Descriptor, W] : Watches)
    if (W.Asked.empty() && W.Ancestors.empty())
      Unused.push_back(Descriptor);
  for (int Descriptor : Unused) {
    Watches.erase(Descriptor);
    // A folder that was moved is watched on at its new place. This fails if it
    // was deleted, which is as good.
    ::inotify_rm_watch(Inotify, Descriptor);
  }
}

/// Watches Directory again, or else the nearest ancestor that is there. True if
/// it is back.
bool Watcher::State::findLostFolder(const std::string &Directory) {
  for (int Attempt = 0; Attempt != ChaseLimit; ++Attempt) {
    if (addLocked(Directory) == 0)
      return true;
    StringRef Below = Directory;
    StringRef Ancestor = llvm::sys::path::parent_path(Below);
    while (addAncestor(Ancestor) != 0) {
      Below = Ancestor;
      Ancestor = llvm::sys::path::parent_path(Below);
    }
    // What came before the watch makes no event: look once more.
    struct stat S{};
    if (::stat(Below.str().c_str(), &S) != 0 || !S_ISDIR(S.st_mode))
      return false;
  }
  return false;
}

/// Looks for all lost folders; true if one is back.
bool Watcher::State::findLost() {
  Names Directories;
  for (const auto &Entry : Lost)
    Directories.push_back(Entry.getKey().str());
  bool IsBack = false;
  for (const std::string &Directory : Directories)
    IsBack |= findLostFolder(Directory);
  if (Lost.empty() && !Directories.empty())
    forgetAncestors();
  return IsBack;
}

/// Nothing is lost any more: of the ancestors only parents are of use.
void Watcher::State::forgetAncestors() {
  llvm::StringSet<> Parents;
  for (const auto &Entry : Watches)
    for (const std::string &Name : Entry.second.Asked)
      Parents.insert(llvm::sys::path::parent_path(Name));
  for (auto &Entry : Watches)
    llvm::erase_if(Entry.second.Ancestors,
                   [&](StringRef Name) { return !Parents.contains(Name); });
  removeUnused();
}

//===----------------------------------------------------------------------===//
// Events
//===----------------------------------------------------------------------===//

/// True for a name that came into being as a link: it has its content already.
/// Another new file is still open; its writer will close it.
static bool isLink(const std::string &Path) {
  struct stat S{};
  return ::lstat(Path.c_str(), &S) == 0 &&
         (S_ISLNK(S.st_mode) || (S_ISREG(S.st_mode) && S.st_nlink > 1));
}

/// True if the name now leads to a whole text. A name that went away is on its
/// way to another text, or to none: whoever looks at that moment may find the
/// new file still empty.
static bool isSaved(uint32_t Mask, const std::string &Path) {
  if (Mask & IN_CREATE)
    return isLink(Path);
  return Mask & (IN_CLOSE_WRITE | IN_MOVED_TO);
}

void Watcher::State::report(const Watch &W, const inotify_event &Event,
                            FileEvents &Found) {
  StringRef Name = Event.name; // Padded with zeros.
  if (isEditorTemporary(Name))
    return;
  for (const std::string &Directory : W.Asked) {
    std::string Path = Directory + "/" + Name.str();
    if (isSaved(Event.mask, Path))
      addOnce(Found.Paths, Path);
  }
}

/// A folder came or went, below a watched one or the watched one itself.
void Watcher::State::handleFolder(const inotify_event &Event,
                                  FileEvents &Found) {
  const Watch &W = Watches.find(Event.wd)->second;
  Names Changed(W.Asked);
  Changed.append(W.Ancestors.begin(), W.Ancestors.end());
  if (Event.len)
    for (std::string &Name : Changed)
      Name = (Name == "/" ? "/" : Name + "/") + Event.name;
  for (const std::string &Name : Changed)
    Found.Rescan |= recheck(Name);
  Found.Rescan |= findLost();
}

void Watcher::State::handle(const inotify_event &Event, FileEvents &Found) {
  if (Event.mask & IN_Q_OVERFLOW) {
    // Among what was dropped may be that a folder was replaced.
    recheck("");
    findLost();
    Found.Rescan = true;
    return;
  }
  auto I = Watches.find(Event.wd);
  if (I == Watches.end())
    return; // The last words of a watch that was given up.
  constexpr uint32_t Itself =
      IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT;
  if (Event.mask & (Itself | IN_ISDIR))
    handleFolder(Event, Found);
  else if (Event.len)
    report(I->second, Event, Found);
}

/// False: inotify does not answer any more.
bool Watcher::State::readEvents(FileEvents &Found) {
  ssize_t Size = ::read(Inotify, Buffer.get(), BufferSize);
  if (Size < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (Size <= 0)
    return false;
  Found.Time = C.now();
  std::lock_guard Lock(M);
  for (const char *At = Buffer.get(); At < Buffer.get() + Size;) {
    const auto *Event = reinterpret_cast<const inotify_event *>(At);
    handle(*Event, Found);
    At += sizeof(inotify_event) + Event->len;
  }
  return true;
}

void Watcher::State::loop() {
  Nanoseconds NextLook = C.now();
  while (true) {
    pollfd Waits[] = {{Inotify, POLLIN, 0}, {Wake, POLLIN, 0}};
    int Timeout = -1;
    if (!Polls.empty())
      Timeout = std::chrono::ceil<std::chrono::milliseconds>(
                    std::max(NextLook - C.now(), Nanoseconds(0)))
                    .count();
    if (::poll(Waits, std::size(Waits), Timeout) < 0 && errno != EINTR)
      break;
    if (IsStopped)
      return;
    uint64_t Count;
    [[maybe_unused]] ssize_t Read = ::read(Wake, &Count, sizeof(Count));
    FileEvents Found;
    if (Waits[0].revents && !readEvents(Found))
      break;
    if (!Polls.empty() && C.now() >= NextLook) {
      Polls.look(Found.Paths);
      NextLook = C.now() + Polling::Interval;
      if (Found.Time == Nanoseconds(0))
        Found.Time = C.now();
    }
    if (Found.Rescan || !Found.Paths.empty())
      Report(std::move(Found));
  }
  HOTJIT_ASSERT(false, "inotify does not answer; saves go unseen");
}

void Watcher::State::wake() {
  uint64_t One = 1;
  [[maybe_unused]] ssize_t Written = ::write(Wake, &One, sizeof(One));
  HOTJIT_ASSERT(Written == sizeof(One), "cannot wake the watcher");
}

//===----------------------------------------------------------------------===//
// Watcher
//===----------------------------------------------------------------------===//

Expected<std::unique_ptr<Watcher>>
Watcher::create(const Clock &C, Callback Report,
                std::function<std::string(StringRef)> RemoteAt) {
  auto S = std::make_unique<State>(C, std::move(Report), std::move(RemoteAt));
  S->Inotify = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (S->Inotify < 0)
    S->NoInotify = limitText(errno);
  S->Wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (S->Wake < 0)
    return makeError("eventfd: {}", llvm::sys::StrError(errno));
  Expected<Thread> Loop =
      Thread::start("hotjit-watch", [Its = S.get()] { Its->loop(); });
  if (!Loop)
    return Loop.takeError();
  S->Loop = std::move(*Loop);
  return std::unique_ptr<Watcher>(new Watcher(std::move(S)));
}

Watcher::Watcher(std::unique_ptr<State> S) : S(std::move(S)) {}

Watcher::~Watcher() {
  S->IsStopped = true;
  S->wake();
  S->Loop.join();
}

std::string Watcher::polling() const { return S->Polls.describe(); }

Error Watcher::watch(StringRef Directory) { return S->add(Directory); }

} // namespace hotjit
