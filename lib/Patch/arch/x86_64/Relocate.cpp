// A plain entry has no room for a jump: the five bytes that it takes hold the
// function's first instructions. They are moved to a trampoline, which goes on
// where they end, and that is how the original body is reached from then on.
//
// A moved instruction does what it did, where it was, except:
//
//   * RIP-relative operands get a new displacement;
//   * direct branches become their five- or six-byte forms;
//   * a call must push the return address that it pushed *before*: the unwinder
//     (landing pads are found by it), debuggers and whoever looks for frames of
//     the old body know that one. So it becomes `push [rip+cell]; jmp callee`,
//     and no return address ever lies in a trampoline. The return is predicted
//     wrongly for it; only original bodies pay.
//
// Refused is what we would have to guess about. Where code of the function
// branches into the window, a thread would meet the middle of our jump on each
// turn; where it branches to the entry itself, a loop that runs in the old body
// would go over to the new one half way (a recursive *call* may). Addresses of
// labels that are computed (jump tables) are not seen by this; compilers make
// tables only of blocks behind a range check, which is longer than the window,
// and a thread that came that way would still be recovered by the handler.

#include "Patch/arch/x86_64/Relocate.h"

#include "Patch/arch/x86_64/Stub.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

namespace endian = llvm::support::endian;

/// Is there anything in Code that leads to the bytes a jump would take?
static Error checkNothingLeadsIn(const Decoder &D, ArrayRef<uint8_t> Code,
                                 ProgramAddr Entry, uint64_t Size) {
  for (uint64_t Offset = 0; Offset < Size;) {
    std::optional<Instruction> I =
        D.decode(Code.slice(Offset, Size - Offset), Entry + Offset);
    if (!I)
      return makeError("no known instruction at +{:#x}", Offset);
    ProgramAddr Target = I->BranchTarget.value_or(ProgramAddr());
    bool IntoMiddle = Target > Entry && Target < Entry + JumpSize;
    if (IntoMiddle)
      return makeError("the branch at +{:#x} leads into its first {} bytes",
                       Offset, JumpSize);
    if (Target == Entry && I->Goes != Flow::Call)
      return makeError("a loop in it begins at its first instruction");
    if (I->RipTarget && *I->RipTarget > Entry &&
        *I->RipTarget < Entry + JumpSize)
      return makeError("+{:#x} takes an address within its first {} bytes",
                       Offset, JumpSize);
    Offset += I->Length;
  }
  return Error::success();
}

Expected<EntryWindow> findWindow(const Decoder &D, ArrayRef<uint8_t> Code,
                                 ProgramAddr Entry, uint64_t Size) {
  if (Size == 0)
    return makeError("its size is not known");
  if (Code.size() < Size)
    return makeError("the file does not hold its code");
  EntryWindow W;
  while (W.Length < JumpSize) {
    // Behind a function's end only padding may be decoded and taken.
    if (W.Length >= Size && W.Length >= Code.size())
      return makeError("it has {} bytes and is the last of its file", Size);
    uint64_t End = W.Length < Size ? Size : Code.size();
    std::optional<Instruction> I =
        D.decode(Code.slice(W.Length, End - W.Length), Entry + W.Length);
    if (W.Length >= Size && (!I || !I->Padding))
      return makeError("it has {} bytes and another function follows", Size);
    if (!I)
      return makeError("no known instruction at +{:#x}", W.Length);
    if (W.Length)
      W.Boundaries |= 1u << W.Length;
    if (W.Length < Size)
      W.Covered.push_back(*I);
    W.Length += I->Length;
    if ((I->Goes == Flow::Call || I->Goes == Flow::IndirectCall) &&
        W.Length < JumpSize)
      return makeError("a call returns into its first {} bytes", JumpSize);
  }
  bool Ends = W.Covered.back().Goes == Flow::Jump ||
              W.Covered.back().Goes == Flow::IndirectJump ||
              W.Covered.back().Goes == Flow::Return;
  if (Size < JumpSize && !Ends)
    return makeError("it has {} bytes and does not return", Size);
  if (Error E = checkNothingLeadsIn(D, Code, Entry, Size))
    return std::move(E);
  return W;
}

namespace {

/// Writes one trampoline.
class Mover {
public:
  Mover(ArrayRef<uint8_t> Code, ProgramAddr Entry, ProgramAddr At)
      : Old(Code), Entry(Entry), At(At) {}

  Expected<Trampoline> move(const EntryWindow &W);

private:
  Error moveOne(const Instruction &I, unsigned Offset);
  Error branch(ArrayRef<uint8_t> Opcode, ProgramAddr Target);
  Error call(const Instruction &I, unsigned Offset);
  Error copy(const Instruction &I, unsigned Offset);
  Error finishReturnCell();
  ProgramAddr here() const { return At + T.Code.size(); }
  ArrayRef<uint8_t> bytesOf(const Instruction &I, unsigned Offset) const {
    return Old.slice(Offset, I.Length);
  }
  Error tooFar(unsigned Offset) const {
    return makeError("the instruction at +{:#x} does not reach from the "
                     "trampoline",
                     Offset);
  }

  ArrayRef<uint8_t> Old;
  ProgramAddr Entry;
  ProgramAddr At;
  Trampoline T;
  /// Where the displacement to the return address stands, if there is a call.
  std::optional<unsigned> CellField;
  ProgramAddr ReturnTo;
};

} // namespace

Error Mover::branch(ArrayRef<uint8_t> Opcode, ProgramAddr Target) {
  int64_t Distance = Target - (here() + Opcode.size() + 4);
  if (!llvm::isInt<32>(Distance))
    return makeError("{} is too far from the trampoline", Target);
  T.Code.append(Opcode.begin(), Opcode.end());
  uint8_t Field[4];
  endian::write32le(Field, static_cast<uint32_t>(Distance));
  T.Code.append(Field, Field + 4);
  return Error::success();
}

Error Mover::copy(const Instruction &I, unsigned Offset) {
  ArrayRef<uint8_t> Bytes = bytesOf(I, Offset);
  size_t Begin = T.Code.size();
  ProgramAddr End = here() + I.Length;
  T.Code.append(Bytes.begin(), Bytes.end());
  if (!I.RipTarget)
    return Error::success();
  int64_t Distance = *I.RipTarget - End;
  if (!llvm::isInt<32>(Distance))
    return tooFar(Offset);
  endian::write32le(&T.Code[Begin + I.RipOffset],
                    static_cast<uint32_t>(Distance));
  return Error::success();
}

/// Pushes the return address that the original call pushed, and jumps.
Error Mover::call(const Instruction &I, unsigned Offset) {
  ArrayRef<uint8_t> Bytes = bytesOf(I, Offset);
  // call [rip+x] is ff /2, jmp [rip+x] is ff /4; ModRM is 15 and 25.
  bool ThroughMemory =
      Bytes.size() == 6 && Bytes[0] == 0xff && Bytes[1] == 0x15;
  bool ThroughRegister =
      Bytes[0] == 0xff && Bytes.size() == 2 && (Bytes[1] & 0xf8) == 0xd0;
  // Linkers make `addr32 call` of a call through memory that need not be one.
  bool Direct = (Bytes.size() == 5 && Bytes[0] == 0xe8) ||
                (Bytes.size() == 6 && Bytes[0] == 0x67 && Bytes[1] == 0xe8);
  if (!Direct && !ThroughMemory && !ThroughRegister)
    return makeError("the call at +{:#x} cannot be moved", Offset);

  // push qword [rip+cell]
  T.Code.append({0xff, 0x35, 0, 0, 0, 0});
  CellField = T.Code.size() - 4;
  ReturnTo = Entry + (Offset + I.Length);
  T.PushedAt = T.Code.size();
  if (Direct)
    return branch({0xe9}, *I.BranchTarget);
  size_t Begin = T.Code.size();
  if (Error E = copy(I, Offset))
    return E;
  T.Code[Begin + 1] += 0x10;
  return Error::success();
}

Error Mover::moveOne(const Instruction &I, unsigned Offset) {
  ArrayRef<uint8_t> Bytes = bytesOf(I, Offset);
  switch (I.Goes) {
  case Flow::Next:
  case Flow::IndirectJump:
  case Flow::Return:
    return copy(I, Offset);
  case Flow::Call:
  case Flow::IndirectCall:
    return call(I, Offset);
  case Flow::Jump:
    if (Bytes[0] == 0xe9 || Bytes[0] == 0xeb)
      return branch({0xe9}, *I.BranchTarget);
    break;
  case Flow::ConditionalJump:
    if ((Bytes[0] & 0xf0) == 0x70)
      return branch({0x0f, uint8_t(0x80 | (Bytes[0] & 0x0f))}, *I.BranchTarget);
    if (Bytes[0] == 0x0f && (Bytes[1] & 0xf0) == 0x80)
      return branch({0x0f, Bytes[1]}, *I.BranchTarget);
    break;
  case Flow::Unknown:
    break;
  }
  return makeError("the branch at +{:#x} cannot be moved", Offset);
}

/// The word that the moved call pushes stands behind the code.
Error Mover::finishReturnCell() {
  if (!CellField)
    return Error::success();
  while (here().value() % 8)
    T.Code.push_back(0xcc);
  int64_t Distance = here() - (At + *CellField + 4);
  endian::write32le(&T.Code[*CellField], static_cast<uint32_t>(Distance));
  uint8_t Cell[8];
  endian::write64le(Cell, ReturnTo.value());
  T.Code.append(Cell, Cell + 8);
  return Error::success();
}

Expected<Trampoline> Mover::move(const EntryWindow &W) {
  unsigned Offset = 0;
  for (const Instruction &I : W.Covered) {
    T.Moves.push_back({Offset, unsigned(T.Code.size())});
    if (Error E = moveOne(I, Offset))
      return std::move(E);
    Offset += I.Length;
  }
  Flow Last = W.Covered.back().Goes;
  if (Last == Flow::Next || Last == Flow::ConditionalJump) {
    T.Moves.push_back({Offset, unsigned(T.Code.size())});
    if (Error E = branch({0xe9}, Entry + Offset))
      return std::move(E);
  }
  if (Error E = finishReturnCell())
    return std::move(E);
  return std::move(T);
}

Expected<Trampoline> relocate(const EntryWindow &W, ArrayRef<uint8_t> Code,
                              ProgramAddr Entry, ProgramAddr At) {
  return Mover(Code, Entry, At).move(W);
}

} // namespace hotjit
