#ifndef HOTJIT_SESSION_PENDINGUNIT_H
#define HOTJIT_SESSION_PENDINGUNIT_H

#include "Compile/Compiler.h"
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <memory>
#include <mutex>

namespace hotjit {

/// A compile of a unit's live text that was handed to another thread, and that
/// a reload may need before it is done. Any thread.
class PendingUnit {
public:
  using Result = std::shared_ptr<CompiledUnit>;

  /// The thread that warms has low priority.
  enum class Haste { None, Great };

  /// True if the compile is still wanted from the caller, which must finish it
  /// on the same thread. In great haste: also if it has begun in none, and gets
  /// so little of a processor that it is better begun again; that takes a tenth
  /// of a second to see.
  bool begin(Haste H);
  /// Somebody in greater haste has begun again.
  const CancelFlag &overtaken() const { return Overtaken; }
  /// Without a Unit: it does not compile. Ignored from who was overtaken.
  void finish(CompileResult R, Haste H);

  /// Null if it is not done.
  Result find();
  /// Waits if the compile has begun, and gives its result. Null: whoever asks
  /// must compile, and nobody else will; or Cancel was set; or it does not
  /// compile.
  Result take(const CancelFlag &Cancel);
  /// The same, and leaves a compile that has not begun to others.
  Result wait();
  /// What there is to say about it when it is done.
  const CompileResult &said() const { return Said; }

private:
  enum class State { Queued, Running, Done, Taken };
  bool isStarved(std::unique_lock<std::mutex> &Lock);

  std::mutex M;
  std::condition_variable Changed;
  State Now = State::Queued;
  Haste Pace = Haste::None; ///< of whom it runs for
  clockid_t Worked{};       ///< processor time of the thread that runs it
  CancelFlag Overtaken = false;
  Result Unit;
  CompileResult Said; ///< without Unit
};

} // namespace hotjit

#endif
