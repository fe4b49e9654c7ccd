// hotjit lives inside somebody else's program: an assertion that aborts would
// end that program for a mistake that is ours. So a broken invariant is said
// aloud and given to a handler, which turns the engine off; the program runs on
// with the code that it has.
//
// It may be found anywhere, in a signal handler too: nothing here allocates,
// locks or throws.

#include "Support/Error.h"

#include <atomic>
#include <cerrno>
#include <unistd.h>

namespace hotjit {

using Handler = void (*)(const char *Text);

// The one mutable global of hotjit besides Patch's `current`: an assertion has
// no object to ask, and passing one to every function would cost more clarity
// than it brings.
static constinit std::atomic<Handler> TheHandler{nullptr};

void setBrokenInvariantHandler(Handler H) {
  TheHandler.store(H, std::memory_order_release);
}

void reportBrokenInvariant(const char *Condition, const char *Message,
                           const char *File, int Line) {
  char Text[512];
  auto Result = fmt::format_to_n(Text, sizeof(Text) - 2,
                                 "hotjit: internal error: {} ({}) at {}:{}",
                                 Message, Condition, File, Line);
  *Result.out = '\0';
  if (Handler H = TheHandler.load(std::memory_order_acquire)) {
    H(Text);
    return;
  }
  // Nobody listens: a test, a tool, or a moment before the engine is set up.
  *Result.out++ = '\n';
  int SavedErrno = errno;
  [[maybe_unused]] ssize_t Written =
      ::write(STDERR_FILENO, Text, Result.out - Text);
  errno = SavedErrno;
}

} // namespace hotjit
