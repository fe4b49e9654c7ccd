#ifndef HOTJIT_SESSION_PENDINGUNIT_H
#define HOTJIT_SESSION_PENDINGUNIT_H

#include "Compile/Compiler.h"
#include <condition_variable>
#include <memory>
#include <mutex>

namespace hotjit {

/// A compile of a unit's live text that was handed to the warming thread, and
/// that a reload may need before it is done. Any thread.
class PendingUnit {
public:
  using Result = std::shared_ptr<CompiledUnit>;

  /// The warming thread: true if the compile is still wanted from it.
  bool begin();
  /// Null: it does not compile.
  void finish(Result Unit);

  /// Null if it is not done.
  Result find();
  /// Waits if the compile has begun, and gives its result. Null: whoever asks
  /// must compile, and nobody else will; or Cancel was set; or it does not
  /// compile.
  Result take(const CancelFlag &Cancel);

private:
  enum class State { Queued, Running, Done, Taken };
  std::mutex M;
  std::condition_variable Changed;
  State Now = State::Queued;
  Result Unit;
};

} // namespace hotjit

#endif
