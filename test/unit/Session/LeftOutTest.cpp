// What was refused waits, and holds nothing up that is saved later.

#include "FakeStages.h"

using namespace hotjit;
using Kind = Event::Kind;

namespace {
class LeftOut : public SessionTest {
protected:
  /// a.c is saved and refused.
  void refuseFirst() {
    Program.Refused = "/p/a.c";
    save("/p/a.c", "a2");
    settle();
    ASSERT_EQ(kinds(), "changed refused");
    Told.clear();
    Program.CompileCalls = 0;
  }
  using Files = std::vector<std::string>;
};
} // namespace

TEST_F(LeftOut, ALaterSaveGoesLiveWithoutIt) {
  refuseFirst();
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
  EXPECT_EQ(Program.live(), "b2");
  const Verdict &V = Told.back().Verdicts.back();
  EXPECT_EQ(V.Kind, VerdictKind::Held);
  EXPECT_EQ(V.Name, "a.c");
  EXPECT_EQ(V.Message, "not live since #1");
  EXPECT_EQ(S->status().Dirty, Files{"/p/a.c"});
}

TEST_F(LeftOut, WhatWasRefusedIsNotCompiledAgain) {
  refuseFirst();
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(Program.CompileCalls, 2); // Old and new text of b.c.
  save("/p/b.c", "b3");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded changed reloaded");
  EXPECT_EQ(Program.CompileCalls, 3);
  // Not because of b.c's text: a.c's is what it was.
  Program.Refused.clear();
  save("/p/b.c", "b4");
  settle();
  EXPECT_EQ(Told.back().Files, (Files{"/p/a.c", "/p/b.c"}));
  EXPECT_EQ(Program.CompileCalls, 4);
  EXPECT_TRUE(S->status().Dirty.empty());
}

TEST_F(LeftOut, ItsNextSaveIsJudgedAnew) {
  refuseFirst();
  save("/p/b.c", "b2");
  settle();
  Program.Refused.clear();
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Told.back().Files, Files{"/p/a.c"});
  EXPECT_EQ(Program.live(), "a3");
}

// A call was saved, and refused for want of the function that it calls.
TEST_F(LeftOut, ALaterSaveMayBeWhatItLacked) {
  Program.Lacks = "/p/b.c";
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed failed");
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed failed changed reloaded");
  EXPECT_EQ(Told.back().Files, (Files{"/p/a.c", "/p/b.c"}));
}

// All or nothing: they were one change.
TEST_F(LeftOut, WhatIsSavedTogetherIsRefusedTogether) {
  Program.Refused = "/p/a.c";
  FS.write("/p/a.c", "a2");
  FS.write("/p/b.c", "b2");
  S->filesChanged({{"/p/a.c", "/p/b.c"}, false, Time.now()});
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  EXPECT_EQ(Program.live(), "built");
}

TEST_F(LeftOut, AskedForAllItIsRefused) {
  refuseFirst();
  std::optional<Event> Answer;
  S->reload({}, [&](const Event &E) { Answer = E; });
  settle();
  ASSERT_TRUE(Answer);
  EXPECT_EQ(Answer->What, Kind::Refused);
}

TEST_F(LeftOut, ATypoElsewhereHoldsNothingUp) {
  Program.CannotCompile = "/p/a.c";
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed diagnostics failed");
  Told.clear();
  save("/p/b.c", "b2");
  settle();
  // And its message is not told again.
  EXPECT_EQ(kinds(), "changed reloaded");
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
}

TEST_F(LeftOut, AUnitThatNoEditReachesHoldsNothingUp) {
  Verdict V;
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::NoDebugInfo;
  start({}, V);
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed refused changed reloaded");
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
  // Saved again, it is refused again.
  save("/p/a.c", "a3");
  settle();
  EXPECT_EQ(Told.back().What, Kind::Refused);
}

// It is not live since it was refused first, however often that is said again.
TEST_F(LeftOut, ItIsKnownSinceWhen) {
  refuseFirst();
  S->reload({}, [](const Event &) {});
  settle();
  EXPECT_EQ(Told.back().Reload, 2u);
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(Told.back().Verdicts.back().Message, "not live since #1");
}

// The compiler sees the header whatever else was edited.
TEST_F(LeftOut, WhatSharesAUnitWithItIsHeldUp) {
  FS.write("/p/h.h", "h1");
  start({}, {}, "/p/h.h");
  Program.Refused = "/p/a.c";
  save("/p/h.h", "h2");
  settle();
  EXPECT_EQ(kinds(), "changed refused");
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(kinds(), "changed refused changed refused");
}

TEST_F(LeftOut, AnUndoForgetsIt) {
  save("/p/b.c", "b2");
  settle();
  Program.Refused = "/p/a.c";
  save("/p/a.c", "a2");
  settle();
  EXPECT_EQ(kinds(), "changed reloaded changed refused");
  ASSERT_TRUE(bool(S->undo()));
  save("/p/b.c", "b3");
  settle();
  // Undone files stay out until they are saved again.
  EXPECT_EQ(Told.back().What, Kind::Reloaded);
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
}

TEST_F(LeftOut, WhatIsTakenBackIsNoReasonToTellOfOthers) {
  Program.CannotCompile = "/p/a.c";
  save("/p/a.c", "a2");
  settle();
  Program.Refused = "/p/b.c";
  save("/p/b.c", "b2");
  settle();
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
  Told.clear();
  save("/p/b.c", "b1");
  settle();
  EXPECT_EQ(kinds(), "changed unchanged");
  // And again nothing: what was taken back is forgotten.
  Program.Refused.clear();
  save("/p/b.c", "b3");
  settle();
  EXPECT_EQ(kinds(), "changed unchanged changed reloaded");
  EXPECT_EQ(Told.back().Files, Files{"/p/b.c"});
}
