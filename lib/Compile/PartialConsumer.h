#ifndef HOTJIT_COMPILE_PARTIALCONSUMER_H
#define HOTJIT_COMPILE_PARTIALCONSUMER_H

#include "Compile/KnownCode.h"

namespace hotjit {

/// Compiles the bodies of a plan and nothing else. Run.Unit gets the facts of
/// what code was made for; Run.Doubt says why that must not be used.
class PartialConsumer final : public UnitConsumer {
public:
  PartialConsumer(UnitRun &Run, const PartialPlan &Plan,
                  clang::CompilerInstance &Instance, llvm::StringRef File);

  void Initialize(clang::ASTContext &Context) override;
  bool HandleTopLevelDecl(clang::DeclGroupRef D) override;
  void HandleInterestingDecl(clang::DeclGroupRef D) override;
  void HandleInlineFunctionDefinition(clang::FunctionDecl *D) override;
  void HandleCXXImplicitFunctionInstantiation(clang::FunctionDecl *D) override;
  void HandleCXXStaticMemberVarInstantiation(clang::VarDecl *D) override;
  void HandleVTable(clang::CXXRecordDecl *D) override;
  void CompleteTentativeDefinition(clang::VarDecl *D) override;
  bool shouldSkipFunctionBody(clang::Decl *D) override;
  void HandleTranslationUnit(clang::ASTContext &Context) override;

private:
  void handle(clang::Decl &D);
  void handleMethods();
  bool needsInitializer(const clang::VarDecl &V) const;
  void demandWanted(const std::vector<SourceFunction> &Functions);
  bool checkBodies(const std::vector<SourceFunction> &Functions);
  bool checkDeclarations(llvm::Module &M);
  bool checkThreadInits(const llvm::Module &M);
  void dropKnown(llvm::Module &M);
  void applyKnownNoThrow(llvm::Module &M);

  const PartialPlan &Plan;
  EditedFile Edited;
  KnownCode Known;
  llvm::IntrusiveRefCntPtr<WorkFilter> Pending;
  std::vector<clang::FunctionDecl *> Methods; ///< not handled yet
  llvm::StringSet<> Unnamed; ///< symbols that are others' in the unit
  clang::ASTContext *Context = nullptr;
};

} // namespace hotjit

#endif
