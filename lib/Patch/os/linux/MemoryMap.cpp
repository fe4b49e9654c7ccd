// /proc/thread-self/maps, one line per mapping (proc_pid_maps(5)):
//
//   55e0c0a00000-55e0c0a21000 r-xp 00002000 08:01 1234    /usr/bin/lua

#include "Patch/os/linux/MemoryMap.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Errno.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hotjit {

using llvm::Expected;
using llvm::StringRef;

Expected<std::string> readProcFile(const std::string &Path) {
  int Descriptor = ::open(Path.c_str(), O_RDONLY | O_CLOEXEC);
  if (Descriptor < 0)
    return makeError("{}: {}", Path, llvm::sys::StrError(errno));
  std::string Text;
  // The kernel makes whole lines per read, of a page or less; bounded by the
  // end of file.
  for (;;) {
    char Chunk[16384];
    ssize_t Got = ::read(Descriptor, Chunk, sizeof Chunk);
    if (Got < 0 && errno == EINTR)
      continue;
    if (Got < 0) {
      int Code = errno;
      ::close(Descriptor);
      return makeError("{}: {}", Path, llvm::sys::StrError(Code));
    }
    if (Got == 0)
      break;
    Text.append(Chunk, Got);
  }
  ::close(Descriptor);
  return Text;
}

static std::optional<Mapping> parseLine(StringRef Line) {
  Mapping M;
  uint64_t Begin = 0, End = 0;
  if (Line.consumeInteger(16, Begin) || !Line.consume_front("-") ||
      Line.consumeInteger(16, End) || !Line.consume_front(" ") ||
      Line.size() < 4)
    return std::nullopt;
  M.Range = {ProgramAddr(Begin), ProgramAddr(End)};
  M.Protection = (Line[0] == 'r' ? PROT_READ : 0) |
                 (Line[1] == 'w' ? PROT_WRITE : 0) |
                 (Line[2] == 'x' ? PROT_EXEC : 0);
  M.Shared = Line[3] == 's';
  // Offset, device and inode come before the path.
  Line = Line.drop_front(4);
  for (int Field = 0; Field != 3; ++Field)
    Line = Line.ltrim(' ').drop_while([](char C) { return C != ' '; });
  M.Path = Line.ltrim(' ').str();
  return M;
}

Expected<std::vector<Mapping>> readMemoryMap() {
  Expected<std::string> Text = readProcFile("/proc/thread-self/maps");
  if (!Text)
    return Text.takeError();
  std::vector<Mapping> Map;
  llvm::SmallVector<StringRef, 0> Lines;
  StringRef(*Text).split(Lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef Line : Lines) {
    std::optional<Mapping> M = parseLine(Line);
    if (!M)
      return makeError("/proc/thread-self/maps: cannot read the line '{}'",
                       Line);
    Map.push_back(std::move(*M));
  }
  return Map;
}

const Mapping *findMapping(const std::vector<Mapping> &Map, ProgramAddr A) {
  auto It = llvm::upper_bound(
      Map, A, [](ProgramAddr A, const Mapping &M) { return A < M.Range.End; });
  return It != Map.end() && It->Range.contains(A) ? &*It : nullptr;
}

} // namespace hotjit
