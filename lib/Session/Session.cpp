// Saves come in at any time, compiling takes long, and the last text must win.
//
// So Session is a small machine with at most one attempt in flight. A save
// that arrives while an attempt compiles or waits either joins it (another
// file of the same "save all": the attempt starts again with more files) or
// supersedes it (the attempt ends as `failed`, stage "superseded", and a new
// one takes over everything that is not live yet). Nothing is lost because an
// attempt is never told what changed: it looks at what differs between the
// texts on the disk and the texts that are live.
//
// Undo turns that round: texts on the disk that are *ahead* of the program
// stay out of every attempt until they are saved again, changed or not. The
// last events of the save that was undone may come late; they find the file as
// it was at the undo.

#include "Project/CommandChange.h"
#include "Project/Includes.h"
#include "Session/State.h"
#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using namespace llvm;

// The log is for `hotjit log`; a day of saves fits.
static constexpr size_t LogLimit = 1000;

Session::Session(SessionOptions Options, std::vector<ProjectUnit> Units,
                 Saves Known, Surroundings Around)
    : Options(Options), Units(std::move(Units)), Known(std::move(Known)),
      Around(std::move(Around)) {
  Live First;
  First.Texts = this->Known.texts();
  Generations.push_back(std::move(First));
}

Session::~Session() {
  if (!InFlight)
    return;
  *InFlight->Cancel = true;
  abandon(*InFlight);
}

void Session::startFrom(ArrayRef<TextSnapshot::Change> Texts) {
  Generations.front().Texts = Generations.front().Texts.with(Texts);
}

void Session::catchUp() {
  std::set<std::string> Dirty = dirtyFiles();
  if (!Options.Manual && !Paused && !InFlight && !Dirty.empty())
    begin({Dirty.begin(), Dirty.end()}, Around.Time.now(), nullptr);
}

void Session::filesChanged(const FileEvents &Events) {
  std::vector<std::string> Files = savedAgain(Events);
  Nanoseconds Time = Events.Time;
  if (commandsChanged(Events))
    Files.push_back(Options.CommandsPath);
  if (std::optional<ChangeSet> Change = Known.apply(Events)) {
    append_range(Files, Change->Files);
    Time = Change->Time;
  }
  tellUnreadable();
  if (Files.empty())
    return;
  for (const std::string &File : Files)
    Ahead.erase(File);
  if (Options.Manual || Paused)
    return;
  begin(std::move(Files), Time, nullptr);
}

/// A save that cannot be read is a reload that failed; what is in flight does
/// not know of it.
void Session::tellUnreadable() {
  for (const auto &[File, Why] : Known.takeUnreadable()) {
    Event E;
    E.What = Event::Kind::Changed;
    E.Reload = ++LastReload;
    E.Files = {File};
    tell(E);
    E.What = Event::Kind::Failed;
    E.Stage = "read";
    E.Message = Why;
    tell(std::move(E));
  }
}

/// Files that an undo left behind and that were written since.
std::vector<std::string> Session::savedAgain(const FileEvents &Events) const {
  std::vector<std::string> Result;
  if (Ahead.empty())
    return Result;
  for (const std::string &Path : Events.Paths) {
    Expected<std::string> Real = Around.Files.realPath(Path);
    auto It = Ahead.find(Real ? *Real : Path);
    consumeError(Real.takeError());
    if (It != Ahead.end() && It->second != statusOf(It->first))
      Result.push_back(It->first);
  }
  return Result;
}

/// None: the file is gone, perhaps for a moment.
std::optional<FileStatus> Session::statusOf(StringRef Path) const {
  Expected<FileStatus> Status = Around.Files.status(Path);
  if (Status)
    return *Status;
  consumeError(Status.takeError());
  return std::nullopt;
}

void Session::reload(std::vector<std::string> Files, Reply Done) {
  FileEvents Look;
  Look.Rescan = Files.empty();
  Look.Paths = Files;
  Look.Time = Around.Time.now();
  bool Changed = commandsChanged(Look);
  Changed |= Known.apply(Look).has_value();
  tellUnreadable();
  // Asking for a file brings it live even if an undo left it behind.
  if (Files.empty()) {
    Changed |= !Ahead.empty();
    Ahead.clear();
  }
  for (const std::string &File : Files)
    Changed |= Ahead.erase(File) > 0;
  if (InFlight && !Changed) {
    InFlight->Waiting.push_back(std::move(Done));
    return;
  }
  // What is under way may be about a text that has been taken back by now.
  if (!InFlight && dirtyFiles().empty()) {
    Event Nothing;
    Nothing.What = Event::Kind::Unchanged;
    Nothing.Time = Look.Time;
    Done(Nothing);
    return;
  }
  begin(std::move(Files), Look.Time, std::move(Done));
}

std::set<std::string> Session::dirtyFiles() const {
  std::set<std::string> Dirty;
  const TextSnapshot &LiveTexts = Generations[Current].Texts;
  for (const auto &Entry : Known.texts().files()) {
    std::string Path = Entry.getKey().str();
    std::shared_ptr<const SourceText> Old = LiveTexts.find(Path);
    if (Old && Old->hash() == Entry.getValue()->hash())
      continue;
    if (!Ahead.count(Path))
      Dirty.insert(Path);
  }
  for (size_t I = 0; I != Units.size(); ++I)
    if (hasOtherCommand(I)) {
      Dirty.insert(Options.CommandsPath);
      break;
    }
  return Dirty;
}

/// The texts on the disk, but of files that are ahead the live ones.
TextSnapshot Session::textsToCompile() const {
  TextSnapshot Texts = Known.texts();
  for (const auto &[Path, Status] : Ahead)
    Texts = Texts.with(Path, Generations[Current].Texts.find(Path));
  return Texts;
}

std::vector<size_t>
Session::unitsToCompile(const std::set<std::string> &Dirty) const {
  std::vector<size_t> Result;
  for (size_t I = 0; I != Units.size(); ++I)
    if (any_of(Dirty, [&](const std::string &File) { return reads(I, File); }))
      Result.push_back(I);
  // What the program has closed need not change; opened again, it is looked at.
  if (any_of(Result, [&](size_t I) { return !Units[I].Closed; }))
    erase_if(Result, [&](size_t I) { return Units[I].Closed; });
  return Result;
}

void Session::begin(std::vector<std::string> Changed, Nanoseconds EventTime,
                    Reply Done) {
  Waits.reset(); // Its files are dirty still.
  TriedAgain = Nanoseconds(0);
  auto A = std::make_shared<Attempt>();
  A->FirstEvent = A->LastEvent = EventTime;
  bool Joins = false;
  if (InFlight) {
    std::shared_ptr<Attempt> Before = std::move(InFlight);
    InFlight.reset();
    *Before->Cancel = true;
    abandon(*Before);
    bool AnotherFile = any_of(Changed, [&](const std::string &File) {
      return !Before->Files.count(File);
    });
    Joins = AnotherFile &&
            EventTime - Before->LastEvent <= Options.Quiet.Quiet &&
            Before->Waiting.empty();
    if (Joins) {
      A->Id = Before->Id;
      A->FirstEvent = Before->FirstEvent;
      A->AnotherFile = true;
    } else {
      // Who waits for an answer wants that of the last text.
      A->Waiting = std::move(Before->Waiting);
      InFlight = Before;
      finish(fail(*Before, "superseded", "a later save took over"));
    }
  }
  if (!Joins)
    A->Id = ++LastReload;
  A->Files = dirtyFiles();
  A->Texts = textsToCompile();
  A->LiveTexts = Generations[Current].Texts;
  if (Done)
    A->Waiting.push_back(std::move(Done));
  if (!Joins) {
    Event E;
    E.What = Event::Kind::Changed;
    E.Reload = A->Id;
    E.Files.assign(A->Files.begin(), A->Files.end());
    if (E.Files.empty())
      E.Files = Changed;
    tell(std::move(E));
  }
  std::vector<size_t> ToCompile = unitsToCompile(A->Files);
  putWhatRunsFirst(ToCompile);
  for (size_t Unit : ToCompile)
    A->Work.emplace_back().Unit = Unit;
  InFlight = A;
  startCompiling(*A);
}

/// The one of Files that the unit reads; empty if there are several.
std::string Session::onlyEdited(const std::set<std::string> &Files,
                                size_t Unit) const {
  std::string Edited;
  for (const std::string &File : Files) {
    if (!reads(Unit, File))
      continue;
    if (!Edited.empty())
      return "";
    Edited = File;
  }
  return Edited;
}

void Session::startCompiling(Attempt &Started) {
  std::shared_ptr<Attempt> A = InFlight;
  if (A->Rounds == 0)
    A->Times.Detect = Around.Time.now() - A->FirstEvent;
  leaveOutProblems(*A);
  A->Problems = problemsOf(*A);
  if (!A->Problems.empty())
    A->Work.clear(); // Refused whatever the compiler says.
  Live &Now = Generations[Current];
  // Old texts: that the new one cannot do without, or if the machine has
  // another core.
  std::vector<std::function<void()>> First, Beside;
  for (UnitWork &W : A->Work) {
    W.LiveCommand = liveCommand(W.Unit);
    W.Command = newCommand(W.Unit);
    auto It = Now.Compiled.find(Units[W.Unit].Unit.id());
    if (It != Now.Compiled.end())
      W.Old = It->second;
    else if (Units[W.Unit].Added) {
      W.Old = std::make_shared<CompiledUnit>();
      W.Old->Path = Units[W.Unit].Unit.Path;
      W.Old->Name = Units[W.Unit].Unit.Name;
    }
    W.Edited = A->Rounds < 2 && isSameCommand(W.LiveCommand, W.Command)
                   ? onlyEdited(A->Files, W.Unit)
                   : "";
    if (!W.Old && W.Edited == W.Command.Path) {
      std::shared_ptr<const SourceText> Was = A->LiveTexts.find(W.Edited);
      std::shared_ptr<const SourceText> Is = A->Texts.find(W.Edited);
      W.AwaitsOld = Was && Is && differInOneBody(*Was->text(), *Is->text());
    }
    if (!W.Old)
      (W.AwaitsOld ? First : Beside).push_back(hurry(W));
    if (auto Last = LastNeeded.find(W.Unit);
        Last != LastNeeded.end() && A->Rounds == 0)
      W.Needed = Last->second;
    if (W.New && W.New->CodeIsTaken)
      W.New.reset(); // By a link that failed.
    if (!W.New && A->Rounds == 0)
      W.New = triedBefore(*A, W);
  }
  chooseLead(*A);
  for (std::function<void()> &Job : First)
    Around.Compiles.run(std::move(Job));
  // The new texts first: a typo is told before the old texts cost time.
  auto Rest = [this, A] {
    if (A->HasLead && !A->Work.front().New)
      return endCompiling(A);
    forEachUnit(
        A, A->HasLead, [this](Attempt &A, UnitWork &W) { compileNew(A, W); },
        [this, A] {
          auto IsFailed = [](const UnitWork &W) { return !W.New; };
          auto HasOld = [](const UnitWork &W) { return W.Old != nullptr; };
          if (any_of(A->Work, IsFailed) || all_of(A->Work, HasOld))
            return endCompiling(A);
          forEachUnit(
              A, 0, [this](Attempt &A, UnitWork &W) { compileOld(A, W); },
              [this, A] { endCompiling(A); });
        });
  };
  if (A->HasLead)
    Around.Compiles.run([=, this] {
      compileNew(*A, A->Work.front());
      Rest();
    });
  else
    Rest();
  for (std::function<void()> &Job : Beside)
    Around.Compiles.run(std::move(Job));
}

/// Of the units that include an edited header, and in which nothing else was
/// edited, the one that knows the most of it goes first.
void Session::chooseLead(Attempt &A) const {
  A.HasLead = false;
  for (UnitWork &W : A.Work)
    W.Follows = false;
  if (A.Rounds != 0)
    return;
  auto Knows = [](const UnitWork &W) {
    const UnitText *Text = W.Old ? W.Old->textOf(W.Edited) : nullptr;
    size_t Count = 0;
    for (const BodyText &B : Text ? Text->Bodies : std::vector<BodyText>())
      Count += B.Symbols.size();
    return Count;
  };
  auto IsOfHeader = [&](const UnitWork &W) {
    return !W.Edited.empty() && W.Edited != Units[W.Unit].Unit.Path &&
           Units[W.Unit].Built;
  };
  auto Lead = A.Work.end();
  for (auto It = A.Work.begin(); It != A.Work.end(); ++It)
    if (IsOfHeader(*It) && (Lead == A.Work.end() || Knows(*It) > Knows(*Lead)))
      Lead = It;
  if (Lead == A.Work.end())
    return;
  std::rotate(A.Work.begin(), Lead, std::next(Lead));
  const UnitWork &First = A.Work.front();
  for (UnitWork &W : drop_begin(A.Work)) {
    W.Follows = IsOfHeader(W) && W.Edited == First.Edited && W.Needed.empty() &&
                Units[W.Unit].Built->Module == Units[First.Unit].Built->Module;
    A.HasLead |= W.Follows;
  }
}

/// True if W needs no compile.
bool Session::followLead(Attempt &A, UnitWork &W) {
  const UnitWork &Lead = A.Work.front();
  if (!W.Follows || !W.Old || !Lead.Bodies)
    return false;
  std::string Why;
  Expected<std::unique_ptr<CompiledUnit>> Made = Around.Passes.follow(
      W.Command, A.Texts, {*W.Old, A.LiveTexts, {}, W.Edited},
      {Lead.Command, *Lead.Old, *Lead.New, *Lead.Bodies}, Why);
  if (!Made) {
    W.CannotCompile = toString(Made.takeError());
    return true;
  }
  W.New = std::move(*Made);
  if (!W.New)
    Around.L.debug("{}: compiled: {}", W.Command.Path, Why);
  return W.New != nullptr;
}

/// Calls Job for each unit of A but the first From, on threads of the compiler
/// and side by side, and Then on the last of them.
void Session::forEachUnit(const std::shared_ptr<Attempt> &A, size_t From,
                          std::function<void(Attempt &, UnitWork &)> Job,
                          std::function<void()> Then) {
  if (A->Work.size() == From)
    return Around.Compiles.run(Then);
  auto Left = std::make_shared<std::atomic<size_t>>(A->Work.size() - From);
  for (size_t I = From; I != A->Work.size(); ++I)
    Around.Compiles.run([=] {
      Job(*A, A->Work[I]);
      if (--*Left == 0)
        Then();
    });
}

void Session::endCompiling(std::shared_ptr<Attempt> A) {
  Around.Post([this, Id = A->Id, A] {
    if (InFlight == A)
      compiled(Id);
  });
}

void Session::compileOld(Attempt &A, UnitWork &W) {
  if (!W.Old && W.Warming)
    W.Old = W.Warming->take(*A.Cancel);
  if (W.Old)
    return;
  Expected<CompileResult> R =
      Around.Passes.learn(W.LiveCommand, A.LiveTexts, A.Cancel.get());
  if (!R) {
    W.CannotCompile = toString(R.takeError());
    return;
  }
  W.Parse += R->Parse;
  W.Lower += R->Lower;
  W.Old = std::move(R->Unit);
  if (!W.Old)
    W.CannotCompile = fmt::format(
        "{}: the text that the program was built from does not compile "
        "with the recorded command: {}",
        W.LiveCommand.Path, R->Rendered);
}

void Session::compileNew(Attempt &A, UnitWork &W) {
  const TranslationUnit &Command = W.Command;
  if (W.New)
    return; // Of an earlier round.
  if (!W.Old && W.Warming)
    W.Old = W.Warming->find();
  // Beside its old text alone, its new one costs nothing.
  if (!W.Old && A.HasLead && (W.Follows || &W == &A.Work.front()))
    compileOld(A, W);
  if (!W.Old && W.AwaitsOld) {
    // Its old text is compiled by another thread, if there is one.
    Around.Passes.warm(Command, A.Texts, nullptr);
    compileOld(A, W);
  }
  if (!W.CannotCompile.empty() || followLead(A, W))
    return;
  CompileResult Result;
  bool IsDone = false;
  if (W.Old && !W.Edited.empty()) {
    std::string Why;
    std::string Header = W.Edited == Command.Path ? "" : W.Edited;
    Expected<std::optional<CompileResult>> R = Around.Passes.compileBodies(
        Command, A.Texts, {*W.Old, A.LiveTexts, W.Needed, Header}, Why,
        A.Cancel.get());
    if (!R) {
      W.CannotCompile = toString(R.takeError());
      return;
    }
    IsDone = R->has_value();
    if (IsDone)
      Result = std::move(**R);
    else
      Around.L.debug("{}: compiled whole: {}", Command.Path, Why);
  }
  if (!IsDone) {
    Expected<CompileResult> R =
        Around.Passes.compile(Command, A.Texts, A.Cancel.get());
    if (!R) {
      W.CannotCompile = toString(R.takeError());
      return;
    }
    Result = std::move(*R);
  }
  W.Parse += Result.Parse;
  W.Lower += Result.Lower;
  W.Diagnostics = std::move(Result.Diagnostics);
  W.Rendered = std::move(Result.Rendered);
  W.New = std::move(Result.Unit);
  W.Bodies = std::move(Result.Bodies);
}

void Session::compiled(unsigned Id) {
  Attempt &A = *InFlight;
  A.Compiled = true;
  A.CompileFailed = false;
  A.CannotCompile.clear();
  for (UnitWork &W : A.Work) {
    A.CompileFailed |= !W.New;
    if (A.CannotCompile.empty())
      A.CannotCompile = std::move(W.CannotCompile);
    A.Times.Parse += std::exchange(W.Parse, Nanoseconds(0));
    A.Times.Compile += std::exchange(W.Lower, Nanoseconds(0));
  }
  for (UnitWork &W : A.Work)
    if (W.Old && !(Units[W.Unit].Added && W.Old->Functions.empty()))
      Generations[Current].Compiled[Units[W.Unit].Unit.id()] = W.Old;
  learnFiles(A);
  wake();
}

/// An edit may add an #include: from now on that file is the unit's too.
void Session::learnFiles(Attempt &A) {
  for (UnitWork &W : A.Work) {
    if (!W.New)
      continue;
    for (const std::string &File : W.New->Files) {
      if (Units[W.Unit].Files.count(File) || isSystemFile(File))
        continue;
      if (Error E = Known.keep(File)) {
        Around.L.warning("{}", toString(std::move(E)));
        continue;
      }
      Units[W.Unit].Files.insert(File);
      // The unit that is live never read the file, so its text of this moment
      // is as good as any for the generations so far.
      for (Live &G : Generations)
        if (!G.Texts.find(File))
          G.Texts = G.Texts.with(File, Known.texts().find(File));
      A.Texts = A.Texts.with(File, Known.texts().find(File));
      Around.Watch(File);
    }
  }
}

/// An editor that truncates a file is about to write it.
static bool hasEmptyFile(const std::set<std::string> &Files,
                         const TextSnapshot &Texts) {
  return any_of(Files, [&](const std::string &File) {
    std::shared_ptr<const SourceText> Text = Texts.find(File);
    return Text && Text->hash() == hashBytes("");
  });
}

Nanoseconds Session::commitTime(const Attempt &A) const {
  // On a busy machine, or under a debugger, it may be long about it.
  if (hasEmptyFile(A.Files, A.Texts))
    return A.LastEvent + Options.Quiet.Max;
  return Options.Quiet.commitAt(A.FirstEvent, A.LastEvent, A.AnotherFile,
                                A.CompileFailed && failsAnew(A));
}

/// Of a text that is not whole the rest may have been written, and its event
/// not be here yet. True if so: another attempt has begun.
bool Session::isWrittenOn() {
  std::shared_ptr<Attempt> A = InFlight;
  if (!(A->CompileFailed && failsAnew(*A)) && !hasEmptyFile(A->Files, A->Texts))
    return false;
  FileEvents Look;
  Look.Paths.assign(A->Files.begin(), A->Files.end());
  Look.Time = Around.Time.now();
  filesChanged(Look);
  return InFlight != A;
}

std::optional<Nanoseconds> Session::nextWake() const {
  std::optional<Nanoseconds> Next = NextPendingLook;
  if (Waits && !InFlight)
    Next = Next ? std::min(*Next, Waits->Next) : Waits->Next;
  if (InFlight && InFlight->Compiled && !InFlight->Ready) {
    Nanoseconds Commit = commitTime(*InFlight);
    Next = Next ? std::min(*Next, Commit) : Commit;
  }
  return Next;
}

void Session::wake() {
  Nanoseconds Now = Around.Time.now();
  if (InFlight && InFlight->Compiled && !InFlight->Ready &&
      commitTime(*InFlight) <= Now && !isWrittenOn())
    conclude();
  if (NextPendingLook && *NextPendingLook <= Now)
    watchPending();
  if (Waits && !InFlight && Waits->Next <= Now)
    tryAgain();
}

void Session::conclude() {
  std::shared_ptr<Attempt> A = InFlight;
  std::optional<Event> End = run(*A);
  if (End && !leaveOut(*A, *End))
    return conclude(A, std::move(*End));
  if (A->Ready)
    return askProgram(A);
  // Once more: with code that a plan needs, or without files that were refused
  // before.
  A->Compiled = false;
  startCompiling(*A);
}

void Session::conclude(std::shared_ptr<Attempt> A, Event End) {
  reportDiagnostics(*A);
  bool IsLive = End.What == Event::Kind::Reloaded;
  if (IsLive)
    tellLeftOut(*A, End);
  finish(std::move(End));
  for (const std::string &File : A->Files)
    if (auto Was = IsLive ? A->LiveTexts.find(File) : nullptr)
      Around.Warms.run([Was] { Was->pack(); }); // For undo only, now.
  for (const UnitWork &W : A->Work)
    warm(W.Unit);
}

void Session::reportDiagnostics(Attempt &A) {
  for (UnitWork &W : A.Work) {
    if (W.Diagnostics.empty())
      continue;
    Event E;
    E.What = Event::Kind::Diagnostics;
    E.Reload = A.Id;
    E.File = Units[W.Unit].Unit.Path;
    E.Items = std::move(W.Diagnostics);
    E.Rendered = std::move(W.Rendered);
    tell(std::move(E));
  }
}

Event Session::fail(Attempt &A, std::string Stage, std::string Message) {
  Event E;
  E.What = Event::Kind::Failed;
  E.Reload = A.Id;
  E.Files.assign(A.Files.begin(), A.Files.end());
  E.Stage = std::move(Stage);
  E.Message = std::move(Message);
  return E;
}

void Session::giveUp(const std::string &Why) {
  if (!InFlight)
    return;
  *InFlight->Cancel = true;
  abandon(*InFlight);
  finish(fail(*InFlight, InFlight->Compiled ? "commit" : "compile",
              "hotjit turns itself off: " + Why));
}

/// The one place where an attempt ends.
void Session::finish(Event E) {
  std::shared_ptr<Attempt> A = std::move(InFlight);
  InFlight.reset();
  remember(*A, E);
  if (A->Times.Total == Nanoseconds(0)) // Nothing was stored.
    A->Times.Total = Around.Time.now() - A->FirstEvent;
  E.Times = A->Times;
  tell(E);
  for (Reply &Done : A->Waiting)
    Done(E);
}

void Session::tell(Event E) {
  E.Time = Around.Time.now();
  Past.push_back(E);
  if (Past.size() > LogLimit)
    Past.pop_front();
  Around.Tell(E);
}

Event Session::pause() {
  Paused = true;
  Waits.reset(); // Resuming reloads what is dirty.
  Event E;
  E.What = Event::Kind::Paused;
  E.Generation = Generations[Current].Number;
  tell(E);
  return Past.back();
}

Event Session::resume() {
  Paused = false;
  Event E;
  E.What = Event::Kind::Resumed;
  E.Generation = Generations[Current].Number;
  tell(E);
  Event Told = Past.back();
  catchUp();
  return Told;
}

SessionStatus Session::status() {
  if (!Pending.empty())
    watchPending();
  const Live &Now = Generations[Current];
  SessionStatus S;
  S.Generation = Now.Number;
  S.Newest = Generations.back().Number;
  S.Paused = Paused;
  S.Units = Units.size();
  S.MemoryBytes = Around.Passes.memoryUsed();
  S.SupersededBytes = Around.Passes.memorySuperseded();
  S.ParsedBytes = Around.Passes.memoryParsed();
  for (const auto &File : Known.texts().files())
    S.TextBytes += File.getValue()->bytesKept();
  for (const auto &[File, Status] : Ahead)
    S.Ahead.push_back(File);
  std::set<std::string> Dirty = dirtyFiles();
  S.Dirty.assign(Dirty.begin(), Dirty.end());
  for (const auto &[Key, Function] : Now.Replaced) {
    const ProjectUnit *Of = unitOf(Key.first);
    S.Functions.push_back({Function.first, Key.second,
                           Of ? Of->Unit.Path : Key.first, Function.second});
  }
  for (const PendingFunction &P : Pending) {
    // Edited again and again: the last edit's line is the one that holds.
    if (any_of(ArrayRef(Pending).drop_front(&P - Pending.data() + 1),
               [&](const PendingFunction &Later) {
                 return Later.Body.Of.Identity == P.Body.Of.Identity;
               }))
      continue;
    S.Pending.push_back(P.Body.Of.Function.Name);
    append_range(S.PendingFrames, P.Frames);
  }
  return S;
}

std::vector<std::pair<unsigned, Verdict>>
Session::history(StringRef Function) const {
  std::vector<std::pair<unsigned, Verdict>> Result;
  for (const Event &E : Past)
    for (const Verdict &V : E.Verdicts)
      if (V.Symbol == Function || V.Name == Function ||
          StringRef(V.Name).split('(').first == Function)
        Result.push_back({E.Reload, V});
  return Result;
}
