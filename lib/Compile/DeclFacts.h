#ifndef HOTJIT_COMPILE_DECLFACTS_H
#define HOTJIT_COMPILE_DECLFACTS_H

#include "Compile/CompiledUnit.h"
#include "Compile/SnapshotFileSystem.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/Decl.h"
#include "clang/AST/PrettyPrinter.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include <string>

namespace hotjit {

using TagDefinitions = llvm::SetVector<const clang::TagDecl *>;

/// One unit's declarations, as long as Clang holds them.
struct UnitDecls {
  clang::ASTContext &Context;
  clang::CodeGenerator &Code; ///< after it made the unit's code
  SnapshotFileSystem &Files;
};

/// How types are spelled in facts: canonical, qualified, without the places of
/// unnamed ones.
clang::PrintingPolicy factsPolicy(const clang::ASTContext &Context);

/// Adds to the functions and variables of Unit, as the code tells of them, what
/// only their declarations tell. Returns the symbols of variables that may be
/// set up before main; adds the closure types that it meets to Tags.
llvm::StringSet<> addDeclFacts(const UnitDecls &Decls, CompiledUnit &Unit,
                               TagDefinitions &Tags);

/// Sets Types and Enums of Unit: those of Tags that stand in the project.
void collectTypeFacts(const UnitDecls &Decls, const TagDefinitions &Tags,
                      CompiledUnit &Unit);

} // namespace hotjit

#endif
