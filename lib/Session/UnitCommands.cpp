// A file may be compiled more than once: into the program and into a plugin of
// it, into the program and its tests, twice into one program under other
// macros. The compile database then has several commands for it, and debug
// information names none. With another unit's command new code would do what
// the other unit does, silently.
//
// The object that a command makes is the best witness: a linker copies code and
// data, so the unit's are the object's or they are not. Objects may be gone, or
// the same though their commands differ. Then it is asked where a command ran,
// and for which target of the build: all objects of one go the same way. If
// more than one command is left, none is taken.

#include "Session/UnitCommands.h"
#include "Image/LinkedFrom.h"
#include "Project/CommandChange.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using namespace llvm;

/// Tells the units of one file apart, in one run of the program and the next.
/// The executable's, or its first, needs no name but the file's.
static std::string nameOf(const Image &Program, const ImageUnit &Built) {
  const ImageModule &Module = Program.modules()[Built.Module];
  size_t Before =
      count_if(Program.findUnits(Built.Path), [&](const ImageUnit *Other) {
        return Other->Module == Built.Module && Other->Index < Built.Index;
      });
  if (Module.Executable && Before == 0)
    return "";
  return fmt::format("{} in {}{}", Built.Path, Module.Path,
                     Before ? fmt::format(" #{}", Before + 1) : "");
}

/// True only if the unit was not linked from what the command made: one that
/// was made since then does not tell.
static bool isOfOther(const FileSystem &FS, const Image &Program,
                      const ImageUnit &Built, const TranslationUnit &Command) {
  Expected<FileStatus> Status = FS.status(Command.Output);
  Expected<std::string> Object = FS.read(Command.Output);
  bool IsThere = Status && Object;
  consumeError(Status.takeError());
  consumeError(Object.takeError());
  if (!IsThere ||
      std::chrono::duration_cast<std::chrono::seconds>(Status->Modified)
              .count() > Program.modules()[Built.Module].FileModified)
    return false;
  return canBeLinkedFrom(Program, Built, *Object) == false;
}

/// Told by files of which there is one unit, and one command or one that is
/// left by the objects.
const std::set<std::string> &UnitCommands::targetsOf(size_t Module) {
  auto [It, IsNew] = Targets.try_emplace(Module);
  if (!IsNew)
    return It->second;
  for (const ImageUnit &U : Program.units()) {
    if (U.Module != Module || Program.findUnits(U.Path).size() != 1)
      continue;
    Candidates Left = Commands.findUnits(U.Path);
    if (Left.size() > 1)
      keepThoseOf(Left, U);
    if (Left.size() == 1)
      It->second.insert(targetOf(*Left.front()));
  }
  It->second.erase("");
  return It->second;
}

/// Keeps those that Is holds for, if it does for any.
template <class Test>
static void keepIfAny(std::vector<const TranslationUnit *> &Left, Test Is) {
  if (any_of(Left, Is))
    erase_if(Left, [&](const TranslationUnit *C) { return !Is(C); });
}

void UnitCommands::keepThoseOf(Candidates &Left, const ImageUnit &Built) const {
  erase_if(Left, [&](const TranslationUnit *C) {
    return isOfOther(FS, Program, Built, *C);
  });
}

void UnitCommands::narrow(Candidates &Left, const ImageUnit &Built) {
  keepThoseOf(Left, Built);
  if (Left.size() > 1)
    keepIfAny(Left, [&](const TranslationUnit *C) {
      return C->Directory == Built.Directory;
    });
  if (Left.size() > 1)
    keepIfAny(Left, [&](const TranslationUnit *C) {
      return targetsOf(Built.Module).count(targetOf(*C)) > 0;
    });
}

std::optional<UnitCommands::Problem>
UnitCommands::assign(TranslationUnit &Unit, const ImageUnit &Built) {
  Unit.Path = Built.Path;
  Unit.Name = nameOf(Program, Built);
  const Candidates Listed = Commands.findUnits(Built.Path);
  if (Listed.empty())
    return Problem{
        true,
        fmt::format("no command for it in {}; build with a compile database "
                    "(CMAKE_EXPORT_COMPILE_COMMANDS, bear) and start again",
                    Commands.path())};
  Candidates Left = Listed;
  if (Listed.size() > 1 || Program.findUnits(Built.Path).size() > 1)
    narrow(Left, Built);
  // What there is to say of the unit is said by any of them.
  std::string Name = std::move(Unit.Name);
  Unit = *(Left.empty() ? Listed : Left).front();
  Unit.Name = std::move(Name);
  Unit.ByGCC = Built.By == Producer::GCC;
  if (Left.size() == 1)
    return std::nullopt;
  if (!Left.empty())
    return Problem{
        false,
        fmt::format("{} has {} different commands for it; which one this "
                    "program was built with is not known, and the objects that "
                    "they make do not tell; build and start again",
                    Commands.path(), Left.size())};
  if (Listed.size() == 1)
    return Problem{
        false,
        fmt::format("the program holds it more than once, and {} does not have "
                    "the command that this copy was built with; build and "
                    "start again",
                    Commands.path())};
  return Problem{
      false, fmt::format(
                 "{} has {} different commands for it, and none of the objects "
                 "that they make is what the program was linked from; build "
                 "and start again",
                 Commands.path(), Listed.size())};
}
