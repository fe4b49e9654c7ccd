#ifndef HOTJIT_SESSION_EVENT_H
#define HOTJIT_SESSION_EVENT_H

#include "Compile/Compiler.h"
#include "Diff/Plan.h"
#include "Support/Clock.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// Where the time of a reload went.
struct Timings {
  Nanoseconds Detect{0};  ///< file event to compile start
  Nanoseconds Parse{0};   ///< Clang's front end, old text included if needed
  Nanoseconds Compile{0}; ///< IR generation, fingerprints
  Nanoseconds Diff{0};
  Nanoseconds Link{0};   ///< optimize, emit, link, initializers
  Nanoseconds Commit{0}; ///< arming, the store
  Nanoseconds Total{0};  ///< file event to the store, or to the verdict
};

/// What users are told; docs/protocol.md lists the fields of each kind. Each
/// Changed is followed by exactly one of Reloaded, Refused, Failed, Unchanged
/// with the same Reload.
struct Event {
  enum class Kind {
    Ready,
    Changed,
    Diagnostics,
    Waiting, ///< ready, and goes live at a safe point of the program
    Reloaded,
    Refused,
    Failed,
    Unchanged,
    Settled,
    Undone,
    Redone,
    Paused,
    Resumed,
    Crashed,  ///< a fault in code that went live
    Loaded,   ///< the program has opened a library or plugin
    Unloaded, ///< and closed it
    Off,      ///< the engine turned itself off; the program runs on
  };

  Kind What = Kind::Ready;
  Nanoseconds Time{0};
  unsigned Reload = 0; ///< 0 if it does not belong to one
  std::optional<unsigned> Generation;
  std::vector<std::string> Files;
  std::vector<Verdict> Verdicts;
  size_t UnchangedFunctions = 0;
  std::vector<std::string> Types; ///< that were edited
  /// Undone, Redone: names of the functions that have another body now.
  std::vector<std::string> Switched;
  std::optional<Timings> Times;

  std::string Stage;   ///< Failed: compile, link, initialize, superseded, ...
  std::string Message; ///< Failed, Off

  std::string File; ///< Diagnostics
  std::vector<Diagnostic> Items;
  std::string Rendered; ///< Diagnostics as clang prints them

  int Signal = 0; ///< Crashed, as are the next ones
  std::string CrashedFunction;
  std::vector<std::string> Backtrace;
  std::string Action;

  size_t Units = 0; ///< Ready, Loaded, Unloaded; the next ones: Ready, Loaded
  size_t Functions = 0;
  Nanoseconds Elapsed{0};
  std::vector<std::string> Stale;
  std::vector<std::string> Notes; ///< Ready: what the user should know
};

const char *spell(Event::Kind K); ///< "reloaded"

} // namespace hotjit

#endif
