#ifndef HOTJIT_PATCH_COMPILERGUARD_H
#define HOTJIT_PATCH_COMPILERGUARD_H

#include "llvm/ADT/STLFunctionalExtras.h"
#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace hotjit {

/// How long and how large one piece of the compiler's work may get.
struct CompilerLimits {
  std::chrono::milliseconds Time{300'000};
  /// Bytes that the process may grow by meanwhile; 0: half of what is free.
  size_t Memory = 0;
  /// How long after that it may take to come to where it can be left. A thread
  /// that never does hangs, on a lock that an earlier crash has left behind,
  /// say.
  std::chrono::milliseconds Patience{10'000};
  /// The result is not wanted any more; the work looks at it itself, but not
  /// everywhere.
  const std::atomic<bool> *Cancel = nullptr;
};

class CompilerWatch;

struct CompilerFailure {
  std::string What;      ///< what happened, and what it was doing; for people
  bool OfLimits = false; ///< the limits ended it, nothing is wrong otherwise
};

/// Runs Work, which calls Clang and LLVM, on a thread of hotjit and comes back
/// however it ends: also if it crashes, gives up (report_fatal_error), runs out
/// of stack, or passes Limits (with a Watch). Work's frames are gone without
/// their destructors: its memory is lost, locks that it held stay held, and
/// what it was changing is broken. Any thread of hotjit; needs
/// installFaultHandlers().
std::optional<CompilerFailure> runCompiler(llvm::function_ref<void()> Work,
                                           CompilerWatch *Watch = nullptr,
                                           const CompilerLimits &Limits = {});

/// LLVM has found a state in which it would end the process: ends the work on
/// this thread with Reason. Returns if there is none.
void giveUpCompiling(const char *Reason);

} // namespace hotjit

#endif
