#ifndef HOTJIT_PATCH_ARCH_X86_64_RELOCATE_H
#define HOTJIT_PATCH_ARCH_X86_64_RELOCATE_H

#include "Patch/arch/x86_64/Decoder.h"
#include "llvm/ADT/SmallVector.h"

namespace hotjit {

/// Bytes of `jmp rel32`.
constexpr unsigned JumpSize = 5;

/// A padding NOP that begins within the jump's bytes ends within these.
constexpr unsigned CodeBehindShort = 24;

/// The instructions that a jump written over the first bytes of a function
/// touches.
struct EntryWindow {
  llvm::SmallVector<Instruction, JumpSize> Covered;
  unsigned Length = 0; ///< of all of them together; at least JumpSize
  /// Bit K: an instruction begins with byte K, 1 <= K < JumpSize.
  unsigned Boundaries = 0;
};

/// Code is the whole function and, if that is shorter than a jump, the
/// CodeBehindShort bytes from its entry. Error: why nothing may be written
/// there.
llvm::Expected<EntryWindow> findWindow(const Decoder &D,
                                       llvm::ArrayRef<uint8_t> Code,
                                       ProgramAddr Entry, uint64_t Size);

/// The window's instructions, moved: the way into the original body.
struct Trampoline {
  struct Move {
    unsigned From; ///< offset from the entry
    unsigned To;   ///< offset in Code
  };
  llvm::SmallVector<uint8_t, 64> Code;
  /// Where each instruction went, and where the way back to the first
  /// instruction that was not moved begins (if there is one).
  llvm::SmallVector<Move, JumpSize + 1> Moves;
  /// For a call: offset in Code at which its return address is on the stack.
  std::optional<unsigned> PushedAt;
};

/// The window's instructions as they must read at At. Error: which of them
/// cannot be moved there.
llvm::Expected<Trampoline> relocate(const EntryWindow &W,
                                    llvm::ArrayRef<uint8_t> Code,
                                    ProgramAddr Entry, ProgramAddr At);

} // namespace hotjit

#endif
