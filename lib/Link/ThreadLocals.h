#ifndef HOTJIT_LINK_THREADLOCALS_H
#define HOTJIT_LINK_THREADLOCALS_H

#include "Image/LoadedObjects.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/Support/Error.h"

namespace hotjit {

/// The function that storage of new thread-locals comes from, and its address
/// in this process.
inline constexpr llvm::StringLiteral ThreadStorageSymbol =
    "__emutls_get_address";
ProgramAddr threadStorageFunction();

/// Makes every access to Variable reach the one at Place, of the thread that
/// runs the code, and erases Variable. Error: a use that is not in code, or
/// Place has no module.
llvm::Error bindThreadLocal(llvm::GlobalVariable &Variable,
                            const ThreadLocalPlace &Place);

/// Gives Variable, a definition, storage of our own in each thread, made when a
/// thread uses it first: what was Variable is an ordinary variable now, the
/// *control block* of that storage, under the same name.
llvm::Error createThreadLocal(llvm::GlobalVariable &Variable);

/// The same for a declaration of what was created elsewhere: returns the
/// declaration of its control block.
llvm::Expected<llvm::GlobalVariable *>
useCreatedThreadLocal(llvm::GlobalVariable &Variable);

/// Defines `void Name()`, which calls Initializer once in each thread. What
/// had that name is replaced by it. Returns what it keeps that in.
llvm::GlobalVariable &defineThreadInit(llvm::StringRef Name,
                                       llvm::Function &Initializer);

} // namespace hotjit

#endif
