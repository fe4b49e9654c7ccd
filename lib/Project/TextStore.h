#ifndef HOTJIT_PROJECT_TEXTSTORE_H
#define HOTJIT_PROJECT_TEXTSTORE_H

#include "Support/ContentHash.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace hotjit {

/// The text of one file at one moment. Immutable, shared between versions of
/// the project that agree on it. Any thread.
class SourceText {
public:
  /// At hand: it is about to be compiled.
  static std::shared_ptr<const SourceText> create(std::string Text);
  /// At rest.
  static std::shared_ptr<const SourceText> createPacked(std::string Text);

  const ContentHash &hash() const { return Hash; }
  /// The whole text; if it is at rest, uncompressed anew at each call.
  std::shared_ptr<const std::string> text() const;
  /// Lays the text to rest: keeps it compressed from now on.
  void pack() const;
  /// Bytes that this object holds, for `hotjit status`.
  size_t bytesKept() const;

private:
  ContentHash Hash;
  size_t Size = 0;
  mutable std::mutex M;
  mutable std::shared_ptr<const std::string> Plain; ///< null: Packed has it
  mutable std::vector<uint8_t> Packed;
};

/// The project's files as they were at one moment: a value, cheap to copy.
/// The texts of system headers are not in it; they are read from the disk.
class TextSnapshot {
public:
  using Map = llvm::StringMap<std::shared_ptr<const SourceText>>;

  /// Null if Path is not kept. Path: absolute, symbolic links resolved.
  std::shared_ptr<const SourceText> find(llvm::StringRef Path) const;
  /// A snapshot that differs from this one in the given file; a null Text
  /// means that the file is gone.
  TextSnapshot with(llvm::StringRef Path,
                    std::shared_ptr<const SourceText> Text) const;
  /// The same for many files at the price of one copy.
  using Change = std::pair<std::string, std::shared_ptr<const SourceText>>;
  TextSnapshot with(llvm::ArrayRef<Change> Changes) const;
  const Map &files() const { return *Files; }

private:
  std::shared_ptr<const Map> Files = std::make_shared<const Map>();
};

} // namespace hotjit

#endif
