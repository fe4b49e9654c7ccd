#ifndef HOTJIT_LINK_PROGRAMSCOPE_H
#define HOTJIT_LINK_PROGRAMSCOPE_H

#include "Image/Image.h"
#include "Image/LoadedObjects.h"
#include "Support/ProgramAddr.h"
#include "llvm/ADT/StringRef.h"
#include <map>
#include <memory>
#include <optional>

namespace hotjit {

/// Names as a module of the program would resolve them: its own first, hidden
/// ones too, then what the dynamic linker shows it. Holds on to shared objects
/// while it lives. Use from one thread.
class ProgramScope {
public:
  explicit ProgramScope(const Image &Program);

  std::optional<ProgramAddr> find(size_t Module, llvm::StringRef Symbol);
  /// A thread-local variable. The answer holds for all threads.
  std::optional<ThreadLocalPlace> findThreadLocal(size_t Module,
                                                  llvm::StringRef Symbol);

private:
  struct CloseHandle {
    void operator()(void *Handle) const;
  };
  using Handle = std::unique_ptr<void, CloseHandle>;

  const Handle &handleOf(size_t Module);

  const Image &Program;
  Handle Global; ///< the program and all that it was linked with
  std::map<size_t, Handle> Modules;
};

} // namespace hotjit

#endif
