// Stubs are added for as long as the program runs, into pages that hold stubs
// which its threads execute. Taking X away while writing would fault those
// threads, and RWX pages are refused by hardened kernels and loved by
// attackers. So the pages belong to a memfd that is mapped twice: readable and
// executable where code runs, readable and writable somewhere else. Neither
// mapping ever changes its protection.
//
// The memory is sparse: only pages that were written to exist. It is shared
// with children that the program forks, and that is fine as long as bytes never
// change once they are known: the child sees stubs that it has no use for. What
// does change (the tables, and which is current) is private memory.

#include "Patch/os/linux/CodeRegion.h"

#include "Patch/os/linux/MemoryMap.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Support/NearRegion.h"
#include "llvm/Support/Errno.h"
#include <cstring>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

// Linux 6.3; asked for first so that vm.memfd_noexec=1 is no obstacle.
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace hotjit {

using llvm::Error;
using llvm::Expected;

static int createMemfd() {
  int Descriptor = ::memfd_create("hotjit-stubs", MFD_CLOEXEC | MFD_EXEC);
  if (Descriptor < 0 && errno == EINVAL)
    Descriptor = ::memfd_create("hotjit-stubs", MFD_CLOEXEC);
  return Descriptor;
}

static Error systemError(const char *Call) {
  return makeError("memory for stubs: {}: {} (HJ3002)", Call,
                   llvm::sys::StrError(errno));
}

Expected<CodeRegion> CodeRegion::mapOver(AddrRange Reserved) {
  uint64_t Size = Reserved.size();
  void *Place = reinterpret_cast<void *>(Reserved.Begin.value());
  int Descriptor = createMemfd();
  if (Descriptor < 0) {
    Error E = systemError("memfd_create");
    ::munmap(Place, Size);
    return std::move(E);
  }
  Error E = Error::success();
  void *Alias = MAP_FAILED;
  if (::ftruncate(Descriptor, Size) != 0)
    E = llvm::joinErrors(std::move(E), systemError("ftruncate"));
  else if ((Alias = ::mmap(nullptr, Size, PROT_READ | PROT_WRITE, MAP_SHARED,
                           Descriptor, 0)) == MAP_FAILED)
    E = llvm::joinErrors(std::move(E), systemError("mmap"));
  // Over our own reservation, so MAP_FIXED replaces nothing of the program's.
  else if (::mmap(Place, Size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
                  Descriptor, 0) == MAP_FAILED)
    E = llvm::joinErrors(std::move(E), systemError("mmap for execution"));
  // The mappings keep the pages.
  ::close(Descriptor);
  if (!E)
    return CodeRegion(Reserved, static_cast<uint8_t *>(Alias));
  if (Alias != MAP_FAILED)
    ::munmap(Alias, Size);
  ::munmap(Place, Size);
  return std::move(E);
}

Expected<CodeRegion> CodeRegion::near(AddrRange Anchor, uint64_t Size) {
  Expected<AddrRange> Reserved = reserveNear(Anchor, Size);
  if (!Reserved)
    return makeError("{} (HJ3003)", llvm::toString(Reserved.takeError()));
  return mapOver(*Reserved);
}

Expected<CodeRegion> CodeRegion::at(AddrRange Range) {
  if (Error E = reserveAt(Range.Begin, Range.size()))
    return std::move(E);
  return mapOver(Range);
}

Expected<std::vector<AddrRange>> growingRanges() {
  // stack_guard_gap is 256 pages unless it was set on the kernel's command
  // line.
  constexpr uint64_t Gap = 2ULL << 20;
  // With no limit on it a stack could take all; nobody's does.
  constexpr uint64_t Most = 64ULL << 20;
  Expected<std::vector<Mapping>> Map = readMemoryMap();
  if (!Map)
    return Map.takeError();
  struct rlimit Limit = {};
  uint64_t Size = Most;
  if (::getrlimit(RLIMIT_STACK, &Limit) == 0)
    Size = std::min<uint64_t>(Limit.rlim_cur, Most);
  std::vector<AddrRange> Ranges;
  for (const Mapping &M : *Map)
    if (M.Path == "[stack]")
      Ranges.push_back(
          {M.Range.End + -static_cast<int64_t>(Size + Gap), M.Range.End});
  return Ranges;
}

void CodeRegion::write(ProgramAddr At, llvm::ArrayRef<uint8_t> Bytes) {
  bool Inside = Range.contains(At) &&
                Bytes.size() <= static_cast<uint64_t>(Range.End - At);
  HOTJIT_ASSERT(Inside, "write outside the code region");
  if (Inside)
    std::memcpy(Alias + (At - Range.Begin), Bytes.data(), Bytes.size());
}

} // namespace hotjit
