// The one place that changes what the program can see. Everything hard is below
// (EntryTable, StubTable, Ledger); here their numbers get names: which staged
// function belongs to which slot, and what people are told.
//
// A change is live when StubTable::publish has stored one word, and not before.
// So each member does what can fail first and touches the ledger last.

#include "Patch/Patcher.h"

#include "Patch/EntryTable.h"
#include "Patch/Fence.h"
#include "Patch/Ledger.h"
#include "Patch/os/linux/ProgramText.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

struct Patcher::State {
  State(const Image &Program, Log &L) : Program(Program), L(L) {}

  const Image &Program;
  Log &L;
  std::unique_ptr<EntryTable> Entries;
  Ledger Book;
  /// Number 0 first, then the ledger's, in its order.
  std::vector<Generation> Generations{Generation()};
  /// Slots of added functions that lead somewhere although not committed.
  std::vector<unsigned> Opened;
  /// Every commit that there ever was.
  struct Kept {
    size_t Bytes;
    std::vector<Ledger::Switch> Switches;
    unsigned Number;
    std::vector<AddrRange> Memory;
    std::vector<StagedFunction> Functions;
  };
  std::vector<Kept> Commits;

  void learnModules();
  void learnSlots();
  void closeOpened();
  Expected<std::vector<Ledger::Switch>>
  switchesOf(const StagedGeneration &Staged) const;
  Expected<Generation> publishPosition();
};

Patcher::Patcher(std::unique_ptr<State> S) : S(std::move(S)) {}
// What is live stays live: no memory that the program can reach is freed.
Patcher::~Patcher() = default;

Expected<std::unique_ptr<Patcher>> Patcher::create(const Image &Program,
                                                   Log &L) {
  auto Bytes = [&Program](ProgramAddr A, uint64_t Size) {
    return Program.fileBytes(A, Size);
  };
  Expected<std::unique_ptr<EntryTable>> Entries =
      EntryTable::create({}, Bytes, L);
  if (!Entries)
    return Entries.takeError();
  auto S = std::make_unique<State>(Program, L);
  S->Entries = std::move(*Entries);
  return std::unique_ptr<Patcher>(new Patcher(std::move(S)));
}

//===-- Entries -----------------------------------------------------------===//

static std::vector<CodeEntry> withoutNames(ArrayRef<EntrySite> Sites) {
  std::vector<CodeEntry> Entries;
  for (const EntrySite &Site : Sites)
    Entries.push_back({Site.Entry, Site.Size, Site.Kind == EntryKind::Patchable,
                       Site.Module, Site.PreserveR11});
  return Entries;
}

/// The ledger has as many slots as the table.
void Patcher::State::learnSlots() {
  for (const EntryTable::Slot &Slot :
       Entries->slots().drop_front(Book.slots())) {
    if (Slot.Added)
      Book.addAddedSlot({Slot.Original, Slot.OriginalCode});
    else
      Book.addSlot({Slot.Original, Slot.OriginalCode});
  }
}

/// The program may have loaded some since.
void Patcher::State::learnModules() {
  for (size_t I = Entries->modules(); I != Program.modules().size(); ++I)
    Entries->addModule(Program.modules()[I].Text);
}

std::vector<ArmProblem> Patcher::probe(ArrayRef<EntrySite> Sites) {
  S->learnModules();
  return S->Entries->probe(withoutNames(Sites));
}

std::vector<ArmProblem> Patcher::arm(ArrayRef<EntrySite> Sites) {
  S->learnModules();
  std::vector<ArmProblem> Problems = S->Entries->arm(withoutNames(Sites));
  S->learnSlots();
  return Problems;
}

Expected<ProgramAddr> Patcher::addStub(size_t Module) {
  S->learnModules();
  Expected<ProgramAddr> Stub = S->Entries->addStub(Module);
  S->learnSlots();
  return Stub;
}

std::vector<EntrySite> entriesOf(const Plan &P) {
  std::vector<EntrySite> Sites;
  for (const PlannedUnit &U : P.Units)
    for (const PlannedFunction &F : U.Functions)
      if (F.What == PlannedFunction::Action::Replace)
        Sites.push_back({F.Entry, F.Size, F.Kind, U.Module, F.NeedsAbiThunk});
  return Sites;
}

// Trampolines lie near their module; where exactly makes no difference to
// instructions that reach all of it.
static constexpr int64_t SomewhereNear = 1 << 20;

Expected<std::vector<ArmProblem>> probeFile(const Image &Program,
                                            ArrayRef<EntrySite> Sites) {
  Expected<std::unique_ptr<Decoder>> Decode = Decoder::create();
  if (!Decode)
    return Decode.takeError();
  auto Bytes = [&Program](ProgramAddr A, uint64_t Size) {
    return Program.fileBytes(A, Size);
  };
  std::vector<ArmProblem> Problems;
  for (const CodeEntry &E : withoutNames(Sites)) {
    auto Refuse = [&](Error Why) {
      Problems.push_back(
          {E.Entry, /*Retry=*/false, llvm::toString(std::move(Why))});
    };
    Expected<EntryLook> Look = lookAtEntry(**Decode, Bytes, E);
    if (!Look) {
      Refuse(Look.takeError());
      continue;
    }
    ProgramAddr Near = Program.modules()[E.Module].Text.End + SomewhereNear;
    if (!E.Patchable)
      if (Error Why =
              relocate(Look->Window, Look->Code, E.Entry, Near).takeError())
        Refuse(std::move(Why));
  }
  return Problems;
}

std::vector<std::string> trySystem() {
  std::vector<std::string> Problems;
  auto Try = [&](Error E) {
    if (E)
      Problems.push_back(llvm::toString(std::move(E)));
  };
  ProgramAddr Here(reinterpret_cast<uintptr_t>(&trySystem));
  Try(CodeBarrier::create().takeError());
  Try(CodeRegion::near({Here, Here + 1}, /*Size=*/4096).takeError());
  Try(WritableText::open({{Here, Here + 1}}).takeError());
  return Problems;
}

//===-- Generations -------------------------------------------------------===//

Expected<std::vector<Ledger::Switch>>
Patcher::State::switchesOf(const StagedGeneration &Staged) const {
  std::vector<Ledger::Switch> Switches;
  llvm::DenseSet<unsigned> Seen;
  for (const StagedFunction &F : Staged.Functions) {
    std::optional<unsigned> Slot = Entries->slotOf(F.Identity);
    if (!Slot)
      return makeError("{}: its entry {} is not armed", F.Name, F.Identity);
    if (!Seen.insert(*Slot).second)
      return makeError("{}: {} was staged twice", F.Name, F.Identity);
    if (F.AbiThunk && !Entries->slots()[*Slot].PreserveR11)
      return makeError("{}: its stub does not keep r11, which its thunk needs",
                       F.Name);
    Switches.push_back({*Slot, F.Target, F.Code});
  }
  return Switches;
}

void Patcher::State::closeOpened() {
  for (unsigned Slot : Opened)
    Entries->table().set(Slot, Book.bodyOf(Slot).Target);
  Opened.clear();
}

Error Patcher::openAdded(const StagedGeneration &Staged) {
  S->closeOpened();
  for (const StagedFunction &F : Staged.Functions) {
    std::optional<unsigned> Slot = S->Entries->slotOf(F.Identity);
    if (!F.Added || !Slot)
      continue;
    S->Entries->table().set(*Slot, F.Target);
    S->Opened.push_back(*Slot);
  }
  return S->Opened.empty() ? Error::success() : S->Entries->table().publish();
}

Expected<Generation> Patcher::commit(StagedGeneration Staged,
                                     std::vector<std::string> Files) {
  S->closeOpened();
  Expected<std::vector<Ledger::Switch>> Switches = S->switchesOf(Staged);
  if (!Switches) {
    Staged.abandon();
    return Switches.takeError();
  }
  // What crashes from the first call on is known to be new.
  publishLiveCode(Staged.Memory);
  StubTable &Table = S->Entries->table();
  for (const Ledger::Switch &Switch : *Switches)
    Table.set(Switch.Slot, Switch.Target);
  if (Error E = Table.publish()) {
    for (const Ledger::Switch &Switch : *Switches)
      Table.set(Switch.Slot, S->Book.bodyOf(Switch.Slot).Target);
    Staged.abandon();
    return std::move(E);
  }
  // Live. The rest is bookkeeping and cannot fail.
  S->Generations.resize(S->Book.position() + 1);
  std::vector<Ledger::Switch> Made = *Switches;
  unsigned Number = S->Book.commit(std::move(*Switches));
  S->Commits.push_back({Staged.Bytes, std::move(Made), Number,
                        std::move(Staged.Memory), Staged.Functions});
  Staged.keep();
  S->Generations.push_back(
      {Number, std::move(Files), std::move(Staged.Functions)});
  return current();
}

/// Publishes what the ledger's position says.
Expected<Generation> Patcher::State::publishPosition() {
  Opened.clear();
  StubTable &Table = Entries->table();
  for (unsigned Slot = 0; Slot != Book.slots(); ++Slot)
    Table.set(Slot, Book.bodyOf(Slot).Target);
  if (Error E = Table.publish())
    return std::move(E);
  return Generations[Book.position()];
}

Expected<Generation> Patcher::undo() {
  if (!S->Book.undo())
    return makeError("nothing to undo: the program is as it was built");
  Expected<Generation> Now = S->publishPosition();
  if (!Now)
    S->Book.redo();
  return Now;
}

Expected<Generation> Patcher::redo() {
  if (!S->Book.redo())
    return makeError("nothing to redo");
  Expected<Generation> Now = S->publishPosition();
  if (!Now)
    S->Book.undo();
  return Now;
}

const Generation &Patcher::current() const {
  return S->Generations[S->Book.position()];
}

ArrayRef<Generation> Patcher::generations() const { return S->Generations; }

AddrRange Patcher::bodyOf(ProgramAddr Identity) const {
  if (std::optional<unsigned> Slot = S->Entries->slotOf(Identity))
    return S->Book.bodyOf(*Slot).Code;
  if (const ImageFunction *F = S->Program.functionAt(Identity);
      F && F->Entry == Identity)
    return {F->Entry, F->Entry + static_cast<int64_t>(F->Size)};
  return {Identity, Identity};
}

std::optional<Patcher::Owner> Patcher::ownerOf(ProgramAddr A) const {
  auto Contains = [A](AddrRange R) { return R.contains(A); };
  // Memory is used again only if nothing of it was ever live.
  for (const State::Kept &C : llvm::reverse(S->Commits)) {
    if (llvm::none_of(C.Memory, Contains))
      continue;
    for (const StagedFunction &F : C.Functions)
      if (F.Code.contains(A))
        return Owner{C.Number, F.Name, F.Identity};
    return Owner{C.Number, "", {}};
  }
  return std::nullopt;
}

size_t Patcher::memoryUsed() const {
  size_t Sum = S->Entries->table().memoryUsed();
  for (const State::Kept &C : S->Commits)
    Sum += C.Bytes;
  return Sum;
}

size_t Patcher::memorySuperseded() const {
  size_t Sum = 0;
  for (const State::Kept &C : S->Commits)
    if (llvm::none_of(C.Switches, [&](const Ledger::Switch &Switch) {
          return S->Book.bodyOf(Switch.Slot).Target == Switch.Target;
        }))
      Sum += C.Bytes;
  return Sum;
}

} // namespace hotjit
