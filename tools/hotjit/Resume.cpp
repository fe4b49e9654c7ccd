// hotjit resume: ends pause; what was saved meanwhile goes live.

#include "Commands.h"

using namespace hotjit;

int hotjit::resumeCommand(const CommandLine::Parsed &Line) {
  return askForEvent(Line, wire::method::Resume);
}
