// One compile: the command becomes an invocation, the invocation runs on a
// snapshot of the texts, and what Clang made of it is kept as facts and
// unoptimized IR. Everything that Clang needs is made here and dropped here;
// nothing is shared with another compile, and nothing is printed or written.

#include "Compile/Compiler.h"
#include "Compile/Consumer.h"
#include "Compile/Diagnostics.h"
#include "Compile/Invocation.h"
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

llvm::Expected<CompileResult> Compiler::compile(const TranslationUnit &Unit,
                                                const TextSnapshot &Texts,
                                                const CancelFlag *Cancel) {
  // Sema moves to a new stack before this one is used up.
  clang::noteBottomOfStack();
  RealClock Time;
  const Nanoseconds Start = Time.now();
  auto Files =
      llvm::makeIntrusiveRefCnt<SnapshotFileSystem>(Texts, Unit.Directory);
  llvm::Expected<std::shared_ptr<clang::CompilerInvocation>> Invocation =
      createInvocation(Unit, Files, S->Started);
  if (!Invocation)
    return Invocation.takeError();
  Files->forgetOpened(); // What the driver looked at is no source.

  CompileResult Result;
  auto Compiled = std::make_unique<CompiledUnit>();
  Compiled->Path = Unit.Path;
  Compiled->Code.Context = std::make_unique<llvm::LLVMContext>();
  // Without a handler LLVM ends the process at the first error.
  Compiled->Code.Context->setDiagnosticHandlerCallBack(
      [](const llvm::DiagnosticInfo *, void *) {});

  DiagnosticCollector Collector((*Invocation)->getDiagnosticOpts(), *Files);
  clang::CompilerInstance Instance(*Invocation);
  Instance.setVirtualFileSystem(Files);
  Instance.setVerboseOutputStream(std::make_unique<llvm::raw_null_ostream>());
  Instance.createDiagnostics(&Collector, /*ShouldOwnClient=*/false);
  if (!Instance.createTarget())
    return makeError("{}: {}", Unit.Path, Collector.Rendered);

  UnitRun Run{
      *Compiled->Code.Context, *Files, Cancel, *Compiled, nullptr, false,
      Nanoseconds(0)};
  bool IsDone = run(Instance, Run);
  Result.Cancelled = Run.Cancelled;
  Result.Lower = Run.Lower;
  Result.Parse = Time.now() - Start - Run.Lower;
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
