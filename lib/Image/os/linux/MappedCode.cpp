// Which files code is mapped from, one line of /proc/thread-self/maps each
// (proc_pid_maps(5)):
//
//   7f0c1000-7f0c9000 r-xp 00001000 fe:00 1234    /usr/lib/libplugin.so
//
// A plugin that was built anew may come back to the same place with the same
// inode: the time of its file tells.

#include "Image/MappedCode.h"
#include "Support/FileSystem.h"
#include "llvm/ADT/StringExtras.h"

using namespace hotjit;
using llvm::StringRef;

std::vector<MappedCode> hotjit::mappedCode() {
  std::vector<MappedCode> Result;
  llvm::Expected<std::string> Maps =
      RealFileSystem().read("/proc/thread-self/maps");
  if (!Maps) {
    llvm::consumeError(Maps.takeError());
    return Result;
  }
  StringRef Last;
  for (StringRef Line : llvm::split(*Maps, '\n')) {
    auto [Range, Rest] = Line.split(' ');
    auto [Permissions, File] = Rest.split(' ');
    size_t Path = File.find('/');
    uint64_t Begin = 0;
    if (Path == StringRef::npos || !Permissions.contains('x') ||
        Range.split('-').first.getAsInteger(16, Begin))
      continue;
    // Patching splits a mapping for a moment.
    StringRef Name = File.substr(Path);
    if (Name == Last)
      continue;
    Last = Name;
    MappedCode Code{Begin, File.str(), {}};
    llvm::sys::fs::file_status S;
    if (!llvm::sys::fs::status(Name, S))
      Code.Written = S.getLastModificationTime();
    Result.push_back(std::move(Code));
  }
  return Result;
}
