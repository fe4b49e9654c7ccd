// After a commit, and after undo and redo, calls reach other bodies than
// before; frames of those that were left finish in them. They are the functions
// that are *pending*: looked for once at the step and then again and again,
// until there are none: `settled`.
//
// A body may be left twice (edit, undo, edit): each time is a line of its own.
// So is each edit of a function whose frames are in a body that an earlier edit
// left: a main loop that never returns runs none of its edits, and "live" would
// be a lie. A body that a step makes current again is no longer old, and its
// frames are forgotten.

#include "Session/State.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace hotjit;
using namespace llvm;

// Looking at stacks while something is pending costs a little; it starts
// often enough for a person to see `settled` at once, and gets rarer so that
// a loop that never ends costs nothing over a day.
static constexpr Nanoseconds FirstPendingLook = std::chrono::milliseconds(50);
static constexpr Nanoseconds LongestPendingLook = std::chrono::seconds(5);

const ProjectUnit *Session::unitOf(StringRef Id) const {
  for (const ProjectUnit &U : Units)
    if (U.Unit.id() == Id)
      return &U;
  return nullptr;
}

/// The bodies that these functions lead to now, and those that they led to
/// before and that are not done.
std::vector<Session::LeftBody>
Session::bodiesOf(const std::vector<Switched> &Functions) const {
  std::vector<LeftBody> Bodies;
  for (const Switched &F : Functions) {
    Bodies.push_back({F, Around.Passes.bodyOf(F.Identity)});
    for (const PendingFunction &P : Pending)
      if (P.Body.Of.Identity == F.Identity)
        for (AddrRange Piece : P.Body.Pieces)
          if (!is_contained(Bodies.back().Pieces, Piece))
            Bodies.back().Pieces.push_back(Piece);
  }
  return Bodies;
}

/// What calls reach is not old.
void Session::forgetCurrent(LeftBody &Body) const {
  std::vector<AddrRange> Now = Around.Passes.bodyOf(Body.Of.Identity);
  erase_if(Body.Pieces,
           [&](AddrRange Piece) { return is_contained(Now, Piece); });
}

/// Looks for the frames of each. Pieces that have none are done with.
void Session::findFrames(std::vector<PendingFunction> &Functions) const {
  std::vector<AddrRange> Ranges;
  std::vector<PendingFunction *> Of;
  // To find a line costs more than to find a frame.
  std::map<ProgramAddr, std::optional<SourcePlace>> Known;
  for (PendingFunction &F : Functions) {
    for (SessionStatus::OldFrames &Last : F.Frames)
      Known[Last.Hit.GoesOnAt] = std::move(Last.Place);
    F.Frames.clear();
    for (AddrRange Piece : F.Body.Pieces) {
      Ranges.push_back(Piece);
      Of.push_back(&F);
    }
  }
  for (PendingFunction &F : Functions)
    F.Body.Pieces.clear();
  for (FrameHit &Hit : Around.Passes.findFrames(Ranges)) {
    PendingFunction &F = *Of[Hit.Range];
    if (!is_contained(F.Body.Pieces, Ranges[Hit.Range]))
      F.Body.Pieces.push_back(Ranges[Hit.Range]);
    // The line of the call, not of what comes after it.
    ProgramAddr At = Hit.GoesOnAt + (Hit.Called ? int64_t(-1) : 0);
    auto [Place, IsNew] = Known.try_emplace(Hit.GoesOnAt);
    if (IsNew)
      Place->second = Around.Passes.lineAt(F.Body.Of.Unit, At);
    F.Frames.push_back(
        {F.Body.Of.Function.Name, std::move(Hit), Place->second});
  }
}

/// "on the stack of thread 4711 'worker', frame #3 at lvm.c:1201"
static std::string describe(const SessionStatus::OldFrames &F) {
  const FrameHit &Hit = F.Hit;
  std::string Text = Hit.Certain ? "" : "perhaps ";
  if (Hit.Frames > 1)
    Text += fmt::format("{} times ", Hit.Frames);
  Text += fmt::format("on the stack of thread {}", Hit.Thread);
  if (!Hit.ThreadName.empty())
    Text += fmt::format(" '{}'", Hit.ThreadName);
  if (Hit.Certain)
    Text += fmt::format(", frame #{}", Hit.Depth);
  if (F.Place)
    Text += fmt::format(" at {}:{}", sys::path::filename(F.Place->File),
                        F.Place->Line);
  return Text;
}

static std::string describe(ArrayRef<SessionStatus::OldFrames> Frames) {
  std::string Text = describe(Frames.front());
  if (Frames.size() > 1)
    Text += fmt::format(" and of {} more thread{}", Frames.size() - 1,
                        Frames.size() > 2 ? "s" : "");
  return Text;
}

/// Those that have frames become pending. For each of Left where its frames
/// are, or nothing.
std::vector<std::string> Session::lookAtStacks(std::vector<LeftBody> Left) {
  std::vector<PendingFunction> Looked;
  for (LeftBody &Body : Left)
    Looked.push_back({std::move(Body), {}});
  findFrames(Looked);
  std::vector<std::string> Where;
  for (PendingFunction &F : Looked) {
    Where.push_back(F.Frames.empty() ? "" : describe(F.Frames));
    if (F.Frames.empty())
      continue;
    markPending(F.Body.Of.Function, Where.back());
    Pending.push_back(std::move(F));
  }
  lookAgain(FirstPendingLook);
  return Where;
}

void Session::markPending(Verdict &V, const std::string &Where) {
  V.Kind = VerdictKind::Pending;
  if (!V.Message.empty())
    V.Message += "; ";
  V.Message += Where + ": runs the old code until it returns";
}

void Session::lookAgain(Nanoseconds After) {
  NextPendingLook.reset();
  if (Pending.empty())
    return;
  PendingInterval = After;
  NextPendingLook = Around.Time.now() + PendingInterval;
}

void Session::watchPending() {
  findFrames(Pending);
  std::vector<PendingFunction> Left;
  std::map<unsigned, Event> Settled;
  for (PendingFunction &F : Pending) {
    if (!F.Frames.empty()) {
      Left.push_back(std::move(F));
      continue;
    }
    unsigned Reload = F.Body.Of.Reload;
    Event &E = Settled[Reload];
    E.What = Event::Kind::Settled;
    E.Reload = Reload;
    E.Verdicts.push_back(std::move(F.Body.Of.Function));
  }
  Pending = std::move(Left);
  lookAgain(std::min(PendingInterval * 2, LongestPendingLook));
  for (auto &[Reload, E] : Settled)
    tell(std::move(E));
}

Event Session::stepped(Event::Kind What, unsigned Generation,
                       std::vector<LeftBody> Left) {
  // An attempt in flight compared with a generation that is no longer live.
  if (InFlight) {
    *InFlight->Cancel = true;
    abandon(*InFlight);
    finish(fail(*InFlight, "superseded", "undo or redo took over"));
  }
  for (size_t I = 0; I != Generations.size(); ++I)
    if (Generations[I].Number == Generation)
      Current = I;
  Warming.clear(); // Of another live text.
  Tried.clear();
  TriedWork.clear();
  Waits.reset();
  Ahead.clear();
  for (const std::string &File : dirtyFiles())
    Ahead[File] = statusOf(File);
  Event E;
  E.What = What;
  E.Generation = Generation;
  for (const LeftBody &Body : Left)
    E.Switched.push_back(Body.Of.Function.Name);
  for (const auto &[File, Status] : Ahead)
    E.Files.push_back(File);
  for (PendingFunction &F : Pending)
    forgetCurrent(F.Body);
  llvm::erase_if(
      Pending, [](const PendingFunction &F) { return F.Body.Pieces.empty(); });
  for (LeftBody &Body : Left)
    forgetCurrent(Body);
  size_t Before = Pending.size();
  lookAtStacks(std::move(Left));
  for (const PendingFunction &F : ArrayRef(Pending).drop_front(Before))
    E.Verdicts.push_back(F.Body.Of.Function);
  tell(E);
  return Past.back();
}

Expected<Event> Session::undo() {
  std::vector<LeftBody> Left = bodiesOf(Generations[Current].Functions);
  Expected<Generation> G = Around.Passes.undo();
  if (!G)
    return G.takeError();
  return stepped(Event::Kind::Undone, G->Number, std::move(Left));
}

Expected<Event> Session::redo() {
  std::vector<LeftBody> Left;
  if (Current + 1 < Generations.size())
    Left = bodiesOf(Generations[Current + 1].Functions);
  Expected<Generation> G = Around.Passes.redo();
  if (!G)
    return G.takeError();
  return stepped(Event::Kind::Redone, G->Number, std::move(Left));
}
