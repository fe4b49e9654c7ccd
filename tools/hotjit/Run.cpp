// hotjit run PROGRAM: the program with hotjit inside, as if it ran alone.

#include "Commands.h"
#include "Launch.h"
#include "ProgramCheck.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <cerrno>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

static int fail(ExitStatus Status, Error E) {
  (void)report(std::move(E));
  return Status;
}

/// The settings of .hotjit.yaml near the working folder, else near the program.
static Expected<Settings> readFile(StringRef WorkingFolder,
                                   StringRef Executable) {
  SmallString<256> Program(Executable);
  (void)sys::fs::make_absolute(Program);
  for (StringRef Folder : {WorkingFolder, sys::path::parent_path(Program)}) {
    Expected<std::string> Path = findSettingsFile(Folder);
    if (!Path)
      return Path.takeError();
    if (Path->empty())
      continue;
    ErrorOr<std::unique_ptr<MemoryBuffer>> Text = MemoryBuffer::getFile(*Path);
    if (!Text)
      return makeError("{}: {}", *Path, Text.getError().message());
    return settingsOfFile((*Text)->getBuffer(), *Path);
  }
  return Settings();
}

/// Command line wins over environment over file.
static Expected<Settings> gatherSettings(const CommandLine::Parsed &Line,
                                         StringRef Executable) {
  SmallString<256> Folder;
  if (std::error_code E = sys::fs::current_path(Folder))
    return makeError("working folder: {}", E.message());
  Expected<Settings> Result = readFile(Folder, Executable);
  Expected<Settings> Variables = settingsOfEnvironment(environ, Folder);
  Expected<Settings> Given = settingsOfCommandLine(Line.Options, Folder);
  Error Problems = joinErrors(
      joinErrors(Given.takeError(), Variables.takeError()), Result.takeError());
  if (Problems)
    return std::move(Problems);
  Result->override(*Variables);
  Result->override(*Given);
  return Result;
}

static int start(const std::string &Path, ArrayRef<std::string> Words,
                 const Settings &Given) {
  SmallString<256> Self;
  if (std::error_code E = sys::fs::real_path("/proc/self/exe", Self))
    return fail(ExitRunFailed, makeError("/proc/self/exe: {}", E.message()));
  Expected<std::string> Agent = findAgent(Self);
  if (!Agent)
    return fail(ExitRunFailed, Agent.takeError());
  Expected<std::unique_ptr<Launch>> Watching = Launch::create(Given);
  if (!Watching)
    return fail(ExitRunFailed, Watching.takeError());
  Expected<ChildProcess> Child = ChildProcess::start(
      Path, Words, programEnvironment(environ, Given, *Agent));
  if (!Child)
    return fail(ExitCannotRun, Child.takeError());
  std::string Socket =
      Given.get("socket")
          .value_or(wire::socketPath(wire::socketFolder(), Child->pid()))
          .str();
  return ChildProcess::endLike((*Watching)->watch(*Child, Socket));
}

int hotjit::runCommand(const CommandLine::Parsed &Line) {
  if (Line.Words.empty()) {
    errs() << "hotjit: run: no program; see 'hotjit run --help'\n";
    return ExitRunFailed;
  }
  Expected<std::string> Path = findExecutable(Line.Words.front());
  if (!Path)
    return fail(ExitNotFound, Path.takeError());
  if (Error E = checkTakesAgent(*Path))
    return fail(ExitCannotRun, std::move(E));
  Expected<Settings> Given = gatherSettings(Line, *Path);
  if (!Given)
    return fail(ExitRunFailed, Given.takeError());
  return start(*Path, Line.Words, *Given);
}
