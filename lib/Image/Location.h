#ifndef HOTJIT_IMAGE_LOCATION_H
#define HOTJIT_IMAGE_LOCATION_H

#include "Image/Image.h"
#include "llvm/DebugInfo/DWARF/DWARFDie.h"

namespace hotjit {

/// Where DWARF says that a variable is.
struct VariableLocation {
  StorageKind Kind = StorageKind::None;
  uint64_t Value = 0; ///< file address, or offset in the TLS block
  /// Some part of it is memory with a fixed address: the location of a static
  /// local variable does that, the one of an automatic variable never.
  bool HasFixedStorage = false;
};

VariableLocation locate(const llvm::DWARFDie &Variable);

} // namespace hotjit

#endif
