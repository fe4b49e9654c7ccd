// The disk, read beside editors that write to it. A file that is renamed into
// place is whole at every moment; one that is written in place is not, and
// somebody who reads it in between gets half a file that may even compile. So
// a read counts only if the file had the same size and times before and after.
//
// That is not enough to see every writer (the kernel's time stamps are a few
// milliseconds coarse, and a writer may pause between two writes); it need not
// be: a writer that closes the file makes another event, and that event makes
// another read. What must hold is only that the *last* read is whole.

#include "Support/FileSystem.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hotjit {

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

// A writer that holds a reader up for this many whole reads is not an editor
// that saves; its closing event brings us back.
static constexpr int ReadAttempts = 8;

static Error systemError(StringRef Path, const char *What, int Code = errno) {
  return llvm::createStringError(std::error_code(Code, std::generic_category()),
                                 "%s: cannot %s: %s", Path.str().c_str(), What,
                                 llvm::sys::StrError(Code).c_str());
}

static std::chrono::nanoseconds toNanoseconds(const timespec &T) {
  return std::chrono::seconds(T.tv_sec) + std::chrono::nanoseconds(T.tv_nsec);
}

static bool isSameContent(const struct stat &A, const struct stat &B) {
  return A.st_size == B.st_size &&
         toNanoseconds(A.st_mtim) == toNanoseconds(B.st_mtim) &&
         toNanoseconds(A.st_ctim) == toNanoseconds(B.st_ctim);
}

/// Reads the open file from its first byte to its end.
static Error readWhole(int Descriptor, StringRef Path, size_t Expected,
                       std::string &Text) {
  // One byte more than expected, so that the end is seen in the same call.
  Text.resize(Expected + 1);
  size_t Done = 0;
  while (true) {
    if (Done == Text.size())
      Text.resize(Text.size() * 2);
    ssize_t N = ::pread(Descriptor, Text.data() + Done, Text.size() - Done,
                        static_cast<off_t>(Done));
    if (N < 0 && errno == EINTR)
      continue;
    if (N < 0)
      return systemError(Path, "read");
    if (N == 0)
      break;
    Done += static_cast<size_t>(N);
  }
  Text.resize(Done);
  return Error::success();
}

Expected<std::string> RealFileSystem::read(StringRef Path) const {
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  int Descriptor =
      ::open(Path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (Descriptor < 0)
    return systemError(Path, "open");
  llvm::scope_exit Close([&] { ::close(Descriptor); });

  struct stat Before{};
  if (::fstat(Descriptor, &Before) != 0)
    return systemError(Path, "stat");
  if (!S_ISREG(Before.st_mode))
    return makeError("{}: not a regular file", Path);
  std::string Text;
  for (int Attempt = 0; Attempt != ReadAttempts; ++Attempt) {
    if (Error E = readWhole(Descriptor, Path,
                            static_cast<size_t>(Before.st_size), Text))
      return std::move(E);
    struct stat After{};
    if (::fstat(Descriptor, &After) != 0)
      return systemError(Path, "stat");
    // Files of procfs have size 0 and a text all the same.
    bool IsSizeRight =
        Text.size() == static_cast<size_t>(After.st_size) || !After.st_size;
    if (isSameContent(Before, After) && IsSizeRight)
      return Text;
    Before = After;
  }
  return makeError("{}: written to while it was read, {} times in a row", Path,
                   ReadAttempts);
}

Expected<FileStatus> RealFileSystem::status(StringRef Path) const {
  struct stat S{};
  if (::stat(Path.str().c_str(), &S) != 0)
    return systemError(Path, "stat");
  FileStatus Status;
  Status.Device = S.st_dev;
  Status.Inode = S.st_ino;
  Status.Size = static_cast<uint64_t>(S.st_size);
  Status.Modified = toNanoseconds(S.st_mtim);
  Status.IsDirectory = S_ISDIR(S.st_mode);
  return Status;
}

Expected<std::string> RealFileSystem::realPath(StringRef Path) const {
  // The caller's buffer: what realpath(3) allocates would come from the
  // program's malloc and be freed by ours.
  char Buffer[PATH_MAX];
  if (!::realpath(Path.str().c_str(), Buffer))
    return systemError(Path, "resolve");
  return std::string(Buffer);
}

Expected<std::vector<std::string>>
RealFileSystem::list(StringRef Directory) const {
  std::vector<std::string> Names;
  std::error_code Code;
  for (llvm::sys::fs::directory_iterator I(Directory, Code,
                                           /*follow_symlinks=*/false),
       End;
       !Code && I != End; I.increment(Code))
    Names.push_back(llvm::sys::path::filename(I->path()).str());
  if (Code)
    return systemError(Directory, "list", Code.value());
  return Names;
}

} // namespace hotjit
