// LLVM ends the process where it cannot go on, and this one is not ours to end.
// Whatever it is that it cannot, it is left in the middle (CompilerGuard.h).

#include "Faults.h"
#include "Patch/CompilerGuard.h"
#include "Reserve.h"
#include "Support/Error.h"
#include "llvm/Support/ErrorHandling.h"
#include <cstdlib>
#include <new>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

static OnBroken Broken;

/// LLVM has found a state in which it would end the process. What it works on
/// is given up. If it is not known what that is, this thread cannot go on, and
/// the program must: so the thread waits for ever.
static void onFatalError(void *, const char *Reason, bool) {
  giveUpCompiling(Reason);
  Broken.Report(Reason);
  for (;;)
    pause();
}

/// operator new, which is the engine's own, would throw where nobody catches.
/// It tries again when this returns.
static void onNoMemory() {
  bool HasMore = useReserve();
  giveUpCompiling("out of memory");
  if (HasMore)
    return;
  Broken.Mark("out of memory");
  abort(); // As any crash of a thread of hotjit.
}

static void onBadAlloc(void *Data, const char *Reason, bool Crash) {
  useReserve();
  onFatalError(Data, Reason, Crash);
}

Error hotjit::surviveFaults(ProgramActionOf ActionOf, OnBroken Told) {
  Broken = Told;
  install_fatal_error_handler(onFatalError);
  install_bad_alloc_error_handler(onBadAlloc);
  std::set_new_handler(onNoMemory);
  keepReserve();
  if (Error E = installFaultHandlers(ActionOf))
    return E;
  setBrokenInvariantHandler(Broken.Report);
  return Error::success();
}
