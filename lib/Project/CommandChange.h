#ifndef HOTJIT_PROJECT_COMMANDCHANGE_H
#define HOTJIT_PROJECT_COMMANDCHANGE_H

#include "Project/TranslationUnit.h"
#include <string>
#include <vector>

namespace hotjit {

/// Whether both compile their file in the same way.
bool isSameCommand(const TranslationUnit &A, const TranslationUnit &B);

/// The flags that only one of two commands for a file has and that decide how
/// its code fits together with that of other files: language standard, target,
/// exceptions, layout. What is not listed (macros, folders, warnings,
/// optimization, debug information) shows in what a compile makes.
std::vector<std::string> flagsThatFitCode(const TranslationUnit &A,
                                          const TranslationUnit &B);

/// With what the names of one target's objects begin, told from the unit's
/// object: a folder, "/b/CMakeFiles/app.dir", "/b/app.p", or Automake's
/// "/b/app-". Empty if the build system has nothing of that kind (a makefile).
std::string targetOf(const TranslationUnit &Unit);

} // namespace hotjit

#endif
