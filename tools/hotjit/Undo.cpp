// hotjit undo: the program runs the code of the generation before. The files
// stay as they are; the next save of one goes live whole.

#include "Commands.h"

using namespace hotjit;

int hotjit::undoCommand(const CommandLine::Parsed &Line) {
  return askForEvent(Line, wire::method::Undo);
}
