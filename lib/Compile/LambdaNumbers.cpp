// A closure has no name; its symbol is made of the function (or variable) that
// it stands in and a number. The C++ ABI fixes that number only where two units
// may see the same closure. Elsewhere Clang takes "$_0", "$_1" in the order in
// which it makes code, and GCC the place in the function: "UlvE_", "UliE0_".
// And where the ABI does speak, each counts in its own way: GCC 12 all closures
// of a function, Clang those of one signature.
//
// So for a unit that GCC built, each closure gets GCC's number as soon as it is
// complete. Nothing asked for its symbol before that.

#include "Compile/LambdaNumbers.h"
#include "clang/AST/DeclCXX.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Sema/Sema.h"

using namespace hotjit;

/// The variable whose initializer a closure outside functions stands in.
clang::Decl *
LambdaNumbers::variableAround(const clang::CXXRecordDecl &Closure) const {
  if (Closure.getDeclContext()->isFunctionOrMethod() || !Instance.hasSema())
    return nullptr;
  for (const auto &Context : llvm::reverse(Instance.getSema().ExprEvalContexts))
    if (llvm::isa_and_nonnull<clang::VarDecl>(Context.ManglingContextDecl) &&
        !llvm::isa<clang::ParmVarDecl>(Context.ManglingContextDecl))
      return Context.ManglingContextDecl;
  return nullptr;
}

/// How many closures of the same function begin before this one.
static unsigned placeIn(const clang::DeclContext &Function,
                        const clang::CXXRecordDecl &Closure) {
  unsigned Place = 0;
  for (const clang::Decl *D : Function.decls()) {
    if (D == &Closure)
      return Place;
    if (const auto *R = llvm::dyn_cast<clang::CXXRecordDecl>(D))
      Place += R->isLambda();
  }
  return Place;
}

void LambdaNumbers::CompletedTagDefinition(const clang::TagDecl *D) {
  auto *Closure = llvm::dyn_cast<clang::CXXRecordDecl>(
      const_cast<clang::TagDecl *>(D)); // NOLINT: the listener is told of it
  if (!Closure || !Closure->isLambda() || Closure->isDependentContext())
    return;
  clang::CXXRecordDecl::LambdaNumbering N = Closure->getLambdaNumbering();
  if (N.ManglingNumber == 0) {
    N.HasKnownInternalLinkage = true;
    N.ContextDecl = N.ContextDecl ? N.ContextDecl : variableAround(*Closure);
  }
  const clang::DeclContext &Around = *Closure->getDeclContext();
  N.ManglingNumber = Around.isFunctionOrMethod() ? placeIn(Around, *Closure) + 1
                                                 : ++InVariable[N.ContextDecl];
  Closure->setLambdaNumbering(N);
}
