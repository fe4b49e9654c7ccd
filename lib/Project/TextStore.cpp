// The text that a program was built from is gone from the disk after the first
// save, and is needed until the last reload. Keeping every project file costs
// memory in somebody else's program, so texts rest compressed: sources shrink
// to about a quarter, and one is uncompressed only when a compile reads it.

#include "Project/TextStore.h"

#include "Support/Error.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Compression.h"

namespace hotjit {

using llvm::StringRef;

// A short text does not shrink by more than the object around it takes.
static constexpr size_t SmallestWorthPacking = 512;

/// What this build of LLVM has; zstd is the faster one.
static std::optional<llvm::compression::Format> availableFormat() {
  if (llvm::compression::zstd::isAvailable())
    return llvm::compression::Format::Zstd;
  if (llvm::compression::zlib::isAvailable())
    return llvm::compression::Format::Zlib;
  return std::nullopt;
}

static int fastLevel(llvm::compression::Format F) {
  switch (F) {
  case llvm::compression::Format::Zstd:
    return llvm::compression::zstd::BestSpeedCompression;
  case llvm::compression::Format::Zlib:
    return llvm::compression::zlib::BestSpeedCompression;
  }
  return 0;
}

std::shared_ptr<const SourceText> SourceText::create(std::string Text) {
  auto Result = std::make_shared<SourceText>();
  Result->Hash = hashBytes(Text);
  Result->Size = Text.size();
  std::optional<llvm::compression::Format> Format = availableFormat();
  if (Format && Text.size() >= SmallestWorthPacking) {
    llvm::SmallVector<uint8_t, 0> Packed;
    llvm::compression::Params Params(*Format);
    Params.level = fastLevel(*Format);
    llvm::compression::compress(Params, llvm::arrayRefFromStringRef(Text),
                                Packed);
    if (Packed.size() < Text.size()) {
      Result->IsCompressed = true;
      Result->Packed = llvm::toStringRef(Packed).str();
      return Result;
    }
  }
  Result->Packed = std::move(Text);
  Result->Packed.shrink_to_fit();
  return Result;
}

std::string SourceText::text() const {
  if (!IsCompressed)
    return Packed;
  llvm::SmallVector<uint8_t, 0> Bytes;
  llvm::Error E = llvm::compression::decompress(
      *availableFormat(), llvm::arrayRefFromStringRef(Packed), Bytes, Size);
  bool IsWhole = !E && Bytes.size() == Size;
  llvm::consumeError(std::move(E));
  // Nobody but create() writes Packed.
  HOTJIT_ASSERT(IsWhole, "a kept text cannot be uncompressed");
  return llvm::toStringRef(Bytes).str();
}

std::shared_ptr<const SourceText> TextSnapshot::find(StringRef Path) const {
  return Files->lookup(Path);
}

TextSnapshot TextSnapshot::with(StringRef Path,
                                std::shared_ptr<const SourceText> Text) const {
  return with(Change(Path.str(), std::move(Text)));
}

TextSnapshot TextSnapshot::with(llvm::ArrayRef<Change> Changes) const {
  auto Copy = std::make_shared<Map>(*Files);
  for (const auto &[Path, Text] : Changes) {
    if (Text)
      (*Copy)[Path] = Text;
    else
      Copy->erase(Path);
  }
  TextSnapshot Result;
  Result.Files = std::move(Copy);
  return Result;
}

} // namespace hotjit
