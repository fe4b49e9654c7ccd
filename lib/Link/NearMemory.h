#ifndef HOTJIT_LINK_NEARMEMORY_H
#define HOTJIT_LINK_NEARMEMORY_H

#include "Support/ProgramAddr.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h"
#include <map>
#include <mutex>
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
  /// A graph's memory between finalization and removal.
  struct Finalized {
    AddrRange Range;
    const llvm::jitlink::JITLinkDylib *Dylib;
    std::vector<llvm::orc::shared::WrapperFunctionCall> OnRemoval;
  };
  struct Slab {
    AddrRange Range;
    std::map<uint64_t, uint64_t> Free; ///< address to size, never adjacent
  };

  llvm::Expected<AddrRange> take(const llvm::jitlink::JITLinkDylib *Dylib,
                                 uint64_t Size);
  llvm::Error give(AddrRange Range);

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
