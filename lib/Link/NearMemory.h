#ifndef HOTJIT_LINK_NEARMEMORY_H
#define HOTJIT_LINK_NEARMEMORY_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace hotjit {

/// Memory for linked code within reach of the module that it belongs to.
/// Never writable and executable at once. Any thread.
class NearMemory final : public llvm::jitlink::JITLinkMemoryManager {
public:
  NearMemory();
  /// Unmaps what is not in use.
  ~NearMemory() override;

  /// The text of one more module, with the next index.
  void addAnchor(AddrRange Text);
  /// Graphs of Dylib will be laid out near the given anchor. Before the first
  /// one is linked.
  void place(const llvm::jitlink::JITLinkDylib &Dylib, size_t Anchor);
  /// Bytes that live graphs of Dylib take.
  size_t bytesOf(const llvm::jitlink::JITLinkDylib &Dylib) const;
  /// Where these are.
  std::vector<AddrRange>
  rangesOf(const llvm::jitlink::JITLinkDylib &Dylib) const;
  /// The begin of the slab that A lies in; null if in none.
  ProgramAddr slabOf(ProgramAddr A) const;
  /// Dylib will not be seen again.
  void forget(const llvm::jitlink::JITLinkDylib &Dylib);
  /// From now on nothing is freed: what is in use stays for ever, with its
  /// unwind tables registered.
  void retain();

  void allocate(const llvm::jitlink::JITLinkDylib *Dylib,
                llvm::jitlink::LinkGraph &G,
                OnAllocatedFunction OnAllocated) override;
  void deallocate(std::vector<FinalizedAlloc> Allocs,
                  OnDeallocatedFunction OnDeallocated) override;
  using JITLinkMemoryManager::allocate;
  using JITLinkMemoryManager::deallocate;

private:
  class InFlight;
  /// What pages are for: one area of a slab each.
  enum Use { Code, Constants, Data, UseCount };
  /// A graph's memory: pages by their use.
  using Pages = llvm::SmallVector<AddrRange, UseCount>;
  /// A graph's memory between finalization and removal.
  struct Finalized {
    Pages Ranges;
    const llvm::jitlink::JITLinkDylib *Dylib;
    std::vector<llvm::orc::shared::WrapperFunctionCall> OnRemoval;
  };
  struct Area {
    AddrRange Range;
    std::map<uint64_t, uint64_t> Free; ///< address to size, never adjacent
  };
  struct Slab {
    AddrRange Range;
    std::array<Area, UseCount> Areas; ///< by Use
  };

  static Use useOf(llvm::orc::MemProt Protection);
  static std::optional<AddrRange> takeFrom(Area &A, uint64_t Size);
  static void giveTo(Area &A, AddrRange Range);
  /// Sizes by use. The ranges are of one slab.
  using Sizes = std::array<uint64_t, UseCount>;
  static std::optional<std::array<AddrRange, UseCount>>
  takeFrom(Slab &S, const Sizes &Wanted);
  llvm::Expected<std::array<AddrRange, UseCount>>
  take(const llvm::jitlink::JITLinkDylib *Dylib, const Sizes &Wanted);
  llvm::Expected<Slab> reserve(AddrRange Anchor, const Sizes &Wanted);
  llvm::Error give(AddrRange Range);
  llvm::Error give(llvm::ArrayRef<AddrRange> Ranges);

  const uint64_t PageSize;
  mutable std::mutex M; ///< guards everything below
  std::vector<AddrRange> Anchors;
  std::vector<std::vector<Slab>> Slabs; ///< by anchor
  struct Placement {
    size_t Anchor = 0;
    size_t Bytes = 0;
    std::vector<AddrRange> Ranges; ///< ever taken
  };
  llvm::DenseMap<const llvm::jitlink::JITLinkDylib *, Placement> Placements;
  bool Retaining = false;
};

} // namespace hotjit

#endif
