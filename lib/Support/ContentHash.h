#ifndef HOTJIT_SUPPORT_CONTENTHASH_H
#define HOTJIT_SUPPORT_CONTENTHASH_H

#include "llvm/ADT/StringRef.h"
#include <compare>
#include <cstdint>

namespace hotjit {

/// 128 bits that stand for some bytes: equal hashes are taken as equal bytes
/// (XXH3; not a defence against an attacker).
struct ContentHash {
  uint64_t Low = 0;
  uint64_t High = 0;
  auto operator<=>(const ContentHash &) const = default;
};

ContentHash hashBytes(llvm::StringRef Bytes);

} // namespace hotjit

#endif
