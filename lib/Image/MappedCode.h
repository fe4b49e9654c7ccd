#ifndef HOTJIT_IMAGE_MAPPEDCODE_H
#define HOTJIT_IMAGE_MAPPEDCODE_H

#include "llvm/Support/Chrono.h"
#include "llvm/Support/FileSystem.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hotjit {

/// A file that code of this process was mapped from.
struct MappedCode {
  uint64_t Begin;                 ///< of the lowest piece
  std::string File;               ///< offset of that piece, device, inode, path
  llvm::sys::TimePoint<> Written; ///< of the file, now
  bool operator==(const MappedCode &) const = default;
};

/// Differs when the program has loaded or closed an object since. Asks the
/// kernel: the dynamic linker answers only who waits for its lock, and a thread
/// in a callback of dl_iterate_phdr(3) holds it. Empty if it cannot be read.
std::vector<MappedCode> mappedCode();

} // namespace hotjit

#endif
