// What an edit will need is made before it: a unit's facts, for which its live
// text is compiled; its headers, parsed; a compile that waits at the function
// that was edited last. It is done when the program starts, for the units whose
// files were changed last, then for those on its stacks; after each edit, for
// the units that it compiled; and when an editor says what it shows. An edit
// that comes sooner takes over what has not begun and waits for what has.

#include "Session/State.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <numeric>

using namespace hotjit;
using namespace llvm;

// What a developer works on is what was worked on last: that many units are
// compiled before anybody asks. Others get ready with their first edit.
static constexpr size_t WarmAtStart = 16;

void Session::warmUp() {
  for (size_t I = 0; I != std::min(Units.size(), WarmAtStart); ++I)
    if (!Units[I].Problem)
      warm(I);
  if (Units.size() > WarmAtStart) // When they are done the program is at work.
    Around.Warms.run(
        [Post = Around.Post, this] { Post([this] { warmWhatRuns(); }); });
}

/// Those of Among that have functions on a stack, in the code that they were
/// built with.
std::set<size_t> Session::unitsThatRun(ArrayRef<size_t> Among) const {
  std::vector<AddrRange> Code;
  std::vector<size_t> Of; // a unit for each
  for (size_t I : Among)
    if (Units[I].Built && !Units[I].Problem && !Units[I].Closed)
      for (AddrRange R : Around.Passes.codeOf(*Units[I].Built)) {
        Code.push_back(R);
        Of.push_back(I);
      }
  std::set<size_t> Run;
  for (const FrameHit &Hit : Around.Passes.findFrames(Code))
    Run.insert(Of[Hit.Range]);
  return Run;
}

/// Of the units that were not worked on last.
void Session::warmWhatRuns() {
  std::vector<size_t> Others(Units.size() - WarmAtStart);
  std::iota(Others.begin(), Others.end(), WarmAtStart);
  for (size_t I : unitsThatRun(Others))
    if (!Generations[Current].Compiled.count(Units[I].Unit.id())) {
      Around.L.debug("{}: runs: compiled ahead", Units[I].Unit.Path);
      warm(I);
    }
}

// To look at the stacks takes a few milliseconds.
static constexpr size_t UnitsWorthALook = 8;

/// An edited header of an optimized program: its units are compiled whole.
void Session::putWhatRunsFirst(std::vector<size_t> &ToCompile) const {
  auto IsOptimized = [&](size_t I) {
    return Units[I].Built && Units[I].Built->OptLevel > 0;
  };
  if (count_if(ToCompile, IsOptimized) < long(UnitsWorthALook))
    return;
  std::set<size_t> Run = unitsThatRun(ToCompile);
  std::stable_partition(ToCompile.begin(), ToCompile.end(),
                        [&](size_t I) { return Run.count(I) > 0; });
}

bool Session::opened(StringRef File) {
  std::string Path = File.str();
  if (Expected<std::string> Real = Around.Files.realPath(Path))
    Path = std::move(*Real);
  else
    consumeError(Real.takeError());
  std::vector<size_t> Readers;
  for (size_t I = 0; I != Units.size(); ++I)
    if (!Units[I].Closed &&
        (Units[I].Unit.Path == Path || Units[I].Files.count(Path)))
      Readers.push_back(I);
  auto IsOwn = [&](size_t I) { return Units[I].Unit.Path == Path; };
  auto CanWarm = [&](size_t I) { return !Units[I].Problem; };
  auto First = find_if(Readers, IsOwn);
  if (First == Readers.end())
    First = find_if(Readers, CanWarm);
  if (First != Readers.end() && CanWarm(*First))
    warm(*First);
  return !Readers.empty();
}

/// Gets ready for an edit of the unit: its preamble, and what its live text is.
void Session::warm(size_t Unit) {
  if (!Warming.count(Unit))
    Around.Warms.run(restOf(Unit, beginWarmUp(Unit)));
}

/// An edit of the unit needs what its live text is, as soon as may be: what a
/// thread of the compiler is to do.
std::function<void()> Session::hurry(UnitWork &Of) {
  auto It = Warming.find(Of.Unit);
  const bool IsNew = It == Warming.end();
  std::shared_ptr<WarmUp> W = IsNew ? beginWarmUp(Of.Unit) : It->second;
  Of.Warming = W->Work;
  auto Rest = IsNew ? restOf(Of.Unit, W) : nullptr;
  auto Post = Around.Post;
  return [=, &Passes = Around.Passes, &Warms = Around.Warms] {
    compileLive(Passes, *W, PendingUnit::Haste::Great);
    if (Rest)
      Post([=, &Warms] { Warms.run(Rest); });
  };
}

std::shared_ptr<Session::WarmUp> Session::beginWarmUp(size_t Unit) {
  Live &Now = Generations[Current];
  auto W = std::make_shared<WarmUp>();
  W->Command = liveCommand(Unit);
  W->Texts = Now.Texts;
  if (auto It = Now.Compiled.find(W->Command.id()); It != Now.Compiled.end())
    W->Before = It->second;
  W->Number = Now.Number;
  W->Reload = LastReload;
  W->Work = std::make_shared<PendingUnit>();
  Warming[Unit] = W;
  return W;
}

/// Compiles the live text of the unit, unless somebody does or has. On a thread
/// of the compiler or the warming thread.
void Session::compileLive(Stages &Passes, WarmUp &W, PendingUnit::Haste Haste) {
  if (!W.Work->begin(Haste))
    return;
  const CancelFlag *Cancel =
      Haste == PendingUnit::Haste::None ? &W.Work->overtaken() : nullptr;
  CompileResult Result;
  if (Expected<CompileResult> R = Passes.learn(W.Command, W.Texts, Cancel))
    Result = std::move(*R);
  else
    consumeError(R.takeError()); // An edit will say so.
  W.Work->finish(std::move(Result), Haste);
}

/// What the warming thread does.
std::function<void()> Session::restOf(size_t Unit, std::shared_ptr<WarmUp> W) {
  const bool IsSeen = W->Before && W->Before->Taken.empty();
  if (IsSeen)
    waitAhead(*W, W->Before); // The next edit may come soon.
  auto Post = Around.Post;
  return [=, this, &Passes = Around.Passes] {
    std::shared_ptr<CompiledUnit> Facts = W->Before;
    if (!IsSeen) {
      compileLive(Passes, *W, PendingUnit::Haste::None);
      if (auto Seen = W->Work->wait())
        Facts = std::move(Seen);
    }
    Passes.warm(W->Command, W->Texts, Facts);
    Post([=, this] { warmed(Unit, *W); });
  };
}

/// Has a compile wait at the function that was edited last, unless one does.
void Session::waitAhead(const WarmUp &W, std::shared_ptr<CompiledUnit> Facts) {
  Around.Compiles.run(
      [Command = W.Command, Texts = W.Texts, Facts, &Passes = Around.Passes] {
        Passes.begin(Command, Texts, Facts);
      });
}

/// The unit is known from its own text now. If it followed another one's
/// compile, that was right, or it does not compile: then a build will not.
void Session::warmed(size_t Unit, const WarmUp &Done) {
  if (auto It = Warming.find(Unit);
      It != Warming.end() && It->second->Work == Done.Work)
    Warming.erase(It);
  const std::string &Path = Units[Unit].Unit.Path, &Id = Units[Unit].Unit.id();
  Live &Now = Generations[Current];
  auto Known = Now.Compiled.find(Id);
  std::shared_ptr<CompiledUnit> Here =
      Known == Now.Compiled.end() ? nullptr : Known->second;
  const bool IsOld = Now.Number != Done.Number || Here != Done.Before;
  std::shared_ptr<CompiledUnit> Seen = Done.Work->find();
  const CompileResult &Said = Done.Work->said();
  if (Seen && !IsOld)
    Here = Now.Compiled[Id] = Seen;
  if (Here && IsOld)
    warm(Unit); // It was edited meanwhile.
  else if (Here && !InFlight)
    waitAhead(Done, Here); // The last one may have been of use to an edit.
  if (IsOld || Seen || !Done.Before || Said.Diagnostics.empty())
    return;
  Around.L.warning("{} does not compile with the header that is live since "
                   "reload {}: a build will fail",
                   Path, Done.Reload);
  Event E;
  E.What = Event::Kind::Diagnostics;
  E.Reload = Done.Reload;
  E.File = Path;
  E.Items = Said.Diagnostics;
  E.Rendered = Said.Rendered;
  tell(std::move(E));
}
