#ifndef HOTJIT_IMAGE_LOADEDOBJECTS_H
#define HOTJIT_IMAGE_LOADEDOBJECTS_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// What the dynamic linker says of an object that it loaded.
struct LoadedObject {
  std::string Path; ///< as the dynamic linker found it; may lead elsewhere now
  uint64_t LoadBias = 0;
  bool Executable = false;
  bool Vdso = false;
  size_t TlsModuleId = 0;
  std::optional<int64_t> TlsBlockOffset;
  /// Copies from memory that tell one build of a file from another.
  std::vector<uint8_t> ProgramHeaders;
  struct Note {
    uint64_t Address = 0; ///< without load bias
    std::vector<uint8_t> Bytes;
    bool operator==(const Note &) const = default;
  };
  std::vector<Note> Notes;
};

/// How code of any thread reaches a thread-local variable.
struct ThreadLocalPlace {
  size_t ModuleId = 0;
  uint64_t Offset = 0; ///< in the module's block
  /// Of the block from the thread pointer, if it is the same in every thread.
  std::optional<int64_t> BlockOffset;
};

/// The variable of which Address is the calling thread's own, if any.
std::optional<ThreadLocalPlace> threadLocalAt(ProgramAddr Address);

/// All objects of this process, the executable first.
std::vector<LoadedObject> loadedObjects();

} // namespace hotjit

#endif
