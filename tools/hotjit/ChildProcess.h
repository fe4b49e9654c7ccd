#ifndef HOTJIT_TOOLS_HOTJIT_CHILDPROCESS_H
#define HOTJIT_TOOLS_HOTJIT_CHILDPROCESS_H

#include "Wire/Descriptor.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <signal.h>
#include <string>
#include <sys/signalfd.h>
#include <sys/types.h>

namespace hotjit {

/// The program as a child in the launcher's process group, and the launcher's
/// signals while it runs. Whoever waits for the launcher should see what he
/// would see of the program: it stops and continues with it and ends as it.
///
/// From start() on all signals of this process are blocked and read from
/// descriptor(). One object at a time.
class ChildProcess {
public:
  /// Words: the program's argv. Environment: NAME=value, all of it. The child
  /// gets the signal mask and dispositions that this process had. Error: the
  /// program could not be executed; its code is errno.
  static llvm::Expected<ChildProcess>
  start(const std::string &Path, llvm::ArrayRef<std::string> Words,
        llvm::ArrayRef<std::string> Environment);

  pid_t pid() const { return Pid; }
  /// Readable when handleSignals() has something to do.
  int descriptor() const { return Signals.get(); }

  /// Passes on what was sent to this process, stops with the child. Returns the
  /// status of waitpid(2) when the child has ended.
  std::optional<int> handleSignals();

  /// Ends this process as the child ended: returns the exit status, or dies by
  /// the same signal (without a core of its own).
  static int endLike(int Status);

private:
  ChildProcess() = default;
  void pass(const signalfd_siginfo &S);
  std::optional<int> lookAtChild();
  void stopLike(int Signal);

  pid_t Pid = -1;
  wire::Descriptor Signals;
};

} // namespace hotjit

#endif
