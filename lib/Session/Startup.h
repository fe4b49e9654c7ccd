#ifndef HOTJIT_SESSION_STARTUP_H
#define HOTJIT_SESSION_STARTUP_H

#include "Image/Image.h"
#include "Project/CompileCommands.h"
#include "Session/Session.h"

namespace hotjit {

struct ProjectOptions {
  std::string BuildDirectory;       ///< empty: find it
  std::vector<std::string> Include; ///< globs on absolute paths; empty: all
  std::vector<std::string> Exclude;
};

/// What hotjit watches in one program.
struct Project {
  FoundUnits Found;
  Saves Known;
};

/// Brings together what the program was built from (debug info) and how
/// (compile_commands.json), and keeps the text of every project file. Reads
/// each file once. Error: no unit of the program can be reloaded; says why and
/// what to do.
llvm::Expected<Project> findProject(const FileSystem &FS, const Clock &C,
                                    const Image &Program,
                                    const ProjectOptions &Options);

/// The same for Modules alone, of a program that runs. Texts go to Known.
/// Nothing found is no error.
llvm::Expected<FoundUnits> findUnits(const FileSystem &FS, const Image &Program,
                                     const ProjectOptions &Options,
                                     llvm::ArrayRef<size_t> Modules,
                                     Saves &Known);

} // namespace hotjit

#endif
