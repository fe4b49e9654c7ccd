// New code names the program by 32-bit displacements where it can, and the
// five bytes at a function's entry can jump no further than that: so each
// module of the program gets slabs beside it, and each graph that is linked
// for the module is laid out in one of them, a run of pages per permission.
//
// A page is written while it is readable and writable, and gets its final
// permissions once the graph is fixed up: readable and executable, readable,
// or readable and writable. Free pages are zero and readable and writable
// again, so that neighbours merge into one mapping: a process has 65,530.

#include "Link/NearMemory.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Support/NearRegion.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/MathExtras.h"
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;
using namespace llvm::jitlink;
using llvm::orc::ExecutorAddr;
using llvm::orc::MemLifetime;
using llvm::orc::MemProt;

// A unit takes some tens of KiB: room for a few hundred, reserved, not backed.
static constexpr uint64_t SlabSize = 16 << 20;

// In-process, a program address is a pointer.
static char *toPointer(ProgramAddr A) {
  return reinterpret_cast<char *>(A.value());
}

static int protectionBits(MemProt Protection) {
  int Bits = PROT_NONE;
  if ((Protection & MemProt::Read) != MemProt::None)
    Bits |= PROT_READ;
  if ((Protection & MemProt::Write) != MemProt::None)
    Bits |= PROT_WRITE;
  if ((Protection & MemProt::Exec) != MemProt::None)
    Bits |= PROT_EXEC;
  return Bits;
}

/// A graph's memory before finalization.
class NearMemory::InFlight final : public InFlightAlloc {
public:
  InFlight(NearMemory &Owner, LinkGraph &G, BasicLayout Layout,
           const JITLinkDylib *Dylib, AddrRange Range, uint64_t StandardSize)
      : Owner(Owner), G(G), Layout(std::move(Layout)), Dylib(Dylib),
        Range(Range), StandardSize(StandardSize) {}

  void finalize(OnFinalizedFunction OnFinalized) override {
    if (Error E = protect())
      return OnFinalized(joinErrors(std::move(E), Owner.give(Range)));
    auto OnRemoval = orc::shared::runFinalizeActions(G.allocActions());
    if (!OnRemoval)
      return OnFinalized(joinErrors(OnRemoval.takeError(), Owner.give(Range)));
    // What only finalization needed lies behind the rest.
    ProgramAddr End = Range.Begin + StandardSize;
    if (End != Range.End)
      if (Error E = Owner.give({End, Range.End}))
        return OnFinalized(std::move(E));
    auto *F = new Finalized{{Range.Begin, End}, Dylib, std::move(*OnRemoval)};
    {
      std::lock_guard Lock(Owner.M);
      Placement &Placed = Owner.Placements[Dylib];
      Placed.Bytes += F->Range.size();
      Placed.Ranges.push_back(F->Range);
    }
    OnFinalized(FinalizedAlloc(ExecutorAddr::fromPtr(F)));
  }

  void abandon(OnAbandonedFunction OnAbandoned) override {
    OnAbandoned(Owner.give(Range));
  }

private:
  Error protect() {
    for (auto &[Group, Segment] : Layout.segments()) {
      int Bits = protectionBits(Group.getMemProt());
      if ((Bits & PROT_WRITE) && (Bits & PROT_EXEC))
        return makeError("new code has a section that is writable and "
                         "executable");
      // Segment.Addr has been moved on by BasicLayout::apply.
      uint64_t Size =
          alignTo(Segment.ContentSize + Segment.ZeroFillSize, Owner.PageSize);
      if (Size && ::mprotect(Segment.WorkingMem, Size, Bits) != 0)
        return makeError("cannot protect {} bytes of new code: {}", Size,
                         sys::StrError(errno));
    }
    return Error::success();
  }

  NearMemory &Owner;
  LinkGraph &G;
  BasicLayout Layout;
  const JITLinkDylib *Dylib;
  AddrRange Range;
  uint64_t StandardSize;
};

NearMemory::NearMemory() : PageSize(::sysconf(_SC_PAGESIZE)) {}

NearMemory::~NearMemory() {
  for (std::vector<Slab> &OfAnchor : Slabs)
    for (Slab &S : OfAnchor)
      for (auto [Address, Size] : S.Free)
        ::munmap(toPointer(ProgramAddr(Address)), Size);
}

void NearMemory::addAnchor(AddrRange Text) {
  std::lock_guard Lock(M);
  Anchors.push_back(Text);
  Slabs.emplace_back();
}

void NearMemory::place(const JITLinkDylib &Dylib, size_t Anchor) {
  std::lock_guard Lock(M);
  Placements[&Dylib].Anchor = Anchor;
}

size_t NearMemory::bytesOf(const JITLinkDylib &Dylib) const {
  std::lock_guard Lock(M);
  return Placements.lookup(&Dylib).Bytes;
}

std::vector<AddrRange> NearMemory::rangesOf(const JITLinkDylib &Dylib) const {
  std::lock_guard Lock(M);
  return Placements.lookup(&Dylib).Ranges;
}

ProgramAddr NearMemory::slabOf(ProgramAddr A) const {
  std::lock_guard Lock(M);
  for (const std::vector<Slab> &OfAnchor : Slabs)
    for (const Slab &S : OfAnchor)
      if (S.Range.contains(A))
        return S.Range.Begin;
  return ProgramAddr();
}

void NearMemory::forget(const JITLinkDylib &Dylib) {
  std::lock_guard Lock(M);
  Placements.erase(&Dylib);
}

void NearMemory::retain() {
  std::lock_guard Lock(M);
  Retaining = true;
}

Expected<AddrRange> NearMemory::take(const JITLinkDylib *Dylib, uint64_t Size) {
  std::lock_guard Lock(M);
  auto Placed = Placements.find(Dylib);
  if (Placed == Placements.end() || Placed->second.Anchor >= Slabs.size())
    return makeError("new code is for a module that the program does not have");
  std::vector<Slab> &OfAnchor = Slabs[Placed->second.Anchor];
  auto TakeFrom = [Size](Slab &S) -> std::optional<AddrRange> {
    for (auto I = S.Free.begin(); I != S.Free.end(); ++I) {
      auto [Address, Room] = *I;
      if (Room < Size)
        continue;
      S.Free.erase(I);
      if (Room > Size)
        S.Free[Address + Size] = Room - Size;
      return AddrRange{ProgramAddr(Address), ProgramAddr(Address + Size)};
    }
    return std::nullopt;
  };
  for (Slab &S : OfAnchor)
    if (std::optional<AddrRange> Range = TakeFrom(S))
      return *Range;
  Expected<AddrRange> Fresh =
      reserveNear(Anchors[Placed->second.Anchor], std::max(SlabSize, Size));
  if (!Fresh)
    return Fresh.takeError();
  OfAnchor.push_back({*Fresh, {{Fresh->Begin.value(), Fresh->size()}}});
  return *TakeFrom(OfAnchor.back());
}

Error NearMemory::give(AddrRange Range) {
  if (Range.size() == 0)
    return Error::success();
  char *Begin = toPointer(Range.Begin);
  if (::mprotect(Begin, Range.size(), PROT_READ | PROT_WRITE) != 0)
    // Lost, but no harm: it is not handed out again.
    return makeError("cannot reuse {} bytes: {}", Range.size(),
                     sys::StrError(errno));
  // Refused for pages that the program locked with mlockall(2).
  if (::madvise(Begin, Range.size(), MADV_DONTNEED) != 0)
    std::memset(Begin, 0, Range.size());

  std::lock_guard Lock(M);
  for (std::vector<Slab> &OfAnchor : Slabs)
    for (Slab &S : OfAnchor) {
      if (!S.Range.contains(Range.Begin))
        continue;
      auto I = S.Free.emplace(Range.Begin.value(), Range.size()).first;
      auto Next = std::next(I);
      if (Next != S.Free.end() && I->first + I->second == Next->first) {
        I->second += Next->second;
        S.Free.erase(Next);
      }
      if (I != S.Free.begin()) {
        auto Previous = std::prev(I);
        if (Previous->first + Previous->second == I->first) {
          Previous->second += I->second;
          S.Free.erase(I);
        }
      }
      return Error::success();
    }
  return makeError("memory at {} is not of a slab", Range.Begin);
}

void NearMemory::allocate(const JITLinkDylib *Dylib, LinkGraph &G,
                          OnAllocatedFunction OnAllocated) {
  BasicLayout Layout(G);
  auto Sizes = Layout.getContiguousPageBasedLayoutSizes(PageSize);
  if (!Sizes)
    return OnAllocated(Sizes.takeError());
  AddrRange Range;
  if (Sizes->total()) {
    Expected<AddrRange> Taken = take(Dylib, Sizes->total());
    if (!Taken)
      return OnAllocated(Taken.takeError());
    Range = *Taken;
  }
  char *Standard = toPointer(Range.Begin);
  char *OnlyForFinalization = Standard + Sizes->StandardSegs;
  for (auto &[Group, Segment] : Layout.segments()) {
    char *&Next = Group.getMemLifetime() == MemLifetime::Standard
                      ? Standard
                      : OnlyForFinalization;
    Segment.Addr = ExecutorAddr::fromPtr(Next);
    Segment.WorkingMem = Next;
    Next += alignTo(Segment.ContentSize + Segment.ZeroFillSize, PageSize);
  }
  if (Error E = Layout.apply())
    return OnAllocated(joinErrors(std::move(E), give(Range)));
  OnAllocated(std::make_unique<InFlight>(*this, G, std::move(Layout), Dylib,
                                         Range, Sizes->StandardSegs));
}

void NearMemory::deallocate(std::vector<FinalizedAlloc> Allocs,
                            OnDeallocatedFunction OnDeallocated) {
  bool Keep;
  {
    std::lock_guard Lock(M);
    Keep = Retaining;
  }
  Error Result = Error::success();
  for (FinalizedAlloc &Alloc : reverse(Allocs)) {
    std::unique_ptr<Finalized> F(Alloc.release().toPtr<Finalized *>());
    if (Keep)
      continue;
    Result = joinErrors(std::move(Result),
                        orc::shared::runDeallocActions(F->OnRemoval));
    Result = joinErrors(std::move(Result), give(F->Range));
    std::lock_guard Lock(M);
    auto Placed = Placements.find(F->Dylib);
    if (Placed != Placements.end())
      Placed->second.Bytes -= F->Range.size();
  }
  OnDeallocated(std::move(Result));
}
