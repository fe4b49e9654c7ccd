// bind(2) makes the file before listen(2) makes it answer. In between, a
// client that waits for the file would be refused, and somebody who cleans up
// would take it for stale. So the socket is bound under another name in the
// same folder and renamed when it listens: where it is seen, it answers.

#include "Wire/UnixSocket.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "llvm/Support/Errno.h"
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

static Error failure(StringRef Path, int Number) {
  return createStringError(std::error_code(Number, std::generic_category()),
                           "%s: %s", Path.str().c_str(),
                           sys::StrError(Number).c_str());
}

static Expected<Descriptor> makeSocket() {
  Descriptor D(
      ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!D)
    return failure("socket", errno);
  return D;
}

static sockaddr_un addressOf(StringRef Path) {
  sockaddr_un Address = {};
  Address.sun_family = AF_UNIX;
  std::memcpy(Address.sun_path, Path.data(), Path.size());
  return Address;
}

Expected<Descriptor> hotjit::wire::connectTo(StringRef Path) {
  if (Error E = checkSocketPath(Path))
    return std::move(E);
  Expected<Descriptor> D = makeSocket();
  if (!D)
    return D;
  sockaddr_un Address = addressOf(Path);
  // Never EINPROGRESS on a Unix socket; EAGAIN when its backlog is full.
  if (::connect(D->get(), reinterpret_cast<sockaddr *>(&Address),
                sizeof(Address)) != 0)
    return failure(Path, errno);
  return D;
}

/// Makes sure that a listening socket may take Path.
static Error checkFree(StringRef Path) {
  struct stat S;
  if (::lstat(Path.str().c_str(), &S) != 0)
    return errno == ENOENT ? Error::success() : failure(Path, errno);
  if (!S_ISSOCK(S.st_mode))
    return makeError("{}: exists and is not a socket; remove it or give "
                     "another --socket",
                     Path);
  Expected<Descriptor> Other = connectTo(Path);
  if (Other)
    return makeError("{}: another program listens there; give another --socket",
                     Path);
  std::error_code Why = errorToErrorCode(Other.takeError());
  if (Why == std::errc::connection_refused)
    return Error::success();
  return makeError("{}: {}", Path, Why.message());
}

Expected<Descriptor> hotjit::wire::listenAt(StringRef Path) {
  std::string Folder = Path.rsplit('/').first.str();
  if (!Path.contains('/'))
    Folder = ".";
  std::string Unready = fmt::format("{}/.{:x}", Folder, ::getpid());
  if (Error E = checkSocketPath(Path.size() > Unready.size() ? Path : Unready))
    return std::move(E);
  if (Error E = checkFree(Path))
    return std::move(E);
  Expected<Descriptor> D = makeSocket();
  if (!D)
    return D;

  // The umask is the program's and must not be touched; Linux takes the mode
  // of the unbound socket for the file that bind makes.
  ::fchmod(D->get(), 0600);
  ::unlink(Unready.c_str()); // of a process with this id that was killed here
  sockaddr_un Address = addressOf(Unready);
  if (::bind(D->get(), reinterpret_cast<sockaddr *>(&Address),
             sizeof(Address)) != 0)
    return failure(Path, errno);
  bool Listens = ::chmod(Unready.c_str(), 0600) == 0 &&
                 ::listen(D->get(), SOMAXCONN) == 0 &&
                 ::rename(Unready.c_str(), Path.str().c_str()) == 0;
  if (Listens)
    return D;
  int Number = errno;
  ::unlink(Unready.c_str());
  return failure(Path, Number);
}

bool hotjit::wire::peerIsSameUser(int Socket) {
  ucred Peer = {};
  socklen_t Size = sizeof(Peer);
  return ::getsockopt(Socket, SOL_SOCKET, SO_PEERCRED, &Peer, &Size) == 0 &&
         Peer.uid == ::geteuid();
}
