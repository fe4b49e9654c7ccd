#ifndef HOTJIT_TEST_FAKEFILESYSTEM_H
#define HOTJIT_TEST_FAKEFILESYSTEM_H

#include "Support/Error.h"
#include "Support/FileSystem.h"
#include "Support/FmtSupport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

#include <map>
#include <set>

namespace hotjit::test {

/// Files in memory: absolute paths, "/" between names, symbolic links to files
/// and folders. Folders exist if something is in them. Use from one thread.
class FakeFileSystem final : public FileSystem {
public:
  /// Creates or replaces the file; a later time stamp each time.
  void write(llvm::StringRef Path, llvm::StringRef Text) {
    File &F = Files[Path.str()];
    F.Text = Text.str();
    touch(Path);
  }
  /// As touch(1): a later time stamp, the same text.
  void touch(llvm::StringRef Path) {
    Files[Path.str()].Modified = std::chrono::seconds(++Ticks);
  }
  void setModified(llvm::StringRef Path, std::chrono::nanoseconds T) {
    Files[Path.str()].Modified = T;
  }
  void remove(llvm::StringRef Path) {
    Files.erase(Path.str());
    Links.erase(Path.str());
  }
  void link(llvm::StringRef Link, llvm::StringRef Target) {
    Links[Link.str()] = Target.str();
  }

  /// The K-th call from now (1 is the next one) to any function fails.
  void failAt(unsigned K) { CallsToFailure = K; }
  /// Reading Path fails until it is allowed again, as EACCES would.
  void forbid(llvm::StringRef Path) { Forbidden.insert(Path.str()); }
  void allow(llvm::StringRef Path) { Forbidden.erase(Path.str()); }
  unsigned reads() const { return Reads; }

  llvm::Expected<std::string> read(llvm::StringRef Path) const override {
    ++Reads;
    llvm::Expected<std::string> Real = realPath(Path);
    if (!Real)
      return Real.takeError();
    auto I = Files.find(*Real);
    if (Forbidden.count(*Real))
      return llvm::createStringError(
          std::make_error_code(std::errc::permission_denied),
          "%s: cannot open: Permission denied", Path.str().c_str());
    if (I == Files.end())
      return makeError("{}: cannot open", Path);
    return I->second.Text;
  }

  llvm::Expected<FileStatus> status(llvm::StringRef Path) const override {
    llvm::Expected<std::string> Real = realPath(Path);
    if (!Real)
      return Real.takeError();
    FileStatus S;
    auto I = Files.find(*Real);
    S.Inode = std::hash<std::string>()(*Real);
    S.IsDirectory = I == Files.end();
    if (!S.IsDirectory) {
      S.Size = I->second.Text.size();
      S.Modified = I->second.Modified;
    }
    return S;
  }

  llvm::Expected<std::string> realPath(llvm::StringRef Path) const override {
    if (CallsToFailure && --CallsToFailure == 0)
      return makeError("{}: injected failure", Path);
    std::string Real = resolve(Path);
    if (Files.count(Real) || !childrenOf(Real).empty())
      return Real;
    return makeError("{}: no such file", Path);
  }

  llvm::Expected<std::vector<std::string>>
  list(llvm::StringRef Directory) const override {
    llvm::Expected<std::string> Real = realPath(Directory);
    if (!Real)
      return Real.takeError();
    std::set<std::string> Names = childrenOf(*Real);
    return std::vector<std::string>(Names.begin(), Names.end());
  }

private:
  struct File {
    std::string Text;
    std::chrono::nanoseconds Modified{0};
  };

  /// Path without "." and "..", links followed, component by component.
  std::string resolve(llvm::StringRef Path) const {
    std::string Real;
    unsigned Followed = 0;
    llvm::SmallVector<std::string> Rest = split(Path);
    while (!Rest.empty()) {
      std::string Name = Rest.pop_back_val();
      if (Name == "..") {
        Real.resize(std::min(Real.size(), Real.rfind('/')));
        continue;
      }
      Real += "/" + Name;
      auto I = Links.find(Real);
      if (I == Links.end() || ++Followed == 40)
        continue;
      llvm::append_range(Rest, split(I->second));
      Real = llvm::StringRef(I->second).starts_with("/")
                 ? std::string()
                 : llvm::sys::path::parent_path(Real).str();
      if (Real == "/")
        Real.clear();
    }
    return Real;
  }
  /// The components of Path, last first.
  static llvm::SmallVector<std::string> split(llvm::StringRef Path) {
    llvm::SmallVector<llvm::StringRef> Parts;
    Path.split(Parts, '/', -1, /*KeepEmpty=*/false);
    llvm::SmallVector<std::string> Names;
    for (llvm::StringRef Part : llvm::reverse(Parts))
      if (Part != ".")
        Names.push_back(Part.str());
    return Names;
  }
  std::set<std::string> childrenOf(const std::string &Folder) const {
    std::set<std::string> Names;
    auto Add = [&](llvm::StringRef Path) {
      if (Path.consume_front(Folder) && Path.consume_front("/"))
        Names.insert(Path.split('/').first.str());
    };
    for (const auto &Entry : Files)
      Add(Entry.first);
    for (const auto &Entry : Links)
      Add(Entry.first);
    return Names;
  }

  std::map<std::string, File> Files;
  std::map<std::string, std::string> Links;
  std::set<std::string> Forbidden;
  unsigned Ticks = 0;
  mutable unsigned Reads = 0;
  mutable unsigned CallsToFailure = 0;
};

} // namespace hotjit::test

#endif
