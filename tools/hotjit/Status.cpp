// hotjit status: what is live, what waits, and what it takes.

#include "Commands.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

using namespace hotjit;
using namespace llvm;

static void printList(StringRef Head, ArrayRef<std::string> Items) {
  for (const std::string &I : Items)
    outs() << fmt::format("{}: {}\n", Head, I);
}

static void print(const wire::Status &S) {
  outs() << fmt::format("program: {} (pid {})\nsocket: {}\n", S.Program, S.Pid,
                        S.Socket);
  std::string Redo =
      S.Newest > S.Generation ? fmt::format(", redo up to {}", S.Newest) : "";
  outs() << fmt::format("generation: {}{}{}\n", S.Generation, Redo,
                        S.Paused ? ", paused" : "");
  outs() << fmt::format("translation units: {}\n", S.Units);
  outs() << fmt::format("functions replaced: {}\n", S.Functions.size());
  outs() << fmt::format(
      "memory: {} KiB of new code and data, {} KiB of texts\n",
      S.MemoryBytes >> 10, S.TextBytes >> 10);
  printList("newer than the live code", S.Ahead);
  printList("saved but not live", S.Dirty);
  printList("pending", S.Pending);
}

int hotjit::statusCommand(const CommandLine::Parsed &Line) {
  if (int Status = rejectWords(Line))
    return Status;
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  Expected<wire::Status> S = (*C)->askFor<wire::Status>(wire::method::Status);
  if (!S)
    return report(S.takeError());
  if (Line.Options.hasArg(OPT_json))
    outs() << formatv("{0:2}\n", toJSON(*S));
  else
    print(*S);
  return ExitDone;
}
