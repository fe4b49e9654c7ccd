#ifndef HOTJIT_COMPILE_COMPILER_H
#define HOTJIT_COMPILE_COMPILER_H

#include "Compile/CompiledUnit.h"
#include "Project/TextStore.h"
#include "Project/TranslationUnit.h"
#include "Support/Clock.h"
#include "llvm/Support/Error.h"
#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

enum class Severity { Error, Warning, Note };

/// A message of the compiler. Lines and columns count from 1, columns in bytes.
struct Diagnostic {
  SourcePlace Place;
  unsigned Column = 0;
  unsigned EndLine = 0;
  unsigned EndColumn = 0;
  Severity Level = Severity::Error;
  std::string Flag; ///< "-Wunused-variable", or empty
  std::string Message;
};

struct CompileResult {
  /// Null if there was an error, or the compile was cancelled.
  std::unique_ptr<CompiledUnit> Unit;
  std::vector<Diagnostic> Diagnostics;
  std::string Rendered; ///< the diagnostics as clang prints them, no colours
  bool Cancelled = false;
  Nanoseconds Parse{0}; ///< lexing, parsing, semantic analysis
  Nanoseconds Lower{0}; ///< IR generation and fingerprints
};

/// Set from any thread to end a compile early; it stops within milliseconds
/// while parsing.
using CancelFlag = std::atomic<bool>;

/// Compiles translation units with the Clang inside. Holds no state that a
/// compile depends on: same unit and texts, same result. Use from one thread.
class Compiler {
public:
  /// Initializes LLVM's X86 target.
  Compiler();
  ~Compiler();

  /// Reads the project's files from Texts and all others from the disk.
  /// Returns an Error only if compiling could not be tried at all (a command
  /// that Clang cannot read); a program error is in the result's Diagnostics.
  llvm::Expected<CompileResult> compile(const TranslationUnit &Unit,
                                        const TextSnapshot &Texts,
                                        const CancelFlag *Cancel = nullptr);

private:
  struct State;
  std::unique_ptr<State> S;
};

} // namespace hotjit

#endif
