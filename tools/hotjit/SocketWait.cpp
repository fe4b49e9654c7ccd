// The engine makes the socket (and its folder) some time after the program has
// started, or never. The server renames it into place when it accepts, so the
// event comes when connecting works.

#include "SocketWait.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Path.h"
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

SocketWait::SocketWait(std::string Path)
    : Path(std::move(Path)),
      Inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  watchNearestFolder();
}

static std::string nearestFolder(StringRef Path) {
  StringRef Folder = sys::path::parent_path(Path);
  struct stat S;
  while (Folder.size() > 1 && ::stat(Folder.str().c_str(), &S) != 0)
    Folder = sys::path::parent_path(Folder);
  return Folder.empty() ? "." : Folder.str();
}

void SocketWait::watchNearestFolder() {
  // A folder may appear between looking and watching: look again, at most once
  // for each part of the path.
  for (std::string Folder = nearestFolder(Path); Inotify && Folder != Watched;
       Folder = nearestFolder(Path)) {
    if (WatchId >= 0)
      ::inotify_rm_watch(Inotify.get(), WatchId);
    WatchId = ::inotify_add_watch(Inotify.get(), Folder.c_str(),
                                  IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
    if (WatchId < 0)
      Inotify = wire::Descriptor();
    Watched = std::move(Folder);
  }
}

std::unique_ptr<wire::Client>
SocketWait::tryConnect(wire::Client::OnEvent Listener) {
  char Buffer[4096];
  while (Inotify && ::read(Inotify.get(), Buffer, sizeof(Buffer)) > 0)
    ;
  watchNearestFolder();
  Expected<std::unique_ptr<wire::Client>> C =
      wire::Client::connect(Path, std::move(Listener));
  if (C)
    return std::move(*C);
  consumeError(C.takeError()); // not yet
  return nullptr;
}
