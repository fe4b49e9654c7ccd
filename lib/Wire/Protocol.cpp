// The JSON of every message, member by member. One function writes and one
// reads each type; docs/protocol.md lists the same members.
//
// Text comes from files, compilers and the program itself: asUtf8 where it
// enters, since LLVM's JSON accepts nothing else.

#include "Wire/Protocol.h"
#include "Wire/JsonRpc.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

Error hotjit::wire::notInThisVersion(StringRef What) {
  return make_error<lsp::LSPError>((What + ": not in this version").str(),
                                   RequestFailed);
}

static constexpr std::pair<VerdictKind, StringLiteral> VerdictNames[] = {
    {VerdictKind::Live, "live"},       {VerdictKind::Note, "note"},
    {VerdictKind::Pending, "pending"}, {VerdictKind::Partial, "partial"},
    {VerdictKind::Refused, "refused"}, {VerdictKind::Held, "held"},
    {VerdictKind::Added, "added"},     {VerdictKind::Removed, "removed"},
};

static constexpr std::pair<wire::Event::Kind, StringLiteral> EventNames[] = {
    {wire::Event::Kind::Ready, "ready"},
    {wire::Event::Kind::Changed, "changed"},
    {wire::Event::Kind::Diagnostics, "diagnostics"},
    {wire::Event::Kind::Reloaded, "reloaded"},
    {wire::Event::Kind::Refused, "refused"},
    {wire::Event::Kind::Failed, "failed"},
    {wire::Event::Kind::Unchanged, "unchanged"},
    {wire::Event::Kind::Settled, "settled"},
    {wire::Event::Kind::Undone, "undone"},
    {wire::Event::Kind::Redone, "redone"},
    {wire::Event::Kind::Paused, "paused"},
    {wire::Event::Kind::Resumed, "resumed"},
    {wire::Event::Kind::Crashed, "crashed"},
    {wire::Event::Kind::Loaded, "loaded"},
    {wire::Event::Kind::Unloaded, "unloaded"},
    {wire::Event::Kind::Waiting, "waiting"},
    {wire::Event::Kind::Off, "off"},
};

template <typename Kind, size_t N>
static StringRef nameIn(const std::pair<Kind, StringLiteral> (&Names)[N],
                        Kind K) {
  for (const auto &[Value, Name] : Names)
    if (Value == K)
      return Name;
  return "unknown";
}

template <typename Kind, size_t N>
static std::optional<Kind>
valueIn(const std::pair<Kind, StringLiteral> (&Names)[N], StringRef Text) {
  for (const auto &[Value, Name] : Names)
    if (Name == Text)
      return Value;
  return std::nullopt;
}

StringRef hotjit::wire::spell(VerdictKind K) { return nameIn(VerdictNames, K); }
StringRef hotjit::wire::spell(Event::Kind K) { return nameIn(EventNames, K); }

std::optional<Event::Kind> hotjit::wire::parseEventKind(StringRef Name) {
  return valueIn(EventNames, Name);
}

//===-- Small parts -------------------------------------------------------===//

/// Reads an optional member that counts something.
static bool mapUnsigned(const json::Value &V, StringLiteral Name, unsigned &Out,
                        json::Path P) {
  const json::Object *O = V.getAsObject();
  const json::Value *Member = O ? O->get(Name) : nullptr;
  if (!Member)
    return true;
  std::optional<uint64_t> Number = Member->getAsUINT64();
  if (!Number || *Number > std::numeric_limits<unsigned>::max()) {
    P.field(Name).report("expected a small number");
    return false;
  }
  Out = static_cast<unsigned>(*Number);
  return true;
}

//===-- Verdict, Timings, Diagnostic --------------------------------------===//

json::Value hotjit::wire::toJSON(const Verdict &V) {
  json::Object O{{"function", asUtf8(V.Function)},
                 {"name", asUtf8(V.Name)},
                 {"file", asUtf8(V.File)},
                 {"line", V.Line},
                 {"verdict", spell(V.Kind)},
                 {"message", asUtf8(V.Message)},
                 {"edited", V.Edited}};
  if (!V.Code.empty())
    O["code"] = V.Code;
  return O;
}

bool hotjit::wire::fromJSON(const json::Value &V, Verdict &Out, json::Path P) {
  json::ObjectMapper M(V, P);
  std::string Kind;
  if (!M || !M.mapOptional("function", Out.Function) ||
      !M.mapOptional("name", Out.Name) || !M.mapOptional("file", Out.File) ||
      !mapUnsigned(V, "line", Out.Line, P) || !M.map("verdict", Kind) ||
      !M.mapOptional("code", Out.Code) ||
      !M.mapOptional("message", Out.Message) ||
      !M.mapOptional("edited", Out.Edited))
    return false;
  std::optional<VerdictKind> K = valueIn(VerdictNames, Kind);
  if (!K) {
    P.field("verdict").report("unknown verdict");
    return false;
  }
  Out.Kind = *K;
  return true;
}

json::Value hotjit::wire::toJSON(const Timings &T) {
  return json::Object{{"detect", T.Detect},   {"parse", T.Parse},
                      {"compile", T.Compile}, {"diff", T.Diff},
                      {"link", T.Link},       {"commit", T.Commit},
                      {"total", T.Total}};
}

bool hotjit::wire::fromJSON(const json::Value &V, Timings &Out, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.mapOptional("detect", Out.Detect) &&
         M.mapOptional("parse", Out.Parse) &&
         M.mapOptional("compile", Out.Compile) &&
         M.mapOptional("diff", Out.Diff) && M.mapOptional("link", Out.Link) &&
         M.mapOptional("commit", Out.Commit) &&
         M.mapOptional("total", Out.Total);
}

json::Value hotjit::wire::toJSON(const Diagnostic &D) {
  json::Object O{{"range", lsp::toJSON(D.Range)},
                 {"severity", static_cast<int>(D.Severity)},
                 {"message", asUtf8(D.Message)}};
  if (!D.Code.empty())
    O["code"] = asUtf8(D.Code);
  if (!D.Source.empty())
    O["source"] = asUtf8(D.Source);
  if (!D.File.empty())
    O["data"] = json::Object{{"file", asUtf8(D.File)}};
  return O;
}

bool hotjit::wire::fromJSON(const json::Value &V, Diagnostic &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  unsigned Severity = 1;
  if (!M || !M.map("range", Out.Range) ||
      !mapUnsigned(V, "severity", Severity, P) ||
      !M.mapOptional("code", Out.Code) ||
      !M.mapOptional("source", Out.Source) || !M.map("message", Out.Message))
    return false;
  if (Severity > static_cast<unsigned>(lsp::DiagnosticSeverity::Hint)) {
    P.field("severity").report("unknown severity");
    return false;
  }
  Out.Severity = static_cast<lsp::DiagnosticSeverity>(Severity);
  if (const json::Object *Data = V.getAsObject()->getObject("data"))
    if (std::optional<StringRef> File = Data->getString("file"))
      Out.File = File->str();
  return true;
}

//===-- Event -------------------------------------------------------------===//

/// The members that belong to one kind of event.
static void writeDetails(json::Object &O, const Event &E) {
  switch (E.What) {
  case Event::Kind::Ready:
    O["pid"] = E.Pid;
    O["units"] = E.Units;
    O["functions"] = E.Functions;
    O["socket"] = asUtf8(E.Socket);
    O["elapsed_ms"] = E.ElapsedMs;
    O["stale"] = asUtf8(E.Stale);
    O["notes"] = asUtf8(E.Notes);
    return;
  case Event::Kind::Loaded:
    O["units"] = E.Units;
    O["stale"] = asUtf8(E.Stale);
    O["notes"] = asUtf8(E.Notes);
    return;
  case Event::Kind::Unloaded:
    O["units"] = E.Units;
    return;
  case Event::Kind::Diagnostics:
    O["file"] = asUtf8(E.File);
    O["items"] = json::Array(E.Items);
    O["rendered"] = asUtf8(E.Rendered);
    return;
  case Event::Kind::Reloaded:
  case Event::Kind::Refused:
    O["verdicts"] = json::Array(E.Verdicts);
    O["unchanged"] = E.Unchanged;
    return;
  case Event::Kind::Failed:
    O["stage"] = asUtf8(E.Stage);
    O["message"] = asUtf8(E.Message);
    return;
  case Event::Kind::Off:
    O["message"] = asUtf8(E.Message);
    return;
  case Event::Kind::Settled:
    O["functions"] = asUtf8(E.SettledFunctions);
    return;
  case Event::Kind::Crashed:
    O["signal"] = E.Signal;
    O["function"] = asUtf8(E.CrashedFunction);
    O["backtrace"] = asUtf8(E.Backtrace);
    O["action"] = asUtf8(E.Action);
    return;
  case Event::Kind::Unchanged:
  case Event::Kind::Undone:
  case Event::Kind::Redone:
    if (!E.Verdicts.empty())
      O["verdicts"] = json::Array(E.Verdicts);
    return;
  case Event::Kind::Changed:
  case Event::Kind::Waiting:
  case Event::Kind::Paused:
  case Event::Kind::Resumed:
    return;
  }
}

static bool hasFiles(Event::Kind K) {
  return K == Event::Kind::Changed || K == Event::Kind::Waiting ||
         K == Event::Kind::Reloaded || K == Event::Kind::Refused ||
         K == Event::Kind::Failed || K == Event::Kind::Unchanged ||
         K == Event::Kind::Loaded || K == Event::Kind::Unloaded;
}

json::Value hotjit::wire::toJSON(const Event &E) {
  json::Object O{{"event", spell(E.What)}, {"time_ns", E.TimeNs}};
  if (E.Reload)
    O["reload"] = E.Reload;
  if (E.Generation)
    O["generation"] = *E.Generation;
  if (hasFiles(E.What))
    O["files"] = asUtf8(E.Files);
  if (E.Times)
    O["timings"] = toJSON(*E.Times);
  writeDetails(O, E);
  return O;
}

static bool readDetails(const json::Value &V, Event &Out, json::ObjectMapper &M,
                        json::Path P) {
  switch (Out.What) {
  case Event::Kind::Ready:
    return M.mapOptional("pid", Out.Pid) && M.mapOptional("units", Out.Units) &&
           M.mapOptional("functions", Out.Functions) &&
           M.mapOptional("socket", Out.Socket) &&
           M.mapOptional("elapsed_ms", Out.ElapsedMs) &&
           M.mapOptional("stale", Out.Stale) &&
           M.mapOptional("notes", Out.Notes);
  case Event::Kind::Loaded:
  case Event::Kind::Unloaded:
    return M.mapOptional("units", Out.Units) &&
           M.mapOptional("stale", Out.Stale) &&
           M.mapOptional("notes", Out.Notes);
  case Event::Kind::Diagnostics:
    return M.mapOptional("file", Out.File) &&
           M.mapOptional("items", Out.Items) &&
           M.mapOptional("rendered", Out.Rendered);
  case Event::Kind::Reloaded:
  case Event::Kind::Refused:
    return M.mapOptional("verdicts", Out.Verdicts) &&
           M.mapOptional("unchanged", Out.Unchanged);
  case Event::Kind::Failed:
  case Event::Kind::Off:
    return M.mapOptional("stage", Out.Stage) &&
           M.mapOptional("message", Out.Message);
  case Event::Kind::Settled:
    return M.mapOptional("functions", Out.SettledFunctions);
  case Event::Kind::Crashed:
    return M.mapOptional("signal", Out.Signal) &&
           M.mapOptional("function", Out.CrashedFunction) &&
           M.mapOptional("backtrace", Out.Backtrace) &&
           M.mapOptional("action", Out.Action);
  case Event::Kind::Unchanged:
  case Event::Kind::Undone:
  case Event::Kind::Redone:
    return M.mapOptional("verdicts", Out.Verdicts);
  case Event::Kind::Changed:
  case Event::Kind::Waiting:
  case Event::Kind::Paused:
  case Event::Kind::Resumed:
    return true;
  }
  return false;
}

bool hotjit::wire::fromJSON(const json::Value &V, Event &Out, json::Path P) {
  json::ObjectMapper M(V, P);
  std::string Name;
  unsigned Generation = 0;
  if (!M || !M.map("event", Name) || !M.mapOptional("time_ns", Out.TimeNs) ||
      !mapUnsigned(V, "reload", Out.Reload, P) ||
      !mapUnsigned(V, "generation", Generation, P) ||
      !M.mapOptional("files", Out.Files) || !M.map("timings", Out.Times))
    return false;
  if (V.getAsObject()->get("generation"))
    Out.Generation = Generation;
  std::optional<Event::Kind> K = parseEventKind(Name);
  if (!K) {
    P.field("event").report("unknown event");
    return false;
  }
  Out.What = *K;
  return readDetails(V, Out, M, P);
}

static constexpr StringLiteral NotificationPrefix = "hotjit/";

std::string hotjit::wire::notificationMethod(Event::Kind K) {
  return (NotificationPrefix + spell(K)).str();
}

std::optional<Event>
hotjit::wire::eventOfNotification(StringRef Method, const json::Value &Params) {
  if (!Method.consume_front(NotificationPrefix) || !parseEventKind(Method))
    return std::nullopt;
  Expected<Event> E = parse<Event>(Params, Method);
  if (E)
    return std::move(*E);
  consumeError(E.takeError());
  return std::nullopt;
}

//===-- Requests and replies ----------------------------------------------===//

json::Value hotjit::wire::toJSON(const InitializeParams &I) {
  return json::Object{{"protocol", I.Protocol}, {"client", asUtf8(I.Client)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, InitializeParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.mapOptional("protocol", Out.Protocol) &&
         M.mapOptional("client", Out.Client);
}

json::Value hotjit::wire::toJSON(const InitializeReply &I) {
  return json::Object{{"protocol", I.Protocol},
                      {"version", asUtf8(I.Version)},
                      {"pid", I.Pid},
                      {"program", asUtf8(I.Program)},
                      {"capabilities", asUtf8(I.Capabilities)},
                      {"positionEncoding", "utf-8"}};
}

bool hotjit::wire::fromJSON(const json::Value &V, InitializeReply &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("protocol", Out.Protocol) &&
         M.mapOptional("version", Out.Version) &&
         M.mapOptional("pid", Out.Pid) &&
         M.mapOptional("program", Out.Program) &&
         M.mapOptional("capabilities", Out.Capabilities);
}

json::Value hotjit::wire::toJSON(const ReloadParams &R) {
  return json::Object{{"files", asUtf8(R.Files)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, ReloadParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.mapOptional("files", Out.Files);
}

json::Value hotjit::wire::toJSON(const ReinitParams &R) {
  return json::Object{{"variable", asUtf8(R.Variable)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, ReinitParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("variable", Out.Variable);
}

json::Value hotjit::wire::toJSON(const ExplainParams &E) {
  return json::Object{{"function", asUtf8(E.Function)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, ExplainParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("function", Out.Function);
}

json::Value hotjit::wire::toJSON(const ExplainReply::Entry &E) {
  return json::Object{{"reload", E.Reload}, {"verdict", toJSON(E.What)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, ExplainReply::Entry &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && mapUnsigned(V, "reload", Out.Reload, P) &&
         M.map("verdict", Out.What);
}

json::Value hotjit::wire::toJSON(const ExplainReply &E) {
  return json::Object{{"history", json::Array(E.History)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, ExplainReply &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("history", Out.History);
}

json::Value hotjit::wire::toJSON(const FunctionInfo &F) {
  return json::Object{{"name", asUtf8(F.Name)},
                      {"symbol", asUtf8(F.Symbol)},
                      {"unit", asUtf8(F.Unit)},
                      {"generation", F.Generation},
                      {"pending", F.Pending}};
}

bool hotjit::wire::fromJSON(const json::Value &V, FunctionInfo &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("name", Out.Name) && M.mapOptional("symbol", Out.Symbol) &&
         M.mapOptional("unit", Out.Unit) &&
         mapUnsigned(V, "generation", Out.Generation, P) &&
         M.mapOptional("pending", Out.Pending);
}

json::Value hotjit::wire::toJSON(const FunctionsReply &F) {
  return json::Object{{"functions", json::Array(F.Functions)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, FunctionsReply &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("functions", Out.Functions);
}

json::Value hotjit::wire::toJSON(const PendingFrames &F) {
  json::Object O{{"function", asUtf8(F.Function)},
                 {"thread", F.Thread},
                 {"thread_name", asUtf8(F.ThreadName)},
                 {"count", F.Count},
                 {"certain", F.Certain}};
  if (F.Certain)
    O["innermost"] = F.Innermost;
  if (!F.File.empty()) {
    O["file"] = asUtf8(F.File);
    O["line"] = F.Line;
  }
  return O;
}

bool hotjit::wire::fromJSON(const json::Value &V, PendingFrames &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("function", Out.Function) &&
         M.mapOptional("thread", Out.Thread) &&
         M.mapOptional("thread_name", Out.ThreadName) &&
         mapUnsigned(V, "count", Out.Count, P) &&
         M.mapOptional("certain", Out.Certain) &&
         mapUnsigned(V, "innermost", Out.Innermost, P) &&
         M.mapOptional("file", Out.File) && mapUnsigned(V, "line", Out.Line, P);
}

json::Value hotjit::wire::toJSON(const Status &S) {
  return json::Object{{"pid", S.Pid},
                      {"program", asUtf8(S.Program)},
                      {"socket", asUtf8(S.Socket)},
                      {"generation", S.Generation},
                      {"newest", S.Newest},
                      {"paused", S.Paused},
                      {"waiting", S.Waiting},
                      {"units", S.Units},
                      {"memory_bytes", S.MemoryBytes},
                      {"superseded_bytes", S.SupersededBytes},
                      {"text_bytes", S.TextBytes},
                      {"parsed_bytes", S.ParsedBytes},
                      {"ahead", asUtf8(S.Ahead)},
                      {"dirty", asUtf8(S.Dirty)},
                      {"functions", json::Array(S.Functions)},
                      {"pending", asUtf8(S.Pending)},
                      {"pending_frames", json::Array(S.Frames)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, Status &Out, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.mapOptional("pid", Out.Pid) &&
         M.mapOptional("program", Out.Program) &&
         M.mapOptional("socket", Out.Socket) &&
         mapUnsigned(V, "generation", Out.Generation, P) &&
         mapUnsigned(V, "newest", Out.Newest, P) &&
         M.mapOptional("paused", Out.Paused) &&
         M.mapOptional("waiting", Out.Waiting) &&
         M.mapOptional("units", Out.Units) &&
         M.mapOptional("memory_bytes", Out.MemoryBytes) &&
         M.mapOptional("superseded_bytes", Out.SupersededBytes) &&
         M.mapOptional("text_bytes", Out.TextBytes) &&
         M.mapOptional("parsed_bytes", Out.ParsedBytes) &&
         M.mapOptional("ahead", Out.Ahead) &&
         M.mapOptional("dirty", Out.Dirty) &&
         M.mapOptional("functions", Out.Functions) &&
         M.mapOptional("pending", Out.Pending) &&
         M.mapOptional("pending_frames", Out.Frames);
}

json::Value hotjit::wire::toJSON(const LogReply &L) {
  return json::Object{{"events", json::Array(L.Events)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, LogReply &Out, json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("events", Out.Events);
}

json::Value hotjit::wire::toJSON(const DidOpenParams &D) {
  return json::Object{{"file", asUtf8(D.File)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, DidOpenParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("file", Out.File);
}

json::Value hotjit::wire::toJSON(const DidChangeParams &D) {
  return json::Object{{"file", asUtf8(D.File)}, {"text", asUtf8(D.Text)}};
}

bool hotjit::wire::fromJSON(const json::Value &V, DidChangeParams &Out,
                            json::Path P) {
  json::ObjectMapper M(V, P);
  return M && M.map("file", Out.File) && M.map("text", Out.Text);
}
