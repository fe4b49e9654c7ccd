// hotjit functions: those that do not run the body they were built with.

#include "Commands.h"
#include "Support/FmtSupport.h"
#include "Wire/Render.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

int hotjit::functionsCommand(const CommandLine::Parsed &Line) {
  if (int Status = rejectWords(Line))
    return Status;
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  Expected<wire::FunctionsReply> R =
      (*C)->askFor<wire::FunctionsReply>(wire::method::Functions);
  if (!R)
    return report(R.takeError());
  if (Line.Options.hasArg(OPT_json)) {
    outs() << formatv("{0:2}\n", toJSON(*R));
    return ExitDone;
  }
  for (const wire::FunctionInfo &F : R->Functions)
    outs() << fmt::format("{}: {}: generation {}{}\n",
                          sys::path::filename(F.Unit), wire::asWritten(F.Name),
                          F.Generation, F.Pending ? ", pending" : "");
  return ExitDone;
}
