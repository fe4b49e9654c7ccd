// The objects that make up this process, from the dynamic linker itself.
//
// A file on disk may have been rebuilt since it was loaded. To notice, the
// program headers and the notes (the build id is one) are copied from memory:
// they are what the loaded file had.
//
// The callback runs under the dynamic linker's lock: it copies and returns.
// This file includes <link.h>, whose macros do not go with LLVM's ELF headers.

#include "Image/LoadedObjects.h"

#include <climits>
#include <cstring>
#include <link.h>
#include <string_view>
#include <sys/auxv.h>
#include <unistd.h>
#include <utility>

namespace hotjit {

static uint64_t threadPointer() {
  return reinterpret_cast<uint64_t>(__builtin_thread_pointer());
}

/// Whether [Address, Address+Size) was loaded and may be read.
static bool isReadable(const dl_phdr_info &Info, uint64_t Address,
                       uint64_t Size) {
  for (int I = 0; I != Info.dlpi_phnum; ++I) {
    const ElfW(Phdr) &P = Info.dlpi_phdr[I];
    bool Loaded = P.p_type == PT_LOAD && (P.p_flags & PF_R);
    if (Loaded && Address >= P.p_vaddr && Address - P.p_vaddr <= P.p_filesz &&
        Size <= P.p_filesz - (Address - P.p_vaddr))
      return true;
  }
  return false;
}

static std::vector<uint8_t> copyBytes(const void *From, size_t Size) {
  std::vector<uint8_t> Bytes(Size);
  if (Size != 0)
    std::memcpy(Bytes.data(), From, Size);
  return Bytes;
}

/// The dynamic linker has no name for the executable.
static std::string executablePath() {
  char Buffer[PATH_MAX];
  ssize_t Size = ::readlink("/proc/thread-self/exe", Buffer, sizeof Buffer);
  std::string Path(Buffer, Size > 0 ? static_cast<size_t>(Size) : 0);
  // What the kernel appends once the file was removed or renamed over.
  static constexpr std::string_view Gone = " (deleted)";
  if (Path.ends_with(Gone))
    Path.resize(Path.size() - Gone.size());
  return Path;
}

/// The executable's block is in static TLS by definition: its code was linked
/// with offsets from the thread pointer. Of other objects the dynamic linker
/// does not tell.
static std::optional<int64_t> blockOffset(const dl_phdr_info &Info,
                                          bool First) {
  if (!First || Info.dlpi_tls_modid == 0 || !Info.dlpi_tls_data)
    return std::nullopt;
  return static_cast<int64_t>(reinterpret_cast<uint64_t>(Info.dlpi_tls_data) -
                              threadPointer());
}

static LoadedObject describe(const dl_phdr_info &Info, bool First) {
  LoadedObject Object;
  Object.Path = First ? executablePath() : Info.dlpi_name;
  Object.LoadBias = Info.dlpi_addr;
  Object.Executable = First;
  Object.ProgramHeaders =
      copyBytes(Info.dlpi_phdr, Info.dlpi_phnum * sizeof(ElfW(Phdr)));
  uint64_t Vdso = ::getauxval(AT_SYSINFO_EHDR);
  for (int I = 0; I != Info.dlpi_phnum; ++I) {
    const ElfW(Phdr) &P = Info.dlpi_phdr[I];
    if (P.p_type == PT_LOAD && P.p_offset == 0)
      Object.Vdso |= Vdso != 0 && Info.dlpi_addr + P.p_vaddr == Vdso;
    if (P.p_type == PT_NOTE && isReadable(Info, P.p_vaddr, P.p_filesz))
      Object.Notes.push_back(
          {P.p_vaddr,
           copyBytes(reinterpret_cast<const void *>(Info.dlpi_addr + P.p_vaddr),
                     P.p_filesz)});
  }
  Object.TlsModuleId = Info.dlpi_tls_modid;
  Object.TlsBlockOffset = blockOffset(Info, First);
  return Object;
}

std::vector<LoadedObject> loadedObjects() {
  std::vector<LoadedObject> Objects;
  ::dl_iterate_phdr(
      [](dl_phdr_info *Info, size_t, void *Out) {
        auto &Objects = *static_cast<std::vector<LoadedObject> *>(Out);
        Objects.push_back(describe(*Info, Objects.empty()));
        return 0;
      },
      &Objects);
  return Objects;
}

static uint64_t tlsSize(const dl_phdr_info &Info) {
  for (int I = 0; I != Info.dlpi_phnum; ++I)
    if (Info.dlpi_phdr[I].p_type == PT_TLS)
      return Info.dlpi_phdr[I].p_memsz;
  return 0;
}

std::optional<ThreadLocalPlace> threadLocalAt(ProgramAddr Address) {
  struct Search {
    uint64_t Address;
    bool First = true;
    std::optional<ThreadLocalPlace> Found;
  } S{Address.value(), true, {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info *Info, size_t, void *Out) {
        auto &S = *static_cast<Search *>(Out);
        bool First = std::exchange(S.First, false);
        auto Block = reinterpret_cast<uint64_t>(Info->dlpi_tls_data);
        if (Block == 0 || S.Address - Block >= tlsSize(*Info))
          return 0;
        S.Found = {Info->dlpi_tls_modid, S.Address - Block,
                   blockOffset(*Info, First)};
        return 1;
      },
      &S);
  return S.Found;
}

} // namespace hotjit
