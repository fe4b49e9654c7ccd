// Before and after a partial compile: which bodies it takes, and how what it
// found becomes facts about the whole unit again.
//
// Nothing outside bodies changed, so everything known about the unit stays true
// but for the functions whose bodies were edited, the statics in them, and what
// these bodies use for the first time. Lines below the edit move.

#include "Compile/PartialUnit.h"
#include "Compile/CodeFacts.h"
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

/// Other names of the functions: `int g(void) __attribute__((alias("f")))`.
static void addAliases(const CompiledUnit &Old,
                       std::set<std::string> &Symbols) {
  for (const CompiledFunction &F : Old.Functions)
    if (!F.AliasOf.empty() && Symbols.count(F.AliasOf))
      Symbols.insert(F.Symbol);
}

/// Bodies behind the edit that have __LINE__ in their code. False: something
/// outside bodies has.
static bool addLineUses(const CompiledUnit &Unit, const UnitText &Old,
                        const BodyMatch &Match, std::set<size_t> &Bodies,
                        std::string &Why) {
  if (!Match.movesLines())
    return true;
  if (Unit.Text.UsesLocations) {
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
  const UnitText *Text = Old.textOf(Request.file());
  if (Match.Touched.empty() || !Text) {
    Why = "no body changed";
    return std::nullopt;
  }
  if (!Request.Header.empty() && Old.Settings.OptLevel > 0) {
    Why = "a header of an optimized unit changed";
    return std::nullopt;
  }
  std::set<size_t> Touched(Match.Touched.begin(), Match.Touched.end());
  if (!addLineUses(Old, *Text, Match, Touched, Why))
    return std::nullopt;
  Match.Touched.assign(Touched.begin(), Touched.end());
  std::set<std::string> Wanted;
  for (size_t Body : Match.Touched)
    Wanted.insert(Match.Bodies[Body].Symbols.begin(),
                  Match.Bodies[Body].Symbols.end());
  addAliases(Old, Wanted);
  if (Old.Settings.OptLevel > 0)
    addCallers(Old, Wanted);
  Wanted.insert(Request.Needed.begin(), Request.Needed.end());

  PartialPlan Plan{Old, Request.file(), std::move(Match), {}, {}};
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

/// Symbols of the unit that its own externally visible symbols lead to: for
/// others the compiler makes no code.
static llvm::StringSet<> reachable(const CompiledUnit &Unit) {
  llvm::StringSet<> Found;
  std::vector<StringRef> Work;
  auto Add = [&](StringRef Symbol) {
    if (Found.insert(Symbol).second)
      Work.push_back(Symbol);
  };
  for (const CompiledFunction &F : Unit.Functions)
    if (F.Linkage != SymbolLinkage::Internal)
      Add(F.Symbol);
  for (const CompiledVariable &V : Unit.Variables)
    if (V.Linkage != SymbolLinkage::Internal || V.DynamicInitializer)
      Add(V.Symbol);
  while (!Work.empty()) {
    StringRef Symbol = Work.back();
    Work.pop_back();
    if (const CompiledFunction *F = Unit.findFunction(Symbol)) {
      for (const auto *Names : {&F->Functions, &F->Variables})
        for (const std::string &Name : *Names)
          Add(Name);
    } else if (const CompiledVariable *V = Unit.findVariable(Symbol)) {
      for (const std::string &Name : V->References)
        Add(Name);
      if (!V->InitializerFunction.empty())
        Add(V->InitializerFunction);
    }
  }
  return Found;
}

/// The edited bodies were the last to need some function or variable of the
/// file: a whole compile would make it no more.
static bool losesSomething(const CompiledUnit &Old, const CompiledUnit &New,
                           const std::set<std::string> &Edited,
                           std::string &Why) {
  auto NamesLess = [&](const std::string &Symbol) {
    const CompiledFunction *Was = Old.findFunction(Symbol);
    const CompiledFunction *Now = New.findFunction(Symbol);
    return Was && Now &&
           !(llvm::includes(Now->Functions, Was->Functions) &&
             llvm::includes(Now->Variables, Was->Variables));
  };
  // A static of an edited body may name functions, as a table does.
  auto MayNameLess = [&](const CompiledVariable &V) {
    return Edited.contains(V.Function) && !V.References.empty();
  };
  if (llvm::none_of(Edited, NamesLess) &&
      llvm::none_of(Old.Variables, MayNameLess))
    return false;
  llvm::StringSet<> Before = reachable(Old), After = reachable(New);
  auto IsLost = [&](StringRef Symbol) {
    return Before.contains(Symbol) && !After.contains(Symbol);
  };
  for (const CompiledFunction &F : New.Functions)
    if (F.Linkage == SymbolLinkage::Internal && IsLost(F.Symbol))
      Why = F.Symbol + " is no longer used";
  for (const CompiledVariable &V : New.Variables)
    if (V.Linkage == SymbolLinkage::Internal && !V.Unnamed && IsLost(V.Symbol))
      Why = V.Symbol + " is no longer used";
  return !Why.empty();
}

/// The edited functions must be there, and throw nothing if they threw nothing
/// before: their callers may have no landing pads, nor those callers' callers.
static bool checkEdited(const CompiledUnit &Old, const CompiledUnit &New,
                        const std::set<std::string> &Edited, std::string &Why) {
  for (const std::string &Symbol : Edited) {
    const CompiledFunction *Was = Old.findFunction(Symbol);
    const CompiledFunction *Now = New.findFunction(Symbol);
    if (!Was || !Now)
      Why = Symbol + " was not made";
    else if (Was->NoUnwind && !Now->NoUnwind)
      Why = Symbol + " threw nothing before";
    if (!Why.empty())
      return false;
  }
  return true;
}

/// Forgets the edited functions, their statics, and constants without a name.
static void dropEdited(CompiledUnit &Facts,
                       const std::set<std::string> &Edited) {
  Facts.Functions.eraseIf(
      [&](const CompiledFunction &F) { return Edited.contains(F.Symbol); });
  auto IsOfEdited = [&](const CompiledVariable &V) {
    return V.Unnamed || Edited.contains(V.Function);
  };
  std::set<std::string> Guards;
  for (const CompiledVariable &V : std::as_const(Facts.Variables))
    if (IsOfEdited(V) && !V.Guard.empty())
      Guards.insert(V.Guard);
  Facts.Variables.eraseIf([&](const CompiledVariable &V) {
    return IsOfEdited(V) || Guards.contains(V.Symbol);
  });
}

static void moveLines(CompiledUnit &Facts, const PartialPlan &Plan) {
  const BodyMatch &Match = Plan.Bodies;
  if (!Match.movesLines())
    return;
  auto Move = [&](auto &List) {
    for (size_t I = 0; I != List.size(); ++I) {
      const SourcePlace &Was = std::as_const(List)[I].Place;
      if (Was.File != Plan.File)
        continue;
      if (unsigned Line = Match.newLine(Was.Line); Line != Was.Line)
        List[I].Place.Line = Line;
    }
  };
  Move(Facts.Functions);
  Move(Facts.Variables);
  Move(Facts.Types);
  Move(Facts.Enums);
}

/// Adds what Found has and Known has not. Both are sorted.
template <typename T, typename Less>
static void addUnknown(FactList<T> &Known, const FactList<T> &Found,
                       Less Before) {
  size_t Were = Known.size();
  auto Begin = std::as_const(Known).begin(), End = std::as_const(Known).end();
  std::vector<size_t> Unknown;
  for (size_t I = 0; I != Found.size(); ++I) {
    auto At = std::lower_bound(Begin, End, Found[I], Before);
    if (At == End || Before(Found[I], *At))
      Unknown.push_back(I);
  }
  for (size_t I : Unknown)
    Known.share(Found, I);
  Known.merge(Were, Before);
}

/// What the new code has and the unit had before is known better from there.
static void addFound(CompiledUnit &Facts, const CompiledUnit &New) {
  auto BySymbol = [](const auto &A, const auto &B) {
    return A.Symbol < B.Symbol;
  };
  auto ByName = [](const auto &A, const auto &B) { return A.Name < B.Name; };
  addUnknown(Facts.Functions, New.Functions, BySymbol);
  addUnknown(Facts.Variables, New.Variables, BySymbol);
  addUnknown(Facts.Types, New.Types, ByName);
  addUnknown(Facts.Enums, New.Enums, ByName);
}

/// Whose address is taken: by what was skipped, as before, or by an edited body
/// for the first time.
static void addTakenAddresses(CompiledUnit &Facts, const CompiledUnit &Old,
                              const std::set<std::string> &Edited,
                              const llvm::Module &M) {
  std::set<std::string> Taken;
  for (const std::string &Symbol : Edited)
    if (const CompiledFunction *Was = Old.findFunction(Symbol);
        Was && Was->AddressTaken)
      Taken.insert(Symbol);
  for (const llvm::GlobalValue &V : M.global_values())
    if (isAddressTaken(V))
      Taken.insert(V.getName().str());
  for (size_t I = 0; I != Facts.Functions.size(); ++I)
    if (const CompiledFunction &F = std::as_const(Facts.Functions)[I];
        !F.AddressTaken && Taken.contains(F.Symbol))
      Facts.Functions[I].AddressTaken = true;
}

/// Of which bodies there is code for the first time.
static void addSymbols(UnitText &Text, const UnitText &Seen) {
  for (const BodyText &Made : Seen.Bodies) {
    auto It = llvm::find_if(
        Text.Bodies, [&](const BodyText &B) { return B.Begin == Made.Begin; });
    if (It == Text.Bodies.end())
      continue;
    for (const std::string &Symbol : Made.Symbols)
      if (!llvm::is_contained(It->Symbols, Symbol))
        It->Symbols.push_back(Symbol);
  }
}

/// The compile saw where __LINE__ stands from the edit on (a preamble, which it
/// did not read, lies before).
static UnitText textAfter(const PartialPlan &Plan, const UnitText &Seen) {
  UnitText Text = *Plan.Old.textOf(Plan.File);
  Text.Bodies = Plan.Bodies.Bodies;
  uint32_t Edit = Text.Bodies[Plan.Bodies.Touched.front()].Begin;
  llvm::erase_if(Text.LineUses, [&](uint32_t Use) { return Use >= Edit; });
  for (uint32_t Use : Seen.LineUses)
    if (Use >= Edit)
      Text.LineUses.push_back(Use);
  return Text;
}

/// What the unit knows of its texts: of the edited one, and which functions the
/// new code has from others for the first time.
static void completeTexts(CompiledUnit &Facts, const CompiledUnit &New,
                          const PartialPlan &Plan) {
  static const UnitText Nothing;
  const UnitText *Seen = New.textOf(Plan.File);
  UnitText Edited = textAfter(Plan, Seen ? *Seen : Nothing);
  if (Plan.File == Facts.Path)
    Facts.Text = std::move(Edited);
  else
    Facts.Headers[Plan.File] = std::make_shared<UnitText>(std::move(Edited));
  Facts.Text.UsesLocations |= New.Text.UsesLocations;
  addSymbols(Facts.Text, New.Text);
  for (auto &[Path, Text] : Facts.Headers)
    if (const UnitText *Of = New.textOf(Path); Of && !Of->Bodies.empty()) {
      auto Copy = std::make_shared<UnitText>(*Text);
      addSymbols(*Copy, *Of);
      Text = std::move(Copy);
    }
}

bool hotjit::completeFacts(CompiledUnit &New, const PartialPlan &Plan,
                           const llvm::Module &Made, std::string &Why) {
  std::set<std::string> Edited;
  for (size_t Body : Plan.Bodies.Touched)
    Edited.insert(Plan.Bodies.Bodies[Body].Symbols.begin(),
                  Plan.Bodies.Bodies[Body].Symbols.end());
  addAliases(Plan.Old, Edited);
  if (!checkEdited(Plan.Old, New, Edited, Why))
    return false;
  CompiledUnit Facts = Plan.Old.facts();
  dropEdited(Facts, Edited);
  moveLines(Facts, Plan);
  addFound(Facts, New);
  addTakenAddresses(Facts, Plan.Old, Edited, Made);
  if (losesSomething(Plan.Old, Facts, Edited, Why))
    return false;
  completeTexts(Facts, New, Plan);
  Facts.Code = std::move(New.Code);
  Facts.Whole = false;
  New = std::move(Facts);
  return true;
}
