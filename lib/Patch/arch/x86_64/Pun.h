#ifndef HOTJIT_PATCH_ARCH_X86_64_PUN_H
#define HOTJIT_PATCH_ARCH_X86_64_PUN_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace hotjit {

/// Is Byte an opcode that raises #UD in 64-bit mode, whatever follows?
bool isInvalidOpcode(uint8_t Byte);

/// The smallest displacement of a `jmp rel32` from First on whose bytes at
/// Boundaries (bit K: byte K of the jump, 1 <= K <= 4) are invalid opcodes.
std::optional<uint32_t> nextPun(uint32_t First, unsigned Boundaries);

/// An address for a stub that a punned jump at Site can lead to, the lowest in
/// Region. FreeFrom(A) is the lowest address not below A at which a stub has
/// room, or Region's end.
std::optional<ProgramAddr>
choosePun(ProgramAddr Site, unsigned Boundaries, AddrRange Region,
          llvm::function_ref<ProgramAddr(ProgramAddr)> FreeFrom);

/// Where a jump from Site to Stub leads while a debugger has its breakpoint
/// (`int3`) in one of the bytes at Boundaries. Ascending by boundary.
llvm::SmallVector<ProgramAddr, 4>
breakpointTargets(ProgramAddr Site, unsigned Boundaries, ProgramAddr Stub);

/// The region in which the targets for boundary 4 lie if the stubs lie in
/// Region; nullopt if there are no such addresses.
std::optional<AddrRange> breakpointRegion(AddrRange Text, AddrRange Region);

/// Where memory for the stubs of all entries in Text must lie so that each has
/// hundreds of places in it, whatever its boundaries are: several such regions,
/// the best first. Page-aligned.
llvm::SmallVector<AddrRange, 16> punRegions(AddrRange Text);

} // namespace hotjit

#endif
