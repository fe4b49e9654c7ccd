#ifndef HOTJIT_PATCH_ARCH_X86_64_FRAMEWALK_H
#define HOTJIT_PATCH_ARCH_X86_64_FRAMEWALK_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <array>
#include <optional>

namespace hotjit {

/// A thread's registers by their DWARF numbers, as far as they are known.
struct FrameRegisters {
  static constexpr unsigned Rbx = 3, Rbp = 6, Rsp = 7, R12 = 12, R13 = 13,
                            R14 = 14, R15 = 15, Rip = 16, Count = 17;
  std::array<std::optional<uint64_t>, Count> Values;
  std::optional<uint64_t> &operator[](unsigned Number) {
    return Values[Number];
  }
};

/// How a walk reads the program: the whole of the bytes, or false.
struct FrameMemory {
  llvm::function_ref<bool(ProgramAddr, llvm::MutableArrayRef<uint8_t>)> Stack;
  /// Code as the program was built, without jumps and breakpoints in it.
  llvm::function_ref<bool(ProgramAddr, llvm::MutableArrayRef<uint8_t>)> Code;
};

struct WalkedFrame {
  unsigned Depth = 0; ///< 0 is the innermost
  ProgramAddr Pc;     ///< of the next instruction to be executed in it
  bool Called = true; ///< Pc is a return address: the call stands before it
};

struct FrameWalk {
  /// The outermost frame was reached: what was visited is all there is.
  bool Complete = false;
  /// If not: nothing is known of the stack from here upwards.
  ProgramAddr Rest;
};

/// Visits the frames of a stack, from the innermost, by the call frame tables
/// of the code. The stack must not change meanwhile.
FrameWalk walkFrames(FrameRegisters Innermost, const FrameMemory &Memory,
                     llvm::function_ref<void(const WalkedFrame &)> Visit);

/// Do the bytes before a return address end with a call?
bool endsWithCall(llvm::ArrayRef<uint8_t> Bytes);
/// A call instruction has at most this many bytes behind its prefixes.
constexpr unsigned LongestCall = 7;

} // namespace hotjit

#endif
