#ifndef HOTJIT_LINK_OBJECTSYMBOLS_H
#define HOTJIT_LINK_OBJECTSYMBOLS_H

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// What an object defines and what it needs, read from its symbol table and
/// its relocations. Refers to the object's bytes.
class ObjectSymbols {
public:
  struct Undefined {
    llvm::StringRef Name;
    bool Weak = false; ///< may stay without an address
  };

  static llvm::Expected<ObjectSymbols> read(llvm::MemoryBufferRef Object);

  llvm::ArrayRef<Undefined> undefined() const { return Needed; }
  /// Bytes of a defined symbol; 0 if it is not defined here.
  uint64_t sizeOf(llvm::StringRef Name) const { return Sizes.lookup(Name); }
  /// A function or variable of the object that refers to Name; empty if only
  /// tables (debug info, unwind tables) do.
  std::string userOf(llvm::StringRef Name) const;

private:
  std::unique_ptr<llvm::object::ELF64LEObjectFile> File;
  std::vector<Undefined> Needed;
  llvm::StringMap<uint64_t> Sizes;
};

} // namespace hotjit

#endif
