#ifndef HOTJIT_SUPPORT_LOG_H
#define HOTJIT_SUPPORT_LOG_H

#include "fmt/format.h"
#include <mutex>
#include <string>

namespace hotjit {

enum class LogLevel { Error, Warning, Info, Debug };

/// The log is for us; Events (Session) are for users. Any thread; a line is
/// written whole. Without a descriptor everything is dropped: the program's own
/// stderr is not ours.
class Log {
public:
  /// Descriptor -1: nowhere. Lines above Level (Debug is the highest) are
  /// dropped. The descriptor stays the caller's.
  explicit Log(int Descriptor = -1, LogLevel Level = LogLevel::Info)
      : Descriptor(Descriptor), Level(Level) {}

  template <typename... Args>
  void debug(fmt::format_string<Args...> F, Args &&...A) {
    if (Level >= LogLevel::Debug)
      write(LogLevel::Debug, fmt::format(F, std::forward<Args>(A)...));
  }
  template <typename... Args>
  void info(fmt::format_string<Args...> F, Args &&...A) {
    if (Level >= LogLevel::Info)
      write(LogLevel::Info, fmt::format(F, std::forward<Args>(A)...));
  }
  template <typename... Args>
  void warning(fmt::format_string<Args...> F, Args &&...A) {
    write(LogLevel::Warning, fmt::format(F, std::forward<Args>(A)...));
  }
  template <typename... Args>
  void error(fmt::format_string<Args...> F, Args &&...A) {
    write(LogLevel::Error, fmt::format(F, std::forward<Args>(A)...));
  }

private:
  void write(LogLevel L, const std::string &Text);

  std::mutex M;
  int Descriptor;
  LogLevel Level;
};

} // namespace hotjit

#endif
