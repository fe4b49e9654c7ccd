#ifndef HOTJIT_COMPILE_PARTIALUNIT_H
#define HOTJIT_COMPILE_PARTIALUNIT_H

#include "Compile/Consumer.h"

namespace hotjit {

/// Chooses what to compile: the touched bodies, those that depend on lines that
/// moved, those that hold Needed, and in optimized units whatever calls them.
/// nullopt, with Why: it cannot be said.
std::optional<PartialPlan> planPartial(const BodiesRequest &Request,
                                       BodyMatch Match, std::string &Why);

/// Sets the facts of New, which holds those of the code that was made by Plan,
/// in Made, to those of the whole unit. False, with Why: something that was
/// used is used no more, and only a whole compile can tell what that means.
bool completeFacts(CompiledUnit &New, const PartialPlan &Plan,
                   const llvm::Module &Made, std::string &Why);

} // namespace hotjit

#endif
