// Stands between Clang's parser and Clang's code generator. Passes everything
// on, and: ends the parse when it is no longer wanted, remembers which classes
// were defined, measures, and asks for the facts at the one moment when the
// whole AST and the whole module exist.

#include "Compile/Consumer.h"
#include "Compile/CodeFacts.h"
#include "Compile/Fingerprint.h"
#include "clang/AST/ASTContext.h"
#include "clang/Frontend/CompilerInstance.h"

using namespace hotjit;

namespace {

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

class UnitConsumer final : public clang::ASTConsumer {
public:
  UnitConsumer(UnitRun &Run, std::unique_ptr<clang::CodeGenerator> Code,
               const clang::DiagnosticsEngine &Diagnostics)
      : Run(Run), Code(std::move(Code)), Diagnostics(Diagnostics) {}

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
    return Code->GetASTMutationListener();
  }
  void HandleTranslationUnit(clang::ASTContext &Context) override;

private:
  Stopwatch watch() { return Stopwatch(Run.Lower, Depth); }
  bool isCancelled() {
    Run.Cancelled |= Run.Cancel && Run.Cancel->load(std::memory_order_relaxed);
    return Run.Cancelled;
  }

  UnitRun &Run;
  std::unique_ptr<clang::CodeGenerator> Code;
  const clang::DiagnosticsEngine &Diagnostics;
  TagDefinitions Tags;
  unsigned Depth = 0;
};

} // namespace

void UnitConsumer::HandleTranslationUnit(clang::ASTContext &Context) {
  if (isCancelled())
    return;
  Stopwatch S = watch();
  Code->HandleTranslationUnit(Context);
  // The generator itself may find errors: a symbol defined twice.
  if (Diagnostics.hasErrorOccurred() || !Code->GetModule() || isCancelled())
    return;
  llvm::Module &M = *Code->GetModule();
  renumberStaticLocals(M);
  Fingerprinter Prints(M);
  collectCodeFacts(M, Prints, Run.Unit);
  UnitDecls Decls{Context, *Code, Run.Files};
  llvm::StringSet<> MayInitialize = addDeclFacts(Decls, Run.Unit, Tags);
  assignInitializers(M, MayInitialize, Prints, Run.Unit);
  collectTypeFacts(Decls, Tags, Run.Unit);
  Run.Module = Code->ReleaseModule();
}

std::unique_ptr<clang::ASTConsumer>
CompileAction::CreateASTConsumer(clang::CompilerInstance &Instance,
                                 llvm::StringRef File) {
  return std::make_unique<UnitConsumer>(
      Run, clang::CreateLLVMCodeGen(Instance, File, Run.Context),
      Instance.getDiagnostics());
}
