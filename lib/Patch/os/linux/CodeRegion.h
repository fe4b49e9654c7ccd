#ifndef HOTJIT_PATCH_OS_LINUX_CODEREGION_H
#define HOTJIT_PATCH_OS_LINUX_CODEREGION_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace hotjit {

/// Memory for code that is written while the program may execute what is
/// already in it. Lives as long as the process: there is no way to know that
/// nobody is in it. Append only; bytes once written never change.
class CodeRegion {
public:
  /// Size bytes within reach of Anchor. Error: HJ3002, HJ3003.
  static llvm::Expected<CodeRegion> near(AddrRange Anchor, uint64_t Size);
  /// Exactly Range (whole pages).
  static llvm::Expected<CodeRegion> at(AddrRange Range);

  AddrRange range() const { return Range; }

  /// Only into bytes of range() that nobody knows yet.
  void write(ProgramAddr At, llvm::ArrayRef<uint8_t> Bytes);

private:
  CodeRegion(AddrRange Range, uint8_t *Alias) : Range(Range), Alias(Alias) {}
  static llvm::Expected<CodeRegion> mapOver(AddrRange Reserved);

  AddrRange Range;
  uint8_t *Alias; ///< where the same pages can be written
};

/// Address ranges that are free but that the kernel grows a mapping into: the
/// main thread's stack.
llvm::Expected<std::vector<AddrRange>> growingRanges();

} // namespace hotjit

#endif
