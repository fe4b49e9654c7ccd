// hotjit log: every event since the start, as lines, or as JSON one per line.

#include "Commands.h"
#include "Wire/Render.h"
#include "llvm/Support/FormatVariadic.h"

using namespace hotjit;
using namespace llvm;

int hotjit::logCommand(const CommandLine::Parsed &Line) {
  if (int Status = rejectWords(Line))
    return Status;
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  Expected<wire::LogReply> Log =
      (*C)->askFor<wire::LogReply>(wire::method::Log);
  if (!Log)
    return report(Log.takeError());
  wire::RenderOptions Render;
  Render.Color = colorOnStdout();
  Render.Verbose = true;
  wire::Renderer Lines(Render);
  for (const wire::Event &E : Log->Events) {
    if (Line.Options.hasArg(OPT_json))
      outs() << formatv("{0}\n", toJSON(E));
    else
      outs() << Lines.render(E);
  }
  return ExitDone;
}
