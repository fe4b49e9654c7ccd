#ifndef HOTJIT_PATCH_ARCH_X86_64_ENTRYWRITE_H
#define HOTJIT_PATCH_ARCH_X86_64_ENTRYWRITE_H

#include "Patch/os/linux/Barrier.h"
#include "Patch/os/linux/ProgramText.h"
#include "llvm/ADT/SmallVector.h"
#include <array>

namespace hotjit {

/// A change of an entry's bytes.
struct EntryWrite {
  ProgramAddr At;
  llvm::SmallVector<uint8_t, 5> Old;
  llvm::SmallVector<uint8_t, 5> New;
  /// Bit K: New[K] is an invalid opcode, because an old instruction that a
  /// thread may stand on begins there.
  unsigned Boundaries = 0;
  /// Written before, to padding that nobody executes: address, or none.
  ProgramAddr JumpAt;
  std::array<uint8_t, 5> Jump = {};

  /// All that is written lies here.
  AddrRange range() const {
    return {JumpAt ? JumpAt : At, At + static_cast<int64_t>(New.size())};
  }
  /// One aligned 8-byte word holds all of New.
  bool isOneWord() const { return At.value() % 8 + New.size() <= 8; }
};

/// Writes New, while the program runs: a thread that comes by executes the old
/// instructions, or the new ones, or gets SIGILL at an address from which it
/// can be recovered. Text is open for all of them.
void writeEntries(llvm::ArrayRef<EntryWrite> Writes, WritableText &Text,
                  const CodeBarrier &Barrier);

/// The way back: Old. Only tests take it.
void restoreEntries(llvm::ArrayRef<EntryWrite> Writes, WritableText &Text,
                    const CodeBarrier &Barrier);

/// How far before a patchable entry its five NOPs begin.
constexpr unsigned PatchablePadding = 5;

/// Where in Code, which begins PatchablePadding before the entry and has ten
/// bytes more, the two NOPs of a patchable entry stand, counted from the entry;
/// none if the bytes are not those of a patchable entry.
std::optional<unsigned> findEntryNops(llvm::ArrayRef<uint8_t> Code);

} // namespace hotjit

#endif
