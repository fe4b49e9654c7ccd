// The program, pass by pass: what happens between a compiled change and its
// verdict. Everything before `commit` can be abandoned, and is, on the first
// thing that goes wrong; the program then never knows that we tried.

#include "Project/CommandChange.h"
#include "Session/Startup.h"
#include "Session/State.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

/// Measures from its making to its end.
namespace {
class Stopwatch {
public:
  Stopwatch(const Clock &C, Nanoseconds &Sum)
      : C(C), Sum(Sum), Start(C.now()) {}
  ~Stopwatch() { Sum += C.now() - Start; }

private:
  const Clock &C;
  Nanoseconds &Sum;
  Nanoseconds Start;
};
} // namespace

/// An optimized program lacks functions that its source has: what new code
/// needs of them must be made, though nobody edited it. True if some of that
/// has no code yet; then A asks for it.
bool Session::askForCode(Attempt &A, const Plan &P) {
  bool IsMissing = false;
  for (const PlannedUnit &U : P.Units) {
    if (U.New->Whole)
      continue;
    std::vector<std::string> Symbols = U.Initializers;
    append_range(Symbols, U.Reinitialize);
    for (const PlannedFunction &F : U.Functions)
      Symbols.push_back(F.Symbol);
    for (const PlannedVariable &V : U.Variables)
      if (V.What == PlannedVariable::Action::Create ||
          V.What == PlannedVariable::Action::Copy)
        Symbols.push_back(V.Symbol);
    std::vector<std::string> Missing = U.New->withoutCode(Symbols);
    if (Missing.empty())
      continue;
    IsMissing = true;
    for (UnitWork &W : A.Work)
      if (W.New.get() == U.New) {
        W.Needed.insert(Symbols.begin(), Symbols.end());
        LastNeeded[W.Unit] = W.Needed;
        W.New.reset();
      }
  }
  A.Rounds += IsMissing;
  return IsMissing;
}

/// What was compiled in part is not good enough. True if anything was; then A
/// asks for whole units.
bool Session::askForWhole(Attempt &A) {
  bool IsPartial = false;
  for (UnitWork &W : A.Work)
    if (W.New && !W.New->Whole) {
      W.New.reset();
      IsPartial = true;
    }
  if (IsPartial)
    A.Rounds = 2;
  return IsPartial;
}

/// Asked of units that run as they were built: later texts may well read other
/// files.
std::vector<Verdict> Session::otherHeadersOf(const Attempt &A) const {
  const TextSnapshot &Built = Generations.front().Texts;
  std::vector<Verdict> Result;
  for (const UnitWork &W : A.Work) {
    const ProjectUnit &U = Units[W.Unit];
    // What this compile has found has no live text yet.
    if (all_of(U.Files, [&](const std::string &File) {
          std::shared_ptr<const SourceText> Text = A.LiveTexts.find(File);
          return !Text || Text == Built.find(File);
        }))
      if (std::optional<Verdict> V = otherHeaders(Around.Files, U, *W.Old))
        Result.push_back(std::move(*V));
  }
  return Result;
}

/// No event: A is Ready, or to be compiled once more.
std::optional<Event> Session::run(Attempt &A) {
  // A unit without a command, or newer than the program, ends it here: what
  // we do not know, we do not compare.
  if (!A.Problems.empty()) {
    leaveClosed(A);
    return refuse(A, std::move(A.Problems));
  }

  // From here on every unit has been compiled from both texts. No source file
  // is read any more.
  if (A.CompileFailed && A.CannotCompile.empty())
    return fail(A, "compile", "the new text does not compile");
  if (!A.CannotCompile.empty())
    return fail(A, "compile", A.CannotCompile);

  if (std::vector<Verdict> Other = otherHeadersOf(A); !Other.empty())
    return refuse(A, std::move(Other));

  // Decide. A plan says for each function and variable what happens; a refusal
  // says every reason.
  std::vector<UnitChange> Changes;
  for (UnitWork &W : A.Work)
    Changes.push_back({W.Old.get(), W.New.get(), Units[W.Unit].Built});
  Expected<PlanOrRefusal> Decision = [&] {
    Stopwatch S(Around.Time, A.Times.Diff);
    return Around.Passes.diff(Changes, Generations[Current].Added);
  }();
  if (!Decision)
    return fail(A, "diff", toString(Decision.takeError()));
  if (auto *R = std::get_if<Refusal>(&*Decision)) {
    if (!withoutTried(A) && askForWhole(A))
      return std::nullopt;
    Event E = refuse(A, std::move(R->Verdicts));
    E.Types = std::move(R->Types);
    return E;
  }
  if (askForCode(A, std::get<Plan>(*Decision)))
    return std::nullopt;
  return prepare(A, std::move(std::get<Plan>(*Decision)));
}

Verdict hotjit::notLoaded(StringRef Path) {
  Verdict V;
  V.Name = sys::path::filename(Path).str();
  V.Place.File = Path.str();
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::NotLoaded;
  V.Message = "the program has closed the library that it is in; it is taken "
              "up when the program opens that again";
  return V;
}

static bool goesAway(const ArmProblem &P) { return P.Retry; }

std::vector<Verdict> hotjit::notPatchable(const Plan &P,
                                          ArrayRef<ArmProblem> Problems) {
  std::vector<Verdict> Result;
  for (Verdict V : P.Verdicts) {
    V.Kind = VerdictKind::Held;
    V.Message = "held back by a function of the same change";
    for (const PlannedUnit &U : P.Units)
      for (const PlannedFunction &F : U.Functions)
        for (const ArmProblem &Problem : Problems)
          if (F.Symbol == V.Symbol && F.Entry == Problem.Entry) {
            V.Kind =
                Problem.Retry ? VerdictKind::Pending : VerdictKind::Refused;
            V.Code = Reason::NotPatchable;
            V.Message = Problem.Why;
            if (Problem.Retry)
              V.Message += "; goes live when that is over";
            else if (F.Kind == EntryKind::Plain)
              V.Message += "; build with -fpatchable-function-entry=8,6";
          }
    Result.push_back(std::move(V));
  }
  return Result;
}

/// What will be live when A is.
Session::Live Session::afterwards(const Attempt &A) const {
  Live Next = Generations[Current];
  std::vector<TextSnapshot::Change> Texts;
  for (const std::string &File : A.Files)
    if (std::shared_ptr<const SourceText> Text = A.Texts.find(File))
      Texts.push_back({File, std::move(Text)});
  Next.Texts = Next.Texts.with(Texts);
  for (const UnitWork &W : A.Work) {
    const TranslationUnit &Built = Units[W.Unit].Unit;
    Next.Compiled[Built.id()] = W.New;
    Next.Commands.erase(Built.id());
    if (!isSameCommand(W.Command, Built))
      Next.Commands.emplace(Built.id(), W.Command);
  }
  return Next;
}

/// The code is what it was, but the texts that it came from are new.
Event Session::keepCode(Attempt &A, Plan P) {
  Live Next = afterwards(A);
  recordCommitted(P, Next.Added);
  Generations[Current] = std::move(Next);
  Event E;
  E.What = Event::Kind::Unchanged;
  E.Reload = A.Id;
  E.Files.assign(A.Files.begin(), A.Files.end());
  E.UnchangedFunctions = P.Unchanged;
  E.Types = std::move(P.Types);
  E.Verdicts = std::move(P.Verdicts);
  return E;
}

/// No event: A is Ready, or to be compiled once more.
std::optional<Event> Session::prepare(Attempt &A, Plan P) {
  if (P.empty())
    return keepCode(A, std::move(P));

  // The program may close a library at any moment, but not this one any more.
  for (const PlannedUnit &U : P.Units)
    if (!Around.Passes.hold(U.Module))
      return refuse(A, {notLoaded(U.New->Path)});

  // Can every entry lead somewhere else? Looks, writes nothing.
  std::vector<EntrySite> Sites = entriesOf(P);
  // What stands in the way for a moment only does not end it here.
  std::vector<ArmProblem> Problems = Around.Passes.probe(Sites);
  if (!all_of(Problems, goesAway))
    return refuse(A, notPatchable(P, Problems));

  // Make the code. Everything it needs is resolved when this returns, and
  // nothing of the program knows it.
  Identities Added;
  Expected<StagedGeneration> Staged = [&]() -> Expected<StagedGeneration> {
    Stopwatch S(Around.Time, A.Times.Link);
    for (PlannedUnit &U : P.Units)
      for (PlannedFunction &F : U.Functions)
        if (F.What == PlannedFunction::Action::Add) {
          Expected<ProgramAddr> Stub = Around.Passes.addStub(U.Module);
          if (!Stub)
            return Stub.takeError();
          Added[{U.New->id(), F.Symbol}] = *Stub;
        }
    return Around.Passes.stage(P, Added);
  }();
  if (!Staged) {
    std::string Problem = toString(Staged.takeError());
    if (!withoutTried(A) && askForWhole(A))
      return std::nullopt;
    return fail(A, "link", std::move(Problem));
  }

  // Arm the entries: each leads through its stub to the body that it led to
  // before, so a failure further down leaves the program as it behaved.
  {
    Stopwatch S(Around.Time, A.Times.Commit);
    Problems = Around.Passes.arm(Sites);
  }
  if (!Problems.empty()) {
    Staged->abandon();
    if (all_of(Problems, goesAway))
      waitFor(std::move(Sites), A.Files);
    return refuse(A, notPatchable(P, Problems));
  }
  A.Ready =
      std::make_unique<Prepared>(Prepared{std::move(P), std::move(*Staged)});
  return std::nullopt;
}

/// The program may have a word in whether and when (hotjit_on_reload,
/// hotjit_safepoint).
void Session::askProgram(const std::shared_ptr<Attempt> &A) {
  auto Answered = [this, A](std::optional<Verdict> Objection) {
    if (InFlight == A && A->Ready)
      conclude(A, commitReady(*A, std::move(Objection)));
  };
  if (!Around.Ask)
    return Answered(std::nullopt);
  Event Preview;
  Preview.What = Event::Kind::Reloaded;
  Preview.Reload = A->Id;
  Preview.Files.assign(A->Files.begin(), A->Files.end());
  Preview.Verdicts = A->Ready->What.Verdicts;
  Preview.Types = A->Ready->What.Types;
  Around.Ask(Preview, Answered);
}

/// Nothing of it was ever visible.
void Session::abandon(Attempt &A) {
  if (A.Ready)
    A.Ready->Staged.abandon();
  A.Ready.reset();
}

/// The plan's functions with the objection; all of them are held.
static std::vector<Verdict> declined(std::vector<Verdict> Verdicts,
                                     Verdict Objection) {
  for (Verdict &V : Verdicts) {
    V.Kind = VerdictKind::Held;
    V.Code.reset();
    V.Message = "held back by the program";
  }
  Verdicts.insert(Verdicts.begin(), std::move(Objection));
  return Verdicts;
}

Event Session::commitReady(Attempt &A, std::optional<Verdict> Objection) {
  if (Objection) {
    Event E = refuse(
        A, declined(std::move(A.Ready->What.Verdicts), std::move(*Objection)));
    E.Types = std::move(A.Ready->What.Types);
    abandon(A);
    return E;
  }
  Plan P = std::move(A.Ready->What);
  StagedGeneration Staged = std::move(A.Ready->Staged);
  A.Ready.reset();

  // Initializers of new variables run last of all that can fail: what they do
  // to the program cannot be taken back.
  if (!Staged.Initializers.empty()) {
    Stopwatch S(Around.Time, A.Times.Link);
    if (Error Failed = Around.Passes.runInitializers(Staged)) {
      // Not abandoned: an initializer that still runs needs its code.
      Staged.keep();
      return fail(A, "initialize", toString(std::move(Failed)));
    }
  }

  // Which bodies are left behind? Asked before the store, looked for after it.
  Live Next = afterwards(A);
  Next.Functions.clear();
  std::vector<size_t> VerdictOf;
  for (size_t I = 0; I != P.Verdicts.size(); ++I)
    for (const StagedFunction &F : Staged.Functions)
      if (!F.Added && F.Symbol == P.Verdicts[I].Symbol) {
        const ProjectUnit *Of = unitOf(F.Unit);
        Next.Functions.push_back(
            {A.Id, P.Verdicts[I], F.Identity, Of ? Of->Built : nullptr});
        VerdictOf.push_back(I);
      }
  std::vector<LeftBody> Left = bodiesOf(Next.Functions);

  // Beyond this point nothing can be refused: the next store is the commit.
  adopt(P, Staged, Next);
  std::vector<std::string> Files(A.Files.begin(), A.Files.end());
  Expected<Generation> G = [&] {
    Stopwatch S(Around.Time, A.Times.Commit);
    return Around.Passes.commit(std::move(Staged), Files);
  }();
  if (!G)
    return fail(A, "commit", toString(G.takeError()));
  Next.Number = G->Number;
  for (const StagedFunction &F : G->Functions)
    Next.Replaced[{F.Unit, F.Symbol}] = {F.Name, G->Number};
  Generations.resize(Current + 1); // What was undone is gone.
  Generations.push_back(std::move(Next));
  Current = Generations.size() - 1;
  A.Times.Total = Around.Time.now() - A.FirstEvent;

  std::vector<std::string> Where = lookAtStacks(std::move(Left));
  for (size_t I = 0; I != Where.size(); ++I)
    if (!Where[I].empty())
      markPending(P.Verdicts[VerdictOf[I]], Where[I]);
  Event E;
  E.What = Event::Kind::Reloaded;
  E.Reload = A.Id;
  E.Files = std::move(Files);
  E.UnchangedFunctions = P.Unchanged;
  E.Types = std::move(P.Types);
  E.Generation = G->Number;
  E.Verdicts = std::move(P.Verdicts);
  return E;
}

// Soon enough for who has just removed a breakpoint; rare enough to wait for
// hours for who has not.
static constexpr Nanoseconds FirstTry = std::chrono::milliseconds(100);
static constexpr Nanoseconds RarestTry = std::chrono::seconds(2);

/// Somebody else's bytes stand in an entry, or a thread could be harmed. Looks
/// again and again, and reloads Files when nothing is in the way.
void Session::waitFor(std::vector<EntrySite> Sites,
                      const std::set<std::string> &Files) {
  std::vector<std::string> Again(Files.begin(), Files.end());
  // Longer if it has just been tried: what was free was taken again.
  Nanoseconds Interval =
      TriedAgain.count() ? std::min(TriedAgain * 2, RarestTry) : FirstTry;
  Waits = Waiting{std::move(Sites), std::move(Again),
                  Around.Time.now() + Interval, Interval};
}

void Session::tryAgain() {
  if (!Around.Passes.probe(Waits->Sites).empty()) {
    Waits->Interval = std::min(Waits->Interval * 2, RarestTry);
    Waits->Next = Around.Time.now() + Waits->Interval;
    return;
  }
  Waiting Was = std::move(*Waits);
  Waits.reset();
  if (dirtyFiles().empty())
    return;
  begin(std::move(Was.Files), Around.Time.now(), nullptr);
  TriedAgain = Was.Interval;
}

/// Why no edit can reach the unit, if none can.
std::optional<Verdict> Session::problemOf(size_t Unit) const {
  return Units[Unit].Problem ? Units[Unit].Problem : commandProblem(Unit);
}

std::vector<Verdict> Session::problemsOf(const Attempt &A) const {
  std::vector<Verdict> Problems;
  for (const UnitWork &W : A.Work)
    if (std::optional<Verdict> Problem = problemOf(W.Unit))
      Problems.push_back(std::move(*Problem));
  return Problems;
}

Event Session::refuse(Attempt &A, std::vector<Verdict> Verdicts) {
  Event E;
  E.What = Event::Kind::Refused;
  E.Reload = A.Id;
  E.Files.assign(A.Files.begin(), A.Files.end());
  E.Verdicts = std::move(Verdicts);
  return E;
}

void Session::adopt(const Plan &P, const StagedGeneration &Staged,
                    Live &Next) const {
  recordCommitted(P, Next.Added);
  for (const StagedFunction &F : Staged.Functions) {
    if (!F.Added)
      continue;
    const CompiledUnit *Unit = Next.Compiled[F.Unit].get();
    const CompiledFunction *Source =
        Unit ? Unit->findFunction(F.Symbol) : nullptr;
    SymbolLinkage Linkage = Source ? Source->Linkage : SymbolLinkage::Internal;
    Next.Added.Functions[{F.Unit, F.Symbol}] = {F.Identity, Linkage};
    if (Linkage != SymbolLinkage::Internal)
      Next.Added.Functions[{"", F.Symbol}] = {F.Identity, Linkage};
  }
  for (const StagedVariable &V : Staged.Variables) {
    Adopted::Variable Added{V.Address, V.Size, V.ThreadLocal};
    Next.Added.Variables[{V.Unit, V.Symbol}] = Added;
    if (V.Linkage != SymbolLinkage::Internal)
      Next.Added.Variables[{"", V.Symbol}] = Added;
  }
}
