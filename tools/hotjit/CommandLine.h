#ifndef HOTJIT_TOOLS_HOTJIT_COMMANDLINE_H
#define HOTJIT_TOOLS_HOTJIT_COMMANDLINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Option/OptTable.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace hotjit {

/// Exit statuses of hotjit's own, beside those of contracts for `reload`.
enum ExitStatus {
  ExitDone = 0,
  ExitError = 1,
  ExitNoSuchProgram = 4,
  ExitUsage = 64, ///< EX_USAGE: apart from what `reload` says with 1 to 4
  // As env, nohup and timeout: apart from what programs return.
  ExitRunFailed = 125,
  ExitCannotRun = 126,
  ExitNotFound = 127,
};

/// The options of Options.td.
class CommandLine {
public:
  /// One command with its options, and what is not an option. For `run` the
  /// first such word ends the options: the rest belongs to the program.
  struct Parsed {
    std::string Command;
    llvm::opt::InputArgList Options;
    std::vector<std::string> Words;
  };

  /// Words: without the name of hotjit itself; must outlive the result. Error:
  /// an unknown command or option (names the nearest), a missing value.
  static llvm::Expected<Parsed> parse(llvm::ArrayRef<const char *> Words);

  /// Help of a command, or of hotjit if Command is empty.
  static void printHelp(llvm::raw_ostream &OS, llvm::StringRef Command);

  static const llvm::opt::OptTable &table();
};

// Names of options, made from Options.td.
enum : unsigned {
  OPT_INVALID = 0,
#define OPTION(...) LLVM_MAKE_OPT_ID(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

/// The nearest of Names that is near enough to be what was meant, or empty.
llvm::StringRef nearest(llvm::StringRef Name,
                        llvm::ArrayRef<llvm::StringRef> Names);

} // namespace hotjit

#endif
