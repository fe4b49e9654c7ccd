#ifndef HOTJIT_PATCH_STUBTABLE_H
#define HOTJIT_PATCH_STUBTABLE_H

#include "Patch/os/linux/Barrier.h"
#include "Support/ProgramAddr.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <vector>

namespace hotjit {

/// Where each identity leads. Stubs read the table that is current; this class
/// holds the next one, which nobody sees before publish().
///
/// A slot is never given up and a table, once published, neither changes nor
/// goes away. Use from one thread.
class StubTable {
public:
  static llvm::Expected<std::unique_ptr<StubTable>> create(CodeBarrier Barrier);

  /// The number of a new slot, which leads to Target.
  unsigned addSlot(ProgramAddr Target);
  void set(unsigned Slot, ProgramAddr Target) { Next[Slot] = Target; }
  ProgramAddr target(unsigned Slot) const { return Next[Slot]; }
  unsigned slots() const { return static_cast<unsigned>(Next.size()); }

  /// One store: every slot leads where set() said. Error: no memory (HJ3006);
  /// nothing has changed.
  llvm::Error publish();

  /// The word that a stub reads first: the address of the table that is
  /// current. Private memory, so that a forked child has its own.
  ProgramAddr currentWord() const { return Current; }

  /// Bytes of all tables.
  size_t memoryUsed() const { return Used; }

private:
  StubTable(CodeBarrier Barrier, ProgramAddr Current)
      : Barrier(Barrier), Current(Current) {}
  llvm::Expected<uint64_t *> allocate(size_t Words);

  CodeBarrier Barrier;
  ProgramAddr Current;
  std::vector<ProgramAddr> Next;
  uint64_t *Free = nullptr; ///< rest of the memory that was taken last
  size_t FreeWords = 0;
  size_t Used = 0;
};

} // namespace hotjit

#endif
