// Which shared objects belong to a program? Its file names some, without
// folders; where they are is decided by rules that only the dynamic loader
// knows in full (RUNPATH, LD_LIBRARY_PATH, its cache, hardware capabilities).
// So the loader itself is asked, as ldd(1) asks it. What a program opens later
// is known only while it runs, and then the kernel knows.

#include "Libraries.h"
#include "ProgramCheck.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include <set>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

static bool isOurs(StringRef Path) {
  StringRef Name = sys::path::filename(Path);
  return Name == "libhotjit.so" || Name == "libhotjit-engine.so";
}

/// What the loader prints instead of starting Program.
static Expected<std::string> listOf(StringRef Loader, StringRef Program) {
  SmallString<128> Path;
  if (std::error_code Failed =
          sys::fs::createTemporaryFile("hotjit-doctor", "txt", Path))
    return makeError("a temporary file: {}", Failed.message());
  FileRemover Remover(Path);
  SmallVector<StringRef> Environment = {"LD_TRACE_LOADED_OBJECTS=1"};
  for (const char *const *Variable = environ; *Variable; ++Variable)
    Environment.push_back(*Variable);
  std::string Problem;
  int Status = sys::ExecuteAndWait(
      Loader, {Loader, Program}, ArrayRef<StringRef>(Environment),
      {StringRef(), Path.str(), StringRef()}, 0, 0, &Problem);
  if (Status != 0)
    return makeError("{}: {}", Loader,
                     Problem.empty() ? fmt::format("status {}", Status)
                                     : Problem);
  ErrorOr<std::unique_ptr<MemoryBuffer>> Text = MemoryBuffer::getFile(Path);
  if (!Text)
    return makeError("{}: {}", Path.str(), Text.getError().message());
  return (*Text)->getBuffer().str();
}

/// A line of the list: "NAME => FILE (ADDRESS)", "FILE (ADDRESS)" if the
/// program names it by its path, "NAME => not found".
static void readLine(StringRef Line, Libraries &Found) {
  auto [Name, File] = Line.trim().split(" => ");
  if (File == "not found")
    return Found.Problems.push_back(
        fmt::format("{}: the loader does not find it here; set "
                    "LD_LIBRARY_PATH as for the program",
                    Name));
  StringRef Path = (File.empty() ? Name : File).rsplit(" (0x").first;
  if (sys::path::is_absolute(Path) && !isOurs(Path))
    Found.Linked.push_back(Path.str());
}

Libraries hotjit::linkedLibraries(StringRef Program) {
  Libraries Found;
  auto Unknown = [&](Error E) {
    Found.Problems.push_back("they are not looked at: " +
                             toString(std::move(E)));
    return Found;
  };
  Expected<std::string> Loader = loaderOf(Program);
  if (!Loader)
    return Unknown(Loader.takeError());
  Expected<std::string> Text = listOf(*Loader, Program);
  if (!Text)
    return Unknown(Text.takeError());
  SmallVector<StringRef> Lines;
  StringRef(*Text).split(Lines, '\n', -1, /*KeepEmpty=*/false);
  for (StringRef Line : Lines)
    readLine(Line, Found);
  return Found;
}

Libraries hotjit::loadedLibraries(pid_t Pid, StringRef Program) {
  // By their real paths, as the kernel has them.
  std::set<std::string> Linked;
  for (const std::string &File : linkedLibraries(Program).Linked) {
    SmallString<256> Real;
    if (!sys::fs::real_path(File, Real))
      Linked.insert(Real.str().str());
  }
  Libraries Found;
  auto Maps = MemoryBuffer::getFileAsStream(fmt::format("/proc/{}/maps", Pid));
  if (!Maps) {
    Found.Problems.push_back(
        fmt::format("they are not looked at: /proc/{}/maps: {}", Pid,
                    Maps.getError().message()));
    return Found;
  }
  SmallVector<StringRef> Lines;
  (*Maps)->getBuffer().split(Lines, '\n', -1, /*KeepEmpty=*/false);
  StringSet<> Seen;
  for (StringRef Line : Lines) {
    // ADDRESSES PERMISSIONS OFFSET DEVICE INODE   FILE
    StringRef Permissions = Line.split(' ').second.split(' ').first;
    StringRef Path = Line.drop_until([](char C) { return C == '/'; });
    if (!Permissions.contains('x') || Path.empty() || Path == Program ||
        isOurs(Path) || !Seen.insert(Path).second)
      continue;
    if (Path.ends_with(" (deleted)"))
      Found.Problems.push_back(
          fmt::format("{}: replaced since the program loaded it",
                      Path.drop_back(StringRef(" (deleted)").size())));
    else
      (Linked.count(Path.str()) ? Found.Linked : Found.Opened)
          .push_back(Path.str());
  }
  return Found;
}
