#ifndef HOTJIT_TOOLS_ENGINE_REALSTAGES_H
#define HOTJIT_TOOLS_ENGINE_REALSTAGES_H

#include "Compile/Agreement.h"
#include "Patch/CompilerWatch.h"
#include "Session/Stages.h"
#include "Support/Log.h"
#include <mutex>

namespace hotjit {

/// Runs functions of new code on a thread of the program's own kind.
using RunOnProgramThread = std::function<llvm::Error(ProgramAddr Function)>;

/// The passes as they are in a running program.
class RealStages final : public Stages {
public:
  static llvm::Expected<std::unique_ptr<RealStages>>
  create(const Image &Program, Log &L, std::timed_mutex &ForkLock,
         RunOnProgramThread RunInitializer);

  /// Compile every unit whole too, and fail where edited bodies alone give
  /// anything else: for tests.
  bool ChecksBodies = false;
  void setCacheLimit(size_t Bytes);
  /// Ends its threads. Nothing may be compiled or linked any more; what is live
  /// stays.
  void endThreads();
  /// Of one compile, and of one generation's code.
  CompilerLimits Limits;

  llvm::Expected<CompileResult> compile(const TranslationUnit &Unit,
                                        const TextSnapshot &Texts,
                                        const CancelFlag *Cancel) override;
  llvm::Expected<CompileResult> learn(const TranslationUnit &Unit,
                                      const TextSnapshot &Texts,
                                      const CancelFlag *Cancel) override;
  llvm::Expected<std::optional<CompileResult>>
  compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                const BodiesRequest &Request, std::string &Why,
                const CancelFlag *Cancel) override;
  llvm::Expected<std::unique_ptr<CompiledUnit>>
  follow(const TranslationUnit &Unit, const TextSnapshot &Texts,
         const BodiesRequest &Request, const LeadUnit &Lead,
         std::string &Why) override;
  void warm(const TranslationUnit &Unit, const TextSnapshot &Texts,
            std::shared_ptr<const CompiledUnit> Live) override;
  void begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
             std::shared_ptr<const CompiledUnit> Live) override;
  llvm::Expected<PlanOrRefusal> diff(llvm::ArrayRef<UnitChange> Changes,
                                     const Adopted &Earlier) override;
  llvm::Expected<PlanOrRefusal> planReinit(const UnitChange &Live,
                                           llvm::StringRef Symbol,
                                           const Adopted &Earlier) override;
  bool hold(size_t Module) override;
  std::vector<ArmProblem> probe(llvm::ArrayRef<EntrySite> Sites) override;
  llvm::Expected<ProgramAddr> addStub(size_t Module) override;
  llvm::Expected<StagedGeneration> stage(Plan &P,
                                         const Identities &Added) override;
  std::vector<ArmProblem> arm(llvm::ArrayRef<EntrySite> Sites) override;
  llvm::Error runInitializers(const StagedGeneration &Staged) override;
  llvm::Expected<Generation> commit(StagedGeneration Staged,
                                    std::vector<std::string> Files) override;
  llvm::Expected<Generation> undo() override;
  llvm::Expected<Generation> redo() override;
  std::vector<AddrRange> bodyOf(ProgramAddr Identity) override;
  std::vector<AddrRange> codeOf(const ImageUnit &Unit) override;
  std::optional<SourcePlace> lineAt(const ImageUnit *Unit,
                                    ProgramAddr A) override;
  std::optional<Patcher::Owner> ownerOf(ProgramAddr A) override;
  std::string describeCode(ProgramAddr A) override;
  std::vector<FrameHit> findFrames(llvm::ArrayRef<AddrRange> Ranges) override;
  size_t memoryUsed() override;
  size_t memorySuperseded() override;
  size_t memoryParsed() override;

private:
  RealStages(const Image &Program, Log &L, std::unique_ptr<CompilerWatch> Watch,
             std::unique_ptr<Linker> Links, std::unique_ptr<Patcher> Patches,
             std::timed_mutex &ForkLock, RunOnProgramThread Run)
      : Program(Program), L(L), Watch(std::move(Watch)),
        Links(std::move(Links)), Patches(std::move(Patches)),
        ForkLock(ForkLock), RunInitializer(std::move(Run)) {}

  std::shared_ptr<Compiler> makeCompiler();
  std::shared_ptr<Compiler> compiler();
  void replaceCompiler(const std::shared_ptr<Compiler> &Broken);
  llvm::Error replaceLinker(const std::string &Why);
  template <typename Function>
  std::optional<CompilerFailure> tryCompiler(const std::shared_ptr<Compiler> &C,
                                             const CancelFlag *Cancel,
                                             Function Work);
  llvm::Error failure(const TranslationUnit &Unit,
                      const CompilerFailure &F) const;
  using WholeCompile = decltype(&Compiler::compile);
  llvm::Expected<CompileResult> tryWhole(WholeCompile How,
                                         const TranslationUnit &Unit,
                                         const TextSnapshot &Texts,
                                         const CancelFlag *Cancel);

  const Image &Program;
  Log &L;
  std::unique_ptr<CompilerWatch> Watch;
  /// Compiles and CacheLimit: two threads compile, and one of them may have to
  /// make a new compiler.
  std::mutex M;
  std::optional<size_t> CacheLimit;
  std::shared_ptr<Compiler> Compiles = makeCompiler();
  Agreement Compiled; ///< if ChecksBodies
  std::unique_ptr<Linker> Links;
  /// Broken ones: their code is live, and they know its lines.
  std::vector<std::unique_ptr<Linker>> OldLinks;
  std::unique_ptr<Patcher> Patches;
  /// Held where locks of libgcc or the loader are taken.
  std::timed_mutex &ForkLock;
  RunOnProgramThread RunInitializer;
};

} // namespace hotjit

#endif
