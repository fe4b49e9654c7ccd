#ifndef HOTJIT_TOOLS_ENGINE_THREADS_H
#define HOTJIT_TOOLS_ENGINE_THREADS_H

#include "Session/Stages.h"
#include "Support/Clock.h"
#include "Support/Thread.h"
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

namespace hotjit {

/// Functions to be run one after the other on one thread.
class Mailbox {
public:
  /// Any thread. Dropped after close().
  void post(std::function<void()> Message);
  /// Any thread: take() returns nullopt from now on.
  void close();
  /// Waits for a message, at most until Deadline (null function then).
  /// nullopt: closed.
  std::optional<std::function<void()>>
  take(const Clock &C, std::optional<Nanoseconds> Deadline);

private:
  std::mutex M;
  std::condition_variable Arrived;
  std::deque<std::function<void()>> Messages;
  bool Closed = false;
};

/// Threads named Name, with deep stacks, that take jobs in order.
class Workers final : public Executor {
public:
  /// Up to Count threads: fewer if the system gives no more. Error: it gives
  /// none. Nice: as nice(1) has it; these threads alone.
  static llvm::Expected<std::unique_ptr<Workers>>
  start(const Clock &C, const char *Name, unsigned Count, int Nice = 0);
  /// Finishes the jobs that run, drops the others.
  ~Workers() override;
  void run(std::function<void()> Job) override;

private:
  Workers() = default;

  Mailbox Jobs;
  std::vector<Thread> Threads;
};

} // namespace hotjit

#endif
