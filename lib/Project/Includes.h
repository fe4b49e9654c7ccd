#ifndef HOTJIT_PROJECT_INCLUDES_H
#define HOTJIT_PROJECT_INCLUDES_H

#include "Project/TranslationUnit.h"
#include "Support/FileSystem.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace hotjit {

/// True for files that come with the system and are not edited: below
/// /usr/include, /usr/lib and /usr/local/include. Path: absolute.
bool isSystemFile(llvm::StringRef Path);

/// Finds the files that a unit may include, without a preprocessor: follows
/// every #include, in inactive #if branches too. So it finds more than a
/// compile reads, never less (but for #include with a macro), and costs
/// microseconds a file. Line tables do not name a header that holds only
/// macros; this does.
class IncludeScanner {
public:
  explicit IncludeScanner(const FileSystem &FS) : FS(FS) {}

  /// Project files (not isSystemFile) that Unit may read, itself included;
  /// absolute, symbolic links resolved.
  std::set<std::string> filesOf(const TranslationUnit &Unit);

private:
  struct Include {
    std::string Name;
    bool Quoted = false;
  };
  const std::vector<Include> &includesOf(const std::string &Path);
  const std::string &realPath(const std::string &Path);
  std::string find(llvm::StringRef Name, llvm::ArrayRef<std::string> Folders);

  const FileSystem &FS;
  llvm::StringMap<std::vector<Include>> Includes; ///< by path
  llvm::StringMap<std::string> RealPaths; ///< empty if there is no such file
};

} // namespace hotjit

#endif
