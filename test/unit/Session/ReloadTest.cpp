// One reload, from the save to the verdict, failing at each pass in turn.

#include "FakeStages.h"
#include <csignal>

using namespace hotjit;
using Kind = Event::Kind;

TEST_F(SessionTest, ASaveGoesLive) {
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_EQ(Told.back().Reload, 1u);
  EXPECT_EQ(Told.back().Generation, 1u);
  ASSERT_EQ(Told.back().Files.size(), 1u);
  EXPECT_EQ(Told.back().Files[0], "/p/a.c");
}

// H3: a touch is no change.
TEST_F(SessionTest, ASaveOfTheSameTextIsNothing) {
  save("/p/a.c", "a1");
  settle();
  EXPECT_EQ(kinds(), "");
}

TEST_F(SessionTest, ACommentIsUnchangedAndTheNextEditComparesWithIt) {
  Program.CodeUnchanged = true;
  save("/p/a.c", "a1 // comment");
  settle();
  EXPECT_EQ(kinds(), "changed unchanged");
  Program.CodeUnchanged = false;
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(Program.live(), "a2");
}

// E1: a typo is told with its place, the old code runs, the fix goes live.
TEST_F(SessionTest, ATypoFailsAndItsFixGoesLive) {
  Program.HasSyntaxError = true;
  save("/p/a.c", "a2;;");
  settle();
  EXPECT_EQ(kinds(), "changed diagnostics failed");
  EXPECT_EQ(Told[1].Items[0].Message, "expected ';'");
  EXPECT_EQ(Told[2].Stage, "compile");
  EXPECT_EQ(Program.live(), "built");
  Program.HasSyntaxError = false;
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Program.live(), "a3");
}

// E2: nothing of a save-all goes live while one file does not compile; then
// all of it does.
TEST_F(SessionTest, AFailedFileIsStillPartOfTheNextReload) {
  Program.HasSyntaxError = true;
  save("/p/a.c", "a2;;");
  settle();
  Program.HasSyntaxError = false;
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(Told.back().What, Kind::Reloaded);
  EXPECT_EQ(Told.back().Files, (std::vector<std::string>{"/p/a.c", "/p/b.c"}));
}

// B24: of two units that include an edited header one is compiled, the other
// follows; it is compiled when nobody waits, and if it cannot be, that is told.
class EditedHeader : public SessionTest {
protected:
  void SetUp() override {
    FS.write("/p/h.h", "h1");
    SessionTest::SetUp();
    start({}, {}, "/p/h.h");
    Program.KnowsHeaders = true;
    save("/p/h.h", "h2"); // What is live is compiled for it.
    settle();
    EXPECT_EQ(kinds(), "changed reloaded");
    EXPECT_EQ(Program.Followed, std::vector<std::string>{"/p/b.c"});
    rest();
    Told.clear();
    Program.CompileCalls = 0;
  }

  /// Nobody waits: what is of less importance is done, and what it leads to.
  void rest() {
    while (!Warms.Jobs.empty()) {
      Warms.runAll();
      settle();
    }
  }
};

TEST_F(EditedHeader, IsCompiledOnce) {
  save("/p/h.h", "h3");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Program.CompileCalls, 1);
  rest();
  EXPECT_EQ(Program.CompileCalls, 2);
  EXPECT_EQ(kinds(), "changed reloaded");
}

TEST_F(EditedHeader, ThatAFollowerCannotCompileIsToldAfterwards) {
  Program.CannotCompile = "/p/b.c";
  save("/p/h.h", "h3");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  rest();
  EXPECT_EQ(kinds(), "changed reloaded diagnostics");
  EXPECT_EQ(Told.back().File, "/p/b.c");
  EXPECT_EQ(Told.back().Reload, 2u);
  // Known from another unit still, it follows again.
  Program.CannotCompile.clear();
  save("/p/h.h", "h4");
  settle();
  rest();
  EXPECT_EQ(kinds(), "changed reloaded diagnostics changed reloaded");
}

TEST_F(EditedHeader, ThatTheLeadCannotCompileFails) {
  Program.HasSyntaxError = true;
  save("/p/h.h", "h3");
  settle();
  EXPECT_EQ(kinds(), "changed diagnostics failed");
  EXPECT_EQ(Program.CompileCalls, 1);
}

// A save that comes before the follower was compiled: it is, from the newer
// text.
TEST_F(EditedHeader, IsEditedAgainBeforeTheFollowerWasCompiled) {
  save("/p/h.h", "h3");
  settle();
  save("/p/h.h", "h4");
  settle();
  EXPECT_EQ(Program.CompileCalls, 2);
  Program.CannotCompile = "/p/b.c";
  rest();
  EXPECT_EQ(kinds(), "changed reloaded changed reloaded diagnostics");
  EXPECT_EQ(Told.back().Reload, 3u);
}

// I1: an edit that cannot be compiled is refused, never "unchanged".
TEST_F(SessionTest, AUnitWithAProblemIsRefusedWithIt) {
  Verdict Problem;
  Problem.Kind = VerdictKind::Refused;
  Problem.Code = Reason::NoCompileCommand;
  start({}, Problem);
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  ASSERT_EQ(Told.back().Verdicts.size(), 1u);
  EXPECT_EQ(Told.back().Verdicts[0].Code, Reason::NoCompileCommand);
  EXPECT_EQ(Program.CompileCalls, 0);
  EXPECT_EQ(S->status().Dirty, std::vector<std::string>{"/p/a.c"});
}

TEST_F(SessionTest, ARefusalLeavesTheFileDirty) {
  Program.Refuse = true;
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(S->status().Dirty, std::vector<std::string>{"/p/a.c"});
}

// Invariants 1 and 3: whichever pass fails, nothing became live, the attempt
// has exactly one verdict, and the next good save works (E3).
class FailingReload : public SessionTest,
                      public ::testing::WithParamInterface<int> {};

TEST_P(FailingReload, LeavesTheProgramAsItWas) {
  Program.FailAt = static_cast<FakeStages::Step>(GetParam());
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(Program.LiveGeneration, 0u);
  ASSERT_EQ(Told.size(), 2u) << kinds();
  EXPECT_EQ(Told[0].What, Kind::Changed);
  EXPECT_TRUE(Told[1].What == Kind::Failed || Told[1].What == Kind::Refused);
  EXPECT_EQ(S->status().Generation, 0u);
  if (GetParam() < FakeStages::Arm) {
    EXPECT_EQ(Program.ArmCalls, 0);
  }

  Program.FailAt.reset();
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Told.back().What, Kind::Reloaded);
  EXPECT_EQ(Program.live(), "a3");
}

INSTANTIATE_TEST_SUITE_P(EachPass, FailingReload,
                         ::testing::Range(0, int(FakeStages::StepCount)));

// Invariant 3: a debugger's breakpoint in an entry is not overwritten. The edit
// goes live by itself when it is gone.
TEST_F(SessionTest, WaitsForABreakpointInAnEntry) {
  Program.BreakpointInEntry = true;
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  EXPECT_EQ(Told.back().Verdicts[0].Kind, VerdictKind::Pending);
  EXPECT_EQ(Program.live(), "built");
  settle();
  EXPECT_EQ(kinds(), "changed refused"); // Looked, said nothing.
  Program.BreakpointInEntry = false;
  settle();
  settle();
  EXPECT_EQ(kinds(), "changed refused changed reloaded");
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_FALSE(S->nextWake());
}

// A later save, or an undo, takes over from an edit that waits.
TEST_F(SessionTest, WhatWaitsForAnEntryIsSupersededByTheNextSave) {
  Program.BreakpointInEntry = true;
  save("/p/a.c", "a2");
  settle();
  Program.BreakpointInEntry = false;
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(kinds(), "changed refused changed reloaded");
  EXPECT_EQ(Program.live(), "a3");
  EXPECT_FALSE(S->nextWake());
}

// Frames of the body that an undo leaves, and of those before it.
TEST_F(SessionTest, UndoLeavesFramesBehindToo) {
  save("/p/a.c", "a2");
  settle();
  Program.FunctionOnStack = true;
  llvm::Expected<Event> E = S->undo();
  ASSERT_TRUE(bool(E));
  ASSERT_EQ(E->Verdicts.size(), 1u);
  EXPECT_EQ(E->Verdicts[0].Kind, VerdictKind::Pending);
  EXPECT_NE(E->Verdicts[0].Message.find("frame #3 at a.c:7"),
            std::string::npos);
  EXPECT_EQ(S->status().PendingFrames.size(), 1u);
  // Back to where that body is the current one.
  Program.FunctionOnStack = false;
  ASSERT_TRUE(bool(S->redo()));
  EXPECT_TRUE(S->status().Pending.empty());
}

// E14: undo and redo over five generations; undo, then edit.
TEST_F(SessionTest, UndoAndRedoMoveTheProgram) {
  for (const char *Text : {"a2", "a3", "a4", "a5", "a6"}) {
    save("/p/a.c", Text);
    settle();
  }
  for (unsigned G : {4, 3, 2, 1, 0}) {
    llvm::Expected<Event> E = S->undo();
    ASSERT_TRUE(bool(E));
    EXPECT_EQ(E->Generation, G);
    EXPECT_EQ(S->status().Ahead, std::vector<std::string>{"/p/a.c"});
  }
  EXPECT_EQ(llvm::toString(S->undo().takeError()), "nothing to undo");
  ASSERT_TRUE(bool(S->redo()));
  EXPECT_EQ(Program.live(), "a2");
  save("/p/a.c", "a7");
  settle();
  EXPECT_EQ(Program.live(), "a7");
  EXPECT_EQ(S->status().Generation, 2u);
  EXPECT_EQ(llvm::toString(S->redo().takeError()), "nothing to redo");
}

// E6: down to before the generation that crashed; the file waits for its save.
TEST_F(SessionTest, ACrashTakesItsGenerationBack) {
  for (const char *Text : {"a2", "a3", "a4"}) {
    save("/p/a.c", Text);
    settle();
  }
  Crash C;
  C.Signal = SIGSEGV;
  C.Frames.resize(3);
  Program.CodeOwner = Patcher::Owner{2, "f", {}};
  Event E = S->crashed(C);
  EXPECT_EQ(E.What, Kind::Crashed);
  EXPECT_EQ(E.CrashedFunction, "f");
  EXPECT_EQ(E.Generation, 2u);
  EXPECT_NE(E.Action.find("generation 2 is taken back"), std::string::npos);
  EXPECT_EQ(E.Backtrace, std::vector<std::string>{"#0 to #2 code"});
  EXPECT_EQ(S->status().Generation, 1u);
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_EQ(S->status().Ahead, std::vector<std::string>{"/p/a.c"});
  // E7: an old frame of the same, and then one of what is live.
  E = S->crashed(C);
  EXPECT_NE(E.Action.find("no call reaches this code"), std::string::npos);
  EXPECT_EQ(S->status().Generation, 1u);
  Program.CodeOwner->Generation = 1;
  S->crashed(C);
  EXPECT_EQ(Program.live(), "built");
}

// What an undo left behind does not slip in with another file's save.
TEST_F(SessionTest, AFileThatIsAheadWaitsForItsOwnSave) {
  save("/p/a.c", "a2");
  settle();
  ASSERT_TRUE(bool(S->undo()));
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(Told.back().Files, std::vector<std::string>{"/p/b.c"});
  EXPECT_EQ(S->status().Ahead, std::vector<std::string>{"/p/a.c"});
}

// E14: the same text again is a save; a late event of the first save is none.
TEST_F(SessionTest, AFileThatIsAheadGoesLiveWhenItIsSavedAgain) {
  save("/p/a.c", "a2");
  settle();
  ASSERT_TRUE(bool(S->undo()));
  S->filesChanged({{"/p/a.c"}, false, Time.now()});
  settle();
  EXPECT_EQ(Program.live(), "built");
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(Told.back().What, Kind::Reloaded);
  EXPECT_EQ(Told.back().Files, std::vector<std::string>{"/p/a.c"});
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_TRUE(S->status().Ahead.empty());
}

TEST_F(SessionTest, AFileThatIsAheadGoesLiveWhenItIsAskedFor) {
  save("/p/a.c", "a2");
  save("/p/b.c", "b2");
  settle();
  ASSERT_TRUE(bool(S->undo()));
  std::optional<Event> Answer;
  S->reload({"/p/a.c"}, [&](const Event &E) { Answer = E; });
  settle();
  ASSERT_TRUE(Answer);
  EXPECT_EQ(Answer->What, Kind::Reloaded);
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_EQ(S->status().Ahead, std::vector<std::string>{"/p/b.c"});
}

// B40: the verdict says so while an old frame is alive, and again when it ends.
TEST_F(SessionTest, AFunctionOnAStackIsPendingUntilItSettles) {
  Program.FunctionOnStack = true;
  save("/p/a.c", "a2");
  settle();
  ASSERT_EQ(Told.back().What, Kind::Reloaded);
  EXPECT_EQ(Told.back().Verdicts[0].Kind, VerdictKind::Pending);
  EXPECT_NE(Told.back().Verdicts[0].Message.find("worker"), std::string::npos);
  EXPECT_EQ(S->status().Pending, std::vector<std::string>{"f"});
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  Program.FunctionOnStack = false;
  settle();
  EXPECT_EQ(kinds(), "changed reloaded settled");
  EXPECT_FALSE(S->nextWake());
}

// B40: a main loop runs in the body that it was built with, whatever is edited.
TEST_F(SessionTest, AnEditOfAFunctionThatIsPendingIsPendingToo) {
  Program.FunctionOnStack = true;
  Program.InBody = Program.bodyOf(ProgramAddr(0x1000))[0];
  for (const char *Text : {"a2", "a3", "a4"}) {
    save("/p/a.c", Text);
    settle();
    ASSERT_EQ(Told.back().What, Kind::Reloaded);
    EXPECT_EQ(Told.back().Verdicts[0].Kind, VerdictKind::Pending);
    EXPECT_EQ(S->status().Pending, std::vector<std::string>{"f"});
  }
  // Undo of the last leads to a2's and a3's code, which have no frames.
  llvm::Expected<Event> E = S->undo();
  ASSERT_TRUE(bool(E));
  ASSERT_EQ(E->Verdicts.size(), 1u);
  // Where the frames are again.
  ASSERT_TRUE(bool(S->undo()));
  ASSERT_TRUE(bool(S->undo()));
  EXPECT_TRUE(S->status().Pending.empty());
  ASSERT_TRUE(bool(S->redo()));
  EXPECT_EQ(S->status().Pending, std::vector<std::string>{"f"});
  Program.FunctionOnStack = false;
  Told.clear();
  settle();
  EXPECT_EQ(kinds(), "settled");
}

TEST_F(SessionTest, ManualTriggerWaitsToBeAsked) {
  SessionOptions Options;
  Options.Manual = true;
  start(Options);
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "");
  std::optional<Event> Answer;
  S->reload({}, [&](const Event &E) { Answer = E; });
  settle();
  ASSERT_TRUE(Answer);
  EXPECT_EQ(Answer->What, Kind::Reloaded);
  EXPECT_EQ(Program.live(), "a2");
}

TEST_F(SessionTest, PauseKeepsSavesForLater) {
  S->pause();
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(Program.live(), "built");
  S->resume();
  settle();
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_EQ(kinds(), "paused resumed changed reloaded");
}

// F2: the program closed the library between the save and the commit.
TEST_F(SessionTest, AnEditOfAClosedLibraryIsRefused) {
  Program.IsClosed = true;
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  EXPECT_EQ(Told.back().Verdicts.at(0).Code, Reason::NotLoaded);
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(Program.ArmCalls, 0);
}

//===-- The program has a say ---------------------------------------------===//

class AskingReload : public SessionTest {
protected:
  Event Preview;
  Session::Consent Answer;
  int Asked = 0;

  void SetUp() override {
    SessionTest::SetUp();
    Ask = [this](const Event &E, Session::Consent Given) {
      ++Asked;
      Preview = E;
      Answer = std::move(Given);
    };
    start({});
  }
};

TEST_F(AskingReload, NothingIsLiveBeforeTheProgramHasAnswered) {
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed");
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(Preview.Reload, 1u);
  EXPECT_EQ(Preview.Verdicts.size(), 1u);
  EXPECT_FALSE(S->nextWake());
  Answer(std::nullopt);
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Program.live(), "a2");
  Answer(std::nullopt); // Too late.
  EXPECT_EQ(kinds(), "changed reloaded");
}

TEST_F(AskingReload, AVetoIsARefusalWithItsText) {
  save("/p/a.c", "a2");
  settle();
  Verdict Veto;
  Veto.Kind = VerdictKind::Refused;
  Veto.Code = Reason::Declined;
  Veto.Message = "the program declined: busy";
  Answer(Veto);
  EXPECT_EQ(kinds(), "changed refused");
  ASSERT_EQ(Told.back().Verdicts.size(), 2u);
  EXPECT_EQ(Told.back().Verdicts[0].Message, Veto.Message);
  EXPECT_EQ(Told.back().Verdicts[1].Kind, VerdictKind::Held);
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(S->status().Dirty, std::vector<std::string>{"/p/a.c"});
  // Asked for again, it is asked again.
  S->reload({}, [](const Event &) {});
  settle();
  Answer(std::nullopt);
  EXPECT_EQ(Program.live(), "a2");
}

// D10: the last text wins also over one that waits for an answer.
TEST_F(AskingReload, ALaterSaveSupersedesWhatWaits) {
  save("/p/a.c", "a2");
  settle();
  Session::Consent First = Answer;
  save("/p/a.c", "a3");
  EXPECT_EQ(kinds(), "changed failed changed");
  EXPECT_EQ(Told[1].Stage, "superseded");
  settle();
  First(std::nullopt);
  EXPECT_EQ(Program.live(), "built");
  Answer(std::nullopt);
  EXPECT_EQ(Program.live(), "a3");
  EXPECT_EQ(Asked, 2);
}

TEST_F(AskingReload, AnUndoSupersedesWhatWaits) {
  save("/p/a.c", "a2");
  settle();
  Answer(std::nullopt);
  save("/p/a.c", "a3");
  settle();
  EXPECT_TRUE(bool(S->undo()));
  EXPECT_EQ(kinds(), "changed reloaded changed failed undone");
  EXPECT_EQ(Told.back().Switched, std::vector<std::string>{"f"});
  Answer(std::nullopt);
  EXPECT_EQ(Program.live(), "built");
}

// A plugin that is opened meanwhile has texts that the waiting reload's
// generation must know.
TEST_F(AskingReload, WhatIsLoadedWhileItWaitsStaysKnown) {
  save("/p/a.c", "a2");
  settle();
  FS.write("/p/c.c", "c1");
  ImageModule Plugin;
  Plugin.Path = "/p/plugin.so";
  S->moduleLoaded(Plugin, [&](Saves &Known) {
    EXPECT_FALSE(bool(Known.keep("/p/c.c")));
    FoundUnits Found;
    ProjectUnit U;
    U.Unit.Path = "/p/c.c";
    U.Files = {"/p/c.c"};
    Found.Units.push_back(U);
    return Found;
  });
  Answer(std::nullopt);
  EXPECT_EQ(Program.live(), "a2");
  EXPECT_EQ(S->status().Dirty, std::vector<std::string>{});
}

// Session ends while the program has not answered: nothing leaks, no assert.
TEST_F(AskingReload, EndsWhileItWaits) {
  save("/p/a.c", "a2");
  settle();
  S.reset();
  EXPECT_EQ(Program.live(), "built");
}
