// The command becomes an invocation, the invocation runs on a snapshot of the
// texts, and what Clang made of it is kept as facts and unoptimized IR. Nothing
// is printed or written.

#include "Compile/CompileRun.h"
#include "Compile/Invocation.h"
#include "Compile/OneStack.h"
#include "Support/Error.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/Support/raw_ostream.h"

using namespace hotjit;

CompileRun::CompileRun(const TranslationUnit &Unit, const TextSnapshot &Texts)
    : Unit(Unit), Texts(Texts),
      Files(llvm::makeIntrusiveRefCnt<SnapshotFileSystem>(Texts,
                                                          Unit.Directory)) {
  compileOnOneStack();
}

CompileRun::~CompileRun() {
  if (Begun)
    Action->EndSourceFile();
}

llvm::Error CompileRun::prepare(std::time_t Started) {
  auto Made = createInvocation(Unit, Files, Started);
  if (!Made)
    return Made.takeError();
  Invocation = std::move(*Made);
  Files->forgetOpened(); // What the driver looked at is no source.
  return llvm::Error::success();
}

std::unique_ptr<llvm::MemoryBuffer> CompileRun::mainText() const {
  std::shared_ptr<const SourceText> Source = Texts.find(Unit.Path);
  if (!Source)
    return nullptr;
  return llvm::MemoryBuffer::getMemBufferCopy(*Source->text(), Unit.Path);
}

void CompileRun::replace(llvm::StringRef File,
                         std::unique_ptr<llvm::MemoryBuffer> Text) {
  Invocation->getPreprocessorOpts().addRemappedFile(File, Text.release());
}

/// False: the input could not be opened, or cancelled.
bool CompileRun::runFrontEnd() {
  Action.emplace(*Run);
  Begun = Action->BeginSourceFile(*Instance,
                                  Instance->getFrontendOpts().Inputs.front());
  if (!Begun)
    return false;
  if (llvm::Error E = Action->Execute()) {
    llvm::consumeError(std::move(E)); // It was reported as a diagnostic.
    return false;
  }
  return true;
}

void CompileRun::keepMessagesWithin(const PartialPlan &Plan) {
  Collector->Within.clear();
  Collector->WithinFile = Plan.File;
  for (size_t Touched : Plan.Bodies.Touched)
    Collector->Within.push_back(Plan.Bodies.Bodies[Touched]);
}

llvm::Expected<CompileResult> CompileRun::run(const PartialPlan *Only,
                                              const CancelFlag *Cancel,
                                              std::string &Doubt,
                                              PauseAtBody *Pause) {
  CompileResult Result;
  Compiled = std::make_unique<CompiledUnit>();
  Compiled->Path = Unit.Path;
  Compiled->Name = Unit.Name;
  Compiled->Code.Context = std::make_unique<llvm::LLVMContext>();
  // Without a handler LLVM ends the process at the first error.
  Compiled->Code.Context->setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo *, void *) {});

  Collector.emplace(Invocation->getDiagnosticOpts(), *Files);
  Collector->WarnsOfMainFileOnly = Unit.ByGCC;
  if (Only)
    keepMessagesWithin(*Only);
  Instance.emplace(Invocation);
  Instance->setVirtualFileSystem(Files);
  Instance->setVerboseOutputStream(std::make_unique<llvm::raw_null_ostream>());
  Instance->createDiagnostics(&*Collector, /*ShouldOwnClient=*/false);
  if (!Instance->createTarget())
    return makeError("{}: {}", Unit.Path, Collector->Rendered);

  Run.emplace(UnitRun{.Context = *Compiled->Code.Context,
                      .Files = *Files,
                      .Cancel = Cancel,
                      .Only = Only,
                      .Pause = Pause,
                      .ByGCC = Unit.ByGCC,
                      .Unit = *Compiled});
  if (Pause)
    Pause->Resumed = [&] {
      Start = RealClock().now();
      Run->Lower = Nanoseconds(0);
      keepMessagesWithin(*Only);
    };
  bool IsDone = runFrontEnd();
  Doubt = std::move(Run->Doubt);
  if (Collector->ErrorElsewhere)
    Doubt = "an error outside the edited bodies";
  Result.Cancelled = Run->Cancelled;
  Result.Lower = Run->Lower;
  Result.Parse = RealClock().now() - Start - Run->Lower;
  Result.Diagnostics = std::move(Collector->Items);
  Result.Rendered = std::move(Collector->Rendered);
  if (!IsDone || !Run->Module || Run->Cancelled)
    return Result;
  Compiled->Settings = settingsOf(Instance->getInvocation(), Unit);
  Compiled->Files.assign(Files->opened().begin(), Files->opened().end());
  Compiled->Code.Module = std::move(Run->Module);
  Result.Unit = std::move(Compiled);
  return Result;
}
