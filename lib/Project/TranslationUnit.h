#ifndef HOTJIT_PROJECT_TRANSLATIONUNIT_H
#define HOTJIT_PROJECT_TRANSLATIONUNIT_H

#include "llvm/ADT/StringRef.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// One source file with the command that compiles it.
struct TranslationUnit {
  std::string Path; ///< absolute, symbolic links resolved
  /// If the program may hold several units of Path: the name that no other of
  /// its units has.
  std::string Name;
  std::string Directory;              ///< where the command runs
  std::vector<std::string> Arguments; ///< for Clang, compiler first, no -o -c
  std::vector<std::string> Dropped;   ///< what of the command Clang cannot take
  std::string Output; ///< the object that it makes, absolute; empty: not said
  /// The program's unit was made by GCC, whatever the command's name says.
  bool ByGCC = false;

  /// The unit's name among those of the program.
  const std::string &id() const { return Name.empty() ? Path : Name; }
};

} // namespace hotjit

#endif
