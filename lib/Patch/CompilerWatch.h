#ifndef HOTJIT_PATCH_COMPILERWATCH_H
#define HOTJIT_PATCH_COMPILERWATCH_H

#include "Patch/CompilerGuard.h"
#include "Support/Thread.h"
#include <condition_variable>
#include <csignal>
#include <list>
#include <memory>
#include <mutex>
#include <pthread.h>

namespace hotjit {

/// Ends work of the compiler that passes its limits. Has a thread, which sleeps
/// while nobody compiles.
class CompilerWatch {
public:
  static llvm::Expected<std::unique_ptr<CompilerWatch>> start();
  ~CompilerWatch(); ///< nothing is watched any more

  /// From its making to its end the calling thread is watched.
  class Watched {
  public:
    Watched(CompilerWatch &By, const CompilerLimits &Limits);
    ~Watched();
    Watched(const Watched &) = delete;
    Watched &operator=(const Watched &) = delete;

    /// Why it was interrupted; empty if it was not.
    std::string why() const;
    /// The work was left in the middle: its watching must end within a second,
    /// or the thread hangs. Takes no lock.
    void left() { IsLeft = true; }

  private:
    friend CompilerWatch;
    using Time = std::chrono::steady_clock::time_point;

    CompilerWatch &By;
    const CompilerLimits Limits;
    const pthread_t Thread = ::pthread_self();
    const Time Begin = std::chrono::steady_clock::now();
    // Under By.M. The first two when it is first looked at: most work has ended
    // by then.
    std::optional<uint64_t> ResidentAtBegin;
    uint64_t MemoryLimit = 0;
    std::optional<Time> CancelledAt, InterruptedAt, LeftAt;
    std::string Why;
    bool IsGivenUp = false;
    std::atomic<bool> IsLeft{false};
  };

  /// Is this the signal that interrupts a watched thread? Async-signal-safe.
  static bool isInterrupt(int Signal, const siginfo_t &Info);

private:
  CompilerWatch() = default;
  void run();
  bool look(Watched &W);
  static void giveUp(Watched &W, const char *Why);
  static std::string exceeded(Watched &W);

  std::mutex M;
  std::condition_variable Changed;
  std::list<Watched *> Active;
  bool Ending = false;
  Thread TheThread;
};

} // namespace hotjit

#endif
