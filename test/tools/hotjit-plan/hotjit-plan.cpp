// What would hotjit do about this edit? Compiles a text and its edited version,
// asks Diff with a program as background, and prints the decision. Nothing
// runs, nothing is changed.
//
//   hotjit-plan OLD NEW [--image PROGRAM] [--cc COMPILER] [-- FLAGS...]
//
// OLD and NEW are files, or folders of files with the same names: then every
// source file in OLD is a unit, and the other files are its headers. Without
// --image the program is OLD (a file), compiled to an object by COMPILER.
//
// Exit status: 0 with a plan or a refusal, 2 if there is none (a text that
// does not compile, a file that cannot be read).

#include "Compile/Compiler.h"
#include "Diff/Diff.h"
#include "PlanText.h"
#include "Project/TextStore.h"
#include "Support/Error.h"
#include "Support/FileSystem.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include <map>

using namespace hotjit;
using llvm::Expected;
using llvm::StringRef;

namespace {

struct Options {
  std::string Old, New, ImagePath, Compiler;
  std::vector<std::string> Flags;
};

/// A version of the project: texts by the path that they have in both.
using Texts = std::map<std::string, std::string>;

} // namespace

static Options parse(int Count, char **Words) {
  using namespace llvm::cl;
  opt<std::string> Old(Positional, Required, desc("OLD"));
  opt<std::string> New(Positional, Required, desc("NEW"));
  opt<std::string> ImagePath("image", desc("the program, or an object of it"));
  opt<std::string> Compiler("cc", init("clang-22"),
                            desc("makes the object if there is no --image"));
  list<std::string> Flags(Positional, ZeroOrMore, desc("[-- FLAGS...]"));
  ParseCommandLineOptions(Count, Words, "what would hotjit do about an edit?");
  return {Old, New, ImagePath, Compiler, {Flags.begin(), Flags.end()}};
}

/// The texts in From, a file or folder, under the paths of As.
static Expected<Texts> readTexts(const FileSystem &FS, StringRef From,
                                 StringRef As) {
  Expected<FileStatus> Status = FS.status(From);
  if (!Status)
    return Status.takeError();
  Expected<std::string> Root = FS.realPath(As);
  if (!Root)
    return Root.takeError();
  std::vector<std::string> Names{""};
  if (Status->IsDirectory) {
    Expected<std::vector<std::string>> Listed = FS.list(From);
    if (!Listed)
      return Listed.takeError();
    Names = std::move(*Listed);
  }
  Texts Result;
  for (const std::string &Name : Names) {
    llvm::SmallString<256> File(From), Path(*Root);
    if (!Name.empty()) {
      llvm::sys::path::append(File, Name);
      llvm::sys::path::append(Path, Name);
    }
    Expected<std::string> Text = FS.read(File);
    if (!Text)
      return Text.takeError();
    Result[Path.str().str()] = std::move(*Text);
  }
  return Result;
}

static bool isSource(StringRef Path) {
  StringRef Extension = llvm::sys::path::extension(Path);
  return Extension == ".c" || Extension == ".cc" || Extension == ".cpp";
}

static Expected<std::unique_ptr<CompiledUnit>>
compile(Compiler &Clang, const std::string &Path, const ImageUnit *Built,
        const Texts &All, const std::vector<std::string> &Flags) {
  TranslationUnit Unit;
  Unit.ByGCC = Built && Built->By == Producer::GCC;
  Unit.Path = Path;
  Unit.Directory = llvm::sys::path::parent_path(Path).str();
  Unit.Arguments = {
      isSource(Path) && StringRef(Path).ends_with(".c") ? "clang" : "clang++"};
  Unit.Arguments.insert(Unit.Arguments.end(), Flags.begin(), Flags.end());
  Unit.Arguments.push_back(Path);
  TextSnapshot Snapshot;
  for (const auto &[File, Text] : All)
    Snapshot = Snapshot.with(File, SourceText::create(Text));
  Expected<CompileResult> Result = Clang.compile(Unit, Snapshot);
  if (!Result)
    return Result.takeError();
  if (!Result->Unit)
    return makeError("{}: does not compile:\n{}", Path, Result->Rendered);
  return std::move(Result->Unit);
}

static Expected<std::unique_ptr<Image>> openImage(const FileSystem &FS,
                                                  StringRef Path) {
  Expected<std::string> Bytes = FS.read(Path);
  if (!Bytes)
    return Bytes.takeError();
  if (llvm::identify_magic(*Bytes) == llvm::file_magic::elf_relocatable)
    return Image::ofObject(*Bytes, Path);
  return Image::ofFile(FS, Path);
}

/// The program if none is given: OLD as a real compiler makes it.
static Expected<std::unique_ptr<Image>> buildImage(const FileSystem &FS,
                                                   const Options &O) {
  llvm::ErrorOr<std::string> Compiler =
      llvm::sys::findProgramByName(O.Compiler);
  if (!Compiler)
    return makeError("{}: not found", O.Compiler);
  Expected<std::string> Source = FS.realPath(O.Old);
  if (!Source)
    return Source.takeError();
  llvm::SmallString<128> Object;
  if (std::error_code Failed =
          llvm::sys::fs::createTemporaryFile("hotjit-plan", "o", Object))
    return makeError("cannot make a temporary file: {}", Failed.message());
  auto Remove = llvm::scope_exit([&] { llvm::sys::fs::remove(Object); });
  std::vector<StringRef> Words{*Compiler, "-g", "-c", *Source, "-o", Object};
  Words.insert(Words.end(), O.Flags.begin(), O.Flags.end());
  if (llvm::sys::ExecuteAndWait(*Compiler, Words) != 0)
    return makeError("{}: does not compile", O.Old);
  return openImage(FS, Object);
}

static llvm::Error run(const Options &O) {
  RealFileSystem FS;
  Expected<Texts> Old = readTexts(FS, O.Old, O.Old);
  if (!Old)
    return Old.takeError();
  Expected<Texts> New = readTexts(FS, O.New, O.Old);
  if (!New)
    return New.takeError();
  Expected<std::unique_ptr<Image>> Program =
      O.ImagePath.empty() ? buildImage(FS, O) : openImage(FS, O.ImagePath);
  if (!Program)
    return Program.takeError();
  Compiler Clang;
  std::vector<std::unique_ptr<CompiledUnit>> Units;
  std::vector<UnitChange> Changes;
  for (const auto &[Path, Text] : *Old) {
    if (!isSource(Path) || !New->count(Path))
      continue;
    std::vector<const ImageUnit *> Found = (*Program)->findUnits(Path);
    const ImageUnit *Built = Found.empty() ? nullptr : Found.front();
    auto Was = compile(Clang, Path, Built, *Old, O.Flags);
    if (!Was)
      return Was.takeError();
    auto Is = compile(Clang, Path, Built, *New, O.Flags);
    if (!Is)
      return Is.takeError();
    Changes.push_back({Was->get(), Is->get(), Built});
    Units.push_back(std::move(*Was));
    Units.push_back(std::move(*Is));
  }
  Expected<PlanOrRefusal> Decision = diff(Changes, **Program, Adopted());
  if (!Decision)
    return Decision.takeError();
  fmt::print("{}", test::planText(*Decision));
  return llvm::Error::success();
}

int main(int Count, char **Words) {
  if (llvm::Error E = run(parse(Count, Words))) {
    fmt::print(stderr, "hotjit-plan: {}\n", llvm::toString(std::move(E)));
    return 2;
  }
  return 0;
}
