// Two objects of one source: which of them is in the program? Debug information
// does not name objects, and says little of the flags. But a linker copies code
// and data as they are, and writes only where relocations tell it to, or right
// before: an instruction that loads an address from the GOT may become one that
// makes it (psABI, "Optimize GOTPCRELX Relocations"), and the whole sequence
// that finds a thread-local may become a shorter one. All other bytes must be
// the same.

#include "Image/LinkedFrom.h"
#include "Image/ElfFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/BinaryFormat/ELF.h"

using namespace hotjit;
using namespace llvm;

namespace {

/// A relocatable object, by the names that it defines.
class ObjectFile {
public:
  static std::optional<ObjectFile> read(StringRef Bytes);

  const std::vector<ElfSymbol> &symbols() const { return Symbols; }
  /// What it has under the name; null if it has none, or several.
  const ElfSymbol *find(StringRef Name) const { return ByName.lookup(Name); }
  /// A linker takes it together with everything else of its section or not at
  /// all, and not another object's instead.
  bool isInSharedSection(const ElfSymbol &S) const {
    const ElfFile::Section *In = File->sectionAt(S.Address);
    return In && In->Name == ".text";
  }
  /// Of S's bytes those that no linker writes are the same in Linked. Nullopt:
  /// one of them has none in its file.
  std::optional<bool> isSame(const ElfSymbol &S,
                             ArrayRef<uint8_t> Linked) const;

private:
  void readRelocations();

  std::unique_ptr<ElfFile> File;
  std::vector<ElfSymbol> Symbols;
  StringMap<const ElfSymbol *> ByName;
  /// Of bytes that a linker may write; sorted by their beginning.
  std::vector<std::pair<uint64_t, uint64_t>> Relocated;
};

} // namespace

std::optional<ObjectFile> ObjectFile::read(StringRef Bytes) {
  ObjectFile O;
  Expected<std::unique_ptr<ElfFile>> File =
      ElfFile::create(MemoryBuffer::getMemBufferCopy(Bytes));
  if (!File) {
    consumeError(File.takeError());
    return std::nullopt;
  }
  O.File = std::move(*File);
  if (!O.File->isRelocatable())
    return std::nullopt;
  Expected<std::vector<ElfSymbol>> Symbols = O.File->symbols();
  if (!Symbols) {
    consumeError(Symbols.takeError());
    return std::nullopt;
  }
  O.Symbols = std::move(*Symbols);
  for (const ElfSymbol &S : O.Symbols)
    if (auto [It, IsNew] = O.ByName.try_emplace(S.Name, &S); !IsNew)
      It->second = nullptr;
  O.readRelocations();
  return O;
}

void ObjectFile::readRelocations() {
  for (const object::SectionRef &Section : File->object().sections()) {
    Expected<object::section_iterator> Of = Section.getRelocatedSection();
    if (!Of || *Of == File->object().section_end()) {
      consumeError(Of.takeError());
      continue;
    }
    uint64_t Begin = File->addressOfSection((*Of)->getIndex());
    if (Begin == 0)
      continue;
    for (const object::RelocationRef &R : Section.relocations()) {
      bool IsSequence = R.getType() == ELF::R_X86_64_TLSGD ||
                        R.getType() == ELF::R_X86_64_TLSLD;
      const uint64_t At = Begin + R.getOffset(), Before = 4;
      Relocated.push_back({At - Before, At + (IsSequence ? 12 : 8)});
    }
  }
  llvm::sort(Relocated);
}

std::optional<bool> ObjectFile::isSame(const ElfSymbol &S,
                                       ArrayRef<uint8_t> Linked) const {
  ArrayRef<uint8_t> Own = File->bytes(S.Address, S.Size);
  if (Own.empty() || Linked.size() != Own.size())
    return std::nullopt;
  const uint64_t Longest = 16; // of a range
  auto Next = llvm::lower_bound(
      Relocated,
      std::pair(S.Address - std::min(S.Address, Longest), uint64_t(0)));
  for (size_t I = 0; I != Own.size(); ++I) {
    const uint64_t At = S.Address + I;
    while (Next != Relocated.end() && Next->second <= At)
      ++Next;
    bool IsRelocated = Next != Relocated.end() && Next->first <= At;
    if (!IsRelocated && Own[I] != Linked[I])
      return false;
  }
  return true;
}

std::optional<bool> hotjit::canBeLinkedFrom(const Image &Program,
                                            const ImageUnit &Unit,
                                            StringRef Bytes) {
  std::optional<ObjectFile> Object = ObjectFile::read(Bytes);
  Expected<const UnitDetails *> Details = Program.details(Unit);
  if (!Object || !Details) {
    consumeError(Details.takeError());
    return std::nullopt;
  }
  const ImageModule &Module = Program.modules()[Unit.Module];
  bool IsCompared = false;
  for (const ImageFunction &F : (*Details)->Functions) {
    if (F.Symbol.empty())
      continue;
    const ElfSymbol *S = Object->find(F.Symbol);
    if (!S || S->Size != F.Size)
      return false;
    if (std::optional<bool> Same =
            Object->isSame(*S, Program.fileBytes(F.Entry, F.Size))) {
      if (!*Same)
        return false;
      IsCompared = true;
    }
  }
  for (const ImageVariable &V : (*Details)->Variables) {
    const ElfSymbol *S = Object->find(V.Symbol);
    // The program may use another module's instead of the unit's.
    bool IsOwn =
        any_of(Program.findData(Module, V.Symbol),
               [&](const ImageSymbol &I) { return I.Address == V.Address; });
    if (!S || V.Storage != StorageKind::Address || V.Size == 0 || !IsOwn)
      continue;
    if (S->Size != V.Size)
      return false;
    if (std::optional<bool> Same =
            Object->isSame(*S, Program.fileBytes(V.Address, V.Size))) {
      if (!*Same)
        return false;
      IsCompared = true;
    }
  }
  for (const ElfSymbol &S : Object->symbols())
    if (S.Kind == SymbolKind::Function && Object->isInSharedSection(S) &&
        (!S.Local || Program.hasLocalSymbols(Module)) &&
        Program.findFunctions(Module, S.Name).empty())
      return false;
  if (!IsCompared)
    return std::nullopt;
  return true;
}
