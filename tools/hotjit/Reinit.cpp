// hotjit reinit VARIABLE: a variable keeps its value when its initializer is
// edited; this gives it the edited one.

#include "Commands.h"
#include "Support/FmtSupport.h"

using namespace hotjit;
using namespace llvm;

int hotjit::reinitCommand(const CommandLine::Parsed &Line) {
  if (Line.Words.size() != 1) {
    errs() << "hotjit: reinit: give one variable; see 'hotjit reinit --help'\n";
    return ExitUsage;
  }
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  wire::ReinitParams Params;
  Params.Variable = Line.Words.front();
  Expected<json::Value> Done = (*C)->ask(wire::method::Reinit, toJSON(Params));
  if (!Done)
    return report(Done.takeError());
  outs() << fmt::format("[hotjit] reinitialized: {}\n", Params.Variable);
  return ExitDone;
}
