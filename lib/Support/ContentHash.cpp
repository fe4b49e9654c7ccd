// Whether a save changed anything is decided by content, never by time stamps:
// clocks are skewed, touch exists, and git brings old files back with new
// times.

#include "Support/ContentHash.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

namespace hotjit {

ContentHash hashBytes(llvm::StringRef Bytes) {
  llvm::XXH128_hash_t Hash =
      llvm::xxh3_128bits(llvm::arrayRefFromStringRef(Bytes));
  return {Hash.low64, Hash.high64};
}

} // namespace hotjit
