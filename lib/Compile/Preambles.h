#ifndef HOTJIT_COMPILE_PREAMBLES_H
#define HOTJIT_COMPILE_PREAMBLES_H

#include "Compile/DiskFiles.h"
#include "Compile/SnapshotFileSystem.h"
#include "Compile/UnitText.h"
#include "Project/TextStore.h"
#include "Project/TranslationUnit.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "clang/Frontend/PrecompiledPreamble.h"
#include <list>
#include <memory>
#include <mutex>
#include <string>

namespace hotjit {

/// The beginning of one unit's file, parsed: a precompiled header in memory.
/// Immutable; any thread.
class Preamble {
public:
  /// Parses what Text, the main file of Unit, says before its first
  /// declaration of its own: the #includes. With Facts, which are of Text: all
  /// before the last function that ends before UpTo; bodies that another body
  /// cannot depend on are skipped. Null if there is nothing to parse, or it
  /// does not compile. Takes a while.
  static std::shared_ptr<const Preamble>
  parse(const TranslationUnit &Unit,
        const clang::CompilerInvocation &Invocation,
        const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
        llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files,
        const UnitText *Facts = nullptr, uint32_t UpTo = 0);

  /// Whether a parse of Text, the main file of Unit in the project as Texts has
  /// it, may start behind the preamble.
  bool fits(const TranslationUnit &Unit, llvm::StringRef Text,
            const TextSnapshot &Texts) const;

  /// What Clang is to do for Text, starting behind the preamble, which must
  /// live as long as Files.
  std::shared_ptr<clang::CompilerInvocation>
  start(SnapshotFileSystem &Files,
        std::unique_ptr<llvm::MemoryBuffer> Text) const;

  const clang::LangOptions &language() const {
    return Invocation->getLangOpts();
  }
  /// Bytes of the main file.
  size_t length() const { return Parsed.getContents().size(); }
  /// Bytes of memory.
  size_t bytesKept() const { return Parsed.getSize(); }

private:
  explicit Preamble(clang::PrecompiledPreamble Parsed)
      : Parsed(std::move(Parsed)) {}
  void remember(const TranslationUnit &Unit, const TextSnapshot &Texts,
                const SnapshotFileSystem &Files, llvm::StringRef Main);
  bool publish(const clang::CompilerInvocation &Adapted);

  clang::PrecompiledPreamble Parsed;
  std::vector<std::string> Command;
  std::string Directory;
  std::shared_ptr<const clang::CompilerInvocation> Invocation;
  std::string HeaderPath;                     ///< a name that no disk has
  std::unique_ptr<llvm::MemoryBuffer> Header; ///< a view of what Parsed holds
  std::vector<std::pair<std::string, ContentHash>> ProjectFiles;
  DiskFiles Others;
};

/// The preambles of units that are worked on, least recently used last. Any
/// thread.
class Preambles {
public:
  /// One of the unit's, that fits; the longest one that is not longer than
  /// UpTo. Null if there is none. It stays valid while somebody holds it.
  std::shared_ptr<const Preamble> find(const TranslationUnit &Unit,
                                       llvm::StringRef Text,
                                       const TextSnapshot &Texts,
                                       uint32_t UpTo);

  /// Replaces what is kept of the unit: of its #includes, or if IsDeep of more.
  void keep(llvm::StringRef Unit, bool IsDeep,
            std::shared_ptr<const Preamble> P);
  size_t bytesKept() const;
  /// Of the last one used in any case. Bytes.
  void setLimit(size_t Bytes);
  /// Nobody is changing what is kept; or somebody has been left in the middle.
  bool isIntact() const;

private:
  void dropOldest();

  struct Entry {
    std::string Unit;
    bool IsDeep;
    std::shared_ptr<const Preamble> Kept;
  };
  mutable std::mutex M;
  std::list<Entry> Entries; ///< most recently used first
  size_t Bytes = 0;
  size_t Limit = 512u << 20;
};

/// How Clang must be asked so that a parse with a preamble makes the code that
/// one without makes, and skips bodies.
void prepareForBodies(clang::CompilerInvocation &Invocation);

} // namespace hotjit

#endif
