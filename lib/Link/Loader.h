#ifndef HOTJIT_LINK_LOADER_H
#define HOTJIT_LINK_LOADER_H

#include "Link/DebugObjects.h"
#include "Link/NearMemory.h"
#include "Link/UnwindTables.h"
#include "Support/Log.h"
#include "Support/ProgramAddr.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ExecutionEngine/Orc/Core.h"
#include "llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// An object to be linked, with the address of everything that it needs and
/// that none of its companions defines.
struct LoadableObject {
  std::unique_ptr<llvm::MemoryBuffer> Object;
  size_t Module = 0; ///< near which one
  llvm::StringMap<ProgramAddr> Addresses;
  std::vector<std::string> Wanted; ///< symbols whose address the caller wants
};

/// Linked objects and the addresses that were wanted.
struct LoadedObjects {
  std::vector<llvm::orc::JITDylibSP> Dylibs;
  std::vector<llvm::StringMap<ProgramAddr>> Addresses; ///< one per object
  size_t Bytes = 0;
  std::vector<AddrRange> Memory;
};

/// Links objects into the process with JITLink. Each goes into a JITDylib of
/// its own, so that equal names in two units or two generations never meet.
/// All links run on the calling thread. Use from one thread.
class Loader {
public:
  static llvm::Expected<std::unique_ptr<Loader>> create(Log &L);
  /// What is loaded stays in memory for ever.
  ~Loader();

  /// The text of one more module, with the next index.
  void addModule(AddrRange Text) { Memory.addAnchor(Text); }

  /// Links all objects; their exported symbols are visible to each other. On
  /// Error nothing stays behind.
  llvm::Expected<LoadedObjects> load(std::vector<LoadableObject> Objects);
  /// Frees all memory. The code must not run any more.
  llvm::Error unload(LoadedObjects Loaded);
  /// By the debug information of what is loaded.
  std::optional<Image::Line> lineAt(ProgramAddr A) const {
    return Debug->lineAt(A);
  }
  /// For errors that nobody can act on.
  void report(llvm::Error E) { Session->reportError(std::move(E)); }

private:
  Loader() = default;

  llvm::Error registerUnwindTables();
  llvm::Error link(std::vector<LoadableObject> &Objects, LoadedObjects &Loaded);
  /// What ORC reported to the session's error reporter since the last call: it
  /// tells the waiting lookup only that something went wrong.
  llvm::Error takeReported(llvm::Error E);

  NearMemory Memory;
  std::unique_ptr<llvm::orc::ExecutionSession> Session;
  std::unique_ptr<llvm::orc::ObjectLinkingLayer> Layer;
  std::shared_ptr<DebugObjects> Debug;
  std::shared_ptr<UnwindTables> Unwind; ///< or LLVM's plugin, if null
  std::mutex ReportedMutex;
  std::vector<std::string> Reported;
  unsigned Serial = 0; ///< makes the names of JITDylibs unique
};

} // namespace hotjit

#endif
