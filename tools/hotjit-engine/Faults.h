#ifndef HOTJIT_TOOLS_ENGINE_FAULTS_H
#define HOTJIT_TOOLS_ENGINE_FAULTS_H

#include "Patch/os/linux/FaultSignals.h"

namespace hotjit {

/// Told what hotjit cannot go on after. Any thread, anywhere: a mark() must not
/// allocate or lock; a report() may.
struct OnBroken {
  void (*Mark)(const char *Why);
  void (*Report)(const char *Why);
};

/// From here on a fault, a fatal error of LLVM's or the end of memory ends what
/// runCompiler() runs, and not the process. ActionOf as of
/// installFaultHandlers(). Once in a process.
llvm::Error surviveFaults(ProgramActionOf ActionOf, OnBroken Broken);

} // namespace hotjit

#endif
