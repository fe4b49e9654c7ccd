// Before and after a partial compile: which bodies it takes, and how what it
// found becomes facts about the whole unit again.
//
// Nothing outside bodies changed, so everything known about the unit stays true
// but for the functions whose bodies were edited, the statics in them, and what
// these bodies use for the first time. Lines below the edit move.

#include "Compile/PartialUnit.h"
#include "llvm/ADT/STLExtras.h"
#include <deque>

using namespace hotjit;
using llvm::StringRef;

/// Bodies from which one of the touched ones can be reached by calls: an
/// optimizer may have used it there, and they will be swapped together.
static void addCallers(const CompiledUnit &Old, std::set<std::string> &Wanted) {
  llvm::StringMap<std::vector<StringRef>> Callers;
  for (const CompiledFunction &F : Old.Functions)
    for (const std::string &Callee : F.Functions)
      Callers[Callee].push_back(F.Symbol);
  std::deque<std::string> Queue(Wanted.begin(), Wanted.end());
  while (!Queue.empty()) {
    std::string Symbol = std::move(Queue.front());
    Queue.pop_front();
    for (StringRef Caller : Callers.lookup(Symbol))
      if (Wanted.insert(Caller.str()).second)
        Queue.push_back(Caller.str());
  }
}

/// Bodies behind the edit that have __LINE__ in their code. False: something
/// outside bodies has.
static bool addLineUses(const UnitText &Old, const BodyMatch &Match,
                        std::set<size_t> &Bodies, std::string &Why) {
  if (Match.LineShift == 0)
    return true;
  if (Old.UsesLocations) {
    Why = "lines moved, and source locations are part of the code";
    return false;
  }
  for (uint32_t Use : Old.LineUses) {
    auto Next = llvm::partition_point(
        Old.Bodies, [&](const BodyText &B) { return B.End <= Use; });
    bool IsInside = Next != Old.Bodies.end() && Next->Begin < Use;
    size_t Index = Next - Old.Bodies.begin();
    bool IsBefore = Index < Match.Touched.front();
    if (IsBefore)
      continue;
    if (!IsInside || !Next->Alone) {
      Why = "lines moved, and __LINE__ is used outside simple bodies";
      return false;
    }
    Bodies.insert(Index);
  }
  return true;
}

std::optional<PartialPlan> hotjit::planPartial(const BodiesRequest &Request,
                                               BodyMatch Match,
                                               std::string &Why) {
  const CompiledUnit &Old = Request.Old;
  if (Match.Touched.empty()) {
    Why = "no body changed";
    return std::nullopt;
  }
  std::set<size_t> Touched(Match.Touched.begin(), Match.Touched.end());
  if (!addLineUses(Old.Text, Match, Touched, Why))
    return std::nullopt;
  Match.Touched.assign(Touched.begin(), Touched.end());
  std::set<std::string> Wanted;
  for (size_t Body : Match.Touched)
    Wanted.insert(Match.Bodies[Body].Symbols.begin(),
                  Match.Bodies[Body].Symbols.end());
  if (Old.Settings.OptLevel > 0)
    addCallers(Old, Wanted);
  Wanted.insert(Request.Needed.begin(), Request.Needed.end());

  PartialPlan Plan{Old, std::move(Match), {}, {}};
  for (const std::string &Symbol : Wanted)
    Plan.Wanted.insert(Symbol);
  for (size_t I = 0; I != Plan.Bodies.Bodies.size(); ++I)
    Plan.Parsed.push_back(
        Touched.contains(I) ||
        llvm::any_of(Plan.Bodies.Bodies[I].Symbols, [&](const auto &Symbol) {
          return Wanted.contains(Symbol);
        }));
  return Plan;
}

namespace {

/// Lines of the old text in the new one.
class Lines {
public:
  Lines(StringRef File, const BodyMatch &Match) : File(File), Match(Match) {}
  void move(SourcePlace &Place) const {
    if (Place.Line >= Match.EditEndLine && Place.File == File)
      Place.Line += Match.LineShift;
  }

private:
  StringRef File;
  const BodyMatch &Match;
};

} // namespace

/// A function or variable that only the edited bodies named, and that they no
/// longer name, is perhaps no longer part of the unit.
static bool losesSomething(const CompiledUnit &Old, const CompiledUnit &New,
                           const std::set<std::string> &Edited,
                           std::string &Why) {
  std::set<std::string> Given;
  for (const std::string &Symbol : Edited)
    if (const CompiledFunction *Was = Old.findFunction(Symbol)) {
      Given.insert(Was->Functions.begin(), Was->Functions.end());
      Given.insert(Was->Variables.begin(), Was->Variables.end());
    }
  auto IsLocal = [&](const std::string &Symbol) {
    const CompiledFunction *F = Old.findFunction(Symbol);
    const CompiledVariable *V = Old.findVariable(Symbol);
    return (F && F->Linkage == SymbolLinkage::Internal) ||
           (V && V->Linkage == SymbolLinkage::Internal && V->Function.empty());
  };
  std::erase_if(Given, [&](const std::string &S) { return !IsLocal(S); });
  if (Given.empty())
    return false;
  for (const CompiledFunction &F : New.Functions) {
    for (const auto *Names : {&F.Functions, &F.Variables})
      for (const std::string &Name : *Names)
        if (Name != F.Symbol)
          Given.erase(Name);
  }
  for (const CompiledVariable &V : New.Variables)
    for (const std::string &Name : V.References)
      Given.erase(Name);
  if (Given.empty())
    return false;
  Why = *Given.begin() + " is no longer used";
  return true;
}

bool hotjit::completeFacts(CompiledUnit &New, const PartialPlan &Plan,
                           std::string &Why) {
  CompiledUnit Facts = Plan.Old.facts();
  Lines Moved(Facts.Path, Plan.Bodies);
  std::set<std::string> Edited;
  for (size_t Body : Plan.Bodies.Touched)
    Edited.insert(Plan.Bodies.Bodies[Body].Symbols.begin(),
                  Plan.Bodies.Bodies[Body].Symbols.end());
  for (const std::string &Symbol : Edited) {
    const CompiledFunction *Was = Plan.Old.findFunction(Symbol);
    const CompiledFunction *Now = New.findFunction(Symbol);
    if (!Was || !Now) {
      Why = Symbol + " was not made";
      return false;
    }
    // Its callers may have no landing pads, and their callers neither.
    if (Was->NoUnwind && !Now->NoUnwind) {
      Why = Symbol + " threw nothing before";
      return false;
    }
  }

  llvm::erase_if(Facts.Functions, [&](const CompiledFunction &F) {
    return Edited.contains(F.Symbol);
  });
  auto IsOfEdited = [&](const CompiledVariable &V) {
    return V.Unnamed || Edited.contains(V.Function);
  };
  std::set<std::string> Guards;
  for (const CompiledVariable &V : Facts.Variables)
    if (IsOfEdited(V) && !V.Guard.empty())
      Guards.insert(V.Guard);
  llvm::erase_if(Facts.Variables, [&](const CompiledVariable &V) {
    return IsOfEdited(V) || Guards.contains(V.Symbol);
  });
  for (CompiledFunction &F : Facts.Functions)
    Moved.move(F.Place);
  for (CompiledVariable &V : Facts.Variables)
    Moved.move(V.Place);
  for (CompiledType &T : Facts.Types)
    Moved.move(T.Place);
  for (CompiledEnum &E : Facts.Enums)
    Moved.move(E.Place);

  // What the new code has that the unit had before is known better from there.
  for (CompiledFunction &F : New.Functions)
    if (!Facts.findFunction(F.Symbol))
      Edited.insert(F.Symbol);
  for (CompiledFunction &F : New.Functions)
    if (Edited.contains(F.Symbol))
      Facts.Functions.push_back(std::move(F));
  auto BySymbol = [](const auto &A, const auto &B) {
    return A.Symbol < B.Symbol;
  };
  llvm::sort(Facts.Functions, BySymbol);
  std::vector<CompiledVariable> Added;
  for (CompiledVariable &V : New.Variables)
    if (!Facts.findVariable(V.Symbol))
      Added.push_back(std::move(V));
  llvm::append_range(Facts.Variables, Added);
  llvm::sort(Facts.Variables, BySymbol);
  auto AddTypes = [](auto &Known, auto &Found) {
    llvm::StringSet<> Names;
    for (const auto &T : Known)
      Names.insert(T.Name);
    for (auto &T : Found)
      if (!Names.contains(T.Name))
        Known.push_back(std::move(T));
    llvm::sort(Known, [](const auto &A, const auto &B) {
      return std::tie(A.Name, A.Place.File, A.Place.Line) <
             std::tie(B.Name, B.Place.File, B.Place.Line);
    });
  };
  AddTypes(Facts.Types, New.Types);
  AddTypes(Facts.Enums, New.Enums);
  if (losesSomething(Plan.Old, Facts, Edited, Why))
    return false;

  // The compile saw where __LINE__ stands from the edit on; a preamble, which
  // it did not read, lies before.
  UnitText Text = Plan.Old.Text;
  Text.Bodies = Plan.Bodies.Bodies;
  uint32_t Edit = Text.Bodies[Plan.Bodies.Touched.front()].Begin;
  llvm::erase_if(Text.LineUses, [&](uint32_t Use) { return Use >= Edit; });
  for (uint32_t Use : New.Text.LineUses)
    if (Use >= Edit)
      Text.LineUses.push_back(Use);
  Text.UsesLocations |= New.Text.UsesLocations;
  UnitCode Code = std::move(New.Code);
  New = std::move(Facts);
  New.Text = std::move(Text);
  New.Code = std::move(Code);
  New.Whole = false;
  return true;
}
