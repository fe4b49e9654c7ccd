// A build is described anew while the program runs: CMake was run again, with
// another option or another file. Which of a file's flags may become others
// under a running program? Those that only decide what its text says: two
// compiles then show what differs. A flag that decides how code fits together
// holds for files that are not compiled again too, and for the libraries.

#include "Project/CommandChange.h"

#include "clang/Options/Options.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Support/Path.h"

#include <algorithm>
#include <tuple>

namespace hotjit {

using llvm::StringRef;
namespace options = clang::options;
namespace path = llvm::sys::path;

bool isSameCommand(const TranslationUnit &A, const TranslationUnit &B) {
  return std::tie(A.Directory, A.Arguments) ==
         std::tie(B.Directory, B.Arguments);
}

static bool showsWhenCompiled(const llvm::opt::Option &O) {
  for (unsigned Group :
       {options::OPT_Preprocessor_Group, options::OPT_I_Group,
        options::OPT_clang_i_Group, options::OPT_W_Group,
        options::OPT_W_value_Group, options::OPT_R_Group,
        options::OPT_pedantic_Group, options::OPT_w, options::OPT_O_Group,
        options::OPT_DebugInfo_Group, options::OPT_g_Group})
    if (O.matches(Group))
      return true;
  return false;
}

/// The other flags, in their order: the last of several may win.
static std::vector<std::string> fittingFlags(const TranslationUnit &Unit) {
  std::vector<const char *> Words;
  for (const std::string &Word : Unit.Arguments)
    Words.push_back(Word.c_str());
  unsigned MissingIndex = 0, MissingCount = 0;
  llvm::opt::InputArgList List = clang::getDriverOptTable().ParseArgs(
      llvm::ArrayRef(Words).drop_front(!Words.empty()), MissingIndex,
      MissingCount, llvm::opt::Visibility(options::ClangOption));
  std::vector<std::string> Result;
  for (const llvm::opt::Arg *A : List)
    if (A->getOption().getID() != options::OPT_INPUT &&
        !showsWhenCompiled(A->getOption()))
      Result.push_back(A->getAsString(List));
  return Result;
}

std::vector<std::string> flagsThatFitCode(const TranslationUnit &A,
                                          const TranslationUnit &B) {
  std::vector<std::string> OfA = fittingFlags(A), OfB = fittingFlags(B);
  if (OfA == OfB)
    return {};
  std::vector<std::string> Result;
  for (const std::string &Flag : OfA)
    if (!llvm::is_contained(OfB, Flag))
      Result.push_back(Flag);
  for (const std::string &Flag : OfB)
    if (!llvm::is_contained(OfA, Flag))
      Result.push_back(Flag);
  // The same ones in another order.
  return Result.empty() ? OfB : Result;
}

std::string targetOf(const TranslationUnit &Unit) {
  StringRef Folder = path::parent_path(Unit.Output);
  // Automake: "app-file.o", for a target with flags of its own.
  StringRef Object = path::stem(Unit.Output);
  if (Object.consume_back(path::stem(Unit.Path)) && Object.ends_with("-"))
    return (Folder + path::get_separator() + Object).str();
  for (; !Folder.empty(); Folder = path::parent_path(Folder)) {
    StringRef Name = path::filename(Folder);
    if (Name.ends_with(".dir") || Name.ends_with(".p"))
      return Folder.str();
  }
  return "";
}

} // namespace hotjit
