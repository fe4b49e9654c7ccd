#ifndef HOTJIT_PATCH_ARCH_X86_64_STUB_H
#define HOTJIT_PATCH_ARCH_X86_64_STUB_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/SmallVector.h"
#include <optional>

namespace hotjit {

/// What a stub must be fit for.
struct StubForm {
  bool Endbr = false; ///< code calls it through a pointer
  bool PreserveR11 = false;
};

/// Code that jumps to slot Index of the table that is current. Root holds the
/// address of the process's pointer to that table.
llvm::SmallVector<uint8_t, 32> encodeStub(StubForm Form, ProgramAddr At,
                                          ProgramAddr Root, unsigned Index);

/// Bytes of a stub of this form.
unsigned stubSize(StubForm Form);

/// Offset in the stub at which one more word is on the stack than at its
/// beginning; 0 if it pushes nothing.
unsigned stubPushedAt(StubForm Form);

/// `jmp Target`, five bytes for At; none if it does not reach.
std::optional<std::array<uint8_t, 5>> encodeJump(ProgramAddr At,
                                                 ProgramAddr Target);

} // namespace hotjit

#endif
