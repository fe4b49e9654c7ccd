#ifndef HOTJIT_COMPILE_CODEFACTS_H
#define HOTJIT_COMPILE_CODEFACTS_H

#include "Compile/CompiledUnit.h"
#include "Compile/Fingerprint.h"
#include "llvm/ADT/StringSet.h"

namespace hotjit {

/// C: gives the second and later variables of one name in one function numbers
/// that depend on that function only: "f.n", "f.n.1", "f.n.2", in the order in
/// which code was made. (Clang counts over the whole unit, literals too.)
void renumberStaticLocals(llvm::Module &M);

/// Sets what the IR tells of the functions and variables that M defines;
/// sorted by symbol. Known tells of functions without a body in M; may be null.
void collectCodeFacts(llvm::Module &M, Fingerprinter &Prints,
                      const CompiledUnit *Known, CompiledUnit &Unit);

/// By code or data of its module, not by a call.
bool isAddressTaken(const llvm::GlobalValue &F);

/// Finds the function that sets each variable up before main; their code
/// counts as part of the variables' initial values from here on. Candidates:
/// symbols of variables that may have one.
void assignInitializers(llvm::Module &M, const llvm::StringSet<> &Candidates,
                        Fingerprinter &Prints, CompiledUnit &Unit);

/// Sets what code calls before it uses each thread-local.
void assignThreadInits(const llvm::Module &M, CompiledUnit &Unit);

} // namespace hotjit

#endif
