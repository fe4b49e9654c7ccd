#ifndef HOTJIT_SESSION_UNITCOMMANDS_H
#define HOTJIT_SESSION_UNITCOMMANDS_H

#include "Image/Image.h"
#include "Project/CompileCommands.h"
#include <map>
#include <optional>
#include <set>
#include <string>

namespace hotjit {

/// Tells with which of the build's commands a unit of the program was compiled.
class UnitCommands {
public:
  UnitCommands(const FileSystem &FS, const Image &Program,
               const CompileCommands &Commands)
      : FS(FS), Program(Program), Commands(Commands) {}

  /// The command, with the unit's name. Error: there is none, or nothing says
  /// which of several it is; says what to do.
  struct Problem {
    bool IsUnlisted = false; ///< else several, or one for other code
    std::string Message;
  };
  std::optional<Problem> assign(TranslationUnit &Unit, const ImageUnit &Built);

private:
  using Candidates = std::vector<const TranslationUnit *>;
  void keepThoseOf(Candidates &Left, const ImageUnit &Built) const;
  void narrow(Candidates &Left, const ImageUnit &Built);
  const std::set<std::string> &targetsOf(size_t Module);

  const FileSystem &FS;
  const Image &Program;
  const CompileCommands &Commands;
  /// Of the objects in each module: see targetOf().
  std::map<size_t, std::set<std::string>> Targets;
};

} // namespace hotjit

#endif
