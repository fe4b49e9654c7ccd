#ifndef HOTJIT_PROJECT_TEXTSTORE_H
#define HOTJIT_PROJECT_TEXTSTORE_H

#include "Support/ContentHash.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace hotjit {

/// The text of one file at one moment. Immutable, shared between versions of
/// the project that agree on it. Texts at rest are kept compressed.
class SourceText {
public:
  static std::shared_ptr<const SourceText> create(std::string Text);

  const ContentHash &hash() const { return Hash; }
  /// The whole text; uncompressed anew at each call.
  std::string text() const;
  /// Bytes that this object holds, for `hotjit status`.
  size_t bytesKept() const { return Packed.size(); }

private:
  ContentHash Hash;
  size_t Size = 0;
  bool IsCompressed = false;
  std::string Packed;
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
