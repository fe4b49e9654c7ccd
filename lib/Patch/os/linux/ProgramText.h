#ifndef HOTJIT_PATCH_OS_LINUX_PROGRAMTEXT_H
#define HOTJIT_PATCH_OS_LINUX_PROGRAMTEXT_H

#include "Patch/os/linux/MemoryMap.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace hotjit {

/// The bytes at A, which the program has mapped for execution.
llvm::ArrayRef<uint8_t> programBytes(ProgramAddr A, uint64_t Size);

/// Pages of the program's code, writable as long as this lives. They stay
/// executable all the time.
class WritableText {
public:
  /// All of Ranges or none. Error: HJ3004, nothing was changed.
  static llvm::Expected<WritableText> open(llvm::ArrayRef<AddrRange> Ranges);

  WritableText(WritableText &&Other) : Opened(std::move(Other.Opened)) {
    Other.Opened.clear();
  }
  WritableText &operator=(WritableText &&) = delete;
  /// Gives the pages their protection back.
  ~WritableText();

  /// One store each, seen whole or not at all.
  void storeByte(ProgramAddr A, uint8_t Value);
  void storeWord(ProgramAddr A, uint64_t Value); ///< A is a multiple of 8
  static uint64_t loadWord(ProgramAddr A);       ///< A is a multiple of 8

private:
  struct Pages {
    AddrRange Range;
    int Protection; ///< before
  };
  WritableText() = default;
  llvm::Error add(AddrRange Range, const std::vector<Mapping> &Map);

  std::vector<Pages> Opened;
};

} // namespace hotjit

#endif
