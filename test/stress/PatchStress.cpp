// Does a call always reach a whole body, whatever Patch does meanwhile?
//
// Some hundred small functions, as GCC and Clang build them, are called by
// several threads, directly from a table of addresses, all the time. The main
// thread meanwhile
//
//   1. arms them, a few at a time;
//   2. commits generation after generation, each replacing all of them (D1);
//   3. goes back and forth between generations;
//   4. disarms and arms their entries again and again, between two commits.
//
// The body of function f in generation n returns what f returns, plus n times
// 2^20. So the caller sees from the result whether the code that it reached was
// f's, and of which generation, and checks that
//
//   * the rest is what f returns;
//   * the generation is not older than the newest that was complete before the
//     call, nor newer than the newest that was begun when it returned;
//   * it is not older than one that this thread has seen before, in any other
//     function: one store switches all.
//
// While entries are disarmed a call may also end in generation 0.

#include "Patch/EntryTable.h"
#include "Support/Error.h"
#include "TestProgram.h"

#include "llvm/ADT/StringExtras.h"
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

using namespace hotjit;

namespace {

using Target = int (*)(int, int);

constexpr unsigned Unit = 1u << 20;        ///< of a generation, in results
constexpr unsigned Generations = 1u << 12; ///< numbers wrap after that many
constexpr unsigned BodySize = 32;

struct Victim {
  std::string Name;
  CodeEntry Site;
  Target Entry;
  Target Reference;
};

/// What callers may see now. Written by the main thread.
struct Limits {
  std::atomic<unsigned> Complete{0}; ///< committed, and the call returned
  std::atomic<unsigned> Begun{0};    ///< about to be committed
  std::atomic<bool> Ordered{true};   ///< nobody goes back in time
  std::atomic<bool> MayBeOriginal{true};
  std::atomic<bool> Stop{false};
  /// Which functions are called: Width of them, from this one on.
  std::atomic<size_t> Focus{0}, Width{0};
};

struct Counts {
  std::atomic<uint64_t> Calls{0}, Original{0}, Replaced{0}, Bad{0};
};

/// Is Value in [First, Last], numbers that wrap?
bool isBetween(unsigned Value, unsigned First, unsigned Last) {
  return ((Value - First) & (Generations - 1)) <=
         ((Last - First) & (Generations - 1));
}

class Caller {
public:
  Caller(const std::vector<Victim> &Victims, Limits &L, Counts &C)
      : Victims(Victims), L(L), C(C) {}

  void run() {
    uint64_t Turn = 0;
    for (; !L.Stop.load(std::memory_order_relaxed); ++Turn)
      callOne(Victims[L.Focus.load(std::memory_order_relaxed) +
                      Turn % L.Width.load(std::memory_order_relaxed)],
              int(Turn % 997) - 20);
    C.Calls += Turn;
    C.Original += Original;
    C.Replaced += Turn - Original;
  }

private:
  void callOne(const Victim &V, int A) {
    bool Ordered = L.Ordered.load(std::memory_order_acquire);
    unsigned First = L.Complete.load(std::memory_order_acquire);
    int Expected = V.Reference(A, 7);
    unsigned Difference = unsigned(V.Entry(A, 7)) - unsigned(Expected);
    unsigned Generation = Difference / Unit;
    unsigned Last = L.Begun.load(std::memory_order_acquire);
    Original += Difference == 0;
    if (Difference % Unit != 0)
      return report(V, A, "neither old nor new", Generation);
    if (Generation == 0 && L.MayBeOriginal.load(std::memory_order_acquire))
      return;
    // Checked only if nothing about the rules changed during the call.
    if (!Ordered || !L.Ordered.load(std::memory_order_acquire)) {
      Newest = 0;
      return;
    }
    if (!isBetween(Generation, First, Last))
      return report(V, A, "a generation that is not current", Generation);
    if (Newest && !isBetween(Generation, Newest, Last))
      return report(V, A, "older than what this thread has seen", Generation);
    Newest = Generation;
  }

  void report(const Victim &V, int A, const char *What, unsigned Generation) {
    if (C.Bad++ < 10)
      std::printf("bad: %s(%d, 7): %s (%u)\n", V.Name.c_str(), A, What,
                  Generation);
  }

  const std::vector<Victim> &Victims;
  Limits &L;
  Counts &C;
  unsigned Newest = 0;
  uint64_t Original = 0;
};

/// Bodies for all functions and generations, made when they are needed.
class Bodies {
public:
  static llvm::Expected<Bodies> create(AddrRange Text, size_t Count) {
    llvm::Expected<CodeRegion> R =
        CodeRegion::near(Text, uint64_t(Count) * BodySize * Generations);
    if (!R)
      return R.takeError();
    return Bodies(std::move(*R));
  }

  ProgramAddr make(size_t Index, unsigned Generation, Target Reference) {
    // sub rsp,8; mov rax,reference; call rax; add eax,n; add rsp,8; ret
    uint8_t Code[BodySize] = {0x48, 0x83, 0xec, 0x08, 0x48, 0xb8, 0,    0,    0,
                              0,    0,    0,    0,    0,    0xff, 0xd0, 0x05, 0,
                              0,    0,    0,    0x48, 0x83, 0xc4, 0x08, 0xc3};
    auto Callee = reinterpret_cast<uint64_t>(Reference);
    uint32_t Sum = Generation * Unit;
    std::memcpy(Code + 6, &Callee, 8);
    std::memcpy(Code + 17, &Sum, 4);
    ProgramAddr At = Memory.range().Begin +
                     (uint64_t(Index) * Generations + Generation) * BodySize;
    Memory.write(At, Code);
    return At;
  }

private:
  explicit Bodies(CodeRegion R) : Memory(std::move(R)) {}
  CodeRegion Memory;
};

class Stress {
public:
  bool prepare();
  void start(unsigned Threads);
  bool armAll();
  bool commitMany(unsigned Count);
  bool backAndForth(unsigned Count);
  bool rewriteMany(unsigned Count);
  int finish();
  void measureCalls();

private:
  bool check(llvm::Error E) {
    if (!E)
      return true;
    std::printf("failed: %s\n", llvm::toString(std::move(E)).c_str());
    return false;
  }
  bool armSome(llvm::ArrayRef<CodeEntry> Sites);
  bool lead(unsigned Generation);
  bool commit();
  void chapter(const char *What);

  TestProgram Program;
  Log NoLog;
  std::unique_ptr<EntryTable> Entries;
  std::vector<Victim> Victims;
  std::vector<std::vector<ProgramAddr>> Made; ///< by generation, by victim
  std::optional<Bodies> Code;
  Limits L;
  Counts C;
  unsigned Number = 0;
  std::vector<std::thread> Threads;
  std::chrono::steady_clock::time_point Since;
};

bool Stress::prepare() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  llvm::Expected<std::unique_ptr<EntryTable>> Created =
      EntryTable::create(Program.text(), Program.bytes(), NoLog);
  if (!Created)
    return check(Created.takeError());
  Entries = std::move(*Created);
  unsigned Refused = 0;
  for (TestProgram::Function &F : Program.functions("target_")) {
    const TestProgram::Function *Reference =
        Program.find(referenceName(F.Name));
    if (!Reference || Reference->Name == F.Name)
      continue;
    if (!Entries->probe(F.Entry).empty()) {
      ++Refused;
      continue;
    }
    F.Entry.PreserveR11 = llvm::StringRef(F.Name).contains("gccO2_plain");
    Victims.push_back(
        {F.Name, F.Entry, reinterpret_cast<Target>(F.Entry.Entry.value()),
         reinterpret_cast<Target>(Reference->Entry.Entry.value())});
  }
  unsigned Straddling = llvm::count_if(Victims, [](const Victim &V) {
    return !V.Site.Patchable && V.Site.Entry.value() % 8 > 3;
  });
  std::printf("%zu functions (%u plain ones straddle a word), %u refused\n",
              Victims.size(), Straddling, Refused);
  llvm::Expected<Bodies> B = Bodies::create(Program.text(), Victims.size());
  if (!B)
    return check(B.takeError());
  Code = std::move(*B);
  Made.resize(Generations);
  return Victims.size() > 100;
}

void Stress::start(unsigned Count) {
  L.Width = Victims.size();
  Since = std::chrono::steady_clock::now();
  for (unsigned I = 0; I != Count; ++I)
    Threads.emplace_back([this] { Caller(Victims, L, C).run(); });
}

void Stress::chapter(const char *What) {
  auto Now = std::chrono::steady_clock::now();
  std::printf("%-28s %6.2f s, generation %u, recovered %lu, bad %lu\n", What,
              std::chrono::duration<double>(Now - Since).count(), Number,
              static_cast<unsigned long>(countRecoveries()),
              static_cast<unsigned long>(C.Bad.load()));
  Since = Now;
}

bool Stress::armSome(llvm::ArrayRef<CodeEntry> Sites) {
  // A thread that is just being made has all signals blocked.
  constexpr int Tries = 100'000;
  for (int Try = 0;; ++Try) {
    std::vector<ArmProblem> Problems = Entries->arm(Sites);
    if (Problems.empty())
      return true;
    for (const ArmProblem &P : Problems)
      if (!P.Retry || Try == Tries) {
        std::printf("failed: %s\n", P.Why.c_str());
        return false;
      }
    std::this_thread::yield();
  }
}

bool Stress::armAll() {
  constexpr size_t Batch = 7;
  for (size_t I = 0; I < Victims.size(); I += Batch) {
    std::vector<CodeEntry> Sites;
    for (size_t J = I; J != std::min(I + Batch, Victims.size()); ++J)
      Sites.push_back(Victims[J].Site);
    if (!armSome(Sites))
      return false;
  }
  chapter("armed");
  return true;
}

/// Publishes a table that leads everything to Generation.
bool Stress::lead(unsigned Generation) {
  std::vector<ProgramAddr> &Row = Made[Generation];
  for (size_t I = 0; I != Victims.size(); ++I) {
    if (Row.size() == I)
      Row.push_back(Code->make(I, Generation, Victims[I].Reference));
    unsigned Slot = *Entries->slotOf(Victims[I].Site.Entry);
    Entries->table().set(Slot, Row[I]);
  }
  return check(Entries->table().publish());
}

bool Stress::commit() {
  // 0 is the program as built; its number is not used again.
  unsigned Next = (Number + 1) % Generations;
  Next += Next == 0;
  L.Begun = Next;
  if (!lead(Next))
    return false;
  Number = Next;
  L.Complete = Next;
  return true;
}

bool Stress::commitMany(unsigned Count) {
  if (!commit())
    return false;
  // From here on nobody may see an original body.
  L.MayBeOriginal = false;
  for (unsigned I = 1; I < Count; ++I)
    if (!commit())
      return false;
  chapter("committed");
  return true;
}

bool Stress::backAndForth(unsigned Count) {
  L.Ordered = false;
  unsigned Last = Number;
  for (unsigned I = 0; I != Count; ++I)
    for (unsigned Back = 0; Back != 5 && Back < Last - 1; ++Back)
      if (!lead(Last - Back))
        return false;
  if (!lead(Last))
    return false;
  L.Ordered = true;
  chapter("went back and forth");
  return true;
}

bool Stress::rewriteMany(unsigned Count) {
  L.MayBeOriginal = true;
  L.Width = 2;
  std::vector<ProgramAddr> All;
  for (const Victim &V : Victims)
    All.push_back(V.Site.Entry);
  for (unsigned I = 0; I != Count; ++I) {
    // Two functions for a while, which all threads call; then the next two.
    if (I % 16 == 0)
      L.Focus = (L.Focus + L.Width) % (Victims.size() - L.Width);
    llvm::ArrayRef<ProgramAddr> Some =
        llvm::ArrayRef<ProgramAddr>(All).slice(L.Focus, L.Width);
    for (EntryTable::Direction D :
         {EntryTable::Direction::Disarm, EntryTable::Direction::Rearm})
      if (!check(Entries->rewriteForTest(Some, D)))
        return false;
    if (I % 16 == 0 && !commit())
      return false;
  }
  chapter("disarmed and armed again");
  return true;
}

int Stress::finish() {
  L.Stop = true;
  for (std::thread &T : Threads)
    T.join();
  std::printf("%lu calls: %lu original, %lu replaced, %lu bad; %u mappings, "
              "%zu bytes of tables\n",
              static_cast<unsigned long>(C.Calls.load()),
              static_cast<unsigned long>(C.Original.load()),
              static_cast<unsigned long>(C.Replaced.load()),
              static_cast<unsigned long>(C.Bad.load()), Entries->mappings(),
              Entries->table().memoryUsed());
  return C.Bad.load() == 0 && C.Replaced.load() > 0 ? 0 : 1;
}

double nanosecondsPerCall(Target Function) {
  Target volatile F = Function;
  constexpr int Turns = 20'000'000;
  auto Begin = std::chrono::steady_clock::now();
  for (int I = 0; I != Turns; ++I)
    F(I, 7);
  std::chrono::duration<double, std::nano> Taken =
      std::chrono::steady_clock::now() - Begin;
  return Taken.count() / Turns;
}

/// Only printed; numbers are no test.
void Stress::measureCalls() {
  auto *Reference = Program.find("target_reference_leaf");
  auto Direct = reinterpret_cast<Target>(Reference->Entry.Entry.value());
  std::printf("ns per call: direct %.2f", nanosecondsPerCall(Direct));
  for (const char *Name :
       {"target_clangO2_plain_leaf", "target_clangO2_patchable_leaf",
        "target_gccO2_plain_leaf"}) {
    const TestProgram::Function *F = Program.find(Name);
    std::optional<unsigned> Slot =
        F ? Entries->slotOf(F->Entry.Entry) : std::nullopt;
    if (!Slot)
      continue;
    Entries->table().set(*Slot, Reference->Entry.Entry);
    if (!check(Entries->table().publish()))
      return;
    std::printf(
        ", %s %.2f%s", Name + std::strlen("target_"),
        nanosecondsPerCall(reinterpret_cast<Target>(F->Entry.Entry.value())),
        Entries->slots()[*Slot].PreserveR11 ? " (keeps r11)" : "");
  }
  std::printf("\n");
}

unsigned argument(int Count, char **Values, int Index, unsigned Default) {
  unsigned Value = Default;
  if (Index < Count && llvm::StringRef(Values[Index]).getAsInteger(10, Value))
    return Default;
  return Value;
}

} // namespace

int main(int Count, char **Values) {
  Stress S;
  if (!S.prepare())
    return 2;
  S.start(argument(Count, Values, 3, 4));
  bool Done = S.armAll() && S.commitMany(argument(Count, Values, 2, 2000)) &&
              S.backAndForth(200) &&
              S.rewriteMany(argument(Count, Values, 1, 2000));
  int Status = S.finish();
  if (Done)
    S.measureCalls();
  return Done ? Status : 2;
}
