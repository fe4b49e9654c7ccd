// An ORC lookup that fails names what is missing, but not who wanted it, and
// by then the link is half done. So the undefined symbols of an object are
// read before it is given to ORC, and each gets its address or an error that
// says which function to look at.

#include "Link/ObjectSymbols.h"

#include "Support/Error.h"
#include "llvm/Support/Casting.h"

using namespace hotjit;
using namespace llvm;
using namespace llvm::object;

Expected<ObjectSymbols> ObjectSymbols::read(MemoryBufferRef Object) {
  Expected<std::unique_ptr<ObjectFile>> Parsed =
      ObjectFile::createELFObjectFile(Object);
  if (!Parsed)
    return Parsed.takeError();
  ObjectSymbols Result;
  auto *Elf = dyn_cast<ELF64LEObjectFile>(Parsed->get());
  if (!Elf)
    return makeError("emitted object is not x86-64 ELF");
  Parsed->release();
  Result.File.reset(Elf);
  for (const ELFSymbolRef &S : Elf->symbols()) {
    Expected<uint32_t> Flags = S.getFlags();
    if (!Flags)
      return Flags.takeError();
    Expected<StringRef> Name = S.getName();
    if (!Name)
      return Name.takeError();
    // JITLink makes the GOT, and the symbol for it, itself.
    if (Name->empty() || *Name == "_GLOBAL_OFFSET_TABLE_")
      continue;
    if (*Flags & SymbolRef::SF_Undefined)
      Result.Needed.push_back({*Name, (*Flags & SymbolRef::SF_Weak) != 0});
    else
      Result.Sizes[*Name] = S.getSize();
  }
  return Result;
}

/// The symbol of Section whose bytes hold Offset.
static std::string symbolAt(const ELF64LEObjectFile &File,
                            const SectionRef &Section, uint64_t Offset) {
  for (const ELFSymbolRef &S : File.symbols()) {
    Expected<section_iterator> In = S.getSection();
    Expected<StringRef> Name = S.getName();
    Expected<uint64_t> Begin = S.getValue();
    if (!In || !Name || !Begin) {
      consumeError(In.takeError());
      consumeError(Name.takeError());
      consumeError(Begin.takeError());
      continue;
    }
    if (*In != File.section_end() && **In == Section && !Name->empty() &&
        *Begin <= Offset && Offset < *Begin + S.getSize())
      return Name->str();
  }
  return {};
}

std::string ObjectSymbols::userOf(StringRef Name) const {
  for (const SectionRef &Relocations : File->sections()) {
    Expected<section_iterator> Target = Relocations.getRelocatedSection();
    if (!Target) {
      consumeError(Target.takeError());
      continue;
    }
    if (*Target == File->section_end())
      continue;
    for (const RelocationRef &R : Relocations.relocations()) {
      symbol_iterator S = R.getSymbol();
      if (S == File->symbol_end())
        continue;
      Expected<StringRef> Referred = S->getName();
      if (!Referred) {
        consumeError(Referred.takeError());
        continue;
      }
      if (*Referred != Name)
        continue;
      std::string User = symbolAt(*File, **Target, R.getOffset());
      if (!User.empty())
        return User;
    }
  }
  return {};
}
