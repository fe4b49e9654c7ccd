#ifndef HOTJIT_SUPPORT_THREAD_H
#define HOTJIT_SUPPORT_THREAD_H

#include "llvm/Support/Error.h"
#include <functional>
#include <pthread.h>

namespace hotjit {

/// Bytes of address space; memory is taken as it is used.
enum class StackSize : size_t {
  Usual = 16 << 20,
  /// For Clang: what its driver spreads over new threads of 8 MB must fit on
  /// one, where a crash can be caught. Usual, if address space is limited
  /// (RLIMIT_AS).
  Deep = 64 << 20,
};

/// A thread of hotjit inside the program. It blocks every signal but those that
/// a fault of its own raises (SEGV, BUS, ILL, FPE, ABRT, TRAP), so that the
/// program's handlers run on the program's threads; has a large stack, whatever
/// the program's limit is; and has a name. It shares the descriptor
/// table of the thread that starts it.
///
/// **Example**:
///   Expected<Thread> T = Thread::start("hotjit-watch", [&] { loop(); });
class Thread {
public:
  /// Name: at most 15 bytes. Error: the system gives no more threads.
  static llvm::Expected<Thread> start(const char *Name,
                                      std::function<void()> Body,
                                      StackSize Stack = StackSize::Usual);
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
