// One unit's debug info, entry by entry.
//
// A function or variable may have several entries: a declaration in its class,
// an abstract one that says what it is, and one for each place where the
// compiler put it. They are chained by DW_AT_specification and
// DW_AT_abstract_origin. What this file must get right is that a thing is
// listed once, with what any of its entries knows, and that nothing is listed
// at an address where it is not: linkers leave 0 or -1 as the address of what
// they threw away.

#include "Image/UnitReader.h"

#include "Image/TypeReader.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/DebugInfo/DWARF/DWARFContext.h"

namespace hotjit {

using llvm::DWARFDie;
using llvm::DWARFFormValue;
using llvm::DWARFUnit;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace dwarf = llvm::dwarf;

// Chains of entries have two or three links; damaged ones may be circular.
static constexpr unsigned ChainLimit = 16;

Expected<UnitDetails> UnitReader::read() {
  All.takeComplaint();
  if (Error E = Unit.tryExtractDIEsIfNeeded(/*CUDieOnly=*/false))
    return std::move(E);
  if (std::string Complaint = All.takeComplaint(); !Complaint.empty())
    return makeError("debug info cannot be read: {}", Complaint);
  for (const llvm::DWARFDebugInfoEntry &Entry : Unit.dies()) {
    if (Entry.getTag() == dwarf::DW_TAG_imported_unit)
      return makeError("debug info is shared between units: made by link time "
                       "optimization or dwz");
    if (Entry.getTag() == dwarf::DW_TAG_subprogram)
      readFunction(DWARFDie(&Unit, &Entry));
  }
  noteSharedEntries();
  // The rest names functions, so it comes after them.
  for (const llvm::DWARFDebugInfoEntry &Entry : Unit.dies())
    readEntry(DWARFDie(&Unit, &Entry));
  nameUnnamedTypes();
  return std::move(Details);
}

void UnitReader::readEntry(const DWARFDie &Die) {
  switch (Die.getTag()) {
  case dwarf::DW_TAG_variable:
    return readVariable(Die);
  case dwarf::DW_TAG_inlined_subroutine:
    return readInlinedCopy(Die);
  case dwarf::DW_TAG_structure_type:
  case dwarf::DW_TAG_class_type:
  case dwarf::DW_TAG_union_type:
    return readType(Die);
  case dwarf::DW_TAG_typedef: {
    const DWARFDie Type = Die.resolveReferencedType(dwarf::DW_AT_type);
    if (Type && !Type.find(dwarf::DW_AT_name))
      Typedefs.emplace_back(
          Type.getOffset(),
          dwarf::toStringRef(Die.find(dwarf::DW_AT_name)).str());
    return;
  }
  default:
    return;
  }
}

/// The name by which other units know a function; in C its only name.
static StringRef linkageName(const DWARFDie &Die) {
  const char *Name = Die.getName(llvm::DINameKind::LinkageName);
  return Name ? Name : "";
}

static StringRef shortName(const DWARFDie &Die) {
  const char *Name = Die.getShortName();
  return Name ? Name : "";
}

/// The entry that says what the thing is, if Die is one of its copies.
static DWARFDie originOf(DWARFDie Die) {
  for (unsigned I = 0; I != ChainLimit; ++I) {
    DWARFDie Next =
        Die.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    if (!Next)
      break;
    Die = Next;
  }
  return Die;
}

/// The name of a function in symbol tables. GCC gives static C++ functions no
/// linkage name, so it is taken from the function's code if it has some.
std::string UnitReader::symbolOf(const DWARFDie &Function) const {
  if (const char *Name = Function.getLinkageName())
    return Name;
  auto Known = FunctionSymbols.find(originOf(Function).getOffset());
  if (Known != FunctionSymbols.end())
    return Known->second;
  return shortName(Function).str();
}

/// The function in whose body a static local variable stands, told by the
/// variable's mangled name: _ZZ <function> E <name> <discriminator>.
static std::optional<std::string> functionInName(StringRef Symbol,
                                                 StringRef Name) {
  size_t End = Symbol.rfind("E" + std::to_string(Name.size()) + Name.str());
  if (End == StringRef::npos || !Symbol.consume_front("_ZZ"))
    return std::nullopt;
  return "_Z" + Symbol.substr(0, End - 3).str();
}

static DWARFDie enclosingFunction(DWARFDie Die) {
  for (Die = Die.getParent(); Die; Die = Die.getParent())
    if (Die.getTag() == dwarf::DW_TAG_subprogram)
      return Die;
  return {};
}

template <typename Declared>
void UnitReader::readPlace(const DWARFDie &Die, Declared &Thing) const {
  Thing.Line = static_cast<unsigned>(
      dwarf::toUnsigned(Die.findRecursively({dwarf::DW_AT_decl_line}), 0));
  std::optional<DWARFFormValue> Index =
      Die.findRecursively({dwarf::DW_AT_decl_file});
  if (!Index)
    return;
  // The number counts in the unit where it stands.
  llvm::ArrayRef<StringRef> Files = OwnFiles;
  if (Index->getUnit() && Index->getUnit() != &Unit)
    Files = All.fileNames(*const_cast<DWARFUnit *>(Index->getUnit()));
  uint64_t N = Index->getAsUnsignedConstant().value_or(~0ULL);
  if (N < Files.size())
    Thing.File = Files[N].str();
}

/// Where a function starts. One whose code is in several places (hot and cold)
/// starts where its symbol is, else in the first of them.
std::optional<uint64_t> UnitReader::entryOf(const DWARFDie &Function,
                                            StringRef Wanted,
                                            uint64_t &Size) const {
  Expected<llvm::DWARFAddressRangesVector> Ranges = Function.getAddressRanges();
  if (!Ranges) {
    llvm::consumeError(Ranges.takeError()); // Has no code that can be found.
    return std::nullopt;
  }
  const llvm::DWARFAddressRange *Best = nullptr;
  for (const llvm::DWARFAddressRange &R : *Ranges) {
    const ElfFile::Section *S = File.sectionAt(R.LowPC);
    if (!S || !S->Code || R.LowPC >= R.HighPC)
      continue; // Thrown away by the linker.
    const ImageFunction *Named = Symbols.functionStartingAt(R.LowPC, Wanted);
    bool IsEntry = Named && Named->Symbol == Wanted;
    if (!Best || IsEntry)
      Best = &R;
    if (IsEntry)
      break;
  }
  if (!Best)
    return std::nullopt;
  Size = Best->HighPC - Best->LowPC;
  return Best->LowPC;
}

void UnitReader::readFunction(const DWARFDie &Die) {
  if (!Die.find({dwarf::DW_AT_low_pc, dwarf::DW_AT_ranges}))
    return; // A declaration, or an abstract entry.
  StringRef Wanted = linkageName(Die);
  uint64_t Size = 0;
  std::optional<uint64_t> Entry = entryOf(Die, Wanted, Size);
  if (!Entry)
    return;
  ImageFunction F;
  if (const ImageFunction *Known = Symbols.functionStartingAt(*Entry, Wanted))
    F = *Known;
  // Inline code that the linker kept twice: GCC gives the group of a
  // constructor one name or another, and every call goes to the one that has
  // the symbol.
  if (F.Symbol.empty() && !Wanted.empty() && Symbols.findExternal(Wanted))
    return;
  F.Entry = ProgramAddr(*Entry + LoadBias);
  if (F.Size == 0)
    F.Size = Size;
  F.Name = shortName(Die).str();
  F.NonStandardCall =
      dwarf::toUnsigned(Die.findRecursively({dwarf::DW_AT_calling_convention}),
                        0) == dwarf::DW_CC_nocall;
  readPlace(Die, F);
  // Without what a clone adds: "f.isra.0".
  if (!F.Symbol.empty())
    FunctionSymbols.try_emplace(originOf(Die).getOffset(),
                                StringRef(F.Symbol).split('.').first.str());
  Details.Functions.push_back(std::move(F));
}

/// gold removes the symbol of a static function that it folds into another;
/// two functions of one unit at one entry then show it.
void UnitReader::noteSharedEntries() {
  llvm::DenseMap<ProgramAddr, llvm::SmallVector<ImageFunction *, 1>> ByEntry;
  for (ImageFunction &F : Details.Functions)
    ByEntry[F.Entry].push_back(&F);
  for (auto &[Entry, Sharing] : ByEntry)
    for (ImageFunction *F : Sharing)
      for (const ImageFunction *Other : Sharing)
        if (Other->Name != F->Name && Other->Symbol == F->Symbol)
          F->Aliases.push_back(Other->Name);
}

void UnitReader::placeVariable(ImageVariable &V,
                               VariableLocation Location) const {
  V.Storage = Location.Kind;
  const ElfSymbol *Symbol = nullptr;
  if (Location.Kind == StorageKind::Address) {
    const ElfFile::Section *S = File.sectionAt(Location.Value);
    if (!S) {
      V.Storage = StorageKind::None; // Thrown away by the linker.
      return;
    }
    V.Address = ProgramAddr(Location.Value + LoadBias);
    V.Writable = S->Writable;
    Symbol = Symbols.variableAt(Location.Value, SymbolKind::Data, V.LinkageName,
                                V.Name);
  }
  if (Location.Kind == StorageKind::ThreadLocal) {
    uint64_t Offset = Location.Value;
    if (File.isRelocatable())
      Offset -= File.tlsBegin();
    Symbol = Symbols.variableAt(Offset, SymbolKind::ThreadLocal, V.LinkageName,
                                V.Name);
    // A thread-local variable that was thrown away has offset 0, as has the
    // first one that was not: without its symbol we cannot tell.
    if (Offset >= File.tlsSize() || (Offset == 0 && !Symbol)) {
      V.Storage = StorageKind::None;
      return;
    }
    V.TlsOffset = Offset;
    V.Writable = true;
  }
  if (Symbol) {
    V.Symbol = Symbol->Name.str();
    V.Size = Symbol->Size;
  }
}

void UnitReader::readVariable(const DWARFDie &Die) {
  if (dwarf::toUnsigned(Die.find(dwarf::DW_AT_declaration), 0))
    return;
  if (shortName(Die).empty())
    return; // Clang describes string literals as variables without a name.
  VariableLocation Location = locate(Die);
  const DWARFDie Origin = originOf(Die);
  const DWARFDie Function = enclosingFunction(Origin);
  if (Function && !Location.HasFixedStorage)
    return; // Automatic, or a copy of an entry that says more.
  auto [Slot, New] =
      VariableOf.try_emplace(Origin.getOffset(), Details.Variables.size());
  if (!New) {
    // Inlining copies the entry of a static local variable, not the variable.
    ImageVariable &Known = Details.Variables[Slot->second];
    if (Known.Storage == StorageKind::None)
      placeVariable(Known, Location);
    return;
  }
  ImageVariable V;
  V.Name = shortName(Die).str();
  if (const char *Name = Die.getLinkageName())
    V.LinkageName = Name;
  readPlace(Die, V);
  V.TypeSize = sizeOfTypeOf(Die).value_or(0);
  placeVariable(V, Location);
  if (Function)
    V.Function = functionInName(V.Symbol, V.Name).value_or(symbolOf(Function));
  Details.Variables.push_back(std::move(V));
}

/// The names that a function may have in a symbol table if DWARF calls it Name.
/// GCC's entry of an inlined constructor does not say which variant it is.
static llvm::SmallVector<std::string, 4> variantsOf(StringRef Name) {
  llvm::SmallVector<std::string, 4> Names{Name.str()};
  if (!Name.starts_with("_Z"))
    return Names;
  auto Add = [&](StringRef Unified, llvm::ArrayRef<StringRef> Variants) {
    // The two letters may stand in a class's name too: names that come out
    // wrong belong to no function.
    for (size_t At = Name.find(Unified); At != StringRef::npos;
         At = Name.find(Unified, At + 1))
      for (StringRef Variant : Variants)
        Names.push_back(
            (Name.substr(0, At) + Variant + Name.substr(At + Unified.size()))
                .str());
  };
  Add("C4", {"C1", "C2"});
  Add("D4", {"D0", "D1", "D2"});
  return Names;
}

void UnitReader::readInlinedCopy(const DWARFDie &Die) {
  const DWARFDie Into = enclosingFunction(Die);
  if (!Into)
    return;
  UnitDetails::Inlined Copy;
  Copy.Into = symbolOf(Into);
  readPlace(Die, Copy);
  for (std::string &Name : variantsOf(symbolOf(Die))) {
    Copy.Function = std::move(Name);
    std::string Key = fmt::format("{}\n{}\n{}:{}", Copy.Function, Copy.Into,
                                  Copy.File, Copy.Line);
    if (SeenCopies.insert(Key).second)
      Details.InlinedCopies.push_back(Copy);
  }
}

void UnitReader::readType(const DWARFDie &Die) {
  if (!isRecordDefinition(Die))
    return;
  ImageType T = readLayout(Die);
  T.Name = dwarf::toStringRef(Die.find(dwarf::DW_AT_name)).str();
  readPlace(Die, T);
  if (T.Name.empty())
    UnnamedTypes[Die.getOffset()] = Details.Types.size();
  Details.Types.push_back(std::move(T));
}

void UnitReader::nameUnnamedTypes() {
  for (auto &[Type, Name] : Typedefs) {
    auto Found = UnnamedTypes.find(Type);
    if (Found == UnnamedTypes.end())
      continue;
    std::string &Current = Details.Types[Found->second].Name;
    if (Current.empty())
      Current = std::move(Name);
  }
}

} // namespace hotjit
