// Can this function be replaced? There are many reasons why not, each decided
// where it belongs: by Diff, which knows how the optimizer used the function,
// and by Patch, which knows its bytes. A list of them here would be a second
// opinion. So the question is put as an edit would put it: the unit as it is,
// beside itself with one body that has another fingerprint. Nothing is compiled
// for that, since Diff looks at facts alone.

#include "Session/Examine.h"
#include "Diff/Delta.h"
#include "Project/Includes.h"
#include "Session/State.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace hotjit;
using namespace llvm;

using Way = Prognosis::Way;

static Prognosis about(const CompiledFunction &F) {
  Prognosis P;
  P.Symbol = F.Symbol;
  P.Name = F.displayName();
  P.Place = F.Place;
  return P;
}

/// The verdict that says why: F's own, else of whatever stands in the way.
static void refuse(Prognosis &P, ArrayRef<Verdict> Verdicts) {
  const Verdict *Why = nullptr;
  for (const Verdict &V : Verdicts)
    if (V.Kind == VerdictKind::Refused && (!Why || V.Symbol == P.Symbol))
      Why = &V;
  P.How = Way::None;
  if (!Why)
    return;
  P.Code = Why->Code;
  P.Message = Why->Message;
  if (Why->Symbol != P.Symbol && !StringRef(P.Message).contains(Why->Name))
    P.Message = Why->Name + ": " + P.Message;
}

static void foresee(Prognosis &P, const Plan &Planned) {
  P.How = Way::InCallers;
  for (const PlannedUnit &U : Planned.Units)
    for (const PlannedFunction &F : U.Functions)
      if (F.Symbol == P.Symbol && F.What == PlannedFunction::Action::Replace) {
        P.How = F.Kind == EntryKind::Patchable ? Way::Patchable : Way::Plain;
        P.NeedsAbiThunk = F.NeedsAbiThunk;
      }
  for (const Verdict &V : Planned.Verdicts)
    if (V.Symbol == P.Symbol) {
      P.Code = V.Code;
      P.Message = V.Message;
    }
}

/// Gives these functions, and what is only another name of one, other bodies.
static CompiledUnit edited(const CompiledUnit &Live, ArrayRef<size_t> These) {
  CompiledUnit Result = Live.facts();
  StringSet<> Symbols;
  for (size_t I : These)
    Symbols.insert(Live.Functions[I].Symbol);
  for (size_t I = 0; I != Live.Functions.size(); ++I) {
    const CompiledFunction &F = Live.Functions[I];
    if (Symbols.contains(F.AliasOf.empty() ? F.Symbol : F.AliasOf))
      Result.Functions[I].Body = hashBytes("an edit of " + F.Symbol);
  }
  return Result;
}

namespace {
class Examination {
public:
  Examination(const ProjectUnit &Unit, const CompiledUnit &Live,
              const Image &Program)
      : Unit(Unit), Live(Live), Program(Program) {}

  /// Functions by their index in Live. What can be edited together can be
  /// edited alone, since less is swapped then: so all are asked about at once,
  /// and halves of them where anything is refused.
  Error ask(ArrayRef<size_t> These);
  std::vector<Prognosis> Result;

private:
  // Of an optimized unit in which many functions reach one that is refused,
  // each question takes a second; nobody waits for a thousand of them.
  static constexpr unsigned MostQuestions = 60;

  unsigned Questions = 0;
  std::vector<size_t> settleRefused(ArrayRef<size_t> These,
                                    ArrayRef<Verdict> Against);
  void leaveOpen(ArrayRef<size_t> These, ArrayRef<Verdict> Against);

  const ProjectUnit &Unit;
  const CompiledUnit &Live;
  const Image &Program;
};
} // namespace

/// Those of These that Against says nothing of; the others are done with.
std::vector<size_t> Examination::settleRefused(ArrayRef<size_t> These,
                                               ArrayRef<Verdict> Against) {
  StringSet<> Refused;
  for (const Verdict &V : Against)
    // Whether closures can be found depends on what else is swapped.
    if (V.Kind == VerdictKind::Refused && V.Code != Reason::LambdaChanged)
      Refused.insert(V.Symbol);
  std::vector<size_t> Rest;
  for (size_t I : These) {
    if (!Refused.contains(Live.Functions[I].Symbol)) {
      Rest.push_back(I);
      continue;
    }
    Prognosis P = about(Live.Functions[I]);
    refuse(P, Against);
    Result.push_back(std::move(P));
  }
  return Rest;
}

void Examination::leaveOpen(ArrayRef<size_t> These, ArrayRef<Verdict> Against) {
  for (size_t I : These) {
    Prognosis P = about(Live.Functions[I]);
    refuse(P, Against);
    P.How = Way::Open;
    P.Message = "perhaps not: " + P.Message;
    Result.push_back(std::move(P));
  }
}

Error Examination::ask(ArrayRef<size_t> These) {
  if (These.empty())
    return Error::success();
  ++Questions;
  CompiledUnit Edited = edited(Live, These);
  Expected<PlanOrRefusal> Decision =
      diff({UnitChange{&Live, &Edited, Unit.Built}}, Program, Adopted());
  if (!Decision)
    return Decision.takeError();
  std::vector<Verdict> Against;
  if (auto *Refused = std::get_if<Refusal>(&*Decision)) {
    Against = std::move(Refused->Verdicts);
  } else {
    const Plan &Planned = std::get<Plan>(*Decision);
    Expected<std::vector<ArmProblem>> Problems =
        probeFile(Program, entriesOf(Planned));
    if (!Problems)
      return Problems.takeError();
    if (!Problems->empty())
      Against = notPatchable(Planned, *Problems);
  }
  if (!Against.empty() && These.size() > 1) {
    std::vector<size_t> Rest = settleRefused(These, Against);
    if (Rest.size() < These.size())
      return ask(Rest);
    if (Questions >= MostQuestions) {
      leaveOpen(These, Against);
      return Error::success();
    }
    size_t Half = These.size() / 2;
    if (Error E = ask(These.take_front(Half)))
      return E;
    return ask(These.drop_front(Half));
  }
  for (size_t I : These) {
    Prognosis P = about(Live.Functions[I]);
    if (Against.empty())
      foresee(P, std::get<Plan>(*Decision));
    else
      refuse(P, Against);
    Result.push_back(std::move(P));
  }
  return Error::success();
}

Expected<std::vector<Prognosis>> hotjit::examineUnit(const ProjectUnit &Unit,
                                                     const CompiledUnit &Live,
                                                     const Image &Program) {
  std::vector<size_t> These;
  const std::set<std::string> Initializers = initializersOf(Live);
  for (size_t I = 0; I != Live.Functions.size(); ++I) {
    const CompiledFunction &F = Live.Functions[I];
    if (!isSystemFile(F.Place.File) && !F.Place.File.empty() &&
        F.AliasOf.empty() && !Initializers.count(F.Symbol))
      These.push_back(I);
  }
  Examination E(Unit, Live, Program);
  if (Error Problem = E.ask(These))
    return std::move(Problem);
  return std::move(E.Result);
}

Expected<std::vector<Prognosis>> hotjit::examineUnit(const ImageUnit &Unit,
                                                     const Verdict &Problem,
                                                     const Image &Program) {
  std::vector<Prognosis> Result;
  Expected<const UnitDetails *> Details = Program.details(Unit);
  if (!Details) {
    // Debug info of a unit that was optimized at link time tells nothing.
    consumeError(Details.takeError());
    return Result;
  }
  for (const ImageFunction &F : (*Details)->Functions) {
    if (isSystemFile(F.File))
      continue;
    Prognosis P;
    P.Symbol = F.Symbol;
    P.Name = F.Name;
    P.Place = {F.File, F.Line};
    P.Code = Problem.Code;
    P.Message = Problem.Message;
    Result.push_back(std::move(P));
  }
  return Result;
}
