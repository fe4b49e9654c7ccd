#ifndef HOTJIT_IMAGE_ELFFILE_H
#define HOTJIT_IMAGE_ELFFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <optional>
#include <vector>

namespace hotjit {

enum class SymbolKind {
  Function,
  Data,        ///< objects, and untyped labels of linker and assembler
  ThreadLocal, ///< its address is an offset in the module's TLS block
  Resolver,    ///< STT_GNU_IFUNC: calling it gives the function's address
};

/// A defined symbol. Strings live as long as the ElfFile.
struct ElfSymbol {
  llvm::StringRef Name; ///< without "@@VERSION"
  llvm::StringRef File; ///< STT_FILE before it, if Local
  /// If Local: which of the objects that were linked it is of, counted from 1;
  /// 0 if the file does not say.
  unsigned Object = 0;
  uint64_t Address = 0; ///< file address
  uint64_t Size = 0;
  SymbolKind Kind = SymbolKind::Data;
  bool Local = false; ///< STB_LOCAL
  /// Another unit may name it: global, or made local by the linker because it
  /// is hidden or a version script says so. What is left is `static`.
  bool External = false;
  bool Interposable = false; ///< the dynamic linker looks it up by name
};

/// An x86-64 ELF file: an executable, a shared object or a relocatable object.
/// All addresses are *file addresses*, as the file's headers have them, without
/// load bias. A relocatable object has none: its sections get distinct ones.
class ElfFile {
public:
  static llvm::Expected<std::unique_ptr<ElfFile>>
  create(std::unique_ptr<llvm::MemoryBuffer> Contents);

  struct Section {
    llvm::StringRef Name;
    uint64_t Begin = 0, End = 0;
    llvm::ArrayRef<uint8_t> Contents; ///< empty if it takes no file space
    unsigned Index = 0;
    bool Code = false;
    bool Writable = false; ///< stays so after start-up (RELRO does not)
  };

  const llvm::object::ELF64LEObjectFile &object() const { return *Object; }
  bool isRelocatable() const;
  bool isExecutable() const; ///< ET_EXEC, or a position-independent one
  bool isPositionIndependent() const;
  bool bindsToItself() const { return Symbolic; } ///< -Bsymbolic

  uint64_t textBegin() const { return TextBegin; }
  uint64_t textEnd() const { return TextEnd; }
  uint64_t tlsBegin() const { return TlsBegin; }
  uint64_t tlsSize() const { return TlsEnd - TlsBegin; }

  /// The loaded section that holds Address; null if none.
  const Section *sectionAt(uint64_t Address) const;
  /// The made-up address of a relocatable object's section, 0 if not loaded.
  uint64_t addressOfSection(unsigned Index) const;
  bool hasSection(llvm::StringRef Name) const;
  /// Bytes of [Address, Address+Size); empty if the file does not hold them.
  llvm::ArrayRef<uint8_t> bytes(uint64_t Address, uint64_t Size) const;

  llvm::ArrayRef<uint8_t> programHeaderBytes() const;

  /// Of .symtab; of .dynsym if the file is stripped.
  llvm::Expected<std::vector<ElfSymbol>> symbols() const;
  /// Source files that .symtab says code came from, as it names them: one entry
  /// for each object that was linked. Empty if the file is stripped.
  std::vector<std::string> sourceNames() const;
  /// Of .dynsym only.
  llvm::Expected<std::vector<ElfSymbol>> dynamicSymbols() const;

private:
  using Traits = llvm::object::ELF64LE;
  struct Segment {
    uint64_t Begin = 0, End = 0;
    llvm::ArrayRef<uint8_t> Contents;
    bool Code = false;
    bool Writable = false;
  };

  ElfFile() = default;
  llvm::Error readSegments();
  llvm::Error readSections();
  void addSection(const Traits::Shdr &Header, llvm::StringRef Name,
                  unsigned Index, uint64_t &NextAddress);
  llvm::Error readDynamicFlags();
  llvm::Expected<std::vector<ElfSymbol>>
  readSymbols(const Traits::Shdr &Table) const;
  std::optional<ElfSymbol> readSymbol(const Traits::Sym &S,
                                      llvm::StringRef Name,
                                      uint64_t SectionIndex) const;
  llvm::Expected<llvm::ArrayRef<Traits::Word>> extendedIndices() const;
  llvm::Expected<llvm::ArrayRef<Traits::Versym>>
  versions(const Traits::Shdr &Table) const;
  const Traits::Shdr *findTable(uint32_t Type) const;

  std::unique_ptr<llvm::MemoryBuffer> Buffer;
  std::unique_ptr<llvm::object::ELF64LEObjectFile> Object;
  std::vector<Segment> Segments;
  std::vector<Section> Sections; ///< sorted by Begin
  llvm::DenseMap<unsigned, uint64_t> SectionAddresses;
  uint64_t TextBegin = 0, TextEnd = 0;
  uint64_t TlsBegin = 0, TlsEnd = 0;
  uint64_t RelroBegin = 0, RelroEnd = 0;
  bool Executable = false;
  bool Symbolic = false;
};

} // namespace hotjit

#endif
