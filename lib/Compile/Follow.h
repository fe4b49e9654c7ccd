#ifndef HOTJIT_COMPILE_FOLLOW_H
#define HOTJIT_COMPILE_FOLLOW_H

#include "Compile/Compiler.h"

namespace hotjit {

/// The unit of Request, of whose header nothing but bodies of inline functions
/// was edited, as far as Lead can tell what it is now: facts, and no code.
/// CompiledUnit::Taken says what was not seen with its own eyes. Null, with
/// Why: it has to be compiled. Any thread; microseconds.
std::unique_ptr<CompiledUnit> follow(const TranslationUnit &Unit,
                                     const BodiesRequest &Request,
                                     const LeadUnit &Lead, std::string &Why);

} // namespace hotjit

#endif
