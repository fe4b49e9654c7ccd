#ifndef HOTJIT_PATCH_MODULECODE_H
#define HOTJIT_PATCH_MODULECODE_H

#include "Patch/UnwindSection.h"
#include "Patch/arch/x86_64/Relocate.h"
#include "Patch/arch/x86_64/Stub.h"
#include "Patch/arch/x86_64/Unwind.h"
#include "Patch/os/linux/CodeRegion.h"
#include <map>
#include <optional>

namespace hotjit {

/// The stubs and trampolines that belong to one loaded object: a region near
/// its text, and one for stubs that punned jumps lead to. Both are made when
/// they are first needed.
class ModuleCode {
public:
  /// CurrentWord: StubTable::currentWord().
  ModuleCode(AddrRange Text, ProgramAddr CurrentWord)
      : Text(Text), CurrentWord(CurrentWord) {}

  AddrRange text() const { return Text; }

  /// A stub that anything in the module can jump to, and pointers can name.
  llvm::Expected<ProgramAddr> addStub(bool PreserveR11, unsigned Slot);

  /// Code that raises SIGILL, for a stub that nobody may call yet. After
  /// addStub().
  ProgramAddr trap() const { return Near->root() + TrapOffset; }

  /// Could Window's trampoline and a stub for its jump be made? Makes the
  /// regions, but puts nothing into them.
  llvm::Error tryPlain(const EntryWindow &W, llvm::ArrayRef<uint8_t> Code,
                       ProgramAddr Entry, const EntryRows *Rows,
                       bool PreserveR11);

  struct PlainEntry {
    ProgramAddr Stub;     ///< its distance makes a punned jump
    ProgramAddr Original; ///< Moved's address: leads to the original body
    Trampoline Moved;
  };
  llvm::Expected<PlainEntry> addPlain(const EntryWindow &W,
                                      llvm::ArrayRef<uint8_t> Code,
                                      ProgramAddr Entry, const EntryRows *Rows,
                                      bool PreserveR11, unsigned Slot);

  /// Padding before an entry becomes code: a jump.
  void describePadding(ProgramAddr At, unsigned Size) {
    Padding.add(describeStub(At, Size, /*PushedAt=*/0));
  }

  /// Tells the unwinder what was added.
  void publishUnwind();

  /// Memory mappings that this module's regions take (two per region).
  unsigned mappings() const {
    return 2 * (Near.has_value() + Pun.has_value() + Breakpoints.has_value());
  }

private:
  /// A region begins with the word that its stubs read, and `ud2`.
  static constexpr int64_t TrapOffset = 8;

  /// Code, the word that its stubs begin at, and what the unwinder knows of it.
  struct Region {
    explicit Region(CodeRegion Memory) : Memory(std::move(Memory)) {}
    CodeRegion Memory;
    UnwindSection Unwind;
    std::map<ProgramAddr, ProgramAddr> Taken; ///< begin and end of what is used
    ProgramAddr Free; ///< where the next may begin, if anywhere will do

    ProgramAddr root() const { return Memory.range().Begin; }
    ProgramAddr freeFrom(ProgramAddr At, uint64_t Size) const;
  };

  llvm::Error makeNear();
  llvm::Error makePun();
  void makeBreakpoints(llvm::ArrayRef<AddrRange> Growing);
  Region *regionOf(ProgramAddr At);
  bool canTakeBreakpoints(const EntryWindow &W, ProgramAddr Entry,
                          ProgramAddr Stub) const;
  void catchBreakpoints(const EntryWindow &W, ProgramAddr Entry,
                        ProgramAddr Stub);
  static Region start(CodeRegion Memory, ProgramAddr CurrentWord);
  llvm::Expected<ProgramAddr> takeNear(llvm::ArrayRef<uint8_t> Bytes);
  llvm::Expected<ProgramAddr> findPlace(const EntryWindow &W, ProgramAddr Entry,
                                        StubForm Form) const;
  llvm::Expected<Trampoline> move(const EntryWindow &W,
                                  llvm::ArrayRef<uint8_t> Code,
                                  ProgramAddr Entry) const;

  AddrRange Text;
  ProgramAddr CurrentWord;
  std::optional<Region> Near;
  std::optional<Region> Pun;
  /// Where punned jumps lead with a breakpoint in their last byte. Not there if
  /// these addresses are not free.
  std::optional<Region> Breakpoints;
  UnwindSection Padding; ///< of jumps in the module's own text
};

} // namespace hotjit

#endif
