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

using namespace hotjit;

struct Compiler::State {
  /// What __DATE__ and __TIME__ say: a save must not change them.
  std::time_t Started =
      std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  Preambles Kept;
};

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
                                                            Unit.Directory)),
        VFS(Files) {}

  llvm::Error prepare(std::time_t Started);
  std::unique_ptr<llvm::MemoryBuffer> mainText() const;
  llvm::Expected<CompileResult>
  run(const PartialPlan *Only, const CancelFlag *Cancel, std::string &Doubt);

  const TranslationUnit &Unit;
  const TextSnapshot &Texts;
  const Nanoseconds Start = RealClock().now();
  llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files;
  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> VFS; ///< perhaps with more
  std::shared_ptr<clang::CompilerInvocation> Invocation;
};

} // namespace

llvm::Error Attempt::prepare(std::time_t Started) {
  // Sema moves to a new stack before this one is used up.
  clang::noteBottomOfStack();
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
  return llvm::MemoryBuffer::getMemBufferCopy(
      Source->text(), Invocation->getFrontendOpts().Inputs.front().getFile());
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
  Instance.setVirtualFileSystem(VFS);
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
  Attempt A(Unit, Texts);
  if (llvm::Error E = A.prepare(S->Started))
    return std::move(E);
  std::shared_ptr<const SourceText> Before = Request.OldTexts.find(Unit.Path);
  std::unique_ptr<llvm::MemoryBuffer> Text = A.mainText();
  if (!Before || !Text) {
    Why = "the text of the unit's file is not kept";
    return std::nullopt;
  }
  std::optional<BodyMatch> Match =
      matchBodies(Before->text(), Request.Old.Text, Text->getBuffer(),
                  A.Invocation->getLangOpts(), Why);
  std::optional<PartialPlan> Plan =
      Match ? planPartial(Request, std::move(*Match), Why) : std::nullopt;
  if (!Plan)
    return std::nullopt;

  prepareForPreamble(*A.Invocation);
  A.Invocation->getFrontendOpts().SkipFunctionBodies = true;
  std::shared_ptr<const Preamble> Start = S->Kept.find(Unit.Path);
  if (Start && Start->fits(*A.Invocation, *Text, Texts, *A.Files))
    Start->Parsed.AddImplicitPreamble(*A.Invocation, A.VFS, Text.release());
  auto Result = A.run(&*Plan, Cancel, Why);
  if (!Result)
    return Result.takeError();
  if (!Why.empty())
    return std::nullopt;
  if (Result->Unit && !completeFacts(*Result->Unit, *Plan, Why))
    return std::nullopt;
  return std::move(*Result);
}

void Compiler::warm(const TranslationUnit &Unit, const TextSnapshot &Texts) {
  Attempt A(Unit, Texts);
  if (llvm::Error E = A.prepare(S->Started))
    return llvm::consumeError(std::move(E)); // Compiling it will tell.
  std::unique_ptr<llvm::MemoryBuffer> Text = A.mainText();
  if (!Text)
    return;
  std::shared_ptr<const Preamble> Kept = S->Kept.find(Unit.Path);
  if (Kept && Kept->fits(*A.Invocation, *Text, Texts, *A.Files))
    return;
  if (auto Parsed = Preambles::parse(*A.Invocation, *Text, Texts, A.Files))
    S->Kept.keep(Unit.Path, std::move(Parsed));
}

size_t Compiler::bytesKept() const { return S->Kept.bytesKept(); }
void Compiler::setLimit(size_t Bytes) { S->Kept.setLimit(Bytes); }
