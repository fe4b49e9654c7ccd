// New code must sit within a 32-bit displacement of the code that it replaces,
// and the kernel, left alone, puts new memory terabytes away from it. So the
// gaps between the program's mappings are read from /proc/thread-self/maps and
// one is asked for by address. Between the look and the asking any other thread
// may map something there: MAP_FIXED_NOREPLACE makes that a refusal instead of
// a mapping of the program overwritten without a trace, and we look again.
//
// Places where something of the program's grows are left free: below the stack,
// and above the heap.

#include "Support/NearRegion.h"

#include "Support/Error.h"
#include "Support/FileSystem.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

// Since Linux 4.17; an older kernel takes it as a hint, see reserveAt.
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace hotjit {

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

// A null pointer with an offset must go on to fault, so nothing is put lower,
// though vm.mmap_min_addr (64 KiB) would allow it.
static constexpr uint64_t LowestAddress = 1ULL << 20;
// 47 bits of user space, less the guard page at its end.
static constexpr uint64_t HighestAddress = (1ULL << 47) - 4096;
// How often a gap may be lost to another thread before we give up.
static constexpr int LookAgainLimit = 8;

static Expected<std::vector<AddrRange>> findGaps() {
  Expected<std::string> Maps = RealFileSystem().read("/proc/thread-self/maps");
  if (!Maps)
    return Maps.takeError();
  std::vector<AddrRange> Gaps;
  uint64_t End = LowestAddress;
  llvm::SmallVector<StringRef, 0> Lines;
  StringRef(*Maps).split(Lines, '\n', -1, /*KeepEmpty=*/false);
  // "55e0c0a00000-55e0c0a21000 rw-p 00000000 00:00 0          [heap]"
  for (StringRef Line : Lines) {
    uint64_t Begin = 0, Next = 0;
    StringRef Rest = Line;
    if (Rest.consumeInteger(16, Begin) || !Rest.consume_front("-") ||
        Rest.consumeInteger(16, Next))
      return makeError("/proc/thread-self/maps: cannot read the line '{}'",
                       Line);
    // The stack grows down into this gap.
    bool IsStack = Line.ends_with("[stack]");
    if (Begin > End && !IsStack)
      Gaps.push_back({ProgramAddr(End), ProgramAddr(Begin)});
    End = std::max(End, Next);
  }
  if (End < HighestAddress)
    Gaps.push_back({ProgramAddr(End), ProgramAddr(HighestAddress)});
  return Gaps;
}

/// Where a region of Size may lie in Gap, at the highest address within Window:
/// below the anchor that is the nearest one, above it the farthest, which
/// leaves the heap its room. 0 if it does not fit.
static ProgramAddr highestIn(AddrRange Gap, AddrRange Window, uint64_t Size) {
  uint64_t Begin = std::max(Gap.Begin, Window.Begin).value();
  uint64_t End = std::min(Gap.End, Window.End).value();
  if (End < Begin || End - Begin < Size)
    return {};
  return ProgramAddr(End - Size);
}

/// Addresses to try, the best first: below the anchor, nearest first, then
/// above it.
static llvm::SmallVector<ProgramAddr> candidates(llvm::ArrayRef<AddrRange> Gaps,
                                                 AddrRange Anchor,
                                                 uint64_t Size,
                                                 uint64_t PageSize) {
  uint64_t First = Anchor.Begin.value(), Last = Anchor.End.value();
  // From the first byte of either to the last byte of the other.
  uint64_t Low = Last > NearLimit ? Last - NearLimit : 0;
  AddrRange Window = {
      ProgramAddr(llvm::alignTo(std::max(Low, LowestAddress), PageSize)),
      ProgramAddr(llvm::alignDown(First + NearLimit, PageSize))};
  llvm::SmallVector<ProgramAddr> Below, Above;
  for (const AddrRange &Gap : Gaps)
    if (ProgramAddr At = highestIn(Gap, Window, Size))
      (At < Anchor.Begin ? Below : Above).push_back(At);
  std::reverse(Below.begin(), Below.end());
  Below.append(Above.begin(), Above.end());
  return Below;
}

/// 0, or the errno of the attempt; nothing is mapped then.
static int tryMap(ProgramAddr At, uint64_t Size) {
  void *Wanted = reinterpret_cast<void *>(At.value());
  void *Got = ::mmap(
      Wanted, Size, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (Got == MAP_FAILED)
    return errno;
  if (Got == Wanted)
    return 0;
  ::munmap(Got, Size);
  return EEXIST;
}

Expected<AddrRange> reserveNear(AddrRange Anchor, uint64_t Size) {
  const uint64_t PageSize = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  if (Size == 0 || Size > NearLimit || Anchor.size() > NearLimit)
    return makeError("{} bytes near {}-{}: more than a branch can span", Size,
                     Anchor.Begin, Anchor.End);
  Size = llvm::alignTo(Size, PageSize);
  int Code = 0;
  for (int Look = 0; Look != LookAgainLimit; ++Look) {
    Expected<std::vector<AddrRange>> Gaps = findGaps();
    if (!Gaps)
      return Gaps.takeError();
    bool IsRaced = false;
    for (ProgramAddr At : candidates(*Gaps, Anchor, Size, PageSize)) {
      Code = tryMap(At, Size);
      if (Code == 0)
        return AddrRange{At, At + static_cast<int64_t>(Size)};
      IsRaced |= Code == EEXIST;
    }
    if (!IsRaced)
      break;
  }
  return makeError("no free {} bytes within {} MiB of {}-{}{}{}", Size,
                   NearLimit >> 20, Anchor.Begin, Anchor.End, Code ? ": " : "",
                   Code ? llvm::sys::StrError(Code) : "");
}

Error reserveAt(ProgramAddr At, uint64_t Size) {
  const uint64_t PageSize = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  if (Size == 0 || At.value() % PageSize || Size % PageSize)
    return makeError("{} bytes at {}: not whole pages", Size, At);
  if (int Code = tryMap(At, Size))
    return makeError("{} bytes at {}: {}", Size, At, llvm::sys::StrError(Code));
  return Error::success();
}

} // namespace hotjit
