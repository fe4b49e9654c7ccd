#ifndef HOTJIT_PATCH_ARCH_X86_64_DECODER_H
#define HOTJIT_PATCH_ARCH_X86_64_DECODER_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <optional>

namespace hotjit {

/// Where an instruction hands control to.
enum class Flow {
  Next, ///< to the one after it
  Jump,
  ConditionalJump,
  Call,
  IndirectJump,
  IndirectCall,
  Return,
  Unknown, ///< it branches in a way that we do not take apart
};

struct Instruction {
  unsigned Length = 0; ///< bytes
  Flow Goes = Flow::Next;
  std::optional<ProgramAddr> BranchTarget; ///< of a direct branch or call
  /// What a RIP-relative memory operand points to, and where in the
  /// instruction its four bytes of displacement stand.
  std::optional<ProgramAddr> RipTarget;
  unsigned RipOffset = 0;
  bool Padding = false; ///< a NOP of any length, or int3
};

/// x86-64 machine code, read with LLVM's MC layer. Use from one thread.
class Decoder {
public:
  static llvm::Expected<std::unique_ptr<Decoder>> create();
  ~Decoder();

  /// The instruction that begins with the first of Bytes, which stand at At;
  /// none if it is not one or if it is one that we cannot take apart.
  std::optional<Instruction> decode(llvm::ArrayRef<uint8_t> Bytes,
                                    ProgramAddr At) const;

private:
  struct Layer;
  explicit Decoder(std::unique_ptr<Layer> MC);
  std::unique_ptr<Layer> MC;
};

} // namespace hotjit

#endif
