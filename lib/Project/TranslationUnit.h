#ifndef HOTJIT_PROJECT_TRANSLATIONUNIT_H
#define HOTJIT_PROJECT_TRANSLATIONUNIT_H

#include "llvm/ADT/StringRef.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// One source file with the command that compiles it.
struct TranslationUnit {
  std::string Path;                   ///< absolute, symbolic links resolved
  std::string Directory;              ///< where the command runs
  std::vector<std::string> Arguments; ///< for Clang, compiler first, no -o -c
  std::vector<std::string> Dropped;   ///< what of the command Clang cannot take
  std::string Output; ///< the object that it makes, absolute; empty: not said
  /// The program's unit was made by GCC, whatever the command's name says.
  bool ByGCC = false;
};

} // namespace hotjit

#endif
