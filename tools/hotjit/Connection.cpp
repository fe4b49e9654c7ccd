// What the commands that talk to a running program have in common.

#include "Commands.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/Render.h"
#include "Wire/SocketFolder.h"
#include <cstdlib>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

static Expected<wire::ProgramChoice> choiceOf(const CommandLine::Parsed &Line) {
  wire::ProgramChoice Choice;
  Choice.Socket = Line.Options.getLastArgValue(OPT_socket).str();
  if (const opt::Arg *Pid = Line.Options.getLastArg(OPT_pid)) {
    int64_t Number;
    if (StringRef(Pid->getValue()).getAsInteger(10, Number) || Number <= 0)
      return makeError("--pid: '{}' is not a process id", Pid->getValue());
    Choice.Pid = Number;
  }
  return Choice;
}

Expected<std::unique_ptr<wire::Client>>
hotjit::connect(const CommandLine::Parsed &Line,
                wire::Client::OnEvent Listener) {
  Expected<wire::ProgramChoice> Choice = choiceOf(Line);
  if (!Choice)
    return Choice.takeError();
  Expected<std::string> Socket =
      wire::findProgram(*Choice, wire::socketFolder());
  if (!Socket)
    return Socket.takeError();
  Expected<std::unique_ptr<wire::Client>> C =
      wire::Client::connect(*Socket, std::move(Listener));
  if (!C)
    return C;
  Expected<wire::InitializeReply> Hello =
      (*C)->initialize("hotjit " + Line.Command);
  if (!Hello)
    return Hello.takeError();
  return C;
}

int hotjit::report(Error E) {
  bool NoProgram = E.isA<wire::NoSuchProgram>();
  std::string Text;
  handleAllErrors(
      std::move(E), [&](const lsp::LSPError &L) { Text = L.message; },
      [&](const ErrorInfoBase &Other) { Text = Other.message(); });
  errs() << fmt::format("hotjit: {}\n", Text);
  return NoProgram ? ExitNoSuchProgram : ExitError;
}

int hotjit::rejectWords(const CommandLine::Parsed &Line) {
  if (Line.Words.empty())
    return ExitDone;
  errs() << fmt::format("hotjit: {}: unexpected '{}'; see 'hotjit {} --help'\n",
                        Line.Command, Line.Words.front(), Line.Command);
  return ExitUsage;
}

bool hotjit::colorOnStdout() {
  const char *NoColor = ::getenv("NO_COLOR");
  return ::isatty(STDOUT_FILENO) && !(NoColor && *NoColor);
}

int hotjit::askForEvent(const CommandLine::Parsed &Line, StringRef Method) {
  if (int Status = rejectWords(Line))
    return Status;
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  Expected<wire::Event> E = (*C)->askFor<wire::Event>(Method);
  if (!E)
    return report(E.takeError());
  wire::RenderOptions Render;
  Render.Color = colorOnStdout();
  outs() << wire::Renderer(Render).render(*E);
  return ExitDone;
}
