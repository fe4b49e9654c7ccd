// hotjit: the launcher and the commands that talk to a program it started.

#include "Commands.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

using namespace hotjit;
using namespace llvm;

static int dispatch(const CommandLine::Parsed &Line) {
  using Command = int (*)(const CommandLine::Parsed &);
  static constexpr std::pair<StringLiteral, Command> Commands[] = {
      {"run", runCommand},         {"status", statusCommand},
      {"log", logCommand},         {"functions", functionsCommand},
      {"reload", reloadCommand},   {"undo", undoCommand},
      {"redo", redoCommand},       {"pause", pauseCommand},
      {"resume", resumeCommand},   {"reinit", reinitCommand},
      {"explain", explainCommand}, {"doctor", doctorCommand},
  };
  for (const auto &[Name, Run] : Commands)
    if (Line.Command == Name)
      return Run(Line);
  return report(makeError("{}: not in this version", Line.Command));
}

int main(int Count, char **Words) {
  ArrayRef<const char *> Arguments(Words + 1, Count > 0 ? Count - 1 : 0);
  StringRef First = Arguments.empty() ? "" : Arguments.front();
  if (First == "--help" || First == "-h") {
    CommandLine::printHelp(outs(), "");
    return ExitDone;
  }
  if (First == "--version") {
    outs() << "hotjit " HOTJIT_VERSION "\n";
    return ExitDone;
  }
  Expected<CommandLine::Parsed> Line = CommandLine::parse(Arguments);
  if (!Line) {
    (void)report(Line.takeError());
    return First == "run" ? ExitRunFailed : ExitUsage;
  }
  if (Line->Options.hasArg(OPT_help)) {
    CommandLine::printHelp(outs(), Line->Command);
    return ExitDone;
  }
  if (Line->Options.hasArg(OPT_version)) {
    outs() << "hotjit " HOTJIT_VERSION "\n";
    return ExitDone;
  }
  return dispatch(*Line);
}
