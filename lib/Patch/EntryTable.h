#ifndef HOTJIT_PATCH_ENTRYTABLE_H
#define HOTJIT_PATCH_ENTRYTABLE_H

#include "Patch/ArmProblem.h"
#include "Patch/EntryLook.h"
#include "Patch/ModuleCode.h"
#include "Patch/StubTable.h"
#include "Patch/arch/x86_64/Decoder.h"
#include "Patch/arch/x86_64/EntryWrite.h"
#include "Patch/os/linux/FaultSignals.h"
#include "Patch/os/linux/IllegalInstruction.h"
#include "Patch/os/linux/Tasks.h"
#include "Support/Log.h"
#include "llvm/ADT/DenseMap.h"
#include <deque>
#include <functional>

namespace hotjit {

/// The entries of the program: which are armed, and how one becomes armed.
/// Knows addresses only, no symbols and no generations. Use from one thread.
class EntryTable {
public:
  /// An identity that leads through a slot of the stub table.
  struct Slot {
    ProgramAddr Identity;
    ProgramAddr Original;   ///< where it leads before any change
    AddrRange OriginalCode; ///< the body that it leads to then
    bool Added = false;     ///< the identity is a stub
    bool PreserveR11 = false;
  };

  /// Registers with membarrier(2) and installs the fault handlers.
  static llvm::Expected<std::unique_ptr<EntryTable>>
  create(llvm::ArrayRef<AddrRange> Texts, FileBytes Original, Log &L);
  ~EntryTable();

  /// One more text, with the next index.
  void addModule(AddrRange Text);
  size_t modules() const { return Modules.size(); }

  /// Could every entry be armed? Writes nothing that the program can see.
  std::vector<ArmProblem> probe(llvm::ArrayRef<CodeEntry> Entries);

  /// All or none.
  std::vector<ArmProblem> arm(llvm::ArrayRef<CodeEntry> Entries);

  /// An identity for a function that the program does not have.
  llvm::Expected<ProgramAddr> addStub(size_t Module);

  /// By number of the slot.
  llvm::ArrayRef<Slot> slots() const { return Slots; }
  std::optional<unsigned> slotOf(ProgramAddr Identity) const;
  StubTable &table() { return *Table; }

  /// For statistics.
  unsigned mappings() const;

  /// For tests of the protocol: writes the original bytes back, or the jump
  /// again.
  enum class Direction { Disarm, Rearm };
  llvm::Error rewriteForTest(llvm::ArrayRef<ProgramAddr> Entries, Direction D);

private:
  /// What is known of an entry before anything is made for it.
  struct Prepared {
    CodeEntry Site;
    EntryLook Look;
    std::optional<EntryRows> Rows; ///< of a plain entry
    AddrRange MustBeUntouched;
    bool Straddles = false;
  };
  /// What has been made for an entry, ready to be written.
  struct Made {
    unsigned Slot = 0;
    EntryWrite Write;
    std::optional<RecoveryWindow> Recovery;
  };

  EntryTable(CodeBarrier Barrier, FileBytes Original, Log &L);
  llvm::Expected<Prepared> prepare(const CodeEntry &E);
  llvm::Error preparePlain(Prepared &P);
  static void preparePatchable(Prepared &P);
  llvm::Expected<Made> make(const Prepared &P);
  llvm::Expected<Made> makePlain(const Prepared &P);
  llvm::Expected<Made> makePatchable(const Prepared &P);
  std::vector<ArmProblem> findObstacles(llvm::ArrayRef<Prepared> Entries) const;
  unsigned addSlot(Slot S);
  std::vector<ArmProblem> prepareAll(llvm::ArrayRef<CodeEntry> Entries,
                                     std::vector<Prepared> &Out);
  llvm::Error makeAll(llvm::ArrayRef<Prepared> Entries, ProgramAddr &Failed);
  llvm::Error write(llvm::ArrayRef<Prepared> Entries);

  CodeBarrier Barrier;
  FileBytes Original;
  Log &L;
  std::unique_ptr<Decoder> Decode;
  std::unique_ptr<StubTable> Table;
  std::deque<ModuleCode> Modules;
  std::vector<Slot> Slots;
  llvm::DenseMap<ProgramAddr, unsigned> SlotOf;
  /// What was made for an entry, kept if it could not be written.
  llvm::DenseMap<ProgramAddr, Made> Ready;
};

} // namespace hotjit

#endif
