#ifndef HOTJIT_COMPILE_INVOCATION_H
#define HOTJIT_COMPILE_INVOCATION_H

#include "Compile/CompiledUnit.h"
#include "Compile/SnapshotFileSystem.h"
#include "Project/TranslationUnit.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "llvm/Support/Error.h"
#include <ctime>
#include <memory>

namespace hotjit {

/// What Clang would do for Unit's command, reduced to what it would compile:
/// nothing is written, loaded or linked. Now is what __DATE__ and __TIME__ say.
/// Error: a command that Clang does not understand, or that asks for something
/// that new code cannot have.
llvm::Expected<std::shared_ptr<clang::CompilerInvocation>>
createInvocation(const TranslationUnit &Unit,
                 llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files,
                 std::time_t Now);

/// After the target was made from Invocation, so that features are complete.
CodegenSettings settingsOf(const clang::CompilerInvocation &Invocation,
                           const TranslationUnit &Unit);

} // namespace hotjit

#endif
