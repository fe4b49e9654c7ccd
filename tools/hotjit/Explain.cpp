// hotjit explain HJ1402: what a code means. hotjit explain FUNCTION: what last
// happened to a function of the running program, and why.

#include "Commands.h"
#include "EditPages.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

static bool looksLikeCode(StringRef Text) {
  return Text.size() > 2 && Text.take_front(2).equals_insensitive("HJ") &&
         llvm::all_of(Text.drop_front(2), isDigit);
}

static int explainTheCode(StringRef Code) {
  if (std::optional<std::string> Text = explainCode(EditsPage, Code)) {
    outs() << *Text;
    return ExitDone;
  }
  std::vector<EditRow> Rows = parseEditRows(EditsPage);
  std::vector<StringRef> Codes;
  for (const EditRow &R : Rows)
    Codes.push_back(R.Code);
  std::string Upper = Code.upper();
  StringRef Near = nearest(Upper, Codes);
  errs() << fmt::format(
      "hotjit: no code '{}'{}\n", Code,
      Near.empty() ? "" : fmt::format("; did you mean '{}'?", Near));
  return ExitError;
}

static void print(const wire::ExplainReply::Entry &E) {
  const wire::Verdict &V = E.What;
  outs() << fmt::format("#{} {}: {}", E.Reload, wire::spell(V.Kind), V.Name);
  if (!V.File.empty())
    outs() << fmt::format(" ({}:{})", sys::path::filename(V.File), V.Line);
  if (!V.Message.empty())
    outs() << fmt::format(": {}", V.Message);
  outs() << (V.Code.empty() ? "" : " " + V.Code) << "\n";
}

int hotjit::explainCommand(const CommandLine::Parsed &Line) {
  if (Line.Words.size() != 1) {
    errs() << "hotjit: explain: give a code or a function; see 'hotjit explain "
              "--help'\n";
    return ExitUsage;
  }
  StringRef What = Line.Words.front();
  if (looksLikeCode(What))
    return explainTheCode(What);
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return report(C.takeError());
  wire::ExplainParams Params;
  Params.Function = What.str();
  Expected<wire::ExplainReply> R =
      (*C)->askFor<wire::ExplainReply>(wire::method::Explain, toJSON(Params));
  if (!R)
    return report(R.takeError());
  if (Line.Options.hasArg(OPT_json)) {
    outs() << formatv("{0:2}\n", toJSON(*R));
    return ExitDone;
  }
  if (R->History.empty())
    outs() << fmt::format("{}: no reload has touched it\n", What);
  for (const wire::ExplainReply::Entry &E : R->History)
    print(E);
  return ExitDone;
}
