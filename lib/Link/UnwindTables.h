#ifndef HOTJIT_LINK_UNWINDTABLES_H
#define HOTJIT_LINK_UNWINDTABLES_H

#include "Link/NearMemory.h"
#include "llvm/ExecutionEngine/Orc/LinkGraphLinkingLayer.h"
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace hotjit {

/// Tells the process's unwinder of linked code, in one registration for each
/// slab of near memory however many objects lie in it. Any thread.
class UnwindTables final : public llvm::orc::LinkGraphLinkingLayer::Plugin {
public:
  explicit UnwindTables(const NearMemory &Memory) : Memory(Memory) {}
  /// What is registered stays so.
  ~UnwindTables() override;

  /// Does the process's unwinder look through registrations one by one, and
  /// find what two of them have? Later ones search a tree.
  static bool areWorthIt();

  /// From now on nothing is taken back.
  void retain();

  void modifyPassConfig(llvm::orc::MaterializationResponsibility &MR,
                        llvm::jitlink::LinkGraph &G,
                        llvm::jitlink::PassConfiguration &Passes) override;
  llvm::Error
  notifyEmitted(llvm::orc::MaterializationResponsibility &MR) override;
  llvm::Error
  notifyFailed(llvm::orc::MaterializationResponsibility &MR) override;
  llvm::Error notifyRemovingResources(llvm::orc::JITDylib &Dylib,
                                      llvm::orc::ResourceKey Key) override;
  void notifyTransferringResources(llvm::orc::JITDylib &Dylib,
                                   llvm::orc::ResourceKey To,
                                   llvm::orc::ResourceKey From) override;

private:
  /// The sections .eh_frame in one slab.
  struct Group {
    std::vector<ProgramAddr> Sections;
    std::unique_ptr<void *[]> Registered; ///< what the unwinder was given
  };
  static void publish(Group &G);

  const NearMemory &Memory;
  std::mutex M; ///< guards everything below
  std::map<const llvm::orc::MaterializationResponsibility *, ProgramAddr>
      BeingLinked;
  std::map<llvm::orc::ResourceKey, std::vector<ProgramAddr>> Known;
  std::map<ProgramAddr, Group> Groups; ///< by the begin of the slab
  bool Retaining = false;
};

} // namespace hotjit

#endif
