// The decision what an edit does to the running program, from top to bottom:
//
//   1. Can these units be changed at all?            judgeProgram
//   2. What was edited?                              compareTexts
//   3. May it be edited while the program runs?      judgeTypes, -Functions,
//                                                    -Variables
//   4. What must be swapped together with it?        swappedTogether
//   5. What code and data is made, bound to what?    planEmission
//   6. One verdict for each function                 tell
//
// If any step refuses anything, nothing is planned; the others still run, so
// that the user learns all reasons at once. A unit in which nothing was edited
// costs no look at the program's debug info.

#include "Diff/Diff.h"
#include "Diff/ImageView.h"
#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"
#include <deque>

using namespace hotjit;
using llvm::StringRef;

namespace {

/// A unit of the change on its way through the passes.
struct Unit {
  const UnitChange *Change = nullptr;
  UnitDelta Delta;
  bool IsPossible = true; ///< nothing speaks against every edit of it
  std::optional<BuiltUnit> Built = std::nullopt; ///< only if it was edited
  SwappedSet Swapped = {};
  Emission Emitted = {};

  UnitCase facts(const Adopted &Earlier) const {
    return {*Change->Old, *Change->New, *Built, Earlier, Delta};
  }
};

/// Collects verdicts; says the same thing about the same subject once, however
/// many units include the header that it is about.
class VerdictList {
public:
  void add(Verdict V) {
    if (Known
            .insert({V.Symbol, V.Name, V.Place.File, V.Place.Line,
                     static_cast<int>(V.Kind), V.Message})
            .second)
      Verdicts.push_back(std::move(V));
  }
  void add(std::vector<Verdict> All) {
    for (Verdict &V : All)
      add(std::move(V));
  }
  bool contains(StringRef Symbol) const {
    return llvm::any_of(Verdicts,
                        [&](const Verdict &V) { return V.Symbol == Symbol; });
  }
  bool empty() const { return Verdicts.empty(); }
  std::vector<Verdict> take() { return std::move(Verdicts); }

private:
  std::set<std::tuple<std::string, std::string, std::string, unsigned, int,
                      std::string>>
      Known;
  std::vector<Verdict> Verdicts;
};

} // namespace

static Verdict refuseUnit(StringRef Path, Reason Code, StringRef Message) {
  Verdict V;
  V.Name = llvm::sys::path::filename(Path).str();
  V.Place = {Path.str(), 0};
  V.Kind = VerdictKind::Refused;
  V.Code = Code;
  V.Message = fmt::format("{}: {}", V.Name, Message.str());
  return V;
}

/// What makes every edit of a unit impossible.
static std::optional<Verdict> judgeProgram(const UnitChange &C) {
  StringRef Path = C.New->Path;
  if (!C.Built)
    return refuseUnit(Path, Reason::NoDebugInfo,
                      "the program has no debug info for this file; build it "
                      "with -g");
  if (!C.Old)
    return refuseUnit(Path, Reason::StaleSource,
                      "the text that the program was built from is not known; "
                      "rebuild and restart");
  if (C.Built->LTO || C.New->Settings.LTO)
    return refuseUnit(Path, Reason::LinkTimeOptimized,
                      "is optimized at link time, across files; build without "
                      "-flto");
  return std::nullopt;
}

/// Units of the program that are not in the change but read the file in which
/// a changed inline function stands, with copies of it that stay old.
static llvm::Expected<std::vector<std::string>>
leftBehind(const CompiledFunction &F, llvm::ArrayRef<UnitChange> Changes,
           const ProgramView &Program) {
  std::vector<std::string> Paths;
  const CopiedName Name(F);
  for (const ImageUnit &U : Program.units()) {
    auto IsThis = [&](const UnitChange &C) { return C.Built == &U; };
    auto IsHere = [&](const ImageSource &S) { return S.Path == F.Place.File; };
    if (!Program.modules()[U.Module].Loaded || llvm::any_of(Changes, IsThis) ||
        llvm::none_of(U.Sources, IsHere))
      continue;
    llvm::Expected<const UnitDetails *> Details = Program.details(U);
    if (!Details)
      return Details.takeError();
    if (llvm::any_of((*Details)->InlinedCopies, [&](const auto &Copy) {
          return Name.isMeantBy(Copy.Function);
        }))
      Paths.push_back(llvm::sys::path::filename(U.Path).str());
  }
  return Paths;
}

/// The verdict on a function that was edited or swapped along; none if no code
/// is made for it.
static llvm::Expected<std::optional<Verdict>>
verdictOnSwapped(const CompiledFunction &F, const Unit &U,
                 llvm::ArrayRef<UnitChange> Changes,
                 const ProgramView &Program) {
  const SwappedFunction &Why = U.Swapped.at(F.Symbol);
  auto Planned =
      llvm::find_if(U.Emitted.Unit.Functions, [&](const PlannedFunction &P) {
        return P.Symbol == F.Symbol;
      });
  bool IsMade = Planned != U.Emitted.Unit.Functions.end();
  bool IsPrivate =
      IsMade && Planned->What == PlannedFunction::Action::PrivateCopy;
  bool IsEdited = Why.Because == F.Symbol;
  bool IsBound = U.Emitted.Unit.BoundFunctions.contains(F.Symbol);
  if (!IsEdited && (!IsMade || IsPrivate))
    return std::optional<Verdict>();
  // The other name of a constructor: one verdict is enough.
  if (IsBound && (!F.AliasOf.empty() || sharedName(F.Symbol) != F.Symbol))
    return std::optional<Verdict>();
  Verdict V = verdictOn(F, VerdictKind::Live, std::nullopt, Why.Why);
  V.Edited = IsEdited;
  if (IsPrivate)
    V.Message = "the program has no copy that can be called; it lives in the "
                "code that calls it";
  else if (!IsMade && !IsBound)
    V.Message = "no code of the program calls it";
  if (F.Coroutine && IsEdited) {
    V.Kind = VerdictKind::Note;
    V.Code = Reason::CoroutineSuspended;
    V.Message = "calls that are suspended now end in the old code";
  }
  if (F.Constructor) {
    V.Kind = VerdictKind::Note;
    V.Code = Reason::ConstructorNotRun;
    V.Message = "is not run again";
  }
  if (!IsEdited || (F.Place.File == U.Change->New->Path &&
                    F.Linkage != SymbolLinkage::Inline))
    return std::optional<Verdict>(std::move(V));
  auto Paths = leftBehind(F, Changes, Program);
  if (!Paths)
    return Paths.takeError();
  if (!Paths->empty()) {
    V.Kind = VerdictKind::Partial;
    V.Code = Reason::InlinedElsewhere;
    V.Message =
        fmt::format("inlined copies stay old in {}, which {} not part "
                    "of this change",
                    fmt::join(*Paths, ", "), Paths->size() == 1 ? "is" : "are");
  }
  return std::optional<Verdict>(std::move(V));
}

static std::optional<Verdict> verdictOnAdded(const CompiledFunction &F,
                                             const Unit &U) {
  auto IsThis = [&](const PlannedFunction &P) {
    return P.Symbol == F.Symbol && P.What == PlannedFunction::Action::Add;
  };
  if (llvm::none_of(U.Emitted.Unit.Functions, IsThis))
    return std::nullopt;
  Verdict V = verdictOn(F, VerdictKind::Added, std::nullopt, "");
  V.Edited = U.Delta.Added.contains(F.Symbol) && !isInstantiation(F);
  if (!U.Delta.Added.contains(F.Symbol))
    V.Message = "the program has no copy of it";
  return V;
}

/// Verdicts of one unit, in the order of its text, into All.
static llvm::Error tell(const Unit &U, llvm::ArrayRef<UnitChange> Changes,
                        const ProgramView &Program, VerdictList &All) {
  const CompiledUnit &New = *U.Change->New;
  std::vector<Verdict> Verdicts = U.Emitted.Notes;
  for (const CompiledFunction &F : New.Functions) {
    // Made by the compiler: the verdict is on the variable.
    if (isThreadInit(F.Symbol) || isThreadWrapper(F.Symbol))
      continue;
    // An inline function that another unit told about already.
    if (F.Linkage == SymbolLinkage::Inline && All.contains(F.Symbol))
      continue;
    if (U.Swapped.contains(F.Symbol)) {
      auto V = verdictOnSwapped(F, U, Changes, Program);
      if (!V)
        return V.takeError();
      if (*V)
        Verdicts.push_back(std::move(**V));
    } else if (auto V = verdictOnAdded(F, U)) {
      Verdicts.push_back(std::move(*V));
    }
  }
  for (const std::string &Symbol : U.Delta.Removed) {
    const CompiledFunction &Was = *U.Change->Old->findFunction(Symbol);
    // Inline code disappears when nothing in the unit uses it any more.
    if (Was.Linkage != SymbolLinkage::Inline)
      Verdicts.push_back(
          verdictOn(Was, VerdictKind::Removed, std::nullopt, ""));
  }
  llvm::sort(Verdicts, [](const Verdict &A, const Verdict &B) {
    return std::tie(A.Place.File, A.Place.Line, A.Symbol, A.Message) <
           std::tie(B.Place.File, B.Place.Line, B.Symbol, B.Message);
  });
  All.add(std::move(Verdicts));
  return llvm::Error::success();
}

/// The edited functions that nothing speaks against.
static void tellHeld(const Unit &U, VerdictList &All) {
  auto Hold = [&](const CompiledFunction *F) {
    if (F && F->AliasOf.empty() && !isInstantiation(*F) &&
        !All.contains(F->Symbol))
      All.add(verdictOn(*F, VerdictKind::Held, std::nullopt,
                        "held back: another part of the change is refused"));
  };
  for (const std::string &Symbol : U.Delta.Changed)
    Hold(U.Change->New->findFunction(Symbol));
  for (const std::string &Symbol : U.Delta.Added)
    Hold(U.Change->New->findFunction(Symbol));
  for (const std::string &Symbol : U.Delta.Removed)
    Hold(U.Change->Old->findFunction(Symbol));
}

static size_t countUnchanged(llvm::ArrayRef<UnitChange> Changes,
                             const VerdictList &Told) {
  size_t Count = 0;
  llvm::StringSet<> Shared; // by units: counted once
  for (const UnitChange &C : Changes) {
    const std::set<std::string> Initializers = initializersOf(*C.New);
    for (const CompiledFunction &F : C.New->Functions) {
      bool IsOfOneUnit =
          F.Linkage == SymbolLinkage::Internal || Changes.size() == 1;
      if (F.AliasOf.empty() && !Initializers.contains(F.Symbol) &&
          !Told.contains(F.Symbol))
        Count += IsOfOneUnit || Shared.insert(F.Symbol).second;
    }
  }
  return Count;
}

/// Steps 3 to 5. Error: the program's debug info cannot be read.
static llvm::Error decide(std::deque<Unit> &Units, const ProgramView &Program,
                          const Adopted &Earlier, VerdictList &Refused,
                          VerdictList &Notes) {
  Claims Claimed;
  for (Unit &U : Units) {
    if (!U.IsPossible || U.Delta.empty())
      continue;
    llvm::Expected<BuiltUnit> Built =
        BuiltUnit::create(Program, *U.Change->Built);
    if (!Built)
      return Built.takeError();
    U.Built = std::move(*Built);
    UnitCase Facts = U.facts(Earlier);
    std::vector<Verdict> Verdicts = judgeTypes(Facts);
    llvm::append_range(Verdicts, judgeFunctions(Facts));
    llvm::append_range(Verdicts, judgeVariables(Facts));
    U.Swapped = swappedTogether(Facts);
    llvm::append_range(Verdicts, judgeLambdas(Facts, U.Swapped));
    U.Emitted = planEmission(Facts, U.Swapped, Claimed);
    U.Emitted.Unit.New = U.Change->New;
    // What may not be edited has no place either: one reason is enough.
    std::set<std::string> Told;
    bool LambdasTold = false;
    for (Verdict &V : Verdicts) {
      if (V.Kind == VerdictKind::Refused)
        Told.insert(V.Symbol);
      LambdasTold |= V.Code == Reason::LambdaChanged;
      (V.Kind == VerdictKind::Refused ? Refused : Notes).add(std::move(V));
    }
    for (Verdict &V : U.Emitted.Refused)
      if (!Told.contains(V.Symbol) && !(LambdasTold && isLambdaCode(V.Symbol)))
        Refused.add(std::move(V));
  }
  return llvm::Error::success();
}

/// Classes and enumerations that are not what they were, each once.
static std::vector<std::string> editedTypes(const std::deque<Unit> &Units) {
  std::vector<std::string> Names;
  auto Add = [&](StringRef Name) {
    if (!Name.empty() && !llvm::is_contained(Names, Name))
      Names.push_back(Name.str());
  };
  for (const Unit &U : Units) {
    for (auto [Old, New] : U.Delta.ChangedTypes)
      if (!New->Lambda)
        Add(withoutPlaces(New->Name));
    for (auto [Old, New] : U.Delta.ChangedEnums)
      Add(New->Name);
  }
  return Names;
}

static void recordWritten(const std::string &Id, const UnitDelta &Delta,
                          Plan &P) {
  for (const auto *Symbols : {&Delta.WrittenBefore, &Delta.WrittenNow})
    for (const std::string &Symbol : *Symbols)
      P.Written.insert({Id, Symbol});
  for (auto [Old, New] : Delta.ChangedVariables)
    P.Written.insert({Id, New->Symbol});
}

llvm::Expected<PlanOrRefusal> hotjit::diff(llvm::ArrayRef<UnitChange> Changes,
                                           const ProgramView &Program,
                                           const Adopted &Earlier) {
  VerdictList Refused, All;
  std::deque<Unit> Units;
  for (const UnitChange &C : Changes) {
    std::optional<Verdict> Impossible = judgeProgram(C);
    if (C.Old)
      Units.push_back({&C, compareTexts(*C.Old, *C.New), !Impossible});
    if (Impossible)
      Refused.add(std::move(*Impossible));
  }
  if (llvm::Error E = decide(Units, Program, Earlier, Refused, All))
    return std::move(E);
  if (!Refused.empty()) {
    for (const Unit &U : Units)
      tellHeld(U, Refused);
    return PlanOrRefusal(Refusal{Refused.take(), editedTypes(Units)});
  }
  Plan P;
  P.Types = editedTypes(Units);
  for (Unit &U : Units) {
    if (!U.Built)
      continue;
    recordWritten(U.Change->New->id(), U.Delta, P);
    if (llvm::Error E = tell(U, Changes, Program, All))
      return std::move(E);
    if (!U.Emitted.Unit.Functions.empty() || !U.Emitted.Unit.Variables.empty())
      P.Units.push_back(std::move(U.Emitted.Unit));
  }
  P.Unchanged = countUnchanged(Changes, All);
  P.Verdicts = All.take();
  return PlanOrRefusal(std::move(P));
}

llvm::Expected<PlanOrRefusal> hotjit::diff(llvm::ArrayRef<UnitChange> Changes,
                                           const Image &Program,
                                           const Adopted &Earlier) {
  return diff(Changes, ImageView(Program), Earlier);
}

void hotjit::recordCommitted(const Plan &P, Adopted &A) {
  A.Written.insert(P.Written.begin(), P.Written.end());
  for (const PlannedUnit &U : P.Units) {
    A.Units.insert(U.New->id());
    for (const PlannedVariable &V : U.Variables)
      if (V.What == PlannedVariable::Action::Copy)
        A.SupersededConstants.insert({U.New->id(), V.Symbol});
  }
}
