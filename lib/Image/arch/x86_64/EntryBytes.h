#ifndef HOTJIT_IMAGE_ARCH_X86_64_ENTRYBYTES_H
#define HOTJIT_IMAGE_ARCH_X86_64_ENTRYBYTES_H

#include "Image/ElfFile.h"

namespace hotjit {

/// What the bytes around a function's entry look like.
struct EntryBytes {
  bool HasEndbr = false;
  bool HasNops = false; ///< at the entry and before it, as Patch wants them
};

/// Bytes before an entry that a jump over 32 bits takes.
constexpr uint64_t EntryPrefixSize = 5;

EntryBytes readEntryBytes(const ElfFile &File, uint64_t Entry);

} // namespace hotjit

#endif
