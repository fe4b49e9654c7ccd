#ifndef HOTJIT_TOOLS_ENGINE_PROGRAMCALLS_H
#define HOTJIT_TOOLS_ENGINE_PROGRAMCALLS_H

#include "Notice.h"
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace hotjit {

/// Threads of the program that wait inside the engine: at a safe point, or for
/// what they asked for.
class ProgramCalls {
public:
  using Post = std::function<void(std::function<void()>)>;
  /// Nothing: done; else why not. Any thread, once.
  using Finish = std::function<void(std::optional<std::string>)>;

  /// ToSession runs a function on the session thread, or drops it after end().
  ProgramCalls(hotjit_engine_api &Api, Post ToSession)
      : Api(Api), ToSession(std::move(ToSession)) {}

  // -- Session thread.

  /// To be done when a thread of the program is at a safe point: that calls
  /// back `Before`, if any, then Go runs on the session thread while it waits,
  /// then it calls back what collect() took meanwhile. An earlier offer for the
  /// same or another reload is forgotten; steps (no Before) are all kept.
  void offer(std::optional<Notice> Before, Session::Consent Go);
  /// That reload has ended.
  void withdraw(unsigned Reload);
  /// False: N is not about what was switched while a thread stands at a safe
  /// point.
  bool collect(const Notice &N);
  /// A reload waits for a safe point.
  bool isWaiting();

  // -- Threads of the program. No lock of hotjit is held.

  void reachSafepoint();
  /// Ask runs on the session thread and gets what to call when it is done;
  /// waits for that. Safe points are reached meanwhile.
  std::optional<std::string> request(std::function<void(Finish)> Ask);

  // -- Any thread.

  /// Nothing waits any more, now and later.
  void end(std::string Why);

private:
  struct Round {
    std::optional<Notice> Before;
    Session::Consent Go;
  };
  void hold(Round R);

  hotjit_engine_api &Api;
  const Post ToSession;

  std::mutex M;
  std::condition_variable Changed;
  std::deque<Round> Waiting;
  bool Busy = false;       ///< a thread is in hold()
  bool Collecting = false; ///< and waits for the session thread
  std::vector<Notice> Collected;
  std::optional<std::string> Ended;
};

} // namespace hotjit

#endif
