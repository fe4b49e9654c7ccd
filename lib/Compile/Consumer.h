#ifndef HOTJIT_COMPILE_CONSUMER_H
#define HOTJIT_COMPILE_CONSUMER_H

#include "Compile/Bodies.h"
#include "Compile/Compiler.h"
#include "Compile/DeclFacts.h"
#include "Compile/LambdaNumbers.h"
#include "Compile/UnitText.h"
#include "clang/AST/ASTConsumer.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "clang/Frontend/FrontendAction.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/ADT/StringSet.h"
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace hotjit {

/// What of a unit is compiled if only bodies of one of its files changed.
struct PartialPlan {
  const CompiledUnit &Old;
  std::string File;         ///< real path
  BodyMatch Bodies;         ///< of File
  std::vector<bool> Parsed; ///< by body: the others are skipped
  /// Symbols that must be defined afterwards, if there is code for them.
  llvm::StringSet<> Wanted;

  /// The first body that is parsed; how many there are if none is.
  size_t firstBody() const { return llvm::find(Parsed, true) - Parsed.begin(); }
  /// Where it begins.
  uint32_t firstParsed() const {
    size_t First = firstBody();
    return First == Parsed.size() ? ~0U : Bodies.Bodies[First].Begin;
  }
};

/// Stops a run of the front end at a body, on the run's thread.
class PauseAtBody {
public:
  explicit PauseAtBody(size_t Body) : Body(Body) {}
  virtual ~PauseAtBody() = default;
  /// Called when the opening brace has been read. May change the plan, as far
  /// as bodies from this one on are concerned, and the text behind the brace.
  virtual void wait(clang::Preprocessor &P) = 0;

  const size_t Body;             ///< of the plan
  std::function<void()> Resumed; ///< called after wait()
};

/// What one run of the front end works on and leaves behind.
struct UnitRun {
  llvm::LLVMContext &Context; ///< of the module
  SnapshotFileSystem &Files;
  const CancelFlag *Cancel = nullptr;
  const PartialPlan *Only = nullptr; ///< null: the whole unit
  PauseAtBody *Pause = nullptr;      ///< null: do not stop
  bool ByGCC = false;                ///< what the program has of the unit

  CompiledUnit &Unit; ///< facts, if there was no error
  std::unique_ptr<llvm::Module> Module = nullptr; ///< null after an error
  LineUses Lines = {};
  bool Cancelled = false;
  Nanoseconds Lower{0};   ///< spent in code generation and facts
  std::string Doubt = {}; ///< why a partial compile cannot be trusted
};

/// Adds the time it lives to a total. The generator's callbacks nest: only the
/// outermost counts.
class Stopwatch {
public:
  Stopwatch(Nanoseconds &Total, unsigned &Depth)
      : Total(Total), Depth(Depth), IsOutermost(Depth++ == 0) {
    if (IsOutermost)
      Start = RealClock().now();
  }
  ~Stopwatch() {
    --Depth;
    if (IsOutermost)
      Total += RealClock().now() - Start;
  }

private:
  Nanoseconds &Total;
  unsigned &Depth;
  bool IsOutermost;
  Nanoseconds Start{0};
};

/// Hands what Clang parses to its code generator and takes the facts at the
/// end.
class UnitConsumer : public clang::ASTConsumer {
public:
  UnitConsumer(UnitRun &Run, clang::CompilerInstance &Instance,
               llvm::StringRef File);

  void Initialize(clang::ASTContext &Context) override {
    Code->Initialize(Context);
  }
  bool HandleTopLevelDecl(clang::DeclGroupRef D) override {
    if (isCancelled())
      return false;
    Stopwatch S = watch();
    return Code->HandleTopLevelDecl(D);
  }
  void HandleInlineFunctionDefinition(clang::FunctionDecl *D) override {
    Stopwatch S = watch();
    Code->HandleInlineFunctionDefinition(D);
  }
  void HandleInterestingDecl(clang::DeclGroupRef D) override {
    Stopwatch S = watch();
    Code->HandleInterestingDecl(D);
  }
  void HandleTagDeclDefinition(clang::TagDecl *D) override {
    Tags.insert(D);
    Stopwatch S = watch();
    Code->HandleTagDeclDefinition(D);
  }
  void HandleTagDeclRequiredDefinition(const clang::TagDecl *D) override {
    Stopwatch S = watch();
    Code->HandleTagDeclRequiredDefinition(D);
  }
  void HandleCXXImplicitFunctionInstantiation(clang::FunctionDecl *D) override {
    Code->HandleCXXImplicitFunctionInstantiation(D);
  }
  void HandleImplicitImportDecl(clang::ImportDecl *D) override {
    Code->HandleImplicitImportDecl(D);
  }
  void CompleteTentativeDefinition(clang::VarDecl *D) override {
    Stopwatch S = watch();
    Code->CompleteTentativeDefinition(D);
  }
  void CompleteExternalDeclaration(clang::DeclaratorDecl *D) override {
    Code->CompleteExternalDeclaration(D);
  }
  void AssignInheritanceModel(clang::CXXRecordDecl *D) override {
    Code->AssignInheritanceModel(D);
  }
  void HandleCXXStaticMemberVarInstantiation(clang::VarDecl *D) override {
    Stopwatch S = watch();
    Code->HandleCXXStaticMemberVarInstantiation(D);
  }
  void HandleVTable(clang::CXXRecordDecl *D) override {
    Stopwatch S = watch();
    Code->HandleVTable(D);
  }
  clang::ASTMutationListener *GetASTMutationListener() override {
    return Numbers ? &*Numbers : nullptr;
  }
  void HandleTranslationUnit(clang::ASTContext &Context) override;

protected:
  void takeModule();
  Stopwatch watch() { return Stopwatch(Run.Lower, Depth); }
  bool isCancelled() {
    Run.Cancelled |= Run.Cancel && Run.Cancel->load(std::memory_order_relaxed);
    return Run.Cancelled;
  }

  UnitRun &Run;
  std::unique_ptr<clang::CodeGenerator> Code;
  clang::Preprocessor &Preprocessor;
  const clang::DiagnosticsEngine &Diagnostics;
  TagDefinitions Tags;
  std::optional<LambdaNumbers> Numbers; ///< if GCC built the program
  unsigned Depth = 0;
};

/// Parses one unit, makes its unoptimized IR, and collects the facts of it.
class CompileAction final : public clang::ASTFrontendAction {
public:
  explicit CompileAction(UnitRun &Run) : Run(Run) {}

protected:
  std::unique_ptr<clang::ASTConsumer>
  CreateASTConsumer(clang::CompilerInstance &Instance,
                    llvm::StringRef File) override;

private:
  UnitRun &Run;
};

} // namespace hotjit

#endif
