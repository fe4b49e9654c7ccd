// A function's entry is its identity: direct calls, vtables, stored pointers
// and C libraries' callbacks all come through it, and none of them can be
// found. So the entry itself is made to lead elsewhere, once in the life of the
// process
// ("armed"), to a stub that reads where the function's body is now.
//
// Arming changes no behaviour. In this order, so that whoever comes by at any
// moment finds a way to the original body:
//
//   1. look at all entries; any problem ends it here, nothing was written
//   2. stubs, trampolines and their unwind tables, in memory of our own
//   3. a table with the new slots, leading to the original bodies; barrier
//   4. the windows from which the SIGILL handler recovers threads
//   5. the entries' bytes (EntryWrite.cpp)
//
// What must hold before 5:
//
//   * The bytes in memory are those of the file. Where they are not, somebody
//     else has written there, most likely a debugger its breakpoint. To move
//     that along, or to overwrite it, would break the debugger; later it may be
//     gone.
//   * A thread that meets SIGILL while it has it blocked is killed. One that
//     sleeps in the kernel is not in an entry's bytes and will come in through
//     the whole jump, unless the bytes straddle a word: then there is a moment
//     at which the door is closed.

#include "Patch/EntryTable.h"

#include "Patch/os/linux/ProgramText.h"
#include "Patch/os/linux/ShadowStack.h"
#include "Patch/os/linux/Tasks.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/DenseSet.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

//===-- Construction ------------------------------------------------------===//

EntryTable::EntryTable(CodeBarrier Barrier, FileBytes Original, Log &L)
    : Barrier(Barrier), Original(std::move(Original)), L(L) {}

// Armed entries go on leading through stubs and tables: none of those is freed.
EntryTable::~EntryTable() = default;

Expected<std::unique_ptr<EntryTable>>
EntryTable::create(ArrayRef<AddrRange> Texts, FileBytes Original, Log &L) {
  Expected<CodeBarrier> Barrier = CodeBarrier::create();
  if (!Barrier)
    return Barrier.takeError();
  Expected<std::unique_ptr<StubTable>> Table = StubTable::create(*Barrier);
  if (!Table)
    return Table.takeError();
  Expected<std::unique_ptr<Decoder>> Decode = Decoder::create();
  if (!Decode)
    return Decode.takeError();
  if (Error E = installFaultHandlers())
    return std::move(E);
  std::unique_ptr<EntryTable> T(
      new EntryTable(*Barrier, std::move(Original), L));
  T->Table = std::move(*Table);
  T->Decode = std::move(*Decode);
  for (AddrRange Text : Texts)
    T->addModule(Text);
  return std::move(T);
}

void EntryTable::addModule(AddrRange Text) {
  Modules.emplace_back(Text, Table->currentWord());
}

std::optional<unsigned> EntryTable::slotOf(ProgramAddr Identity) const {
  auto It = SlotOf.find(Identity);
  return It == SlotOf.end() ? std::nullopt : std::optional(It->second);
}

unsigned EntryTable::mappings() const {
  unsigned Sum = 0;
  for (const ModuleCode &M : Modules)
    Sum += M.mappings();
  return Sum;
}

unsigned EntryTable::addSlot(Slot S) {
  unsigned Number = Table->addSlot(S.Original);
  Slots.push_back(S);
  return Number;
}

Expected<ProgramAddr> EntryTable::addStub(size_t Module) {
  if (Module >= Modules.size())
    return makeError("module {} is not known", Module);
  // A function that is new is called by new code only, which keeps to the ABI.
  Expected<ProgramAddr> Stub =
      Modules[Module].addStub(/*PreserveR11=*/false, Table->slots());
  if (!Stub)
    return Stub;
  Modules[Module].publishUnwind();
  // Nobody knows the stub before a table with its slot was published.
  SlotOf[*Stub] =
      addSlot({*Stub, Modules[Module].trap(), {}, /*Added=*/true, false});
  return Stub;
}

//===-- Looking -----------------------------------------------------------===//

void EntryTable::preparePatchable(Prepared &P) {
  unsigned Nops = P.Look.NopOffset;
  P.MustBeUntouched = {P.Site.Entry + -int64_t(PatchablePadding),
                       P.Site.Entry + Nops + 2};
  P.Straddles = (P.Site.Entry + Nops).value() % 8 == 7;
}

Error EntryTable::preparePlain(Prepared &P) {
  const EntryWindow &Window = P.Look.Window;
  Flow Last = Window.Covered.back().Goes;
  if ((Last == Flow::Call || Last == Flow::IndirectCall) && hasShadowStack())
    return makeError("the program runs with a shadow stack (CET), which a call "
                     "in its first {} bytes would break when moved",
                     JumpSize);
  Expected<std::optional<EntryRows>> Rows =
      readEntryRows(P.Site.Entry, Window.Length);
  if (!Rows)
    return Rows.takeError();
  P.Rows = std::move(*Rows);
  P.MustBeUntouched = {P.Site.Entry, P.Site.Entry + Window.Length};
  P.Straddles = P.Site.Entry.value() % 8 + JumpSize > 8;
  return Modules[P.Site.Module].tryPlain(Window, P.Look.Code, P.Site.Entry,
                                         P.Rows ? &*P.Rows : nullptr,
                                         P.Site.PreserveR11);
}

Expected<EntryTable::Prepared> EntryTable::prepare(const CodeEntry &E) {
  if (E.Module >= Modules.size() || !Modules[E.Module].text().contains(E.Entry))
    return makeError("it is in no loaded object that we know");
  if (E.PreserveR11 && hasShadowStack())
    return makeError("the program runs with a shadow stack (CET), which its "
                     "stub would break");
  Prepared P;
  P.Site = E;
  Expected<EntryLook> Look = lookAtEntry(*Decode, Original, E);
  if (!Look)
    return Look.takeError();
  P.Look = std::move(*Look);
  if (E.Patchable)
    preparePatchable(P);
  else if (Error Problem = preparePlain(P))
    return std::move(Problem);
  return P;
}

/// Who has SIGILL blocked and could meet the bytes of P half written?
static const BlockingTask *findThreat(ArrayRef<BlockingTask> Blocking,
                                      AddrRange Bytes, bool Straddles) {
  for (const BlockingTask &T : Blocking)
    if (!T.SleepsAt || Straddles || Bytes.contains(*T.SleepsAt))
      return &T;
  return nullptr;
}

/// What stands in the way now and may be gone later.
std::vector<ArmProblem>
EntryTable::findObstacles(ArrayRef<Prepared> Entries) const {
  std::vector<ArmProblem> Problems;
  bool First = isFaultHandlerFirst(SIGILL);
  std::vector<BlockingTask> Blocking = listTasksBlocking(SIGILL);
  for (const Prepared &P : Entries) {
    AddrRange R = P.MustBeUntouched;
    std::string Why;
    if (programBytes(R.Begin, R.size()) != P.Look.Code.take_front(R.size()))
      Why = "its code in memory differs from the file: a debugger's breakpoint";
    else if (P.Site.Patchable && !P.Straddles)
      continue; // nobody will meet SIGILL there
    else if (!First)
      Why = "the program has put its own SIGILL handler in place of hotjit's";
    else if (const BlockingTask *T = findThreat(Blocking, R, P.Straddles))
      Why =
          fmt::format("thread {} ({}) has SIGILL blocked", T->Thread, T->Name);
    else
      continue;
    Problems.push_back({P.Site.Entry, /*Retry=*/true, std::move(Why)});
  }
  return Problems;
}

std::vector<ArmProblem> EntryTable::prepareAll(ArrayRef<CodeEntry> Entries,
                                               std::vector<Prepared> &Out) {
  std::vector<ArmProblem> Problems;
  llvm::DenseSet<ProgramAddr> Seen;
  for (const CodeEntry &E : Entries) {
    if (!Seen.insert(E.Entry).second)
      continue;
    if (std::optional<unsigned> Known = slotOf(E.Entry)) {
      if (E.PreserveR11 && !Slots[*Known].PreserveR11)
        Problems.push_back({E.Entry, /*Retry=*/false,
                            "its stub, made before, does not keep r11"});
      continue;
    }
    Expected<Prepared> P = prepare(E);
    if (!P) {
      Problems.push_back(
          {E.Entry, /*Retry=*/false, llvm::toString(P.takeError())});
      continue;
    }
    Out.push_back(std::move(*P));
  }
  llvm::append_range(Problems, findObstacles(Out));
  return Problems;
}

std::vector<ArmProblem> EntryTable::probe(ArrayRef<CodeEntry> Entries) {
  std::vector<Prepared> Ignored;
  return prepareAll(Entries, Ignored);
}

//===-- Making ------------------------------------------------------------===//

Expected<EntryTable::Made> EntryTable::makePatchable(const Prepared &P) {
  ProgramAddr Entry = P.Site.Entry;
  Expected<ProgramAddr> Stub =
      Modules[P.Site.Module].addStub(P.Site.PreserveR11, Table->slots());
  if (!Stub)
    return Stub.takeError();
  Made M;
  EntryWrite &W = M.Write;
  W.JumpAt = Entry + -int64_t(PatchablePadding);
  W.At = Entry + P.Look.NopOffset;
  std::optional<std::array<uint8_t, 5>> Jump = encodeJump(W.JumpAt, *Stub);
  if (!Jump)
    return makeError("its stub is out of reach");
  W.Jump = *Jump;
  Modules[P.Site.Module].describePadding(W.JumpAt, PatchablePadding);
  ArrayRef<uint8_t> Nops =
      P.Look.Code.slice(PatchablePadding + P.Look.NopOffset, 2);
  W.Old.assign(Nops.begin(), Nops.end());
  // Back over itself, endbr64 and the jump.
  W.New = {0xeb, uint8_t(-int(2 + P.Look.NopOffset + PatchablePadding))};
  if (P.Straddles)
    M.Recovery = RecoveryWindow{W.At, {*Stub}};
  M.Slot = addSlot({Entry,
                    W.At + 2,
                    {Entry, Entry + P.Site.Size},
                    /*Added=*/false,
                    P.Site.PreserveR11});
  return M;
}

Expected<EntryTable::Made> EntryTable::makePlain(const Prepared &P) {
  ProgramAddr Entry = P.Site.Entry;
  Expected<ModuleCode::PlainEntry> Plain = Modules[P.Site.Module].addPlain(
      P.Look.Window, P.Look.Code, Entry, P.Rows ? &*P.Rows : nullptr,
      P.Site.PreserveR11, Table->slots());
  if (!Plain)
    return Plain.takeError();
  Made M;
  EntryWrite &W = M.Write;
  W.At = Entry;
  W.Old.assign(P.Look.Code.begin(), P.Look.Code.begin() + JumpSize);
  std::optional<std::array<uint8_t, 5>> Jump = encodeJump(Entry, Plain->Stub);
  if (!Jump)
    return makeError("its stub is out of reach");
  W.New.assign(Jump->begin(), Jump->end());
  W.Boundaries = P.Look.Window.Boundaries;
  M.Recovery = RecoveryWindow{Entry, {Plain->Stub}};
  for (const Trampoline::Move &Move : Plain->Moved.Moves)
    if (Move.From > 0 && Move.From < JumpSize)
      M.Recovery->GoOn[Move.From] = Plain->Original + Move.To;
  M.Slot = addSlot({Entry,
                    Plain->Original,
                    {Entry, Entry + P.Site.Size},
                    /*Added=*/false,
                    P.Site.PreserveR11});
  return M;
}

Error EntryTable::makeAll(ArrayRef<Prepared> Entries, ProgramAddr &Failed) {
  std::vector<RecoveryWindow> Windows;
  for (const Prepared &P : Entries) {
    Failed = P.Site.Entry;
    // An entry that could not be written the last time.
    auto Before = Ready.find(P.Site.Entry);
    if (Before != Ready.end() &&
        Slots[Before->second.Slot].PreserveR11 == P.Site.PreserveR11)
      continue;
    Expected<Made> M = P.Site.Patchable ? makePatchable(P) : makePlain(P);
    if (!M)
      return M.takeError();
    if (M->Recovery)
      Windows.push_back(*M->Recovery);
    Ready[P.Site.Entry] = std::move(*M);
  }
  publishRecoveryWindows(Windows);
  for (ModuleCode &M : Modules)
    M.publishUnwind();
  return Table->publish();
}

//===-- Writing -----------------------------------------------------------===//

static Expected<WritableText> openText(ArrayRef<EntryWrite> Writes) {
  std::vector<AddrRange> Ranges;
  for (const EntryWrite &W : Writes)
    Ranges.push_back(W.range());
  return WritableText::open(Ranges);
}

Error EntryTable::write(ArrayRef<Prepared> Entries) {
  std::vector<EntryWrite> Writes;
  for (const Prepared &P : Entries)
    Writes.push_back(Ready[P.Site.Entry].Write);
  Expected<WritableText> Text = openText(Writes);
  if (!Text)
    return Text.takeError();
  writeEntries(Writes, *Text, Barrier);
  // From here on each leads through its slot, to where it led before.
  for (const Prepared &P : Entries)
    SlotOf[P.Site.Entry] = Ready[P.Site.Entry].Slot;
  return Error::success();
}

std::vector<ArmProblem> EntryTable::arm(ArrayRef<CodeEntry> Entries) {
  std::vector<Prepared> Looked;
  std::vector<ArmProblem> Problems = prepareAll(Entries, Looked);
  if (!Problems.empty() || Looked.empty())
    return Problems;
  ProgramAddr Failed = Looked.front().Site.Entry;
  Error E = makeAll(Looked, Failed);
  if (!E) {
    // Time has passed; a thread may have blocked SIGILL.
    Problems = findObstacles(Looked);
    if (!Problems.empty())
      return Problems;
    E = write(Looked);
  }
  if (E)
    Problems.push_back({Failed, /*Retry=*/false, llvm::toString(std::move(E))});
  else
    L.debug("armed {} entries, {} slots", Looked.size(), Slots.size());
  return Problems;
}

Error EntryTable::rewriteForTest(ArrayRef<ProgramAddr> Entries, Direction D) {
  std::vector<EntryWrite> Writes;
  for (ProgramAddr Entry : Entries) {
    auto It = Ready.find(Entry);
    if (It == Ready.end())
      return makeError("{} is not armed", Entry);
    Writes.push_back(It->second.Write);
  }
  Expected<WritableText> Text = openText(Writes);
  if (!Text)
    return Text.takeError();
  if (D == Direction::Rearm)
    writeEntries(Writes, *Text, Barrier);
  else
    restoreEntries(Writes, *Text, Barrier);
  return Error::success();
}

} // namespace hotjit
