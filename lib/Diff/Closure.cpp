// An optimizer uses the body of a function in every other function of its unit:
// it inlines it, merges two calls of it, keeps memory in registers across a
// call, drops a landing pad. Often no symbol and no debug entry tells, and what
// GCC decided no comparison by Clang can show. So what is swapped is closed
// upward: with a function go all functions of the unit from which it can be
// reached.
//
// GCC also folds functions of equal code into one and sends the callers of the
// other to it. Under the other's name it leaves a jump, a copy, or nothing. The
// other one, and who calls it, must go along as soon as the one changes.
//
// A variable of the file that nothing writes is its initial value wherever it
// is read. When the first write comes, all who read it are swapped with the
// writer.
//
// Without optimization a function is a black box, with three exceptions: a
// caller that holds an inlined copy (always_inline), a caller of something that
// has no entry to redirect, and a caller of something that threw nothing and
// now may: compilers leave landing pads out even at -O0. Then that caller may
// throw as well, and its callers go along.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Endian.h"
#include <deque>

using namespace hotjit;
using llvm::StringRef;

bool hotjit::isOptimized(const UnitCase &Unit) {
  return Unit.Built.unit().OptLevel > 0 || Unit.New.Settings.OptLevel > 0;
}

bool hotjit::hasSameUnitCaller(const UnitCase &Unit, StringRef Symbol) {
  auto Names = [&](const CompiledFunction &F) {
    return llvm::binary_search(F.Functions, Symbol.str());
  };
  return llvm::any_of(Unit.Old.Functions, Names) ||
         llvm::any_of(Unit.New.Functions, Names);
}

namespace {

using Names = llvm::SmallVector<StringRef, 4>;

/// Finds functions of the new text by the names of debug info, which has one
/// name for all variants of a constructor, and of some functions of GCC only
/// the unqualified name: then whatever it may mean is meant.
class DebugNames {
public:
  explicit DebugNames(const CompiledUnit &Text) : Text(Text) {}

  const Names &meantBy(StringRef Name) {
    if (Shared.empty())
      read();
    auto [Entry, IsNew] = Known.try_emplace(Name);
    if (!IsNew)
      return Entry->second;
    if (auto It = Shared.find(sharedName(Name)); It != Shared.end())
      Entry->second = It->second;
    else if (It = Unqualified.find(Name); It != Unqualified.end())
      Entry->second = It->second;
    return Entry->second;
  }

private:
  void read() {
    for (const CompiledFunction &F : Text.Functions) {
      Shared[sharedName(F.Symbol)].push_back(F.Symbol);
      Unqualified[unqualified(F.Name)].push_back(F.Symbol);
    }
  }

  const CompiledUnit &Text;
  llvm::StringMap<Names> Shared, Unqualified, Known;
};

/// Who names, and who holds a copy of, each function of a unit. A large unit
/// has thousands of functions that name tens of thousands: nothing here is
/// copied or demangled twice.
class Users {
public:
  explicit Users(const UnitCase &Unit) : Unit(Unit), Functions(Unit.New) {}

  Names naming(StringRef Symbol);
  Names holding(StringRef Symbol);

  const UnitCase &Unit;
  DebugNames Functions;
  /// Functions of the old text of which the program has nothing, or an entry
  /// that debug info does not know.
  std::vector<const CompiledFunction *> Vanished;

private:
  // Found when somebody asks.
  std::optional<llvm::StringMap<Names>> Naming;
  std::optional<llvm::StringMap<Names>> Holding;
  unsigned AskedForHolders = 0;
};

} // namespace

/// The functions that the initial value of a variable leads to, through others.
static llvm::StringSet<> functionsIn(const CompiledVariable &Table,
                                     const CompiledUnit &Text) {
  llvm::StringSet<> Found, Seen;
  llvm::SmallVector<const CompiledVariable *, 4> Work = {&Table};
  while (!Work.empty()) {
    for (const std::string &Name : Work.pop_back_val()->References) {
      if (!Seen.insert(Name).second)
        continue;
      if (const CompiledVariable *V = Text.findVariable(Name))
        Work.push_back(V);
      else
        Found.insert(Name);
    }
  }
  return Found;
}

/// A call through a table that nobody writes is a direct call to an optimizer:
/// of a constant, or of a variable whose every use it sees.
static void addUsersOfTables(const CompiledUnit &Text,
                             llvm::StringMap<Names> &Naming) {
  llvm::StringMap<llvm::StringSet<>> Tables;
  for (const CompiledVariable &V : Text.Variables)
    if ((V.Const || V.Linkage == SymbolLinkage::Internal) &&
        !V.References.empty())
      Tables[V.Symbol] = functionsIn(V, Text);
  if (Tables.empty())
    return;
  for (const CompiledFunction &F : Text.Functions)
    for (const std::string &Variable : F.Variables)
      if (auto It = Tables.find(Variable); It != Tables.end())
        for (const auto &Callee : It->second)
          Naming[Callee.getKey()].push_back(F.Symbol);
}

Names Users::naming(StringRef Symbol) {
  if (!Naming) {
    Naming.emplace();
    for (const CompiledUnit *Text : {&Unit.Old, &Unit.New}) {
      for (const CompiledFunction &F : Text->Functions)
        for (const std::string &Callee : F.Functions)
          (*Naming)[Callee].push_back(F.Symbol);
      if (isOptimized(Unit))
        addUsersOfTables(*Text, *Naming);
    }
  }
  return Naming->lookup(Symbol);
}

/// Whether debug info may mean Symbol where it lists inlined copies.
static bool mayHaveCopies(StringRef Symbol, const UnitCase &Unit) {
  const CompiledFunction *F = Unit.New.findFunction(Symbol);
  if (!F)
    return false;
  const CopiedName Name(*F);
  return llvm::any_of(Unit.Built.details().InlinedCopies, [&](const auto &I) {
    return Name.isMeantBy(I.Function);
  });
}

Names Users::holding(StringRef Symbol) {
  if (!Holding) {
    // To give every function of the unit its name of debug info takes longer
    // than all else here, and most functions have no copy. Of many functions
    // some do.
    constexpr unsigned Few = 8;
    if (++AskedForHolders <= Few && !mayHaveCopies(Symbol, Unit))
      return {};
    Holding.emplace();
    for (const UnitDetails::Inlined &I : Unit.Built.details().InlinedCopies)
      for (StringRef Callee : Functions.meantBy(I.Function))
        for (StringRef Holder : Functions.meantBy(I.Into))
          (*Holding)[Callee].push_back(Holder);
  }
  return Holding->lookup(Symbol);
}

/// Where the code of F jumps first thing; none if it does something else.
static std::optional<ProgramAddr> jumpTarget(const ImageFunction &F,
                                             const ProgramView &Program) {
  constexpr uint64_t LongestJump = 11; // endbr64, two NOPs, jmp rel32
  llvm::ArrayRef<uint8_t> Code =
      Program.fileBytes(F.Entry, std::min(F.Size, LongestJump));
  ProgramAddr At = F.Entry;
  auto Skip = [&](llvm::ArrayRef<uint8_t> Bytes) {
    if (Code.size() < Bytes.size() ||
        !Code.take_front(Bytes.size()).equals(Bytes))
      return;
    Code = Code.drop_front(Bytes.size());
    At = At + Bytes.size();
  };
  Skip({0xF3, 0x0F, 0x1E, 0xFA}); // endbr64
  Skip({0x66, 0x90});             // a patchable entry: one NOP of two bytes,
  Skip({0x90, 0x90});             // or two of one
  if (Code.size() >= 2 && Code[0] == 0xEB)
    return At + 2 + static_cast<int8_t>(Code[1]);
  if (Code.size() < 5 || Code[0] != 0xE9)
    return std::nullopt;
  return At + 5 +
         static_cast<int32_t>(llvm::support::endian::read32le(&Code[1]));
}

/// What GCC's folding of equal functions left.
static void addFolded(const UnitCase &Unit, Users &U) {
  llvm::StringSet<> Inlined;
  for (const UnitDetails::Inlined &I : Unit.Built.details().InlinedCopies)
    Inlined.insert(I.Function);
  for (const CompiledFunction &F : Unit.Old.Functions) {
    if (F.Linkage != SymbolLinkage::Internal || Inlined.contains(F.Symbol) ||
        Inlined.contains(unqualified(F.Name)))
      continue;
    FunctionIdentity Id = identify(F, Unit);
    if (Id.What == FunctionIdentity::Status::None || Id.WithoutDebugInfo)
      U.Vanished.push_back(&F);
  }
}

/// Functions of which the program may run F's code: its equals in the old text.
/// GCC sees more of them equal than their text is; then it leaves a jump, or of
/// a static one nothing.
static Names foldedInto(const CompiledFunction &F, const UnitCase &Unit,
                        Users &U) {
  Names Result;
  for (const CompiledFunction &Other : Unit.Old.Functions)
    if (Other.Body == F.Body)
      Result.push_back(Other.Symbol);
  FunctionIdentity Id = identify(F, Unit);
  if (Id.What == FunctionIdentity::Status::Entry)
    for (const ImageFunction &Other : Unit.Built.details().Functions)
      if (jumpTarget(Other, Unit.Built.program()) == Id.Entry)
        llvm::append_range(Result, U.Functions.meantBy(Other.Symbol));
  for (const CompiledFunction *Other : U.Vanished)
    if (Other->Functions == F.Functions && Other->Variables == F.Variables)
      Result.push_back(Other->Symbol);
  return Result;
}

/// Code that runs in threads to come, unlike other initializers; under names
/// that say nothing, but for __tls_init's.
static std::set<std::string> threadInitializersOf(const CompiledUnit &Unit) {
  std::set<std::string> Result;
  for (const CompiledVariable &V : Unit.Variables)
    if (V.ThreadLocal && !V.InitializerFunction.empty())
      Result.insert(V.InitializerFunction);
  for (const CompiledFunction &F : Unit.Functions)
    if (isThreadInit(F.Symbol) || isThreadWrapper(F.Symbol))
      Result.insert(F.Symbol);
  return Result;
}

static bool isAlwaysInline(const UnitCase &Unit, StringRef Symbol) {
  const CompiledFunction *Old = Unit.Old.findFunction(Symbol);
  const CompiledFunction *New = Unit.New.findFunction(Symbol);
  return (Old && Old->AlwaysInline) || (New && New->AlwaysInline);
}

/// GCC comes to callees first and sees of more functions than Clang that they
/// throw nothing.
static bool threwNothing(const UnitCase &Unit, const CompiledFunction &F) {
  return F.NoUnwind ||
         (Unit.Built.unit().By == Producer::GCC && F.ThrowsNothing);
}

static bool startsToThrow(const UnitCase &Unit, StringRef Symbol) {
  const CompiledFunction *Old = Unit.Old.findFunction(Symbol);
  const CompiledFunction *New = Unit.New.findFunction(Symbol);
  return Old && New && threwNothing(Unit, *Old) && !threwNothing(Unit, *New);
}

static bool hasNoEntry(const UnitCase &Unit, StringRef Symbol) {
  const CompiledFunction *Old = Unit.Old.findFunction(Symbol);
  return Old && identify(*Old, Unit).What == FunctionIdentity::Status::None;
}

/// The functions that may have the initial value of V built in go with the one
/// that now writes it.
static void addReaders(const CompiledVariable &V, const UnitCase &Unit,
                       SwappedSet &Swapped, std::deque<std::string> &Queue) {
  auto Writer = llvm::find_if(Unit.New.Functions, [&](const auto &F) {
    return llvm::binary_search(F.Written, V.Symbol);
  });
  std::set<std::string> Initializers = initializersOf(Unit.New);
  for (const CompiledFunction &F : Unit.New.Functions) {
    if (!llvm::binary_search(F.Variables, V.Symbol) ||
        Swapped.contains(F.Symbol) || Unit.Delta.Added.contains(F.Symbol) ||
        Initializers.contains(F.Symbol))
      continue;
    // Data may be what leads to V now.
    const CompiledFunction &Because =
        Writer != Unit.New.Functions.end() ? *Writer : F;
    Swapped[F.Symbol] = {
        Because.Symbol,
        fmt::format("swapped with '{}': the optimizer may have used the "
                    "initial value of '{}'",
                    Because.Name, V.Name)};
    Queue.push_back(F.Symbol);
  }
}

SwappedSet hotjit::swappedTogether(const UnitCase &Unit) {
  SwappedSet Swapped;
  std::deque<std::string> Queue;
  for (const std::string &Symbol : Unit.Delta.Changed) {
    Swapped[Symbol] = {Symbol, ""};
    Queue.push_back(Symbol);
  }
  if (isOptimized(Unit))
    for (const CompiledVariable *V : Unit.Delta.FirstWritten)
      addReaders(*V, Unit, Swapped, Queue);
  if (Queue.empty())
    return Swapped;
  Users U(Unit);
  const ImageUnit &Built = Unit.Built.unit();
  bool FoldsCode = Built.By == Producer::GCC && isOptimized(Unit) &&
                   !StringRef(Built.ProducerText).contains("-fno-ipa-icf");
  if (FoldsCode)
    addFolded(Unit, U);
  std::set<std::string> NeverSwapped = initializersOf(Unit.New);
  NeverSwapped.merge(initializersOf(Unit.Old));
  std::set<std::string> InThreads = threadInitializersOf(Unit.New);
  // What was not edited throws now because of what it calls.
  llvm::StringSet<> Throws;
  while (!Queue.empty()) {
    std::string Symbol = std::move(Queue.front());
    Queue.pop_front();
    const std::string Because = Swapped[Symbol].Because;
    auto Take = [&](Names Users, StringRef Why) {
      llvm::sort(Users);
      for (StringRef Name : Users) {
        std::string User = Name.str();
        if (!Unit.New.findFunction(User) || Swapped.contains(User) ||
            Unit.Delta.Added.contains(User) ||
            (NeverSwapped.contains(User) && !InThreads.contains(User)))
          continue;
        const CompiledFunction *Root = Unit.New.findFunction(Because);
        Swapped[User] = {Because, fmt::format("swapped with '{}': {}",
                                              Root->Name, Why.str())};
        Queue.push_back(User);
      }
    };
    Take(U.holding(Symbol), "it holds an inlined copy");
    if (Throws.contains(Symbol) || startsToThrow(Unit, Symbol)) {
      for (StringRef User : U.naming(Symbol))
        if (const CompiledFunction *Old = Unit.Old.findFunction(User);
            Old && threwNothing(Unit, *Old) && !Swapped.contains(User.str()))
          Throws.insert(User);
      Take(U.naming(Symbol), "it may have no landing pads");
    }
    if (isAlwaysInline(Unit, Symbol))
      Take(U.naming(Symbol), "it holds an inlined copy");
    if (isOptimized(Unit))
      Take(U.naming(Symbol), "the optimizer may have used its old body");
    else if (hasNoEntry(Unit, Symbol))
      Take(U.naming(Symbol), "that has no entry of its own to redirect");
    if (const CompiledFunction *Old = Unit.Old.findFunction(Symbol);
        Old && FoldsCode)
      Take(foldedInto(*Old, Unit, U), "GCC may have made one of both");
  }
  std::erase_if(Swapped, [&](const auto &Entry) {
    return InThreads.contains(Entry.first) && Entry.first != ThreadInitOfUnit;
  });
  return Swapped;
}
