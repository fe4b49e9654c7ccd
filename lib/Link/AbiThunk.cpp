// GCC looks into the functions that it compiles together. When it knows which
// registers a function really uses, its callers in the same unit keep values
// in the other caller-saved ones over the call (-fipa-ra), and when it knows
// that a function needs no aligned stack, they call it with a misaligned one
// (-fipa-stack-alignment). Both are agreements about one body, written down
// nowhere, and a new body does not keep them.
//
// An ABI thunk stands between such a caller and the new body. It saves every
// caller-saved register that does not carry the result, aligns the stack,
// copies the stack arguments, calls and restores. What must stay true:
//
// - A register that carries (part of) the result is not restored, any other
//   is: so the result's registers are derived exactly, or there is no thunk.
// - x87 and MMX registers need no saving: GCC takes them for clobbered by
//   every call.
// - The bytes of stack arguments copied may be more than there are, never less.
//
// The thunk is assembly in the unit's own module, so it is linked, unwound
// through and removed together with the body.

#include "Link/AbiThunk.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/Host.h"
#include <vector>

using namespace hotjit;
using namespace llvm;

Expected<VectorRegisters>
hotjit::vectorRegistersOf(const Module &M, ArrayRef<std::string> UnitFeatures) {
  bool AVX = false, AVX512 = false, APX = false;
  auto Note = [&](StringRef Feature) {
    // Each feature that is built on AVX is listed together with what it
    // implies, by Clang and in a function's attribute alike.
    AVX |= Feature == "+avx";
    AVX512 |= Feature == "+avx512f";
    APX |= Feature == "+egpr";
  };
  for (StringRef Feature : UnitFeatures) {
    AVX |= Feature.starts_with("+avx2");
    Note(Feature);
  }
  for (const Function &F : M) {
    if (F.isDeclaration())
      continue;
    for (StringRef Feature :
         split(F.getFnAttribute("target-features").getValueAsString(), ','))
      Note(Feature);
  }
  // A unit may hold code for machines better than this one; that never runs,
  // and the thunk must run.
  StringMap<bool> Here = sys::getHostCPUFeatures();
  if (APX && Here.lookup("egpr"))
    return makeError("no ABI thunk for code that uses APX registers");
  if (AVX512 && Here.lookup("avx512f"))
    return VectorRegisters::ZMM;
  if ((AVX || AVX512) && Here.lookup("avx"))
    return VectorRegisters::YMM;
  return VectorRegisters::XMM;
}

static unsigned vectorBytes(VectorRegisters Vectors) {
  switch (Vectors) {
  case VectorRegisters::XMM:
    return 16;
  case VectorRegisters::YMM:
    return 32;
  case VectorRegisters::ZMM:
    return 64;
  }
  return 64;
}

namespace {
/// How many registers of each kind carry a result: RAX, RDX and XMM0, XMM1.
struct ReturnRegisters {
  unsigned General = 0;
  unsigned Vector = 0;
};
} // namespace

static bool isVectorClass(const Type &T) {
  return T.isHalfTy() || T.isBFloatTy() || T.isFloatTy() || T.isDoubleTy() ||
         T.isFP128Ty();
}

/// Counts the registers that a value of type T is returned in. False if that
/// is not known for sure.
static bool countReturnRegisters(const Type &T, VectorRegisters Vectors,
                                 ReturnRegisters &Count) {
  if (T.isVoidTy() || T.isX86_FP80Ty()) // st0 is not ours to save
    return true;
  if (const auto *Struct = dyn_cast<StructType>(&T))
    return all_of(Struct->elements(), [&](const Type *Element) {
      return countReturnRegisters(*Element, Vectors, Count);
    });
  if (const auto *Array = dyn_cast<ArrayType>(&T)) {
    // More than two registers' worth is returned in memory, never like this.
    for (uint64_t I = 0; I != std::min<uint64_t>(Array->getNumElements(), 5);
         ++I)
      if (!countReturnRegisters(*Array->getElementType(), Vectors, Count))
        return false;
    return true;
  }
  if (T.isPointerTy())
    ++Count.General;
  else if (T.isIntegerTy())
    Count.General += divideCeil(T.getIntegerBitWidth(), 64);
  else if (isVectorClass(T))
    ++Count.Vector;
  else if (T.isVectorTy() && !isa<ScalableVectorType>(T) &&
           T.getPrimitiveSizeInBits().getFixedValue() <=
               8 * vectorBytes(Vectors))
    ++Count.Vector;
  else
    return false;
  return true;
}

static Expected<ReturnRegisters> returnRegisters(const Function &Body,
                                                 VectorRegisters Vectors) {
  ReturnRegisters Count;
  if (any_of(Body.args(),
             [](const Argument &A) { return A.hasStructRetAttr(); })) {
    Count.General = 1; // RAX: the address of the result
    return Count;
  }
  if (!countReturnRegisters(*Body.getReturnType(), Vectors, Count) ||
      Count.General > 2 || Count.Vector > 2)
    return makeError("how it returns its result is not known");
  return Count;
}

namespace {
/// Assigns arguments to registers and stack as the System V ABI does.
class ArgumentPlaces {
public:
  ArgumentPlaces(const DataLayout &DL, VectorRegisters Vectors)
      : DL(DL), Vectors(Vectors) {}

  /// False if the place of A is not known for sure.
  bool add(const Argument &A);
  uint64_t stackBytes() const { return alignTo(Stack, 16); }

private:
  void addStack(uint64_t Size, uint64_t Alignment) {
    Stack = alignTo(Stack, std::max<uint64_t>(Alignment, 8)) + alignTo(Size, 8);
  }

  const DataLayout &DL;
  VectorRegisters Vectors;
  unsigned General = 6; ///< RDI, RSI, RDX, RCX, R8, R9
  unsigned Vector = 8;  ///< XMM0 to XMM7
  uint64_t Stack = 0;
};
} // namespace

bool ArgumentPlaces::add(const Argument &A) {
  Type *T = A.getType();
  if (A.hasInAllocaAttr() || A.hasPreallocatedAttr() || A.hasInRegAttr() ||
      A.hasSwiftSelfAttr() || A.hasSwiftErrorAttr())
    return false;
  if (A.hasNestAttr()) // R10: goes through untouched
    return true;
  if (A.hasByValAttr()) {
    Type *Value = A.getParamByValType();
    addStack(DL.getTypeAllocSize(Value).getFixedValue(),
             A.getParamAlign().value_or(Align(8)).value());
    return true;
  }
  if (T->isPointerTy() || T->isIntegerTy()) {
    unsigned Words =
        T->isPointerTy() ? 1 : divideCeil(T->getIntegerBitWidth(), 64);
    if (Words > 2)
      return false;
    if (General >= Words) {
      General -= Words;
      return true;
    }
    // Whether a register that is left over still serves a later argument
    // differs between compilers; taking it for lost only copies more.
    General = 0;
    addStack(8 * Words, 8 * Words);
    return true;
  }
  if (T->isX86_FP80Ty()) {
    addStack(16, 16);
    return true;
  }
  if (!isVectorClass(*T) && !isa<FixedVectorType>(T))
    return false;
  uint64_t Bytes = divideCeil(T->getPrimitiveSizeInBits().getFixedValue(), 8);
  if (Bytes > vectorBytes(Vectors))
    return false;
  if (Vector > 0) {
    --Vector;
    return true;
  }
  addStack(Bytes, PowerOf2Ceil(Bytes));
  return Bytes <= 16; // wider ones would need a wider alignment
}

static Expected<uint64_t> stackArgumentBytes(const Function &Body,
                                             VectorRegisters Vectors) {
  if (Body.isVarArg())
    return makeError("it is variadic");
  if (Body.getCallingConv() != CallingConv::C)
    return makeError("it has a calling convention of its own");
  ArgumentPlaces Places(Body.getParent()->getDataLayout(), Vectors);
  for (const Argument &A : Body.args())
    if (!Places.add(A))
      return makeError("where its argument {} travels is not known",
                       A.getArgNo() + 1);
  return Places.stackBytes();
}

namespace {
/// A vector or mask register and the instruction that moves all of it.
struct WideRegister {
  const char *Move;
  std::string Name;
  unsigned Offset; ///< in the save area
};
} // namespace

static std::vector<WideRegister> wideRegistersToSave(VectorRegisters Vectors,
                                                     unsigned Returned) {
  static constexpr const char *Moves[] = {"movaps", "vmovups", "vmovups"};
  static constexpr const char *Prefixes[] = {"xmm", "ymm", "zmm"};
  unsigned Which = static_cast<unsigned>(Vectors);
  bool Wide = Vectors == VectorRegisters::ZMM;
  std::vector<WideRegister> Result;
  unsigned Offset = 0;
  for (unsigned I = Returned; I != (Wide ? 32u : 16u); ++I) {
    Result.push_back(
        {Moves[Which], fmt::format("%{}{}", Prefixes[Which], I), Offset});
    Offset += vectorBytes(Vectors);
  }
  bool WideMasks = Wide && sys::getHostCPUFeatures().lookup("avx512bw");
  for (unsigned I = 0; I != (Wide ? 8u : 0u); ++I) {
    Result.push_back(
        {WideMasks ? "kmovq" : "kmovw", fmt::format("%k{}", I), Offset});
    Offset += 8;
  }
  return Result;
}

static std::string thunkText(StringRef Body, StringRef Thunk,
                             ArrayRef<const char *> General,
                             ArrayRef<WideRegister> Wide,
                             uint64_t StackArguments) {
  uint64_t Area = StackArguments + (Wide.empty() ? 0 : Wide.back().Offset + 64);
  std::string Text = fmt::format(
      "\t.pushsection \".text.{0}\",\"ax\",@progbits\n"
      "\t.globl \"{0}\"\n\t.type \"{0}\",@function\n\t.p2align 4\n"
      "\"{0}\":\n\t.cfi_startproc\n\tendbr64\n"
      "\tpushq %rbp\n\t.cfi_def_cfa_offset 16\n\t.cfi_offset %rbp, -16\n"
      "\tmovq %rsp, %rbp\n\t.cfi_def_cfa_register %rbp\n",
      Thunk);
  for (const char *Register : General)
    Text += fmt::format("\tpushq %{}\n", Register);
  // 64: what a ZMM register wants; the others want less.
  Text += fmt::format("\tsubq ${}, %rsp\n\tandq $-64, %rsp\n", Area);
  for (const WideRegister &R : Wide)
    Text += fmt::format("\t{} {}, {}(%rsp)\n", R.Move, R.Name,
                        StackArguments + R.Offset);
  // RAX and R11 carry no argument. Above the saved RBP and the return address,
  // at 16(%rbp), are the arguments.
  if (StackArguments)
    Text += fmt::format("\tmovl ${}, %eax\n"
                        "1:\tmovq 8(%rbp,%rax,8), %r11\n"
                        "\tmovq %r11, -8(%rsp,%rax,8)\n"
                        "\tdecl %eax\n\tjnz 1b\n",
                        StackArguments / 8);
  Text += fmt::format("\tcallq \"{}\"\n", Body);
  for (const WideRegister &R : Wide)
    Text += fmt::format("\t{} {}(%rsp), {}\n", R.Move,
                        StackArguments + R.Offset, R.Name);
  Text += fmt::format("\tleaq -{}(%rbp), %rsp\n", 8 * General.size());
  for (const char *Register : reverse(General))
    Text += fmt::format("\tpopq %{}\n", Register);
  Text += fmt::format("\tpopq %rbp\n\t.cfi_def_cfa %rsp, 8\n\tretq\n"
                      "\t.cfi_endproc\n\t.size \"{0}\", .-\"{0}\"\n"
                      "\t.popsection\n",
                      Thunk);
  return Text;
}

Expected<std::string> hotjit::makeAbiThunk(const Function &Body,
                                           StringRef BodySymbol,
                                           StringRef ThunkSymbol,
                                           VectorRegisters Vectors) {
  Expected<ReturnRegisters> Returned = returnRegisters(Body, Vectors);
  if (!Returned)
    return Returned.takeError();
  Expected<uint64_t> StackArguments = stackArgumentBytes(Body, Vectors);
  if (!StackArguments)
    return StackArguments.takeError();
  if (BodySymbol.find_first_of("\"\\\n") != StringRef::npos)
    return makeError("its name cannot be written in assembly");

  static constexpr const char *CallerSaved[] = {
      "rax", "rdx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11"};
  ArrayRef<const char *> General =
      ArrayRef(CallerSaved).drop_front(Returned->General);
  return thunkText(BodySymbol, ThunkSymbol, General,
                   wideRegistersToSave(Vectors, Returned->Vector),
                   *StackArguments);
}
