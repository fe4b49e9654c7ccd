#ifndef HOTJIT_SUPPORT_NEARREGION_H
#define HOTJIT_SUPPORT_NEARREGION_H

#include "Support/ProgramAddr.h"
#include "llvm/Support/Error.h"

namespace hotjit {

/// x86-64 branches and RIP-relative operands reach +-2 GiB; what hotjit puts
/// beside a module stays within this of every byte of the module's text.
constexpr uint64_t NearLimit = 1500ULL << 20;

/// Reserves Size bytes (page-aligned, PROT_READ|PROT_WRITE, not backed until
/// touched) of which every byte is within NearLimit of every byte of Anchor.
/// Any thread. Error: no free address range that close.
llvm::Expected<AddrRange> reserveNear(AddrRange Anchor, uint64_t Size);

/// Maps exactly [At, At + Size) or fails without having changed anything.
/// Any thread. At and Size are multiples of the page size.
llvm::Error reserveAt(ProgramAddr At, uint64_t Size);

} // namespace hotjit

#endif
