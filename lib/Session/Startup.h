#ifndef HOTJIT_SESSION_STARTUP_H
#define HOTJIT_SESSION_STARTUP_H

#include "Image/Image.h"
#include "Project/CompileCommands.h"
#include "Project/TextArchive.h"
#include "Session/Session.h"

namespace hotjit {

/// Leads to the executable that this process runs, whatever lies by now where
/// it was (proc(5)).
inline constexpr char OwnExecutable[] = "/proc/thread-self/exe";

struct ProjectOptions {
  /// Another one where a program is looked at that does not run.
  std::string Executable = OwnExecutable;
  std::string CacheFolder;          ///< of TextArchive
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
/// each file once. Of the first Linked modules: the others were opened later,
/// and are for findUnits(). Error: no unit of the program can be reloaded; says
/// why and what to do.
llvm::Expected<Project> findProject(const FileSystem &FS, const Clock &C,
                                    const Image &Program,
                                    const ProjectOptions &Options,
                                    size_t Linked = SIZE_MAX);

/// The same for Modules alone, of a program that runs. Texts go to Known.
/// Nothing found is no error.
llvm::Expected<FoundUnits> findUnits(const FileSystem &FS, const Image &Program,
                                     const ProjectOptions &Options,
                                     llvm::ArrayRef<size_t> Modules,
                                     Saves &Known);

/// Why no edit of Unit can go live if it is compiled with other headers than it
/// was built with, though with the same command: the environment says where
/// headers are, too. AsBuilt: compiled here from the texts of the build. Only
/// of headers that debug info names.
std::optional<Verdict> otherHeaders(const FileSystem &FS,
                                    const ProjectUnit &Unit,
                                    const CompiledUnit &AsBuilt);

/// The units of Commands that belong to the program and that it was not built
/// from: they are not among the files that were Listed at its start. Makes them
/// known to Program, and keeps their texts in Known. Notes say which files do
/// not belong to it.
FoundUnits findAddedUnits(const FileSystem &FS, Image &Program,
                          const ProjectOptions &Options,
                          const CompileCommands &Commands,
                          const std::set<std::string> &Listed, Saves &Known);

/// Keeps, for later starts, the texts that each module of Program was built
/// from: those of Units that are trusted. Any thread; reads no file.
struct BuiltTexts {
  std::string Key; ///< of TextArchive
  TextSnapshot Texts;
};
std::vector<BuiltTexts> builtTexts(const FileSystem &FS, const Image &Program,
                                   const FoundUnits &Found, const Saves &Known);

} // namespace hotjit

#endif
