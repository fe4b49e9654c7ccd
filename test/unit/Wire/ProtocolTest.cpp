#include "Wire/Protocol.h"

#include "ErrorMatchers.h"

#include "llvm/Support/FormatVariadic.h"

using namespace hotjit::wire;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

template <typename T> void roundTrip(const T &Original) {
  std::string Text = formatv("{0}", toJSON(Original));
  Expected<json::Value> V = json::parse(Text);
  ASSERT_TRUE(static_cast<bool>(V)) << toString(V.takeError());
  Expected<T> Back = parse<T>(*V, "value");
  ASSERT_TRUE(static_cast<bool>(Back)) << toString(Back.takeError()) << "\n"
                                       << Text;
  EXPECT_TRUE(*Back == Original) << Text;
}

Verdict someVerdict() {
  Verdict V;
  V.Function = "_ZN6Widget4drawEv";
  V.Name = "Widget::draw";
  V.File = "/p/widget.cpp";
  V.Line = 12;
  V.Kind = VerdictKind::Partial;
  V.Code = "HJ1107";
  V.Message = "inlined into \"main\"\n";
  V.Edited = false;
  return V;
}

Diagnostic someDiagnostic() {
  Diagnostic D;
  D.Range = lsp::Range(lsp::Position(3, 4), lsp::Position(3, 9));
  D.Severity = lsp::DiagnosticSeverity::Warning;
  D.Code = "-Wunused-variable";
  D.Source = "clang";
  D.Message = "unused variable 'x'";
  D.File = "/p/widget.h";
  return D;
}

FunctionInfo someFunction() { return {"f(int)", "_Z1fi", "/p/a.cpp", 3, true}; }

/// An event of that kind with every member set that the kind has.
Event someEvent(Event::Kind K) {
  Event E;
  E.What = K;
  E.TimeNs = int64_t(1) << 52;
  switch (K) {
  case Event::Kind::Ready:
    E.Pid = 4711;
    E.Units = 33;
    E.Functions = 812;
    E.Socket = "/run/user/1/hotjit/4711.sock";
    E.ElapsedMs = 180.5;
    E.Stale = {"/p/a.c"};
    E.Notes = {"no compile command for b.c"};
    return E;
  case Event::Kind::Loaded:
    E.Stale = {"/p/plugin.c"};
    E.Notes = {"no compile command for plugin.c"};
    [[fallthrough]];
  case Event::Kind::Unloaded:
    E.Files = {"/p/plugin.so"};
    E.Units = 3;
    return E;
  case Event::Kind::Diagnostics:
    E.Reload = 2;
    E.File = "/p/widget.cpp";
    E.Items = {someDiagnostic()};
    E.Rendered = "widget.cpp:4:5: warning: unused variable 'x'\n";
    return E;
  case Event::Kind::Reloaded:
    E.Generation = 7;
    [[fallthrough]];
  case Event::Kind::Refused:
    E.Verdicts = {someVerdict(), Verdict()};
    E.Unchanged = 40;
    [[fallthrough]];
  case Event::Kind::Changed:
  case Event::Kind::Waiting:
  case Event::Kind::Unchanged:
  case Event::Kind::Failed:
    E.Reload = 2;
    E.Files = {"/p/widget.cpp", "/p/widget.h"};
    if (K != Event::Kind::Changed && K != Event::Kind::Waiting)
      E.Times = Timings{1, 2.5, 3, 4, 5, 0.01, 15.51};
    if (K == Event::Kind::Failed) {
      E.Stage = "link";
      E.Message = "no symbol 'g'";
    }
    return E;
  case Event::Kind::Settled:
    E.Reload = 2;
    E.SettledFunctions = {"f", "g"};
    return E;
  case Event::Kind::Undone:
  case Event::Kind::Redone:
  case Event::Kind::Paused:
  case Event::Kind::Resumed:
    E.Generation = 0;
    return E;
  case Event::Kind::Crashed:
    E.Generation = 3;
    E.Signal = 11;
    E.CrashedFunction = "f";
    E.Backtrace = {"f at a.c:3", "main"};
    E.Action = "undone";
    return E;
  case Event::Kind::Off:
    E.Message = "seccomp";
    return E;
  }
  return E;
}

constexpr Event::Kind AllKinds[] = {
    Event::Kind::Ready,     Event::Kind::Changed,  Event::Kind::Diagnostics,
    Event::Kind::Reloaded,  Event::Kind::Refused,  Event::Kind::Failed,
    Event::Kind::Unchanged, Event::Kind::Settled,  Event::Kind::Undone,
    Event::Kind::Loaded,    Event::Kind::Unloaded, Event::Kind::Redone,
    Event::Kind::Paused,    Event::Kind::Resumed,  Event::Kind::Crashed,
    Event::Kind::Waiting,   Event::Kind::Off,
};

TEST(Protocol, EventsSurviveTheTrip) {
  for (Event::Kind K : AllKinds)
    roundTrip(someEvent(K));
}

TEST(Protocol, KindsOfEventsHaveNamesOfTheirOwn) {
  for (Event::Kind K : AllKinds)
    EXPECT_EQ(parseEventKind(spell(K)), K) << spell(K).str();
}

TEST(Protocol, NotificationsCarryEvents) {
  for (Event::Kind K : AllKinds) {
    Event E = someEvent(K);
    EXPECT_EQ(eventOfNotification(notificationMethod(K), toJSON(E)), E);
  }
  EXPECT_EQ(eventOfNotification("hotjit/unknown", json::Object()),
            std::nullopt);
  EXPECT_EQ(eventOfNotification("textDocument/didOpen", json::Object()),
            std::nullopt);
}

TEST(Protocol, EventsHaveTheNamesOfTheirDocumentation) {
  std::string Text = formatv("{0}", toJSON(someEvent(Event::Kind::Reloaded)));
  for (const char *Member :
       {"\"event\":\"reloaded\"", "\"time_ns\":4503599627370496",
        "\"reload\":2", "\"generation\":7", "\"files\":[\"/p/widget.cpp\"",
        "\"unchanged\":40", "\"verdict\":\"partial\"", "\"code\":\"HJ1107\"",
        "\"function\":\"_ZN6Widget4drawEv\"", "\"commit\":0.01"})
    EXPECT_THAT(Text, HasSubstr(Member));
}

TEST(Protocol, DiagnosticsAreThoseOfLsp) {
  std::string Text = formatv("{0}", toJSON(someDiagnostic()));
  EXPECT_EQ(Text, "{\"code\":\"-Wunused-variable\","
                  "\"data\":{\"file\":\"/p/widget.h\"},"
                  "\"message\":\"unused variable 'x'\","
                  "\"range\":{\"end\":{\"character\":9,\"line\":3},"
                  "\"start\":{\"character\":4,\"line\":3}},"
                  "\"severity\":2,\"source\":\"clang\"}");
}

TEST(Protocol, RequestsAndRepliesSurviveTheTrip) {
  roundTrip(someVerdict());
  roundTrip(someDiagnostic());
  roundTrip(InitializeParams{1, "vim"});
  roundTrip(InitializeReply{1, "0.1.0", 4711, "/p/a.out", {"hotjit/undo"}});
  roundTrip(ReloadParams{{"/p/a.c"}});
  roundTrip(ReinitParams{"limit"});
  roundTrip(ExplainParams{"f"});
  roundTrip(ExplainReply{{{2, someVerdict()}}});
  roundTrip(FunctionsReply{{someFunction()}});
  roundTrip(LogReply{{someEvent(Event::Kind::Ready)}});
  roundTrip(DidOpenParams{"/p/a.c"});
  roundTrip(DidChangeParams{"/p/a.c", "int x;\n"});
  Status S;
  S.Pid = 1;
  S.Program = "/p/a.out";
  S.Socket = "/s";
  S.Generation = 2;
  S.Newest = 3;
  S.Paused = true;
  S.Units = 4;
  S.MemoryBytes = uint64_t(1) << 40;
  S.SupersededBytes = 5;
  S.TextBytes = 6;
  S.ParsedBytes = 7;
  S.Ahead = {"/p/a.c"};
  S.Dirty = {"/p/b.c"};
  S.Functions = {someFunction()};
  S.Pending = {"main"};
  S.Frames = {{"main", 4711, "worker", 2, 3, "/p/a.c", 7, true},
              {"main", 4712, "", 1, 0, "", 0, false}};
  roundTrip(S);
}

TEST(Protocol, TextThatIsNotUtf8IsReplaced) {
  Verdict V;
  V.File = "/p/\xff.c";
  ASSERT_GET(Verdict Back, parse<Verdict>(toJSON(V), "verdict"));
  EXPECT_EQ(Back.File, "/p/\xEF\xBF\xBD.c");
}

template <typename T> std::string problem(StringRef Text) {
  Expected<json::Value> V = json::parse(Text);
  if (!V)
    return toString(V.takeError());
  return messageOf(parse<T>(*V, "x"));
}

TEST(Protocol, WrongTypesAreErrorsThatNameTheMember) {
  EXPECT_THAT(problem<ReloadParams>("{\"files\":1}"), HasSubstr("x.files"));
  EXPECT_THAT(problem<ReloadParams>("[]"), HasSubstr("expected object"));
  EXPECT_THAT(problem<ReinitParams>("{}"), HasSubstr("x.variable"));
  EXPECT_THAT(problem<Event>("{\"event\":\"jumped\"}"), HasSubstr("x.event"));
  EXPECT_THAT(problem<Event>("{\"event\":\"ready\",\"reload\":-1}"),
              HasSubstr("x.reload"));
  EXPECT_THAT(problem<Verdict>("{\"verdict\":\"maybe\"}"),
              HasSubstr("x.verdict"));
}

TEST(Protocol, UnknownMembersAndMissingParamsAreFine) {
  EXPECT_EQ(problem<ReloadParams>("{\"later\":[1]}"), "");
  EXPECT_EQ(problem<ReloadParams>("null"), "");
  EXPECT_EQ(problem<Event>("{\"event\":\"paused\"}"), "");
}

} // namespace
