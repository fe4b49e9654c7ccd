// What was the program built from?
//
// The binary says which files (line tables) and which compiler; the compile
// database says with which command. A unit needs both. The text of every file
// is read and kept *now*, because a save overwrites the only copy of the text
// that the running code came from.
//
// The program may have code of a file and no debug info for it. Then an edit of
// that file is refused; met with silence it would pass for live.
//
// A file that is newer than the program is another text than the one it was
// built from: what the program holds of it is unknown, and is not guessed.

#include "Session/Startup.h"
#include "Project/CommandChange.h"
#include "Project/Includes.h"
#include "Session/UnitCommands.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/GlobPattern.h"
#include "llvm/Support/MD5.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

static Expected<CompileCommands> findCommands(const FileSystem &FS,
                                              const Image &Program,
                                              ArrayRef<const ImageUnit *> Units,
                                              const ProjectOptions &Options) {
  if (!Options.BuildDirectory.empty())
    return CompileCommands::load(FS, Options.BuildDirectory);
  std::vector<std::string> Candidates;
  StringSet<> Seen;
  for (const ImageUnit *U : Units)
    if (Seen.insert(U->Directory).second)
      Candidates.push_back(U->Directory);
  for (const ImageModule &M : Program.modules())
    if (M.Executable)
      Candidates.push_back(sys::path::parent_path(M.Path).str());
  return CompileCommands::find(FS, Candidates);
}

static Expected<std::vector<GlobPattern>>
compileGlobs(ArrayRef<std::string> Globs) {
  std::vector<GlobPattern> Result;
  for (const std::string &Glob : Globs) {
    Expected<GlobPattern> P = GlobPattern::create(Glob);
    if (!P)
      return makeError("'{}' is not a glob: {}", Glob, toString(P.takeError()));
    Result.push_back(std::move(*P));
  }
  return Result;
}

static Verdict problem(const ProjectUnit &U, Reason Code, std::string Message) {
  Verdict V;
  V.Name = sys::path::filename(U.Unit.Path).str();
  V.Place.File = U.Unit.Path;
  V.Kind = VerdictKind::Refused;
  V.Code = Code;
  V.Message = std::move(Message);
  return V;
}

/// True if the text that the program was built from is not the one on the disk.
static bool isStale(const FileSystem &FS, const ImageSource &Source,
                    StringRef Text, const ImageModule &Module) {
  if (Source.MD5) {
    MD5 Hash;
    Hash.update(Text);
    MD5::MD5Result Result;
    Hash.final(Result);
    return !std::equal(Result.begin(), Result.end(), Source.MD5->begin());
  }
  Expected<FileStatus> Status = FS.status(Source.Path);
  if (!Status) {
    consumeError(Status.takeError());
    return false; // Gone: its unit will say so when it is compiled.
  }
  auto Seconds =
      std::chrono::duration_cast<std::chrono::seconds>(Status->Modified);
  return Seconds.count() > Module.FileModified;
}

static bool isWanted(StringRef Path, ArrayRef<GlobPattern> Include,
                     ArrayRef<GlobPattern> Exclude) {
  auto Matches = [&](const GlobPattern &G) { return G.match(Path); };
  return !isSystemFile(Path) && none_of(Exclude, Matches) &&
         (Include.empty() || any_of(Include, Matches));
}

/// The unit that Built is, with its command and the files it may read; nullopt
/// if the user left it out.
static std::optional<ProjectUnit> makeUnit(const ImageUnit &Built,
                                           UnitCommands &Commands,
                                           IncludeScanner &Scanner,
                                           ArrayRef<GlobPattern> Include,
                                           ArrayRef<GlobPattern> Exclude) {
  if (!isWanted(Built.Path, Include, Exclude))
    return std::nullopt;
  ProjectUnit U;
  U.Built = &Built;
  if (auto Problem = Commands.assign(U.Unit, Built))
    U.Problem = problem(
        U, Problem->IsUnlisted ? Reason::NoCompileCommand : Reason::BuiltTwice,
        std::move(Problem->Message));
  if (Built.LTO)
    U.Problem = problem(U, Reason::LinkTimeOptimized,
                        "the program was linked with link-time optimization, "
                        "which leaves no unit as it was; build without -flto");
  if (!U.Unit.Arguments.empty())
    U.Files = Scanner.filesOf(U.Unit);
  for (const ImageSource &Source : Built.Sources)
    if (!isSystemFile(Source.Path) && sys::path::is_absolute(Source.Path) &&
        !StringRef(Source.Path).ends_with("<built-in>"))
      U.Files.insert(Source.Path);
  // GCC's LTO calls its units "<artificial>".
  if (!StringRef(U.Unit.Path).ends_with(">"))
    U.Files.insert(U.Unit.Path);
  return U;
}

/// Each compiler has some of its own, under the same names.
static bool isOfCompiler(StringRef Path) {
  return Path.contains("/lib/gcc/") || Path.contains("/lib/clang/");
}

std::optional<Verdict> hotjit::otherHeaders(const FileSystem &FS,
                                            const ProjectUnit &Unit,
                                            const CompiledUnit &AsBuilt) {
  if (!Unit.Built || Unit.Added)
    return std::nullopt;
  StringSet<> Read, Built;
  for (const std::string &File : AsBuilt.Files)
    Read.insert(File);
  for (const ImageSource &S : Unit.Built->Sources)
    Built.insert(S.Path);
  StringMap<StringRef> Missing; // by the name without folders
  for (const ImageSource &S : Unit.Built->Sources)
    if (sys::path::is_absolute(S.Path) && !Read.contains(S.Path) &&
        !isOfCompiler(S.Path))
      Missing[sys::path::filename(S.Path)] = S.Path;
  for (const std::string &File : AsBuilt.Files) {
    auto It = Missing.find(sys::path::filename(File));
    if (It == Missing.end() || Built.contains(File) || isOfCompiler(File))
      continue;
    // Of the system's own, versions that fit each other may lie beside.
    if (isSystemFile(File) && isSystemFile(It->second))
      continue;
    Expected<FileStatus> Status = FS.status(It->second);
    if (!Status) {
      consumeError(Status.takeError()); // Moved, not passed over.
      continue;
    }
    return problem(
        Unit, Reason::OtherHeaders,
        fmt::format("it is compiled with {} here, and was built with {}: "
                    "variables that say where headers are (CPATH, "
                    "C_INCLUDE_PATH, CPLUS_INCLUDE_PATH) differ; start the "
                    "program where it is built, or name the folder in the "
                    "command",
                    File, It->second));
  }
  return std::nullopt;
}

/// Units of which the program has code and no debug info: the symbol table
/// names their files, without folders. A compile database may be about many
/// programs; a file of which a unit with debug info has the name is taken for
/// that.
static std::vector<ProjectUnit>
unitsWithoutDebugInfo(const CompileCommands &Commands, const Image &Program,
                      ArrayRef<size_t> Modules, IncludeScanner &Scanner,
                      ArrayRef<GlobPattern> Include,
                      ArrayRef<GlobPattern> Exclude) {
  StringMap<int> Unknown;
  for (size_t I : Modules)
    if (const ImageModule &M = Program.modules()[I]; !isSystemFile(M.Path))
      for (const std::string &Name : Program.sourceNames(M))
        ++Unknown[sys::path::filename(Name)];
  for (const ImageUnit &U : Program.units())
    if (is_contained(Modules, U.Module))
      --Unknown[sys::path::filename(U.Path)];
  std::vector<ProjectUnit> Result;
  for (const TranslationUnit &Unit : Commands.units()) {
    if (Unknown.lookup(sys::path::filename(Unit.Path)) <= 0 ||
        !Program.findUnits(Unit.Path).empty() ||
        !isWanted(Unit.Path, Include, Exclude))
      continue;
    ProjectUnit U;
    U.Unit = Unit;
    U.Files = Scanner.filesOf(Unit);
    U.Files.insert(Unit.Path);
    U.Problem = problem(U, Reason::NoDebugInfo,
                        "the program has no debug info for this file; build "
                        "it with -g");
    Result.push_back(std::move(U));
  }
  return Result;
}

/// The name by which the archive knows Module as it was loaded; empty: none.
static std::string archiveKey(const FileSystem &FS, const ImageModule &Module,
                              StringRef Executable) {
  Expected<FileStatus> Status =
      FS.status(Module.Executable ? Executable : Module.Path);
  if (Status)
    return TextArchive::keyOf(Module.Path, *Status);
  consumeError(Status.takeError());
  return "";
}

namespace {
/// The texts that modules were built from, as far as an earlier start kept
/// them.
class KnownTexts {
public:
  KnownTexts(const FileSystem &FS, const ProjectOptions &Options)
      : FS(FS), Executable(Options.Executable), Archive(Options.CacheFolder) {}

  const TextSnapshot &of(const ImageModule &Module) {
    auto [It, IsNew] = Texts.try_emplace(Module.Index);
    if (IsNew)
      if (std::optional<TextSnapshot> Kept =
              Archive.find(archiveKey(FS, Module, Executable)))
        It->second = std::move(*Kept);
    return It->second;
  }

private:
  const FileSystem &FS;
  const std::string Executable;
  TextArchive Archive;
  std::map<size_t, TextSnapshot> Texts;
};
} // namespace

/// Finds the unit's files that are not what it was built from.
static void findStale(
    ProjectUnit &U, const FileSystem &FS, const TextSnapshot &Texts,
    const ImageModule &Module, const TextSnapshot &Kept,
    std::set<std::string> &Stale,
    std::map<std::string, std::shared_ptr<const SourceText>> &Superseded) {
  for (const std::string &File : U.Files) {
    std::shared_ptr<const SourceText> Text = Texts.find(File);
    if (!Text)
      continue;
    if (std::shared_ptr<const SourceText> Was = Kept.find(File)) {
      if (Was->hash() != Text->hash())
        Superseded[File] = std::move(Was);
      continue;
    }
    ImageSource Source{File, {}};
    for (const ImageSource &S : U.Built->Sources)
      if (S.Path == File)
        Source = S;
    if (!isStale(FS, Source, *Text->text(), Module))
      continue;
    Stale.insert(File);
    if (!U.Problem)
      U.Problem = problem(
          U, Reason::StaleSource,
          fmt::format("{} is not the text that the program was built from; "
                      "build and start again",
                      File));
  }
}

/// The units of Modules that the user may have written.
static std::vector<const ImageUnit *> unitsIn(const Image &Program,
                                              ArrayRef<size_t> Modules) {
  std::vector<const ImageUnit *> Units;
  for (const ImageUnit &U : Program.units())
    if (is_contained(Modules, U.Module) && !isSystemFile(U.Path))
      Units.push_back(&U);
  return Units;
}

Expected<FoundUnits> hotjit::findUnits(const FileSystem &FS,
                                       const Image &Program,
                                       const ProjectOptions &Options,
                                       ArrayRef<size_t> Modules, Saves &Known) {
  FoundUnits Found;
  std::vector<const ImageUnit *> Built = unitsIn(Program, Modules);
  if (Built.empty())
    return Found;
  Expected<std::vector<GlobPattern>> Include = compileGlobs(Options.Include);
  if (!Include)
    return Include.takeError();
  Expected<std::vector<GlobPattern>> Exclude = compileGlobs(Options.Exclude);
  if (!Exclude)
    return Exclude.takeError();
  Expected<CompileCommands> Commands =
      findCommands(FS, Program, Built, Options);
  if (!Commands)
    return Commands.takeError();

  Found.CommandsPath = Commands->path();
  for (const TranslationUnit &Unit : Commands->units())
    Found.Listed.insert(Unit.Path);
  IncludeScanner Scanner(FS);
  UnitCommands OfUnits(FS, Program, *Commands);
  std::set<std::string> Files, Stale;
  for (const ImageUnit *B : Built) {
    std::optional<ProjectUnit> U =
        makeUnit(*B, OfUnits, Scanner, *Include, *Exclude);
    if (!U)
      continue;
    Files.insert(U->Files.begin(), U->Files.end());
    Found.Units.push_back(std::move(*U));
  }
  for (ProjectUnit &U : unitsWithoutDebugInfo(*Commands, Program, Modules,
                                              Scanner, *Include, *Exclude)) {
    Files.insert(U.Files.begin(), U.Files.end());
    Found.Units.push_back(std::move(U));
  }
  KnownTexts Kept(FS, Options);
  // What the program was built with and an edit took away since is known, too.
  erase_if(Files, [&](const std::string &File) {
    if (!any_of(Modules, [&](size_t I) {
          return Kept.of(Program.modules()[I]).find(File) != nullptr;
        }))
      return false;
    Expected<FileStatus> Status = FS.status(File);
    bool IsGone = !Status;
    if (IsGone)
      consumeError(Status.takeError());
    return IsGone;
  });
  // From here on the texts are ours: what is saved now is a change.
  if (Error E = Known.keepAll(Files))
    Found.Notes.push_back(toString(std::move(E)));
  std::map<std::string, std::shared_ptr<const SourceText>> Superseded;
  for (ProjectUnit &U : Found.Units)
    if (U.Built) {
      const ImageModule &Module = Program.modules()[U.Built->Module];
      findStale(U, FS, Known.texts(), Module, Kept.of(Module), Stale,
                Superseded);
    }
  for (const auto &[File, Text] : Superseded)
    Found.Notes.push_back(fmt::format(
        "{} was edited since the program was built, from a text that is known",
        sys::path::filename(File)));
  // What an #include named that is gone from the text now: the old text is
  // compiled with it.
  for (size_t I : Modules)
    if (!Superseded.empty())
      for (const auto &Entry : Kept.of(Program.modules()[I]).files())
        if (!Known.texts().find(Entry.getKey()))
          Superseded.try_emplace(Entry.getKey().str(), Entry.getValue());
  Found.Superseded.assign(Superseded.begin(), Superseded.end());
  Found.Stale.assign(Stale.begin(), Stale.end());
  return Found;
}

/// The unit of the program whose module a file that is compiled by New goes
/// into: nothing else may have objects in the folder of its target. Null: none,
/// or it cannot be told.
static const ImageUnit *neighbourOf(const TranslationUnit &New,
                                    const CompileCommands &Commands,
                                    const Image &Program,
                                    const std::set<std::string> &Listed) {
  const std::string Target = targetOf(New);
  const ImageUnit *Neighbour = nullptr;
  for (const TranslationUnit &Other : Commands.units()) {
    if (!Listed.count(Other.Path) || targetOf(Other) != Target)
      continue;
    std::vector<const ImageUnit *> Built = Program.findUnits(Other.Path);
    if (Built.size() > 1)
      continue; // One of them may be of another target.
    if (Built.empty() ||
        (Neighbour && Neighbour->Module != Built.front()->Module))
      return nullptr;
    Neighbour = Built.front();
  }
  return Neighbour;
}

FoundUnits hotjit::findAddedUnits(const FileSystem &FS, Image &Program,
                                  const ProjectOptions &Options,
                                  const CompileCommands &Commands,
                                  const std::set<std::string> &Listed,
                                  Saves &Known) {
  FoundUnits Found;
  Expected<std::vector<GlobPattern>> Include = compileGlobs(Options.Include);
  Expected<std::vector<GlobPattern>> Exclude = compileGlobs(Options.Exclude);
  if (!Include || !Exclude) { // The start would have failed.
    consumeError(Include.takeError());
    consumeError(Exclude.takeError());
    return Found;
  }
  for (const TranslationUnit &Unit : Commands.units()) {
    if (Listed.count(Unit.Path) || !Program.findUnits(Unit.Path).empty() ||
        !isWanted(Unit.Path, *Include, *Exclude))
      continue;
    const ImageUnit *Neighbour = neighbourOf(Unit, Commands, Program, Listed);
    if (!Neighbour || Commands.findUnits(Unit.Path).size() != 1) {
      Found.Notes.push_back(fmt::format(
          "{}: is new, and not known to belong to this program", Unit.Path));
      continue;
    }
    if (Error E = Known.keep(Unit.Path)) {
      Found.Notes.push_back(toString(std::move(E)));
      continue;
    }
    ProjectUnit U;
    U.Unit = Unit;
    U.Unit.ByGCC = Neighbour->By == Producer::GCC;
    U.Built = &Program.addUnit(Unit.Path, *Neighbour);
    U.Files.insert(Unit.Path); // What it includes a compile will tell.
    U.Added = true;
    Found.Units.push_back(std::move(U));
  }
  return Found;
}

std::vector<BuiltTexts> hotjit::builtTexts(const FileSystem &FS,
                                           const Image &Program,
                                           const FoundUnits &Found,
                                           const Saves &Known) {
  TextSnapshot OnDisk = Known.texts();
  TextSnapshot Texts = OnDisk.with(Found.Superseded);
  std::map<size_t, std::vector<TextSnapshot::Change>> OfModule;
  for (const ProjectUnit &U : Found.Units)
    if (U.Built && !(U.Problem && U.Problem->Code == Reason::StaleSource))
      for (const std::string &File : U.Files)
        OfModule[U.Built->Module].push_back({File, Texts.find(File)});
  std::vector<BuiltTexts> Result;
  for (auto &[Module, Files] : OfModule)
    if (std::string Key =
            archiveKey(FS, Program.modules()[Module], OwnExecutable);
        !Key.empty())
      Result.push_back({std::move(Key), TextSnapshot().with(Files)});
  return Result;
}

Expected<Project> hotjit::findProject(const FileSystem &FS, const Clock &C,
                                      const Image &Program,
                                      const ProjectOptions &Options,
                                      size_t Linked) {
  if (Program.units().empty()) {
    for (const ImageModule &M : Program.modules())
      if (M.Executable && !M.DebugProblem.empty())
        return makeError("the program's debug information cannot be read: {}; "
                         "build it with plain -g",
                         M.DebugProblem);
    return makeError("the program has no debug information that hotjit can "
                     "read; build it with -g");
  }
  std::vector<size_t> Modules;
  for (const ImageModule &M : Program.modules())
    if (M.Index < Linked)
      Modules.push_back(M.Index);
  Project P{{}, Saves(FS, C)};
  Expected<FoundUnits> Found =
      findUnits(FS, Program, Options, Modules, P.Known);
  if (!Found)
    return Found.takeError();
  if (Found->Units.empty())
    return makeError("no source file of the program is left to watch; look at "
                     "--include and --exclude");
  if (all_of(Found->Units, [](const ProjectUnit &U) {
        return !U.Built || U.Unit.Arguments.empty();
      }))
    return makeError("none of the program's {} units has a usable command: "
                     "{}: {}",
                     Found->Units.size(), Found->Units.front().Unit.Path,
                     Found->Units.front().Problem->Message);
  P.Found = std::move(*Found);
  return P;
}
