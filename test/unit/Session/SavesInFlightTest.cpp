// Saves that arrive while an attempt is under way. Time runs to the right:
//
//   a.c saved   |--compile--|..quiet..| commit
//   b.c saved      ^ joins: same attempt, more files
//   a.c saved              ^ supersedes: the last text wins

#include "FakeStages.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using namespace std::chrono_literals;
using Kind = Event::Kind;

// H5: the files of a "save all" are one reload.
TEST_F(SessionTest, AnotherFileWithinTheQuietTimeJoins) {
  save("/p/a.c", "a2");
  Time.advance(5ms);
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Told.back().Files.size(), 2u);
}

// The units of a change are compiled side by side, and end in any order.
TEST_F(SessionTest, EachUnitIsAJobOfItsOwn) {
  FS.write("/p/a.c", "a2");
  FS.write("/p/b.c", "b2");
  S->filesChanged({{"/p/a.c", "/p/b.c"}, false, Time.now()});
  ASSERT_EQ(Compiles.Jobs.size(), 4u); // New texts first, then the old ones.
  std::swap(Compiles.Jobs[0], Compiles.Jobs[1]);
  Compiles.Jobs[0]();
  EXPECT_TRUE(Posted.empty());
  Compiles.Jobs.erase(Compiles.Jobs.begin());
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Told.back().Files.size(), 2u);
}

// The first edit of a unit: a body alone can be compiled as soon as the old
// text is known.
TEST_F(SessionTest, TheFirstEditOfABodyWaitsForTheOldText) {
  FS.write("/p/a.c", "int f() { return 1; }");
  start({});
  save("/p/a.c", "int f() { return 2; }");
  Compiles.runAll();
  EXPECT_EQ(Program.Asked,
            (std::vector<std::string>{"learn /p/a.c", "bodies of /p/a.c"}));
  settle();
  EXPECT_EQ(Program.live(), "int f() { return 2; }");
}

// Who waits for another thread parses the headers meanwhile.
TEST_F(SessionTest, TheFirstEditOfABodyGetsAPreamble) {
  FS.write("/p/a.c", "int f() { return 1; }");
  start({});
  save("/p/a.c", "int f() { return 2; }");
  ASSERT_EQ(Compiles.Jobs.size(), 2u);
  std::swap(Compiles.Jobs[0], Compiles.Jobs[1]);
  Compiles.runAll();
  EXPECT_EQ(Program.Asked,
            (std::vector<std::string>{"warm /p/a.c", "learn /p/a.c",
                                      "bodies of /p/a.c"}));
}

// Any other is compiled while the old text is.
TEST_F(SessionTest, TheFirstEditOfMoreDoesNot) {
  save("/p/a.c", "int f() { return 1; }");
  Compiles.runAll();
  EXPECT_EQ(Program.Asked, std::vector<std::string>{"learn /p/a.c"});
  EXPECT_EQ(Program.CompileCalls, 2);
}

// What waits for the next edit was used up by one that failed while the last
// was still being got ready for.
TEST_F(SessionTest, AFailedEditIsFollowedByAHeadStart) {
  auto RunAhead = [&] {
    while (!Warms.Jobs.empty()) {
      Warms.runAll();
      settle();
    }
    settle();
  };
  save("/p/a.c", "a2");
  settle();
  RunAhead();
  save("/p/a.c", "a3");
  settle();
  Program.HasSyntaxError = true;
  save("/p/a.c", "a4");
  settle();
  Program.HeadStarts.clear(); // used up
  RunAhead();
  EXPECT_EQ(Program.HeadStarts["/p/a.c"], 1u);
}

// An editor says what it shows.
TEST_F(SessionTest, AFileThatIsOpenedIsGotReady) {
  FS.write("/p/h.h", "inline int g();");
  start({}, {}, "/p/h.h");
  EXPECT_FALSE(S->opened("/p/other.c"));
  EXPECT_TRUE(Warms.Jobs.empty());
  EXPECT_TRUE(S->opened("/p/b.c"));
  EXPECT_TRUE(S->opened("/p/b.c"));
  EXPECT_EQ(Warms.Jobs.size(), 1u);
  Warms.runAll();
  EXPECT_EQ(Program.Asked,
            (std::vector<std::string>{"learn /p/b.c", "warm /p/b.c"}));
  Program.Asked.clear();
  EXPECT_TRUE(S->opened("/p/h.h"));
  Warms.runAll();
  EXPECT_EQ(Program.Asked,
            (std::vector<std::string>{"learn /p/a.c", "warm /p/a.c"}));
}

// Those that were changed last come first, then those that the program runs.
TEST_F(SessionTest, WhatRunsIsGotReady) {
  Paths.clear();
  for (int I = 10; I != 40; ++I) {
    Paths.push_back(fmt::format("/p/{}.c", I));
    FS.write(Paths.back(), "");
  }
  FS.write("/p/h.h", "");
  start({}, {}, "/p/h.h");
  Program.Runs = Program.codeOf(Built[25])[0].Begin;
  S->warmUp();
  Warms.runAll();
  EXPECT_FALSE(llvm::is_contained(Program.Asked, "learn /p/35.c"));
  settle();
  Warms.runAll();
  EXPECT_EQ(Program.Asked.size(), 2 * 17u);
  EXPECT_EQ(Program.Asked.front(), "learn /p/10.c");
  EXPECT_EQ(Program.Asked.back(), "warm /p/35.c");
}

// An edited header of an optimized program.
TEST_F(SessionTest, WhatRunsIsCompiledFirst) {
  Paths.clear();
  for (int I = 10; I != 20; ++I) {
    Paths.push_back(fmt::format("/p/{}.c", I));
    FS.write(Paths.back(), "");
  }
  FS.write("/p/h.h", "");
  start({}, {}, "/p/h.h");
  Program.Runs = Program.codeOf(Built[7])[0].Begin;
  for (ImageUnit &U : Built)
    U.OptLevel = 2;
  save("/p/h.h", "2");
  Compiles.runAll();
  ASSERT_EQ(Program.Asked.size(), 20u);
  EXPECT_EQ(Program.Asked[0], "learn /p/17.c");
  EXPECT_EQ(Program.Asked[1], "bodies of /p/17.c");
  EXPECT_EQ(Program.Asked[2], "learn /p/10.c");
}

// D10: the last text wins, and each request has exactly one verdict.
TEST_F(SessionTest, ALaterSaveOfTheSameFileSupersedes) {
  save("/p/a.c", "a2");
  save("/p/a.c", "a3");
  save("/p/a.c", "a4");
  settle();
  EXPECT_EQ(kinds(), "changed failed changed failed changed reloaded");
  EXPECT_EQ(Told[1].Stage, "superseded");
  EXPECT_EQ(Told[1].Reload, 1u);
  EXPECT_EQ(Told[3].Reload, 2u);
  EXPECT_EQ(Told[5].Reload, 3u);
  EXPECT_EQ(Program.live(), "a4");
}

// A compile that ends after its attempt was superseded is thrown away.
TEST_F(SessionTest, TheResultOfASupersededCompileIsNotUsed) {
  save("/p/a.c", "a2");
  Compiles.runAll(); // its result is posted, not yet taken
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Program.live(), "a3");
  EXPECT_EQ(Program.NewestGeneration, 1u);
}

TEST_F(SessionTest, AReloadRequestGetsTheAnswerForTheLastText) {
  save("/p/a.c", "a2");
  std::vector<Kind> Answers;
  S->reload({}, [&](const Event &E) { Answers.push_back(E.What); });
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Answers, std::vector<Kind>{Kind::Reloaded});
  EXPECT_EQ(Program.live(), "a3");
}

TEST_F(SessionTest, AReloadRequestWithNothingToDoIsAnsweredAtOnce) {
  std::vector<Kind> Answers;
  S->reload({}, [&](const Event &E) { Answers.push_back(E.What); });
  EXPECT_EQ(Answers, std::vector<Kind>{Kind::Unchanged});
  EXPECT_EQ(kinds(), "");
}

// A request that finds the text taken back ends the attempt that was about it.
TEST_F(SessionTest, AReloadRequestSeesWhatNoEventHasTold) {
  save("/p/a.c", "a2");
  FS.write("/p/a.c", "a1");
  std::vector<Kind> Answers;
  Program.CodeUnchanged = true; // if asked for no unit
  S->reload({}, [&](const Event &E) { Answers.push_back(E.What); });
  settle();
  EXPECT_EQ(Answers, std::vector<Kind>{Kind::Unchanged});
  EXPECT_EQ(kinds(), "changed failed changed unchanged");
  EXPECT_EQ(Told[1].Stage, "superseded");
  EXPECT_EQ(Program.live(), "built");
}

// What the developer saved while the program was about to crash may mend it.
TEST_F(SessionTest, ASaveInFlightOutlivesACrash) {
  save("/p/a.c", "a2");
  settle();
  save("/p/a.c", "a3");
  Crash C;
  C.Frames.resize(1);
  Program.CodeOwner = Patcher::Owner{1, "f", {}};
  S->crashed(C);
  EXPECT_EQ(Program.live(), "built");
  settle();
  EXPECT_EQ(kinds(),
            "changed reloaded changed crashed failed undone changed reloaded");
  EXPECT_EQ(Program.live(), "a3");
  EXPECT_TRUE(S->status().Ahead.empty());
}

TEST_F(SessionTest, UndoWhileCompilingSupersedes) {
  save("/p/a.c", "a2");
  settle();
  save("/p/a.c", "a3");
  ASSERT_TRUE(bool(S->undo()));
  settle();
  EXPECT_EQ(Program.live(), "built");
  EXPECT_EQ(Told[3].Stage, "superseded");
}

// H4: a formatter's second write comes as a reload of its own.
TEST_F(SessionTest, AFormatterWritesAgain) {
  save("/p/a.c", "a2");
  settle();
  Time.advance(80ms);
  save("/p/a.c", "a2 formatted");
  settle();
  EXPECT_EQ(Program.live(), "a2 formatted");
  EXPECT_EQ(kinds(), "changed reloaded changed reloaded");
}

// H5, E2: a file of the batch that is saved half-written is waited for.
TEST_F(SessionTest, AnEmptyFileIsNotCommittedAtOnce) {
  save("/p/a.c", "");
  Compiles.runAll();
  auto Now = std::move(Posted);
  Posted.clear();
  for (auto &F : Now)
    F();
  EXPECT_EQ(kinds(), "changed");
  ASSERT_TRUE(S->nextWake());
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(Program.live(), "a2");
}

// E18: whoever truncated it was held up, and so is the event of what it wrote.
TEST_F(SessionTest, AnEmptyFileIsLookedAtBeforeItsVerdict) {
  save("/p/a.c", "");
  FS.write("/p/a.c", "a2");
  settle(); // finds it
  settle();
  EXPECT_EQ(kinds(), "changed failed changed reloaded");
  EXPECT_EQ(Told[1].Stage, "superseded");
  EXPECT_EQ(Program.live(), "a2");
}

// E18: so is a text that does not compile.
TEST_F(SessionTest, ATextThatDoesNotCompileIsLookedAtBeforeItsVerdict) {
  Program.HasSyntaxError = true;
  save("/p/a.c", "a2 {");
  Compiles.runAll();
  Program.HasSyntaxError = false;
  FS.write("/p/a.c", "a2 {}");
  settle(); // finds it
  settle();
  EXPECT_EQ(kinds(), "changed failed changed reloaded");
  EXPECT_EQ(Told[1].Stage, "superseded");
  EXPECT_EQ(Program.live(), "a2 {}");
}

// Each request has exactly one verdict, of an engine too that cannot go on.
TEST_F(SessionTest, WhatIsInFlightFailsWhenTheEngineTurnsItselfOff) {
  S->giveUp("broken");
  EXPECT_EQ(kinds(), "");
  save("/p/a.c", "a2");
  S->giveUp("broken");
  EXPECT_EQ(kinds(), "changed failed");
  EXPECT_EQ(Told.back().Message, "hotjit turns itself off: broken");
  settle();
  EXPECT_EQ(kinds(), "changed failed");
}

// E18: a file that is there and cannot be read is no save that is under way.
TEST_F(SessionTest, AFileThatCannotBeReadIsTold) {
  FS.forbid("/p/a.c");
  save("/p/a.c", "a2");
  EXPECT_EQ(kinds(), "changed failed");
  EXPECT_EQ(Told.back().Stage, "read");
  EXPECT_EQ(Told.back().Message, "/p/a.c: cannot open: Permission denied");
  // Once, though it is looked at with every event.
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed failed changed reloaded");
  FS.allow("/p/a.c");
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Program.live(), "a3");
}
