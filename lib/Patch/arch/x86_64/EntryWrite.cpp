// Code that threads execute is changed (cross-modifying code; Intel SDM
// 3A 9.1.3, AMD APM 2 7.6.1). Bytes that lie in one aligned 8-byte word change
// with one store: a processor that fetches them sees all or none of it. Bytes
// that straddle two words cannot, so they go through a state in which whoever
// comes there is stopped by an invalid opcode and recovered:
//
//   the first byte and those on old instruction boundaries <- invalid opcodes
//   barrier   now nobody can start on any old instruction in the bytes
//   the other bytes
//   barrier   the rest of the jump is complete, behind a closed door
//   the first byte <- e9
//   barrier
//
// Between two barriers any mixture of stores may be seen, but what a thread can
// *start* to execute is an old instruction whole, the jump whole, or 06.
//
// For a patchable entry the jump goes into the five NOPs before it first, and
// then the two at it become a short jump back:
//
//        90 90 90 90 90        e9 stub          e9 stub
//   f:   66 90            f:   66 90       f:   eb f9
//
// GCC writes 90 90 there; a thread between the two executes f9 (stc) or, behind
// endbr64, f5 (cmc), whose flag nobody reads at an entry.

#include "Patch/arch/x86_64/EntryWrite.h"

#include "llvm/Support/MathExtras.h"

namespace hotjit {

using llvm::ArrayRef;

static constexpr uint8_t Closed = 0x06;

static void storeInWord(const EntryWrite &W, ArrayRef<uint8_t> Bytes,
                        WritableText &Text) {
  ProgramAddr Word(llvm::alignDown(W.At.value(), 8));
  uint64_t Value = WritableText::loadWord(Word);
  for (size_t I = 0; I != Bytes.size(); ++I) {
    unsigned Shift = 8 * unsigned(W.At - Word + I);
    Value &= ~(uint64_t(0xff) << Shift);
    Value |= uint64_t(Bytes[I]) << Shift;
  }
  Text.storeWord(Word, Value);
}

/// Stores those bytes behind the first whose bit in Mask equals Set.
static void storeSome(const EntryWrite &W, ArrayRef<uint8_t> Bytes, bool Set,
                      WritableText &Text) {
  for (size_t I = 1; I != Bytes.size(); ++I)
    if (((W.Boundaries >> I) & 1) == Set)
      Text.storeByte(W.At + I, Bytes[I]);
}

static bool anyStraddles(ArrayRef<EntryWrite> Writes) {
  return llvm::any_of(Writes,
                      [](const EntryWrite &W) { return !W.isOneWord(); });
}

void writeEntries(ArrayRef<EntryWrite> Writes, WritableText &Text,
                  const CodeBarrier &Barrier) {
  for (const EntryWrite &W : Writes)
    if (W.JumpAt)
      for (size_t I = 0; I != W.Jump.size(); ++I)
        Text.storeByte(W.JumpAt + I, W.Jump[I]);
  Barrier();
  if (anyStraddles(Writes)) {
    for (const EntryWrite &W : Writes) {
      if (W.isOneWord())
        continue;
      Text.storeByte(W.At, Closed);
      storeSome(W, W.New, /*Set=*/true, Text);
    }
    Barrier();
    for (const EntryWrite &W : Writes)
      if (!W.isOneWord())
        storeSome(W, W.New, /*Set=*/false, Text);
    Barrier();
  }
  for (const EntryWrite &W : Writes) {
    if (W.isOneWord())
      storeInWord(W, W.New, Text);
    else
      Text.storeByte(W.At, W.New[0]);
  }
  Barrier();
}

void restoreEntries(ArrayRef<EntryWrite> Writes, WritableText &Text,
                    const CodeBarrier &Barrier) {
  if (anyStraddles(Writes)) {
    for (const EntryWrite &W : Writes)
      if (!W.isOneWord())
        Text.storeByte(W.At, Closed);
    Barrier();
    // First what lies between the boundaries, then the boundaries: an
    // instruction must be whole when it can be started.
    for (bool Set : {false, true}) {
      for (const EntryWrite &W : Writes)
        if (!W.isOneWord())
          storeSome(W, W.Old, Set, Text);
      Barrier();
    }
  }
  for (const EntryWrite &W : Writes) {
    if (W.isOneWord())
      storeInWord(W, W.Old, Text);
    else
      Text.storeByte(W.At, W.Old[0]);
  }
  Barrier();
}

std::optional<unsigned> findEntryNops(ArrayRef<uint8_t> Code) {
  static constexpr uint8_t Endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
  // Clang writes the longest NOP that fits, GCC single ones.
  static constexpr uint8_t LongNop[] = {0x0f, 0x1f, 0x44, 0x00};
  if (Code.size() < PatchablePadding + 6)
    return std::nullopt;
  ArrayRef<uint8_t> Before = Code.take_front(PatchablePadding);
  bool Single = llvm::all_of(Before, [](uint8_t B) { return B == 0x90; });
  if (!Single && Before.take_front(4) != ArrayRef<uint8_t>(LongNop))
    return std::nullopt;
  ArrayRef<uint8_t> At = Code.drop_front(PatchablePadding);
  unsigned Offset = At.take_front(4) == ArrayRef<uint8_t>(Endbr) ? 4 : 0;
  bool Two =
      (At[Offset] == 0x90 || At[Offset] == 0x66) && At[Offset + 1] == 0x90;
  return Two ? std::optional(Offset) : std::nullopt;
}

} // namespace hotjit
