// A debugger learns of new code through the GDB JIT interface: a list of ELF
// objects in memory, `__jit_debug_descriptor`, and a function that is called
// at each change of the list, `__jit_debug_register_code`, on which the
// debugger has a breakpoint. Both come from LLVM's OrcTargetProcess.
//
// LLVM's own plugin registers the object as the compiler wrote it and lets the
// debugger relocate it. But half of our symbols are undefined in it: they are
// the program's variables, and only JITLink knows where those are. So we
// register a copy in which JITLink's result is written down: the addresses of
// the allocated sections, the contents of the .debug sections after fixup, and
// no relocations for these any more.

#include "Link/DebugObjects.h"

#include "Support/Error.h"
#include "llvm/ExecutionEngine/JITLink/JITLink.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/TargetProcess/JITLoaderGDB.h"
#include "llvm/Object/ELF.h"
#include <cstring>

using namespace hotjit;
using namespace llvm;
using namespace llvm::jitlink;
using namespace llvm::orc;
using llvm::object::ELF64LE;

extern "C" {
extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code();
}

/// One object as debuggers see it. The list's entries point into it: it does
/// not move.
class DebugObjects::DebugObject {
public:
  explicit DebugObject(MemoryBufferRef Input)
      : Bytes(Input.getBufferStart(), Input.getBufferEnd()) {}

  Error writeDown(LinkGraph &G);
  void enlist();
  void delist();
  std::optional<Image::Line> lineAt(ProgramAddr A) const {
    return Image::lineInObject({Bytes.data(), Bytes.size()}, A);
  }

private:
  std::vector<char> Bytes;
  jit_code_entry Entry{};
};

Error DebugObjects::DebugObject::writeDown(LinkGraph &G) {
  auto File =
      object::ELFFile<ELF64LE>::create(StringRef(Bytes.data(), Bytes.size()));
  if (!File)
    return File.takeError();
  auto Sections = File->sections();
  if (!Sections)
    return Sections.takeError();
  for (const ELF64LE::Shdr &ReadOnly : *Sections) {
    // The headers lie in Bytes, which is ours to write.
    auto &Header = const_cast<ELF64LE::Shdr &>(ReadOnly);
    Expected<StringRef> Name = File->getSectionName(Header);
    if (!Name)
      return Name.takeError();
    if (Name->starts_with(".rela.debug_")) {
      Header.sh_type = ELF::SHT_NULL;
      Header.sh_size = 0;
      continue;
    }
    Section *Linked = G.findSectionByName(*Name);
    if (!Linked || Linked->blocks_size() == 0)
      continue;
    if (Header.sh_flags & ELF::SHF_ALLOC) {
      Header.sh_addr = SectionRange(*Linked).getStart().getValue();
      continue;
    }
    // Type units come as several sections of one name: those stay as they are.
    Block &Content = **Linked->blocks().begin();
    if (!Name->starts_with(".debug_") || Linked->blocks_size() != 1 ||
        Content.getSize() != Header.sh_size)
      continue;
    std::memcpy(Bytes.data() + Header.sh_offset, Content.getContent().data(),
                Content.getSize());
  }
  return Error::success();
}

void DebugObjects::DebugObject::enlist() {
  Entry.symfile_addr = Bytes.data();
  Entry.symfile_size = Bytes.size();
  Entry.prev_entry = nullptr;
  Entry.next_entry = __jit_debug_descriptor.first_entry;
  if (Entry.next_entry)
    Entry.next_entry->prev_entry = &Entry;
  __jit_debug_descriptor.first_entry = &Entry;
  __jit_debug_descriptor.relevant_entry = &Entry;
  __jit_debug_descriptor.action_flag = JIT_REGISTER_FN;
  __jit_debug_register_code();
}

void DebugObjects::DebugObject::delist() {
  if (Entry.prev_entry)
    Entry.prev_entry->next_entry = Entry.next_entry;
  else
    __jit_debug_descriptor.first_entry = Entry.next_entry;
  if (Entry.next_entry)
    Entry.next_entry->prev_entry = Entry.prev_entry;
  __jit_debug_descriptor.relevant_entry = &Entry;
  __jit_debug_descriptor.action_flag = JIT_UNREGISTER_FN;
  __jit_debug_register_code();
}

DebugObjects::DebugObjects() = default;

DebugObjects::~DebugObjects() {
  HOTJIT_ASSERT(Registered.empty() && BeingLinked.empty(),
                "objects registered with debuggers outlive their session");
}

std::optional<Image::Line> DebugObjects::lineAt(ProgramAddr A) {
  std::lock_guard Lock(M);
  for (const auto &Entry : Registered)
    for (const std::unique_ptr<DebugObject> &Object : Entry.second)
      if (std::optional<Image::Line> Line = Object->lineAt(A))
        return Line;
  return std::nullopt;
}

void DebugObjects::retain() {
  std::lock_guard Lock(M);
  Retaining = true;
}

void DebugObjects::notifyMaterializing(MaterializationResponsibility &MR,
                                       LinkGraph &G, JITLinkContext &Context,
                                       MemoryBufferRef Input) {
  if (Input.getBufferSize() == 0)
    return;
  std::lock_guard Lock(M);
  BeingLinked[&MR] = std::make_unique<DebugObject>(Input);
}

/// Nothing refers to the .debug sections: without this they are dead code.
static Error keepDebugSections(LinkGraph &G) {
  for (Section &S : G.sections()) {
    if (!S.getName().starts_with(".debug_"))
      continue;
    for (Symbol *Existing : S.symbols())
      Existing->setLive(true);
    std::vector<Block *> Blocks(S.blocks().begin(), S.blocks().end());
    for (Block *B : Blocks)
      G.addAnonymousSymbol(*B, 0, 0, /*IsCallable=*/false, /*IsLive=*/true);
  }
  return Error::success();
}

void DebugObjects::modifyPassConfig(MaterializationResponsibility &MR,
                                    LinkGraph &G, PassConfiguration &Passes) {
  DebugObject *Object;
  {
    std::lock_guard Lock(M);
    auto Found = BeingLinked.find(&MR);
    if (Found == BeingLinked.end())
      return;
    Object = Found->second.get();
  }
  Passes.PrePrunePasses.push_back(keepDebugSections);
  // Until MR is emitted or fails nobody else has the object.
  Passes.PostFixupPasses.push_back(
      [Object](LinkGraph &G) { return Object->writeDown(G); });
}

Error DebugObjects::notifyEmitted(MaterializationResponsibility &MR) {
  std::unique_ptr<DebugObject> Object;
  {
    std::lock_guard Lock(M);
    auto Found = BeingLinked.find(&MR);
    if (Found == BeingLinked.end())
      return Error::success();
    Object = std::move(Found->second);
    BeingLinked.erase(Found);
  }
  return MR.withResourceKeyDo([&](ResourceKey Key) {
    std::lock_guard Lock(M);
    Object->enlist();
    Registered[Key].push_back(std::move(Object));
  });
}

Error DebugObjects::notifyFailed(MaterializationResponsibility &MR) {
  std::lock_guard Lock(M);
  BeingLinked.erase(&MR);
  return Error::success();
}

Error DebugObjects::notifyRemovingResources(JITDylib &Dylib, ResourceKey Key) {
  std::lock_guard Lock(M);
  auto Found = Registered.find(Key);
  if (Found == Registered.end())
    return Error::success();
  for (std::unique_ptr<DebugObject> &Object : Found->second)
    if (Retaining)
      (void)Object.release(); // reachable through the list, for ever
    else
      Object->delist();
  Registered.erase(Found);
  return Error::success();
}

void DebugObjects::notifyTransferringResources(JITDylib &Dylib, ResourceKey To,
                                               ResourceKey From) {
  std::lock_guard Lock(M);
  auto Found = Registered.find(From);
  if (Found == Registered.end())
    return;
  std::vector<std::unique_ptr<DebugObject>> Objects = std::move(Found->second);
  Registered.erase(Found);
  for (std::unique_ptr<DebugObject> &Object : Objects)
    Registered[To].push_back(std::move(Object));
}
