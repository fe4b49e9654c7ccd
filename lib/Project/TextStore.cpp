// The text that a program was built from is gone from the disk after the first
// save, and is needed until the last reload. Keeping every project file costs
// memory in somebody else's program, so texts rest compressed: sources shrink
// to about a quarter, and one is uncompressed only when a compile reads it. A
// text that was just saved is at hand instead: the next save is compared with
// it, and for a file of megabytes that must not wait for a compressor.

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
  Result->Plain = std::make_shared<const std::string>(std::move(Text));
  return Result;
}

std::shared_ptr<const SourceText> SourceText::createPacked(std::string Text) {
  std::shared_ptr<const SourceText> Result = create(std::move(Text));
  Result->pack();
  return Result;
}

void SourceText::pack() const {
  std::shared_ptr<const std::string> Text;
  {
    std::lock_guard Lock(M);
    Text = Plain;
  }
  std::optional<llvm::compression::Format> Format = availableFormat();
  if (!Text || !Format || Size < SmallestWorthPacking)
    return;
  llvm::SmallVector<uint8_t, 0> Bytes;
  llvm::compression::Params Params(*Format);
  Params.level = fastLevel(*Format);
  llvm::compression::compress(Params, llvm::arrayRefFromStringRef(*Text),
                              Bytes);
  if (Bytes.size() >= Size)
    return;
  std::lock_guard Lock(M);
  Packed.assign(Bytes.begin(), Bytes.end());
  Plain.reset();
}

static llvm::Error unpack(llvm::ArrayRef<uint8_t> Packed, std::string &Text) {
  auto *Bytes = reinterpret_cast<uint8_t *>(Text.data());
  size_t Size = Text.size();
  llvm::Error E =
      *availableFormat() == llvm::compression::Format::Zstd
          ? llvm::compression::zstd::decompress(Packed, Bytes, Size)
          : llvm::compression::zlib::decompress(Packed, Bytes, Size);
  if (!E && Size != Text.size())
    return makeError("{} bytes instead of {}", Size, Text.size());
  return E;
}

std::shared_ptr<const std::string> SourceText::text() const {
  std::lock_guard Lock(M);
  if (Plain)
    return Plain;
  auto Text = std::make_shared<std::string>(Size, '\0');
  llvm::Error E = unpack(Packed, *Text);
  bool IsWhole = !E;
  llvm::consumeError(std::move(E));
  // Nobody but pack() writes Packed.
  HOTJIT_ASSERT(IsWhole, "a kept text cannot be uncompressed");
  return Text;
}

size_t SourceText::bytesKept() const {
  std::lock_guard Lock(M);
  return Plain ? Plain->size() : Packed.size();
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
