#ifndef HOTJIT_IMAGE_LINKEDFROM_H
#define HOTJIT_IMAGE_LINKEDFROM_H

#include "Image/Image.h"
#include <optional>

namespace hotjit {

/// Whether Unit of Program can have been linked from the relocatable object
/// Bytes: what both have has the same code and the same initial values, but for
/// what a linker fills in, and neither has functions that the other lacks.
/// Nullopt: Bytes is no such object, or nothing in it can be compared.
std::optional<bool> canBeLinkedFrom(const Image &Program, const ImageUnit &Unit,
                                    llvm::StringRef Bytes);

} // namespace hotjit

#endif
