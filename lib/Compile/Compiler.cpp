// One compile: the command becomes an invocation, the invocation runs on a
// snapshot of the texts, and what Clang made of it is kept as facts and
// unoptimized IR. Everything that Clang needs is made here and dropped here; of
// other compiles only parsed preambles are used, if they fit. Nothing is
// printed or written.

#include "Compile/Compiler.h"
#include "Compile/Consumer.h"
#include "Compile/Diagnostics.h"
#include "Compile/Invocation.h"
#include "Compile/PartialUnit.h"
#include "Compile/Preambles.h"
#include "Compile/SnapshotFileSystem.h"
#include "Support/Error.h"
#include "clang/Basic/Stack.h"
#include "clang/Frontend/CompilerInstance.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>
#include <map>
#include <mutex>

using namespace hotjit;

struct Compiler::State {
  /// What __DATE__ and __TIME__ say: a save must not change them.
  std::time_t Started =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  Preambles Kept;

  /// What was edited last in a unit: it may be edited again.
  struct Edit {
    ContentHash Hash; ///< of the text that Text is of
    UnitText Text;
    uint32_t FirstParsed;
  };
  void noteEdit(const std::string &Unit, Edit Last) {
    std::lock_guard Lock(M);
    Edits[Unit] = std::move(Last);
  }
  std::optional<Edit> lastEdit(const std::string &Unit) {
    std::lock_guard Lock(M);
    auto It = Edits.find(Unit);
    return It == Edits.end() ? std::nullopt : std::optional(It->second);
  }

private:
  std::mutex M;
  std::map<std::string, Edit> Edits;
};

/// Bytes of text above an edited function from which it pays to keep them
/// parsed: some milliseconds per edit.
static constexpr uint32_t DeepFrom = 64 << 10;

Compiler::Compiler() : S(std::make_unique<State>()) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser();
}

Compiler::~Compiler() = default;

/// Runs the front end. False: the input could not be opened, or cancelled.
static bool run(clang::CompilerInstance &Instance, UnitRun &Run) {
  CompileAction Action(Run);
  const clang::FrontendInputFile &Input =
      Instance.getFrontendOpts().Inputs.front();
  if (!Action.BeginSourceFile(Instance, Input))
    return false;
  bool Done = true;
  if (llvm::Error E = Action.Execute()) {
    llvm::consumeError(std::move(E)); // It was reported as a diagnostic.
    Done = false;
  }
  Action.EndSourceFile();
  return Done;
}

namespace {

/// Everything that one compile is made of.
struct Attempt {
  Attempt(const TranslationUnit &Unit, const TextSnapshot &Texts)
      : Unit(Unit), Texts(Texts),
        Files(llvm::makeIntrusiveRefCnt<SnapshotFileSystem>(Texts,
                                                            Unit.Directory)) {
    // Sema moves to a new stack before this one is used up.
    clang::noteBottomOfStack();
  }

  llvm::Error prepare(std::time_t Started);
  std::unique_ptr<llvm::MemoryBuffer> mainText() const;
  llvm::Expected<CompileResult>
  run(const PartialPlan *Only, const CancelFlag *Cancel, std::string &Doubt);

  const TranslationUnit &Unit;
  const TextSnapshot &Texts;
  const Nanoseconds Start = RealClock().now();
  llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files;
  std::shared_ptr<clang::CompilerInvocation> Invocation;
};

} // namespace

llvm::Error Attempt::prepare(std::time_t Started) {
  auto Made = createInvocation(Unit, Files, Started);
  if (!Made)
    return Made.takeError();
  Invocation = std::move(*Made);
  Files->forgetOpened(); // What the driver looked at is no source.
  return llvm::Error::success();
}

/// Null if the snapshot does not have the unit's file.
std::unique_ptr<llvm::MemoryBuffer> Attempt::mainText() const {
  std::shared_ptr<const SourceText> Source = Texts.find(Unit.Path);
  if (!Source)
    return nullptr;
  return llvm::MemoryBuffer::getMemBufferCopy(Source->text(), Unit.Path);
}

llvm::Expected<CompileResult> Attempt::run(const PartialPlan *Only,
                                           const CancelFlag *Cancel,
                                           std::string &Doubt) {
  CompileResult Result;
  auto Compiled = std::make_unique<CompiledUnit>();
  Compiled->Path = Unit.Path;
  Compiled->Code.Context = std::make_unique<llvm::LLVMContext>();
  // Without a handler LLVM ends the process at the first error.
  Compiled->Code.Context->setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo *, void *) {});

  DiagnosticCollector Collector(Invocation->getDiagnosticOpts(), *Files);
  Collector.WarnsOfMainFileOnly = Unit.ByGCC;
  if (Only)
    for (size_t Touched : Only->Bodies.Touched)
      Collector.Within.push_back(Only->Bodies.Bodies[Touched]);
  clang::CompilerInstance Instance(Invocation);
  Instance.setVirtualFileSystem(Files);
  Instance.setVerboseOutputStream(std::make_unique<llvm::raw_null_ostream>());
  Instance.createDiagnostics(&Collector, /*ShouldOwnClient=*/false);
  if (!Instance.createTarget())
    return makeError("{}: {}", Unit.Path, Collector.Rendered);

  UnitRun Run{.Context = *Compiled->Code.Context,
              .Files = *Files,
              .Cancel = Cancel,
              .Only = Only,
              .ByGCC = Unit.ByGCC,
              .Unit = *Compiled};
  bool IsDone = ::run(Instance, Run);
  Doubt = std::move(Run.Doubt);
  if (Collector.ErrorElsewhere)
    Doubt = "an error outside the edited bodies";
  Result.Cancelled = Run.Cancelled;
  Result.Lower = Run.Lower;
  Result.Parse = RealClock().now() - Start - Run.Lower;
  Result.Diagnostics = std::move(Collector.Items);
  Result.Rendered = std::move(Collector.Rendered);
  if (!IsDone || !Run.Module || Run.Cancelled)
    return Result;
  Compiled->Settings = settingsOf(Instance.getInvocation(), Unit);
  Compiled->Files.assign(Files->opened().begin(), Files->opened().end());
  Compiled->Code.Module = std::move(Run.Module);
  Result.Unit = std::move(Compiled);
  return Result;
}

llvm::Expected<CompileResult> Compiler::compile(const TranslationUnit &Unit,
                                                const TextSnapshot &Texts,
                                                const CancelFlag *Cancel) {
  Attempt A(Unit, Texts);
  if (llvm::Error E = A.prepare(S->Started))
    return std::move(E);
  std::string Doubt;
  return A.run(/*Only=*/nullptr, Cancel, Doubt);
}

llvm::Expected<std::optional<CompileResult>>
Compiler::compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                        const BodiesRequest &Request, std::string &Why,
                        const CancelFlag *Cancel) {
  std::shared_ptr<const Preamble> Start; // lives as long as A
  Attempt A(Unit, Texts);
  std::shared_ptr<const SourceText> Before = Request.OldTexts.find(Unit.Path);
  std::unique_ptr<llvm::MemoryBuffer> Text = A.mainText();
  if (!Before || !Text) {
    Why = "the text of the unit's file is not kept";
    return std::nullopt;
  }
  // Reading the command takes longer than comparing the texts.
  Start = S->Kept.find(Unit, Text->getBuffer(), Texts, ~0U);
  if (!Start)
    if (llvm::Error E = A.prepare(S->Started))
      return std::move(E);
  std::optional<BodyMatch> Match =
      matchBodies(Before->text(), Request.Old.Text, Text->getBuffer(),
                  Start ? Start->language() : A.Invocation->getLangOpts(), Why);
  std::optional<PartialPlan> Plan =
      Match ? planPartial(Request, std::move(*Match), Why) : std::nullopt;
  if (!Plan)
    return std::nullopt;

  if (Start && Start->length() > Plan->firstParsed())
    Start = S->Kept.find(Unit, Text->getBuffer(), Texts, Plan->firstParsed());
  if (Start)
    A.Invocation = Start->start(*A.Files, std::move(Text));
  else if (!A.Invocation)
    if (llvm::Error E = A.prepare(S->Started))
      return std::move(E);
  prepareForBodies(*A.Invocation);
  auto Result = A.run(&*Plan, Cancel, Why);
  if (!Result)
    return Result.takeError();
  if (!Why.empty())
    return std::nullopt;
  if (Result->Unit && !completeFacts(*Result->Unit, *Plan, Why))
    return std::nullopt;
  if (Result->Unit)
    S->noteEdit(Unit.Path, {Texts.find(Unit.Path)->hash(), Result->Unit->Text,
                            Plan->firstParsed()});
  return std::move(*Result);
}

void Compiler::warm(const TranslationUnit &Unit, const TextSnapshot &Texts) {
  Attempt A(Unit, Texts);
  std::unique_ptr<llvm::MemoryBuffer> Text = A.mainText();
  if (!Text)
    return;
  std::optional<State::Edit> Last = S->lastEdit(Unit.Path);
  std::shared_ptr<const Preamble> Start = S->Kept.find(
      Unit, Text->getBuffer(), Texts, Last ? Last->FirstParsed : ~0U);
  bool WantsDeep =
      Last && Last->FirstParsed - (Start ? Start->length() : 0) > DeepFrom;
  if (Start && !WantsDeep)
    return;
  if (llvm::Error E = A.prepare(S->Started))
    return llvm::consumeError(std::move(E)); // Compiling it will tell.
  auto Keep = [&](const UnitText *Facts, uint32_t UpTo) {
    if (auto Parsed = Preamble::parse(Unit, *A.Invocation, *Text, Texts,
                                      A.Files, Facts, UpTo))
      S->Kept.keep(Unit.Path, /*IsDeep=*/Facts, std::move(Parsed));
  };
  if (!Start)
    Keep(nullptr, 0);
  if (WantsDeep && Last->Hash == Texts.find(Unit.Path)->hash())
    Keep(&Last->Text, Last->FirstParsed);
}

size_t Compiler::bytesKept() const { return S->Kept.bytesKept(); }
void Compiler::setLimit(size_t Bytes) { S->Kept.setLimit(Bytes); }
