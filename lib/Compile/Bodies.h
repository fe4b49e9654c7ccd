#ifndef HOTJIT_COMPILE_BODIES_H
#define HOTJIT_COMPILE_BODIES_H

#include "Compile/CompiledUnit.h"
#include "clang/AST/Decl.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <vector>

namespace hotjit {

/// A function that is defined in the main file.
struct MainFunction {
  const clang::FunctionDecl *Decl;
  BodyText Body;                ///< without Symbols
  std::optional<uint32_t> Name; ///< offset, unless a macro made it
};

/// In the order of the text; without what a preamble holds.
std::vector<MainFunction> functionsOfMainFile(const clang::ASTContext &Context);

/// Sets the bodies of Unit.Text: those of functions in the unit's own file.
void collectBodies(clang::ASTContext &Context, clang::CodeGenerator &Code,
                   CompiledUnit &Unit);

/// Asked before the body of F is parsed: which of Bodies, those of the main
/// file, it is, if code for the others can be made without it.
std::optional<size_t> skippableBody(const clang::FunctionDecl &F,
                                    const clang::SourceManager &SM,
                                    llvm::ArrayRef<BodyText> Bodies);

} // namespace hotjit

#endif
