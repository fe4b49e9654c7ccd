// An inline function of a header has a copy in each unit that calls it, and the
// program runs one of them. So when its body is edited, one compile makes all
// the code there is to make, and nineteen others would make it again to be
// thrown away. They are spared: what the first one found holds for a unit that
//
//  - is compiled with the same flags, without optimization: no copy of the body
//    is part of other code;
//  - sees the same bodies at the same places of the header;
//  - had the same code for each edited function until now.
//
// The one definition rule says that the new body means the same in all of them.
// Whether it does, and whether it compiles in each, is seen afterwards, when
// the unit is compiled from its own text with nobody waiting for it (Session).

#include "Compile/Follow.h"
#include "Compile/PartialUnit.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"
#include <deque>

using namespace hotjit;
using llvm::StringRef;

/// But for the names of the files themselves.
static bool hasSameFlags(const TranslationUnit &A, const TranslationUnit &B) {
  auto IsName = [](StringRef Word, const TranslationUnit &Unit) {
    return llvm::sys::path::filename(Word) ==
           llvm::sys::path::filename(Unit.Path);
  };
  if (A.Directory != B.Directory || A.ByGCC != B.ByGCC ||
      A.Arguments.size() != B.Arguments.size() ||
      llvm::sys::path::extension(A.Path) != llvm::sys::path::extension(B.Path))
    return false;
  bool IsOutput = false; // what stands behind -MF and its like
  for (auto [X, Y] : llvm::zip(A.Arguments, B.Arguments)) {
    if (X != Y && !IsOutput && !(IsName(X, A) && IsName(Y, B)))
      return false;
    IsOutput = X == "-MF" || X == "-MT" || X == "-MQ";
  }
  return true;
}

static bool haveSamePlaces(llvm::ArrayRef<BodyText> A,
                           llvm::ArrayRef<BodyText> B) {
  return std::equal(A.begin(), A.end(), B.begin(), B.end(),
                    [](const BodyText &X, const BodyText &Y) {
                      return std::tie(X.Begin, X.End, X.Hidden, X.Alone) ==
                             std::tie(Y.Begin, Y.End, Y.Hidden, Y.Alone);
                    });
}

/// The lead's new code of the function is the unit's as well.
static bool holdsFor(StringRef Symbol, const CompiledUnit &Old,
                     const LeadUnit &Lead) {
  const CompiledFunction *Own = Old.findFunction(Symbol);
  const CompiledFunction *Was = Lead.Old.findFunction(Symbol);
  const CompiledFunction *Now = Lead.New.findFunction(Symbol);
  const llvm::Function *Code = Lead.New.Code.Module->getFunction(Symbol);
  return Own && Was && Now && Code && !Code->isDeclaration() &&
         Own->Linkage == SymbolLinkage::Inline &&
         Was->Linkage == SymbolLinkage::Inline && !Own->AlwaysInline &&
         !Now->AlwaysInline && !Own->Constructor && Own->Body == Was->Body &&
         Own->NoUnwind == Was->NoUnwind && Own->Signature == Was->Signature;
}

/// Of the lead's facts those of Edited, and of what these use for the first
/// time. Null: they use what is private to a unit.
static std::unique_ptr<CompiledUnit>
factsOf(const std::vector<std::string> &Edited, const CompiledUnit &Old,
        const CompiledUnit &Lead) {
  auto Made = std::make_unique<CompiledUnit>();
  Made->Path = Old.Path;
  Made->Name = Old.Name;
  std::set<std::string> Seen(Edited.begin(), Edited.end());
  std::set<std::string> Data;
  std::deque<std::string> Work(Edited.begin(), Edited.end());
  while (!Work.empty()) {
    const CompiledFunction *F = Lead.findFunction(Work.front());
    Work.pop_front();
    if (!F)
      return nullptr;
    Made->Functions.push_back(*F);
    for (const std::string &Callee : F->Functions) {
      const CompiledFunction *New = Lead.findFunction(Callee);
      if (Old.findFunction(Callee) || !New ||
          New->Linkage == SymbolLinkage::External)
        continue; // The unit had it, or it is another one's.
      if (New->Linkage == SymbolLinkage::Internal)
        return nullptr;
      if (Seen.insert(Callee).second)
        Work.push_back(Callee);
    }
    Data.insert(F->Variables.begin(), F->Variables.end());
  }
  for (const CompiledVariable &V : Lead.Variables) {
    bool IsLocal = Seen.count(V.Function);
    bool IsNamed = Data.count(V.Symbol) && !Old.findVariable(V.Symbol);
    if (V.Unnamed || V.Linkage == SymbolLinkage::External ||
        (!IsLocal && !IsNamed))
      continue;
    if (V.Linkage == SymbolLinkage::Internal)
      return nullptr;
    Made->Variables.push_back(V);
    if (const CompiledVariable *Guard = Lead.findVariable(V.Guard))
      Made->Variables.push_back(*Guard);
  }
  auto BySymbol = [](const auto &A, const auto &B) {
    return A.Symbol < B.Symbol;
  };
  Made->Functions.sort(BySymbol);
  Made->Variables.sort(BySymbol);
  return Made;
}

/// From which bodies of headers the functions of Made were made, and where the
/// edited one has __LINE__.
static void addTexts(CompiledUnit &Made, const CompiledUnit &Lead) {
  for (const auto &[Path, Text] : Lead.Headers) {
    auto Seen = std::make_shared<UnitText>();
    Seen->LineUses = Text->LineUses;
    for (const BodyText &B : Text->Bodies) {
      BodyText Of;
      Of.Begin = B.Begin;
      for (const std::string &Symbol : B.Symbols)
        if (Made.findFunction(Symbol))
          Of.Symbols.push_back(Symbol);
      if (!Of.Symbols.empty())
        Seen->Bodies.push_back(std::move(Of));
    }
    Made.Headers[Path] = std::move(Seen);
  }
}

std::unique_ptr<CompiledUnit> hotjit::follow(const TranslationUnit &Unit,
                                             const BodiesRequest &Request,
                                             const LeadUnit &Lead,
                                             std::string &Why) {
  const CompiledUnit &Old = Request.Old;
  const UnitText *Own = Old.textOf(Request.Header);
  const UnitText *Leads = Lead.Old.textOf(Request.Header);
  if (!Own || !Leads || !Lead.New.Code.Module ||
      !haveSamePlaces(Own->Bodies, Leads->Bodies) ||
      !hasSameFlags(Unit, Lead.Unit)) {
    Why = "it reads the header in another way";
    return nullptr;
  }
  BodyMatch Match = Lead.Bodies;
  for (size_t I = 0; I != Match.Bodies.size(); ++I)
    Match.Bodies[I].Symbols = Own->Bodies[I].Symbols;
  std::optional<PartialPlan> Plan = planPartial(Request, std::move(Match), Why);
  if (!Plan)
    return nullptr;
  std::vector<std::string> Edited;
  for (const auto &Symbol : Plan->Wanted.keys()) {
    if (!holdsFor(Symbol, Old, Lead)) {
      Why = fmt::format("{} is not what it is in {}", Symbol.str(),
                        Lead.Unit.Path);
      return nullptr;
    }
    Edited.push_back(Symbol.str());
  }
  llvm::sort(Edited);
  std::unique_ptr<CompiledUnit> Made = factsOf(Edited, Old, Lead.New);
  if (!Made) {
    Why = "an edited body uses what each unit has for itself";
    return nullptr;
  }
  addTexts(*Made, Lead.New);
  if (!completeFacts(*Made, *Plan, *Lead.New.Code.Module, Why))
    return nullptr;
  for (std::string &Symbol : Edited)
    if (!llvm::is_contained(Made->Taken, Symbol))
      Made->Taken.push_back(std::move(Symbol));
  return Made;
}
