// What an ELF file says about addresses: which bytes of the file stand where,
// what is code, what a program may write, and what has a name.
//
// Three traps are dealt with here, so that the rest of Image does not know
// them. A relocatable object has no addresses, only sections that all start at
// 0: they get made-up bases, far enough apart that an address tells its
// section. .tbss has an address range that other sections have too, because it
// takes no space in memory: it is not a section that holds an address. And a
// linker makes hidden symbols, and those that a version script hides,
// STB_LOCAL: so "local" in a symbol table does not mean `static` in the source.

#include "Image/ElfFile.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace ELF = llvm::ELF;

// Where the first section of a relocatable object gets its address, and the
// gap between two: no offset of one reaches into the next.
static constexpr uint64_t FirstFakeAddress = 0x100000;
static constexpr uint64_t FakeAddressGap = 0x1000;

Expected<std::unique_ptr<ElfFile>>
ElfFile::create(std::unique_ptr<llvm::MemoryBuffer> Contents) {
  std::unique_ptr<ElfFile> File(new ElfFile);
  StringRef Bytes = Contents->getBuffer();
  if (!Bytes.starts_with("\177ELF"))
    return makeError("{}: not an ELF file", Contents->getBufferIdentifier());
  if (Bytes.size() < sizeof(Traits::Ehdr) ||
      Bytes[ELF::EI_CLASS] != ELF::ELFCLASS64 ||
      Bytes[ELF::EI_DATA] != ELF::ELFDATA2LSB)
    return makeError("{}: not an x86-64 ELF file",
                     Contents->getBufferIdentifier());
  Expected<llvm::object::ELF64LEObjectFile> Parsed =
      llvm::object::ELF64LEObjectFile::create(Contents->getMemBufferRef());
  if (!Parsed)
    return Parsed.takeError();
  if (Parsed->getELFFile().getHeader().e_machine != ELF::EM_X86_64)
    return makeError("{}: not an x86-64 ELF file",
                     Contents->getBufferIdentifier());
  File->Buffer = std::move(Contents);
  File->Object =
      std::make_unique<llvm::object::ELF64LEObjectFile>(std::move(*Parsed));
  if (Error E = File->readSegments())
    return std::move(E);
  if (Error E = File->readSections())
    return std::move(E);
  if (Error E = File->readDynamicFlags())
    return std::move(E);
  return File;
}

bool ElfFile::isRelocatable() const {
  return Object->getELFFile().getHeader().e_type == ELF::ET_REL;
}

bool ElfFile::isExecutable() const { return Executable; }

bool ElfFile::isPositionIndependent() const {
  return Object->getELFFile().getHeader().e_type == ELF::ET_DYN;
}

Error ElfFile::readSegments() {
  Expected<Traits::PhdrRange> Headers = Object->getELFFile().program_headers();
  if (!Headers)
    return Headers.takeError();
  Executable = Object->getELFFile().getHeader().e_type == ELF::ET_EXEC;
  TextBegin = ~0ULL;
  for (const Traits::Phdr &P : *Headers) {
    uint64_t End = P.p_vaddr + P.p_memsz;
    if (P.p_type == ELF::PT_INTERP)
      Executable = true;
    if (P.p_type == ELF::PT_TLS) {
      TlsBegin = P.p_vaddr;
      TlsEnd = End;
    }
    if (P.p_type == ELF::PT_GNU_RELRO) {
      RelroBegin = P.p_vaddr;
      RelroEnd = End;
    }
    if (P.p_type != ELF::PT_LOAD)
      continue;
    Expected<ArrayRef<uint8_t>> Contents =
        Object->getELFFile().getSegmentContents(P);
    if (!Contents)
      return Contents.takeError();
    bool Code = P.p_flags & ELF::PF_X;
    Segments.push_back(
        {P.p_vaddr, End, *Contents, Code, (P.p_flags & ELF::PF_W) != 0});
    if (Code) {
      TextBegin = std::min<uint64_t>(TextBegin, P.p_vaddr);
      TextEnd = std::max(TextEnd, End);
    }
  }
  TextBegin = std::min(TextBegin, TextEnd);
  return Error::success();
}

void ElfFile::addSection(const Traits::Shdr &Header, StringRef Name,
                         unsigned Index, uint64_t &NextAddress) {
  bool TakesFileSpace = Header.sh_type != ELF::SHT_NOBITS;
  bool ThreadLocal = Header.sh_flags & ELF::SHF_TLS;
  Section S;
  S.Name = Name;
  S.Index = Index;
  S.Begin = Header.sh_addr;
  if (isRelocatable()) {
    S.Begin =
        llvm::alignTo(NextAddress, std::max<uint64_t>(Header.sh_addralign, 1));
    NextAddress = S.Begin + Header.sh_size + FakeAddressGap;
    SectionAddresses[Index] = S.Begin;
    if (ThreadLocal) {
      TlsBegin = TlsEnd == 0 ? S.Begin : std::min(TlsBegin, S.Begin);
      TlsEnd = std::max(TlsEnd, S.Begin + Header.sh_size);
    }
  }
  S.End = S.Begin + Header.sh_size;
  if (ThreadLocal && !TakesFileSpace)
    return;
  S.Code = Header.sh_flags & ELF::SHF_EXECINSTR;
  bool ReadOnlyLater = (S.Begin >= RelroBegin && S.End <= RelroEnd) ||
                       Name.starts_with(".data.rel.ro");
  S.Writable = (Header.sh_flags & ELF::SHF_WRITE) && !ReadOnlyLater;
  if (TakesFileSpace) {
    Expected<ArrayRef<uint8_t>> Contents =
        Object->getELFFile().getSectionContents(Header);
    if (Contents)
      S.Contents = *Contents;
    else
      llvm::consumeError(Contents.takeError()); // It holds no bytes, then.
  }
  if (isRelocatable() && S.Code) {
    TextBegin = TextEnd == 0 ? S.Begin : std::min(TextBegin, S.Begin);
    TextEnd = std::max(TextEnd, S.End);
  }
  Sections.push_back(S);
}

Error ElfFile::readSections() {
  Expected<Traits::ShdrRange> Headers = Object->getELFFile().sections();
  if (!Headers)
    return Headers.takeError();
  uint64_t NextAddress = FirstFakeAddress;
  unsigned Index = 0;
  for (const Traits::Shdr &Header : *Headers) {
    unsigned This = Index++;
    if (!(Header.sh_flags & ELF::SHF_ALLOC))
      continue;
    Expected<StringRef> Name = Object->getELFFile().getSectionName(Header);
    if (!Name)
      return Name.takeError();
    addSection(Header, *Name, This, NextAddress);
  }
  llvm::sort(Sections, [](const Section &A, const Section &B) {
    return A.Begin < B.Begin;
  });
  return Error::success();
}

Error ElfFile::readDynamicFlags() {
  if (isRelocatable() || Segments.empty())
    return Error::success();
  Expected<Traits::DynRange> Entries = Object->getELFFile().dynamicEntries();
  if (!Entries)
    return Entries.takeError();
  for (const Traits::Dyn &D : *Entries) {
    if (D.getTag() == ELF::DT_SYMBOLIC ||
        (D.getTag() == ELF::DT_FLAGS && (D.getVal() & ELF::DF_SYMBOLIC)))
      Symbolic = true;
    if (D.getTag() == ELF::DT_FLAGS_1 && (D.getVal() & ELF::DF_1_PIE))
      Executable = true; // A static one has no interpreter.
  }
  return Error::success();
}

const ElfFile::Section *ElfFile::sectionAt(uint64_t Address) const {
  auto After = std::upper_bound(
      Sections.begin(), Sections.end(), Address,
      [](uint64_t A, const Section &S) { return A < S.Begin; });
  // Empty sections may share their start with the one that holds Address.
  while (After != Sections.begin()) {
    --After;
    if (Address < After->End)
      return &*After;
    if (After->Begin != After->End)
      return nullptr;
  }
  return nullptr;
}

uint64_t ElfFile::addressOfSection(unsigned Index) const {
  return SectionAddresses.lookup(Index);
}

bool ElfFile::hasSection(StringRef Name) const {
  for (const llvm::object::SectionRef &S : Object->sections()) {
    Expected<StringRef> Found = S.getName();
    if (!Found)
      llvm::consumeError(Found.takeError());
    else if (*Found == Name)
      return true;
  }
  return false;
}

template <typename Range>
static ArrayRef<uint8_t> slice(const Range &R, uint64_t Address,
                               uint64_t Size) {
  if (Address < R.Begin)
    return {};
  uint64_t Offset = Address - R.Begin;
  if (Offset > R.Contents.size() || Size > R.Contents.size() - Offset)
    return {};
  return R.Contents.slice(Offset, Size);
}

ArrayRef<uint8_t> ElfFile::bytes(uint64_t Address, uint64_t Size) const {
  if (isRelocatable()) {
    const Section *S = sectionAt(Address);
    return S ? slice(*S, Address, Size) : ArrayRef<uint8_t>();
  }
  for (const Segment &S : Segments)
    if (Address >= S.Begin && Address < S.End)
      return slice(S, Address, Size);
  return {};
}

ArrayRef<uint8_t> ElfFile::programHeaderBytes() const {
  Expected<Traits::PhdrRange> Headers = Object->getELFFile().program_headers();
  if (!Headers) {
    llvm::consumeError(Headers.takeError()); // create() has read them.
    return {};
  }
  return {reinterpret_cast<const uint8_t *>(Headers->begin()),
          Headers->size() * sizeof(Traits::Phdr)};
}

const ElfFile::Traits::Shdr *ElfFile::findTable(uint32_t Type) const {
  Expected<Traits::ShdrRange> Headers = Object->getELFFile().sections();
  if (!Headers) {
    llvm::consumeError(Headers.takeError()); // create() has read them.
    return nullptr;
  }
  for (const Traits::Shdr &Header : *Headers)
    if (Header.sh_type == Type)
      return &Header;
  return nullptr;
}

Expected<std::vector<ElfSymbol>> ElfFile::symbols() const {
  if (const Traits::Shdr *Table = findTable(ELF::SHT_SYMTAB))
    return readSymbols(*Table);
  return dynamicSymbols();
}

std::vector<std::string> ElfFile::sourceNames() const {
  std::vector<std::string> Result;
  const Traits::Shdr *Table = findTable(ELF::SHT_SYMTAB);
  if (!Table)
    return Result;
  Expected<Traits::SymRange> Entries = Object->getELFFile().symbols(Table);
  Expected<StringRef> Names =
      Object->getELFFile().getStringTableForSymtab(*Table);
  if (!Entries || !Names) {
    // Who asks for symbols is told.
    llvm::consumeError(Entries.takeError());
    llvm::consumeError(Names.takeError());
    return Result;
  }
  for (const Traits::Sym &S : *Entries) {
    if (S.getType() != ELF::STT_FILE)
      continue;
    if (Expected<StringRef> Name = S.getName(*Names))
      Result.push_back(Name->str());
    else
      llvm::consumeError(Name.takeError());
  }
  return Result;
}

Expected<std::vector<ElfSymbol>> ElfFile::dynamicSymbols() const {
  if (const Traits::Shdr *Table = findTable(ELF::SHT_DYNSYM))
    return readSymbols(*Table);
  return std::vector<ElfSymbol>();
}

Expected<ArrayRef<ElfFile::Traits::Word>> ElfFile::extendedIndices() const {
  if (const Traits::Shdr *Indices = findTable(ELF::SHT_SYMTAB_SHNDX))
    return Object->getELFFile().getSHNDXTable(*Indices);
  return ArrayRef<Traits::Word>();
}

/// By index of the symbol; empty if the symbols of Table have no versions.
Expected<ArrayRef<ElfFile::Traits::Versym>>
ElfFile::versions(const Traits::Shdr &Table) const {
  const Traits::Shdr *Versions = findTable(ELF::SHT_GNU_versym);
  if (Table.sh_type != ELF::SHT_DYNSYM || !Versions)
    return ArrayRef<Traits::Versym>();
  return Object->getELFFile().getSectionContentsAsArray<Traits::Versym>(
      *Versions);
}

Expected<std::vector<ElfSymbol>>
ElfFile::readSymbols(const Traits::Shdr &Table) const {
  const llvm::object::ELFFile<Traits> &File = Object->getELFFile();
  Expected<Traits::SymRange> Entries = File.symbols(&Table);
  if (!Entries)
    return Entries.takeError();
  Expected<StringRef> Names = File.getStringTableForSymtab(Table);
  if (!Names)
    return Names.takeError();
  Expected<ArrayRef<Traits::Word>> Extended = extendedIndices();
  if (!Extended)
    return Extended.takeError();
  Expected<ArrayRef<Traits::Versym>> Versions = versions(Table);
  if (!Versions)
    return Versions.takeError();

  std::vector<ElfSymbol> Symbols;
  Symbols.reserve(Entries->size());
  StringRef CurrentFile;
  unsigned CurrentObject = 0;
  for (size_t I = 0; I != Entries->size(); ++I) {
    const Traits::Sym &S = (*Entries)[I];
    Expected<StringRef> Name = S.getName(*Names);
    if (!Name)
      return Name.takeError();
    if (S.getType() == ELF::STT_FILE) {
      CurrentFile = *Name;
      ++CurrentObject;
      continue;
    }
    uint64_t Index = S.st_shndx;
    if (Index == ELF::SHN_XINDEX && I < Extended->size())
      Index = (*Extended)[I];
    else if (Index >= ELF::SHN_LORESERVE)
      continue; // Absolute, or a common symbol that has no address yet.
    bool OldVersion =
        I < Versions->size() && ((*Versions)[I].vs_index & ELF::VERSYM_HIDDEN);
    std::optional<ElfSymbol> Symbol = readSymbol(S, *Name, Index);
    if (!Symbol || OldVersion)
      continue;
    if (Symbol->Local) {
      Symbol->File = CurrentFile;
      Symbol->Object = CurrentObject;
      // Locals of no file: GNU ld puts an STT_FILE without a name before the
      // symbols that a version script made local.
      Symbol->External |= CurrentFile.empty() && !isRelocatable();
    }
    Symbols.push_back(*Symbol);
  }
  return Symbols;
}

static std::optional<SymbolKind> kindOf(unsigned Type) {
  switch (Type) {
  case ELF::STT_FUNC:
    return SymbolKind::Function;
  case ELF::STT_GNU_IFUNC:
    return SymbolKind::Resolver;
  case ELF::STT_TLS:
    return SymbolKind::ThreadLocal;
  case ELF::STT_OBJECT:
  case ELF::STT_COMMON:
  case ELF::STT_NOTYPE:
    return SymbolKind::Data;
  }
  return std::nullopt;
}

std::optional<ElfSymbol> ElfFile::readSymbol(const Traits::Sym &S,
                                             StringRef Name,
                                             uint64_t SectionIndex) const {
  std::optional<SymbolKind> Kind = kindOf(S.getType());
  if (!Kind || Name.empty() || SectionIndex == ELF::SHN_UNDEF)
    return std::nullopt;
  ElfSymbol Symbol;
  // GNU ld writes the version of a versioned symbol into its name; "@@" marks
  // the version that a plain reference binds to.
  Symbol.Name = Name.substr(0, Name.find("@@"));
  Symbol.Kind = *Kind;
  Symbol.Address = S.st_value;
  Symbol.Size = S.st_size;
  if (isRelocatable()) {
    Symbol.Address += addressOfSection(static_cast<unsigned>(SectionIndex));
    if (*Kind == SymbolKind::ThreadLocal)
      Symbol.Address -= TlsBegin;
  }
  Symbol.Local = S.getBinding() == ELF::STB_LOCAL;
  unsigned char Visibility = S.getVisibility();
  Symbol.External = !Symbol.Local || Visibility == ELF::STV_HIDDEN ||
                    Visibility == ELF::STV_INTERNAL;
  Symbol.Interposable = !Symbol.Local && Visibility == ELF::STV_DEFAULT;
  return Symbol;
}

} // namespace hotjit
