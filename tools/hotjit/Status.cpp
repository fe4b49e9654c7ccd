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

/// "serve: thread 4711 'worker', frame #3 at /src/serve.c:12"
static std::string describe(const wire::PendingFrames &F) {
  std::string Text = fmt::format(
      "{}: {}thread {}{}", F.Function, F.Certain ? "" : "perhaps ", F.Thread,
      F.ThreadName.empty() ? "" : " '" + F.ThreadName + "'");
  if (F.Certain)
    Text += fmt::format(", frame #{}", F.Innermost);
  if (!F.File.empty())
    Text += fmt::format(" at {}:{}", F.File, F.Line);
  if (F.Count > 1)
    Text += fmt::format(" and {} more", F.Count - 1);
  return Text;
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
      "memory: {} KiB of new code and data, {} KiB of it superseded, {} KiB of "
      "texts, {} KiB of what is kept parsed\n",
      S.MemoryBytes >> 10, S.SupersededBytes >> 10, S.TextBytes >> 10,
      S.ParsedBytes >> 10);
  if (S.Waiting)
    outs() << "waiting: for a safe point of the program\n";
  printList("newer than the live code", S.Ahead);
  printList("saved but not live", S.Dirty);
  for (const wire::PendingFrames &F : S.Frames)
    outs() << fmt::format("pending: {}\n", describe(F));
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
