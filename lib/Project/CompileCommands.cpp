// How was a file compiled? Debug information does not say (GCC records a part
// of the flags, and only if asked); what does is the compile database that
// CMake, Meson and bear write: one entry per file and target, with the command
// as a list of words or as a line for a shell.

#include "Project/CompileCommands.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

#include <tuple>

namespace hotjit {

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace json = llvm::json;
namespace path = llvm::sys::path;

static constexpr StringRef FileName = "compile_commands.json";

/// Splits a line as a POSIX shell does, without expansions: a database holds
/// none.
static std::vector<std::string> splitShellLine(StringRef Line) {
  std::vector<std::string> Words;
  std::string Word;
  bool IsInWord = false;
  char Quote = 0;
  for (size_t I = 0; I != Line.size(); ++I) {
    char Ch = Line[I];
    bool IsLast = I + 1 == Line.size();
    if (Quote == '\'') {
      if (Ch == '\'')
        Quote = 0;
      else
        Word += Ch;
    } else if (Ch == '\\' && !IsLast &&
               (!Quote || StringRef("$`\"\\\n").contains(Line[I + 1]))) {
      if (Line[++I] == '\n')
        continue; // A line that goes on.
      Word += Line[I];
      IsInWord = true;
    } else if (Ch == Quote) {
      Quote = 0;
    } else if (!Quote && (Ch == '"' || Ch == '\'')) {
      Quote = Ch;
      IsInWord = true;
    } else if (!Quote && StringRef(" \t\n").contains(Ch)) {
      if (IsInWord)
        Words.push_back(std::exchange(Word, {}));
      IsInWord = false;
    } else {
      Word += Ch;
      IsInWord = true;
    }
  }
  if (IsInWord)
    Words.push_back(std::move(Word));
  return Words;
}

namespace {
struct Entry {
  std::string File;
  std::string Directory;
  std::vector<std::string> Command;
  std::string Output; ///< as written; empty if nothing says
};
} // namespace

static std::string absolute(StringRef Folder, StringRef Path) {
  llvm::SmallString<256> Result(Path);
  if (path::is_relative(Path)) {
    Result = Folder;
    path::append(Result, Path);
  }
  path::remove_dots(Result, /*remove_dot_dot=*/true);
  return Result.str().str();
}

/// The path that events and debug information use. A file that is not there
/// (generated later, deleted) keeps the path that it would have.
static std::string realPath(const FileSystem &FS, StringRef Folder,
                            StringRef Path) {
  llvm::SmallString<256> Joined(Path);
  if (path::is_relative(Path)) {
    Joined = Folder;
    path::append(Joined, Path);
  }
  Expected<std::string> Real = FS.realPath(Joined);
  if (Real)
    return *Real;
  llvm::consumeError(Real.takeError());
  return absolute(Folder, Path);
}

static Expected<Entry> readEntry(const json::Value &Value, StringRef Place) {
  const json::Object *Object = Value.getAsObject();
  if (!Object)
    return makeError("{}: not an object", Place);
  std::optional<StringRef> File = Object->getString("file");
  std::optional<StringRef> Directory = Object->getString("directory");
  if (!File || File->empty())
    return makeError("{}: no \"file\"", Place);
  if (!Directory || Directory->empty())
    return makeError("{}: no \"directory\"", Place);
  Entry E{File->str(), Directory->str(), {}, {}};
  if (const json::Array *Arguments = Object->getArray("arguments")) {
    for (const json::Value &Argument : *Arguments) {
      std::optional<StringRef> Word = Argument.getAsString();
      if (!Word)
        return makeError("{}: \"arguments\" holds something that is not a "
                         "string",
                         Place);
      E.Command.push_back(Word->str());
    }
  } else if (std::optional<StringRef> Line = Object->getString("command")) {
    E.Command = splitShellLine(*Line);
  }
  if (E.Command.empty())
    return makeError("{}: neither \"arguments\" nor \"command\"", Place);
  if (std::optional<StringRef> Output = Object->getString("output"))
    E.Output = Output->str();
  else if (auto Flag = llvm::find(E.Command, "-o");
           Flag != E.Command.end() && Flag + 1 != E.Command.end())
    E.Output = Flag[1];
  return E;
}

/// True for commands that only preprocess or list dependencies: build systems
/// ask such things about files that another entry compiles. And for those that
/// Clang's driver runs itself, with a temporary file: bear lists them beside
/// the driver's own.
static bool isBesideAnother(llvm::ArrayRef<std::string> Command) {
  return llvm::any_of(Command, [](StringRef Word) {
    return Word == "-E" || Word == "-M" || Word == "-MM" || Word == "-cc1" ||
           Word == "-cc1as";
  });
}

static bool isCOrCXX(StringRef Language) {
  return Language == "c" || Language == "c++" || Language == "cpp-output" ||
         Language == "c++-cpp-output" || Language == "c++-module";
}

/// The unit of the entry, or none: assembler, a header to be precompiled, or a
/// command that does not name the file.
static std::optional<TranslationUnit> makeUnit(const FileSystem &FS,
                                               const Entry &E) {
  if (isBesideAnother(E.Command))
    return std::nullopt;
  TranslationUnit Unit;
  Unit.Path = realPath(FS, E.Directory, E.File);
  Unit.Directory = E.Directory;
  TranslatedCommand T = translateCommand(E.Command, E.Directory, FS);
  Unit.Dropped = std::move(T.Dropped);
  if (!E.Output.empty())
    Unit.Output = absolute(E.Directory, E.Output);

  // "gcc a.c b.c" has an entry for each: of the sources, which come last, this
  // unit's stays.
  const size_t WordsPerSource = 3; // "-x", language, path
  if (T.Arguments.size() < WordsPerSource * T.Sources.size())
    return std::nullopt;
  size_t Begin = T.Arguments.size() - WordsPerSource * T.Sources.size();
  for (size_t I = 0; I != T.Sources.size(); ++I) {
    auto Source = T.Arguments.begin() + Begin + WordsPerSource * I;
    if (Source[0] != "-x" || !isCOrCXX(Source[1]) ||
        realPath(FS, E.Directory, Source[2]) != Unit.Path)
      continue;
    Unit.Arguments.assign(T.Arguments.begin(), T.Arguments.begin() + Begin);
    Unit.Arguments.insert(Unit.Arguments.end(), Source,
                          Source + WordsPerSource);
    return Unit;
  }
  return std::nullopt;
}

static bool isSame(const TranslationUnit &A, const TranslationUnit &B) {
  return std::tie(A.Path, A.Directory, A.Arguments) ==
         std::tie(B.Path, B.Directory, B.Arguments);
}

Expected<CompileCommands> CompileCommands::load(const FileSystem &FS,
                                                StringRef Directory) {
  CompileCommands Result;
  Result.Path = absolute(Directory, FileName);
  Expected<std::string> Text = FS.read(Result.Path);
  if (!Text)
    return Text.takeError();
  Expected<json::Value> Root = json::parse(*Text);
  if (!Root)
    return makeError("{}: {}", Result.Path, toString(Root.takeError()));
  const json::Array *Entries = Root->getAsArray();
  if (!Entries)
    return makeError("{}: not a list of commands", Result.Path);
  for (size_t I = 0; I != Entries->size(); ++I) {
    Expected<Entry> E = readEntry(
        (*Entries)[I], fmt::format("{}: entry {}", Result.Path, I + 1));
    if (!E)
      return E.takeError();
    E->Directory = absolute(Directory, E->Directory);
    std::optional<TranslationUnit> Unit = makeUnit(FS, *E);
    if (Unit && llvm::none_of(Result.Units, [&](const TranslationUnit &Other) {
          return isSame(*Unit, Other);
        }))
      Result.Units.push_back(std::move(*Unit));
  }
  return Result;
}

Expected<CompileCommands>
CompileCommands::find(const FileSystem &FS,
                      llvm::ArrayRef<std::string> Candidates) {
  std::vector<std::string> Level(Candidates.begin(), Candidates.end());
  std::vector<std::string> LookedAt;
  llvm::StringSet<> Seen;
  // All candidates, then all their parents: a path has an end, so this has.
  while (!Level.empty()) {
    std::vector<std::string> Parents;
    for (const std::string &Folder : Level) {
      if (Folder.empty() || !Seen.insert(Folder).second)
        continue;
      LookedAt.push_back(Folder);
      for (const std::string &Place : {Folder, absolute(Folder, "build")}) {
        Expected<FileStatus> Status = FS.status(absolute(Place, FileName));
        if (Status)
          return load(FS, Place);
        llvm::consumeError(Status.takeError());
      }
      Parents.push_back(path::parent_path(Folder).str());
    }
    Level = std::move(Parents);
  }
  return makeError("no {} in {} or in \"build\" there; give its folder with "
                   "--build-dir, or have one written: bear -- make",
                   FileName, llvm::join(LookedAt, ", "));
}

std::vector<const TranslationUnit *>
CompileCommands::findUnits(StringRef Path) const {
  std::vector<const TranslationUnit *> Result;
  for (const TranslationUnit &Unit : Units)
    if (Unit.Path == Path)
      Result.push_back(&Unit);
  return Result;
}

} // namespace hotjit
