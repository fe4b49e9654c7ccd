#ifndef HOTJIT_TEST_SESSION_FAKESTAGES_H
#define HOTJIT_TEST_SESSION_FAKESTAGES_H

// A program that exists only as a list of what was done to it. Each pass can
// be told to fail; a reload that fails anywhere must leave no trace in it.

#include "FakeFileSystem.h"
#include "ManualClock.h"
#include "Session/Session.h"
#include "Support/Error.h"
#include "gtest/gtest.h"
#include <deque>

namespace hotjit {

class FakeStages final : public Stages {
public:
  /// Passes that can fail, in the order in which a reload calls them.
  enum Step {
    Compile,
    Diff,
    Probe,
    AddStub,
    Stage,
    Arm,
    Initialize,
    Commit,
    StepCount
  };
  std::optional<Step> FailAt;
  bool Refuse = false;
  bool CodeUnchanged = false;
  bool HasSyntaxError = false;
  bool FunctionOnStack = false;
  bool BreakpointInEntry = false;
  bool IsClosed = false;     ///< what the unit is in
  bool KnowsHeaders = false; ///< bodies of a header can be compiled alone
  std::string CannotCompile; ///< the path of a unit
  std::string Refused;       ///< the path of a unit that is, with all others
  std::string Lacks;         ///< a unit without which nothing can be linked

  /// What the program sees.
  unsigned LiveGeneration = 0;
  unsigned NewestGeneration = 0;
  std::vector<std::string> LiveTexts{"built"};
  int ArmCalls = 0;
  int CompileCalls = 0;
  std::vector<std::string> Asked; ///< of the compiler, but for whole compiles

  llvm::Expected<CompileResult> compile(const TranslationUnit &Unit,
                                        const TextSnapshot &Texts,
                                        const CancelFlag *) override {
    ++CompileCalls;
    if (FailAt == Compile)
      return makeError("no such command");
    CompileResult R;
    if (HasSyntaxError || Unit.Path == CannotCompile) {
      Diagnostic D;
      D.Place = {Unit.Path, 1};
      D.Message = "expected ';'";
      R.Diagnostics.push_back(D);
      R.Rendered = "a.c:1: error: expected ';'";
      return R;
    }
    R.Unit = std::make_unique<CompiledUnit>();
    R.Unit->Path = Unit.Path;
    R.Unit->Files = {Unit.Path};
    TextOf[R.Unit.get()] = *Texts.find(Unit.Path)->text();
    return R;
  }

  llvm::Expected<CompileResult> learn(const TranslationUnit &Unit,
                                      const TextSnapshot &Texts,
                                      const CancelFlag *Cancel) override {
    Asked.push_back("learn " + Unit.Path);
    return compile(Unit, Texts, Cancel);
  }
  llvm::Expected<std::optional<CompileResult>>
  compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                const BodiesRequest &Request, std::string &Why,
                const CancelFlag *Cancel) override {
    Asked.push_back("bodies of " + Unit.Path);
    if (!KnowsHeaders || Request.Header.empty()) {
      Why = "not by this test";
      return std::nullopt;
    }
    auto R = compile(Unit, Texts, Cancel);
    if (!R)
      return R.takeError();
    R->Bodies = std::make_shared<BodyMatch>();
    return std::optional(std::move(*R));
  }
  llvm::Expected<std::unique_ptr<CompiledUnit>>
  follow(const TranslationUnit &Unit, const TextSnapshot &,
         const BodiesRequest &Request, const LeadUnit &,
         std::string &) override {
    auto Made = std::make_unique<CompiledUnit>(Request.Old.facts());
    Made->Whole = false;
    Made->Taken = {"f"};
    Followed.push_back(Unit.Path);
    return Made;
  }
  std::vector<std::string> Followed;
  void warm(const TranslationUnit &Unit, const TextSnapshot &,
            std::shared_ptr<const CompiledUnit>) override {
    Asked.push_back("warm " + Unit.Path);
  }
  void begin(const TranslationUnit &Unit, const TextSnapshot &,
             std::shared_ptr<const CompiledUnit>) override {
    ++HeadStarts[Unit.Path];
  }
  std::map<std::string, unsigned> HeadStarts;

  llvm::Expected<PlanOrRefusal> diff(llvm::ArrayRef<UnitChange> Changes,
                                     const Adopted &) override {
    if (FailAt == Diff)
      return makeError("debug info is damaged");
    Verdict V;
    V.Symbol = V.Name = "f";
    if (Refuse || changes(Changes, Refused)) {
      V.Kind = VerdictKind::Refused;
      V.Code = Reason::LayoutChanged;
      return PlanOrRefusal(Refusal{{V}, {}});
    }
    Plan P;
    if (CodeUnchanged || Changes.empty())
      return PlanOrRefusal(std::move(P));
    PlannedUnit U;
    U.New = Changes.front().New;
    U.Functions.resize(2);
    U.Functions[0].Symbol = "f";
    U.Functions[0].Entry = ProgramAddr(0x1000);
    U.Functions[1].Symbol = "g";
    U.Functions[1].What = PlannedFunction::Action::Add;
    P.Units.push_back(std::move(U));
    P.Verdicts = {V};
    CanLink = Lacks.empty() || changes(Changes, Lacks);
    return PlanOrRefusal(std::move(P));
  }

  llvm::Expected<PlanOrRefusal> planReinit(const UnitChange &, llvm::StringRef,
                                           const Adopted &) override {
    return PlanOrRefusal(Plan());
  }

  bool hold(size_t) override { return !IsClosed; }
  std::vector<ArmProblem> probe(llvm::ArrayRef<EntrySite> Sites) override {
    if (FailAt == Probe)
      return {{Sites[0].Entry, false, "too short"}};
    if (BreakpointInEntry)
      return {{Sites[0].Entry, true, "a breakpoint stands there"}};
    return {};
  }
  llvm::Expected<ProgramAddr> addStub(size_t) override {
    if (FailAt == AddStub)
      return makeError("no memory near the program");
    return ProgramAddr(0x9000);
  }
  llvm::Expected<StagedGeneration> stage(Plan &P,
                                         const Identities &Added) override {
    for (PlannedUnit &U : P.Units)
      if (std::exchange(U.New->CodeIsTaken, true))
        return makeError("the code of {} has been taken before", U.New->Path);
    if (FailAt == Stage || !CanLink)
      return makeError("undefined symbol 'frob' needed by 'f'");
    StagedText = TextOf[P.Units[0].New];
    StagedGeneration S;
    StagedFunction F;
    F.Unit = P.Units[0].New->Path;
    F.Symbol = F.Name = "f";
    F.Identity = ProgramAddr(0x1000);
    S.Functions.push_back(F);
    S.Initializers = {ProgramAddr(0x7000)};
    return S;
  }
  std::vector<ArmProblem> arm(llvm::ArrayRef<EntrySite> Sites) override {
    if (FailAt == Arm)
      return {{Sites[0].Entry, false, "the text cannot be written"}};
    if (BreakpointInEntry)
      return {{Sites[0].Entry, true, "a breakpoint stands there"}};
    ++ArmCalls;
    return {};
  }
  llvm::Error runInitializers(const StagedGeneration &) override {
    if (FailAt == Initialize)
      return makeError("the initializer of 'x' threw");
    return llvm::Error::success();
  }
  llvm::Expected<Generation> commit(StagedGeneration Staged,
                                    std::vector<std::string> Files) override {
    if (FailAt == Commit) {
      Staged.abandon();
      return makeError("out of memory");
    }
    Staged.keep();
    LiveTexts.resize(LiveGeneration + 1);
    LiveTexts.push_back(StagedText);
    NewestGeneration = ++LiveGeneration;
    return Generation{LiveGeneration, std::move(Files), Staged.Functions};
  }
  llvm::Expected<Generation> undo() override {
    if (LiveGeneration == 0)
      return makeError("nothing to undo");
    return Generation{--LiveGeneration, {}, {}};
  }
  llvm::Expected<Generation> redo() override {
    if (LiveGeneration == NewestGeneration)
      return makeError("nothing to redo");
    return Generation{++LiveGeneration, {}, {}};
  }
  std::vector<AddrRange> bodyOf(ProgramAddr Identity) override {
    ProgramAddr Body = Identity + 16 * int64_t(LiveGeneration);
    return {{Body, Body + 16}};
  }
  std::vector<AddrRange> codeOf(const ImageUnit &Unit) override {
    ProgramAddr Begin(0x10000 + 16 * Unit.Index);
    return {{Begin, Begin + 16}};
  }
  std::optional<ProgramAddr> Runs; ///< on a stack
  std::optional<AddrRange> InBody; ///< FunctionOnStack: in this one only
  std::optional<SourcePlace> lineAt(const ImageUnit *, ProgramAddr) override {
    return SourcePlace{"/p/a.c", 7};
  }
  std::optional<Patcher::Owner> ownerOf(ProgramAddr A) override {
    return CodeOwner;
  }
  std::string describeCode(ProgramAddr A) override { return "code"; }
  std::optional<Patcher::Owner> CodeOwner;
  std::vector<FrameHit> findFrames(llvm::ArrayRef<AddrRange> Ranges) override {
    for (size_t I = 0; I != Ranges.size(); ++I)
      if (Runs && Ranges[I].contains(*Runs))
        return {{I, 42, "main"}};
    if (Ranges.empty() || !FunctionOnStack)
      return {};
    std::vector<FrameHit> Hits;
    for (size_t I = 0; I != Ranges.size(); ++I) {
      if (InBody ? Ranges[I] != *InBody : I != 0)
        continue;
      FrameHit &Hit = Hits.emplace_back();
      Hit.Range = I;
      Hit.Thread = 42;
      Hit.ThreadName = "worker";
      Hit.Depth = 3;
      Hit.GoesOnAt = Ranges[I].Begin + 4;
    }
    return Hits;
  }
  size_t memoryUsed() override { return 0; }
  size_t memorySuperseded() override { return 0; }
  size_t memoryParsed() override { return 0; }

  /// The text whose code the program runs.
  const std::string &live() const { return LiveTexts[LiveGeneration]; }

private:
  static bool changes(llvm::ArrayRef<UnitChange> Changes,
                      const std::string &Path) {
    return llvm::any_of(
        Changes, [&](const UnitChange &C) { return C.New->Path == Path; });
  }
  bool CanLink = true; ///< what was looked at last
  std::map<const CompiledUnit *, std::string> TextOf;
  std::string StagedText;
};

/// Jobs run when the test says so.
class HeldExecutor final : public Executor {
public:
  std::vector<std::function<void()>> Jobs;
  void run(std::function<void()> Job) override { Jobs.push_back(Job); }
  void runAll() {
    while (!Jobs.empty()) {
      std::vector<std::function<void()>> Now = std::move(Jobs);
      Jobs.clear();
      for (auto &Job : Now)
        Job();
    }
  }
};

/// One program of two units, a.c and b.c, and its Session, without threads.
class SessionTest : public ::testing::Test {
protected:
  test::FakeFileSystem FS;
  test::ManualClock Time;
  FakeStages Program;
  HeldExecutor Compiles;
  HeldExecutor Warms;
  Log L;
  std::vector<Event> Told;
  std::vector<std::function<void()>> Posted;
  /// The program's say, if it has one.
  std::function<void(const Event &, Session::Consent)> Ask;
  std::unique_ptr<Session> S;
  std::deque<ImageUnit> Built;
  std::vector<std::string> Paths{"/p/a.c", "/p/b.c"};

  void SetUp() override {
    FS.write("/p/a.c", "a1");
    FS.write("/p/b.c", "b1");
    start({});
  }

  /// Problem: of a.c's unit.
  /// Header: of both units, if not empty.
  void start(SessionOptions Options, std::optional<Verdict> Problem = {},
             const std::string &Header = "") {
    Saves Known(FS, Time);
    std::vector<ProjectUnit> Units;
    for (const std::string &Path : Paths) {
      EXPECT_FALSE(bool(Known.keep(Path)));
      ProjectUnit U;
      U.Unit.Path = Path;
      U.Files = {Path};
      if (!Header.empty()) {
        EXPECT_FALSE(bool(Known.keep(Header)));
        U.Files.insert(Header);
        Built.emplace_back().Index = Units.size();
        U.Built = &Built.back();
      }
      if (Units.empty())
        U.Problem = Problem;
      Units.push_back(U);
    }
    S = std::make_unique<Session>(
        Options, std::move(Units), std::move(Known),
        Session::Surroundings{
            FS, Time, Program, Compiles, Warms, L,
            [this](std::function<void()> F) { Posted.push_back(F); },
            [this](const Event &E) { Told.push_back(E); },
            [](const std::string &) {}, nullptr, Ask});
  }

  /// An editor writes the file; the kernel's event arrives.
  void save(const char *Path, const char *Text) {
    FS.write(Path, Text);
    S->filesChanged({{Path}, false, Time.now()});
  }

  /// Everything that is under way runs to its end.
  void settle() {
    do {
      Compiles.runAll();
      while (!Posted.empty()) {
        auto Now = std::move(Posted);
        Posted.clear();
        for (auto &F : Now)
          F();
      }
      if (std::optional<Nanoseconds> Next = S->nextWake()) {
        if (*Next > Time.now())
          Time.advance(*Next - Time.now());
        S->wake();
      }
    } while (!Compiles.Jobs.empty()); // It is compiled once more.
  }

  std::string kinds() const {
    std::string Result;
    for (const Event &E : Told)
      Result += std::string(Result.empty() ? "" : " ") + spell(E.What);
    return Result;
  }
};

} // namespace hotjit

#endif
