// hotjit pause: saves are noticed, and wait.

#include "Commands.h"

using namespace hotjit;

int hotjit::pauseCommand(const CommandLine::Parsed &Line) {
  return askForEvent(Line, wire::method::Pause);
}
