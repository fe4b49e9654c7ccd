#ifndef HOTJIT_COMPILE_COMPILERUN_H
#define HOTJIT_COMPILE_COMPILERUN_H

#include "Compile/Compiler.h"
#include "Compile/Consumer.h"
#include "Compile/Diagnostics.h"
#include "Compile/SnapshotFileSystem.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/CompilerInvocation.h"
#include <ctime>

namespace hotjit {

/// One run of the front end over one text, and everything that it is made of.
/// Of other runs only parsed preambles are used. One thread.
class CompileRun {
public:
  /// Unit and Texts must live as long as this.
  CompileRun(const TranslationUnit &Unit, const TextSnapshot &Texts);
  /// Tears the compiler down: some milliseconds.
  ~CompileRun();

  /// Reads the unit's command. Started: what __DATE__ and __TIME__ say.
  llvm::Error prepare(std::time_t Started);
  /// Of Invocation: makes File, a path, read Text.
  void replace(llvm::StringRef File, std::unique_ptr<llvm::MemoryBuffer> Text);
  /// Null if the snapshot does not have the unit's file.
  std::unique_ptr<llvm::MemoryBuffer> mainText() const;

  /// Runs the front end, once. Only: of the unit as that plan has it; it must
  /// live as long as this. Doubt: why the result of a plan must not be used.
  llvm::Expected<CompileResult> run(const PartialPlan *Only,
                                    const CancelFlag *Cancel,
                                    std::string &Doubt,
                                    PauseAtBody *Pause = nullptr);

  SnapshotFileSystem &files() { return *Files; }
  llvm::IntrusiveRefCntPtr<SnapshotFileSystem> sharedFiles() { return Files; }

  std::shared_ptr<clang::CompilerInvocation> Invocation;

private:
  bool runFrontEnd();
  void keepMessagesWithin(const PartialPlan &Plan);

  const TranslationUnit &Unit;
  const TextSnapshot &Texts;
  Nanoseconds Start = RealClock().now();
  llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files;
  // In the order in which one needs the other.
  std::unique_ptr<CompiledUnit> Compiled;
  std::optional<DiagnosticCollector> Collector;
  std::optional<clang::CompilerInstance> Instance;
  std::optional<UnitRun> Run;
  std::optional<CompileAction> Action;
  bool Begun = false;
};

} // namespace hotjit

#endif
