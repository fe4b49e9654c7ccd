// Unwinding a stack that is not ours. A frame's table says, for each of its
// instructions, where the caller's frame begins (the CFA) and where the
// registers that the caller still needs were saved; that makes the caller's
// registers, and so on, up to a frame that says that it has no caller.
// LLVM reads the tables, here they are carried out.
//
// One thing is missing at the start. The kernel tells of a sleeping thread its
// stack and its instruction pointer, no other register (proc(5)). Most tables
// need nothing else, for they count from the stack pointer; and a function in
// between that saved a register gives it to its callers. But code that keeps a
// frame pointer, all of -O0, counts from rbp, which it may have in the register
// while libc's `read` sleeps. Then rbp is found from below:
//
//     rbp + 8   return address               the call before it is checked
//     rbp       the caller's rbp
//               registers that were pushed   known from the prologue
//               locals                       `sub rsp, N` in the prologue
//     rsp       where the callee's frame ends
//
// The prologue gives the distance. If the function has moved rsp since (a
// variable-length array), the lowest place will do whose return address stands
// behind a direct call of this very function. If there is none, the walk ends,
// and says so: what it cannot know it does not guess.

#include "Patch/arch/x86_64/FrameWalk.h"

#include "Patch/arch/x86_64/CallFrameEntry.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/DebugInfo/DWARF/LowLevel/DWARFCFIProgram.h"
#include "llvm/DebugInfo/DWARF/LowLevel/DWARFUnwindTable.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::Expected;

namespace dwarf = llvm::dwarf;
namespace endian = llvm::support::endian;

using Word = std::optional<uint64_t>;

// Of 16 bytes each, a stack of 64 MiB has that many; a damaged one that goes in
// circles would have more.
static constexpr unsigned FrameLimit = 4u << 20;

bool endsWithCall(ArrayRef<uint8_t> Bytes) {
  auto Back = [&](size_t Distance) -> unsigned {
    return Distance <= Bytes.size() ? Bytes[Bytes.size() - Distance] : 0u;
  };
  if (Back(5) == 0xe8)
    return true;
  // ff /2: ModRM's middle bits are 010. Its upper two bits and lower three say
  // how many bytes follow.
  auto Indirect = [&](size_t Length, unsigned Mode, bool Sib) {
    unsigned ModRM = Back(Length - 1);
    return Back(Length) == 0xff && (ModRM & 0x38) == 0x10 &&
           ModRM >> 6 == Mode && (Mode == 3 || ((ModRM & 7) == 4) == Sib);
  };
  bool RipOrAbsolute = Back(6) == 0xff && Back(5) == 0x15;
  return Indirect(2, 3, false) || Indirect(2, 0, false) ||
         Indirect(3, 0, true) || Indirect(3, 1, false) ||
         Indirect(4, 1, true) || Indirect(6, 2, false) ||
         Indirect(7, 2, true) || RipOrAbsolute || Indirect(7, 0, true);
}

namespace {

/// One walk.
class Walker {
public:
  Walker(const FrameRegisters &Innermost, const FrameMemory &Memory)
      : Now(Innermost), Memory(Memory) {}

  enum class Step { Caller, Outermost, Lost };
  Step step();

  ProgramAddr pc() { return ProgramAddr(Now[FrameRegisters::Rip].value_or(0)); }
  ProgramAddr sp() { return ProgramAddr(Now[FrameRegisters::Rsp].value_or(0)); }
  bool called() const { return Called; }

private:
  Word readWord(uint64_t A) const;
  struct FoundRow {
    dwarf::UnwindRow Row;
    bool SignalFrame = false;
  };
  Expected<FoundRow> findRow(ProgramAddr Code);
  Word cfaOf(const dwarf::UnwindRow &Row);
  Word valueOf(const dwarf::UnwindLocation &L, Word Unchanged, uint64_t Cfa);
  Word evaluate(const llvm::DWARFExpression &E, Word Initial);
  Word findFramePointer();
  llvm::SmallVector<uint64_t, 2> framePointersByPrologue();
  bool isFramePointer(uint64_t Rbp, bool ByTarget);

  FrameRegisters Now;
  const FrameMemory &Memory;
  bool Called = false;
  ProgramAddr Function; ///< where the code of the frame begins
};

} // namespace

Word Walker::readWord(uint64_t A) const {
  uint8_t Bytes[8];
  if (!Memory.Stack(ProgramAddr(A), Bytes))
    return std::nullopt;
  return endian::read64le(Bytes);
}

//===-- Tables ------------------------------------------------------------===//

static llvm::Error run(const CallFrameEntry &Entry, ArrayRef<uint8_t> Program,
                       dwarf::UnwindRow &Row,
                       const dwarf::RegisterLocations *Initial,
                       dwarf::UnwindTable::RowContainer &Rows) {
  dwarf::CFIProgram P(Entry.CodeAlignment, Entry.DataAlignment,
                      llvm::Triple::x86_64);
  llvm::DWARFDataExtractorSimple Data(Program, /*IsLittleEndian=*/true,
                                      /*AddressSize=*/8);
  uint64_t Offset = 0;
  if (llvm::Error E = P.parse(Data, &Offset, Program.size()))
    return E;
  Expected<dwarf::UnwindTable::RowContainer> Made =
      dwarf::parseRows(P, Row, Initial);
  if (!Made)
    return Made.takeError();
  Rows = std::move(*Made);
  return llvm::Error::success();
}

/// What holds at Code. Sets Function.
Expected<Walker::FoundRow> Walker::findRow(ProgramAddr Code) {
  std::optional<FoundCallFrameEntry> Found = findCallFrameEntry(Code);
  if (!Found)
    return llvm::createStringError("no table");
  Function = Found->Function;
  Expected<CallFrameEntry> Entry = parseCallFrameEntry(Found->FDE);
  if (!Entry)
    return Entry.takeError();
  dwarf::UnwindTable::RowContainer Rows;
  dwarf::UnwindRow Row;
  if (llvm::Error E = run(*Entry, Entry->Initial, Row, nullptr, Rows))
    return std::move(E);
  const dwarf::RegisterLocations Initial = Row.getRegisterLocations();
  Row.setAddress(Function.value());
  if (llvm::Error E = run(*Entry, Entry->Program, Row, &Initial, Rows))
    return std::move(E);
  // The rows that are complete, then the one that holds to the end.
  Rows.push_back(std::move(Row));
  dwarf::UnwindRow *Holds = nullptr;
  for (dwarf::UnwindRow &R : Rows)
    if (R.getAddress() <= Code.value())
      Holds = &R;
  if (!Holds)
    return llvm::createStringError("no row");
  return FoundRow{std::move(*Holds), Entry->SignalFrame};
}

/// The operations that occur in call frame tables: procedure linkage tables,
/// realigned frames and the kernel's signal frames.
Word Walker::evaluate(const llvm::DWARFExpression &E, Word Initial) {
  llvm::SmallVector<uint64_t, 8> Stack;
  if (Initial)
    Stack.push_back(*Initial);
  auto Pop = [&] { return Stack.empty() ? 0 : Stack.pop_back_val(); };
  for (const auto &Op : E) {
    if (Op.isError())
      return std::nullopt;
    unsigned Code = Op.getCode();
    auto Operand = [&](unsigned I) { return Op.getRawOperand(I); };
    if (Code >= dwarf::DW_OP_lit0 && Code <= dwarf::DW_OP_lit31) {
      Stack.push_back(Code - dwarf::DW_OP_lit0);
      continue;
    }
    if (Code >= dwarf::DW_OP_breg0 && Code <= dwarf::DW_OP_breg16) {
      Word Base = Now[Code - dwarf::DW_OP_breg0];
      if (!Base)
        return std::nullopt;
      Stack.push_back(*Base + Operand(0));
      continue;
    }
    if (Stack.empty() && Code != dwarf::DW_OP_const1u &&
        Code != dwarf::DW_OP_const1s && Code != dwarf::DW_OP_constu &&
        Code != dwarf::DW_OP_consts)
      return std::nullopt;
    switch (Code) {
    case dwarf::DW_OP_const1u:
    case dwarf::DW_OP_const1s:
    case dwarf::DW_OP_constu:
    case dwarf::DW_OP_consts:
      Stack.push_back(Operand(0));
      break;
    case dwarf::DW_OP_deref: {
      Word Value = readWord(Pop());
      if (!Value)
        return std::nullopt;
      Stack.push_back(*Value);
      break;
    }
    case dwarf::DW_OP_plus_uconst:
      Stack.push_back(Pop() + Operand(0));
      break;
    case dwarf::DW_OP_plus:
      Stack.push_back(Pop() + Pop());
      break;
    case dwarf::DW_OP_and:
      Stack.push_back(Pop() & Pop());
      break;
    case dwarf::DW_OP_minus: {
      uint64_t Right = Pop();
      Stack.push_back(Pop() - Right);
      break;
    }
    case dwarf::DW_OP_shl: {
      uint64_t Count = Pop();
      Stack.push_back(Count < 64 ? Pop() << Count : 0);
      break;
    }
    case dwarf::DW_OP_ge: {
      auto Right = static_cast<int64_t>(Pop());
      Stack.push_back(static_cast<int64_t>(Pop()) >= Right);
      break;
    }
    default:
      return std::nullopt;
    }
  }
  return Stack.empty() ? std::nullopt : Word(Stack.back());
}

Word Walker::cfaOf(const dwarf::UnwindRow &Row) {
  const dwarf::UnwindLocation &L = Row.getCFAValue();
  using Location = dwarf::UnwindLocation;
  if (L.getLocation() == Location::DWARFExpr)
    return evaluate(*L.getDWARFExpressionBytes(), std::nullopt);
  if (L.getLocation() != Location::RegPlusOffset ||
      L.getRegister() >= FrameRegisters::Count)
    return std::nullopt;
  Word &Base = Now[L.getRegister()];
  if (!Base && L.getRegister() == FrameRegisters::Rbp && L.getOffset() == 16)
    Base = findFramePointer();
  if (!Base)
    return std::nullopt;
  return *Base + static_cast<int64_t>(L.getOffset());
}

Word Walker::valueOf(const dwarf::UnwindLocation &L, Word Unchanged,
                     uint64_t Cfa) {
  using Location = dwarf::UnwindLocation;
  Word Place;
  switch (L.getLocation()) {
  case Location::Unspecified:
  case Location::Same:
    return Unchanged;
  case Location::Undefined:
    return std::nullopt;
  case Location::Constant:
    return static_cast<int64_t>(L.getConstant());
  case Location::CFAPlusOffset:
    Place = Cfa + static_cast<int64_t>(L.getOffset());
    break;
  case Location::RegPlusOffset:
    if (L.getRegister() < FrameRegisters::Count && Now[L.getRegister()])
      Place = *Now[L.getRegister()] + static_cast<int64_t>(L.getOffset());
    break;
  case Location::DWARFExpr:
    Place = evaluate(*L.getDWARFExpressionBytes(), Cfa);
    break;
  }
  if (!Place || !L.getDereference())
    return Place;
  return readWord(*Place);
}

Walker::Step Walker::step() {
  using R = FrameRegisters;
  // A call that is the last instruction of its function returns behind it.
  Expected<FoundRow> Found = findRow(Called ? pc() + int64_t(-1) : pc());
  if (!Found) {
    llvm::consumeError(Found.takeError());
    return Step::Lost;
  }
  const dwarf::RegisterLocations &Rules = Found->Row.getRegisterLocations();
  std::optional<dwarf::UnwindLocation> Return =
      Rules.getRegisterLocation(R::Rip);
  if (Return && Return->getLocation() == dwarf::UnwindLocation::Undefined)
    return Step::Outermost;
  Word Cfa = cfaOf(Found->Row);
  if (!Cfa || !Return)
    return Step::Lost;
  FrameRegisters Caller;
  for (unsigned Number = 0; Number != R::Count; ++Number) {
    // What a call does not keep only the kernel saves.
    bool Kept = Number == R::Rbx || Number == R::Rbp || Number >= R::R12;
    Word Unchanged = Kept ? Now[Number] : std::nullopt;
    std::optional<dwarf::UnwindLocation> Rule =
        Rules.getRegisterLocation(Number);
    Caller[Number] = Rule ? valueOf(*Rule, Unchanged, *Cfa) : Unchanged;
  }
  if (!Rules.getRegisterLocation(R::Rsp))
    Caller[R::Rsp] = *Cfa;
  if (!Caller[R::Rip] || !Caller[R::Rsp])
    return Step::Lost;
  if (!Found->SignalFrame && *Caller[R::Rsp] <= *Now[R::Rsp])
    return Step::Lost;
  Now = Caller;
  Called = !Found->SignalFrame;
  return *Now[R::Rip] == 0 ? Step::Outermost : Step::Caller;
}

//===-- The frame pointer that is not known -------------------------------===//

/// Is there a return address at Rbp + 8? ByTarget: of a direct call of this
/// function.
bool Walker::isFramePointer(uint64_t Rbp, bool ByTarget) {
  Word Return = readWord(Rbp + 8);
  uint8_t Before[LongestCall];
  if (!Return || *Return <= LongestCall ||
      !Memory.Code(ProgramAddr(*Return - LongestCall), Before))
    return false;
  if (!ByTarget)
    return endsWithCall(Before);
  auto Distance = static_cast<int32_t>(endian::read32le(Before + 3));
  return Before[2] == 0xe8 && *Return + Distance == Function.value();
}

/// Where rbp points to if rsp stands where the prologue has left it. Several
/// answers if that aligns rsp.
llvm::SmallVector<uint64_t, 2> Walker::framePointersByPrologue() {
  constexpr unsigned Longest = 64;
  uint8_t Bytes[Longest] = {};
  // The function may end before; what follows it is most likely mapped.
  if (!Memory.Code(Function, Bytes))
    return {};
  FrameBytes In(Bytes, Bytes + Longest);
  auto Take = [&](std::initializer_list<uint8_t> Expected) {
    ArrayRef<uint8_t> Rest(In.position(), Bytes + Longest);
    if (Rest.take_front(Expected.size()) !=
        ArrayRef<uint8_t>(Expected.begin(), Expected.end()))
      return false;
    In.skip(Expected.size());
    return true;
  };
  Take({0xf3, 0x0f, 0x1e, 0xfa}); // endbr64
  while (Take({0x90}) || Take({0x66, 0x90}))
    ; // what a patchable entry begins with
  // push rbp; mov rbp, rsp
  if (!Take({0x55}) || !(Take({0x48, 0x89, 0xe5}) || Take({0x48, 0x8b, 0xec})))
    return {};
  uint64_t Below = 0, Alignment = 1;
  for (;;) {
    uint8_t Next = *In.position();
    if (Next == 0x53 || Next == 0x50) { // push rbx; push rax, for its room
      In.skip(1);
      Below += 8;
    } else if (Next == 0x41 && In.position()[1] >= 0x54 &&
               In.position()[1] <= 0x57) { // push r12 to r15
      In.skip(2);
      Below += 8;
    } else {
      break;
    }
  }
  if (Take({0x48, 0x83, 0xe4})) // and rsp, -N
    Alignment = -static_cast<uint64_t>(static_cast<int8_t>(In.byte()));
  if (Take({0x48, 0x83, 0xec})) // sub rsp, N
    Below += In.byte();
  else if (Take({0x48, 0x81, 0xec}))
    Below += In.fixed(4);
  if (!llvm::isPowerOf2_64(Alignment) || Alignment > 4096)
    return {};
  llvm::SmallVector<uint64_t, 2> Found;
  for (uint64_t Gap = 0; Gap < Alignment; Gap += 16)
    Found.push_back(*Now[FrameRegisters::Rsp] + Below + Gap);
  return Found;
}

Word Walker::findFramePointer() {
  Word Rsp = Now[FrameRegisters::Rsp];
  if (!Rsp)
    return std::nullopt;
  for (uint64_t Rbp : framePointersByPrologue())
    if (Rbp % 16 == 0 && isFramePointer(Rbp, /*ByTarget=*/false))
      return Rbp;
  // As far as an array on a stack of usual size goes.
  constexpr uint64_t Farthest = 1u << 20;
  uint64_t First = llvm::alignTo(*Rsp, 16);
  for (uint64_t Rbp = First; Rbp - First < Farthest; Rbp += 16) {
    if (isFramePointer(Rbp, /*ByTarget=*/true))
      return Rbp;
    if (!readWord(Rbp + 8))
      return std::nullopt;
  }
  return std::nullopt;
}

FrameWalk walkFrames(FrameRegisters Innermost, const FrameMemory &Memory,
                     llvm::function_ref<void(const WalkedFrame &)> Visit) {
  Walker W(Innermost, Memory);
  for (unsigned Depth = 0; Depth != FrameLimit; ++Depth) {
    Visit({Depth, W.pc(), W.called()});
    switch (W.step()) {
    case Walker::Step::Caller:
      continue;
    case Walker::Step::Outermost:
      return {/*Complete=*/true, {}};
    case Walker::Step::Lost:
      return {/*Complete=*/false, W.sp()};
    }
  }
  return {/*Complete=*/false, W.sp()};
}

} // namespace hotjit
