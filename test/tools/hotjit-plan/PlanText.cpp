#include "PlanText.h"
#include "fmt/format.h"
#include "llvm/Support/Path.h"

using namespace hotjit;

static std::string fileName(llvm::StringRef Path) {
  return llvm::sys::path::filename(Path).str();
}

static std::string functionText(const PlannedFunction &F) {
  switch (F.What) {
  case PlannedFunction::Action::Replace:
    return fmt::format("  replace {} {}{}\n", F.Symbol,
                       F.Kind == EntryKind::Plain ? "plain" : "patchable",
                       F.NeedsAbiThunk ? " thunk" : "");
  case PlannedFunction::Action::Add:
    return fmt::format("  add {}\n", F.Symbol);
  case PlannedFunction::Action::PrivateCopy:
    return fmt::format("  private {}\n", F.Symbol);
  }
  return "";
}

static const char *spell(PlannedVariable::Action What) {
  switch (What) {
  case PlannedVariable::Action::Bind:
    return "bind";
  case PlannedVariable::Action::BindThreadLocal:
    return "bind-tls";
  case PlannedVariable::Action::BindAddedThreadLocal:
    return "bind-added-tls";
  case PlannedVariable::Action::Create:
    return "create";
  case PlannedVariable::Action::Copy:
    return "copy";
  }
  return "";
}

static std::string unitText(const PlannedUnit &U) {
  std::string Text = fmt::format("unit {}\n", fileName(U.New->Path));
  for (const PlannedFunction &F : U.Functions)
    Text += functionText(F);
  for (const auto &[Symbol, Address] : U.BoundFunctions)
    Text += fmt::format("  call {}\n", Symbol);
  for (const PlannedVariable &V : U.Variables)
    Text += fmt::format("  {} {}\n", spell(V.What), V.Symbol);
  for (const std::string &Symbol : U.Initializers)
    Text += fmt::format("  initialize {}\n", Symbol);
  return Text;
}

std::string hotjit::test::verdictText(const Verdict &V) {
  std::string Text = hotjit::spell(V.Kind);
  if (V.Code)
    Text += " " + codeOf(*V.Code);
  Text +=
      fmt::format(" {} ({}:{})", V.Name, fileName(V.Place.File), V.Place.Line);
  if (!V.Edited)
    Text += " [along]";
  if (!V.Message.empty())
    Text += ": " + V.Message;
  return Text + "\n";
}

std::string hotjit::test::planText(const PlanOrRefusal &Decision) {
  std::string Text;
  if (const auto *R = std::get_if<Refusal>(&Decision)) {
    for (const Verdict &V : R->Verdicts)
      Text += verdictText(V);
    return Text;
  }
  const Plan &P = std::get<Plan>(Decision);
  for (const PlannedUnit &U : P.Units)
    Text += unitText(U);
  for (const Verdict &V : P.Verdicts)
    Text += verdictText(V);
  return Text + fmt::format("unchanged {}\n", P.Unchanged);
}
