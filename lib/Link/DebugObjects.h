#ifndef HOTJIT_LINK_DEBUGOBJECTS_H
#define HOTJIT_LINK_DEBUGOBJECTS_H

#include "Image/Image.h"
#include "llvm/ExecutionEngine/Orc/LinkGraphLinkingLayer.h"
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace hotjit {

/// Shows each linked object to debuggers through the GDB JIT interface, and
/// takes it back when the object is removed. Any thread.
class DebugObjects final : public llvm::orc::LinkGraphLinkingLayer::Plugin {
public:
  DebugObjects();
  ~DebugObjects() override;

  /// From now on nothing is taken back: debuggers know the objects for ever.
  void retain();

  /// The source line that the code at A was made from.
  std::optional<Image::Line> lineAt(ProgramAddr A);

  void notifyMaterializing(llvm::orc::MaterializationResponsibility &MR,
                           llvm::jitlink::LinkGraph &G,
                           llvm::jitlink::JITLinkContext &Context,
                           llvm::MemoryBufferRef Input) override;
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
  class DebugObject;
  std::mutex M; ///< guards everything below, and the process's list of objects
  std::map<const llvm::orc::MaterializationResponsibility *,
           std::unique_ptr<DebugObject>>
      BeingLinked;
  std::map<llvm::orc::ResourceKey, std::vector<std::unique_ptr<DebugObject>>>
      Registered;
  bool Retaining = false;
};

} // namespace hotjit

#endif
