#ifndef HOTJIT_TOOLS_HOTJIT_OUTPUT_H
#define HOTJIT_TOOLS_HOTJIT_OUTPUT_H

#include "llvm/ADT/StringRef.h"
#include <string>

namespace hotjit {

/// Writes to a descriptor that may not take it now (a pipe nobody reads, a
/// stopped terminal) without waiting, so that the launcher still passes on
/// signals. Lines are written whole.
class Output {
public:
  /// The descriptor stays the caller's. If it is a terminal, nothing is written
  /// while that is in raw mode: a full-screen program owns the screen then.
  /// (The alternate screen cannot be seen from outside; programs that use it
  /// are in raw mode.)
  explicit Output(int Descriptor);

  void add(llvm::StringRef Lines) { Waiting += Lines; }
  /// Writes what can be written now.
  void flush();
  /// Writes all, waits if it must.
  void finish();

  /// Wait until the descriptor is writable, then flush().
  bool wantsToWrite() const { return !Waiting.empty() && !isHeld(); }
  /// No event tells when a terminal leaves raw mode: look now and then.
  bool isHeldBack() const { return !Waiting.empty() && isHeld(); }
  int descriptor() const { return Descriptor; }

private:
  bool isHeld() const;

  int Descriptor;
  bool IsTerminal;
  std::string Waiting;
};

} // namespace hotjit

#endif
