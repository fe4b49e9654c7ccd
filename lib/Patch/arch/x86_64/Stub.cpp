// What stands between an identity and the body that it leads to now.
//
//   endbr64                      f3 0f 1e fa       where a pointer leads here
//   mov r11, [rip + root]        4c 8b 1d disp32   address of `current`
//   mov r11, [r11]               4d 8b 1b          the table
//   notrack jmp [r11 + 8*index]  3e 41 ff a3 disp32
//
// r11 is the one register that the ABI gives to code between caller and callee
// (psABI 3.2.1; PLT entries use it too). A GCC-optimized caller in the same
// unit may nevertheless keep a value in it (-fipa-ra); for such a callee:
//
//   push r11                     41 53
//   mov r11, [rip + root]
//   mov r11, [r11]
//   mov r11, [r11 + 8*index]     4d 8b 9b disp32
//   xchg [rsp], r11              4c 87 1c 24       r11 is back, the target on
//   ret                          c3                the stack
//
// The red zone is no matter: the callee's is free at its entry, and the
// caller's ends where it calls. Arguments on the stack keep their place. A
// shadow stack (CET) would fault on that `ret`; EntryTable asks for it.
//
// All loads are of aligned words that are written by one store, so a stub needs
// no fence: x86 keeps loads in order, and each call sees one table.

#include "Patch/arch/x86_64/Stub.h"

#include "Support/Error.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

namespace hotjit {

using Bytes = llvm::SmallVector<uint8_t, 32>;

static void put(Bytes &Out, std::initializer_list<uint8_t> Opcode) {
  Out.append(Opcode.begin(), Opcode.end());
}

static void put32(Bytes &Out, int64_t Value) {
  HOTJIT_ASSERT(llvm::isInt<32>(Value), "stub out of reach");
  uint8_t Field[4];
  llvm::support::endian::write32le(Field, static_cast<uint32_t>(Value));
  Out.append(Field, Field + 4);
}

Bytes encodeStub(StubForm Form, ProgramAddr At, ProgramAddr Root,
                 unsigned Index) {
  Bytes Out;
  if (Form.Endbr)
    put(Out, {0xf3, 0x0f, 0x1e, 0xfa});
  if (Form.PreserveR11)
    put(Out, {0x41, 0x53});
  put(Out, {0x4c, 0x8b, 0x1d});
  put32(Out, Root - (At + Out.size() + 4));
  put(Out, {0x4d, 0x8b, 0x1b});
  if (Form.PreserveR11)
    put(Out, {0x4d, 0x8b, 0x9b});
  else
    put(Out, {0x3e, 0x41, 0xff, 0xa3});
  put32(Out, int64_t(Index) * 8);
  if (Form.PreserveR11)
    put(Out, {0x4c, 0x87, 0x1c, 0x24, 0xc3});
  return Out;
}

unsigned stubSize(StubForm Form) {
  return (Form.Endbr ? 4 : 0) + (Form.PreserveR11 ? 24 : 18);
}

unsigned stubPushedAt(StubForm Form) {
  return Form.PreserveR11 ? (Form.Endbr ? 6 : 2) : 0;
}

std::optional<std::array<uint8_t, 5>> encodeJump(ProgramAddr At,
                                                 ProgramAddr Target) {
  int64_t Distance = Target - (At + 5);
  if (!llvm::isInt<32>(Distance))
    return std::nullopt;
  std::array<uint8_t, 5> Jump = {0xe9};
  llvm::support::endian::write32le(&Jump[1], static_cast<uint32_t>(Distance));
  return Jump;
}

} // namespace hotjit
