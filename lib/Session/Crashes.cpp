// New code has crashed. What is told names the function in the version that
// ran; what is done is an undo, down to before the generation that brought it:
// what came later may need it, and comes back with redo. The file stays as it
// is and goes live when it is saved again, so a crash at the first call is one
// crash and not a loop. What was saved since and is being compiled is compiled
// again, for what is live has changed.

#include "Session/State.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>

using namespace hotjit;
using namespace llvm;

// More lines than this nobody reads.
static constexpr size_t LinesTold = 32;

static ProgramAddr executed(const WalkedFrame &F) {
  // The line of the call, not of what comes after it.
  return F.Called ? F.Pc + int64_t(-1) : F.Pc;
}

static std::string nameOf(int Signal) {
  const char *Name = ::sigabbrev_np(Signal);
  return fmt::format("SIG{}", Name ? Name : "?");
}

static std::string whatNext(const Crash &C) {
  switch (C.What) {
  case Crash::Next::Guard:
    return "hotjit_guard returns; destructors of the frames that it leaves do "
           "not run, and what they locked stays locked";
  case Crash::Next::Handler:
    return "the program's own handler decides";
  case Crash::Next::Ends:
    break;
  }
  return fmt::format("the program ends by {}", nameOf(C.Signal));
}

/// "#0 f() at a.c:3 (generation 2)". Recursion is one line: "#0 to #250 f()
/// ...".
static std::vector<std::string>
backtrace(ArrayRef<WalkedFrame> Frames,
          function_ref<std::string(ProgramAddr)> Describe) {
  std::vector<std::string> Lines;
  for (size_t I = 0; I != Frames.size();) {
    std::string Text = Describe(executed(Frames[I]));
    size_t Begin = I++;
    while (I != Frames.size() && Frames[I].Pc == Frames[I - 1].Pc)
      ++I;
    if (Lines.size() == LinesTold) {
      Lines.push_back("...");
      break;
    }
    if (!Text.empty())
      Lines.push_back(I == Begin + 1
                          ? fmt::format("#{} {}", Begin, Text)
                          : fmt::format("#{} to #{} {}", Begin, I - 1, Text));
  }
  return Lines;
}

Event Session::crashed(const Crash &C) {
  ProgramAddr At = executed(C.Frames[C.Culprit]);
  std::optional<Patcher::Owner> Owner = Around.Passes.ownerOf(At);
  Event E;
  E.What = Event::Kind::Crashed;
  E.Signal = C.Signal;
  auto Describe = [this](ProgramAddr A) {
    return Around.Passes.describeCode(A);
  };
  E.Backtrace = backtrace(C.Frames, Describe);
  E.CrashedFunction =
      Owner && !Owner->Function.empty() ? Owner->Function : Describe(At);
  if (Owner)
    E.Generation = Owner->Generation;

  // An old frame of a body that calls do not reach any more: nothing to undo.
  bool IsReached =
      Owner &&
      any_of(ArrayRef(Generations).take_front(Current + 1),
             [&](const Live &G) { return G.Number == Owner->Generation; });
  if (IsReached && Owner->Identity)
    IsReached = any_of(Around.Passes.bodyOf(Owner->Identity),
                       [&](AddrRange Piece) { return Piece.contains(At); });
  std::string Thread = fmt::format("on thread {}", C.Thread);
  if (!C.ThreadName.empty())
    Thread += fmt::format(" '{}'", C.ThreadName);
  E.Action = fmt::format(
      "{}{}{}; {}", Thread, C.IsOverflow ? ", its stack has overflowed" : "",
      IsReached
          ? fmt::format("; generation {} is taken back", Owner->Generation)
          : std::string("; no call reaches this code any more"),
      whatNext(C));
  tell(E);
  Event Told = Past.back();
  // Saved after the code that crashed: maybe what mends it.
  std::set<std::string> Saved;
  if (IsReached && InFlight)
    Saved = InFlight->Files;
  while (IsReached && Current != 0 &&
         Generations[Current].Number >= Owner->Generation) {
    Expected<Event> Undone = undo();
    if (Undone)
      continue;
    Around.L.error("undo after a crash: {}", toString(Undone.takeError()));
    break;
  }
  for (const std::string &File : Saved)
    Ahead.erase(File);
  if (!Saved.empty())
    begin({Saved.begin(), Saved.end()}, Around.Time.now(), nullptr);
  return Told;
}
