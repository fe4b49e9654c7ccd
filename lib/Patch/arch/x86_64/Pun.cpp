// When five bytes of running code are replaced by a jump, a thread may stand on
// an instruction that began within them, and it would go on in the middle of
// the jump. The usual answers stop all threads, or signal them. This one needs
// no thread's help: the *displacement* of the jump is chosen so that each of
// its bytes on which an old instruction began is an opcode that does not exist
// in 64-bit mode. Whoever goes on there, now or in an hour, gets SIGILL at that
// very address, and the handler moves it to the same instruction in the
// trampoline.
//
//   55        push rbp        e9           jmp stub
//   48 89 e5  mov rbp, rsp    06 xx xx     boundary at +1: 06
//   41 54     push r12        3f           boundary at +4: 3f
//
// (Punned jumps: Chamith et al., "Instruction Punning", PLDI 2017.)
//
// The price is that the stub's place follows from the bytes. One boundary at +4
// fixes the top byte of the distance to one of 13 values; in the worst case
// (four one-byte instructions) all four bytes, and 13^4 distances are left. Yet
// for one choice of the two upper bytes they span 0x5b00 bytes only: a region
// as long as the module's text, that distance above it, holds 169 places for
// every entry of the module. So one mapping serves them all.

// One more comes by: a debugger. Its table of lines says that a statement
// begins at one of these boundaries, and there it writes `int3`, cc, into what
// is the jump now: `break FUNCTION` means the place behind the prologue, which
// is +4 for many a function. The jump then leads elsewhere, and to a definite
// place: for each boundary there is one. Code that goes on to the stub is put
// there too. For the boundaries up to +3 that is in the same region, for +4 it
// is 0x34 times 16 MiB below the module, where a position-independent program
// has nothing.

#include "Patch/arch/x86_64/Pun.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace hotjit {

// push/pop es, cs, ss, ds; daa, das, aaa, aas; pusha, popa. Sorted. Not used:
// 62, c4, c5, d5 (prefixes of newer encodings), 82, 9a, ce, d4, d6, ea (may
// become such).
static constexpr uint8_t Invalid[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f,
                                      0x27, 0x2f, 0x37, 0x3f, 0x60, 0x61};

bool isInvalidOpcode(uint8_t Byte) {
  return std::binary_search(std::begin(Invalid), std::end(Invalid), Byte);
}

std::optional<uint32_t> nextPun(uint32_t First, unsigned Boundaries) {
  // An odometer: the topmost byte that is not allowed is raised, or carries.
  // Each turn raises the value; 4 bytes settle in a few turns.
  uint64_t Value = First;
  while (Value <= 0x7fffffff) {
    int Byte = 3;
    while (Byte >= 0 && (!(Boundaries & (2u << Byte)) ||
                         isInvalidOpcode(uint8_t(Value >> (8 * Byte)))))
      --Byte;
    if (Byte < 0)
      return uint32_t(Value);
    uint64_t Low = llvm::maskTrailingOnes<uint64_t>(8 * Byte);
    const uint8_t *Next = std::upper_bound(
        std::begin(Invalid), std::end(Invalid), uint8_t(Value >> (8 * Byte)));
    if (Next == std::end(Invalid)) {
      Value = (Value | Low | (0xffULL << (8 * Byte))) + 1;
      continue;
    }
    Value &= ~(Low | (0xffULL << (8 * Byte)));
    Value |= uint64_t(*Next) << (8 * Byte);
  }
  return std::nullopt;
}

std::optional<ProgramAddr>
choosePun(ProgramAddr Site, unsigned Boundaries, AddrRange Region,
          llvm::function_ref<ProgramAddr(ProgramAddr)> FreeFrom) {
  ProgramAddr After = Site + 5;
  if (Region.Begin < After)
    return std::nullopt;
  // Both steps only go up, so this ends.
  for (ProgramAddr At = Region.Begin;;) {
    At = FreeFrom(At);
    if (!Region.contains(At) || !llvm::isInt<32>(At - After))
      return std::nullopt;
    std::optional<uint32_t> Distance =
        nextPun(uint32_t(At - After), Boundaries);
    if (!Distance)
      return std::nullopt;
    if (After + *Distance == At)
      return At;
    At = After + *Distance;
  }
}

static constexpr uint32_t Breakpoint = 0xcc;

llvm::SmallVector<ProgramAddr, 4>
breakpointTargets(ProgramAddr Site, unsigned Boundaries, ProgramAddr Stub) {
  llvm::SmallVector<ProgramAddr, 4> Targets;
  ProgramAddr After = Site + 5;
  auto Distance = static_cast<uint32_t>(Stub - After);
  for (unsigned Byte = 0; Byte != 4; ++Byte)
    if (Boundaries & (2u << Byte)) {
      uint32_t Changed = Distance & ~(0xffu << (8 * Byte));
      Changed |= Breakpoint << (8 * Byte);
      Targets.push_back(After + static_cast<int32_t>(Changed));
    }
  return Targets;
}

std::optional<AddrRange> breakpointRegion(AddrRange Text, AddrRange Region) {
  // Byte 4 of the distance, which is the same for all of Region but for carries
  // from the length of the text.
  constexpr uint64_t Step = 1u << 24;
  uint64_t Top = static_cast<uint64_t>(Region.Begin - Text.Begin) / Step;
  uint64_t Down = (Top + 0x100 - Breakpoint) * Step;
  if (Region.Begin.value() <= Down)
    return std::nullopt;
  return AddrRange{Region.Begin + -static_cast<int64_t>(Down),
                   Region.End + -static_cast<int64_t>(Down)};
}

llvm::SmallVector<AddrRange, 16> punRegions(AddrRange Text) {
  // The part of a 16 MiB step that takes in all allowed values of byte 3, and
  // cc, which a breakpoint makes of it. 13 times 169 places in the worst case.
  constexpr uint64_t FirstDistance = 0x060000, LastDistance = 0xccffff;
  // The module's data, the heap (above an executable) and whatever it maps next
  // want the near addresses; the distance of 1 GiB is tried first.
  constexpr uint8_t Order[] = {0x3f, 0x37, 0x60, 0x61, 0x2f, 0x27, 0x1f,
                               0x1e, 0x17, 0x16, 0x0e, 0x07, 0x06};
  constexpr uint64_t Page = 4096;
  llvm::SmallVector<AddrRange, 16> Regions;
  for (uint8_t Top : Order) {
    uint64_t Base = uint64_t(Top) << 24;
    uint64_t Begin = Text.Begin.value() + Base + FirstDistance;
    uint64_t End = Text.End.value() + Base + LastDistance;
    Regions.push_back({ProgramAddr(llvm::alignDown(Begin, Page)),
                       ProgramAddr(llvm::alignTo(End, Page))});
  }
  return Regions;
}

} // namespace hotjit
