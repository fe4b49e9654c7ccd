#ifndef HOTJIT_COMPILE_LAMBDANUMBERS_H
#define HOTJIT_COMPILE_LAMBDANUMBERS_H

#include "clang/AST/ASTMutationListener.h"
#include "llvm/ADT/DenseMap.h"

namespace clang {
class CompilerInstance;
class CXXRecordDecl;
class Decl;
} // namespace clang

namespace hotjit {

/// Numbers the closures of a unit as GCC does, so that they and what is
/// instantiated with them have the symbols of a program that GCC built.
class LambdaNumbers final : public clang::ASTMutationListener {
public:
  explicit LambdaNumbers(clang::CompilerInstance &Instance)
      : Instance(Instance) {}
  void CompletedTagDefinition(const clang::TagDecl *D) override;

private:
  clang::Decl *variableAround(const clang::CXXRecordDecl &Closure) const;

  clang::CompilerInstance &Instance;
  llvm::DenseMap<const void *, unsigned> InVariable; ///< closures so far
};

} // namespace hotjit

#endif
