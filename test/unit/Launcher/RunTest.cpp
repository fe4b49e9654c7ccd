// `hotjit run` and the commands, as processes, with the fake engine: what the
// launcher prints, how it ends, what it passes on.

#include "Subprocess.h"
#include "TemporaryFolder.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gmock/gmock.h"

using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

const std::string Hotjit = HOTJIT_TEST_TREE "/bin/hotjit";
const std::string Program = HOTJIT_TEST_TREE "/bin/program";

class RunTest : public testing::Test {
protected:
  using Strings = Subprocess::Strings;

  Strings environment(std::string Wish) {
    return {"PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=" + Top.path(),
            "TEST_ENGINE=" + Wish};
  }
  /// Runs to the end; the exit status, or minus the signal.
  int hotjit(Strings Words, std::string Wish = "") {
    Words.insert(Words.begin(), Hotjit);
    Subprocess P(Words, environment(Wish));
    P.closeStdin();
    int Status = P.wait();
    Output = P.Output;
    Errors = P.Errors;
    return WIFEXITED(Status) ? WEXITSTATUS(Status) : -WTERMSIG(Status);
  }
  /// A program that waits for a line, and is ready.
  std::unique_ptr<Subprocess> start(Strings Options = {}) {
    Strings Words = {Hotjit, "run"};
    Words.insert(Words.end(), Options.begin(), Options.end());
    Words.insert(Words.end(), {Program, "wait"});
    auto P = std::make_unique<Subprocess>(Words, environment(""));
    EXPECT_TRUE(P->awaitErrors("ready:")) << P->Errors;
    return P;
  }

  std::string textOf(const char *Name) {
    auto Text = MemoryBuffer::getFileAsStream(Top / Name);
    return Text ? (*Text)->getBuffer().str() : "";
  }

  TemporaryFolder Top;
  std::string Output, Errors;
};

TEST_F(RunTest, EndsWithTheStatusOfTheProgram) {
  EXPECT_EQ(hotjit({"run", Program, "exit", "0"}), 0);
  EXPECT_EQ(hotjit({"run", Program, "exit", "1"}), 1);
  EXPECT_EQ(hotjit({"run", "--", Program, "exit", "255"}), 255);
}

TEST_F(RunTest, DiesByTheSignalOfTheProgram) {
  EXPECT_EQ(hotjit({"run", Program, "kill", std::to_string(SIGTERM)}),
            -SIGTERM);
  EXPECT_EQ(hotjit({"run", Program, "kill", std::to_string(SIGKILL)}),
            -SIGKILL);
  EXPECT_EQ(hotjit({"run", Program, "kill", std::to_string(SIGSEGV)}),
            -SIGSEGV);
}

TEST_F(RunTest, PassesOnSignalsSentToIt) {
  for (int Signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT, SIGALRM}) {
    Subprocess P({Hotjit, "run", Program, "signal"}, environment(""));
    ASSERT_TRUE(P.awaitOutput("waiting"));
    ASSERT_EQ(::kill(P.Pid, Signal), 0);
    int Status = P.wait();
    EXPECT_THAT(P.Output,
                HasSubstr(std::string("got SIG") + ::sigabbrev_np(Signal)));
    EXPECT_EQ(WEXITSTATUS(Status), 5);
  }
}

TEST_F(RunTest, StopsAndContinuesWithTheProgram) {
  for (int Signal : {SIGSTOP, SIGTSTP}) {
    // Not orphaned: this test is the parent in another group of the session.
    Subprocess P({Hotjit, "run", Program, "stop", std::to_string(Signal)},
                 environment(""), /*OwnGroup=*/true);
    int Status = 0;
    ASSERT_EQ(::waitpid(P.Pid, &Status, WUNTRACED), P.Pid);
    ASSERT_TRUE(WIFSTOPPED(Status));
    EXPECT_EQ(WSTOPSIG(Status), Signal);
    ASSERT_EQ(::kill(P.Pid, SIGCONT), 0); // the launcher alone
    Status = P.wait();
    EXPECT_TRUE(WIFEXITED(Status) && WEXITSTATUS(Status) == 0);
    EXPECT_THAT(P.Output, HasSubstr("continued"));
  }
}

TEST_F(RunTest, IgnoredSignalsStayIgnoredInTheProgram) {
  // As under nohup.
  ::signal(SIGHUP, SIG_IGN);
  Subprocess P({Hotjit, "run", Program, "kill", std::to_string(SIGHUP)},
               environment(""));
  ::signal(SIGHUP, SIG_DFL);
  int Status = P.wait();
  EXPECT_TRUE(WIFEXITED(Status) && WEXITSTATUS(Status) == 1);
}

TEST_F(RunTest, PrintsReadyOnStderrOnly) {
  auto P = start();
  P->writeLine();
  EXPECT_EQ(P->wait(), 0);
  EXPECT_THAT(P->Errors, StartsWith("[hotjit] ready: 1 translation unit, 0 "
                                    "functions, socket " +
                                    Top.path() + "/hotjit/"));
  EXPECT_EQ(P->Output, "");
}

TEST_F(RunTest, PrintsWhatHappensLater) {
  auto P = start();
  EXPECT_EQ(hotjit({"reload", "good"}), 0);
  EXPECT_TRUE(P->awaitErrors("[hotjit] #1 live: a.c: f\n"));
}

TEST_F(RunTest, QuietPrintsNothingAndTheLogHasIt) {
  Subprocess P({Hotjit, "run", "--quiet", "--log", Top / "log", "--events",
                Top / "events", Program, "wait"},
               environment("options"));
  ASSERT_TRUE(P.awaitOutput("engine on"));
  // Nothing tells when the launcher has written; other clients do not wait.
  while (textOf("log").empty() || textOf("events").empty())
    EXPECT_THAT(hotjit({"status"}), testing::AnyOf(0, 4));
  P.writeLine();
  EXPECT_EQ(P.wait(), 0);
  EXPECT_EQ(P.Errors, "");
  EXPECT_THAT(textOf("log"), HasSubstr("[hotjit] ready: "));
  EXPECT_THAT(textOf("events"), StartsWith("{"));
  EXPECT_THAT(textOf("events"), HasSubstr("\"event\":\"ready\""));
}

TEST_F(RunTest, EventsOnStderrAreAlone) {
  Subprocess P({Hotjit, "run", "--events", "-", Program, "wait"},
               environment(""));
  ASSERT_TRUE(P.awaitErrors("\n"));
  P.writeLine();
  P.wait();
  EXPECT_THAT(P.Errors, StartsWith("{"));
  EXPECT_THAT(P.Errors, Not(HasSubstr("[hotjit]")));
}

TEST_F(RunTest, TheSocketMayBeElsewhere) {
  Top.makeFolder("deep");
  std::filesystem::permissions(Top / "deep", std::filesystem::perms::owner_all);
  auto P = start({"--socket", Top / "deep/s.sock"});
  EXPECT_EQ(hotjit({"status", "--socket", Top / "deep/s.sock"}), 0);
  EXPECT_THAT(Output, HasSubstr("program: fake (pid "));
}

TEST_F(RunTest, ReloadTellsItsOutcomeByItsStatus) {
  auto P = start();
  EXPECT_EQ(hotjit({"reload", "good"}), 0);
  EXPECT_EQ(Output, "[hotjit] #1 live: a.c: f\n");
  EXPECT_EQ(hotjit({"reload", "unchanged"}), 0);
  EXPECT_EQ(hotjit({"reload", "refused"}), 1);
  EXPECT_THAT(Output, HasSubstr("HJ1402"));
  EXPECT_EQ(hotjit({"reload", "failed"}), 2);
  EXPECT_EQ(Output, "[hotjit] #1 failed: a.c: the new text does not compile\n"
                    "a.c:1:1: error: expected ';'\n");
  EXPECT_EQ(hotjit({"reload", "partial"}), 3);
  EXPECT_EQ(hotjit({"reload", "--pid", "1"}), 4);
  P->writeLine();
  P->wait();
  EXPECT_EQ(hotjit({"reload"}), 4);
}

TEST_F(RunTest, WhatTheEngineRefusesIsAnError) {
  auto P = start();
  EXPECT_EQ(hotjit({"redo"}), 1);
  EXPECT_EQ(Errors, "hotjit: hotjit/redo: not in this version\n");
  EXPECT_EQ(hotjit({"undo", "extra"}), 64);
  EXPECT_EQ(hotjit({"reinit"}), 64);
}

TEST_F(RunTest, LogAsJsonIsOneEventPerLine) {
  auto P = start();
  EXPECT_EQ(hotjit({"log", "--json"}), 0);
  EXPECT_THAT(Output, StartsWith("{\"elapsed_ms\""));
  EXPECT_EQ(hotjit({"log"}), 0);
  EXPECT_THAT(Output, StartsWith("[hotjit] ready: "));
}

TEST_F(RunTest, ProblemsBeforeTheStartHaveStatusesOfTheirOwn) {
  EXPECT_EQ(hotjit({"run"}), 125);
  EXPECT_EQ(hotjit({"run", "--trigger", "never", Program}), 125);
  EXPECT_THAT(Errors, HasSubstr("--trigger: 'never' is not"));
  EXPECT_EQ(hotjit({"run", "--log", "/nonexistent/log", Program}), 125);
  EXPECT_EQ(hotjit({"run", "no-such-program-anywhere"}), 127);
  EXPECT_EQ(hotjit({"run", "./no-such-program"}), 127);
  EXPECT_EQ(hotjit({"run", "/"}), 126);
  EXPECT_EQ(hotjit({"init"}), 1);
  EXPECT_EQ(Errors, "hotjit: init: not in this version\n");
  EXPECT_EQ(hotjit({"nonsense"}), 64);
}

TEST_F(RunTest, TheConfigurationFileIsFoundBesideTheProgram) {
  std::filesystem::copy_file(Program, Top / "program");
  Top.write(".hotjit.yaml", "trigger: never\n");
  EXPECT_EQ(hotjit({"run", Top / "program", "exit", "0"}), 125);
  EXPECT_THAT(Errors, HasSubstr(".hotjit.yaml:1: trigger: 'never'"));
}

TEST_F(RunTest, AStarterOfOtherProgramsIsNamed) {
  Subprocess P({Hotjit, "run", "/usr/bin/env", "true"}, environment(""));
  P.wait();
  EXPECT_THAT(P.Errors, HasSubstr("starts other programs"));
}

} // namespace
