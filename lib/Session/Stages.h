#ifndef HOTJIT_SESSION_STAGES_H
#define HOTJIT_SESSION_STAGES_H

#include "Compile/Compiler.h"
#include "Compile/Follow.h"
#include "Diff/Diff.h"
#include "Link/Linker.h"
#include "Patch/Patcher.h"
#include "Patch/Stacks.h"
#include <functional>

namespace hotjit {

/// The passes as Session calls them: the real ones, or a test's, which can
/// fail at any step. Called on the session thread unless a member says
/// otherwise; no lock is held.
class Stages {
public:
  virtual ~Stages() = default;

  /// On threads of the compiler, several at once.
  virtual llvm::Expected<CompileResult> compile(const TranslationUnit &Unit,
                                                const TextSnapshot &Texts,
                                                const CancelFlag *Cancel) = 0;

  /// The same: as Compiler::learn, without code.
  virtual llvm::Expected<CompileResult> learn(const TranslationUnit &Unit,
                                              const TextSnapshot &Texts,
                                              const CancelFlag *Cancel) = 0;

  /// The same: as Compiler::compileBodies.
  virtual llvm::Expected<std::optional<CompileResult>>
  compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                const BodiesRequest &Request, std::string &Why,
                const CancelFlag *Cancel) = 0;
  /// The same: as hotjit::follow. Error: a defect was found in what it made.
  virtual llvm::Expected<std::unique_ptr<CompiledUnit>>
  follow(const TranslationUnit &Unit, const TextSnapshot &Texts,
         const BodiesRequest &Request, const LeadUnit &Lead,
         std::string &Why) = 0;
  /// On the warming thread, or one of the compiler: as Compiler::warm.
  virtual void warm(const TranslationUnit &Unit, const TextSnapshot &Texts,
                    std::shared_ptr<const CompiledUnit> Live) = 0;
  /// On a thread of the compiler: as Compiler::begin.
  virtual void begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
                     std::shared_ptr<const CompiledUnit> Live) = 0;

  virtual llvm::Expected<PlanOrRefusal> diff(llvm::ArrayRef<UnitChange> Changes,
                                             const Adopted &Earlier) = 0;

  virtual llvm::Expected<PlanOrRefusal> planReinit(const UnitChange &Live,
                                                   llvm::StringRef Symbol,
                                                   const Adopted &Earlier) = 0;

  /// Keeps the module loaded while the program runs, though the program closes
  /// it: its code leads to new code from now on, and the other way round.
  /// False: the program has closed it already.
  virtual bool hold(size_t Module) = 0;

  virtual std::vector<ArmProblem> probe(llvm::ArrayRef<EntrySite> Sites) = 0;
  virtual llvm::Expected<ProgramAddr> addStub(size_t Module) = 0;
  virtual llvm::Expected<StagedGeneration> stage(Plan &P,
                                                 const Identities &Added) = 0;
  virtual std::vector<ArmProblem> arm(llvm::ArrayRef<EntrySite> Sites) = 0;

  /// Runs the initializers of Staged, in order, on a thread that shares the
  /// program's descriptor table; waits. Functions that Staged adds can be
  /// called by them. Error: one of them ended by a fault or did not return in
  /// time; says which.
  virtual llvm::Error runInitializers(const StagedGeneration &Staged) = 0;

  virtual llvm::Expected<Generation> commit(StagedGeneration Staged,
                                            std::vector<std::string> Files) = 0;
  virtual llvm::Expected<Generation> undo() = 0;
  virtual llvm::Expected<Generation> redo() = 0;

  /// Where the body that Identity leads to now lies: its pieces, none if it is
  /// not known.
  virtual std::vector<AddrRange> bodyOf(ProgramAddr Identity) = 0;
  /// Where the code of Unit lies, as it was built.
  virtual std::vector<AddrRange> codeOf(const ImageUnit &Unit) = 0;
  /// The source line that the code at A was made from, of Unit as it was built
  /// or of a generation.
  virtual std::optional<SourcePlace> lineAt(const ImageUnit *Unit,
                                            ProgramAddr A) = 0;
  /// As Patcher::ownerOf.
  virtual std::optional<Patcher::Owner> ownerOf(ProgramAddr A) = 0;
  /// Function, place and generation of the code at A, for people. Empty: it is
  /// the engine's.
  virtual std::string describeCode(ProgramAddr A) = 0;
  virtual std::vector<FrameHit>
  findFrames(llvm::ArrayRef<AddrRange> Ranges) = 0;

  /// Bytes of memory that live and superseded code takes, and those of them
  /// that no call reaches.
  virtual size_t memoryUsed() = 0;
  virtual size_t memorySuperseded() = 0;
  /// Bytes that the compiler keeps parsed for edits to come.
  virtual size_t memoryParsed() = 0;
};

/// Runs jobs on other threads, in the order in which they come; or in tests,
/// when the test says so.
class Executor {
public:
  virtual ~Executor() = default;
  virtual void run(std::function<void()> Job) = 0;
};

} // namespace hotjit

#endif
