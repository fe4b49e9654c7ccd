// Which files does a unit read? Before its first compile we must know, for a
// header whose old text was not kept cannot be compared with the new one.
//
// Clang's dependency scanner reduces a file to its preprocessor directives;
// we follow every #include among them. Whether an #if around it holds is not
// asked: a file too many costs a compile that finds nothing changed.

#include "Project/Includes.h"
#include "clang/Lex/DependencyDirectivesScanner.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace hotjit;
using namespace llvm;

bool hotjit::isSystemFile(StringRef Path) {
  for (StringRef Root : {"/usr/include/", "/usr/lib/", "/usr/local/include/"})
    if (Path.starts_with(Root))
      return true;
  return false;
}

/// The directories of -I, -iquote, -isystem, -idirafter, made absolute.
static void searchPaths(const TranslationUnit &Unit,
                        std::vector<std::string> &Quoted,
                        std::vector<std::string> &Angled) {
  auto Add = [&](std::vector<std::string> &To, StringRef Directory) {
    SmallString<256> Path(Directory);
    if (!sys::path::is_absolute(Path)) {
      Path = Unit.Directory;
      sys::path::append(Path, Directory);
    }
    To.push_back(Path.str().str());
  };
  const std::vector<std::string> &Args = Unit.Arguments;
  for (size_t I = 0; I < Args.size(); ++I) {
    StringRef Arg = Args[I];
    for (StringRef Flag : {"-I", "-iquote", "-isystem", "-idirafter"}) {
      if (!Arg.consume_front(Flag))
        continue;
      if (Arg.empty() && I + 1 < Args.size())
        Arg = Args[++I];
      Add(Flag == "-iquote" ? Quoted : Angled, Arg);
      break;
    }
  }
}

/// The files of -include and -imacros: autoconf's config.h, CMake's precompiled
/// headers ("-Xclang -include -Xclang file").
static std::vector<std::string> forcedIncludes(const TranslationUnit &Unit) {
  std::vector<std::string> Names;
  std::vector<StringRef> Args;
  for (StringRef Arg : Unit.Arguments)
    if (Arg != "-Xclang")
      Args.push_back(Arg);
  for (size_t I = 0; I < Args.size(); ++I)
    for (StringRef Flag : {"-include", "-imacros"}) {
      StringRef Name = Args[I];
      if (Name == "-include-pch" || !Name.consume_front(Flag))
        continue;
      if (Name.empty() && I + 1 < Args.size())
        Name = Args[++I];
      Names.push_back(Name.str());
      break;
    }
  return Names;
}

const std::vector<IncludeScanner::Include> &
IncludeScanner::includesOf(const std::string &Path) {
  auto [It, New] = Includes.try_emplace(Path);
  if (!New)
    return It->second;
  Expected<std::string> Text = FS.read(Path);
  if (!Text) {
    consumeError(Text.takeError()); // Gone: it includes nothing.
    return It->second;
  }
  SmallVector<clang::dependency_directives_scan::Token, 64> Tokens;
  SmallVector<clang::dependency_directives_scan::Directive, 64> Directives;
  if (clang::scanSourceForDependencyDirectives(*Text, Tokens, Directives))
    return It->second; // Does not lex; the compiler will say so.
  std::string Source;
  raw_string_ostream OS(Source);
  clang::printDependencyDirectivesAsSource(*Text, Directives, OS);
  SmallVector<StringRef, 64> Lines;
  StringRef(Source).split(Lines, '\n', -1, false);
  for (StringRef Line : Lines) {
    if (!Line.consume_front("#include_next") &&
        !Line.consume_front("#include") && !Line.consume_front("#import"))
      continue;
    Line = Line.trim();
    bool Quoted = Line.consume_front("\"");
    if (!Quoted && !Line.consume_front("<"))
      continue;
    StringRef Name =
        Line.take_until([](char C) { return C == '"' || C == '>'; });
    It->second.push_back({Name.str(), Quoted});
  }
  return It->second;
}

const std::string &IncludeScanner::realPath(const std::string &Path) {
  auto [It, New] = RealPaths.try_emplace(Path);
  if (!New)
    return It->second;
  if (Expected<std::string> Real = FS.realPath(Path))
    It->second = *Real;
  else
    consumeError(Real.takeError());
  return It->second;
}

/// The first Folder/Name that exists, links resolved; empty if none does.
std::string IncludeScanner::find(StringRef Name,
                                 ArrayRef<std::string> Folders) {
  for (const std::string &Folder : Folders) {
    SmallString<256> Candidate(Folder);
    if (sys::path::is_absolute(Name))
      Candidate = Name;
    else
      sys::path::append(Candidate, Name);
    const std::string &Real = realPath(Candidate.str().str());
    if (!Real.empty())
      return Real;
  }
  return {};
}

std::set<std::string> IncludeScanner::filesOf(const TranslationUnit &Unit) {
  std::vector<std::string> Quoted, Angled;
  searchPaths(Unit, Quoted, Angled);
  std::set<std::string> Found{Unit.Path};
  std::vector<std::string> Open{Unit.Path};
  for (const std::string &Name : forcedIncludes(Unit)) {
    // As a quoted #include in a file of the command's directory.
    std::vector<std::string> Folders{Unit.Directory};
    Folders.insert(Folders.end(), Quoted.begin(), Quoted.end());
    Folders.insert(Folders.end(), Angled.begin(), Angled.end());
    std::string Real = find(Name, Folders);
    if (!Real.empty() && !isSystemFile(Real) && Found.insert(Real).second)
      Open.push_back(Real);
  }
  while (!Open.empty()) {
    std::string Path = std::move(Open.back());
    Open.pop_back();
    for (const Include &I : includesOf(Path)) {
      std::vector<std::string> Folders;
      if (I.Quoted) {
        Folders.push_back(sys::path::parent_path(Path).str());
        Folders.insert(Folders.end(), Quoted.begin(), Quoted.end());
      }
      Folders.insert(Folders.end(), Angled.begin(), Angled.end());
      std::string Real = find(I.Name, Folders);
      if (!Real.empty() && !isSystemFile(Real) && Found.insert(Real).second)
        Open.push_back(Real);
    }
  }
  return Found;
}
