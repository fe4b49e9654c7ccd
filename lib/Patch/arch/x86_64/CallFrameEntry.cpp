// The records of .eh_frame, of which every unwinder begins with two: the FDE of
// the function at hand, and the CIE with what many functions have in common.
//
// Formats: DWARF 5, 6.4.1 and 6.4.2; LSB Core, "Exception Frames".

#include "Patch/arch/x86_64/CallFrameEntry.h"

#include "Support/Error.h"
#include "llvm/BinaryFormat/Dwarf.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/LEB128.h"
#include <cstring>
#include <string>

// libgcc's, by which the unwinder itself finds a function's table.
struct dwarf_eh_bases {
  void *tbase;
  void *dbase;
  void *func;
};
extern "C" const void *_Unwind_Find_FDE(void *, struct dwarf_eh_bases *);

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

namespace dwarf = llvm::dwarf;
namespace endian = llvm::support::endian;

Error unclearTable(const char *What) {
  return makeError("its unwind information is unclear: {}", What);
}

void FrameBytes::skip(uint64_t Size) {
  if (Size > uint64_t(End - At))
    Failed = true;
  At = Failed ? End : At + Size;
}

uint8_t FrameBytes::byte() {
  const uint8_t *Here = At;
  skip(1);
  return Failed ? 0 : *Here;
}

uint64_t FrameBytes::fixed(unsigned Size) {
  uint8_t Copy[8] = {};
  const uint8_t *Here = At;
  skip(Size);
  if (!Failed)
    std::memcpy(Copy, Here, Size);
  return endian::read64le(Copy);
}

template <typename T>
T FrameBytes::leb(T (*Decode)(const uint8_t *, unsigned *, const uint8_t *,
                              const char **)) {
  unsigned Size = 0;
  const char *Problem = nullptr;
  T Value = Decode(At, &Size, End, &Problem);
  Failed |= Problem != nullptr;
  skip(Size);
  return Value;
}

uint64_t FrameBytes::uleb() { return leb(llvm::decodeULEB128); }
int64_t FrameBytes::sleb() { return leb(llvm::decodeSLEB128); }

namespace {

/// The part of a CIE that its FDEs are read with.
struct CommonEntry {
  CallFrameEntry Shared;    ///< all but the program
  unsigned PointerSize = 8; ///< of the addresses in an FDE
  bool HasAugmentation = false;
};

} // namespace

static unsigned pointerSize(unsigned Encoding) {
  switch (Encoding & 0x0f) {
  case dwarf::DW_EH_PE_udata2:
  case dwarf::DW_EH_PE_sdata2:
    return 2;
  case dwarf::DW_EH_PE_udata4:
  case dwarf::DW_EH_PE_sdata4:
    return 4;
  }
  return 8;
}

static Error readAugmentation(llvm::StringRef Letters, FrameBytes &In,
                              CommonEntry &C) {
  for (char Letter : Letters) {
    if (Letter == 'z') {
      C.HasAugmentation = true;
      In.uleb();
    } else if (Letter == 'R') {
      C.PointerSize = pointerSize(In.byte());
    } else if (Letter == 'L') {
      In.byte();
    } else if (Letter == 'P') {
      In.skip(pointerSize(In.byte()));
    } else if (Letter == 'S') {
      C.Shared.SignalFrame = true;
    } else {
      return unclearTable("augmentation");
    }
  }
  return Error::success();
}

static Expected<CommonEntry> parseCommonEntry(const uint8_t *CIE) {
  uint32_t Length = endian::read32le(CIE);
  if (Length == 0 || Length >= 0xfffffff0)
    return unclearTable("length");
  FrameBytes In(CIE + 4, CIE + 4 + Length);
  CommonEntry C;
  uint64_t Id = In.fixed(4);
  uint8_t Version = In.byte();
  if (Id != 0 || (Version != 1 && Version != 3))
    return unclearTable("version");
  std::string Augmentation;
  while (char Letter = static_cast<char>(In.byte()))
    Augmentation += Letter;
  C.Shared.CodeAlignment = In.uleb();
  C.Shared.DataAlignment = In.sleb();
  uint64_t Return = Version == 1 ? In.byte() : In.uleb();
  if (Return != DwarfReturnAddress)
    return unclearTable("return address register");
  if (Error E = readAugmentation(Augmentation, In, C))
    return std::move(E);
  if (In.Failed)
    return unclearTable("it ends early");
  C.Shared.Initial = ArrayRef<uint8_t>(In.position(), CIE + 4 + Length);
  return C;
}

Expected<CallFrameEntry> parseCallFrameEntry(const uint8_t *FDE) {
  uint32_t Size = endian::read32le(FDE);
  if (Size == 0 || Size >= 0xfffffff0)
    return unclearTable("length");
  uint32_t Delta = endian::read32le(FDE + 4);
  Expected<CommonEntry> C = parseCommonEntry(FDE + 4 - Delta);
  if (!C)
    return C.takeError();
  FrameBytes In(FDE + 8, FDE + 4 + Size);
  In.skip(2 * C->PointerSize);
  if (C->HasAugmentation)
    In.skip(In.uleb());
  if (In.Failed)
    return unclearTable("it ends early");
  CallFrameEntry Entry = C->Shared;
  Entry.Program = ArrayRef<uint8_t>(In.position(), FDE + 4 + Size);
  return Entry;
}

std::optional<FoundCallFrameEntry> findCallFrameEntry(ProgramAddr Code) {
  dwarf_eh_bases Bases = {};
  auto *FDE = static_cast<const uint8_t *>(
      _Unwind_Find_FDE(reinterpret_cast<void *>(Code.value()), &Bases));
  if (!FDE)
    return std::nullopt;
  return FoundCallFrameEntry{
      FDE, ProgramAddr(reinterpret_cast<uint64_t>(Bases.func))};
}

} // namespace hotjit
