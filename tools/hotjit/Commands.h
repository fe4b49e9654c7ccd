#ifndef HOTJIT_TOOLS_HOTJIT_COMMANDS_H
#define HOTJIT_TOOLS_HOTJIT_COMMANDS_H

#include "CommandLine.h"
#include "Wire/Client.h"
#include <memory>

namespace hotjit {

// One file for each. All take the parsed command line and return the exit
// status; what they print goes to stdout, problems to stderr.
int runCommand(const CommandLine::Parsed &Line);
int statusCommand(const CommandLine::Parsed &Line);
int logCommand(const CommandLine::Parsed &Line);
int functionsCommand(const CommandLine::Parsed &Line);
int reloadCommand(const CommandLine::Parsed &Line);
int undoCommand(const CommandLine::Parsed &Line);
int redoCommand(const CommandLine::Parsed &Line);
int pauseCommand(const CommandLine::Parsed &Line);
int resumeCommand(const CommandLine::Parsed &Line);
int reinitCommand(const CommandLine::Parsed &Line);
int explainCommand(const CommandLine::Parsed &Line);
int doctorCommand(const CommandLine::Parsed &Line);

/// Connects to the program that --pid or --socket chooses, says hello.
llvm::Expected<std::unique_ptr<wire::Client>> connect(
    const CommandLine::Parsed &Line,
    wire::Client::OnEvent Listener = [](const wire::Event &) {});

/// Prints the error; ExitNoSuchProgram if it is one, else ExitError.
int report(llvm::Error E);

/// For commands that take no words. Nonzero: the exit status.
int rejectWords(const CommandLine::Parsed &Line);

/// Sends a request without parameters whose answer is an event, prints that.
int askForEvent(const CommandLine::Parsed &Line, llvm::StringRef Method);

/// Colours on stdout: a terminal, and no NO_COLOR.
bool colorOnStdout();

} // namespace hotjit

#endif
