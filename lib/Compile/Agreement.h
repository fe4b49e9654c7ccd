#ifndef HOTJIT_COMPILE_AGREEMENT_H
#define HOTJIT_COMPILE_AGREEMENT_H

#include "Compile/CompiledUnit.h"

namespace hotjit {

/// Where the facts and fingerprints of a unit as compileBodies() made it differ
/// from those of a compile of the whole: for people, empty if nowhere. Inline
/// code that nobody uses any more may be left over in Partial.
std::string disagreement(const CompiledUnit &Whole,
                         const CompiledUnit &Partial);

} // namespace hotjit

#endif
