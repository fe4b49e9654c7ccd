#include "Wire/Render.h"

#include "llvm/ADT/StringRef.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

using namespace hotjit::wire;
using testing::HasSubstr;
using testing::Not;

namespace {

Verdict verdict(VerdictKind K, std::string Name, std::string File,
                std::string Message = "", std::string Code = "") {
  Verdict V;
  V.Kind = K;
  V.Name = std::move(Name);
  V.File = std::move(File);
  V.Line = 12;
  V.Message = std::move(Message);
  V.Code = std::move(Code);
  return V;
}

Event event(Event::Kind K, unsigned Reload = 0) {
  Event E;
  E.What = K;
  E.Reload = Reload;
  return E;
}

std::string render(const Event &E, bool Verbose = false) {
  RenderOptions Options;
  Options.Verbose = Verbose;
  return Renderer(Options).render(E);
}

TEST(Render, Ready) {
  Event E = event(Event::Kind::Ready);
  E.Units = 33;
  E.Functions = 812;
  E.Socket = "/run/user/1/hotjit/4711.sock";
  E.ElapsedMs = 180;
  EXPECT_EQ(render(E),
            "[hotjit] ready: 33 translation units, 812 functions, socket "
            "/run/user/1/hotjit/4711.sock (0.18 s)\n");
}

TEST(Render, ReadyTellsWhatIsStale) {
  Event E = event(Event::Kind::Ready);
  E.Units = 1;
  E.Stale = {"/p/a.c"};
  E.Notes = {"no compile command for b.c"};
  EXPECT_THAT(render(E),
              HasSubstr("[hotjit] note: newer than the program: a.c\n"
                        "[hotjit] note: no compile command for b.c\n"));
}

TEST(Render, DiagnosticsAfterTheEndAreShownAtOnce) {
  Renderer R(RenderOptions{});
  Event Found = event(Event::Kind::Diagnostics, 1);
  Found.File = "/p/b.cpp";
  Found.Rendered = "a.h:1:2: error: use of undeclared identifier 'x'";
  EXPECT_EQ(R.render(Found), "");
  EXPECT_THAT(R.render(event(Event::Kind::Reloaded, 1)),
              HasSubstr("a.h:1:2: error"));
  EXPECT_EQ(R.render(Found),
            "[hotjit] #1 failed: b.cpp: does not compile with what is live; a "
            "build will fail\n"
            "a.h:1:2: error: use of undeclared identifier 'x'\n");
}

Event live() {
  Event E = event(Event::Kind::Reloaded, 1);
  E.Files = {"/lua/lstrlib.c"};
  E.Verdicts = {verdict(VerdictKind::Live, "str_upper", "/lua/lstrlib.c")};
  E.Times = Timings{0.3, 15.2, 6, 0.4, 2, 0.012, 24.1};
  return E;
}

TEST(Render, Live) {
  EXPECT_EQ(render(live()),
            "[hotjit] #1 live: lstrlib.c: str_upper in 24 ms (parse 15, "
            "compile 6, link 2, commit 0.01)\n");
}

TEST(Render, NamesAreThoseThatPeopleWrite) {
  EXPECT_EQ(asWritten("f(std::__cxx11::basic_string<char, "
                      "std::char_traits<char>, std::allocator<char>> const&)"),
            "f(std::string const&)");
  EXPECT_EQ(asWritten("S::names[abi:cxx11]()"), "S::names()");
}

TEST(Render, VerboseShowsAllPhases) {
  EXPECT_THAT(render(live(), true),
              HasSubstr("(detect 0.3, parse 15, compile 6, diff 0.4, link 2, "
                        "commit 0.01)"));
}

TEST(Render, ManyReasonsAreCounted) {
  Event E = event(Event::Kind::Refused, 1);
  for (int I = 0; I != 9; ++I)
    E.Verdicts.push_back(
        verdict(VerdictKind::Refused, "f", "/lua/a.c", "'f' cannot", "HJ2001"));
  std::string Text = render(E);
  EXPECT_EQ(llvm::StringRef(Text).count("HJ2001"), 4u);
  EXPECT_THAT(Text, HasSubstr("[hotjit] #1 refused: and 5 more reasons; hotjit "
                              "log --json has them\n"));
  E.Verdicts.resize(5);
  EXPECT_EQ(llvm::StringRef(render(E)).count("HJ2001"), 5u);
}

TEST(Render, FilesThatWereRefusedBeforeAreNamed) {
  Event E = live();
  E.Verdicts.push_back(
      verdict(VerdictKind::Held, "a.h", "/lua/a.h", "not live since #1"));
  E.Times.reset();
  EXPECT_EQ(render(E),
            "[hotjit] #1 live: lstrlib.c: str_upper; not live: a.h\n");
}

TEST(Render, PendingSaysWhy) {
  Event E = live();
  E.Verdicts = {verdict(VerdictKind::Pending, "luaV_execute", "/lua/lvm.c",
                        "on the stack of thread 7", "HJ1103")};
  E.Times.reset();
  EXPECT_EQ(render(E), "[hotjit] #1 pending: lvm.c: luaV_execute\n"
                       "[hotjit] #1 pending: luaV_execute: on the stack of "
                       "thread 7 HJ1103\n");
}

TEST(Render, KindsStandInOneLine) {
  Event E = live();
  E.Times.reset();
  E.Verdicts.push_back(verdict(VerdictKind::Added, "g", "/lua/lstrlib.c"));
  E.Verdicts.push_back(verdict(VerdictKind::Pending, "main", "/lua/lua.c"));
  Verdict Along = verdict(VerdictKind::Live, "caller", "/lua/lstrlib.c");
  Along.Edited = false;
  E.Verdicts.push_back(Along);
  EXPECT_EQ(render(E), "[hotjit] #1 live: lstrlib.c: str_upper; added: "
                       "lstrlib.c: g; pending: lua.c: main (+1 that depend on "
                       "it)\n");
}

TEST(Render, SameNamesAreToldApart) {
  Event E = live();
  E.Times.reset();
  E.Files = {"/p/one/util.c", "/p/two/util.c"};
  E.Verdicts = {verdict(VerdictKind::Live, "f", "/p/one/util.c"),
                verdict(VerdictKind::Live, "g", "/p/two/util.c")};
  EXPECT_EQ(render(E), "[hotjit] #1 live: one/util.c: f; two/util.c: g\n");
}

// An edited header may mean hundreds of functions in dozens of files.
TEST(Render, FunctionsOfManyFilesAreCounted) {
  Event E = live();
  E.Times.reset();
  E.Verdicts.clear();
  for (const char *File :
       {"/p/a.c", "/p/b.c", "/p/c.c", "/p/d.c", "/p/e.c", "/p/f.c"}) {
    E.Verdicts.push_back(verdict(VerdictKind::Live, "f", File));
    E.Verdicts.push_back(verdict(VerdictKind::Live, "g", File));
  }
  EXPECT_EQ(render(E), "[hotjit] #1 live: a.c: f, g; b.c: f, g; c.c: f, g; "
                       "d.c: f, g; and 4 more in 2 other files\n");
}

TEST(Render, RefusedHasALineForEachReason) {
  Event E = event(Event::Kind::Refused, 2);
  E.Files = {"/p/widget.h"};
  E.Verdicts = {
      verdict(VerdictKind::Refused, "Widget", "/p/widget.h",
              "size of 'Widget' changed 24 -> 32", "HJ1402"),
      verdict(VerdictKind::Refused, "f", "/p/a.c", "ends in a jump", "HJ2001"),
      verdict(VerdictKind::Held, "g", "/p/a.c", "held back")};
  EXPECT_EQ(render(E),
            "[hotjit] #2 refused: widget.h:12: size of 'Widget' changed 24 -> "
            "32 HJ1402\n"
            "[hotjit] #2 refused: a.c:12: f: ends in a jump HJ2001\n"
            "[hotjit] #2 held: a.c: g\n");
}

TEST(Render, APlaceInTheMessageIsNotRepeated) {
  Event E = event(Event::Kind::Refused, 2);
  E.Verdicts = {verdict(VerdictKind::Refused, "W", "/p/w.h",
                        "w.h:12: size of 'W' changed", "HJ1402")};
  EXPECT_EQ(render(E),
            "[hotjit] #2 refused: w.h:12: size of 'W' changed HJ1402\n");
}

TEST(Render, FailedShowsTheDiagnosticsThatCameBefore) {
  Renderer R({});
  Event D = event(Event::Kind::Diagnostics, 3);
  D.Rendered = "a.c:3:1: error: expected ';'\n";
  EXPECT_EQ(R.render(D), "");
  Event Other = event(Event::Kind::Unchanged, 2);
  EXPECT_THAT(R.render(Other), Not(HasSubstr("expected ';'")));
  Event E = event(Event::Kind::Failed, 3);
  E.Files = {"/p/a.c"};
  E.Stage = "compile";
  E.Message = "the new text does not compile";
  EXPECT_EQ(R.render(E),
            "[hotjit] #3 failed: a.c: the new text does not compile\n"
            "a.c:3:1: error: expected ';'\n");
  EXPECT_THAT(R.render(E), Not(HasSubstr("expected ';'")));
}

TEST(Render, OtherFailuresNameTheirStage) {
  Event E = event(Event::Kind::Failed, 3);
  E.Stage = "link";
  E.Message = "no symbol 'g'";
  EXPECT_EQ(render(E), "[hotjit] #3 failed: link: no symbol 'g'\n");
}

TEST(Render, SupersededIsShownOnlyWhenAsked) {
  Event E = event(Event::Kind::Failed, 3);
  E.Stage = "superseded";
  E.Message = "a later save";
  EXPECT_EQ(render(E), "");
  EXPECT_NE(render(E, true), "");
}

TEST(Render, TheRest) {
  Event E = event(Event::Kind::Unchanged, 4);
  E.Files = {"/p/a.c"};
  E.Times = Timings();
  E.Times->Total = 5.04;
  EXPECT_EQ(render(E), "[hotjit] #4 unchanged: a.c: no code change in 5 ms\n");
  E.Files.clear();
  EXPECT_EQ(render(E), "[hotjit] #4 unchanged: no code change in 5 ms\n");
  E = event(Event::Kind::Settled, 4);
  E.SettledFunctions = {"f", "g"};
  EXPECT_EQ(render(E),
            "[hotjit] #4 settled: f, g: no old code runs any more\n");
  E = event(Event::Kind::Undone);
  E.Generation = 2;
  EXPECT_EQ(render(E), "[hotjit] undone: generation 2 is live\n");
  E.Generation = 0;
  EXPECT_EQ(render(E), "[hotjit] undone: the program runs as it was built\n");
  E = event(Event::Kind::Paused);
  EXPECT_EQ(render(E), "[hotjit] paused: saves wait for 'hotjit resume'\n");
  E = event(Event::Kind::Resumed);
  EXPECT_EQ(render(E), "[hotjit] resumed\n");
  E = event(Event::Kind::Off);
  E.Message = "seccomp";
  EXPECT_EQ(render(E), "[hotjit] off: seccomp; the program runs on\n");
  E = event(Event::Kind::Changed, 5);
  EXPECT_EQ(render(E), "");
}

TEST(Render, LongListsAreCounted) {
  Event E = live();
  E.Times.reset();
  E.Verdicts.clear();
  for (char C = 'a'; C < 'j'; ++C)
    E.Verdicts.push_back(
        verdict(VerdictKind::Live, std::string(1, C), "/p/x.c"));
  EXPECT_EQ(render(E), "[hotjit] #1 live: x.c: a, b, c, d, e, f and 3 more\n");
}

TEST(Render, NothingSteersTheTerminal) {
  Event E = event(Event::Kind::Off);
  E.Message = "\033[2J\x07";
  EXPECT_EQ(render(E), "[hotjit] off: ?[2J?; the program runs on\n");
}

TEST(Render, ColorsOnlyTheVerdict) {
  RenderOptions Options;
  Options.Color = true;
  EXPECT_THAT(Renderer(Options).render(live()),
              testing::StartsWith("[hotjit] #1 \033[1;32mlive\033[0m: "));
}

TEST(Render, Milliseconds) {
  EXPECT_EQ(renderMilliseconds(24.4), "24");
  EXPECT_EQ(renderMilliseconds(9.96), "10");
  EXPECT_EQ(renderMilliseconds(2.34), "2.3");
  EXPECT_EQ(renderMilliseconds(2), "2");
  EXPECT_EQ(renderMilliseconds(0.012), "0.01");
  EXPECT_EQ(renderMilliseconds(0), "0");
  EXPECT_EQ(renderMilliseconds(100), "100");
}

} // namespace
