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

/// The folder that a build system gives to the objects of one target, told from
/// the unit's object: "/b/CMakeFiles/app.dir", "/b/app.p". Empty if it gives
/// none (a makefile).
std::string targetFolder(const TranslationUnit &Unit);

} // namespace hotjit

#endif
