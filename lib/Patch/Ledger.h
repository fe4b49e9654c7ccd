#ifndef HOTJIT_PATCH_LEDGER_H
#define HOTJIT_PATCH_LEDGER_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <vector>

namespace hotjit {

/// Which generation switched which slot to which body. Knows nothing of memory:
/// numbers in, numbers out.
class Ledger {
public:
  struct Switch {
    unsigned Slot;
    ProgramAddr Target; ///< where the slot leads
    AddrRange Code;     ///< the body
  };
  struct Body {
    ProgramAddr Target;
    AddrRange Code;
  };

  /// The next slot. Before any generation switches it, it leads to Original.
  void addSlot(Body Original) { Originals.push_back({Original, {}}); }
  /// The next slot, of a function that the program does not have. When undo
  /// goes back before the generation that added it, it keeps leading to the
  /// first body that it had: the program may hold its address.
  void addAddedSlot(Body Nowhere);

  /// A new generation, current from now on. Generations that were undone are
  /// forgotten. Returns its number, which no other ever had.
  unsigned commit(std::vector<Switch> Switches);
  /// False: there is none.
  bool undo();
  bool redo();

  /// Number of the current generation; 0 is the program as it was built.
  unsigned current() const;
  /// How many generations there are besides 0, undone ones included, and how
  /// many of them are in effect.
  size_t size() const { return Generations.size(); }
  size_t position() const { return Position; }

  /// Where a slot leads in the current generation.
  Body bodyOf(unsigned Slot) const;
  size_t slots() const { return Originals.size(); }

private:
  struct Numbered {
    unsigned Number;
    std::vector<Switch> Switches;
  };
  struct Origin {
    Body Leads;
    /// Of an added function: is it still without any body?
    std::optional<bool> Bodiless;
  };

  std::vector<Origin> Originals;
  std::vector<Numbered> Generations;
  size_t Position = 0;
  unsigned LastNumber = 0;
};

} // namespace hotjit

#endif
