#ifndef HOTJIT_PATCH_ENTRYLOOK_H
#define HOTJIT_PATCH_ENTRYLOOK_H

#include "Patch/arch/x86_64/Relocate.h"
#include "llvm/Support/Error.h"
#include <functional>

namespace hotjit {

/// A function's entry, without names.
struct CodeEntry {
  ProgramAddr Entry;
  uint64_t Size = 0;      ///< of the function
  bool Patchable = false; ///< built with NOPs for this
  size_t Module = 0;      ///< index into the texts given to EntryTable
  bool PreserveR11 = false;
};

/// Bytes of the file that a module was loaded from, by address; fewer or none
/// if it does not have them.
using FileBytes = std::function<llvm::ArrayRef<uint8_t>(ProgramAddr, uint64_t)>;

/// What a file says of an entry, before anything is made for it.
struct EntryLook {
  llvm::ArrayRef<uint8_t> Code; ///< of a patchable one: from the padding on
  EntryWindow Window;           ///< of a plain entry
  unsigned NopOffset = 0;       ///< of a patchable one
};

/// Can a jump be written there, as far as the code itself tells? Error: why
/// not.
llvm::Expected<EntryLook> lookAtEntry(const Decoder &D, const FileBytes &File,
                                      const CodeEntry &E);

} // namespace hotjit

#endif
