// Watching without events: size, time and inode of every file of a folder, now
// and a moment later. A time stamp that does not move tells that a writer has
// stopped, not that he has finished; the text tells the rest (a file that does
// not parse waits for the next look).

#include "Project/Polling.h"
#include "Project/Watcher.h"
#include "Support/FmtSupport.h"

#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"

#include <dirent.h>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

using namespace hotjit;
using llvm::StringRef;

llvm::StringMap<Polling::Stamp> Polling::listFiles(const std::string &Folder) {
  llvm::StringMap<Stamp> Found;
  DIR *Stream = ::opendir(Folder.c_str());
  if (!Stream)
    return Found; // Gone, perhaps for a moment.
  while (const dirent *Entry = ::readdir(Stream)) {
    struct stat S{};
    if (isEditorTemporary(Entry->d_name) ||
        ::fstatat(::dirfd(Stream), Entry->d_name, &S, 0) != 0 ||
        !S_ISREG(S.st_mode))
      continue;
    Found[Entry->d_name] = {S.st_ino, static_cast<uint64_t>(S.st_size),
                            S.st_mtim.tv_sec * 1'000'000'000 +
                                S.st_mtim.tv_nsec};
  }
  ::closedir(Stream);
  return Found;
}

bool Polling::add(StringRef Path, std::string Why) {
  {
    std::lock_guard Lock(M);
    if (llvm::any_of(Folders, [&](const Folder &F) { return F.Path == Path; }))
      return false;
  }
  Folder New{Path.str(), std::move(Why), listFiles(Path.str()), {}};
  std::lock_guard Lock(M);
  Folders.push_back(std::move(New));
  return true;
}

bool Polling::empty() const {
  std::lock_guard Lock(M);
  return Folders.empty();
}

void Polling::look(std::vector<std::string> &Changed) {
  std::vector<Folder *> All; // They stay where they are.
  {
    std::lock_guard Lock(M);
    for (Folder &F : Folders)
      All.push_back(&F);
  }
  for (Folder *F : All) {
    llvm::StringMap<Stamp> Now = listFiles(F->Path), Differs;
    for (const auto &Entry : Now) {
      StringRef Name = Entry.getKey();
      auto Was = F->Reported.find(Name);
      if (Was != F->Reported.end() && Was->second == Entry.second)
        continue;
      auto Before = F->Seen.find(Name);
      if (Before == F->Seen.end() || !(Before->second == Entry.second)) {
        Differs[Name] = Entry.second;
        continue;
      }
      F->Reported[Name] = Entry.second;
      Changed.push_back(F->Path + "/" + Name.str());
    }
    F->Seen = std::move(Differs);
  }
}

std::string Polling::describe() const {
  std::map<std::string, unsigned> Reasons;
  {
    std::lock_guard Lock(M);
    for (const Folder &F : Folders)
      ++Reasons[F.Why];
  }
  std::string Text;
  for (const auto &[Why, Count] : Reasons)
    Text += fmt::format("{}{} {} looked at five times a second: {}",
                        Text.empty() ? "" : "; ", Count,
                        Count == 1 ? "folder is" : "folders are", Why);
  return Text;
}

// Of statfs(2), and of file systems that have no header for it.
std::string hotjit::remoteFileSystem(StringRef Folder) {
  static constexpr std::pair<uint32_t, const char *> Remote[] = {
      {0x6969, "NFS"},      {0x517b, "SMB"},        {0xff534d42, "SMB"},
      {0xfe534d42, "SMB"},  {0x01021997, "9P"},     {0x65735546, "FUSE"},
      {0x00c36400, "Ceph"}, {0x5346414f, "AFS"},    {0x6b414653, "AFS"},
      {0x73757245, "Coda"}, {0x786f4256, "vboxsf"}, {0x0bd00bd0, "Lustre"},
      {0x47504653, "GPFS"}, {0x01161970, "GFS2"},   {0x7461636f, "OCFS2"},
  };
  struct statfs S{};
  if (::statfs(Folder.str().c_str(), &S) != 0)
    return "";
  for (const auto &[Magic, Name] : Remote)
    if (static_cast<uint32_t>(S.f_type) == Magic)
      return Name;
  return "";
}
