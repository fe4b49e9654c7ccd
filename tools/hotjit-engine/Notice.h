#ifndef HOTJIT_TOOLS_ENGINE_NOTICE_H
#define HOTJIT_TOOLS_ENGINE_NOTICE_H

#include "Agent/EngineAbi.h"
#include "Session/Session.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// What the program's callbacks (hotjit_on_reload) are told.
struct Notice {
  hotjit_phase Phase = HOTJIT_PHASE_COMPILING;
  unsigned Reload = 0;
  unsigned Generation = 0;
  std::vector<std::string> Functions, Types, Files;
  std::string Message;

  /// None if callbacks are not told of such an event.
  static std::optional<Notice> of(const Event &E, unsigned Generation);
  static Notice before(const Event &Preview, unsigned Generation);
};

/// Why a reload ended as E says, a line per reason; empty if it is live.
std::string reasonOf(const Event &E);

enum class OnFault {
  Leave,   ///< the callback is left where it stands; one call at a time
  Program, ///< it is the program's, as anywhere else
};

/// Calls each of the program's callbacks on this thread. The first veto or
/// mishap; only a notice `before` has vetoes.
std::optional<Verdict> callBack(const hotjit_engine_api &Api, const Notice &N,
                                OnFault What);

} // namespace hotjit

#endif
