// The model of the program: modules, and in them units, functions, variables.
//
// Addresses here are those of the running program: file address plus the load
// bias of the module. Each module is read as late as possible: the heads of its
// units at once, its symbol table when somebody asks for a name or an address,
// a unit's debug info when somebody asks for the unit. So the C library costs
// an open file and no more.
//
// What is on disk is not trusted to be what runs. /proc/self/exe is the file
// that was executed even if its path leads to another by now; a shared object
// is compared with the headers and notes in memory.

#include "Image/Image.h"

#include "Image/ElfFile.h"
#include "Image/LoadedObjects.h"
#include "Image/MappedCode.h"
#include "Image/SymbolTable.h"
#include "Image/UnitReader.h"
#include "Image/Units.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include <algorithm>

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// One module's file and what has been read of it.
struct ModuleFile {
  std::unique_ptr<ElfFile> File; ///< null: not readable, or not what runs
  std::unique_ptr<DwarfUnits> Dwarf;
  std::unique_ptr<SymbolTable> Symbols; ///< null until asked for
  bool SymbolsFailed = false;
  /// What it looks like in memory.
  std::vector<uint8_t> ProgramHeaders;
  std::vector<LoadedObject::Note> Notes;
};

} // namespace

struct Image::State {
  PathPool Paths;
  // Others hold on to their elements.
  std::deque<ImageModule> Modules;
  std::vector<ModuleFile> Files; ///< by the same index
  std::deque<ImageUnit> Units;
  std::vector<MappedCode> Mapped;         ///< when the modules were looked at
  std::vector<llvm::DWARFUnit *> DwarfOf; ///< by the index of the unit
  llvm::StringMap<std::vector<size_t>> UnitsByPath;
  std::vector<std::unique_ptr<UnitDetails>> Details; ///< by unit; null: unread
  /// Data that the executable exports: name -> address.
  std::optional<llvm::StringMap<uint64_t>> ExecutableExports;

  void addModule(ImageModule Module, std::unique_ptr<ElfFile> File,
                 SourcePaths &Resolver);
  Error addObject(LoadedObject Object, std::string Path, const FileSystem &FS,
                  SourcePaths &Resolver);
  void addLibrary(StringRef Path, const FileSystem &FS, SourcePaths &Resolver);
  bool has(const LoadedObject &Object, size_t Module) const;
  void close(size_t Module);
  Expected<const SymbolTable *> readSymbols(size_t Module);
  const SymbolTable *symbols(size_t Module);
  std::optional<uint64_t> preferredInExecutable(size_t Module,
                                                const ElfSymbol &Symbol);
  const ModuleFile *fileAt(ProgramAddr A, uint64_t &FileAddress) const;
  Error readDetails(size_t Unit);
};

void Image::State::addModule(ImageModule Module, std::unique_ptr<ElfFile> File,
                             SourcePaths &Resolver) {
  size_t Index = Module.Index = Modules.size();
  ModuleFile Entry;
  if (File) {
    Module.PIE = Module.Executable && File->isPositionIndependent();
    Module.Text = {ProgramAddr(File->textBegin() + Module.LoadBias),
                   ProgramAddr(File->textEnd() + Module.LoadBias)};
    Entry.Dwarf = DwarfUnits::read(*File, Resolver);
    Module.DebugProblem = Entry.Dwarf->problem();
    Module.HasDebugInfo = !Entry.Dwarf->units().empty();
    for (DwarfUnits::Unit &U : Entry.Dwarf->units()) {
      U.Head.Module = Index;
      U.Head.Index = Units.size();
      UnitsByPath[U.Head.Path].push_back(Units.size());
      Units.push_back(std::move(U.Head));
      DwarfOf.push_back(U.Dwarf);
    }
    Entry.File = std::move(File);
  }
  Details.resize(Units.size());
  Modules.push_back(std::move(Module));
  Files.push_back(std::move(Entry));
}

Expected<const SymbolTable *> Image::State::readSymbols(size_t Module) {
  ModuleFile &M = Files[Module];
  if (!M.Symbols && M.File) {
    Expected<std::unique_ptr<SymbolTable>> Read =
        SymbolTable::read(*M.File, Modules[Module].LoadBias);
    if (!Read)
      return Read.takeError();
    M.Symbols = std::move(*Read);
  }
  return M.Symbols.get();
}

/// For lookups, which have no way to fail: a table that cannot be read has no
/// names. Where that would be taken for a fact, details() reports it.
const SymbolTable *Image::State::symbols(size_t Module) {
  if (Files[Module].SymbolsFailed)
    return nullptr;
  Expected<const SymbolTable *> Table = readSymbols(Module);
  if (Table)
    return *Table;
  llvm::consumeError(Table.takeError());
  Files[Module].SymbolsFailed = true;
  return nullptr;
}

static bool isShared(SymbolKind Kind) {
  return Kind == SymbolKind::Data || Kind == SymbolKind::Function;
}

/// What a shared object defines and the executable exports too is the
/// executable's. So is a variable that the executable refers to without PIC:
/// the linker reserves room for it there and exports that, and the dynamic
/// linker copies the initial value.
std::optional<uint64_t>
Image::State::preferredInExecutable(size_t Module, const ElfSymbol &Symbol) {
  bool CanBeMoved = !Modules[Module].Executable && Symbol.Interposable &&
                    isShared(Symbol.Kind) &&
                    !Files[Module].File->bindsToItself();
  auto Executable =
      llvm::find_if(Modules, [](const ImageModule &M) { return M.Executable; });
  if (!CanBeMoved || Executable == Modules.end())
    return std::nullopt;
  if (!ExecutableExports) {
    ExecutableExports.emplace();
    const ElfFile *File = Files[Executable->Index].File.get();
    Expected<std::vector<ElfSymbol>> Exported =
        File ? File->dynamicSymbols() : std::vector<ElfSymbol>();
    if (!Exported) {
      llvm::consumeError(Exported.takeError());
      return std::nullopt;
    }
    for (const ElfSymbol &S : *Exported)
      if (isShared(S.Kind) && S.Interposable)
        ExecutableExports->try_emplace(S.Name,
                                       S.Address + Executable->LoadBias);
  }
  auto Found = ExecutableExports->find(Symbol.Name);
  if (Found == ExecutableExports->end())
    return std::nullopt;
  return Found->second;
}

const ModuleFile *Image::State::fileAt(ProgramAddr A,
                                       uint64_t &FileAddress) const {
  for (size_t I = 0; I != Modules.size(); ++I) {
    FileAddress = A.value() - Modules[I].LoadBias;
    const ModuleFile &M = Files[I];
    if (M.File && (M.File->sectionAt(FileAddress) ||
                   !M.File->bytes(FileAddress, 1).empty()))
      return &M;
  }
  return nullptr;
}

Error Image::State::readDetails(size_t Unit) {
  if (!Modules[Units[Unit].Module].Loaded)
    return makeError("{}: the program has closed {}", Units[Unit].Path,
                     Modules[Units[Unit].Module].Path);
  if (Units[Unit].LTO)
    return makeError("{}: its code was made by link time optimization",
                     Units[Unit].Path);
  size_t Module = Units[Unit].Module;
  ModuleFile &M = Files[Module];
  Expected<const SymbolTable *> Symbols = readSymbols(Module);
  if (!Symbols)
    return Symbols.takeError();
  UnitReader Reader(*DwarfOf[Unit], *M.Dwarf, *M.File, **Symbols,
                    Modules[Module].LoadBias);
  Expected<UnitDetails> Read = Reader.read();
  // The entries are read once; in a large unit they take tens of megabytes.
  DwarfOf[Unit]->clear();
  if (!Read)
    return makeError("{}: {}", Units[Unit].Path,
                     llvm::toString(Read.takeError()));
  for (ImageVariable &V : Read->Variables) {
    if (V.Storage != StorageKind::Address || V.Symbol.empty())
      continue;
    const ElfSymbol *Symbol = (*Symbols)->findExternal(V.Symbol);
    if (!Symbol ||
        Symbol->Address + Modules[Module].LoadBias != V.Address.value())
      continue;
    if (std::optional<uint64_t> Copy = preferredInExecutable(Module, *Symbol))
      V.Address = ProgramAddr(*Copy);
  }
  Details[Unit] = std::make_unique<UnitDetails>(std::move(*Read));
  return Error::success();
}

Image::Image() = default;
Image::~Image() = default;

/// Whether File is the one that Object was loaded from.
static bool isSameBuild(const ElfFile &File, const LoadedObject &Object) {
  if (File.programHeaderBytes() != ArrayRef(Object.ProgramHeaders))
    return false;
  return llvm::all_of(Object.Notes, [&](const LoadedObject::Note &N) {
    return File.bytes(N.Address, N.Bytes.size()) == ArrayRef(N.Bytes);
  });
}

static Expected<std::unique_ptr<ElfFile>> openFile(StringRef Path) {
  // Mapped, not read: debug info may be gigabytes, of which little is used.
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> Contents =
      llvm::MemoryBuffer::getFile(Path, /*IsText=*/false,
                                  /*RequiresNullTerminator=*/false);
  if (!Contents)
    return makeError("{}: cannot read: {}", Path,
                     Contents.getError().message());
  return ElfFile::create(std::move(*Contents));
}

static int64_t modifiedAt(const FileSystem &FS, StringRef Path) {
  Expected<FileStatus> Status = FS.status(Path);
  if (!Status) {
    llvm::consumeError(Status.takeError()); // Gone: as old as can be.
    return 0;
  }
  return std::chrono::duration_cast<std::chrono::seconds>(Status->Modified)
      .count();
}

/// Path with symbolic links resolved, or as it is.
static std::string realPathOr(const FileSystem &FS, StringRef Path) {
  Expected<std::string> Real = FS.realPath(Path);
  if (Real)
    return *Real;
  llvm::consumeError(Real.takeError());
  return Path.str();
}

/// Whether Object is something to know about, and by which path.
static std::optional<std::string> pathOf(const LoadedObject &Object,
                                         const FileSystem &FS,
                                         ArrayRef<std::string> Skip) {
  if (Object.Vdso || (Object.Path.empty() && !Object.Executable))
    return std::nullopt;
  std::string Path = realPathOr(FS, Object.Path);
  if (llvm::is_contained(Skip, Path))
    return std::nullopt;
  return Path;
}

Error Image::State::addObject(LoadedObject Object, std::string Path,
                              const FileSystem &FS, SourcePaths &Resolver) {
  std::string File = Object.Executable ? "/proc/thread-self/exe" : Object.Path;
  ImageModule Module;
  Module.Path = std::move(Path);
  Module.Name = Object.Path;
  Module.LoadBias = Object.LoadBias;
  Module.Executable = Object.Executable;
  Module.TlsModuleId = Object.TlsModuleId;
  Module.TlsBlockOffset = Object.TlsBlockOffset;
  Module.FileModified = modifiedAt(FS, File);
  Expected<std::unique_ptr<ElfFile>> Opened = openFile(File);
  if (!Opened && Object.Executable)
    return Opened.takeError();
  if (!Opened)
    Module.DebugProblem = llvm::toString(Opened.takeError());
  else if (!isSameBuild(**Opened, Object)) {
    Module.DebugProblem = "the file was replaced after it was loaded";
    Opened->reset();
  }
  addModule(std::move(Module), Opened ? std::move(*Opened) : nullptr, Resolver);
  Files.back().ProgramHeaders = std::move(Object.ProgramHeaders);
  Files.back().Notes = std::move(Object.Notes);
  return Error::success();
}

Expected<std::unique_ptr<Image>>
Image::ofThisProcess(const FileSystem &FS, ArrayRef<std::string> Skip) {
  std::unique_ptr<Image> I(new Image);
  I->S = std::make_unique<State>();
  I->S->Mapped = mappedCode();
  SourcePaths Paths(FS, I->S->Paths);
  for (LoadedObject &Object : loadedObjects())
    if (std::optional<std::string> Path = pathOf(Object, FS, Skip))
      if (Error E = I->S->addObject(std::move(Object), *Path, FS, Paths))
        return std::move(E);
  return I;
}

bool Image::isCurrent() const { return S->Mapped == mappedCode(); }

/// What was closed and is back at its place between two looks is what it was:
/// nobody changes an object and lets it be unloaded (Stages::hold).
bool Image::State::has(const LoadedObject &Object, size_t Module) const {
  const ImageModule &M = Modules[Module];
  return M.Loaded && M.LoadBias == Object.LoadBias && M.Name == Object.Path &&
         Files[Module].ProgramHeaders == Object.ProgramHeaders &&
         Files[Module].Notes == Object.Notes;
}

void Image::State::close(size_t Module) {
  ImageModule &M = Modules[Module];
  M.Loaded = false;
  M.Text = {};
  M.HasDebugInfo = false;
  for (auto &Entry : UnitsByPath)
    llvm::erase_if(Entry.second,
                   [&](size_t Unit) { return Units[Unit].Module == Module; });
  // What was read refers to the file.
  Files[Module].Symbols.reset();
  Files[Module].Dwarf.reset();
  Files[Module].File.reset();
}

Image::Changes Image::update(const FileSystem &FS, ArrayRef<std::string> Skip) {
  Changes Result;
  // Looked at before: what is loaded meanwhile is seen twice, not missed.
  S->Mapped = mappedCode();
  SourcePaths Paths(FS, S->Paths);
  std::vector<bool> IsThere(S->Modules.size());
  std::vector<std::pair<LoadedObject, std::string>> New;
  for (LoadedObject &Object : loadedObjects()) {
    std::optional<std::string> Path = pathOf(Object, FS, Skip);
    if (!Path)
      continue;
    size_t Known = 0;
    while (Known != IsThere.size() && !S->has(Object, Known))
      ++Known;
    if (Known != IsThere.size())
      IsThere[Known] = true;
    else
      New.push_back({std::move(Object), std::move(*Path)});
  }
  for (size_t I = 0; I != IsThere.size(); ++I)
    if (!IsThere[I] && S->Modules[I].Loaded && !S->Modules[I].Executable) {
      S->close(I);
      Result.Closed.push_back(I);
    }
  for (auto &[Object, Path] : New) {
    if (Object.Executable)
      continue; // its headers were written to; it is the same
    // Fails for an executable only.
    llvm::consumeError(S->addObject(std::move(Object), Path, FS, Paths));
    Result.Loaded.push_back(S->Modules.size() - 1);
  }
  return Result;
}

/// More than a shared object of any code model but the large takes.
static constexpr uint64_t MadeUpSpace = uint64_t(4) << 30;

/// One that is not loaded.
void Image::State::addLibrary(StringRef Path, const FileSystem &FS,
                              SourcePaths &Resolver) {
  ImageModule Module;
  Module.Path = realPathOr(FS, Path);
  Module.Name = Path.str();
  Module.LoadBias = Modules.size() * MadeUpSpace;
  Module.FileModified = modifiedAt(FS, Path);
  Expected<std::unique_ptr<ElfFile>> Opened = openFile(Path);
  if (!Opened)
    Module.DebugProblem = llvm::toString(Opened.takeError());
  else if ((*Opened)->tlsSize())
    Module.TlsModuleId = Modules.size() + 1;
  addModule(std::move(Module), Opened ? std::move(*Opened) : nullptr, Resolver);
}

Expected<std::unique_ptr<Image>>
Image::ofFile(const FileSystem &FS, StringRef Path,
              ArrayRef<std::string> Libraries) {
  Expected<std::string> Bytes = FS.read(Path);
  if (!Bytes)
    return Bytes.takeError();
  Expected<std::unique_ptr<ElfFile>> File =
      ElfFile::create(llvm::MemoryBuffer::getMemBufferCopy(*Bytes, Path));
  if (!File)
    return File.takeError();
  std::unique_ptr<Image> I(new Image);
  I->S = std::make_unique<State>();
  SourcePaths Paths(FS, I->S->Paths);
  ImageModule Module;
  Module.Path = realPathOr(FS, Path);
  Module.Executable = (*File)->isExecutable();
  Module.FileModified = modifiedAt(FS, Path);
  Module.TlsModuleId = (*File)->tlsSize() != 0;
  I->S->addModule(std::move(Module), std::move(*File), Paths);
  for (const std::string &Library : Libraries)
    I->S->addLibrary(Library, FS, Paths);
  return I;
}

Expected<std::unique_ptr<Image>> Image::ofObject(StringRef Bytes,
                                                 StringRef Name) {
  Expected<std::unique_ptr<ElfFile>> File =
      ElfFile::create(llvm::MemoryBuffer::getMemBufferCopy(Bytes, Name));
  if (!File)
    return File.takeError();
  RealFileSystem FS; // For the real paths of sources.
  std::unique_ptr<Image> I(new Image);
  I->S = std::make_unique<State>();
  SourcePaths Paths(FS, I->S->Paths);
  ImageModule Module;
  Module.Path = Name.str();
  Module.TlsModuleId = (*File)->tlsSize() != 0;
  I->S->addModule(std::move(Module), std::move(*File), Paths);
  return I;
}

const ImageUnit &Image::addUnit(StringRef Path, const ImageUnit &Like) {
  ImageUnit Unit;
  Unit.Path = Path.str();
  Unit.Directory = Like.Directory;
  Unit.By = Like.By;
  Unit.ProducerText = Like.ProducerText;
  Unit.Module = Like.Module;
  Unit.Index = S->Units.size();
  S->UnitsByPath[Path].push_back(Unit.Index);
  S->Units.push_back(std::move(Unit));
  S->DwarfOf.push_back(nullptr);
  S->Details.push_back(std::make_unique<UnitDetails>());
  return S->Units.back();
}

const std::deque<ImageModule> &Image::modules() const { return S->Modules; }
const std::deque<ImageUnit> &Image::units() const { return S->Units; }

std::vector<const ImageUnit *> Image::findUnits(StringRef Path) const {
  std::vector<const ImageUnit *> Found;
  auto Entry = S->UnitsByPath.find(Path);
  if (Entry != S->UnitsByPath.end())
    for (size_t I : Entry->second)
      Found.push_back(&S->Units[I]);
  return Found;
}

Expected<const UnitDetails *> Image::details(const ImageUnit &Unit) const {
  size_t Index = Unit.Index;
  if (Index >= S->Units.size() || &S->Units[Index] != &Unit)
    return makeError("{}: not a unit of this image", Unit.Path);
  if (!S->Details[Index])
    if (Error E = S->readDetails(Index))
      return std::move(E);
  return S->Details[Index].get();
}

std::optional<ProgramAddr> Image::findSymbol(const ImageModule &Module,
                                             StringRef Symbol) const {
  size_t Index = Module.Index;
  const SymbolTable *Table = S->symbols(Index);
  const ElfSymbol *Found = Table ? Table->findExternal(Symbol) : nullptr;
  if (!Found || Found->Kind == SymbolKind::Resolver ||
      Found->Kind == SymbolKind::ThreadLocal)
    return std::nullopt;
  if (std::optional<uint64_t> Copy = S->preferredInExecutable(Index, *Found))
    return ProgramAddr(*Copy);
  return ProgramAddr(Found->Address + Module.LoadBias);
}

std::vector<const ImageFunction *>
Image::findFunctions(const ImageModule &Module, StringRef Symbol) const {
  const SymbolTable *Table = S->symbols(Module.Index);
  return Table ? Table->findFunctions(Symbol)
               : std::vector<const ImageFunction *>();
}

std::vector<ImageSymbol> Image::findData(const ImageModule &Module,
                                         StringRef Symbol) const {
  const SymbolTable *Table = S->symbols(Module.Index);
  return Table ? Table->findData(Symbol) : std::vector<ImageSymbol>();
}

std::vector<ImageThreadLocal> Image::findThreadLocals(const ImageModule &Module,
                                                      StringRef Symbol) const {
  const SymbolTable *Table = S->symbols(Module.Index);
  return Table ? Table->findThreadLocals(Symbol)
               : std::vector<ImageThreadLocal>();
}

bool Image::hasLocalSymbols(const ImageModule &Module) const {
  const SymbolTable *Table = S->symbols(Module.Index);
  return Table && Table->hasLocals();
}

std::vector<std::string> Image::sourceNames(const ImageModule &Module) const {
  const ElfFile *File = S->Files[Module.Index].File.get();
  return File ? File->sourceNames() : std::vector<std::string>();
}

const ImageFunction *Image::functionAt(ProgramAddr A) const {
  for (size_t I = 0; I != S->Modules.size(); ++I) {
    if (!S->Modules[I].Text.contains(A))
      continue;
    const SymbolTable *Table = S->symbols(I);
    return Table ? Table->functionAt(A.value() - S->Modules[I].LoadBias)
                 : nullptr;
  }
  return nullptr;
}

std::optional<Image::Line> Image::lineAt(const ImageUnit &Unit,
                                         ProgramAddr A) const {
  const ModuleFile &M = S->Files[Unit.Module];
  if (!S->Modules[Unit.Module].Loaded || !S->DwarfOf[Unit.Index])
    return std::nullopt;
  uint64_t FileAddress = A.value() - S->Modules[Unit.Module].LoadBias;
  std::optional<Line> Found =
      M.Dwarf->lineAt(*S->DwarfOf[Unit.Index], FileAddress);
  // As in readDetails.
  S->DwarfOf[Unit.Index]->clear();
  return Found;
}

std::vector<AddrRange> Image::codeOf(const ImageUnit &Unit) const {
  const ImageModule &M = S->Modules[Unit.Module];
  if (!M.Loaded || !S->DwarfOf[Unit.Index])
    return {};
  std::vector<AddrRange> Code;
  Expected<llvm::DWARFAddressRangesVector> Ranges =
      S->DwarfOf[Unit.Index]->collectAddressRanges();
  S->DwarfOf[Unit.Index]->clear(); // As in readDetails.
  if (!Ranges) {
    llvm::consumeError(Ranges.takeError()); // Has no code that can be found.
    return {};
  }
  for (const llvm::DWARFAddressRange &R : *Ranges) {
    AddrRange There{ProgramAddr(R.LowPC + M.LoadBias),
                    ProgramAddr(R.HighPC + M.LoadBias)};
    // What the linker threw away is somewhere else.
    if (There.Begin < There.End && M.Text.contains(There.Begin))
      Code.push_back(There);
  }
  return Code;
}

size_t Image::functionCount() const {
  size_t Count = 0;
  for (size_t I = 0; I != S->Modules.size(); ++I)
    if (S->Modules[I].HasDebugInfo)
      if (const SymbolTable *Table = S->symbols(I))
        Count += Table->functionCount();
  return Count;
}

ArrayRef<uint8_t> Image::fileBytes(ProgramAddr A, uint64_t Size) const {
  uint64_t FileAddress = 0;
  const ModuleFile *M = S->fileAt(A, FileAddress);
  return M ? M->File->bytes(FileAddress, Size) : ArrayRef<uint8_t>();
}

} // namespace hotjit
