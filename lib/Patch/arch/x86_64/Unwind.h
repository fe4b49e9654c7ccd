#ifndef HOTJIT_PATCH_ARCH_X86_64_UNWIND_H
#define HOTJIT_PATCH_ARCH_X86_64_UNWIND_H

#include "Patch/arch/x86_64/Relocate.h"
#include "llvm/ADT/SmallVector.h"
#include <vector>

namespace hotjit {

/// What the unwinder knows about the first instructions of a function.
struct EntryRows {
  int64_t DataAlignment = -8;
  std::vector<uint8_t> Initial; ///< the CIE's call frame instructions
  struct Row {
    unsigned Offset; ///< from the entry; the instructions hold from there on
    std::vector<uint8_t> Instructions;
    /// Distance of the CFA from rsp, if the CFA is computed from it.
    std::optional<int64_t> FromRsp;
    /// Nothing but DW_CFA_def_cfa and its kin was seen: FromRsp can be trusted.
    bool Known = true;
  };
  std::vector<Row> Rows; ///< the first is at offset 0
};

/// Rows of the function at Entry up to the one at Length, from the unwind
/// tables of its module; none if it has no unwind information at all. Error: it
/// has, but we do not understand it.
llvm::Expected<std::optional<EntryRows>> readEntryRows(ProgramAddr Entry,
                                                       unsigned Length);

/// As readEntryRows, from the frame description entry at FDE.
llvm::Expected<EntryRows> parseEntryRows(const uint8_t *FDE, unsigned Length);

/// A CIE and an FDE for a trampoline or a stub at At, as they stand in an
/// .eh_frame section.
llvm::Expected<std::vector<uint8_t>>
describeTrampoline(const EntryRows &Rows, const Trampoline &T, ProgramAddr At);
std::vector<uint8_t> describeStub(ProgramAddr At, unsigned Size,
                                  unsigned PushedAt);

} // namespace hotjit

#endif
