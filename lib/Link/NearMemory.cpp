// New code names the program by 32-bit displacements where it can, and the
// five bytes at a function's entry can jump no further than that: so each
// module of the program gets slabs beside it, and each graph that is linked
// for the module is laid out in one of them.
//
// A page is written while it is readable and writable, and gets its final
// permissions once the graph is fixed up: readable and executable, readable,
// or readable and writable. Free pages are zero and readable and writable
// again. A slab has an area for each: neighbours then merge into one mapping,
// of which a process has 65,530, and everybody who reads /proc/self/maps, we
// too, reads each of them.

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

// By use. An edit takes a page or two of each, data mostly none: room for some
// thousand of them, reserved, not backed.
static constexpr uint64_t AreaSizes[] = {6 << 20, 6 << 20, 4 << 20};

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
           const JITLinkDylib *Dylib, Pages Standard, Pages OnlyForFinalization)
      : Owner(Owner), G(G), Layout(std::move(Layout)), Dylib(Dylib),
        Standard(std::move(Standard)),
        OnlyForFinalization(std::move(OnlyForFinalization)) {}

  void finalize(OnFinalizedFunction OnFinalized) override {
    if (Error E = protect())
      return OnFinalized(joinErrors(std::move(E), giveAll()));
    auto OnRemoval = orc::shared::runFinalizeActions(G.allocActions());
    if (!OnRemoval)
      return OnFinalized(joinErrors(OnRemoval.takeError(), giveAll()));
    if (Error E = Owner.give(OnlyForFinalization))
      return OnFinalized(std::move(E));
    auto *F = new Finalized{Standard, Dylib, std::move(*OnRemoval)};
    {
      std::lock_guard Lock(Owner.M);
      Placement &Placed = Owner.Placements[Dylib];
      for (AddrRange Range : Standard)
        Placed.Bytes += Range.size();
      append_range(Placed.Ranges, Standard);
    }
    OnFinalized(FinalizedAlloc(ExecutorAddr::fromPtr(F)));
  }

  void abandon(OnAbandonedFunction OnAbandoned) override {
    OnAbandoned(giveAll());
  }

private:
  Error giveAll() {
    return joinErrors(Owner.give(Standard), Owner.give(OnlyForFinalization));
  }

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
  Pages Standard, OnlyForFinalization;
};

NearMemory::NearMemory() : PageSize(::sysconf(_SC_PAGESIZE)) {}

NearMemory::~NearMemory() {
  for (std::vector<Slab> &OfAnchor : Slabs)
    for (Slab &S : OfAnchor)
      for (Area &A : S.Areas)
        for (auto [Address, Size] : A.Free)
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

NearMemory::Use NearMemory::useOf(MemProt Protection) {
  if ((Protection & MemProt::Exec) != MemProt::None)
    return Code;
  return (Protection & MemProt::Write) != MemProt::None ? Data : Constants;
}

std::optional<AddrRange> NearMemory::takeFrom(Area &A, uint64_t Size) {
  if (Size == 0)
    return AddrRange();
  for (auto I = A.Free.begin(); I != A.Free.end(); ++I) {
    auto [Address, Room] = *I;
    if (Room < Size)
      continue;
    A.Free.erase(I);
    if (Room > Size)
      A.Free[Address + Size] = Room - Size;
    return AddrRange{ProgramAddr(Address), ProgramAddr(Address + Size)};
  }
  return std::nullopt;
}

void NearMemory::giveTo(Area &A, AddrRange Range) {
  if (Range.size() == 0)
    return;
  auto I = A.Free.emplace(Range.Begin.value(), Range.size()).first;
  auto Next = std::next(I);
  if (Next != A.Free.end() && I->first + I->second == Next->first) {
    I->second += Next->second;
    A.Free.erase(Next);
  }
  if (I != A.Free.begin()) {
    auto Previous = std::prev(I);
    if (Previous->first + Previous->second == I->first) {
      Previous->second += I->second;
      A.Free.erase(I);
    }
  }
}

/// All or nothing.
std::optional<std::array<AddrRange, NearMemory::UseCount>>
NearMemory::takeFrom(Slab &S, const Sizes &Wanted) {
  std::array<AddrRange, UseCount> Taken;
  for (size_t I = 0; I != UseCount; ++I) {
    std::optional<AddrRange> Range = takeFrom(S.Areas[I], Wanted[I]);
    if (!Range) {
      while (I-- != 0)
        giveTo(S.Areas[I], Taken[I]);
      return std::nullopt;
    }
    Taken[I] = *Range;
  }
  return Taken;
}

Expected<NearMemory::Slab> NearMemory::reserve(AddrRange Anchor,
                                               const Sizes &Wanted) {
  Sizes OfAreas;
  uint64_t Total = 0;
  for (size_t I = 0; I != UseCount; ++I)
    Total += OfAreas[I] = std::max(AreaSizes[I], Wanted[I]);
  Expected<AddrRange> Range = reserveNear(Anchor, Total);
  if (!Range)
    return Range.takeError();
  Slab S{*Range, {}};
  ProgramAddr Next = Range->Begin;
  for (size_t I = 0; I != UseCount; ++I) {
    S.Areas[I].Range = {Next, Next + OfAreas[I]};
    S.Areas[I].Free[Next.value()] = OfAreas[I];
    Next = Next + OfAreas[I];
  }
  return S;
}

Expected<std::array<AddrRange, NearMemory::UseCount>>
NearMemory::take(const JITLinkDylib *Dylib, const Sizes &Wanted) {
  std::lock_guard Lock(M);
  auto Placed = Placements.find(Dylib);
  if (Placed == Placements.end() || Placed->second.Anchor >= Slabs.size())
    return makeError("new code is for a module that the program does not have");
  std::vector<Slab> &OfAnchor = Slabs[Placed->second.Anchor];
  for (Slab &S : OfAnchor)
    if (auto Taken = takeFrom(S, Wanted))
      return *Taken;
  Expected<Slab> Fresh = reserve(Anchors[Placed->second.Anchor], Wanted);
  if (!Fresh)
    return Fresh.takeError();
  OfAnchor.push_back(std::move(*Fresh));
  return *takeFrom(OfAnchor.back(), Wanted);
}

Error NearMemory::give(ArrayRef<AddrRange> Ranges) {
  Error Result = Error::success();
  for (AddrRange Range : Ranges)
    Result = joinErrors(std::move(Result), give(Range));
  return Result;
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
    for (Slab &S : OfAnchor)
      for (Area &A : S.Areas)
        if (A.Range.contains(Range.Begin)) {
          giveTo(A, Range);
          return Error::success();
        }
  return makeError("memory at {} is not of a slab", Range.Begin);
}

void NearMemory::allocate(const JITLinkDylib *Dylib, LinkGraph &G,
                          OnAllocatedFunction OnAllocated) {
  BasicLayout Layout(G);
  auto Contiguous = Layout.getContiguousPageBasedLayoutSizes(PageSize);
  if (!Contiguous) // An alignment of more than a page.
    return OnAllocated(Contiguous.takeError());
  // An empty one needs a place within reach, too.
  auto SizeOf = [this](const BasicLayout::Segment &S) {
    return alignTo(std::max<uint64_t>(S.ContentSize + S.ZeroFillSize, 1),
                   PageSize);
  };
  Sizes Wanted{};
  for (auto &[Group, Segment] : Layout.segments())
    Wanted[useOf(Group.getMemProt())] += SizeOf(Segment);
  auto Taken = take(Dylib, Wanted);
  if (!Taken)
    return OnAllocated(Taken.takeError());
  Pages Standard, OnlyForFinalization;
  std::array<AddrRange, UseCount> Left = *Taken;
  for (auto &[Group, Segment] : Layout.segments()) {
    AddrRange &Rest = Left[useOf(Group.getMemProt())];
    AddrRange Range = {Rest.Begin, Rest.Begin + SizeOf(Segment)};
    Rest.Begin = Range.End;
    Segment.WorkingMem = toPointer(Range.Begin);
    Segment.Addr = ExecutorAddr::fromPtr(Segment.WorkingMem);
    (Group.getMemLifetime() == MemLifetime::Standard ? Standard
                                                     : OnlyForFinalization)
        .push_back(Range);
  }
  if (Error E = Layout.apply())
    return OnAllocated(joinErrors(std::move(E), give(*Taken)));
  OnAllocated(std::make_unique<InFlight>(*this, G, std::move(Layout), Dylib,
                                         std::move(Standard),
                                         std::move(OnlyForFinalization)));
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
    Result = joinErrors(std::move(Result), give(F->Ranges));
    std::lock_guard Lock(M);
    auto Placed = Placements.find(F->Dylib);
    if (Placed != Placements.end())
      for (AddrRange Range : F->Ranges)
        Placed->second.Bytes -= Range.size();
  }
  OnDeallocated(std::move(Result));
}
