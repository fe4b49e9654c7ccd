// Before "ready" is said hotjit must know which files the program was built
// from, and nothing more; reading all debug info of a large program takes
// seconds. So this file reads of each unit the first entry and the head of its
// line table, which lists the files, and leaves the rest to UnitReader.
//
// Debug info that stands elsewhere is named and not used: a .dwo file or a dwz
// file may be older than the program, and half of a unit is worse than none.

#include "Image/Units.h"

#include "Image/Producer.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/DebugInfo/DWARF/DWARFCompileUnit.h"
#include "llvm/Support/Path.h"

namespace hotjit {

using llvm::DWARFDebugLine;
using llvm::DWARFDie;
using llvm::DWARFUnit;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace dwarf = llvm::dwarf;

StringRef SourcePaths::resolve(StringRef Path) {
  auto [Entry, New] = Known.try_emplace(Path);
  if (!New)
    return Entry->second;
  Expected<std::string> Real = FS.realPath(Path);
  if (Real) {
    Entry->second = Pool.try_emplace(*Real).first->first();
    return Entry->second;
  }
  llvm::consumeError(Real.takeError()); // Gone since the build.
  llvm::SmallString<256> Plain(Path);
  llvm::sys::path::remove_dots(Plain, /*remove_dot_dot=*/true);
  Entry->second = Pool.try_emplace(Plain).first->first();
  return Entry->second;
}

namespace {

/// Gives the sections of a relocatable object the addresses that ElfFile made
/// up for them, so that relocated debug info and symbols agree.
class MadeUpAddresses final
    : public llvm::LoadedObjectInfoHelper<MadeUpAddresses> {
public:
  explicit MadeUpAddresses(const ElfFile &File) : File(&File) {}
  uint64_t
  getSectionLoadAddress(const llvm::object::SectionRef &S) const override {
    return File->addressOfSection(static_cast<unsigned>(S.getIndex()));
  }

private:
  const ElfFile *File;
};

} // namespace

void DwarfUnits::note(const llvm::Twine &Text) {
  if (Problem.empty())
    Problem = Text.str();
}

std::unique_ptr<DwarfUnits> DwarfUnits::read(const ElfFile &File,
                                             SourcePaths &Paths) {
  std::unique_ptr<DwarfUnits> Read(new DwarfUnits);
  using Relocations = llvm::DWARFContext::ProcessDebugRelocations;
  if (File.isRelocatable())
    Read->Addresses = std::make_unique<MadeUpAddresses>(File);
  auto Complain = [R = Read.get()](Error E) {
    std::string Text = llvm::toString(std::move(E));
    if (R->Complaint.empty())
      R->Complaint = std::move(Text);
  };
  Read->Context = llvm::DWARFContext::create(
      File.object(),
      File.isRelocatable() ? Relocations::Process : Relocations::Ignore,
      Read->Addresses.get(), "", Complain, Complain);
  if (File.hasSection(".gnu_debugaltlink")) {
    Read->note("part of the debug info is in another file (dwz)");
    return Read;
  }
  for (const std::unique_ptr<DWARFUnit> &U : Read->Context->normal_units())
    if (U->isTypeUnit()) {
      Read->note("types have units of their own (-fdebug-types-section)");
      return Read;
    }
  for (const std::unique_ptr<DWARFUnit> &U : Read->Context->compile_units())
    if (!Read->readUnit(*U, Paths)) {
      Read->Units.clear();
      return Read;
    }
  if (Read->Units.empty() && File.hasSection(".zdebug_info"))
    Read->note("compressed in the old GNU way; link with "
               "--compress-debug-sections=zlib");
  if (Read->Units.empty() && !Read->Complaint.empty())
    Read->note(Read->takeComplaint());
  return Read;
}

static std::string absolutePath(StringRef Directory, StringRef Name) {
  llvm::SmallString<256> Path;
  if (!llvm::sys::path::is_absolute(Name))
    Path = Directory;
  llvm::sys::path::append(Path, Name);
  return std::string(Path);
}

bool DwarfUnits::readUnit(DWARFUnit &U, SourcePaths &Paths) {
  if (Error E = U.tryExtractDIEsIfNeeded(/*CUDieOnly=*/true)) {
    note(llvm::toString(std::move(E)));
    return false;
  }
  DWARFDie Die = U.getUnitDIE();
  if (!Die) {
    note("a unit of the debug info cannot be read");
    return false;
  }
  if (Die.getTag() == dwarf::DW_TAG_skeleton_unit ||
      Die.find({dwarf::DW_AT_dwo_name, dwarf::DW_AT_GNU_dwo_name})) {
    note("split DWARF (-gsplit-dwarf)");
    return false;
  }
  if (Die.getTag() != dwarf::DW_TAG_compile_unit)
    return true; // A partial unit (dwz): its contents belong to others.
  Unit Result;
  Result.Dwarf = &U;
  ImageUnit &Head = Result.Head;
  Head.Directory = dwarf::toStringRef(Die.find(dwarf::DW_AT_comp_dir)).str();
  StringRef Name = dwarf::toStringRef(Die.find(dwarf::DW_AT_name));
  Head.Path = Paths.resolve(absolutePath(Head.Directory, Name)).str();
  Head.ProducerText = dwarf::toStringRef(Die.find(dwarf::DW_AT_producer)).str();
  ProducerFacts Facts = parseProducer(Head.ProducerText);
  Head.By = Facts.By;
  Head.OptLevel = Facts.OptLevel;
  Head.LTO = Facts.LTO;
  if (Error E = readSources(U, Head, Paths)) {
    note(llvm::toString(std::move(E)));
    return false;
  }
  Units.push_back(std::move(Result));
  return true;
}

std::optional<Image::Line> Image::lineInObject(StringRef Elf, ProgramAddr A) {
  namespace object = llvm::object;
  llvm::Expected<object::ELF64LEObjectFile> File =
      object::ELF64LEObjectFile::create(llvm::MemoryBufferRef(Elf, ""));
  if (!File) {
    llvm::consumeError(File.takeError());
    return std::nullopt;
  }
  if (llvm::none_of(File->sections(), [&](object::SectionRef S) {
        return S.isText() && S.getAddress() <= A.value() &&
               A.value() - S.getAddress() < S.getSize();
      }))
    return std::nullopt;
  auto Ignore = [](Error E) { llvm::consumeError(std::move(E)); };
  using Context = llvm::DWARFContext;
  std::unique_ptr<Context> Dwarf =
      Context::create(*File, Context::ProcessDebugRelocations::Ignore, nullptr,
                      "", Ignore, Ignore);
  using Info = llvm::DILineInfoSpecifier;
  llvm::DIInliningInfo Calls = Dwarf->getInliningInfoForAddress(
      {A.value(), object::SectionedAddress::UndefSection},
      {Info::FileLineInfoKind::AbsoluteFilePath, Info::FunctionNameKind::None});
  if (Calls.getNumberOfFrames() == 0)
    return std::nullopt;
  // The last is the function itself, those before it were inlined into it.
  const llvm::DILineInfo &Found = Calls.getFrame(Calls.getNumberOfFrames() - 1);
  if (Found.Line == 0)
    return std::nullopt;
  return Image::Line{Found.FileName, Found.Line};
}

std::optional<Image::Line> DwarfUnits::lineAt(DWARFUnit &U,
                                              uint64_t FileAddress) const {
  using Kind = llvm::DILineInfoSpecifier::FileLineInfoKind;
  const DWARFDebugLine::LineTable *Lines = Context->getLineTableForUnit(&U);
  if (!Lines)
    return std::nullopt;
  llvm::DILineInfo Info;
  // From the innermost call that was inlined there to the function itself.
  llvm::SmallVector<DWARFDie, 4> Chain;
  U.getInlinedChainForAddress(FileAddress, Chain);
  if (Chain.size() > 1) {
    uint32_t File = 0, Column = 0, Discriminator = 0;
    Chain[Chain.size() - 2].getCallerFrame(File, Info.Line, Column,
                                           Discriminator);
    if (!Lines->getFileNameByIndex(File, U.getCompilationDir(),
                                   Kind::AbsoluteFilePath, Info.FileName))
      return std::nullopt;
  } else if (!Lines->getFileLineInfoForAddress(
                 {FileAddress, llvm::object::SectionedAddress::UndefSection},
                 /*Approximate=*/false, U.getCompilationDir(),
                 Kind::AbsoluteFilePath, Info)) {
    return std::nullopt;
  }
  if (Info.Line == 0)
    return std::nullopt;
  return Image::Line{Info.FileName, Info.Line};
}

Error DwarfUnits::readSources(DWARFUnit &U, ImageUnit &Head,
                              SourcePaths &Paths) {
  std::optional<uint64_t> Offset =
      dwarf::toSectionOffset(U.getUnitDIE().find(dwarf::DW_AT_stmt_list));
  if (!Offset)
    return Error::success(); // No code, no lines.
  llvm::DWARFDataExtractor Lines(Context->getDWARFObj(), U.getLineSection(),
                                 U.isLittleEndian(), U.getAddressByteSize());
  DWARFDebugLine::Prologue Table;
  uint64_t Position = *Offset;
  std::string Recovered;
  auto Note = [&](Error E) { Recovered = llvm::toString(std::move(E)); };
  if (Error E = Table.parse(Lines, &Position, Note, *Context, &U))
    return E;
  // A file list that was read in part would make a changed file look foreign.
  if (!Recovered.empty())
    return makeError("{}", Recovered);

  std::vector<StringRef> &Names = FileNames[*Offset];
  llvm::SmallPtrSet<const char *, 32> Seen; // resolve() gives equal pointers.
  // Files count from 0 since DWARF 5, from 1 before.
  uint64_t First = Table.getVersion() >= 5 ? 0 : 1;
  Names.assign(First, StringRef());
  for (uint64_t I = First; Table.hasFileAtIndex(I); ++I) {
    std::string Path;
    using Kind = llvm::DILineInfoSpecifier::FileLineInfoKind;
    if (!Table.getFileNameByIndex(I, Head.Directory, Kind::AbsoluteFilePath,
                                  Path))
      return makeError("file {} of the line table of {} has no name", I,
                       Head.Path);
    Names.push_back(Paths.resolve(Path));
    bool MadeUp = llvm::sys::path::filename(Path).starts_with("<");
    if (MadeUp || !Seen.insert(Names.back().data()).second)
      continue; // "<built-in>"; GCC lists the main file as 0 and as 1.
    ImageSource Source{Names.back().str(), std::nullopt};
    if (Table.ContentTypes.HasMD5)
      Source.MD5 = Table.getFileNameEntry(I).Checksum;
    Head.Sources.push_back(std::move(Source));
  }
  return Error::success();
}

llvm::ArrayRef<StringRef> DwarfUnits::fileNames(DWARFUnit &Unit) const {
  std::optional<uint64_t> Offset =
      dwarf::toSectionOffset(Unit.getUnitDIE().find(dwarf::DW_AT_stmt_list));
  auto Table = Offset ? FileNames.find(*Offset) : FileNames.end();
  if (Table == FileNames.end())
    return {};
  return Table->second;
}

} // namespace hotjit
