// An exception finds its way through new code by .eh_frame tables that the
// unwinder was told of. libgcc up to 12 keeps what it was told in a list and
// looks through it twice for each frame: after a thousand reloads, each a
// registration of its own, an exception takes ten times as long, in the
// program's own code too.
//
// So objects share one. It cannot be the tables themselves, one after the
// other: they are full of distances to the code and to each other. But libgcc
// also takes an array of pointers to tables (__register_frame_table), and that
// is made anew, one longer, with each object.
//
// The new one is registered before the old one is taken back: code that is live
// is in one of them at any moment, and new code does not run before this is
// over. Both cover the same range of addresses, and no other registration lies
// within: libgcc asks only the nearest one that begins below an address. That
// is why there is one for each slab, not one for all.

#include "Link/UnwindTables.h"

#include "Support/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include <dlfcn.h>

using namespace hotjit;
using namespace llvm;
using namespace llvm::jitlink;
using namespace llvm::orc;

// libgcc: an array of sections that ends with a null pointer.
extern "C" void __register_frame_table(void *);
extern "C" void __deregister_frame(void *);

bool UnwindTables::areWorthIt() {
  // libgcc 13 brought the tree, and this.
  return !::dlvsym(RTLD_DEFAULT, "__truncxfbf2", "GCC_13.0.0");
}

UnwindTables::~UnwindTables() {
  for (auto &Entry : Groups)
    (void)Entry.second.Registered.release();
}

void UnwindTables::retain() {
  std::lock_guard Lock(M);
  Retaining = true;
}

void UnwindTables::publish(Group &G) {
  std::unique_ptr<void *[]> Old = std::move(G.Registered);
  if (!G.Sections.empty()) {
    G.Registered = std::make_unique<void *[]>(G.Sections.size() + 1);
    for (size_t I = 0; I != G.Sections.size(); ++I)
      G.Registered[I] = reinterpret_cast<void *>(G.Sections[I].value());
    __register_frame_table(G.Registered.get());
  }
  if (Old)
    __deregister_frame(Old.get());
}

void UnwindTables::modifyPassConfig(MaterializationResponsibility &MR,
                                    LinkGraph &G, PassConfiguration &Passes) {
  // JITLink has ended the section with the zero that libgcc wants.
  Passes.PostFixupPasses.push_back([this, &MR](LinkGraph &G) {
    if (Section *S = G.findSectionByName(".eh_frame");
        S && S->blocks_size() != 0) {
      std::lock_guard Lock(M);
      BeingLinked[&MR] = ProgramAddr(SectionRange(*S).getStart().getValue());
    }
    return Error::success();
  });
}

Error UnwindTables::notifyEmitted(MaterializationResponsibility &MR) {
  ProgramAddr Section;
  {
    std::lock_guard Lock(M);
    auto Found = BeingLinked.find(&MR);
    if (Found == BeingLinked.end())
      return Error::success();
    Section = Found->second;
    BeingLinked.erase(Found);
  }
  return MR.withResourceKeyDo([&](ResourceKey Key) {
    std::lock_guard Lock(M);
    Known[Key].push_back(Section);
    Group &Of = Groups[Memory.slabOf(Section)];
    Of.Sections.push_back(Section);
    publish(Of);
  });
}

Error UnwindTables::notifyFailed(MaterializationResponsibility &MR) {
  std::lock_guard Lock(M);
  BeingLinked.erase(&MR);
  return Error::success();
}

Error UnwindTables::notifyRemovingResources(JITDylib &Dylib, ResourceKey Key) {
  std::lock_guard Lock(M);
  auto Found = Known.find(Key);
  if (Found == Known.end() || Retaining)
    return Error::success();
  for (ProgramAddr Section : Found->second) {
    Group &Of = Groups[Memory.slabOf(Section)];
    llvm::erase(Of.Sections, Section);
    publish(Of);
  }
  Known.erase(Found);
  return Error::success();
}

void UnwindTables::notifyTransferringResources(JITDylib &Dylib, ResourceKey To,
                                               ResourceKey From) {
  std::lock_guard Lock(M);
  auto Found = Known.find(From);
  if (Found == Known.end())
    return;
  std::vector<ProgramAddr> Sections = std::move(Found->second);
  Known.erase(Found);
  llvm::append_range(Known[To], Sections);
}
