// x86-64 instructions are of 1 to 15 bytes, and what an instruction refers to
// may depend on where it stands: direct branches and RIP-relative operands
// count from its end. Whoever moves an instruction must know its length and the
// position of each such field.
//
// LLVM's MC layer knows the lengths and the operands of every instruction, but
// not where in the bytes an operand was. So a displacement's position is found
// and proven at once: it is one of the four places where the encoding allows it
// (before no immediate, or one of 1, 2 or 4 bytes), the bytes there have the
// value, and with another value written there they decode to the same
// instruction with that displacement. What does not pass is not moved.

#include "Patch/arch/x86_64/Decoder.h"

#include "Support/Error.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/MC/MCAsmInfo.h"
#include "llvm/MC/MCContext.h"
#include "llvm/MC/MCDisassembler/MCDisassembler.h"
#include "llvm/MC/MCInst.h"
#include "llvm/MC/MCInstrAnalysis.h"
#include "llvm/MC/MCInstrInfo.h"
#include "llvm/MC/MCRegisterInfo.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/MCTargetOptions.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Triple.h"

extern "C" void LLVMInitializeX86TargetInfo();
extern "C" void LLVMInitializeX86TargetMC();
extern "C" void LLVMInitializeX86Disassembler();

namespace hotjit {

using llvm::ArrayRef;
using llvm::Expected;
using llvm::MCInst;
using llvm::MCInstrDesc;

struct Decoder::Layer {
  llvm::Triple Machine{"x86_64-unknown-linux-gnu"};
  llvm::MCTargetOptions Options;
  std::unique_ptr<llvm::MCRegisterInfo> Registers;
  std::unique_ptr<llvm::MCAsmInfo> Assembly;
  std::unique_ptr<llvm::MCSubtargetInfo> Subtarget;
  std::unique_ptr<llvm::MCInstrInfo> Instructions;
  std::unique_ptr<llvm::MCInstrAnalysis> Analysis;
  std::unique_ptr<llvm::MCContext> Context;
  std::unique_ptr<llvm::MCDisassembler> Disassembler;

  bool usesRip(const MCInst &I) const;
  bool isPadding(const MCInst &I, ArrayRef<uint8_t> Bytes) const;
  Flow flowOf(const MCInst &I, bool HasTarget) const;
  bool isSameButForOne(const MCInst &A, const MCInst &B) const;
  std::optional<int64_t> displacementOf(const MCInst &I, ProgramAddr At,
                                        uint64_t Size) const;
  std::optional<unsigned> findRipOffset(const MCInst &I,
                                        ArrayRef<uint8_t> Bytes, ProgramAddr At,
                                        int32_t Displacement) const;
};

Decoder::Decoder(std::unique_ptr<Layer> MC) : MC(std::move(MC)) {}
Decoder::~Decoder() = default;

Expected<std::unique_ptr<Decoder>> Decoder::create() {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86Disassembler();
  auto L = std::make_unique<Layer>();
  std::string Message;
  const llvm::Target *T =
      llvm::TargetRegistry::lookupTarget(L->Machine, Message);
  if (!T)
    return makeError("disassembler for x86-64: {}", Message);
  L->Registers.reset(T->createMCRegInfo(L->Machine));
  L->Assembly.reset(T->createMCAsmInfo(*L->Registers, L->Machine, L->Options));
  L->Subtarget.reset(T->createMCSubtargetInfo(L->Machine, "", ""));
  L->Instructions.reset(T->createMCInstrInfo());
  L->Analysis.reset(T->createMCInstrAnalysis(L->Instructions.get()));
  L->Context = std::make_unique<llvm::MCContext>(
      L->Machine, L->Assembly.get(), L->Registers.get(), L->Subtarget.get());
  L->Disassembler.reset(T->createMCDisassembler(*L->Subtarget, *L->Context));
  if (!L->Disassembler || !L->Analysis)
    return makeError("disassembler for x86-64: not in this LLVM");
  return std::unique_ptr<Decoder>(new Decoder(std::move(L)));
}

bool Decoder::Layer::usesRip(const MCInst &I) const {
  for (const llvm::MCOperand &O : I)
    if (O.isReg() && O.getReg() &&
        llvm::StringRef(Registers->getName(O.getReg())).ends_with("IP"))
      return true;
  return false;
}

bool Decoder::Layer::isPadding(const MCInst &I, ArrayRef<uint8_t> Bytes) const {
  llvm::StringRef Name = Instructions->getName(I.getOpcode());
  if (Name.starts_with("NOOP") || Name == "INT3")
    return true;
  // xchg ax,ax and the like: prefixes before 90.
  return Bytes.back() == 0x90 &&
         llvm::all_of(Bytes.drop_back(), [](uint8_t B) { return B == 0x66; });
}

Flow Decoder::Layer::flowOf(const MCInst &I, bool HasTarget) const {
  const MCInstrDesc &D = Instructions->get(I.getOpcode());
  if (D.isReturn())
    return Flow::Return;
  if (D.isCall())
    return HasTarget ? Flow::Call : Flow::IndirectCall;
  if (D.isIndirectBranch())
    return Flow::IndirectJump;
  if (D.isConditionalBranch())
    return HasTarget ? Flow::ConditionalJump : Flow::Unknown;
  if (D.isUnconditionalBranch())
    return HasTarget ? Flow::Jump : Flow::Unknown;
  return HasTarget || D.isBranch() ? Flow::Unknown : Flow::Next;
}

/// The same instruction, one immediate or displacement excepted.
bool Decoder::Layer::isSameButForOne(const MCInst &A, const MCInst &B) const {
  if (A.getOpcode() != B.getOpcode() || A.getFlags() != B.getFlags() ||
      A.getNumOperands() != B.getNumOperands())
    return false;
  unsigned Changed = 0;
  for (unsigned I = 0; I != A.getNumOperands(); ++I) {
    const llvm::MCOperand &X = A.getOperand(I), &Y = B.getOperand(I);
    if (X.isReg() && Y.isReg() && X.getReg() == Y.getReg())
      continue;
    if (!X.isImm() || !Y.isImm())
      return false;
    Changed += X.getImm() != Y.getImm();
  }
  return Changed == 1;
}

/// Of a RIP-relative memory operand, from the instruction's end.
std::optional<int64_t> Decoder::Layer::displacementOf(const MCInst &I,
                                                      ProgramAddr At,
                                                      uint64_t Size) const {
  std::optional<uint64_t> Memory = Analysis->evaluateMemoryOperandAddress(
      I, Subtarget.get(), At.value(), Size);
  if (!Memory)
    return std::nullopt;
  return static_cast<int64_t>(*Memory - (At.value() + Size));
}

std::optional<unsigned>
Decoder::Layer::findRipOffset(const MCInst &I, ArrayRef<uint8_t> Bytes,
                              ProgramAddr At, int32_t Displacement) const {
  std::optional<unsigned> Found;
  for (unsigned Immediate : {0u, 1u, 2u, 4u}) {
    // An opcode and a ModRM byte come first.
    if (Bytes.size() < 2 + 4 + Immediate)
      continue;
    unsigned Offset = Bytes.size() - Immediate - 4;
    if (llvm::support::endian::read32le(&Bytes[Offset]) !=
        static_cast<uint32_t>(Displacement))
      continue;
    llvm::SmallVector<uint8_t, 16> Probe(Bytes);
    int32_t Other = Displacement ^ 0x01010101;
    llvm::support::endian::write32le(&Probe[Offset], Other);
    MCInst J;
    uint64_t Size = 0;
    if (Disassembler->getInstruction(J, Size, Probe, At.value(),
                                     llvm::nulls()) !=
            llvm::MCDisassembler::Success ||
        Size != Bytes.size() || !isSameButForOne(I, J) ||
        displacementOf(J, At, Size) != Other)
      continue;
    if (Found)
      return std::nullopt;
    Found = Offset;
  }
  return Found;
}

std::optional<Instruction> Decoder::decode(ArrayRef<uint8_t> Bytes,
                                           ProgramAddr At) const {
  MCInst I;
  uint64_t Size = 0;
  if (MC->Disassembler->getInstruction(I, Size, Bytes, At.value(),
                                       llvm::nulls()) !=
          llvm::MCDisassembler::Success ||
      Size == 0 || Size > Bytes.size())
    return std::nullopt;
  Bytes = Bytes.take_front(Size);

  Instruction Result;
  Result.Length = Size;
  uint64_t Target = 0;
  if (MC->Analysis->evaluateBranch(I, At.value(), Size, Target))
    Result.BranchTarget = ProgramAddr(Target);
  Result.Goes = MC->flowOf(I, Result.BranchTarget.has_value());
  Result.Padding = MC->isPadding(I, Bytes);
  if (!MC->usesRip(I) || Result.Padding)
    return Result;

  std::optional<int64_t> Displacement = MC->displacementOf(I, At, Size);
  if (!Displacement)
    return std::nullopt;
  std::optional<unsigned> Offset =
      MC->findRipOffset(I, Bytes, At, static_cast<int32_t>(*Displacement));
  if (!Offset)
    return std::nullopt;
  Result.RipTarget = At + (*Displacement + int64_t(Size));
  Result.RipOffset = *Offset;
  return Result;
}

} // namespace hotjit
