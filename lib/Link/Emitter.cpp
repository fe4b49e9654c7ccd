// From rewritten IR to an object: the middle end's pipeline for the level that
// the unit is built with, then LLVM's code generator. Always position
// independent, as Clang's driver would have been told with -fPIC: the code
// lies where there is room, and what it names may be anywhere.
//
// An error inside the code generator (inline assembly that does not assemble)
// is a diagnostic of the context; without a handler LLVM prints it and ends
// the process.

#include "Link/Emitter.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DiagnosticInfo.h"
#include "llvm/IR/DiagnosticPrinter.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Target/TargetOptions.h"

using namespace hotjit;
using namespace llvm;

namespace {
class ErrorCollector final : public DiagnosticHandler {
public:
  explicit ErrorCollector(std::string &Text) : Text(Text) {}

  bool handleDiagnostics(const DiagnosticInfo &D) override {
    if (D.getSeverity() == DS_Error) {
      raw_string_ostream Out(Text);
      DiagnosticPrinterRawOStream Printer(Out);
      Out << (Text.empty() ? "" : "; ");
      D.print(Printer);
    }
    return true;
  }

private:
  std::string &Text;
};
} // namespace

static OptimizationLevel passLevel(const CodegenSettings &Settings) {
  if (Settings.SizeLevel)
    return Settings.SizeLevel == 1 ? OptimizationLevel::Os
                                   : OptimizationLevel::Oz;
  switch (Settings.OptLevel) {
  case 0:
    return OptimizationLevel::O0;
  case 1:
    return OptimizationLevel::O1;
  case 2:
    return OptimizationLevel::O2;
  }
  return OptimizationLevel::O3;
}

Expected<TargetMachine *>
Emitter::targetMachine(const Module &M, const CodegenSettings &Settings) {
  Triple Target(Settings.Triple.empty() ? M.getTargetTriple()
                                        : Triple(Settings.Triple));
  std::string Features = join(Settings.Features, ",");
  std::string Key = fmt::format("{}/{}/{}/{}", Target.str(), Settings.CPU,
                                Features, Settings.OptLevel);
  std::unique_ptr<TargetMachine> &Machine = Machines[Key];
  if (Machine)
    return Machine.get();

  std::string Problem;
  const llvm::Target *T = TargetRegistry::lookupTarget(Target, Problem);
  if (!T || !Target.isOSBinFormatELF() || !Target.isX86_64())
    return makeError("cannot emit code for {}{}{}", Target.str(),
                     Problem.empty() ? "" : ": ", Problem);
  TargetOptions Options;
  Options.FunctionSections = true;
  Options.DataSections = true;
  CodeGenOptLevel Level = CodeGenOpt::getLevel(Settings.OptLevel)
                              .value_or(CodeGenOptLevel::Default);
  Machine.reset(T->createTargetMachine(Target, Settings.CPU, Features, Options,
                                       Reloc::PIC_, CodeModel::Small, Level));
  if (!Machine)
    return makeError("no code generator for {}", Target.str());
  if (Level == CodeGenOptLevel::None)
    Machine->setO0WantsFastISel(true);
  return Machine.get();
}

static void optimize(Module &M, TargetMachine &Machine,
                     const CodegenSettings &Settings) {
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;
  PassBuilder Builder(&Machine);
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(Components);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, Components, Modules);

  OptimizationLevel Level = passLevel(Settings);
  ModulePassManager Passes = Level == OptimizationLevel::O0
                                 ? Builder.buildO0DefaultPipeline(Level)
                                 : Builder.buildPerModuleDefaultPipeline(Level);
  Passes.run(M, Modules);
}

Expected<std::unique_ptr<MemoryBuffer>>
Emitter::emit(Module &M, const CodegenSettings &Settings, StringRef Name) {
  Expected<TargetMachine *> Machine = targetMachine(M, Settings);
  if (!Machine)
    return Machine.takeError();
  std::string Errors;
  M.getContext().setDiagnosticHandler(std::make_unique<ErrorCollector>(Errors));
  M.setTargetTriple((*Machine)->getTargetTriple());
  M.setDataLayout((*Machine)->createDataLayout());
  // Whatever the command said: -fPIC, not -fPIE.
  M.setModuleFlag(Module::Min, "PIC Level", PICLevel::BigPIC);
  M.setModuleFlag(Module::Max, "PIE Level", PIELevel::Default);

  optimize(M, **Machine, Settings);

  SmallVector<char, 0> Object;
  raw_svector_ostream Out(Object);
  legacy::PassManager CodeGenerator;
  if ((*Machine)->addPassesToEmitFile(CodeGenerator, Out, nullptr,
                                      CodeGenFileType::ObjectFile))
    return makeError("the code generator cannot emit objects");
  CodeGenerator.run(M);
  M.getContext().setDiagnosticHandler(nullptr);
  if (!Errors.empty())
    return makeError("{}: {}", Name, Errors);
  return std::make_unique<SmallVectorMemoryBuffer>(
      std::move(Object), Name, /*RequiresNullTerminator=*/false);
}
