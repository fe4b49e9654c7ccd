// Which code and data of a unit is made anew. It starts with what was edited
// and swapped, and follows every name in it downward: a function that the
// program has is bound to its entry, one that it lacks is made too, a variable
// is placed, and the initial value of new data is followed in turn.
//
// An inline function that several units of the change define is made once per
// entry: the first unit's copy wins, the others are bound to the entry.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <deque>

using namespace hotjit;
using llvm::StringRef;
using Action = PlannedFunction::Action;
using Status = FunctionIdentity::Status;

namespace {

/// Builds the Emission of one unit, following names until none is left.
class Emitter {
public:
  Emitter(const UnitCase &Unit, const SwappedSet &Swapped, Claims &Claimed)
      : Unit(Unit), Swapped(Swapped), Claimed(Claimed),
        Initializers(initializersOf(Unit.New)) {}

  Emission run();
  Emission runFor(const CompiledVariable &V);

private:
  void emitSwapped(const CompiledFunction &F);
  void emitAdded(const CompiledFunction &F);
  void emit(const CompiledFunction &F, Action What, FunctionIdentity Id = {});
  const CompiledFunction *baseVariant(const CompiledFunction &F,
                                      ProgramAddr Entry) const;
  bool isAliasInText(const CompiledFunction &F, StringRef Name) const;
  void needThreadInit(const CompiledFunction &F);
  void bindThreadInit(const CompiledFunction &F);
  void needFunction(StringRef Symbol);
  void needVariable(StringRef Symbol);
  void place(const CompiledVariable &V);
  void follow(llvm::ArrayRef<std::string> Symbols);
  void followAll();
  void planGuard(const CompiledVariable &V, const PlannedVariable &Owner);
  void planCreated(const CompiledVariable &V);
  void refuse(const CompiledFunction &F, Reason Code, std::string Message);
  void finish();

  const UnitCase &Unit;
  const SwappedSet &Swapped;
  Claims &Claimed;
  const std::set<std::string> Initializers;
  Emission Out;
  std::set<std::string> Seen; ///< functions and variables decided on
  std::vector<const CompiledVariable *> Created; ///< with code to run
  std::deque<std::string> Functions;             ///< named, to be decided on
  std::deque<std::string> Variables;
};

} // namespace

void Emitter::refuse(const CompiledFunction &F, Reason Code,
                     std::string Message) {
  Out.Refused.push_back(verdictOn(
      F, VerdictKind::Refused, Code,
      fmt::format("{}: '{}' {}", placeText(F.Place), F.Name, Message)));
  if (auto It = Swapped.find(F.Symbol);
      It != Swapped.end() && It->second.Because != F.Symbol) {
    Out.Refused.back().Edited = false;
    Out.Refused.back().Message += "; " + It->second.Why;
  }
}

void Emitter::follow(llvm::ArrayRef<std::string> Symbols) {
  for (const std::string &Symbol : Symbols)
    if (!Seen.contains(Symbol)) {
      Functions.push_back(Symbol);
      Variables.push_back(Symbol);
    }
}

void Emitter::emit(const CompiledFunction &F, Action What,
                   FunctionIdentity Id) {
  Seen.insert(F.Symbol);
  // Of aliases only the compiler's own are known to be made right.
  bool IsVariant = !F.AliasOf.empty() && areVariants(F.Symbol, F.AliasOf);
  if (F.Unsupported && !IsVariant)
    refuse(F, Reason::NotSupportedYet,
           fmt::format("cannot be made anew: {} is not supported yet; restart "
                       "to apply",
                       *F.Unsupported));
  if (F.PassesVectorsInMemory && Unit.Built.unit().By == Producer::GCC)
    refuse(F, Reason::NotSupportedYet,
           "passes vectors of more than 16 bytes under a target attribute, "
           "which GCC and Clang do in different ways; build the file with "
           "-mavx or what it needs");
  PlannedFunction P;
  P.Symbol = F.Symbol;
  P.What = What;
  P.Entry = Id.Entry;
  if (Id.Called != Id.Entry)
    P.Called = Id.Called;
  P.Size = Id.Size;
  P.Kind = Id.Kind;
  // GCC's callers in this unit know which registers the old body leaves alone,
  // and may call with a misaligned stack.
  P.NeedsAbiThunk = What == Action::Replace && !Id.Added &&
                    Unit.Built.unit().By == Producer::GCC &&
                    isOptimized(Unit) && Id.Kind == EntryKind::Plain &&
                    hasSameUnitCaller(Unit, F.Symbol);
  if (P.NeedsAbiThunk && F.Variadic)
    refuse(F, Reason::NotPatchable,
           "has a variable argument list and is called in its own file, where "
           "GCC may keep registers over the call; build with "
           "-fpatchable-function-entry=8,6 -fno-ipa-ra");
  Out.Unit.Functions.push_back(std::move(P));
  follow(F.Functions);
  follow(F.Variables);
}

/// The function that F must not be made beside, because both have one entry: an
/// alias's target, and of constructors the base variant.
///
/// A class without virtual bases has one constructor under two symbols, and
/// the program one entry for both. Unoptimized, Clang makes two functions of
/// which the complete one calls the base one: only that one has a body to lead
/// the entry to, or it would call itself for ever.
const CompiledFunction *Emitter::baseVariant(const CompiledFunction &F,
                                             ProgramAddr Entry) const {
  std::vector<std::string> Others = F.Functions;
  if (!F.AliasOf.empty())
    Others = {F.AliasOf};
  for (const std::string &Symbol : Others) {
    const CompiledFunction *Other = Unit.New.findFunction(Symbol);
    if (!Other || Symbol == F.Symbol ||
        (F.AliasOf.empty() && !areVariants(Symbol, F.Symbol)))
      continue;
    FunctionIdentity Id = identify(*Other, Unit);
    if (Id.What == Status::Entry && Id.Entry == Entry)
      return Other;
  }
  return nullptr;
}

/// Whether the text says that both are one function.
bool Emitter::isAliasInText(const CompiledFunction &F, StringRef Name) const {
  const CompiledFunction *Other = Unit.New.findFunction(Name);
  return Other && (Other->AliasOf == F.Symbol || F.AliasOf == Other->Symbol ||
                   (!F.AliasOf.empty() && F.AliasOf == Other->AliasOf));
}

/// GCC calls a function of its own file by this name where the dynamic linker
/// could find another one for the symbol.
static StringRef withoutLocalAlias(StringRef Symbol) {
  Symbol.consume_back(".localalias");
  return Symbol;
}

void Emitter::emitSwapped(const CompiledFunction &F) {
  if (Seen.contains(F.Symbol))
    return;
  if (isDefinedElsewhere(F))
    return; // swapped where it is defined
  FunctionIdentity Id = identify(F, Unit);
  if (Id.What == Status::Ambiguous) {
    refuse(F, Reason::AmbiguousName,
           fmt::format("cannot be found in the program: {}; restart to apply",
                       Id.Why));
    return;
  }
  // Without an entry it is made if something that is made names it.
  if (Id.What == Status::None)
    return;
  for (StringRef Alias : Id.Aliases) {
    Alias = withoutLocalAlias(Alias);
    if (Alias != F.Symbol && !areVariants(Alias, F.Symbol) &&
        !isAliasInText(F, Alias) && !isThreadInit(Alias)) {
      refuse(F, Reason::SharedAddress,
             fmt::format("shares its code with '{}' (identical code folding or "
                         "an alias): both would change; build with "
                         "-fno-ipa-icf or without --icf",
                         Alias));
      break;
    }
  }
  if (const CompiledFunction *Base = baseVariant(F, Id.Entry)) {
    emitSwapped(*Base);
    Seen.insert(F.Symbol);
    Out.Unit.BoundFunctions[F.Symbol] = Id.Called;
    return;
  }
  if (!Claimed.Entries.insert(Id.Entry).second) {
    Seen.insert(F.Symbol);
    Out.Unit.BoundFunctions[F.Symbol] = Id.Called;
    return;
  }
  emit(F, Action::Replace, std::move(Id));
}

/// The dynamic linker's choice depends on what each module shows to others.
static constexpr char InTwoModules[] =
    "is new in two modules of the program, and the dynamic linker would choose "
    "one of them for both: not supported yet; make it static or restart to "
    "apply";

void Emitter::emitAdded(const CompiledFunction &F) {
  if (Seen.contains(F.Symbol))
    return;
  if (F.Linkage != SymbolLinkage::Internal) {
    auto &In = Claimed.Added[F.Symbol];
    bool IsFirst = In.insert(Unit.Built.unit().Module).second;
    if (F.Linkage == SymbolLinkage::External && (!IsFirst || In.size() > 1)) {
      Seen.insert(F.Symbol);
      refuse(F, Reason::DuplicateSymbol,
             IsFirst ? InTwoModules
                     : "is defined by another file of this change too");
      return;
    }
    if (!IsFirst) {
      Seen.insert(F.Symbol);
      return; // another unit adds it; Link knows its identity
    }
  }
  emit(F, Action::Add);
}

/// F runs once in each thread before the variable that it belongs to is used.
/// The program's own sets up all variables of the unit; one that was created
/// since has its own, which Link makes.
void Emitter::needThreadInit(const CompiledFunction &F) {
  auto Owner =
      llvm::find_if(Unit.New.Variables, [&](const CompiledVariable &V) {
        return V.ThreadInit == F.Symbol;
      });
  if (Owner == Unit.New.Variables.end()) {
    bindThreadInit(F);
    return;
  }
  if (!Seen.contains(Owner->Symbol))
    place(*Owner);
  Seen.insert(F.Symbol);
  auto Place = llvm::find_if(Out.Unit.Variables, [&](const PlannedVariable &P) {
    return P.Symbol == Owner->Symbol;
  });
  if (Place == Out.Unit.Variables.end())
    return; // refused, or another unit of the change creates it
  if (Place->What == PlannedVariable::Action::BindThreadLocal) {
    const CompiledVariable *Was = Unit.Old.findVariable(Owner->Symbol);
    if (Was && Was->ThreadInit.empty())
      return; // refused: the program does not set it up by code
    bindThreadInit(F);
  } else if (Place->What == PlannedVariable::Action::Create) {
    PlannedFunction P;
    P.Symbol = F.Symbol;
    P.What = Action::Add;
    Out.Unit.Functions.push_back(std::move(P));
  } else if (FunctionIdentity Id = identify(F, Unit);
             Id.What == Status::Entry) {
    Out.Unit.BoundFunctions[F.Symbol] = Id.Called;
  }
}

/// To the program's; where an optimizer left none, to a copy of it, which looks
/// at the same guard.
void Emitter::bindThreadInit(const CompiledFunction &F) {
  Seen.insert(F.Symbol);
  FunctionIdentity Id = identify(F, Unit);
  const CompiledFunction *OfUnit = Unit.New.findFunction(ThreadInitOfUnit);
  if (Id.What == Status::None && OfUnit && F.AliasOf == OfUnit->Symbol)
    Id = identify(*OfUnit, Unit);
  if (Id.What == Status::Entry) {
    Out.Unit.BoundFunctions[F.Symbol] = Id.Called;
    return;
  }
  if (Id.What == Status::Ambiguous) {
    refuse(F, Reason::AmbiguousName,
           fmt::format("sets a thread-local up and cannot be found in the "
                       "program: {}; restart to apply",
                       Id.Why));
    return;
  }
  PlannedFunction P;
  P.Symbol = F.Symbol;
  P.What = Action::PrivateCopy;
  Out.Unit.Functions.push_back(std::move(P));
  follow(F.Functions);
  follow(F.Variables);
}

void Emitter::needFunction(StringRef Symbol) {
  if (Seen.contains(Symbol.str()))
    return;
  const CompiledFunction *F = Unit.New.findFunction(Symbol);
  if (!F) {
    auto It = Unit.Earlier.Functions.find({"", Symbol.str()});
    if (It != Unit.Earlier.Functions.end()) {
      Seen.insert(Symbol.str());
      Out.Unit.BoundFunctions[Symbol.str()] = It->second.Identity;
    }
    return; // of another unit or library: Link looks it up
  }
  if (isThreadInit(F->Symbol)) {
    needThreadInit(*F);
    return;
  }
  if (Initializers.contains(F->Symbol)) {
    emit(*F, Action::PrivateCopy);
    return;
  }
  if (Unit.Delta.Added.contains(F->Symbol) &&
      F->Linkage != SymbolLinkage::Inline) {
    emitAdded(*F);
    return;
  }
  FunctionIdentity Id = identify(*F, Unit);
  if (isDefinedElsewhere(*F)) {
    Seen.insert(F->Symbol);
    if (F->AlwaysInline) {
      // `extern template`: but no library has code for it.
      PlannedFunction P;
      P.Symbol = F->Symbol;
      P.What = Action::PrivateCopy;
      Out.Unit.Functions.push_back(std::move(P));
      follow(F->Functions);
      follow(F->Variables);
    } else if (Id.What == Status::Entry)
      Out.Unit.BoundFunctions[F->Symbol] = Id.Called;
    return; // else Link looks it up
  }
  if (Id.What == Status::Entry && Swapped.contains(F->Symbol)) {
    emitSwapped(*F);
    return;
  }
  if (Id.What == Status::Entry) {
    Seen.insert(F->Symbol);
    Out.Unit.BoundFunctions[F->Symbol] = Id.Called;
  } else if (Id.What == Status::Ambiguous) {
    Seen.insert(F->Symbol);
    refuse(*F, Reason::AmbiguousName,
           fmt::format("is needed by new code and cannot be found in the "
                       "program: {}; restart to apply",
                       Id.Why));
  } else if (Unit.Delta.Added.contains(F->Symbol) || F->AddressTaken ||
             F->Linkage == SymbolLinkage::External) {
    // Where a pointer leads, later edits must lead too.
    emitAdded(*F);
  } else {
    emit(*F, Action::PrivateCopy);
  }
}

void Emitter::planGuard(const CompiledVariable &V,
                        const PlannedVariable &Owner) {
  const CompiledVariable *Guard = Unit.New.findVariable(V.Guard);
  if (!Guard) {
    Out.Refused.push_back(verdictOn(
        V, VerdictKind::Refused, Reason::NotSupportedYet,
        fmt::format("{}: '{}' has a guard that its unit does not define; not "
                    "supported yet",
                    placeText(V.Place), V.Name)));
    return;
  }
  Seen.insert(V.Guard);
  PlannedVariable P;
  P.Symbol = V.Guard;
  P.What = Owner.What;
  if (Owner.What != PlannedVariable::Action::Create &&
      Owner.What != PlannedVariable::Action::Copy) {
    Placement Known = placeVariable(*Guard, Unit);
    if (!Known.Planned || Known.Planned->What != Owner.What) {
      Out.Refused.push_back(verdictOn(
          V, VerdictKind::Refused, Reason::VariableOptimizedAway,
          fmt::format("{}: '{}' has no guard in the program that tells "
                      "whether it was constructed",
                      placeText(V.Place), V.Name)));
      return;
    }
    P = *Known.Planned;
  }
  Out.Unit.Variables.push_back(P);
}

void Emitter::planCreated(const CompiledVariable &V) {
  if (!V.InitializerFunction.empty() && V.DynamicInitializer && !V.ThreadLocal)
    Created.push_back(&V);
  if (!V.InitializerFunction.empty())
    follow(V.InitializerFunction);
}

void Emitter::place(const CompiledVariable &V) {
  Seen.insert(V.Symbol);
  if (V.Unnamed) {
    follow(V.References);
    return;
  }
  Placement Where = placeVariable(V, Unit);
  if (Where.Refused)
    Out.Refused.push_back(std::move(*Where.Refused));
  if (Where.Note)
    Out.Notes.push_back(std::move(*Where.Note));
  if (!Where.Planned)
    return;
  const PlannedVariable &P = *Where.Planned;
  bool IsNew = P.What == PlannedVariable::Action::Create;
  bool IsShared = V.Linkage != SymbolLinkage::Internal;
  if (IsNew && IsShared) {
    auto &In = Claimed.Added[V.Symbol];
    bool IsFirst = In.insert(Unit.Built.unit().Module).second;
    if (IsFirst && In.size() > 1)
      Out.Refused.push_back(
          verdictOn(V, VerdictKind::Refused, Reason::DuplicateSymbol,
                    fmt::format("{}: '{}' {}", placeText(V.Place), V.Name,
                                InTwoModules)));
    // Another unit of the change creates it; Link finds that one. Its guard
    // goes with it.
    if (!IsFirst || In.size() > 1) {
      if (!V.Guard.empty())
        Seen.insert(V.Guard);
      return;
    }
  }
  Out.Unit.Variables.push_back(P);
  if (!V.Guard.empty())
    planGuard(V, P);
  if (IsNew)
    planCreated(V);
  if (IsNew || P.What == PlannedVariable::Action::Copy)
    follow(V.References);
}

void Emitter::needVariable(StringRef Symbol) {
  if (Seen.contains(Symbol.str()))
    return;
  const CompiledVariable *V = Unit.New.findVariable(Symbol);
  if (V) {
    const CompiledVariable *Owner = guardedBy(*V, Unit.New);
    if (Owner && !Seen.contains(Owner->Symbol))
      place(*Owner);
    if (!Seen.contains(V->Symbol))
      place(*V);
    return;
  }
  auto It = Unit.Earlier.Variables.find({"", Symbol.str()});
  if (It == Unit.Earlier.Variables.end())
    return; // of another unit or library: Link looks it up
  Seen.insert(Symbol.str());
  PlannedVariable P;
  P.Symbol = Symbol.str();
  if (It->second.ThreadLocal)
    P.What = PlannedVariable::Action::BindAddedThreadLocal;
  P.Address = It->second.Address;
  Out.Unit.Variables.push_back(P);
}

/// Initializers run in the order of definition, which is the order in which
/// Clang numbers them.
static auto definitionOrder(const CompiledVariable *V) {
  unsigned Number = 0;
  auto [Stem, Digits] = StringRef(V->InitializerFunction).rsplit('.');
  bool IsNumbered = !Digits.empty() && !Digits.getAsInteger(10, Number);
  return std::tuple(IsNumbered ? Number : 0, V->Place.File, V->Place.Line,
                    V->Symbol);
}

void Emitter::finish() {
  llvm::sort(Created, [](const CompiledVariable *A, const CompiledVariable *B) {
    return definitionOrder(A) < definitionOrder(B);
  });
  for (const CompiledVariable *V : Created)
    if (!llvm::is_contained(Out.Unit.Initializers, V->InitializerFunction))
      Out.Unit.Initializers.push_back(V->InitializerFunction);
  llvm::sort(Out.Unit.Functions,
             [](const auto &A, const auto &B) { return A.Symbol < B.Symbol; });
  llvm::sort(Out.Unit.Variables,
             [](const auto &A, const auto &B) { return A.Symbol < B.Symbol; });
}

Emission Emitter::run() {
  Out.Unit.Module = Unit.Built.unit().Module;
  for (const auto &[Symbol, Why] : Swapped)
    emitSwapped(*Unit.New.findFunction(Symbol));
  for (const std::string &Symbol : Unit.Delta.Added) {
    const CompiledFunction &F = *Unit.New.findFunction(Symbol);
    // Inline code appears because something uses it: if that is made, so is
    // this.
    if (F.Linkage != SymbolLinkage::Inline)
      emitAdded(F);
  }
  // A new variable exists though nobody names it yet: another file will (the
  // vtable of a class whose key function stands here), or its constructor has
  // an effect.
  for (const CompiledVariable *V : Unit.Delta.AddedVariables)
    if (V->Function.empty() && ((V->DynamicInitializer && !V->Synthesized) ||
                                V->Linkage == SymbolLinkage::External))
      needVariable(V->Symbol);
  followAll();
  finish();
  return std::move(Out);
}

Emission Emitter::runFor(const CompiledVariable &V) {
  Out.Unit.Module = Unit.Built.unit().Module;
  place(V);
  follow(V.References);
  if (V.DynamicInitializer) {
    follow(V.InitializerFunction);
    Out.Unit.Initializers.push_back(V.InitializerFunction);
  } else {
    Out.Unit.Reinitialize.push_back(V.Symbol);
  }
  followAll();
  finish();
  return std::move(Out);
}

void Emitter::followAll() {
  while (!Functions.empty() || !Variables.empty()) {
    if (!Functions.empty()) {
      std::string Symbol = std::move(Functions.front());
      Functions.pop_front();
      needFunction(Symbol);
    } else {
      std::string Symbol = std::move(Variables.front());
      Variables.pop_front();
      needVariable(Symbol);
    }
  }
}

Emission hotjit::planInitialValue(const UnitCase &Unit,
                                  const CompiledVariable &V) {
  Claims Claimed;
  return Emitter(Unit, {}, Claimed).runFor(V);
}

Emission hotjit::planEmission(const UnitCase &Unit, const SwappedSet &Swapped,
                              Claims &Claimed) {
  return Emitter(Unit, Swapped, Claimed).run();
}
