#ifndef HOTJIT_COMPILE_PREAMBLES_H
#define HOTJIT_COMPILE_PREAMBLES_H

#include "Compile/SnapshotFileSystem.h"
#include "Project/TextStore.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "clang/Frontend/PrecompiledPreamble.h"
#include <list>
#include <memory>
#include <mutex>
#include <string>

namespace hotjit {

/// One unit's preamble, parsed: a precompiled header in memory.
class Preamble {
public:
  Preamble(clang::PrecompiledPreamble Parsed,
           std::vector<std::pair<std::string, ContentHash>> Read)
      : Parsed(std::move(Parsed)), Read(std::move(Read)) {}

  /// Whether a parse of Text, the main file, in the project as Texts has it,
  /// may start behind it.
  bool fits(const clang::CompilerInvocation &Invocation,
            const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
            SnapshotFileSystem &Files) const;

  const clang::PrecompiledPreamble Parsed;

private:
  /// Project files that it read, as they were.
  const std::vector<std::pair<std::string, ContentHash>> Read;
};

/// The preambles of units that are worked on, least recently used last. Any
/// thread.
class Preambles {
public:
  /// Null if there is none. It stays valid while somebody holds it.
  std::shared_ptr<const Preamble> find(llvm::StringRef Unit);

  /// Parses the preamble of Text, the main file of Unit. Null if it cannot be
  /// parsed. Takes a while; no lock is held.
  static std::shared_ptr<const Preamble>
  parse(const clang::CompilerInvocation &Invocation,
        const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
        llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files);

  void keep(llvm::StringRef Unit, std::shared_ptr<const Preamble> P);
  size_t bytesKept() const;
  void setLimit(size_t Bytes);

private:
  void dropOldest();

  struct Entry {
    std::string Unit;
    std::shared_ptr<const Preamble> Kept;
  };
  mutable std::mutex M;
  std::list<Entry> Entries; ///< most recently used first
  size_t Bytes = 0;
  size_t Limit = 512u << 20;
};

/// How Clang must be asked so that a parse with a preamble makes the code that
/// one without makes.
void prepareForPreamble(clang::CompilerInvocation &Invocation);

} // namespace hotjit

#endif
