// Where the sockets are, and who may be there.
//
// Whoever can connect to a program's socket can put code into that program. So
// the folder must be the user's alone: in /tmp anybody could have made it
// first, and a folder that belongs to somebody else, or that others may enter,
// is refused rather than repaired. What a program that was killed left behind
// is recognised by nobody listening, and removed by whoever looks next.

#include "Wire/SocketFolder.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/Descriptor.h"
#include "Wire/UnixSocket.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

std::string hotjit::wire::socketFolder(StringRef RuntimeDir, unsigned Uid) {
  if (RuntimeDir.starts_with("/"))
    return fmt::format("{}/hotjit", RuntimeDir.rtrim('/'));
  return fmt::format("/tmp/hotjit-{}", Uid);
}

std::string hotjit::wire::socketFolder() {
  const char *RuntimeDir = ::getenv("XDG_RUNTIME_DIR");
  return socketFolder(RuntimeDir ? RuntimeDir : "", ::geteuid());
}

std::string hotjit::wire::socketPath(StringRef Folder, int64_t Pid) {
  return fmt::format("{}/{}.sock", Folder, Pid);
}

Error hotjit::wire::checkSocketPath(StringRef Path) {
  if (Path.size() <= MaxSocketPath)
    return Error::success();
  return makeError("{}: {} bytes are too long for a socket's path, {} is the "
                   "limit; give a shorter one with --socket",
                   Path, Path.size(), MaxSocketPath);
}

Error hotjit::wire::checkSocketFolder(StringRef Folder) {
  struct stat S;
  if (::lstat(Folder.str().c_str(), &S) != 0)
    return makeError("{}: {}", Folder, sys::StrError());
  if (!S_ISDIR(S.st_mode))
    return makeError("{}: not a folder; remove it, or set XDG_RUNTIME_DIR",
                     Folder);
  if (S.st_uid != ::geteuid())
    return makeError("{}: belongs to user {}, not to you; set XDG_RUNTIME_DIR",
                     Folder, S.st_uid);
  if (S.st_mode & 077)
    return makeError("{}: mode {:o} lets others in; chmod 700 it", Folder,
                     S.st_mode & 07777);
  return Error::success();
}

Error hotjit::wire::prepareSocketFolder(StringRef Folder) {
  if (::mkdir(Folder.str().c_str(), 0700) != 0 && errno != EEXIST)
    return makeError("{}: cannot make the folder: {}", Folder, sys::StrError());
  return checkSocketFolder(Folder);
}

static int64_t pidOf(StringRef SocketName) {
  int64_t Pid;
  if (!SocketName.consume_back(".sock") || SocketName.getAsInteger(10, Pid))
    return 0;
  return Pid;
}

static bool isSocket(const std::string &Path) {
  struct stat S;
  return ::lstat(Path.c_str(), &S) == 0 && S_ISSOCK(S.st_mode);
}

Expected<std::vector<RunningProgram>>
hotjit::wire::runningPrograms(StringRef Folder) {
  std::vector<RunningProgram> Found;
  struct stat S;
  if (::lstat(Folder.str().c_str(), &S) != 0 && errno == ENOENT)
    return Found;
  if (Error E = checkSocketFolder(Folder))
    return std::move(E);

  std::error_code Failure;
  for (sys::fs::directory_iterator I(Folder, Failure, false), End;
       I != End && !Failure; I.increment(Failure)) {
    // Connecting to a plain file is refused too: only a socket can be stale.
    std::string Path = I->path();
    if (!StringRef(Path).ends_with(".sock") || !isSocket(Path))
      continue;
    Expected<Descriptor> Socket = connectTo(Path);
    if (Socket) {
      Found.push_back({pidOf(StringRef(Path).rsplit('/').second), Path});
      continue;
    }
    bool Stale =
        errorToErrorCode(Socket.takeError()) == std::errc::connection_refused;
    if (Stale)
      ::unlink(Path.c_str());
  }
  if (Failure)
    return makeError("{}: {}", Folder, Failure.message());
  llvm::sort(Found, [](const RunningProgram &A, const RunningProgram &B) {
    return std::tie(A.Pid, A.Socket) < std::tie(B.Pid, B.Socket);
  });
  return Found;
}
