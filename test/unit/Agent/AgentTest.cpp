// libhotjit.so in small programs, beside a fake engine. HOTJIT_TEST_TREE has
// bin/program, bin/linked, lib/libhotjit.so, lib/libhotjit-engine.so.

#include "Subprocess.h"
#include "TemporaryFolder.h"

#include "Wire/SocketFolder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "gmock/gmock.h"

using namespace hotjit;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string Agent = HOTJIT_TEST_TREE "/lib/libhotjit.so";
const std::string Program = HOTJIT_TEST_TREE "/bin/program";

class AgentTest : public testing::Test {
protected:
  Subprocess::Strings on(std::string Wish = "") {
    return {"LD_PRELOAD=" + Agent, "HOTJIT=1", "PATH=/usr/bin:/bin",
            "XDG_RUNTIME_DIR=" + Top.path(), "TEST_ENGINE=" + Wish};
  }
  std::string run(Subprocess::Strings Words, Subprocess::Strings Environment) {
    Subprocess P(std::move(Words), std::move(Environment));
    Status = P.wait();
    Errors = P.Errors;
    return P.Output;
  }

  TemporaryFolder Top;
  std::string Errors;
  int Status = 0;
};

/// The mapped files and kinds of memory, and how many of each.
std::vector<std::string> mappings(StringRef Maps) {
  std::vector<std::string> Names;
  SmallVector<StringRef, 64> Lines;
  Maps.split(Lines, '\n', -1, false);
  for (StringRef L : Lines)
    Names.push_back(L.substr(std::min<size_t>(73, L.size())).trim().str());
  return Names;
}

TEST_F(AgentTest, OffMapsNothingButItself) {
  std::string Without = run({Program, "maps"}, {});
  std::string With = run({Program, "maps"}, {"LD_PRELOAD=" + Agent});
  std::vector<std::string> Rest;
  for (const std::string &Name : mappings(With))
    if (Name != Agent)
      Rest.push_back(Name);
  EXPECT_EQ(Rest, mappings(Without));
  EXPECT_NE(Rest.size(), mappings(With).size());
}

TEST_F(AgentTest, OffStartsNoThreadAndNoSocket) {
  EXPECT_THAT(run({Program, "threads"},
                  {"LD_PRELOAD=" + Agent, "XDG_RUNTIME_DIR=" + Top.path()}),
              HasSubstr("Threads:\t1\n"));
  EXPECT_TRUE(std::filesystem::is_empty(Top.path()));
}

TEST_F(AgentTest, OffLeavesTheEnvironmentAlone) {
  EXPECT_THAT(run({Program, "environment"},
                  {"LD_PRELOAD=" + Agent, "HOTJIT=0", "HOTJIT_X=1"}),
              testing::AllOf(HasSubstr("LD_PRELOAD=" + Agent),
                             HasSubstr("HOTJIT=0"), HasSubstr("HOTJIT_X=1")));
}

TEST_F(AgentTest, CleansTheEnvironmentBeforeMain) {
  Subprocess::Strings E = on();
  E.push_back("HOTJIT_TRIGGER=manual");
  E.push_back("HOTJIT_SOCKET=" + (Top / "s.sock"));
  std::string Socket = "HOTJIT_PROGRAM_SOCKET=" + (Top / "s.sock") + "\n";
  EXPECT_EQ(run({Program, "environment"}, E), Socket + "--\n" + Socket);
}

TEST_F(AgentTest, KeepsOtherPreloadedLibraries) {
  Subprocess::Strings E = on();
  E[0] = "LD_PRELOAD=/nonexistent/a.so " + Agent + ":/nonexistent/b.so";
  EXPECT_THAT(run({Program, "environment"}, E),
              HasSubstr("LD_PRELOAD=/nonexistent/a.so:/nonexistent/b.so\n"));
}

TEST_F(AgentTest, AnExecutedProgramStartsWithoutHotjit) {
  std::string Out = run({Program, "exec"}, on());
  EXPECT_THAT(Out, Not(HasSubstr("LD_PRELOAD")));
  EXPECT_THAT(Out, Not(HasSubstr("HOTJIT=")));
  EXPECT_THAT(Out, HasSubstr("HOTJIT_PROGRAM_SOCKET="));
}

TEST_F(AgentTest, TheDefaultSocketIsWhereClientsLook) {
  Subprocess P({Program, "wait"}, on("options"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  std::string Socket =
      wire::socketPath(wire::socketFolder(Top.path(), ::geteuid()), P.Pid);
  EXPECT_THAT(P.Output, HasSubstr("socket " + Socket + "\n"));
  Subprocess::Strings NoRuntime = on("options");
  NoRuntime[3] = "XDG_RUNTIME_DIR=relative";
  NoRuntime.push_back("HOTJIT_VERBOSE=0");
  Subprocess Q({Program, "wait"}, NoRuntime);
  ASSERT_TRUE(Q.awaitOutput("engine on"));
  Socket = wire::socketPath(wire::socketFolder("", ::geteuid()), Q.Pid);
  EXPECT_THAT(Q.Output, HasSubstr("socket " + Socket + "\n"));
}

TEST_F(AgentTest, OptionsReachTheEngine) {
  Subprocess::Strings E = on("options");
  for (const char *Variable :
       {"HOTJIT_BUILD_DIR=build", "HOTJIT_TRIGGER=manual", "HOTJIT_DEBOUNCE=35",
        "HOTJIT_FENCE=off", "HOTJIT_INCLUDE=src/*:lib/*", "HOTJIT_LOG=/tmp/l",
        "HOTJIT_EVENTS=-", "HOTJIT_LAUNCHER=1"})
    E.push_back(Variable);
  Subprocess P({Program, "wait"}, E);
  ASSERT_TRUE(P.awaitOutput("engine on"));
  std::string Here = std::filesystem::current_path();
  for (std::string Line :
       {"build_dir " + Here + "/build", std::string("trigger 1"),
        std::string("debounce 35"), std::string("fence 0"),
        std::string("launcher 1"), std::string("log /tmp/l"),
        std::string("events -"), std::string("include src/*\ninclude lib/*")})
    EXPECT_THAT(P.Output, HasSubstr(Line + "\n"));
  EXPECT_THAT(P.Output, Not(HasSubstr("exclude")));
}

TEST_F(AgentTest, OptionsHaveDefaults) {
  Subprocess P({Program, "wait"}, on("options"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  EXPECT_THAT(P.Output, HasSubstr("build_dir (none)\nlog (none)\n"
                                  "events (none)\n"));
  EXPECT_THAT(P.Output, HasSubstr("trigger 0\ndebounce -1\nfence -1\n"
                                  "launcher 0\n"));
}

TEST_F(AgentTest, AWrongValueTurnsItOffAndTheProgramRuns) {
  for (std::string Bad : {"HOTJIT_TRIGGER=never", "HOTJIT_DEBOUNCE=-1",
                          "HOTJIT_DEBOUNCE=", "HOTJIT_FENCE=maybe"}) {
    Subprocess::Strings E = on();
    E.push_back(Bad);
    run({Program, "exit", "3"}, E);
    EXPECT_THAT(Errors, HasSubstr("[hotjit] off: " + Bad + ": expected "));
    EXPECT_EQ(WEXITSTATUS(Status), 3);
  }
}

TEST_F(AgentTest, AnEngineThatRefusesIsNamedAndTheProgramRuns) {
  Subprocess P({Program, "wait"}, on("refuse"));
  EXPECT_TRUE(
      P.awaitErrors("[hotjit] off: the test says no; the program runs on\n"));
  P.writeLine();
  EXPECT_EQ(P.wait(), 0);
}

TEST_F(AgentTest, AMissingEngineIsNamedAndTheProgramRuns) {
  std::filesystem::copy_file(Agent, Top / "libhotjit.so");
  Subprocess::Strings E = on();
  E[0] = "LD_PRELOAD=" + (Top / "libhotjit.so");
  Subprocess P({Program, "wait"}, E);
  EXPECT_TRUE(P.awaitErrors("libhotjit-engine.so"));
  P.writeLine();
  EXPECT_EQ(P.wait(), 0);
}

TEST_F(AgentTest, JobsRunOnTheAgentsThread) {
  Subprocess P({Program, "wait"}, on("job"));
  EXPECT_TRUE(P.awaitOutput("job ran on hotjit\n"));
}

TEST_F(AgentTest, AForkedChildHasNoThreadAndKeepsSigillOpen) {
  Subprocess P({Program, "fork"}, on("sigill"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  P.writeLine();
  EXPECT_EQ(P.wait(), 0);
  EXPECT_THAT(P.Output, HasSubstr("child: SIGILL open\n"));
  EXPECT_THAT(P.Output, HasSubstr("Threads:\t1\n"));
}

//===-- SIGILL ------------------------------------------------------------===//

TEST_F(AgentTest, SigillIsKeptForTheEngineAndPassedOn) {
  Subprocess P({Program, "illegal"}, on("sigill"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  P.writeLine();
  int Status = P.wait();
  EXPECT_THAT(P.Output, Not(HasSubstr("FAILED")));
  // raise() with a handler and with SIG_IGN, then an illegal instruction with
  // all signals blocked: the engine is first each time.
  EXPECT_THAT(P.Output, HasSubstr("engine on\n"
                                  "engine first\nprogram's handler\n"
                                  "engine first\n"
                                  "checked\n"
                                  "engine first\nprogram's handler\n"));
  EXPECT_TRUE(WIFEXITED(Status) && WEXITSTATUS(Status) == 7);
}

TEST_F(AgentTest, WithoutAHandlerAnIllegalInstructionStillKills) {
  Subprocess P({Program, "die-illegal"}, on("sigill"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  P.writeLine();
  int Status = P.wait();
  EXPECT_THAT(P.Output, HasSubstr("engine first\n"));
  EXPECT_TRUE(WIFSIGNALED(Status) && WTERMSIG(Status) == SIGILL);
}

TEST_F(AgentTest, WithoutAnEngineSigillIsAsItWas) {
  // The masks are kept from hotjit's start on; the handlers are the program's.
  Subprocess P({Program, "illegal"}, on("other"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  P.writeLine();
  int Status = P.wait();
  EXPECT_THAT(P.Output, Not(HasSubstr("FAILED")));
  EXPECT_TRUE(WIFEXITED(Status) && WEXITSTATUS(Status) == 7);
}

TEST_F(AgentTest, OffSigillCanBeBlocked) {
  Subprocess P({Program, "illegal"}, {"LD_PRELOAD=" + Agent});
  P.writeLine();
  P.wait();
  EXPECT_THAT(P.Output, HasSubstr("FAILED: not blocked in the kernel"));
}

//===-- The library -------------------------------------------------------===//

const std::string Linked = HOTJIT_TEST_TREE "/bin/linked";

TEST_F(AgentTest, TheLibraryOffSaysOff) {
  EXPECT_EQ(run({Linked}, {}), "generation 0\n"
                               "undo 1: hotjit is off\n"
                               "reload 1: hotjit is off\n"
                               "on_reload 1: hotjit is off\n"
                               "on_reload 1: hotjit is off\n"
                               "on_reload 1: hotjit is off\n"
                               "guard 0\n"
                               "called 1, diagnostics none\n"
                               "on_reload 1: hotjit is off\n");
}

// Registered twice is called once; what would wait for itself says so; a
// callback may take itself out.
TEST_F(AgentTest, TheLibraryOnAsksTheEngine) {
  std::string Out = run({Linked, Top / "s.sock"}, {});
  auto [Before, After] = StringRef(Out).split("start 0\n");
  std::string Inside = "inside: undo 2: hotjit_undo: not from a reload "
                       "callback\n"
                       "inside: reload 2: hotjit_reload: not from a reload "
                       "callback\n"
                       "inside: stop 2: hotjit_stop: not from a reload "
                       "callback\n";
  EXPECT_EQ(After, "start 0\n"
                   "generation 42\n"
                   "undo 2: nothing to undo\n"
                   "reload 0\n"
                   "on_reload 0\n"
                   "on_reload 0\n"
                   "on_reload 0\n"
                   "guard 0\n"
                   "called 1, diagnostics a.c:1: warning: x\n" +
                       Inside + "callback says early\n" + Inside +
                       "inside: on_reload 0\n"
                       "callback says late\n" +
                       Inside +
                       "callback says early\n"
                       "on_reload 0\n"
                       "stop 0\n"
                       "stop 1: hotjit is off\n"
                       "start 3: hotjit_start after hotjit_stop or fork: not "
                       "in this version\n"
                       "generation 0\n");
}

} // namespace
