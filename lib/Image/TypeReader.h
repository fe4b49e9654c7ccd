#ifndef HOTJIT_IMAGE_TYPEREADER_H
#define HOTJIT_IMAGE_TYPEREADER_H

#include "Image/Image.h"
#include "llvm/DebugInfo/DWARF/DWARFDie.h"

namespace hotjit {

/// The size in bytes of the type that Die's DW_AT_type names (its own, or the
/// one of the declaration that it completes); nullopt if DWARF does not say.
std::optional<uint64_t> sizeOfTypeOf(const llvm::DWARFDie &Die);

/// Whether Die defines a class, struct or union.
bool isRecordDefinition(const llvm::DWARFDie &Die);

/// The layout of a record. Name, File and Line are left to the caller.
ImageType readLayout(const llvm::DWARFDie &Record);

} // namespace hotjit

#endif
