#ifndef HOTJIT_SUPPORT_ERROR_H
#define HOTJIT_SUPPORT_ERROR_H

#include "fmt/format.h"
#include "llvm/Support/Error.h"

namespace hotjit {

/// An llvm::Error with text made by fmt. Messages are lower case, without a
/// full stop: the thing first, then what to do.
///
/// **Example**:
///   return makeError("{}: no compile command; add one to {}", File, Database);
template <typename... Args>
llvm::Error makeError(fmt::format_string<Args...> Format, Args &&...Values) {
  return llvm::createStringError(
      llvm::inconvertibleErrorCode(), "%s",
      fmt::format(Format, std::forward<Args>(Values)...).c_str());
}

/// Reports a broken invariant of hotjit itself, on in every build. Never ends
/// the program: it calls the handler that the engine installed (which turns
/// the engine off) and returns.
void reportBrokenInvariant(const char *Condition, const char *Message,
                           const char *File, int Line);

/// Called once at start by the engine; Handler may be called on any thread.
void setBrokenInvariantHandler(void (*Handler)(const char *Text));

} // namespace hotjit

#define HOTJIT_ASSERT(Condition, Message)                                      \
  do {                                                                         \
    if (!(Condition))                                                          \
      ::hotjit::reportBrokenInvariant(#Condition, Message, __FILE__,           \
                                      __LINE__);                               \
  } while (false)

#endif
