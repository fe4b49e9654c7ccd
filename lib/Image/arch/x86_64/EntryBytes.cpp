// What -fpatchable-function-entry=7,5 leaves: five one-byte NOPs that nobody
// executes, then at the entry (behind endbr64) two bytes of NOP, as two
// instructions from GCC, as one from Clang.
//
// They are told by their bytes: the section __patchable_function_entries, which
// should list them, has gaps when GNU ld linked GCC's objects.

#include "Image/arch/x86_64/EntryBytes.h"

namespace hotjit {

using llvm::ArrayRef;

EntryBytes readEntryBytes(const ElfFile &File, uint64_t Entry) {
  static constexpr uint8_t Endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
  static constexpr uint8_t Prefix[EntryPrefixSize] = {0x90, 0x90, 0x90, 0x90,
                                                      0x90};
  static constexpr uint8_t TwoNops[] = {0x90, 0x90};
  static constexpr uint8_t LongNop[] = {0x66, 0x90};
  EntryBytes Result;
  Result.HasEndbr = File.bytes(Entry, sizeof Endbr64) == ArrayRef(Endbr64);
  ArrayRef<uint8_t> Nops = File.bytes(
      Result.HasEndbr ? Entry + sizeof Endbr64 : Entry, sizeof TwoNops);
  Result.HasNops =
      (Nops == ArrayRef(TwoNops) || Nops == ArrayRef(LongNop)) &&
      File.bytes(Entry - EntryPrefixSize, EntryPrefixSize) == ArrayRef(Prefix);
  return Result;
}

} // namespace hotjit
