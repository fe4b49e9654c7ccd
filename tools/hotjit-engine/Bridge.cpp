#include "Bridge.h"

using namespace hotjit;

static wire::VerdictKind toWire(VerdictKind K) {
  switch (K) {
  case VerdictKind::Live:
    return wire::VerdictKind::Live;
  case VerdictKind::Note:
    return wire::VerdictKind::Note;
  case VerdictKind::Pending:
    return wire::VerdictKind::Pending;
  case VerdictKind::Partial:
    return wire::VerdictKind::Partial;
  case VerdictKind::Refused:
    return wire::VerdictKind::Refused;
  case VerdictKind::Held:
    return wire::VerdictKind::Held;
  case VerdictKind::Added:
    return wire::VerdictKind::Added;
  case VerdictKind::Removed:
    return wire::VerdictKind::Removed;
  }
  return wire::VerdictKind::Live;
}

static wire::Event::Kind toWire(Event::Kind K) {
  switch (K) {
  case Event::Kind::Ready:
    return wire::Event::Kind::Ready;
  case Event::Kind::Changed:
    return wire::Event::Kind::Changed;
  case Event::Kind::Diagnostics:
    return wire::Event::Kind::Diagnostics;
  case Event::Kind::Waiting:
    return wire::Event::Kind::Waiting;
  case Event::Kind::Reloaded:
    return wire::Event::Kind::Reloaded;
  case Event::Kind::Refused:
    return wire::Event::Kind::Refused;
  case Event::Kind::Failed:
    return wire::Event::Kind::Failed;
  case Event::Kind::Unchanged:
    return wire::Event::Kind::Unchanged;
  case Event::Kind::Settled:
    return wire::Event::Kind::Settled;
  case Event::Kind::Undone:
    return wire::Event::Kind::Undone;
  case Event::Kind::Redone:
    return wire::Event::Kind::Redone;
  case Event::Kind::Paused:
    return wire::Event::Kind::Paused;
  case Event::Kind::Resumed:
    return wire::Event::Kind::Resumed;
  case Event::Kind::Crashed:
    return wire::Event::Kind::Crashed;
  case Event::Kind::Loaded:
    return wire::Event::Kind::Loaded;
  case Event::Kind::Unloaded:
    return wire::Event::Kind::Unloaded;
  case Event::Kind::Off:
    return wire::Event::Kind::Off;
  }
  return wire::Event::Kind::Off;
}

static wire::Timings toWire(const Timings &T) {
  wire::Timings W;
  W.Detect = toMilliseconds(T.Detect);
  W.Parse = toMilliseconds(T.Parse);
  W.Compile = toMilliseconds(T.Compile);
  W.Diff = toMilliseconds(T.Diff);
  W.Link = toMilliseconds(T.Link);
  W.Commit = toMilliseconds(T.Commit);
  W.Total = toMilliseconds(T.Total);
  return W;
}

static llvm::lsp::DiagnosticSeverity toWire(Severity S) {
  switch (S) {
  case Severity::Error:
    return llvm::lsp::DiagnosticSeverity::Error;
  case Severity::Warning:
    return llvm::lsp::DiagnosticSeverity::Warning;
  case Severity::Note:
    return llvm::lsp::DiagnosticSeverity::Information;
  }
  return llvm::lsp::DiagnosticSeverity::Error;
}

/// Clang counts from 1, LSP from 0.
static int fromZero(unsigned N) { return N ? static_cast<int>(N) - 1 : 0; }

static wire::Diagnostic toWire(const Diagnostic &D, const std::string &File) {
  wire::Diagnostic W;
  W.Range.start = {fromZero(D.Place.Line), fromZero(D.Column)};
  W.Range.end = D.EndLine ? llvm::lsp::Position(fromZero(D.EndLine),
                                                fromZero(D.EndColumn))
                          : W.Range.start;
  W.Severity = toWire(D.Level);
  W.Code = D.Flag;
  W.Source = "clang";
  W.Message = D.Message;
  if (D.Place.File != File)
    W.File = D.Place.File;
  return W;
}

wire::Verdict hotjit::toWire(const Verdict &V) {
  wire::Verdict W;
  W.Function = V.Symbol;
  W.Name = V.Name;
  W.File = V.Place.File;
  W.Line = V.Place.Line;
  W.Kind = ::toWire(V.Kind);
  if (V.Code)
    W.Code = codeOf(*V.Code);
  W.Message = V.Message;
  W.Edited = V.Edited;
  return W;
}

wire::Event hotjit::toWire(const Event &E) {
  wire::Event W;
  W.What = ::toWire(E.What);
  W.TimeNs = E.Time.count();
  W.Reload = E.Reload;
  W.Generation = E.Generation;
  W.Files = E.Files;
  for (const Verdict &V : E.Verdicts) {
    W.Verdicts.push_back(toWire(V));
    if (E.What == Event::Kind::Settled)
      W.SettledFunctions.push_back(V.Name);
  }
  W.Unchanged = E.UnchangedFunctions;
  if (E.Times)
    W.Times = ::toWire(*E.Times);
  W.Stage = E.Stage;
  W.Message = E.Message;
  W.File = E.File;
  for (const Diagnostic &D : E.Items)
    W.Items.push_back(::toWire(D, E.File));
  W.Rendered = E.Rendered;
  W.Units = E.Units;
  W.Functions = E.Functions;
  W.ElapsedMs = toMilliseconds(E.Elapsed);
  W.Stale = E.Stale;
  W.Signal = E.Signal;
  W.CrashedFunction = E.CrashedFunction;
  W.Backtrace = E.Backtrace;
  W.Action = E.Action;
  W.Notes = E.Notes;
  return W;
}

wire::Status hotjit::toWire(const SessionStatus &S) {
  wire::Status W;
  W.Generation = S.Generation;
  W.Newest = S.Newest;
  W.Paused = S.Paused;
  W.Units = S.Units;
  W.MemoryBytes = S.MemoryBytes;
  W.SupersededBytes = S.SupersededBytes;
  W.TextBytes = S.TextBytes;
  W.ParsedBytes = S.ParsedBytes;
  W.Ahead = S.Ahead;
  W.Dirty = S.Dirty;
  for (const SessionStatus::LiveFunction &F : S.Functions) {
    wire::FunctionInfo I;
    I.Name = F.Name;
    I.Symbol = F.Symbol;
    I.Unit = F.Unit;
    I.Generation = F.Generation;
    I.Pending = llvm::is_contained(S.Pending, F.Name);
    W.Functions.push_back(std::move(I));
  }
  W.Pending = S.Pending;
  for (const SessionStatus::OldFrames &F : S.PendingFrames) {
    wire::PendingFrames &P = W.Frames.emplace_back();
    P.Function = F.Function;
    P.Thread = F.Hit.Thread;
    P.ThreadName = F.Hit.ThreadName;
    P.Count = F.Hit.Frames;
    P.Innermost = F.Hit.Depth;
    P.Certain = F.Hit.Certain;
    if (F.Place) {
      P.File = F.Place->File;
      P.Line = F.Place->Line;
    }
  }
  return W;
}
