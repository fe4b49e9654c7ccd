// A unit is compiled from the texts of one moment: the one that is live, the
// one that was saved, one that an editor has not even written yet. The disk has
// one of them at best. So Clang reads through this file system, which answers
// for the project's files from a snapshot and for all others from the disk.
//
// What must hold:
//  - A project file is known by its real path, however an #include reaches it:
//    relative to a folder, through "..", through a symbolic link.
//  - Only content decides: each file is as old as the epoch.
//  - The process's working directory is the program's. It is neither read nor
//    changed; relative paths start at the unit's directory.

#include "Compile/SnapshotFileSystem.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"

using namespace hotjit;
using llvm::ErrorOr;
using llvm::StringRef;
using llvm::Twine;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;
namespace vfs = llvm::vfs;

/// A device number that no disk has: keeps texts apart from files.
static constexpr uint64_t SnapshotDevice = ~0ULL;

static vfs::Status withoutTime(const vfs::Status &S, const Twine &Name) {
  return vfs::Status(Name, S.getUniqueID(), llvm::sys::TimePoint<>(),
                     S.getUser(), S.getGroup(), S.getSize(), S.getType(),
                     S.getPermissions());
}

static vfs::Status snapshotStatus(const Twine &Name, StringRef RealPath,
                                  uint64_t Size, fs::file_type Type) {
  // Two names of one file have one id: #pragma once relies on it.
  fs::UniqueID Id(SnapshotDevice, llvm::xxh3_64bits(RealPath));
  return vfs::Status(Name, Id, llvm::sys::TimePoint<>(), 0, 0, Size, Type,
                     fs::perms::all_read);
}

namespace {

class SnapshotFile final : public vfs::File {
public:
  SnapshotFile(vfs::Status S, StringRef Text) : S(std::move(S)), Text(Text) {}

  ErrorOr<vfs::Status> status() override { return S; }
  ErrorOr<std::unique_ptr<llvm::MemoryBuffer>>
  getBuffer(const Twine &Name, int64_t, bool, bool) override {
    return llvm::MemoryBuffer::getMemBufferCopy(Text, Name);
  }
  std::error_code close() override { return {}; }

private:
  vfs::Status S;
  StringRef Text; ///< outlived by the file system
};

class AdditionalFile final : public vfs::File {
public:
  AdditionalFile(vfs::Status S, llvm::MemoryBufferRef Content)
      : S(std::move(S)), Content(Content) {}

  ErrorOr<vfs::Status> status() override { return S; }
  ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> getBuffer(const Twine &, int64_t,
                                                         bool, bool) override {
    return llvm::MemoryBuffer::getMemBuffer(Content,
                                            /*RequiresNullTerminator=*/false);
  }
  std::error_code close() override { return {}; }

private:
  vfs::Status S;
  llvm::MemoryBufferRef Content;
};

class TimelessFile final : public vfs::File {
public:
  TimelessFile(std::unique_ptr<vfs::File> Inner, std::string Name)
      : Inner(std::move(Inner)), Name(std::move(Name)) {}

  ErrorOr<vfs::Status> status() override {
    ErrorOr<vfs::Status> S = Inner->status();
    if (!S)
      return S;
    return withoutTime(*S, Name);
  }
  ErrorOr<std::unique_ptr<llvm::MemoryBuffer>>
  getBuffer(const Twine &BufferName, int64_t Size, bool NullTerminator,
            bool Volatile) override {
    return Inner->getBuffer(BufferName, Size, NullTerminator, Volatile);
  }
  std::error_code close() override { return Inner->close(); }

private:
  std::unique_ptr<vfs::File> Inner;
  std::string Name;
};

} // namespace

SnapshotFileSystem::SnapshotFileSystem(const TextSnapshot &Texts,
                                       StringRef Directory)
    : Texts(Texts), Directory(Directory),
      Disk(vfs::createPhysicalFileSystem().release()) {
  for (const auto &File : Texts.files())
    addDirectories(File.first());
}

void SnapshotFileSystem::addDirectories(StringRef Path) {
  for (StringRef D = path::parent_path(Path);
       !D.empty() && SnapshotDirectories.insert(D).second;)
    D = path::parent_path(D);
}

void SnapshotFileSystem::add(StringRef Path, llvm::MemoryBufferRef Content) {
  Additional.insert({Path, Content});
  addDirectories(Path);
}

std::string SnapshotFileSystem::absolute(const Twine &Path) const {
  llvm::SmallString<256> P;
  Path.toVector(P);
  path::make_absolute(Directory, P);
  return P.str().str();
}

const std::string &SnapshotFileSystem::realDirectory(StringRef Absolute) {
  auto [It, IsNew] = RealDirectories.try_emplace(Absolute);
  if (!IsNew)
    return It->second;
  llvm::SmallString<256> Real;
  if (fs::real_path(Absolute, Real)) {
    // Not on the disk: a folder of the snapshot only, or nothing at all.
    Real = Absolute;
    path::remove_dots(Real, /*remove_dot_dot=*/true);
  }
  It->second = Real.str().str();
  return It->second;
}

std::string SnapshotFileSystem::realPath(StringRef Path) {
  std::string Absolute = absolute(Path);
  StringRef Name = path::filename(Absolute);
  StringRef Parent = path::parent_path(Absolute);
  if (Name == "." || Name == ".." || Parent.empty())
    return realDirectory(Absolute);
  llvm::SmallString<256> Result(realDirectory(Parent));
  path::append(Result, Name);
  if (!Texts.find(Result) && fs::is_symlink_file(Result)) {
    llvm::SmallString<256> Target;
    if (!fs::real_path(Result, Target))
      return Target.str().str();
  }
  return Result.str().str();
}

const std::string *SnapshotFileSystem::textOf(StringRef RealPath) {
  std::shared_ptr<const SourceText> Source = Texts.find(RealPath);
  if (!Source)
    return nullptr;
  std::shared_ptr<const std::string> &Text = Uncompressed[RealPath];
  if (!Text)
    Text = Source->text();
  return Text.get();
}

ErrorOr<vfs::Status> SnapshotFileSystem::status(const Twine &Path) {
  if (auto It = Additional.find(Path.str()); It != Additional.end())
    return snapshotStatus(Path, It->first(), It->second.getBufferSize(),
                          fs::file_type::regular_file);
  std::string Real = realPath(Path.str());
  if (const std::string *Text = textOf(Real))
    return snapshotStatus(Path, Real, Text->size(),
                          fs::file_type::regular_file);
  ErrorOr<vfs::Status> S = Disk->status(absolute(Path));
  if (S)
    return withoutTime(*S, Path);
  if (SnapshotDirectories.contains(Real))
    return snapshotStatus(Path, Real, 0, fs::file_type::directory_file);
  return S;
}

ErrorOr<std::unique_ptr<vfs::File>>
SnapshotFileSystem::openFileForRead(const Twine &Path) {
  if (auto It = Additional.find(Path.str()); It != Additional.end())
    return std::make_unique<AdditionalFile>(
        snapshotStatus(Path, It->first(), It->second.getBufferSize(),
                       fs::file_type::regular_file),
        It->second);
  std::string Real = realPath(Path.str());
  if (const std::string *Text = textOf(Real)) {
    Opened.insert(Real);
    return std::make_unique<SnapshotFile>(
        snapshotStatus(Path, Real, Text->size(), fs::file_type::regular_file),
        *Text);
  }
  ErrorOr<std::unique_ptr<vfs::File>> File =
      Disk->openFileForRead(absolute(Path));
  if (!File)
    return File;
  Opened.insert(Real);
  return std::make_unique<TimelessFile>(std::move(*File), Path.str());
}

vfs::directory_iterator SnapshotFileSystem::dir_begin(const Twine &Path,
                                                      std::error_code &EC) {
  return Disk->dir_begin(absolute(Path), EC);
}

std::error_code
SnapshotFileSystem::setCurrentWorkingDirectory(const Twine &Path) {
  Directory = absolute(Path);
  return {};
}

ErrorOr<std::string> SnapshotFileSystem::getCurrentWorkingDirectory() const {
  return Directory;
}

std::error_code
SnapshotFileSystem::getRealPath(const Twine &Path,
                                llvm::SmallVectorImpl<char> &Output) {
  std::string Real = realPath(Path.str());
  if (!Texts.find(Real) && !SnapshotDirectories.contains(Real) &&
      !fs::exists(Real))
    return llvm::make_error_code(llvm::errc::no_such_file_or_directory);
  Output.assign(Real.begin(), Real.end());
  return {};
}
