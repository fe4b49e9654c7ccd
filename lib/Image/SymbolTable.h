#ifndef HOTJIT_IMAGE_SYMBOLTABLE_H
#define HOTJIT_IMAGE_SYMBOLTABLE_H

#include "Image/ElfFile.h"
#include "Image/Image.h"
#include "llvm/ADT/CachedHashString.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>
#include <vector>

namespace hotjit {

/// The names of one module: by name, by address. Addresses are file addresses;
/// what leaves as an ImageFunction or ImageSymbol has the load bias added.
class SymbolTable {
public:
  static llvm::Expected<std::unique_ptr<SymbolTable>> read(const ElfFile &File,
                                                           uint64_t LoadBias);

  std::vector<const ImageFunction *> findFunctions(llvm::StringRef Name) const;
  std::vector<ImageSymbol> findData(llvm::StringRef Name) const;
  std::vector<ImageThreadLocal> findThreadLocals(llvm::StringRef Name) const;
  /// The one symbol that a reference from another unit binds to.
  const ElfSymbol *findExternal(llvm::StringRef Name) const;
  /// The function whose code holds Address; null if none.
  const ImageFunction *functionAt(uint64_t Address) const;
  /// The function that starts at Entry. If several do: the one that Wanted
  /// names, or a clone of it (foo.isra.0), or one that other units can name.
  const ImageFunction *functionStartingAt(uint64_t Entry,
                                          llvm::StringRef Wanted) const;
  /// The variable at Address (thread-local: an offset): Wanted, or a static
  /// local variable of that name, or the only one there.
  const ElfSymbol *variableAt(uint64_t Address, SymbolKind Kind,
                              llvm::StringRef LinkageName,
                              llvm::StringRef Name) const;
  /// Entries, each counted once whatever its names.
  size_t functionCount() const { return EntryCount; }
  /// Names that are local to a file were not stripped.
  bool hasLocals() const { return HasLocals; }

private:
  SymbolTable(const ElfFile &File, uint64_t LoadBias)
      : File(File), LoadBias(LoadBias) {}
  void index();
  std::vector<const ElfSymbol *> others(llvm::StringRef Name,
                                        SymbolKind Kind) const;
  llvm::ArrayRef<ElfSymbol> functionsStartingAt(uint64_t Entry) const;
  const ImageFunction *describe(size_t Index) const;
  bool isCodeOfAnother(uint64_t Begin, uint64_t End) const;

  const ElfFile &File;
  uint64_t LoadBias;
  std::vector<ElfSymbol> Functions; ///< sorted by address
  std::vector<ElfSymbol> Others;    ///< sorted by kind and address
  size_t EntryCount = 0;
  bool HasLocals = false;
  using NameIndex = llvm::DenseMap<llvm::CachedHashStringRef, uint32_t>;
  /// Name -> last index; each leads to the one before of the same name.
  NameIndex FunctionsByName, OthersByName;
  std::vector<uint32_t> SameNameFunction, SameNameOther;
  /// Made when first asked for: a large program has many functions of which
  /// few are ever looked at.
  mutable llvm::DenseMap<size_t, std::unique_ptr<ImageFunction>> Described;
};

} // namespace hotjit

#endif
