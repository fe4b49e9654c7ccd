#ifndef HOTJIT_TOOLS_HOTJIT_PROGRAMCHECK_H
#define HOTJIT_TOOLS_HOTJIT_PROGRAMCHECK_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace hotjit {

/// The file that a shell would run for Program: with a slash that one, else the
/// first in PATH that may be executed. Error: none; names it.
llvm::Expected<std::string> findExecutable(llvm::StringRef Program);

/// Whether the agent gets into the program at Path by LD_PRELOAD. Error: it
/// does not, why, and what to do: another architecture, static, set-user-id, a
/// script, a program that only starts others.
llvm::Error checkTakesAgent(llvm::StringRef Path);

/// The dynamic loader that the program at Path asks for. Error: it is no ELF
/// file for x86-64, or asks for none.
llvm::Expected<std::string> loaderOf(llvm::StringRef Path);

} // namespace hotjit

#endif
