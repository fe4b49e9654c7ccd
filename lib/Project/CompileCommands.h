#ifndef HOTJIT_PROJECT_COMPILECOMMANDS_H
#define HOTJIT_PROJECT_COMPILECOMMANDS_H

#include "Project/TranslationUnit.h"
#include "Support/FileSystem.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace hotjit {

/// compile_commands.json (clang/docs/JSONCompilationDatabase).
class CompileCommands {
public:
  /// Reads Directory/compile_commands.json. Error: missing, not JSON, an entry
  /// without file, directory or command; names the place.
  static llvm::Expected<CompileCommands> load(const FileSystem &FS,
                                              llvm::StringRef Directory);

  /// The first of Candidates, then of their parents (nearest first), that has
  /// a compile_commands.json; at each folder its direct child "build" is looked
  /// at too. Error: none has; lists the folders looked at.
  static llvm::Expected<CompileCommands>
  find(const FileSystem &FS, llvm::ArrayRef<std::string> Candidates);

  /// Every unit of the file, commands translated for Clang (translateCommand).
  llvm::ArrayRef<TranslationUnit> units() const { return Units; }
  /// The commands for Path (absolute, real): several if two targets build it
  /// with different flags; equal ones are listed once.
  std::vector<const TranslationUnit *> findUnits(llvm::StringRef Path) const;
  /// The file that was read.
  const std::string &path() const { return Path; }

private:
  std::string Path;
  std::vector<TranslationUnit> Units;
};

/// A command line for GCC or Clang, made into one for the Clang inside: wrapper
/// programs (ccache, distcc) removed, response files expanded, GCC-only flags
/// dropped and listed, outputs and dependency files removed, -fPIC forced, LTO,
/// coverage, -fno-plt and -mtls-dialect off, -ffunction-sections
/// -fdata-sections added. The program name decides C or C++. docs/flags.md has
/// the table.
struct TranslatedCommand {
  /// The source files come last, each after "-x" and its language.
  std::vector<std::string> Arguments;
  /// Flags that the new code is compiled without though they say something
  /// about it, each with its value; once each.
  std::vector<std::string> Dropped;
  /// The source files as the command names them.
  std::vector<std::string> Sources;
};
TranslatedCommand translateCommand(llvm::ArrayRef<std::string> Command,
                                   llvm::StringRef Directory,
                                   const FileSystem &FS);

} // namespace hotjit

#endif
