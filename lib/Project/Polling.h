#ifndef HOTJIT_PROJECT_POLLING_H
#define HOTJIT_PROJECT_POLLING_H

#include "Support/Clock.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <list>
#include <mutex>
#include <string>
#include <vector>

namespace hotjit {

/// Folders that are looked at again and again, because no event tells of them.
class Polling {
public:
  /// Five times a second: a save is seen after two looks. A folder of a hundred
  /// files costs some 70 microseconds each time.
  static constexpr Nanoseconds Interval = std::chrono::milliseconds(200);

  /// Any thread. What is there now is no change. False: it is looked at
  /// already.
  bool add(llvm::StringRef Folder, std::string Why);
  bool empty() const; ///< any thread

  /// One thread. Appends the files that were written since, once a second look
  /// finds them as the first did: their writer has finished, as far as can be
  /// told.
  void look(std::vector<std::string> &Changed);

  /// "2 folders are looked at five times a second: WHY". Any thread.
  std::string describe() const;

private:
  struct Stamp {
    uint64_t Inode = 0;
    uint64_t Size = 0;
    int64_t Modified = 0;
    bool operator==(const Stamp &) const = default;
  };
  struct Folder {
    std::string Path;
    std::string Why;
    llvm::StringMap<Stamp> Reported; ///< as it was then
    llvm::StringMap<Stamp> Seen;     ///< different, at the last look
  };
  static llvm::StringMap<Stamp> listFiles(const std::string &Folder);

  mutable std::mutex M; ///< of the list, not of what looks use
  std::list<Folder> Folders;
};

} // namespace hotjit

#endif
