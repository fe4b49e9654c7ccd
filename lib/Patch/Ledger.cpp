// Undo and redo move along a list; a commit cuts off what was undone and
// appends. Where a slot leads is never stored as "the state after undo": it is
// looked up, backwards from the position, each time. That is what makes undo
// across five generations the same as five undos.

#include "Patch/Ledger.h"

#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"

namespace hotjit {

void Ledger::addAddedSlot(Body Nowhere) {
  Originals.push_back({Nowhere, /*Bodiless=*/true});
}

unsigned Ledger::commit(std::vector<Switch> Switches) {
  Generations.resize(Position);
  for (const Switch &S : Switches) {
    Origin &O = Originals[S.Slot];
    if (O.Bodiless.value_or(false))
      O = {{S.Target, S.Code}, /*Bodiless=*/false};
  }
  Generations.push_back({++LastNumber, std::move(Switches)});
  Position = Generations.size();
  return LastNumber;
}

bool Ledger::undo() {
  if (Position == 0)
    return false;
  --Position;
  return true;
}

bool Ledger::redo() {
  if (Position == Generations.size())
    return false;
  ++Position;
  return true;
}

unsigned Ledger::current() const {
  return Position == 0 ? 0 : Generations[Position - 1].Number;
}

Ledger::Body Ledger::bodyOf(unsigned Slot) const {
  for (size_t I = Position; I != 0; --I)
    for (const Switch &S : Generations[I - 1].Switches)
      if (S.Slot == Slot)
        return {S.Target, S.Code};
  return Originals[Slot].Leads;
}

} // namespace hotjit
