// The build is described anew while the program runs: somebody added a file or
// a macro to CMakeLists.txt and ran CMake. That is an edit like any other. What
// a unit was compiled with is a part of what is live, as its text is: each
// generation has it, and undo brings it back.
//
// A file that is new is a unit of which the program has nothing: its old text
// is empty. It belongs to the program if its object goes to the folder of a
// target that the program is made of, and nothing else does.

#include "Project/CommandChange.h"
#include "Session/State.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

/// The command that the code of the unit which is live was compiled with.
const TranslationUnit &Session::liveCommand(size_t Unit) const {
  const auto &Commands = Generations[Current].Commands;
  auto It = Commands.find(Units[Unit].Unit.id());
  return It == Commands.end() ? Units[Unit].Unit : It->second;
}

/// The command to compile with: the build's, unless an undo left that behind.
const TranslationUnit &Session::newCommand(size_t Unit) const {
  if (Ahead.count(Options.CommandsPath))
    return liveCommand(Unit);
  auto It = OtherCommands.find(Units[Unit].Unit.id());
  return It == OtherCommands.end() ? Units[Unit].Unit : It->second;
}

bool Session::hasOtherCommand(size_t Unit) const {
  const TranslationUnit &Live = liveCommand(Unit), &New = newCommand(Unit);
  return &Live != &New && !isSameCommand(Live, New);
}

std::optional<Verdict> Session::commandProblem(size_t Unit) const {
  const ProjectUnit &U = Units[Unit];
  std::vector<std::string> Flags = flagsThatFitCode(U.Unit, newCommand(Unit));
  if (Flags.empty())
    return std::nullopt;
  Verdict V;
  V.Name = sys::path::filename(U.Unit.Path).str();
  V.Place.File = U.Unit.Path;
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::FlagsChanged;
  V.Message = fmt::format("{}: its command has other flags than the program "
                          "was built with, and code of both may not fit "
                          "together: {}; build and start again",
                          V.Name, join(Flags, " "));
  return V;
}

/// True if the events are about the compile commands and these say something
/// else than what is live.
bool Session::commandsChanged(const FileEvents &Events) {
  if (Options.CommandsPath.empty())
    return false;
  bool IsAbout = Events.Rescan;
  for (const std::string &Path : Events.Paths) {
    if (IsAbout ||
        sys::path::filename(Path) != sys::path::filename(Options.CommandsPath))
      continue;
    Expected<std::string> Real = Around.Files.realPath(Path);
    IsAbout = Real && *Real == Options.CommandsPath;
    if (!Real)
      consumeError(Real.takeError());
  }
  if (!IsAbout || !readCommands())
    return false;
  Tried.erase(Options.CommandsPath);
  return true;
}

bool Session::readCommands() {
  Expected<CompileCommands> Now = CompileCommands::load(
      Around.Files, sys::path::parent_path(Options.CommandsPath));
  if (!Now) {
    // Half written, or gone while CMake runs: there is another event.
    Around.L.warning("{}", toString(Now.takeError()));
    return false;
  }
  std::map<std::string, TranslationUnit> Before = std::move(OtherCommands);
  OtherCommands.clear();
  for (const ProjectUnit &U : Units) {
    std::vector<const TranslationUnit *> Found = Now->findUnits(U.Unit.Path);
    if (Found.size() > 1)
      erase_if(Found, [&](const TranslationUnit *C) {
        return C->Output != U.Unit.Output;
      });
    // Listed no more, or not known which is meant: what the program has of it
    // stays.
    if (Found.size() != 1 || U.Unit.Arguments.empty() ||
        isSameCommand(*Found.front(), U.Unit))
      continue;
    TranslationUnit Command = *Found.front();
    Command.Name = U.Unit.Name;
    Command.ByGCC = U.Unit.ByGCC;
    OtherCommands.emplace(U.Unit.id(), std::move(Command));
  }
  bool IsOther = Before.size() != OtherCommands.size() ||
                 !std::equal(Before.begin(), Before.end(),
                             OtherCommands.begin(), [](auto &A, auto &B) {
                               return A.first == B.first &&
                                      isSameCommand(A.second, B.second);
                             });
  size_t Count = Units.size();
  takeUpAdded(*Now);
  return IsOther || Units.size() != Count;
}

/// Files that the program was not built from.
void Session::takeUpAdded(const CompileCommands &Now) {
  if (!Around.FindAdded)
    return;
  FoundUnits Found = Around.FindAdded(Now, Known);
  for (const std::string &Note : Found.Notes)
    Around.L.warning("{}", Note);
  for (ProjectUnit &Unit : Found.Units) {
    for (const std::string &File : Unit.Files)
      Around.Watch(File);
    Units.push_back(std::move(Unit));
  }
}
