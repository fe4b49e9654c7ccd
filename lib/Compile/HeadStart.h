#ifndef HOTJIT_COMPILE_HEADSTART_H
#define HOTJIT_COMPILE_HEADSTART_H

#include "Compile/Consumer.h"
#include "Compile/Preambles.h"
#include "Support/Thread.h"
#include <condition_variable>
#include <memory>
#include <mutex>

namespace hotjit {

/// A compile of edited bodies that has begun before the edit: it has read the
/// unit up to the opening brace of one body and waits there, on a thread of its
/// own, for what stands behind it now. Serves once. Any thread.
class HeadStart {
public:
  /// What it begins with. Plan is of Texts, where nothing is edited yet: it is
  /// as if the body at Body, of Plan.File, were.
  struct Terms {
    TranslationUnit Unit;
    TextSnapshot Texts;
    std::shared_ptr<const CompiledUnit> Old; ///< from Texts; Plan.Old
    std::shared_ptr<const Preamble> Start;   ///< null: from the beginning
    /// If Start is null: what Clang is to do.
    std::shared_ptr<const clang::CompilerInvocation> Invocation;
    PartialPlan Plan;
    size_t Body;
    /// If the unit's own file is to end earlier than in Texts: what is left.
    std::optional<std::string> Main = {};
    DiskFiles Others = {}; ///< if Start is null: system headers
    CompilerProtection Protection = {};
  };

  /// Text: of Plan.File in From.Texts. Error: there is no thread to be
  /// had, or no memory.
  static llvm::Expected<std::unique_ptr<HeadStart>> begin(Terms From,
                                                          llvm::StringRef Text);
  /// Waits for the end of the thread: after end() or finish(), milliseconds.
  ~HeadStart();

  /// Whether Plan for Texts, in which Plan.File reads Text, can be carried out
  /// from here instead of from Start.
  bool serves(const TranslationUnit &Unit, const TextSnapshot &Texts,
              llvm::StringRef Text, const Preamble *Start,
              const PartialPlan &Plan) const;

  /// Carries out a plan that it serves; once. nullopt: it cannot, for a reason
  /// that only a run from the beginning can tell.
  std::optional<CompileResult> finish(const PartialPlan &Plan,
                                      llvm::StringRef Text,
                                      const CancelFlag *Cancel,
                                      std::string &Doubt);

  /// It is not wanted any more. Does not wait.
  void end();
  /// It did not come to an end in time, and may never.
  bool isLost() const;
  /// Its thread ends within milliseconds.
  bool isFinished() const;

  const std::string &unit() const { return From.Unit.id(); }
  bool isOf(const CompiledUnit &Old, const Preamble *Start) const {
    return From.Old.get() == &Old && From.Start.get() == Start;
  }
  /// Bytes of memory, besides the preamble.
  size_t bytesKept() const;

private:
  class Pause;
  enum class State { Running, Waiting, Resumed, Finished };

  explicit HeadStart(Terms From);
  bool makeRoom(llvm::StringRef Now);
  void write(llvm::StringRef Now, size_t From);
  void run();
  void compile(std::optional<CompileResult> &Made, std::string &Why);
  void deliver(std::optional<CompileResult> R, std::string D);

  Terms From;
  /// What the lexer reads; ours, for Clang may be done with it at any moment.
  std::unique_ptr<llvm::WritableMemoryBuffer> Text;
  mutable std::mutex M;
  std::condition_variable Changed;
  State Now = State::Running;
  CancelFlag Ended{false};
  std::shared_ptr<void> Limit; ///< of the thread, from the edit on; its own
  bool Lost = false;           ///< nobody waits for it any more
  std::optional<CompileResult> Result;
  std::string Doubt;
  size_t Bytes = 0;
  Thread Runner;
};

/// Those that wait, of the units that were edited last. Any thread.
class HeadStarts {
public:
  ~HeadStarts();

  /// The unit's, which is then the caller's; null if there is none.
  std::unique_ptr<HeadStart> take(llvm::StringRef Unit);
  bool has(llvm::StringRef Unit, const CompiledUnit &Old,
           const Preamble *Start) const;
  /// Replaces the unit's. The oldest of too many is ended.
  void keep(std::unique_ptr<HeadStart> H);
  /// Ends the oldest, unless it is the last. False: it is.
  bool dropOldest();
  /// Done with it: it is destroyed by sweep() when it has finished.
  void discard(std::unique_ptr<HeadStart> H);
  void sweep();
  /// None of them is wanted any more. Does not wait.
  void end();
  /// After the calling thread was left in the middle: not in the middle of a
  /// change of this.
  bool isIntact() const;
  size_t bytesKept() const;

private:
  mutable std::mutex M;
  std::vector<std::unique_ptr<HeadStart>> Kept; ///< newest last
  std::vector<std::unique_ptr<HeadStart>> Discarded;
};

} // namespace hotjit

#endif
