#ifndef HOTJIT_COMPILE_KNOWNCODE_H
#define HOTJIT_COMPILE_KNOWNCODE_H

#include "Compile/Consumer.h"
#include "clang/AST/GlobalDecl.h"
#include "clang/AST/Mangle.h"

namespace hotjit {

/// The symbol is of a class without a name, or of what belongs to it: "$_3",
/// the fourth for which a symbol was made, is another one in each compile.
bool isOfUnnamed(llvm::StringRef Symbol);

/// The functions that code may be made for by this definition: of a constructor
/// or destructor several, the base one first.
llvm::SmallVector<clang::GlobalDecl, 3>
variantsOf(const clang::FunctionDecl &F);

/// What the unit had before and for which a partial compile needs no code. One
/// compile; the thread of that compile.
class KnownCode {
public:
  KnownCode(const PartialPlan &Plan, clang::CodeGenerator &Code)
      : Plan(Plan), Code(Code) {}

  /// True if the program has F in all variants that may be called (a
  /// constructor has two), and the plan does not ask for it.
  bool has(const clang::FunctionDecl &F);

  /// Whoever names F gets a declaration, and no code is made for it: the code
  /// generator finds its name taken. Keep F's definition from the generator.
  void declare(const clang::FunctionDecl &F);

  /// The body of F, a function of the file, was skipped. If code for it would
  /// have been made at once and throws nothing, callers from here on are spared
  /// their landing pads, as in a compile of the whole.
  void declareThrowsNothing(const clang::FunctionDecl &F);

  /// True if the program has the vtable of R, made by this unit.
  bool hasVTable(const clang::CXXRecordDecl &R);

  /// Gives the declarations that were used their types and drops the others.
  /// When all code is made.
  void finish(llvm::Module &M);

private:
  const PartialPlan &Plan;
  clang::CodeGenerator &Code;
  std::unique_ptr<clang::MangleContext> Mangling;
  llvm::StringSet<> Declared;
  /// Complete variants that never were functions of their own: their calls go
  /// to the base variant, its name.
  llvm::StringMap<std::string> BaseOf;
};

/// Crosses off Sema's lists what is due at the end of a unit and was done
/// before: instantiations, vtables, and warnings about headers. While it works
/// off the list of instantiations, instantiated() must be called.
class WorkFilter final : public clang::ExternalSemaSource {
public:
  explicit WorkFilter(KnownCode &Known) : Known(Known) {}

  void InitializeSema(clang::Sema &S) override { TheSema = &S; }
  void ForgetSema() override { TheSema = nullptr; }
  void ReadPendingInstantiations(
      llvm::SmallVectorImpl<
          std::pair<clang::ValueDecl *, clang::SourceLocation>> &Read) override;

  void ReadUsedVTables(
      llvm::SmallVectorImpl<clang::ExternalVTableUse> &Read) override;
  void ReadMismatchingDeleteExpressions(
      llvm::MapVector<clang::FieldDecl *,
                      llvm::SmallVector<std::pair<clang::SourceLocation, bool>,
                                        4>> &Read) override;

  /// Sema has just put F on its list.
  void instantiated(const clang::FunctionDecl &F);

private:
  bool declareKnown(const clang::ValueDecl *D);

  KnownCode &Known;
  clang::Sema *TheSema = nullptr;
  bool AtEnd = false;
};

} // namespace hotjit

#endif
