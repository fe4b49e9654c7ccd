// Somebody edits while the program runs, ends it, and starts it again without a
// build: the program is older than its sources. What it was built from is gone
// from the disk, and nothing in the program says what it was. But hotjit had it
// in memory when that build ran for the first time, and keeps it here.
//
// A build is known by its file's path, size and time: a linker that runs again
// changes them. The texts are those that hotjit trusted then; one that was
// newer than the program is not among them.
//
// Nothing depends on an archive: if it is gone or cannot be read, an edit of
// the file is refused as before. So a file that is half written or of another
// version is as good as none.

#include "Project/TextArchive.h"

#include "Support/ContentHash.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Compression.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <vector>

namespace hotjit {

using llvm::Error;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

// "hotjit texts 1 SIZE HASH\n", then as many bytes, compressed: of each file
// its path, a zero byte, its size in decimal, a zero byte, and the text.
static constexpr StringRef Magic = "hotjit texts 1";
// A few programs, each in its last builds.
static constexpr size_t MostBuilds = 32;
static constexpr StringRef Extension = ".texts";
// zlib packs no better (zlib.net, "Maximum Compression Factor"). A size beyond
// it is damage, and LLVM would end the process for want of so much memory.
static constexpr size_t BestRatio = 1032;

std::string TextArchive::keyOf(StringRef Path, const FileStatus &Status) {
  ContentHash Hash = hashBytes(fmt::format(
      "{}|{}|{}|{}", Path, Status.Size, Status.Inode, Status.Modified.count()));
  return fmt::format("{:016x}{:016x}", Hash.High, Hash.Low);
}

std::string TextArchive::fileOf(StringRef Key) const {
  llvm::SmallString<256> Path(Folder);
  llvm::sys::path::append(Path, Key + Extension);
  return Path.str().str();
}

static std::string serialize(const TextSnapshot &Texts) {
  std::string Result;
  for (const auto &Entry : Texts.files()) {
    std::shared_ptr<const std::string> Text = Entry.getValue()->text();
    Result += fmt::format("{}", Entry.getKey());
    Result += '\0';
    Result += std::to_string(Text->size());
    Result += '\0';
    Result += *Text;
  }
  return Result;
}

static std::optional<TextSnapshot> deserialize(StringRef Bytes) {
  std::vector<TextSnapshot::Change> Files;
  while (!Bytes.empty()) {
    auto [Path, Rest] = Bytes.split('\0');
    auto [Digits, Text] = Rest.split('\0');
    size_t Size = 0;
    if (Path.empty() || Digits.getAsInteger(10, Size) || Size > Text.size())
      return std::nullopt;
    Files.emplace_back(Path.str(),
                       SourceText::createPacked(Text.take_front(Size).str()));
    Bytes = Text.drop_front(Size);
  }
  return TextSnapshot().with(Files);
}

std::optional<TextSnapshot> TextArchive::find(StringRef Key) const {
  if (Folder.empty() || !llvm::compression::zlib::isAvailable())
    return std::nullopt;
  auto File = llvm::MemoryBuffer::getFile(fileOf(Key));
  if (!File)
    return std::nullopt;
  auto [Head, Packed] = (*File)->getBuffer().split('\n');
  llvm::SmallVector<StringRef, 2> Words;
  size_t Size = 0;
  if (!Head.consume_front(Magic))
    return std::nullopt;
  Head.split(Words, ' ', -1, /*KeepEmpty=*/false);
  if (Words.size() != 2 || Words[0].getAsInteger(10, Size) ||
      Size / BestRatio > Packed.size())
    return std::nullopt;
  llvm::SmallVector<uint8_t, 0> Bytes;
  if (Error E = llvm::compression::zlib::decompress(
          llvm::arrayRefFromStringRef(Packed), Bytes, Size)) {
    llvm::consumeError(std::move(E));
    return std::nullopt;
  }
  StringRef Whole = llvm::toStringRef(Bytes);
  if (fmt::format("{:x}", hashBytes(Whole).Low) != Words[1])
    return std::nullopt;
  return deserialize(Whole);
}

Error TextArchive::keep(StringRef Key, const TextSnapshot &Texts) const {
  if (Folder.empty() || Texts.files().empty() ||
      !llvm::compression::zlib::isAvailable() || fs::exists(fileOf(Key)))
    return Error::success();
  // Sources may be secret: nobody else reads them.
  if (std::error_code Failed = fs::create_directories(
          Folder, /*IgnoreExisting=*/true, fs::owner_all))
    return makeError("{}: {}", Folder, Failed.message());
  std::string Whole = serialize(Texts);
  llvm::SmallVector<uint8_t, 0> Packed;
  llvm::compression::zlib::compress(
      llvm::arrayRefFromStringRef(Whole), Packed,
      llvm::compression::zlib::BestSpeedCompression);
  // Under another name first: who reads sees all of it or nothing. Not by
  // LLVM's TempFile, which installs signal handlers.
  llvm::SmallString<256> Temporary;
  int Descriptor = -1;
  if (std::error_code Failed =
          fs::createUniqueFile(fileOf(Key) + ".%%%%%%", Descriptor, Temporary,
                               fs::OF_None, fs::owner_read | fs::owner_write))
    return makeError("{}: {}", Folder, Failed.message());
  std::error_code Failed;
  {
    llvm::raw_fd_ostream OS(Descriptor, /*shouldClose=*/true);
    OS << Magic << fmt::format(" {} {:x}\n", Whole.size(), hashBytes(Whole).Low)
       << llvm::toStringRef(Packed);
    OS.close();
    Failed = OS.error();
    OS.clear_error();
  }
  if (!Failed)
    Failed = fs::rename(Temporary, fileOf(Key));
  if (Failed) {
    (void)fs::remove(Temporary);
    return makeError("{}: {}", fileOf(Key), Failed.message());
  }
  removeOldest();
  return Error::success();
}

void TextArchive::removeOldest() const {
  std::vector<std::pair<llvm::sys::TimePoint<>, std::string>> Builds;
  std::error_code Failed;
  for (fs::directory_iterator It(Folder, Failed), End; !Failed && It != End;
       It.increment(Failed)) {
    fs::file_status Status;
    if (StringRef(It->path()).ends_with(Extension) &&
        !fs::status(It->path(), Status))
      Builds.emplace_back(Status.getLastModificationTime(), It->path());
  }
  llvm::sort(Builds);
  for (size_t I = 0; I + MostBuilds < Builds.size(); ++I)
    (void)fs::remove(Builds[I].second);
}

} // namespace hotjit
