#ifndef HOTJIT_COMPILE_KNOWNFUNCTIONS_H
#define HOTJIT_COMPILE_KNOWNFUNCTIONS_H

#include "Compile/Consumer.h"
#include "clang/AST/GlobalDecl.h"

namespace hotjit {

/// The symbol is of a class without a name, or of what belongs to it: "$_3",
/// the fourth for which a symbol was made, is another one in each compile.
bool isOfUnnamed(llvm::StringRef Symbol);

/// Functions that the unit had before and for which a partial compile needs no
/// code. One compile; the thread of that compile.
class KnownFunctions {
public:
  KnownFunctions(const PartialPlan &Plan, clang::CodeGenerator &Code)
      : Plan(Plan), Code(Code) {}

  /// True if the program has F in all variants that may be called (a
  /// constructor has two), and the plan does not ask for it.
  bool has(const clang::FunctionDecl &F);

  /// Whoever names F gets a declaration, and no code is made for it: the code
  /// generator finds its name taken. Keep F's definition from the generator.
  void declare(const clang::FunctionDecl &F);

  /// Gives the declarations that were used their types and drops the others.
  /// When all code is made.
  void finish(llvm::Module &M);

private:
  const PartialPlan &Plan;
  clang::CodeGenerator &Code;
  llvm::StringSet<> Declared;
  /// Complete variants that never were functions of their own: their calls go
  /// to the base variant, its name.
  llvm::StringMap<std::string> BaseOf;
};

/// Crosses instantiations off Sema's list that the unit made before: at its
/// end, and through instantiated() while the list is worked off.
class PendingFilter final : public clang::ExternalSemaSource {
public:
  explicit PendingFilter(KnownFunctions &Known) : Known(Known) {}

  void InitializeSema(clang::Sema &S) override { TheSema = &S; }
  void ForgetSema() override { TheSema = nullptr; }
  void ReadPendingInstantiations(
      llvm::SmallVectorImpl<
          std::pair<clang::ValueDecl *, clang::SourceLocation>> &Read) override;

  /// Sema has just put F on its list.
  void instantiated(const clang::FunctionDecl &F);

private:
  bool declareKnown(const clang::ValueDecl *D);

  KnownFunctions &Known;
  clang::Sema *TheSema = nullptr;
  bool AtEnd = false;
};

} // namespace hotjit

#endif
