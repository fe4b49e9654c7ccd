// hotjit redo: takes an undo back.

#include "Commands.h"

using namespace hotjit;

int hotjit::redoCommand(const CommandLine::Parsed &Line) {
  return askForEvent(Line, wire::method::Redo);
}
