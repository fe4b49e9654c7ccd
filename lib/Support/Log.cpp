// A log of several threads must not interleave within a line, and must not
// disturb the program: one write(2) per line, to a descriptor that is ours.

#include "Support/Log.h"

#include <cerrno>
#include <unistd.h>

namespace hotjit {

static const char *name(LogLevel L) {
  switch (L) {
  case LogLevel::Error:
    return "error";
  case LogLevel::Warning:
    return "warning";
  case LogLevel::Info:
    return "info";
  case LogLevel::Debug:
    return "debug";
  }
  return "";
}

void Log::write(LogLevel L, const std::string &Text) {
  if (Descriptor < 0 || L > Level)
    return;
  std::string Line = fmt::format("{}: {}\n", name(L), Text);
  std::lock_guard Lock(M);
  // A pipe may take part of a line. A reader that is gone or a full disk loses
  // log lines, never more.
  for (size_t Done = 0; Done < Line.size();) {
    ssize_t N = ::write(Descriptor, Line.data() + Done, Line.size() - Done);
    if (N < 0 && errno == EINTR)
      continue;
    if (N <= 0)
      return;
    Done += static_cast<size_t>(N);
  }
}

} // namespace hotjit
