#ifndef HOTJIT_SESSION_EXAMINE_H
#define HOTJIT_SESSION_EXAMINE_H

#include "Session/Session.h"

namespace hotjit {

/// What an edit of one function's body would come to.
struct Prognosis {
  enum class Way {
    Patchable, ///< by the NOPs that were left at its entry
    Plain,     ///< by a jump over its first instructions
    InCallers, ///< the program has no such function: in the code that calls it
    None,      ///< refused
    Open,      ///< it, or others that were asked about with it, is refused
  };
  std::string Symbol; ///< mangled; empty if there is none
  std::string Name;
  SourcePlace Place;
  Way How = Way::None;
  std::optional<Reason> Code;
  std::string Message; ///< why not, or what to know
  bool NeedsAbiThunk = false;
};

/// What would happen to each function of a unit, the user's own and not what
/// system headers define: for each, an edit of its body is decided as an edit
/// would be, by diff(), and its entries are looked at. Live: Unit as compiled
/// from the text that the program was built from. Program may be a file that
/// does not run. Error: its debug info cannot be read.
llvm::Expected<std::vector<Prognosis>> examineUnit(const ProjectUnit &Unit,
                                                   const CompiledUnit &Live,
                                                   const Image &Program);

/// The same for a unit of which no edit can go live: what debug info lists,
/// each with Problem.
llvm::Expected<std::vector<Prognosis>> examineUnit(const ImageUnit &Unit,
                                                   const Verdict &Problem,
                                                   const Image &Program);

} // namespace hotjit

#endif
