#ifndef HOTJIT_WIRE_PROTOCOL_H
#define HOTJIT_WIRE_PROTOCOL_H

// What travels over hotjit's socket, as values, and their JSON both ways.
// docs/protocol.md is the same for people who write clients. The types stand in
// a namespace of their own because Session has a Verdict and an Event too: the
// engine converts its values to these, and nothing else knows both.
//
// Reading is lenient where a newer peer may have added something (unknown
// members are skipped, absent optional ones have their default) and strict
// about what is there: a member of the wrong type is an error that names it.

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/LSP/Protocol.h"
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hotjit::wire {

/// Goes up when a client of the old one would misunderstand.
constexpr int ProtocolVersion = 1;

/// Names of requests, as they stand in "method".
namespace method {
constexpr llvm::StringLiteral Initialize = "initialize";
constexpr llvm::StringLiteral Shutdown = "shutdown";
constexpr llvm::StringLiteral Status = "hotjit/status";
constexpr llvm::StringLiteral Reload = "hotjit/reload";
constexpr llvm::StringLiteral Undo = "hotjit/undo";
constexpr llvm::StringLiteral Redo = "hotjit/redo";
constexpr llvm::StringLiteral Pause = "hotjit/pause";
constexpr llvm::StringLiteral Resume = "hotjit/resume";
constexpr llvm::StringLiteral Reinit = "hotjit/reinit";
constexpr llvm::StringLiteral Explain = "hotjit/explain";
constexpr llvm::StringLiteral Functions = "hotjit/functions";
constexpr llvm::StringLiteral Log = "hotjit/log";
constexpr llvm::StringLiteral DidOpen = "hotjit/didOpen";
constexpr llvm::StringLiteral DidChange = "hotjit/didChange";
} // namespace method

/// Errors of hotjit itself, beside those of JSON-RPC (llvm::lsp::ErrorCode).
/// -32803 is what LSP calls RequestFailed: understood, but it cannot be done.
constexpr auto RequestFailed = llvm::lsp::ErrorCode::RequestFailed;
/// The error for everything that is not built yet: "undo: not in this version".
llvm::Error notInThisVersion(llvm::StringRef What);

enum class VerdictKind {
  Live,
  Note,
  Pending,
  Partial,
  Refused,
  Held,
  Added,
  Removed,
};
llvm::StringRef spell(VerdictKind K); ///< "live"

/// What happened to one function, variable or type, and why.
struct Verdict {
  std::string Function; ///< mangled; empty for a type
  std::string Name;     ///< for people
  std::string File;
  unsigned Line = 0;
  VerdictKind Kind = VerdictKind::Live;
  std::string Code; ///< "HJ1402", or empty
  std::string Message;
  /// The user edited it; false for what is swapped along with an edit.
  bool Edited = true;
  bool operator==(const Verdict &) const = default;
};

/// Milliseconds. Total: from the file event to the store, or to the verdict.
struct Timings {
  double Detect = 0;
  double Parse = 0;
  double Compile = 0;
  double Diff = 0;
  double Link = 0;
  double Commit = 0;
  double Total = 0;
  bool operator==(const Timings &) const = default;
};

/// An LSP `Diagnostic`. Lines and characters count from 0; characters are bytes
/// (`"positionEncoding": "utf-8"` in the answer to `initialize` says so).
struct Diagnostic {
  llvm::lsp::Range Range;
  llvm::lsp::DiagnosticSeverity Severity = llvm::lsp::DiagnosticSeverity::Error;
  std::string Code;   ///< "-Wunused-variable", or empty
  std::string Source; ///< who says so: "clang"
  std::string Message;
  /// Travels as data.file, if it is not the event's file: the place is in a
  /// header.
  std::string File;
  bool operator==(const Diagnostic &) const = default;
};

/// One event. Which members mean something depends on What (docs/protocol.md);
/// only those are written. Each Changed is followed by exactly one of Reloaded,
/// Refused, Failed, Unchanged with the same Reload.
struct Event {
  enum class Kind {
    Ready,
    Changed,
    Diagnostics,
    Reloaded,
    Refused,
    Failed,
    Unchanged,
    Settled,
    Undone,
    Redone,
    Paused,
    Resumed,
    Crashed,
    Waiting,  ///< ready, and goes live at a safe point of the program
    Loaded,   ///< the program has opened a library or plugin
    Unloaded, ///< and closed it
    Off,      ///< the engine turned itself off; the program runs on
  };

  Kind What = Kind::Ready;
  int64_t TimeNs = 0;  ///< CLOCK_MONOTONIC
  unsigned Reload = 0; ///< 0 and not written if it belongs to none
  std::optional<unsigned> Generation;
  std::vector<std::string> Files;
  std::vector<Verdict> Verdicts; ///< Reloaded, Refused
  uint64_t Unchanged = 0;        ///< functions that have no verdict
  std::optional<Timings> Times;

  std::string Stage;   ///< Failed: compile, link, initialize, superseded, ...
  std::string Message; ///< Failed, Off

  std::string File; ///< Diagnostics
  std::vector<Diagnostic> Items;
  std::string Rendered; ///< Diagnostics as clang prints them

  int64_t Pid = 0; ///< Ready, as are the next ones
  uint64_t Units = 0;
  uint64_t Functions = 0; ///< how many; for Settled see SettledFunctions
  std::string Socket;
  double ElapsedMs = 0;
  std::vector<std::string> Stale; ///< files newer than the binary
  std::vector<std::string> Notes; ///< what the user should know

  std::vector<std::string> SettledFunctions; ///< Settled: "functions"

  int Signal = 0; ///< Crashed, as are the next ones
  std::string CrashedFunction;
  std::vector<std::string> Backtrace;
  std::string Action;

  bool operator==(const Event &) const = default;
};
llvm::StringRef spell(Event::Kind K); ///< "reloaded"
std::optional<Event::Kind> parseEventKind(llvm::StringRef Name);

/// The event with its "event" member: printed it is a line of --events; it also
/// stands so in notifications and replies.
llvm::json::Value toJSON(const Event &E);
bool fromJSON(const llvm::json::Value &V, Event &E, llvm::json::Path P);
/// "hotjit/reloaded": the notification that carries the event.
std::string notificationMethod(Event::Kind K);
/// The event that a notification carries, nothing if it carries none.
std::optional<Event> eventOfNotification(llvm::StringRef Method,
                                         const llvm::json::Value &Params);

//===-- Requests and replies ----------------------------------------------===//

struct InitializeParams {
  int Protocol = ProtocolVersion;
  std::string Client; ///< for the log: "hotjit status"
  bool operator==(const InitializeParams &) const = default;
};

struct InitializeReply {
  int Protocol = ProtocolVersion;
  std::string Version; ///< of hotjit
  int64_t Pid = 0;
  std::string Program;
  std::vector<std::string> Capabilities; ///< methods that work
  bool operator==(const InitializeReply &) const = default;
};

/// hotjit/reload. The reply is the reload's last Event; with no difference to
/// what is live, an Unchanged with Reload 0.
struct ReloadParams {
  std::vector<std::string> Files; ///< absolute; empty: all
  bool operator==(const ReloadParams &) const = default;
};

// hotjit/undo, redo, pause, resume: no parameters, the reply is the Event.

/// hotjit/reinit. The reply is null.
struct ReinitParams {
  std::string Variable;
  bool operator==(const ReinitParams &) const = default;
};

/// hotjit/explain with a function's name or symbol. (Codes are explained by
/// `hotjit explain` without a program.)
struct ExplainParams {
  std::string Function;
  bool operator==(const ExplainParams &) const = default;
};

/// What happened to functions of that name, oldest first.
struct ExplainReply {
  struct Entry {
    unsigned Reload = 0;
    Verdict What;
    bool operator==(const Entry &) const = default;
  };
  std::vector<Entry> History;
  bool operator==(const ExplainReply &) const = default;
};

/// A function that does not run the body it was built with.
struct FunctionInfo {
  std::string Name;
  std::string Symbol;
  std::string Unit;        ///< the translation unit's file
  unsigned Generation = 0; ///< that its body is from
  bool Pending = false;    ///< an older body is still on a stack
  bool operator==(const FunctionInfo &) const = default;
};

struct FunctionsReply {
  std::vector<FunctionInfo> Functions;
  bool operator==(const FunctionsReply &) const = default;
};

/// Frames of one thread in one pending function's old body.
struct PendingFrames {
  std::string Function; ///< name
  int64_t Thread = 0;   ///< id
  std::string ThreadName;
  unsigned Count = 1;
  unsigned Innermost = 0; ///< its number on the stack, 0 runs; if Certain
  std::string File;       ///< where it goes on, in the old text; or empty
  unsigned Line = 0;
  bool Certain = true; ///< false: may be left over from a call that ended
  bool operator==(const PendingFrames &) const = default;
};

/// What `hotjit status` shows.
struct Status {
  int64_t Pid = 0;
  std::string Program; ///< path of the executable
  std::string Socket;
  unsigned Generation = 0;
  unsigned Newest = 0; ///< redo leads up to this one
  bool Paused = false;
  bool Waiting = false; ///< a reload or step, for a safe point of the program
  uint64_t Units = 0;
  uint64_t MemoryBytes = 0;       ///< of new code and data
  uint64_t SupersededBytes = 0;   ///< of these, that no call reaches
  uint64_t TextBytes = 0;         ///< of kept texts
  uint64_t ParsedBytes = 0;       ///< of parsed headers, --cache-memory
  std::vector<std::string> Ahead; ///< files newer than the live code
  std::vector<std::string> Dirty; ///< saved but not live: refused or failed
  std::vector<FunctionInfo> Functions;
  std::vector<std::string> Pending;  ///< functions with an old frame alive
  std::vector<PendingFrames> Frames; ///< that keep them so
  bool operator==(const Status &) const = default;
};

/// hotjit/log: the events since the start (the oldest dropped at some point).
///
/// A client that connects late and wants every event once sends this request
/// first and drops the notifications that arrive before the reply: the server
/// keeps the order of what the engine says, and the engine answers from the
/// thread that produces the events.
struct LogReply {
  std::vector<Event> Events;
  bool operator==(const LogReply &) const = default;
};

/// hotjit/didOpen, a notification or a request. The reply is null.
struct DidOpenParams {
  std::string File; ///< absolute
  bool operator==(const DidOpenParams &) const = default;
};

/// hotjit/didChange, a notification or a request.
struct DidChangeParams {
  std::string File; ///< absolute
  std::string Text;
  bool operator==(const DidChangeParams &) const = default;
};

#define HOTJIT_WIRE_JSON(Type)                                                 \
  llvm::json::Value toJSON(const Type &);                                      \
  bool fromJSON(const llvm::json::Value &, Type &, llvm::json::Path)
HOTJIT_WIRE_JSON(Verdict);
HOTJIT_WIRE_JSON(Timings);
HOTJIT_WIRE_JSON(Diagnostic);
HOTJIT_WIRE_JSON(InitializeParams);
HOTJIT_WIRE_JSON(InitializeReply);
HOTJIT_WIRE_JSON(ReloadParams);
HOTJIT_WIRE_JSON(ReinitParams);
HOTJIT_WIRE_JSON(ExplainParams);
HOTJIT_WIRE_JSON(ExplainReply);
HOTJIT_WIRE_JSON(ExplainReply::Entry);
HOTJIT_WIRE_JSON(FunctionInfo);
HOTJIT_WIRE_JSON(FunctionsReply);
HOTJIT_WIRE_JSON(PendingFrames);
HOTJIT_WIRE_JSON(Status);
HOTJIT_WIRE_JSON(LogReply);
HOTJIT_WIRE_JSON(DidOpenParams);
HOTJIT_WIRE_JSON(DidChangeParams);
#undef HOTJIT_WIRE_JSON

/// Reads a T out of what a peer sent; the error is an llvm::lsp::LSPError
/// (InvalidParams) that names the member at fault. A null V counts as {}.
template <typename T>
llvm::Expected<T> parse(const llvm::json::Value &V, llvm::StringRef What) {
  T Result;
  llvm::json::Path::Root Root(What);
  const llvm::json::Value Empty = llvm::json::Object();
  const llvm::json::Value &Input =
      V.kind() == llvm::json::Value::Null ? Empty : V;
  if (fromJSON(Input, Result, Root))
    return Result;
  return llvm::make_error<llvm::lsp::LSPError>(
      llvm::toString(Root.getError()), llvm::lsp::ErrorCode::InvalidParams);
}

} // namespace hotjit::wire

#endif
