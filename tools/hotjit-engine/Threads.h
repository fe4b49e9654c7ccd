#ifndef HOTJIT_TOOLS_ENGINE_THREADS_H
#define HOTJIT_TOOLS_ENGINE_THREADS_H

#include "Session/Stages.h"
#include "Support/Clock.h"
#include "llvm/Support/thread.h"
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

namespace hotjit {

/// Clang and LLVM recurse deeply; the program may have asked for small stacks.
constexpr unsigned EngineStackBytes = 16u << 20;

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

/// One thread named Name that runs jobs in order.
class WorkerThread final : public Executor {
public:
  /// Nice: as nice(1) has it; the thread alone.
  WorkerThread(const Clock &C, const char *Name, int Nice = 0);
  /// Finishes the job that runs, drops the others.
  ~WorkerThread() override;
  void run(std::function<void()> Job) override;

private:
  Mailbox Jobs;
  llvm::thread Thread;
};

} // namespace hotjit

#endif
