// Unwinding through code that no compiler wrote. No return address ever lies in
// a stub or a trampoline (calls in a trampoline push the original one), so an
// exception never passes one as a caller. What does: a signal handler that asks
// for a backtrace, and a profiler, when the signal came right there.
//
// In a stub the frame is that of a function at its entry: the CFA is rsp+8
// (rsp+16 after the push of the form that preserves r11). In a trampoline it is
// what the original function's table says for the instruction that was moved:
// the rows are taken from there and their locations translated. The translation
// reads call frame instructions only to know how long they are and where the
// CFA is relative to rsp; everything else is copied.
//
// Formats: DWARF 5, 6.4.1 and 6.4.2; LSB Core, "Exception Frames".

#include "Patch/arch/x86_64/Unwind.h"

#include "Patch/arch/x86_64/CallFrameEntry.h"
#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/LEB128.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

namespace dwarf = llvm::dwarf;
namespace endian = llvm::support::endian;

static constexpr unsigned DwarfRsp = 7;

//===-- Reading -----------------------------------------------------------===//

namespace {

/// Walks call frame instructions and keeps rows.
class RowReader {
public:
  RowReader(const CallFrameEntry &C, EntryRows &Out) : C(C), Out(Out) {}

  /// Until the location passes Limit.
  Error read(ArrayRef<uint8_t> Program, uint64_t Limit);
  void startAtEntry() {
    Out.Initial = std::move(Now.Instructions);
    Now.Instructions.clear();
  }
  void finish() { Out.Rows.push_back(std::move(Now)); }

private:
  Error step(FrameBytes &In);
  bool advance(uint8_t Opcode, FrameBytes &In, uint64_t &Delta);
  Error skipOperands(uint8_t Opcode, FrameBytes &In);

  const CallFrameEntry &C;
  EntryRows &Out;
  EntryRows::Row Now{0, {}, std::nullopt, true};
};

} // namespace

/// Is it an instruction that moves the location, and by how much?
bool RowReader::advance(uint8_t Opcode, FrameBytes &In, uint64_t &Delta) {
  if ((Opcode & 0xc0) == dwarf::DW_CFA_advance_loc)
    Delta = Opcode & 0x3f;
  else if (Opcode == dwarf::DW_CFA_advance_loc1)
    Delta = In.fixed(1);
  else if (Opcode == dwarf::DW_CFA_advance_loc2)
    Delta = In.fixed(2);
  else if (Opcode == dwarf::DW_CFA_advance_loc4)
    Delta = In.fixed(4);
  else
    return false;
  Delta *= C.CodeAlignment;
  return true;
}

Error RowReader::skipOperands(uint8_t Opcode, FrameBytes &In) {
  if ((Opcode & 0xc0) == dwarf::DW_CFA_offset) {
    In.uleb();
    return Error::success();
  }
  if ((Opcode & 0xc0) == dwarf::DW_CFA_restore)
    return Error::success();
  switch (Opcode) {
  case dwarf::DW_CFA_nop:
  case dwarf::DW_CFA_remember_state:
    return Error::success();
  case dwarf::DW_CFA_restore_state:
    Now.Known = false;
    return Error::success();
  case dwarf::DW_CFA_def_cfa: {
    uint64_t Register = In.uleb();
    int64_t Offset = In.uleb();
    Now.FromRsp = Register == DwarfRsp ? std::optional(Offset) : std::nullopt;
    return Error::success();
  }
  case dwarf::DW_CFA_def_cfa_offset: {
    int64_t Offset = In.uleb();
    if (Now.FromRsp)
      Now.FromRsp = Offset;
    return Error::success();
  }
  case dwarf::DW_CFA_def_cfa_register:
    // Away from rsp; back to it, with an offset kept, nobody writes.
    Now.Known &= In.uleb() != DwarfRsp;
    Now.FromRsp = std::nullopt;
    return Error::success();
  case dwarf::DW_CFA_def_cfa_expression:
    Now.Known = false;
    In.skip(In.uleb());
    return Error::success();
  case dwarf::DW_CFA_restore_extended:
  case dwarf::DW_CFA_undefined:
  case dwarf::DW_CFA_same_value:
  case dwarf::DW_CFA_GNU_args_size:
    In.uleb();
    return Error::success();
  case dwarf::DW_CFA_offset_extended:
  case dwarf::DW_CFA_register:
  case dwarf::DW_CFA_val_offset:
    In.uleb();
    In.uleb();
    return Error::success();
  case dwarf::DW_CFA_offset_extended_sf:
  case dwarf::DW_CFA_val_offset_sf:
    In.uleb();
    In.sleb();
    return Error::success();
  case dwarf::DW_CFA_expression:
  case dwarf::DW_CFA_val_expression:
    In.uleb();
    In.skip(In.uleb());
    return Error::success();
  }
  return unclearTable("a call frame instruction that we do not know");
}

Error RowReader::read(ArrayRef<uint8_t> Program, uint64_t Limit) {
  FrameBytes In(Program.begin(), Program.end());
  uint64_t Location = 0;
  while (!In.empty()) {
    const uint8_t *Begin = In.position();
    uint8_t Opcode = In.byte();
    uint64_t Delta = 0;
    if (advance(Opcode, In, Delta)) {
      Location += Delta;
      if (Location > Limit)
        break;
      Out.Rows.push_back(Now);
      Now.Offset = static_cast<unsigned>(Location);
      Now.Instructions.clear();
      continue;
    }
    if (Error E = skipOperands(Opcode, In))
      return E;
    if (Opcode != dwarf::DW_CFA_nop)
      Now.Instructions.insert(Now.Instructions.end(), Begin, In.position());
  }
  return In.Failed ? unclearTable("it ends early") : Error::success();
}

Expected<EntryRows> parseEntryRows(const uint8_t *FDE, unsigned Length) {
  Expected<CallFrameEntry> C = parseCallFrameEntry(FDE);
  if (!C)
    return C.takeError();
  if (C->SignalFrame)
    return unclearTable("augmentation");
  EntryRows Rows;
  Rows.DataAlignment = C->DataAlignment;
  RowReader Reader(*C, Rows);
  if (Error E = Reader.read(C->Initial, 0))
    return std::move(E);
  Reader.startAtEntry();
  if (Error E = Reader.read(C->Program, Length))
    return std::move(E);
  Reader.finish();
  return Rows;
}

Expected<std::optional<EntryRows>> readEntryRows(ProgramAddr Entry,
                                                 unsigned Length) {
  std::optional<FoundCallFrameEntry> Found = findCallFrameEntry(Entry);
  if (!Found)
    return std::nullopt;
  if (Found->Function != Entry)
    return unclearTable("the entry is in the middle of a range");
  Expected<EntryRows> Rows = parseEntryRows(Found->FDE, Length);
  if (!Rows)
    return Rows.takeError();
  return std::optional(std::move(*Rows));
}

//===-- Writing -----------------------------------------------------------===//

namespace {

/// A CIE and an FDE in the making.
class Description {
public:
  Description(ProgramAddr At, uint64_t Size, int64_t DataAlignment,
              ArrayRef<uint8_t> Initial);
  void advanceTo(unsigned Offset);
  void add(ArrayRef<uint8_t> Instructions) {
    Out.insert(Out.end(), Instructions.begin(), Instructions.end());
  }
  void setCfaOffset(int64_t Offset) {
    Out.push_back(dwarf::DW_CFA_def_cfa_offset);
    putUleb(static_cast<uint64_t>(Offset));
  }
  std::vector<uint8_t> finish() {
    endLength(Entry);
    return std::move(Out);
  }

private:
  size_t beginLength() {
    Out.resize(Out.size() + 4);
    return Out.size() - 4;
  }
  void endLength(size_t Field) {
    Out.resize(llvm::alignTo(Out.size(), 8), dwarf::DW_CFA_nop);
    endian::write32le(&Out[Field], uint32_t(Out.size() - Field - 4));
  }
  void put(uint64_t Value, unsigned Size) {
    uint8_t Copy[8];
    endian::write64le(Copy, Value);
    Out.insert(Out.end(), Copy, Copy + Size);
  }
  void putUleb(uint64_t Value) {
    uint8_t Copy[16];
    Out.insert(Out.end(), Copy, Copy + llvm::encodeULEB128(Value, Copy));
  }

  std::vector<uint8_t> Out;
  size_t Entry = 0; ///< where the FDE's length stands
  unsigned Location = 0;
};

} // namespace

Description::Description(ProgramAddr At, uint64_t Size, int64_t DataAlignment,
                         ArrayRef<uint8_t> Initial) {
  size_t Common = beginLength();
  put(0, 4);
  add({1, 'z', 'R', 0, /*code alignment*/ 1});
  uint8_t Copy[16];
  Out.insert(Out.end(), Copy, Copy + llvm::encodeSLEB128(DataAlignment, Copy));
  add({DwarfReturnAddress, /*augmentation*/ 1, dwarf::DW_EH_PE_absptr});
  add(Initial);
  endLength(Common);
  Entry = beginLength();
  put(Out.size() - Common, 4);
  put(At.value(), 8);
  put(Size, 8);
  add({/*augmentation*/ 0});
}

void Description::advanceTo(unsigned Offset) {
  HOTJIT_ASSERT(Offset >= Location, "unwind rows out of order");
  if (Offset == Location)
    return;
  Out.push_back(dwarf::DW_CFA_advance_loc4);
  put(Offset - Location, 4);
  Location = Offset;
}

Expected<std::vector<uint8_t>>
describeTrampoline(const EntryRows &Rows, const Trampoline &T, ProgramAddr At) {
  Description D(At, T.Code.size(), Rows.DataAlignment, Rows.Initial);
  for (const EntryRows::Row &R : Rows.Rows) {
    const auto *Move = llvm::find_if(
        T.Moves, [&](const Trampoline::Move &M) { return M.From == R.Offset; });
    if (Move == T.Moves.end()) {
      // A row behind a call or a jump is for code that was not moved.
      if (R.Offset > T.Moves.back().From)
        break;
      return unclearTable("a row begins within an instruction");
    }
    D.advanceTo(Move->To);
    D.add(R.Instructions);
  }
  if (!T.PushedAt)
    return D.finish();
  // The moved call is the last instruction: the last row holds there, but for
  // the return address on the stack.
  const EntryRows::Row *Last = nullptr;
  for (const EntryRows::Row &R : Rows.Rows)
    if (R.Offset <= T.Moves.back().From)
      Last = &R;
  if (!Last || !Last->Known)
    return unclearTable("where the frame is at a call");
  if (Last->FromRsp) {
    D.advanceTo(*T.PushedAt);
    D.setCfaOffset(*Last->FromRsp + 8);
  }
  return D.finish();
}

std::vector<uint8_t> describeStub(ProgramAddr At, unsigned Size,
                                  unsigned PushedAt) {
  // def_cfa rsp, 8; return address at CFA-8.
  static constexpr uint8_t AtEntry[] = {
      dwarf::DW_CFA_def_cfa, DwarfRsp, 8,
      dwarf::DW_CFA_offset | DwarfReturnAddress, 1};
  Description D(At, Size, -8, AtEntry);
  if (PushedAt) {
    D.advanceTo(PushedAt);
    D.setCfaOffset(16);
  }
  return D.finish();
}

} // namespace hotjit
