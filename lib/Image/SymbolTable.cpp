// Names and addresses of one module, and what its function entries look like.
//
// A name is not unique: every unit may have its own `static int n`, GCC calls
// each function's static `calls` "calls.0" or "calls.1", and linkers fold equal
// functions, so an address may have several names. Nothing here picks one by
// luck: lookups by name give all, and lookups by address say what they prefer.

#include "Image/SymbolTable.h"

#include "Image/arch/x86_64/EntryBytes.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace hotjit {

using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;

static constexpr uint32_t NoMore = ~0U;

Expected<std::unique_ptr<SymbolTable>> SymbolTable::read(const ElfFile &File,
                                                         uint64_t LoadBias) {
  Expected<std::vector<ElfSymbol>> Symbols = File.symbols();
  if (!Symbols)
    return Symbols.takeError();
  std::unique_ptr<SymbolTable> Table(new SymbolTable(File, LoadBias));
  Table->HasLocals = llvm::any_of(
      *Symbols, [](const ElfSymbol &S) { return S.Local && !S.File.empty(); });
  for (ElfSymbol &S : *Symbols)
    (S.Kind == SymbolKind::Function ? Table->Functions : Table->Others)
        .push_back(S);
  Table->index();
  return Table;
}

static auto byAddress(const ElfSymbol &S) {
  // Of several at one address: what other units can name first, then by name.
  return std::tuple(S.Kind, S.Address, !S.External, S.Name);
}

static void indexNames(ArrayRef<ElfSymbol> Symbols,
                       llvm::DenseMap<llvm::CachedHashStringRef, uint32_t> &Map,
                       std::vector<uint32_t> &Chain) {
  Chain.assign(Symbols.size(), NoMore);
  Map.reserve(Symbols.size());
  for (uint32_t I = 0; I != Symbols.size(); ++I) {
    auto [It, New] =
        Map.try_emplace(llvm::CachedHashStringRef(Symbols[I].Name), I);
    if (!New) {
      Chain[I] = It->second;
      It->second = I;
    }
  }
}

void SymbolTable::index() {
  auto Before = [](const ElfSymbol &A, const ElfSymbol &B) {
    return byAddress(A) < byAddress(B);
  };
  llvm::sort(Functions, Before);
  llvm::sort(Others, Before);
  indexNames(Functions, FunctionsByName, SameNameFunction);
  indexNames(Others, OthersByName, SameNameOther);
  for (size_t I = 0; I != Functions.size(); ++I)
    EntryCount += I == 0 || Functions[I].Address != Functions[I - 1].Address;
}

std::vector<const ImageFunction *>
SymbolTable::findFunctions(StringRef Name) const {
  std::vector<const ImageFunction *> Found;
  auto It = FunctionsByName.find(llvm::CachedHashStringRef(Name));
  if (It == FunctionsByName.end())
    return Found;
  for (uint32_t I = It->second; I != NoMore; I = SameNameFunction[I])
    Found.push_back(describe(I));
  std::reverse(Found.begin(), Found.end());
  return Found;
}

/// What is called Name and is no function, in the order of addresses.
std::vector<const ElfSymbol *> SymbolTable::others(StringRef Name,
                                                   SymbolKind Kind) const {
  std::vector<const ElfSymbol *> Found;
  auto It = OthersByName.find(llvm::CachedHashStringRef(Name));
  if (It == OthersByName.end())
    return Found;
  for (uint32_t I = It->second; I != NoMore; I = SameNameOther[I])
    if (Others[I].Kind == Kind)
      Found.push_back(&Others[I]);
  std::reverse(Found.begin(), Found.end());
  return Found;
}

std::vector<ImageSymbol> SymbolTable::findData(StringRef Name) const {
  std::vector<ImageSymbol> Found;
  for (const ElfSymbol *S : others(Name, SymbolKind::Data))
    Found.push_back({ProgramAddr(S->Address + LoadBias), S->Size, S->Local,
                     S->File.str(), S->Object});
  return Found;
}

std::vector<ImageThreadLocal>
SymbolTable::findThreadLocals(StringRef Name) const {
  std::vector<ImageThreadLocal> Found;
  for (const ElfSymbol *S : others(Name, SymbolKind::ThreadLocal))
    Found.push_back(
        {S->Address, S->Size, S->Local, S->External, S->File.str(), S->Object});
  return Found;
}

const ElfSymbol *SymbolTable::findExternal(StringRef Name) const {
  const ElfSymbol *Found = nullptr;
  auto Search = [&](const NameIndex &Map, ArrayRef<uint32_t> Chain,
                    ArrayRef<ElfSymbol> Symbols) {
    auto It = Map.find(llvm::CachedHashStringRef(Name));
    if (It == Map.end())
      return;
    for (uint32_t I = It->second; I != NoMore; I = Chain[I])
      // What is global wins over what the linker made local.
      if (Symbols[I].External && (!Found || Found->Local))
        Found = &Symbols[I];
  };
  Search(FunctionsByName, SameNameFunction, Functions);
  Search(OthersByName, SameNameOther, Others);
  return Found;
}

static ArrayRef<ElfSymbol> withAddress(ArrayRef<ElfSymbol> Sorted,
                                       SymbolKind Kind, uint64_t Address) {
  std::tuple Key(Kind, Address);
  const ElfSymbol *Begin = llvm::partition_point(
      Sorted, [&](auto &S) { return std::tuple(S.Kind, S.Address) < Key; });
  const ElfSymbol *End = Begin;
  while (End != Sorted.end() && std::tuple(End->Kind, End->Address) == Key)
    ++End;
  return ArrayRef<ElfSymbol>(Begin, End);
}

ArrayRef<ElfSymbol> SymbolTable::functionsStartingAt(uint64_t Entry) const {
  return withAddress(Functions, SymbolKind::Function, Entry);
}

const ImageFunction *SymbolTable::functionAt(uint64_t Address) const {
  auto After = llvm::partition_point(
      Functions, [&](const ElfSymbol &S) { return S.Address <= Address; });
  // Functions do not nest; a few names without a size may stand between.
  for (int Tries = 16; After != Functions.begin() && Tries; --Tries) {
    --After;
    bool Holds = Address - After->Address < std::max<uint64_t>(After->Size, 1);
    if (!Holds)
      continue;
    size_t First =
        functionsStartingAt(After->Address).begin() - Functions.data();
    while (Address - Functions[First].Address >=
           std::max<uint64_t>(Functions[First].Size, 1))
      ++First;
    return describe(First);
  }
  return nullptr;
}

/// Whether Symbol is Wanted or a clone of it: "f.isra.0".
static bool isNamed(StringRef Symbol, StringRef Wanted) {
  if (Wanted.empty() || !Symbol.consume_front(Wanted))
    return false;
  return Symbol.empty() || Symbol.starts_with(".");
}

const ImageFunction *SymbolTable::functionStartingAt(uint64_t Entry,
                                                     StringRef Wanted) const {
  ArrayRef<ElfSymbol> Candidates = functionsStartingAt(Entry);
  if (Candidates.empty())
    return nullptr;
  const ElfSymbol *Best = llvm::find_if(
      Candidates, [&](const ElfSymbol &S) { return S.Name == Wanted; });
  if (Best == Candidates.end())
    Best = llvm::find_if(Candidates, [&](const ElfSymbol &S) {
      return isNamed(S.Name, Wanted);
    });
  // Static C++ functions of GCC: Wanted is all that DWARF has, the plain name.
  std::string Mangled = std::to_string(Wanted.size()) + Wanted.str();
  if (Best == Candidates.end())
    Best = llvm::find_if(Candidates, [&](const ElfSymbol &S) {
      return S.Name.starts_with("_Z") && S.Name.contains(Mangled);
    });
  if (Best == Candidates.end())
    Best = Candidates.begin();
  return describe(Best - Functions.data());
}

/// Whether a compiler may have made Symbol from this variable: "n", "n.0"
/// (GCC, static local), "f.n" (Clang, the same), "_ZZ1fvE1n" (C++).
static bool mayName(StringRef Symbol, StringRef LinkageName, StringRef Name) {
  if (!LinkageName.empty())
    return Symbol == LinkageName || Symbol.starts_with(LinkageName.str() + ".");
  return !Name.empty() && Symbol.contains(Name);
}

const ElfSymbol *SymbolTable::variableAt(uint64_t Address, SymbolKind Kind,
                                         StringRef LinkageName,
                                         StringRef Name) const {
  ArrayRef<ElfSymbol> Candidates = withAddress(Others, Kind, Address);
  for (const ElfSymbol &S : Candidates)
    if (S.Name == (LinkageName.empty() ? Name : LinkageName))
      return &S;
  for (const ElfSymbol &S : Candidates)
    if (mayName(S.Name, LinkageName, Name))
      return &S;
  return nullptr;
}

bool SymbolTable::isCodeOfAnother(uint64_t Begin, uint64_t End) const {
  auto After = llvm::partition_point(
      Functions, [&](const ElfSymbol &S) { return S.Address < End; });
  for (int Tries = 16; After != Functions.begin() && Tries; --Tries) {
    --After;
    if (After->Address + After->Size > Begin)
      return true;
  }
  return false;
}

const ImageFunction *SymbolTable::describe(size_t Index) const {
  std::unique_ptr<ImageFunction> &Slot = Described[Index];
  if (Slot)
    return Slot.get();
  const ElfSymbol &Symbol = Functions[Index];
  auto F = std::make_unique<ImageFunction>();
  F->Symbol = Symbol.Name.str();
  F->Name = F->Symbol;
  F->Entry = ProgramAddr(Symbol.Address + LoadBias);
  F->Size = Symbol.Size;
  F->Local = Symbol.Local;
  if (F->Local) {
    F->File = Symbol.File.str();
    F->Object = Symbol.Object;
  }
  EntryBytes Bytes = readEntryBytes(File, Symbol.Address);
  F->HasEndbr = Bytes.HasEndbr;
  // NOPs before the entry may be the end of the function before it.
  if (Bytes.HasNops &&
      !isCodeOfAnother(Symbol.Address - EntryPrefixSize, Symbol.Address))
    F->Kind = EntryKind::Patchable;
  for (const ElfSymbol &Other : functionsStartingAt(Symbol.Address))
    if (&Other != &Symbol)
      F->Aliases.push_back(Other.Name.str());
  Slot = std::move(F);
  return Slot.get();
}

} // namespace hotjit
