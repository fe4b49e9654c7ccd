// Prints what Image knows of a file, as text for FileCheck. One fact per line,
// in the order of the file; no addresses, so that the text is the same for two
// builds of one program.
//
//   hotjit-image FILE [--unit PATH] [--units] [--functions] [--variables]
//                     [--types]
//
// Without a kind it prints all kinds. PATH is the end of a unit's path.

#include "Image/Image.h"
#include "Support/FmtSupport.h"

#include "fmt/format.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"

namespace hotjit {
namespace {

namespace cl = llvm::cl;

struct Options {
  cl::opt<std::string> File{cl::Positional, cl::Required, cl::desc("FILE")};
  cl::opt<std::string> Unit{"unit", cl::desc("only units whose path ends so")};
  cl::opt<bool> Units{"units", cl::desc("units and their sources")};
  cl::opt<bool> Functions{"functions", cl::desc("functions, inlined copies")};
  cl::opt<bool> Variables{"variables", cl::desc("variables")};
  cl::opt<bool> Types{"types", cl::desc("layouts of classes")};

  bool all() const { return !Units && !Functions && !Variables && !Types; }
};

const char *spell(StorageKind K) {
  switch (K) {
  case StorageKind::Address:
    return "address";
  case StorageKind::ThreadLocal:
    return "thread-local";
  case StorageKind::Composed:
    return "composed";
  case StorageKind::Constant:
    return "constant";
  case StorageKind::None:
    return "none";
  }
  return "";
}

template <typename Declared> std::string place(const Declared &Thing) {
  return fmt::format("{}:{}", Thing.File, Thing.Line);
}

/// Names may be missing; an empty word would look like the next one.
std::string word(const std::string &Name) { return Name.empty() ? "-" : Name; }

void printModule(const ImageModule &M) {
  fmt::print("module {}{}{}{}\n", M.Path, M.Executable ? " executable" : "",
             M.PIE ? " pie" : "", M.HasDebugInfo ? " debug-info" : "");
  if (!M.DebugProblem.empty())
    fmt::print("  problem {}\n", M.DebugProblem);
}

void printUnit(const ImageUnit &U, bool WithSources) {
  fmt::print("unit {} {} -O{}{}\n", U.Path, spell(U.By), U.OptLevel,
             U.LTO ? " lto" : "");
  if (!WithSources)
    return;
  fmt::print("  directory {}\n", U.Directory);
  for (const ImageSource &S : U.Sources)
    fmt::print("  source {}{}\n", S.Path,
               S.MD5 ? " md5 " + llvm::toHex(*S.MD5, /*LowerCase=*/true) : "");
}

void printFunctions(const UnitDetails &D) {
  for (const ImageFunction &F : D.Functions) {
    fmt::print("  function {} name {} {}{}{}{} size {} at {}\n", word(F.Symbol),
               word(F.Name),
               F.Kind == EntryKind::Patchable ? "patchable" : "plain",
               F.HasEndbr ? " endbr64" : "", F.Local ? " local" : "",
               F.NonStandardCall ? " nocall" : "", F.Size, place(F));
    for (const std::string &Alias : F.Aliases)
      fmt::print("    alias {}\n", Alias);
  }
  for (const UnitDetails::Inlined &I : D.InlinedCopies)
    fmt::print("  inlined {} into {}\n", I.Function, I.Into);
}

void printVariables(const UnitDetails &D) {
  for (const ImageVariable &V : D.Variables)
    fmt::print("  variable {} name {} linkage {} in {} {}{} size {} type-size "
               "{} at {}\n",
               word(V.Symbol), word(V.Name), word(V.LinkageName),
               word(V.Function), spell(V.Storage),
               V.Writable ? " writable" : "", V.Size, V.TypeSize, place(V));
}

void printTypes(const UnitDetails &D) {
  for (const ImageType &T : D.Types) {
    fmt::print("  type {} size {} at {}\n", word(T.Name), T.Size, place(T));
    for (const ImageField &B : T.Bases)
      fmt::print("    base {} bit {} bits {}{}\n", word(B.Name), B.OffsetBits,
                 B.SizeBits, B.VirtualBase ? " virtual" : "");
    for (const ImageField &F : T.Fields)
      fmt::print("    field {} bit {} bits {}\n", F.Name, F.OffsetBits,
                 F.SizeBits);
  }
}

llvm::Error print(const Options &O) {
  RealFileSystem FS;
  llvm::Expected<std::unique_ptr<Image>> Program = Image::ofFile(FS, O.File);
  if (!Program)
    return Program.takeError();
  for (const ImageModule &M : (*Program)->modules())
    printModule(M);
  for (const ImageUnit &U : (*Program)->units()) {
    if (!llvm::StringRef(U.Path).ends_with(O.Unit))
      continue;
    printUnit(U, O.Units || O.all());
    if (O.Units && !O.Functions && !O.Variables && !O.Types)
      continue;
    llvm::Expected<const UnitDetails *> D = (*Program)->details(U);
    if (!D)
      return D.takeError();
    if (O.Functions || O.all())
      printFunctions(**D);
    if (O.Variables || O.all())
      printVariables(**D);
    if (O.Types || O.all())
      printTypes(**D);
  }
  return llvm::Error::success();
}

} // namespace
} // namespace hotjit

int main(int Count, char **Arguments) {
  hotjit::Options O;
  llvm::cl::ParseCommandLineOptions(Count, Arguments,
                                    "what hotjit knows of a program\n");
  if (llvm::Error E = hotjit::print(O)) {
    fmt::print(stderr, "hotjit-image: {}\n", llvm::toString(std::move(E)));
    return 1;
  }
  return 0;
}
