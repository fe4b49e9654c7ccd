// Two regions per loaded object:
//
//   near  anywhere within reach of its text: stubs of patchable entries and of
//         functions that are new, and all trampolines, one after the other;
//   pun   where the bytes of punned jumps lead (Pun.cpp): stubs of plain
//         entries, scattered;
//   breakpoints
//         where they lead while a debugger has its breakpoint in the last byte.
//
// The first word of a region holds the address of the process's `current`, so
// that a stub reaches it relative to itself wherever the region lies.
//
// Each is reserved in one piece, so that an object costs six mappings however
// many of its functions are changed, and the unwinder three registrations, and
// a fourth one if it has patchable entries.

#include "Patch/ModuleCode.h"

#include "Patch/arch/x86_64/Pun.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

namespace hotjit {

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;

// 16 MiB: room for more stubs and trampolines than a module has functions.
// Sparse; only what is used takes memory.
static constexpr uint64_t NearSize = 16ULL << 20;
// Instruction fetch likes aligned targets; stubs of plain entries have no
// choice.
static constexpr uint64_t CodeAlignment = 16;
// With endbr64 and the part that preserves r11.
static constexpr int64_t LongestStub = 64;

ProgramAddr ModuleCode::Region::freeFrom(ProgramAddr At, uint64_t Size) const {
  auto Next = Taken.upper_bound(At);
  if (Next != Taken.begin())
    At = std::max(At, std::prev(Next)->second);
  // Taken pieces are visited in order; each raises At.
  while (Next != Taken.end() &&
         static_cast<uint64_t>(Next->first - At) < Size) {
    At = Next->second;
    ++Next;
  }
  AddrRange All = Memory.range();
  return At < All.End && static_cast<uint64_t>(All.End - At) >= Size ? At
                                                                     : All.End;
}

ModuleCode::Region ModuleCode::start(CodeRegion Memory,
                                     ProgramAddr CurrentWord) {
  Region R(std::move(Memory));
  uint8_t Word[8];
  llvm::support::endian::write64le(Word, CurrentWord.value());
  R.Memory.write(R.root(), Word);
  R.Memory.write(R.root() + TrapOffset, {0x0f, 0x0b});
  R.Free = R.root() + CodeAlignment;
  R.Taken[R.root()] = R.Free;
  return R;
}

Error ModuleCode::makeNear() {
  if (Near)
    return Error::success();
  Expected<CodeRegion> Memory = CodeRegion::near(Text, NearSize);
  if (!Memory)
    return Memory.takeError();
  Near.emplace(start(std::move(*Memory), CurrentWord));
  return Error::success();
}

static bool overlapsAny(AddrRange Range, ArrayRef<AddrRange> Others) {
  return llvm::any_of(Others, [&](AddrRange O) {
    return Range.Begin < O.End && O.Begin < Range.End;
  });
}

/// Without it a breakpoint in the last byte of a punned jump ends the program;
/// a program at the lowest addresses has no room for it.
void ModuleCode::makeBreakpoints(ArrayRef<AddrRange> Growing) {
  std::optional<AddrRange> Range = breakpointRegion(Text, Pun->Memory.range());
  if (!Range || overlapsAny(*Range, Growing))
    return;
  if (Expected<CodeRegion> Memory = CodeRegion::at(*Range))
    Breakpoints.emplace(start(std::move(*Memory), CurrentWord));
  else
    llvm::consumeError(Memory.takeError());
}

ModuleCode::Region *ModuleCode::regionOf(ProgramAddr At) {
  for (std::optional<Region> *R : {&Pun, &Breakpoints})
    if (*R && (*R)->Memory.range().contains(At))
      return &**R;
  return nullptr;
}

Error ModuleCode::makePun() {
  if (Pun)
    return Error::success();
  // Below the stack, which grows on demand, nothing is put.
  Expected<std::vector<AddrRange>> Growing = growingRanges();
  if (!Growing)
    return Growing.takeError();
  Error Last = Error::success();
  for (AddrRange Range : punRegions(Text)) {
    if (overlapsAny(Range, *Growing))
      continue;
    Expected<CodeRegion> Memory = CodeRegion::at(Range);
    if (Memory) {
      llvm::consumeError(std::move(Last));
      Pun.emplace(start(std::move(*Memory), CurrentWord));
      makeBreakpoints(*Growing);
      return Error::success();
    }
    llvm::consumeError(std::move(Last));
    Last = Memory.takeError();
  }
  std::string Why = llvm::toString(std::move(Last));
  return makeError("no free address range for the stubs of plain entries{}{} "
                   "(HJ3003)",
                   Why.empty() ? "" : ": ", Why);
}

Expected<ProgramAddr> ModuleCode::takeNear(ArrayRef<uint8_t> Bytes) {
  Region &R = *Near;
  uint64_t Left = static_cast<uint64_t>(R.Memory.range().End - R.Free);
  if (Bytes.size() > Left)
    return makeError("near memory for stubs is used up (HJ3003)");
  ProgramAddr At = R.Free;
  R.Memory.write(At, Bytes);
  R.Free =
      ProgramAddr(llvm::alignTo((At + Bytes.size()).value(), CodeAlignment));
  return At;
}

Expected<ProgramAddr> ModuleCode::addStub(bool PreserveR11, unsigned Slot) {
  if (Error E = makeNear())
    return std::move(E);
  // endbr64 is a NOP where it is not needed, so no module must be asked.
  StubForm Form = {/*Endbr=*/true, PreserveR11};
  Expected<ProgramAddr> At =
      takeNear(encodeStub(Form, Near->Free, Near->root(), Slot));
  if (At)
    Near->Unwind.add(describeStub(*At, stubSize(Form), stubPushedAt(Form)));
  return At;
}

Expected<ProgramAddr> ModuleCode::findPlace(const EntryWindow &W,
                                            ProgramAddr Entry,
                                            StubForm Form) const {
  AddrRange Range = Pun->Memory.range();
  std::optional<ProgramAddr> First;
  // The first one will do most of the time.
  constexpr int Tries = 32;
  for (int Try = 0; Try != Tries; ++Try) {
    std::optional<ProgramAddr> Place =
        choosePun(Entry, W.Boundaries, Range, [&](ProgramAddr At) {
          return Pun->freeFrom(At, stubSize(Form));
        });
    if (!Place)
      break;
    if (canTakeBreakpoints(W, Entry, *Place))
      return *Place;
    First = First ? First : Place;
    Range.Begin = *Place + 1;
  }
  if (!First)
    return makeError("no address is left for its stub");
  return *First;
}

/// Is there room at each place where a breakpoint makes the jump lead?
bool ModuleCode::canTakeBreakpoints(const EntryWindow &W, ProgramAddr Entry,
                                    ProgramAddr Stub) const {
  return llvm::all_of(
      breakpointTargets(Entry, W.Boundaries, Stub), [&](ProgramAddr At) {
        const Region *R = const_cast<ModuleCode *>(this)->regionOf(At);
        return R && R->freeFrom(At, JumpSize) == At &&
               (At + JumpSize <= Stub || At >= Stub + LongestStub);
      });
}

/// From there it goes on to Stub, where there is room.
void ModuleCode::catchBreakpoints(const EntryWindow &W, ProgramAddr Entry,
                                  ProgramAddr Stub) {
  for (ProgramAddr At : breakpointTargets(Entry, W.Boundaries, Stub)) {
    Region *R = regionOf(At);
    std::optional<std::array<uint8_t, 5>> Jump = encodeJump(At, Stub);
    if (!R || !Jump || R->freeFrom(At, JumpSize) != At)
      continue;
    R->Memory.write(At, *Jump);
    R->Taken[At] = At + JumpSize;
    R->Unwind.add(describeStub(At, JumpSize, /*PushedAt=*/0));
  }
}

Expected<Trampoline> ModuleCode::move(const EntryWindow &W,
                                      ArrayRef<uint8_t> Code,
                                      ProgramAddr Entry) const {
  return relocate(W, Code, Entry, Near->Free);
}

Error ModuleCode::tryPlain(const EntryWindow &W, ArrayRef<uint8_t> Code,
                           ProgramAddr Entry, const EntryRows *Rows,
                           bool PreserveR11) {
  if (Error E = makeNear())
    return E;
  if (Error E = makePun())
    return E;
  if (Error E = findPlace(W, Entry, {false, PreserveR11}).takeError())
    return E;
  Expected<Trampoline> T = move(W, Code, Entry);
  if (!T)
    return T.takeError();
  return Rows ? describeTrampoline(*Rows, *T, Near->Free).takeError()
              : Error::success();
}

Expected<ModuleCode::PlainEntry>
ModuleCode::addPlain(const EntryWindow &W, ArrayRef<uint8_t> Code,
                     ProgramAddr Entry, const EntryRows *Rows, bool PreserveR11,
                     unsigned Slot) {
  // It was tried before, but other entries have taken places since.
  if (Error E = tryPlain(W, Code, Entry, Rows, PreserveR11))
    return std::move(E);
  StubForm Form = {/*Endbr=*/false, PreserveR11};
  Expected<ProgramAddr> Stub = findPlace(W, Entry, Form);
  if (!Stub)
    return Stub.takeError();
  Expected<Trampoline> T = move(W, Code, Entry);
  if (!T)
    return T.takeError();
  std::vector<uint8_t> Records;
  if (Rows) {
    Expected<std::vector<uint8_t>> R =
        describeTrampoline(*Rows, *T, Near->Free);
    if (!R)
      return R.takeError();
    Records = std::move(*R);
  }
  Expected<ProgramAddr> At = takeNear(T->Code);
  if (!At)
    return At.takeError();
  Near->Unwind.add(Records);

  unsigned Size = stubSize(Form);
  Pun->Memory.write(*Stub, encodeStub(Form, *Stub, Pun->root(), Slot));
  Pun->Taken[*Stub] = *Stub + Size;
  Pun->Unwind.add(describeStub(*Stub, Size, stubPushedAt(Form)));
  catchBreakpoints(W, Entry, *Stub);
  return PlainEntry{*Stub, *At, std::move(*T)};
}

void ModuleCode::publishUnwind() {
  if (Near)
    Near->Unwind.publish();
  if (Pun)
    Pun->Unwind.publish();
  if (Breakpoints)
    Breakpoints->Unwind.publish();
  Padding.publish();
}

} // namespace hotjit
