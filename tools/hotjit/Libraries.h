#ifndef HOTJIT_TOOLS_HOTJIT_LIBRARIES_H
#define HOTJIT_TOOLS_HOTJIT_LIBRARIES_H

#include "llvm/ADT/StringRef.h"
#include <string>
#include <sys/types.h>
#include <vector>

namespace hotjit {

/// The shared objects of a program, but for hotjit's own.
struct Libraries {
  std::vector<std::string> Linked;   ///< files, as the next
  std::vector<std::string> Opened;   ///< by the program, since it runs
  std::vector<std::string> Problems; ///< what could not be found, for people
};

/// Those that the loader would load with Program, a dynamically linked ELF
/// file, from this environment. Runs the loader, and nothing of the program.
Libraries linkedLibraries(llvm::StringRef Program);

/// Those that process Pid, which runs Program, has loaded now, as far as their
/// files are there. Those that linkedLibraries() does not list are Opened.
Libraries loadedLibraries(pid_t Pid, llvm::StringRef Program);

} // namespace hotjit

#endif
