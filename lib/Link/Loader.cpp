// ORC is used for what nobody else has: JITLink, and the bookkeeping of what a
// link left in the process. No platform (it would run initializers and take
// over thread-locals and atexit), no IR layers, no lazy anything. Objects come
// with the address of every symbol that they need, so a lookup can only fail
// for a reason that is a bug of ours or a lack of memory.

#include "Link/Loader.h"

#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/JITLink/x86_64.h"
#include "llvm/ExecutionEngine/Orc/AbsoluteSymbols.h"
#include "llvm/ExecutionEngine/Orc/EHFrameRegistrationPlugin.h"
#include "llvm/ExecutionEngine/Orc/SelfExecutorProcessControl.h"

using namespace hotjit;
using namespace llvm;
using namespace llvm::orc;
using namespace llvm::jitlink;

namespace {
/// JITLink 22 relaxes `call *f@GOTPCREL(%rip)` to a direct call, but computes
/// an absolute displacement for it: in a program that lies below 4 GiB the
/// call goes astray (llvm/llvm-project#190968). Plain GOT accesses are left
/// alone, so these are turned into such.
class GotCallFix final : public LinkGraphLinkingLayer::Plugin {
public:
  void modifyPassConfig(MaterializationResponsibility &MR, LinkGraph &G,
                        PassConfiguration &Passes) override {
    Passes.PrePrunePasses.push_back(disableRelaxation);
  }
  Error notifyFailed(MaterializationResponsibility &MR) override {
    return Error::success();
  }
  Error notifyRemovingResources(JITDylib &JD, ResourceKey K) override {
    return Error::success();
  }
  void notifyTransferringResources(JITDylib &JD, ResourceKey To,
                                   ResourceKey From) override {}

private:
  static Error disableRelaxation(LinkGraph &G) {
    for (Block *B : G.blocks())
      for (Edge &E : B->edges()) {
        if (E.getKind() !=
                x86_64::RequestGOTAndTransformToPCRel32GOTLoadRelaxable ||
            E.getOffset() < 2)
          continue;
        // FF: call and jmp through memory. The relaxable kind implies the
        // distance from the field to the end of the instruction.
        if (static_cast<uint8_t>(B->getContent()[E.getOffset() - 2]) != 0xff)
          continue;
        E.setKind(x86_64::RequestGOTAndTransformToDelta32);
        E.setAddend(E.getAddend() - 4);
      }
    return Error::success();
  }
};
} // namespace

Expected<std::unique_ptr<Loader>> Loader::create(Log &L) {
  auto Process = SelfExecutorProcessControl::Create();
  if (!Process)
    return Process.takeError();
  std::unique_ptr<Loader> Result(new Loader);
  Result->Session = std::make_unique<ExecutionSession>(std::move(*Process));
  Result->Session->setErrorReporter([&L, Self = Result.get()](Error E) {
    std::string Text = toString(std::move(E));
    L.error("link: {}", Text);
    std::lock_guard Lock(Self->ReportedMutex);
    Self->Reported.push_back(std::move(Text));
  });
  Result->Layer =
      std::make_unique<ObjectLinkingLayer>(*Result->Session, Result->Memory);
  Result->Debug = std::make_shared<DebugObjects>();
  Result->Layer->addPlugin(std::make_shared<GotCallFix>());
  if (Error E = Result->registerUnwindTables())
    return std::move(E);
  Result->Layer->addPlugin(Result->Debug);
  return Result;
}

/// With libgcc_s of the process, the unwinder that the program's exceptions
/// use; taken back on removal.
Error Loader::registerUnwindTables() {
  if (UnwindTables::areWorthIt()) {
    Unwind = std::make_shared<UnwindTables>(Memory);
    Layer->addPlugin(Unwind);
    return Error::success();
  }
  auto Plugin = EHFrameRegistrationPlugin::Create(*Session);
  if (!Plugin)
    return Plugin.takeError();
  Layer->addPlugin(std::move(*Plugin));
  return Error::success();
}

Loader::~Loader() {
  if (!Session)
    return;
  Memory.retain();
  if (Debug)
    Debug->retain();
  if (Unwind)
    Unwind->retain();
  if (Error E = Session->endSession())
    Session->reportError(std::move(E));
}

Expected<LoadedObjects> Loader::load(std::vector<LoadableObject> Objects) {
  LoadedObjects Loaded;
  if (Error E = link(Objects, Loaded)) {
    E = takeReported(std::move(E));
    return joinErrors(std::move(E), unload(std::move(Loaded)));
  }
  return Loaded;
}

Error Loader::link(std::vector<LoadableObject> &Objects,
                   LoadedObjects &Loaded) {
  ++Serial;
  for (size_t I = 0; I != Objects.size(); ++I) {
    Loaded.Dylibs.push_back(&Session->createBareJITDylib(
        fmt::format("generation {} unit {}", Serial, I)));
    Memory.place(*Loaded.Dylibs.back(), Objects[I].Module);
  }
  for (size_t I = 0; I != Objects.size(); ++I) {
    JITDylib &Own = *Loaded.Dylibs[I];
    SymbolMap Absolute;
    for (const auto &Entry : Objects[I].Addresses)
      // Not exported: what this unit means by a name is no one else's business.
      Absolute[Session->intern(Entry.first())] = {
          ExecutorAddr(Entry.second.value()), JITSymbolFlags::None};
    if (Error E = Own.define(absoluteSymbols(std::move(Absolute))))
      return E;
    for (JITDylibSP &Other : Loaded.Dylibs)
      if (Other.get() != &Own)
        Own.addToLinkOrder(*Other,
                           JITDylibLookupFlags::MatchExportedSymbolsOnly);
    if (Error E = Layer->add(Own, std::move(Objects[I].Object)))
      return E;
  }
  for (size_t I = 0; I != Objects.size(); ++I) {
    SymbolLookupSet Wanted;
    for (const std::string &Name : Objects[I].Wanted)
      Wanted.add(Session->intern(Name));
    auto Found = Session->lookup(
        {{Loaded.Dylibs[I].get(), JITDylibLookupFlags::MatchAllSymbols}},
        std::move(Wanted));
    if (!Found)
      return Found.takeError();
    llvm::StringMap<ProgramAddr> Addresses;
    for (const auto &[Name, Definition] : *Found)
      Addresses[*Name] = ProgramAddr(Definition.getAddress().getValue());
    Loaded.Addresses.push_back(std::move(Addresses));
    Loaded.Bytes += Memory.bytesOf(*Loaded.Dylibs[I]);
    append_range(Loaded.Memory, Memory.rangesOf(*Loaded.Dylibs[I]));
  }
  return Error::success();
}

Error Loader::takeReported(Error E) {
  std::lock_guard Lock(ReportedMutex);
  if (Reported.empty())
    return E;
  // "Failed to materialize symbols", with a list of all of them.
  consumeError(std::move(E));
  E = Error::success();
  for (const std::string &Text : Reported)
    E = joinErrors(std::move(E), makeError("{}", Text));
  Reported.clear();
  return E;
}

Error Loader::unload(LoadedObjects Loaded) {
  std::vector<JITDylibSP> Dylibs = std::move(Loaded.Dylibs);
  Error E = Session->removeJITDylibs(Dylibs);
  for (JITDylibSP &Dylib : Dylibs)
    Memory.forget(*Dylib);
  return E;
}
