// Which of the ways to compile a text is taken: the whole unit, the edited
// bodies behind a preamble that is kept, or the rest of a run that has begun
// before the edit. All give the same code.

#include "Compile/Compiler.h"
#include "Compile/CompileRun.h"
#include "Compile/HeadStart.h"
#include "Compile/PartialUnit.h"
#include "Compile/Preambles.h"
#include "Support/Error.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/TargetSelect.h"
#include <chrono>
#include <map>
#include <mutex>

using namespace hotjit;

struct Compiler::State {
  /// What __DATE__ and __TIME__ say: a save must not change them.
  std::time_t Started =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  CompilerProtection Protection;
  Preambles Kept;
  HeadStarts Ahead;
  std::atomic<size_t> Limit{512u << 20};
  std::atomic<size_t> HeadStartsUsed{0};

  /// What was edited last in a unit: it may be edited again.
  struct Edit {
    std::string File; ///< the unit's own or a header
    size_t Body;  ///< the first that was edited; edits of bodies keep numbers
    size_t First; ///< the first that was parsed
    std::set<std::string> Needed;
  };
  void noteEdit(const std::string &Unit, Edit Last) {
    std::lock_guard Lock(M);
    Edits[Unit] = std::move(Last);
  }
  /// If Now still has that body.
  std::optional<Edit> lastEdit(const std::string &Unit,
                               const CompiledUnit &Now) {
    std::lock_guard Lock(M);
    auto It = Edits.find(Unit);
    if (It == Edits.end())
      return std::nullopt;
    const UnitText *Text = Now.textOf(It->second.File);
    if (!Text || It->second.Body >= Text->Bodies.size() ||
        It->second.First >= Text->Bodies.size())
      return std::nullopt;
    return It->second;
  }

  /// What is parsed and what waits share the limit; of the unit that was edited
  /// last both are kept in any case.
  void keepWithinLimit() {
    while (Ahead.bytesKept() > Limit && Ahead.dropOldest())
      ;
    size_t Waiting = std::min<size_t>(Ahead.bytesKept(), Limit);
    Kept.setLimit(Limit - Waiting);
  }

  bool isIntact() const {
    return std::unique_lock(M, std::try_to_lock).owns_lock();
  }

private:
  mutable std::mutex M;
  std::map<std::string, Edit> Edits;
};

/// Bytes of text above an edited function from which it pays to keep them
/// parsed: some milliseconds per edit.
static constexpr uint32_t DeepFrom = 64 << 10;

Compiler::Compiler(CompilerProtection Protection)
    : S(std::make_unique<State>()) {
  S->Protection = std::move(Protection);
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
}

Compiler::~Compiler() = default;

llvm::Expected<CompileResult> Compiler::compile(const TranslationUnit &Unit,
                                                const TextSnapshot &Texts,
                                                const CancelFlag *Cancel) {
  CompileRun Run(Unit, Texts);
  if (llvm::Error E = Run.prepare(S->Started))
    return std::move(E);
  std::string Doubt;
  return Run.run(/*Only=*/nullptr, Cancel, Doubt);
}

llvm::Expected<CompileResult> Compiler::learn(const TranslationUnit &Unit,
                                              const TextSnapshot &Texts,
                                              const CancelFlag *Cancel) {
  CompileRun Run(Unit, Texts);
  if (llvm::Error E = Run.prepare(S->Started))
    return std::move(E);
  // Clang keeps to it that code is the same with debug info and without.
  Run.Invocation->getCodeGenOpts().setDebugInfo(
      llvm::codegenoptions::NoDebugInfo);
  Run.Invocation->getDiagnosticOpts().IgnoreWarnings = true;
  std::string Doubt;
  return Run.run(/*Only=*/nullptr, Cancel, Doubt);
}

/// What stands below the #include that leads to the header means nothing to the
/// bodies in it, so the unit may end there. Its text then; none: it may not.
static std::optional<std::string>
endBehindHeader(const CompileRun &Run, const BodiesRequest &Request) {
  std::unique_ptr<llvm::MemoryBuffer> Text = Run.mainText();
  // What was asked for may stand further down.
  if (!Text || !Request.Needed.empty() || Request.Old.Text.Counter != 0)
    return std::nullopt;
  std::optional<uint32_t> End = endOfInclude(
      Text->getBuffer(), Request.Old.textOf(Request.Header)->IncludedAt,
      Run.Invocation->getLangOpts());
  if (!End)
    return std::nullopt;
  return Text->getBuffer().take_front(*End).str();
}

llvm::Expected<std::optional<CompileResult>>
Compiler::compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                        const BodiesRequest &Request, std::string &Why,
                        const CancelFlag *Cancel) {
  const bool IsOwn = Request.Header.empty();
  std::shared_ptr<const Preamble> Start; // lives as long as Run
  // As the compile before left them; made anew when this one is done.
  std::unique_ptr<HeadStart> Ahead = S->Ahead.take(Unit.id());
  llvm::scope_exit Discard([&] { S->Ahead.discard(std::move(Ahead)); });
  CompileRun Run(Unit, Texts);
  const UnitText *Known = Request.Old.textOf(Request.file());
  std::shared_ptr<const SourceText> Before =
      Request.OldTexts.find(Request.file());
  std::shared_ptr<const SourceText> Now = Texts.find(Request.file());
  if (!Known || !Before || !Now) {
    Why = "the text of the edited file is not known well enough";
    return std::nullopt;
  }
  const std::shared_ptr<const std::string> Kept = Now->text();
  llvm::StringRef Text = *Kept;
  // Reading the command takes longer than comparing the texts.
  if (IsOwn)
    Start = S->Kept.find(Unit, Text, Texts, ~0U);
  if (!Start)
    if (llvm::Error E = Run.prepare(S->Started))
      return std::move(E);
  std::optional<BodyMatch> Match = matchBodies(
      *Before->text(), *Known, Text,
      Start ? Start->language() : Run.Invocation->getLangOpts(), Why);
  std::optional<PartialPlan> Plan =
      Match ? planPartial(Request, std::move(*Match), Why) : std::nullopt;
  if (!Plan)
    return std::nullopt;
  if (Start && Start->length() > Plan->firstParsed())
    Start = S->Kept.find(Unit, Text, Texts, Plan->firstParsed());
  S->noteEdit(Unit.id(), {Plan->File, Plan->Bodies.Touched.front(),
                          Plan->firstBody(), Request.Needed});

  std::optional<CompileResult> Result;
  if (Ahead && Ahead->serves(Unit, Texts, Text, Start.get(), *Plan))
    Result = Ahead->finish(*Plan, Text, Cancel, Why);
  S->HeadStartsUsed += Result.has_value();
  if (!Result) {
    // This thread may be left in the middle of what follows.
    S->Ahead.discard(std::move(Ahead));
    if (Start)
      Run.Invocation = Start->start(Run.files(), Run.mainText());
    else if (!Run.Invocation)
      if (llvm::Error E = Run.prepare(S->Started))
        return std::move(E);
    if (!IsOwn)
      if (std::optional<std::string> Main = endBehindHeader(Run, Request))
        Run.replace(Run.Invocation->getFrontendOpts().Inputs.front().getFile(),
                    llvm::MemoryBuffer::getMemBufferCopy(*Main, Unit.Path));
    prepareForBodies(*Run.Invocation);
    auto Made = Run.run(&*Plan, Cancel, Why);
    if (!Made)
      return Made.takeError();
    Result = std::move(*Made);
  }
  if (!Why.empty() ||
      (Result->Unit &&
       !completeFacts(*Result->Unit, *Plan, *Result->Unit->Code.Module, Why)))
    return std::nullopt;
  if (!IsOwn)
    Result->Bodies = std::make_shared<BodyMatch>(std::move(Plan->Bodies));
  return Result;
}

/// Keeps preambles of the unit parsed: of its #includes, and if it is long, of
/// what stands above the body that was edited last. Live: the unit as compiled
/// from Texts, if it was.
static void keepPreambles(CompileRun &Run, Preambles &Kept,
                          const TranslationUnit &Unit,
                          const TextSnapshot &Texts,
                          const llvm::MemoryBuffer &Text, std::time_t Started,
                          const UnitText *Facts, uint32_t UpTo) {
  std::shared_ptr<const Preamble> Start =
      Kept.find(Unit, Text.getBuffer(), Texts, UpTo);
  bool WantsDeep = Facts && UpTo - (Start ? Start->length() : 0) > DeepFrom;
  if (Start && !WantsDeep)
    return;
  if (llvm::Error E = Run.prepare(Started))
    return llvm::consumeError(std::move(E)); // Compiling it will tell.
  auto Keep = [&](const UnitText *Above, uint32_t To) {
    if (auto Parsed = Preamble::parse(Unit, *Run.Invocation, Text, Texts,
                                      Run.sharedFiles(), Above, To))
      Kept.keep(Unit.id(), /*IsDeep=*/Above, std::move(Parsed));
  };
  if (!Start)
    Keep(nullptr, 0);
  if (WantsDeep)
    Keep(Facts, UpTo);
}

bool Compiler::isIntact() const {
  return S->isIntact() && S->Kept.isIntact() && S->Ahead.isIntact();
}

void Compiler::abandon() {
  if (S->Ahead.isIntact())
    S->Ahead.end();
}

void Compiler::warm(const TranslationUnit &Unit, const TextSnapshot &Texts,
                    std::shared_ptr<const CompiledUnit> Live) {
  if (S->Limit == 0)
    return;
  S->keepWithinLimit();
  CompileRun Run(Unit, Texts);
  std::unique_ptr<llvm::MemoryBuffer> Text = Run.mainText();
  if (!Text)
    return;
  std::optional<State::Edit> Last;
  if (Live)
    Last = S->lastEdit(Unit.id(), *Live);
  if (Last && Last->File != Unit.Path)
    Last.reset();
  keepPreambles(Run, S->Kept, Unit, Texts, *Text, S->Started,
                Last ? &Live->Text : nullptr,
                Last ? Live->Text.Bodies[Last->First].Begin : ~0U);
}

void Compiler::begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
                     std::shared_ptr<const CompiledUnit> Live) {
  S->Ahead.sweep();
  S->keepWithinLimit();
  std::optional<State::Edit> Last = S->lastEdit(Unit.id(), *Live);
  if (!Last || S->Limit == 0)
    return;
  CompileRun Run(Unit, Texts);
  std::shared_ptr<const SourceText> Source = Texts.find(Last->File);
  if (!Source)
    return;
  const std::shared_ptr<const std::string> Kept = Source->text();
  llvm::StringRef Text = *Kept;
  const std::vector<BodyText> &Bodies = Live->textOf(Last->File)->Bodies;
  bool IsOwn = Last->File == Unit.Path;
  std::shared_ptr<const Preamble> Start;
  if (IsOwn)
    Start = S->Kept.find(Unit, Text, Texts, Bodies[Last->First].Begin);
  if (S->Ahead.has(Unit.id(), *Live, Start.get()))
    return;
  BodyMatch Same;
  Same.Bodies = Bodies;
  Same.Touched = {Last->Body};
  Same.Shifts = {{~0U, 0}};
  std::string Why;
  BodiesRequest Request{*Live, Texts, Last->Needed, IsOwn ? "" : Last->File};
  std::optional<PartialPlan> Plan = planPartial(Request, std::move(Same), Why);
  if (!Plan || Plan->firstBody() != Last->First)
    return;
  HeadStart::Terms From{Unit,      Texts, Live, Start, {}, std::move(*Plan),
                        Last->Body};
  if (!Start) {
    // It will be parsed in a moment.
    if (IsOwn && Live->Files.size() != 1)
      return;
    if (llvm::Error E = Run.prepare(S->Started))
      return llvm::consumeError(std::move(E));
    From.Invocation = Run.Invocation;
    From.Others = DiskFiles(Live->Files, Texts);
    if (!IsOwn)
      From.Main = endBehindHeader(Run, Request);
  }
  From.Protection = S->Protection;
  auto Ahead = HeadStart::begin(std::move(From), Text);
  if (Ahead)
    S->Ahead.keep(std::move(*Ahead));
  else
    llvm::consumeError(Ahead.takeError()); // It is as fast as it was.
}

size_t Compiler::bytesKept() const {
  return S->Kept.bytesKept() + S->Ahead.bytesKept();
}
size_t Compiler::headStartsUsed() const { return S->HeadStartsUsed; }
void Compiler::setLimit(size_t Bytes) {
  S->Limit = Bytes;
  S->keepWithinLimit();
}
