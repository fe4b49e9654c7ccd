#ifndef HOTJIT_LINK_EMITTER_H
#define HOTJIT_LINK_EMITTER_H

#include "Compile/CompiledUnit.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"
#include <map>
#include <memory>
#include <string>

namespace hotjit {

/// Optimizes modules and turns them into ELF objects in memory. Keeps a target
/// machine per settings, as making one costs more than using it. Use from one
/// thread.
class Emitter {
public:
  /// Settings are the unit's own: new code is made as the old was. Name is for
  /// messages and debuggers.
  llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
  emit(llvm::Module &M, const CodegenSettings &Settings, llvm::StringRef Name);

private:
  llvm::Expected<llvm::TargetMachine *>
  targetMachine(const llvm::Module &M, const CodegenSettings &Settings);

  std::map<std::string, std::unique_ptr<llvm::TargetMachine>> Machines;
};

} // namespace hotjit

#endif
