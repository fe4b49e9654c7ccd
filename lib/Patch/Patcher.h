#ifndef HOTJIT_PATCH_PATCHER_H
#define HOTJIT_PATCH_PATCHER_H

#include "Image/Image.h"
#include "Link/Linker.h"
#include "Patch/ArmProblem.h"
#include "Support/Log.h"
#include "Support/ProgramAddr.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// An entry to be armed.
struct EntrySite {
  ProgramAddr Entry;
  uint64_t Size = 0; ///< of the function, bytes
  EntryKind Kind = EntryKind::Plain;
  size_t Module = 0;        ///< index into Image::modules()
  bool PreserveR11 = false; ///< a caller may keep a value in r11 over the call
};

/// The entries that P leads to other code.
std::vector<EntrySite> entriesOf(const Plan &P);

/// Which of Sites no process could arm that runs Program: the code there has no
/// room for a jump, or does not work anywhere else. A process has more to say,
/// by Patcher::probe().
llvm::Expected<std::vector<ArmProblem>>
probeFile(const Image &Program, llvm::ArrayRef<EntrySite> Sites);

/// Does here and now what making code live needs of the system: a barrier over
/// all threads, memory for code, a page of code that is made writable. What is
/// refused, with its HJ3xxx.
std::vector<std::string> trySystem();

/// A generation of live code. Number 0 is the program as it was built.
struct Generation {
  unsigned Number = 0;
  std::vector<std::string> Files;        ///< for status
  std::vector<StagedFunction> Functions; ///< what this commit switched
};

/// The stub table, the entries and the ledger of generations. The only module
/// that writes to memory that the program can see.
///
/// Call from the session thread only, except where a member says otherwise.
class Patcher {
public:
  /// Registers membarrier(2), installs the SIGILL handler (chained).
  static llvm::Expected<std::unique_ptr<Patcher>> create(const Image &Program,
                                                         Log &L);
  ~Patcher();

  /// Looks whether every entry can be armed, and prepares it. Writes nothing
  /// that the program can see. Entries that are armed already are no problem.
  std::vector<ArmProblem> probe(llvm::ArrayRef<EntrySite> Sites);

  /// A stub whose address is the identity of a function that the program does
  /// not have. It leads nowhere until a commit; indices are never reused.
  llvm::Expected<ProgramAddr> addStub(size_t Module);

  /// Arms entries that probe() accepted: each then leads through its stub to
  /// its original body. All or none. Changes no behaviour.
  std::vector<ArmProblem> arm(llvm::ArrayRef<EntrySite> Sites);

  /// Lets initializers of Staged's new variables call the functions that it
  /// adds: their stubs lead to the new bodies at once, and the program knows
  /// none of them. Commit does the same; a later commit without Staged takes it
  /// back.
  llvm::Error openAdded(const StagedGeneration &Staged);

  /// Makes the staged code live with one store. Every identity in it must be
  /// armed or a stub. Takes over the staged memory. Discards undone
  /// generations. On Error nothing is live and the staged memory is freed.
  llvm::Expected<Generation> commit(StagedGeneration Staged,
                                    std::vector<std::string> Files);

  /// Steps one generation back or forward. Error: there is none.
  llvm::Expected<Generation> undo();
  llvm::Expected<Generation> redo();

  const Generation &current() const;
  /// Number 0, and every generation that undo and redo can reach, by number.
  llvm::ArrayRef<Generation> generations() const;

  /// The body that an identity leads to now: the original body's trampoline
  /// (or the entry itself if not armed) counts as generation 0's.
  AddrRange bodyOf(ProgramAddr Identity) const;

  /// Of which generation the code at A is, live or not, and in which function.
  struct Owner {
    unsigned Generation = 0;
    std::string Function; ///< for people; empty: in none that was switched
    ProgramAddr Identity; ///< of that function
  };
  std::optional<Owner> ownerOf(ProgramAddr A) const;

  /// Bytes of memory that live and superseded code takes.
  size_t memoryUsed() const;
  /// Of these, of generations that no call reaches now. They are kept: undo may
  /// go back to them, and a frame, a pointer or a static object's destructor
  /// may need them.
  size_t memorySuperseded() const;

private:
  struct State;
  explicit Patcher(std::unique_ptr<State> S);
  std::unique_ptr<State> S;
};

} // namespace hotjit

#endif
