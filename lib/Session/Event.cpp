// The words of contracts for what Session says.

#include "Session/Event.h"

using namespace hotjit;

const char *hotjit::spell(Event::Kind K) {
  switch (K) {
  case Event::Kind::Ready:
    return "ready";
  case Event::Kind::Changed:
    return "changed";
  case Event::Kind::Diagnostics:
    return "diagnostics";
  case Event::Kind::Waiting:
    return "waiting";
  case Event::Kind::Reloaded:
    return "reloaded";
  case Event::Kind::Refused:
    return "refused";
  case Event::Kind::Failed:
    return "failed";
  case Event::Kind::Unchanged:
    return "unchanged";
  case Event::Kind::Settled:
    return "settled";
  case Event::Kind::Undone:
    return "undone";
  case Event::Kind::Redone:
    return "redone";
  case Event::Kind::Paused:
    return "paused";
  case Event::Kind::Resumed:
    return "resumed";
  case Event::Kind::Crashed:
    return "crashed";
  case Event::Kind::Loaded:
    return "loaded";
  case Event::Kind::Unloaded:
    return "unloaded";
  case Event::Kind::Off:
    return "off";
  }
  return "unknown";
}
