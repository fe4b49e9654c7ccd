#ifndef HOTJIT_PATCH_OS_LINUX_MEMORYMAP_H
#define HOTJIT_PATCH_OS_LINUX_MEMORYMAP_H

#include "Support/ProgramAddr.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hotjit {

/// A line of /proc/self/maps.
struct Mapping {
  AddrRange Range;
  int Protection = 0; ///< PROT_READ and so on
  bool Shared = false;
  std::string Path;
};

/// What is mapped now, by address. Any thread.
llvm::Expected<std::vector<Mapping>> readMemoryMap();

/// The mapping that holds A; null if none.
const Mapping *findMapping(const std::vector<Mapping> &Map, ProgramAddr A);

/// The whole of a file under /proc, whose size is not known before.
llvm::Expected<std::string> readProcFile(const std::string &Path);

} // namespace hotjit

#endif
