#ifndef HOTJIT_PATCH_ARMPROBLEM_H
#define HOTJIT_PATCH_ARMPROBLEM_H

#include "Support/ProgramAddr.h"
#include <string>

namespace hotjit {

/// Why an entry cannot be armed.
struct ArmProblem {
  ProgramAddr Entry;
  bool Retry = false; ///< it may work later: a breakpoint stands there, a
                      ///< thread has SIGILL blocked
  std::string Why;    ///< for people
};

} // namespace hotjit

#endif
