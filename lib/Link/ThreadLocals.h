#ifndef HOTJIT_LINK_THREADLOCALS_H
#define HOTJIT_LINK_THREADLOCALS_H

#include "Diff/Plan.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/Support/Error.h"

namespace hotjit {

/// Makes every access to Variable reach the program's variable of the thread
/// that runs the code, and erases Variable. Error: a use that is not an
/// access, or a plan without a place.
llvm::Error bindThreadLocal(llvm::GlobalVariable &Variable,
                            const PlannedVariable &Planned);

} // namespace hotjit

#endif
