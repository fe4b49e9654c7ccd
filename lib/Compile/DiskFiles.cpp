// A project's files are compared by content. The hundreds of headers that a
// unit reads of the system and its libraries are not kept; whether they are
// what they were is told by what the file system says of them.

#include "Compile/DiskFiles.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace hotjit;
namespace fs = llvm::sys::fs;

void DiskFiles::add(const std::string &Path) {
  fs::file_status S;
  if (!fs::status(Path, S))
    Files.push_back(
        {Path, S.getUniqueID(), S.getLastModificationTime(), S.getSize()});
}

bool DiskFiles::areUntouched(const TextSnapshot &Texts) const {
  return llvm::all_of(Files, [&](const File &F) {
    fs::file_status S;
    return !Texts.find(F.Path) && !fs::status(F.Path, S) &&
           S.getUniqueID() == F.Id && S.getSize() == F.Size &&
           S.getLastModificationTime() == F.Written;
  });
}
