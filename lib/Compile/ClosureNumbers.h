#ifndef HOTJIT_COMPILE_CLOSURENUMBERS_H
#define HOTJIT_COMPILE_CLOSURENUMBERS_H

#include "Compile/Consumer.h"
#include "clang/CodeGen/ModuleBuilder.h"

namespace hotjit {

/// Gives closures in M, which a partial compile of Plan has made, the numbers
/// that they have in the unit ("$_3" in symbols). What belongs to one whose
/// number is not known keeps its symbol: such symbols are returned.
llvm::StringSet<> renumberClosures(llvm::Module &M, const PartialPlan &Plan,
                                   clang::CodeGenerator &Code,
                                   const clang::SourceManager &SM,
                                   SnapshotFileSystem &Files);

} // namespace hotjit

#endif
