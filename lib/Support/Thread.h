#ifndef HOTJIT_SUPPORT_THREAD_H
#define HOTJIT_SUPPORT_THREAD_H

#include "llvm/Support/Error.h"
#include <functional>
#include <pthread.h>

namespace hotjit {

/// A thread of hotjit inside the program. It blocks every signal but those that
/// a fault of its own raises (SEGV, BUS, ILL, FPE, ABRT, TRAP), so that the
/// program's handlers run on the program's threads; has a stack of 16 MB
/// whatever the program's limit is; and has a name. It shares the descriptor
/// table of the thread that starts it.
///
/// **Example**:
///   Expected<Thread> T = Thread::start("hotjit-watch", [&] { loop(); });
class Thread {
public:
  /// Name: at most 15 bytes. Error: the system gives no more threads.
  static llvm::Expected<Thread> start(const char *Name,
                                      std::function<void()> Body);
  Thread() = default; ///< of no thread
  Thread(Thread &&Other) noexcept;
  Thread &operator=(Thread &&Other) noexcept;
  ~Thread(); ///< it must have been joined

  void join();
  bool isJoinable() const { return IsJoinable; }

private:
  pthread_t Handle{};
  bool IsJoinable = false;
};

} // namespace hotjit

#endif
