#ifndef HOTJIT_COMPILE_CONSUMER_H
#define HOTJIT_COMPILE_CONSUMER_H

#include "Compile/Compiler.h"
#include "Compile/DeclFacts.h"
#include "clang/AST/ASTConsumer.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "clang/Frontend/FrontendAction.h"
#include <memory>
#include <string>

namespace hotjit {

/// What one run of the front end works on and leaves behind.
struct UnitRun {
  llvm::LLVMContext &Context; ///< of the module
  SnapshotFileSystem &Files;
  const CancelFlag *Cancel = nullptr;

  CompiledUnit &Unit;                   ///< facts, if there was no error
  std::unique_ptr<llvm::Module> Module; ///< null after an error
  bool Cancelled = false;
  Nanoseconds Lower{0}; ///< spent in code generation and facts
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
