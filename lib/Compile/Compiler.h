#ifndef HOTJIT_COMPILE_COMPILER_H
#define HOTJIT_COMPILE_COMPILER_H

#include "Compile/CompiledUnit.h"
#include "Project/TextStore.h"
#include "Project/TranslationUnit.h"
#include "Support/Clock.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
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
  /// If bodies of a header alone were compiled: where they stand now.
  std::shared_ptr<const BodyMatch> Bodies;
};

/// Set from any thread to end a compile early; it stops within milliseconds
/// while parsing.
using CancelFlag = std::atomic<bool>;

/// What to compile if nothing but function bodies of one file of a unit
/// changed.
struct BodiesRequest {
  /// The unit as compiled from OldTexts: whole, or by compileBodies().
  const CompiledUnit &Old;
  const TextSnapshot &OldTexts;
  /// Symbols of unchanged functions and data that must have code too.
  std::set<std::string> Needed;
  /// The file that changed, a header of the project; empty: the unit's own.
  std::string Header = {};

  const std::string &file() const { return Header.empty() ? Old.Path : Header; }
};

/// A unit that includes an edited header, and was compiled before others that
/// do.
struct LeadUnit {
  const TranslationUnit &Unit;
  const CompiledUnit &Old;
  const CompiledUnit &New; ///< by compileBodies(), with its code
  const BodyMatch &Bodies; ///< of the header
};

/// What protects the process from Clang on threads that the compiler makes:
/// those of callers are the callers' business.
struct CompilerProtection {
  /// Runs Work on this thread. False: it was left in the middle, without
  /// destructors.
  std::function<bool(llvm::function_ref<void()> Work)> Run =
      [](llvm::function_ref<void()> Work) {
        Work();
        return true;
      };
  /// Limits what this thread does within Run, until what it returns is dropped.
  /// Cancel: the result is not wanted any more.
  std::function<std::shared_ptr<void>(const CancelFlag &Cancel)> Limit =
      [](const CancelFlag &) { return nullptr; };
};

/// Compiles translation units with the Clang inside. Holds no state that a
/// result depends on: same unit and texts, same result. Any thread, several at
/// once.
class Compiler {
public:
  /// Initializes LLVM's X86 target.
  explicit Compiler(CompilerProtection Protection = {});
  ~Compiler();

  /// Reads the project's files from Texts and all others from the disk.
  /// Returns an Error only if compiling could not be tried at all (a command
  /// that Clang cannot read); a program error is in the result's Diagnostics.
  llvm::Expected<CompileResult> compile(const TranslationUnit &Unit,
                                        const TextSnapshot &Texts,
                                        const CancelFlag *Cancel = nullptr);

  /// The same facts in four fifths of the time: what the program was built from
  /// is told, not run. Its module has no debug info, the result no warnings.
  llvm::Expected<CompileResult> learn(const TranslationUnit &Unit,
                                      const TextSnapshot &Texts,
                                      const CancelFlag *Cancel = nullptr);

  /// The same result in a fraction of the time, but that Unit has code only for
  /// the edited bodies, what they need that the unit never had, and Needed.
  /// nullopt, with Why: compile the whole unit. Errors in the result are those
  /// of the edited bodies.
  llvm::Expected<std::optional<CompileResult>>
  compileBodies(const TranslationUnit &Unit, const TextSnapshot &Texts,
                const BodiesRequest &Request, std::string &Why,
                const CancelFlag *Cancel = nullptr);

  /// Keeps what the unit's file says before its own declarations (its
  /// preamble: the #includes) parsed in memory, for compileBodies(). Takes as
  /// long as parsing it does; does nothing if it is kept already. With Live,
  /// the unit as compiled from Texts: what stands above the function that was
  /// edited last, too, if that is long.
  void warm(const TranslationUnit &Unit, const TextSnapshot &Texts,
            std::shared_ptr<const CompiledUnit> Live = nullptr);

  /// Has a thread parse the unit up to the function that was edited last, and
  /// wait there for compileBodies(). Live: the unit as compiled from Texts.
  /// Takes no time; the thread has the caller's priority, for it will compile
  /// the next edit.
  void begin(const TranslationUnit &Unit, const TextSnapshot &Texts,
             std::shared_ptr<const CompiledUnit> Live);

  /// After a compile on this thread was left in the middle (it crashed): false
  /// if what is kept was just being changed. Then nothing may be called any
  /// more but abandon().
  bool isIntact() const;
  /// Another compiler takes over, and this one is never destroyed: ends its
  /// threads. Does not wait.
  void abandon();

  /// Bytes that warm() and begin() keep, at most the limit of them: the least
  /// recently used goes first. What the unit that was edited last needs is kept
  /// in any case, unless the limit is 0.
  size_t bytesKept() const;
  void setLimit(size_t Bytes);
  /// How often compileBodies() went on from where begin() had a thread wait.
  size_t headStartsUsed() const;

private:
  struct State;
  std::unique_ptr<State> S;
};

} // namespace hotjit

#endif
