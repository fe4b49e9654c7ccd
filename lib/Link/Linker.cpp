// A plan says what new code shall be; this makes it exist, beside the program
// and unknown to it. Nothing here decides anything about an edit. All that can
// go wrong goes wrong here: when stage() returns, every symbol has its address
// and the code could run.

#include "Link/Linker.h"

#include "Link/Emitter.h"
#include "Link/Loader.h"
#include "Link/ObjectSymbols.h"
#include "Link/ProgramScope.h"
#include "Link/Rewrite.h"
#include "Link/ThreadLocals.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/TargetSelect.h"
#include <set>

using namespace hotjit;
using namespace llvm;

struct Linker::State {
  State(const Image &Program, std::unique_ptr<Loader> Objects)
      : Program(Program), Objects(std::move(Objects)) {}

  const Image &Program;
  std::unique_ptr<Loader> Objects;
  size_t Modules = 0; ///< that Objects knows
  Emitter Code;
};

struct StagedGeneration::Resources {
  Loader *Owner;
  LoadedObjects Loaded;
};

StagedGeneration::StagedGeneration() = default;
StagedGeneration::StagedGeneration(StagedGeneration &&) = default;

StagedGeneration &StagedGeneration::operator=(StagedGeneration &&Other) {
  HOTJIT_ASSERT(!Held, "staged code overwritten, neither kept nor abandoned");
  Functions = std::move(Other.Functions);
  Variables = std::move(Other.Variables);
  Initializers = std::move(Other.Initializers);
  Bytes = Other.Bytes;
  Memory = std::move(Other.Memory);
  Held = std::move(Other.Held);
  return *this;
}

StagedGeneration::~StagedGeneration() {
  HOTJIT_ASSERT(!Held, "staged code neither kept nor abandoned");
}

void StagedGeneration::keep() { Held.reset(); }

void StagedGeneration::abandon() {
  if (!Held)
    return;
  // The memory may be lost if this fails, but nobody knows it.
  if (Error E = Held->Owner->unload(std::move(Held->Loaded)))
    Held->Owner->report(std::move(E));
  Held.reset();
}

namespace {
/// The units of one plan on their way to memory.
class Staging {
public:
  Staging(const Image &Program, Plan &P, const Identities &Added)
      : Program(Program), P(P), Added(Added), Scope(Program) {}

  void createOnce();
  Error rewriteAll();
  Error emitAll(Emitter &Code);
  Error resolveAll();
  std::vector<LoadableObject> takeObjects() { return std::move(Objects); }
  StagedGeneration collect(const LoadedObjects &Loaded) const;

private:
  std::optional<ProgramAddr> resolve(size_t Unit, StringRef Name);
  Error missing(size_t Unit, const ObjectSymbols &Symbols,
                StringRef Name) const;
  bool createdElsewhere(size_t Unit, StringRef Name) const;

  const Image &Program;
  Plan &P;
  const Identities &Added;
  ProgramScope Scope;
  // One of each per unit of the plan.
  std::vector<RewrittenUnit> Units;
  std::vector<LoadableObject> Objects;
  std::vector<StringMap<uint64_t>> Sizes; ///< of bodies, by symbol
};
} // namespace

/// A header's new inline variable comes with each unit that includes it; the
/// first one defines it, the others are linked to that. (Its initializer, which
/// each unit has too, looks at a guard that is shared the same way.)
void Staging::createOnce() {
  std::set<std::string> Seen;
  for (PlannedUnit &U : P.Units)
    llvm::erase_if(U.Variables, [&](const PlannedVariable &V) {
      if (V.What != PlannedVariable::Action::Create || !U.New->Code.Module)
        return false;
      const GlobalVariable *G = U.New->Code.Module->getNamedGlobal(V.Symbol);
      return G && G->isDiscardableIfUnused() && !G->hasLocalLinkage() &&
             !Seen.insert(V.Symbol).second;
    });
}

/// What units of the plan create for all to see.
static StringSet<> newThreadLocals(const Plan &P) {
  StringSet<> Names;
  for (const PlannedUnit &U : P.Units)
    for (const PlannedVariable &V : U.Variables) {
      if (V.What != PlannedVariable::Action::Create || !U.New->Code.Module)
        continue;
      const GlobalVariable *G = U.New->Code.Module->getNamedGlobal(V.Symbol);
      if (G && G->isThreadLocal() && !G->hasLocalLinkage())
        Names.insert(V.Symbol);
    }
  return Names;
}

Error Staging::rewriteAll() {
  StringSet<> NewThreadLocals = newThreadLocals(P);
  for (size_t I = 0; I != P.Units.size(); ++I) {
    if (P.Units[I].Module >= Program.modules().size())
      return makeError("{} belongs to no module of the program",
                       P.Units[I].New->Path);
    auto FindThreadLocal = [&](StringRef Symbol) {
      return Scope.findThreadLocal(P.Units[I].Module, Symbol);
    };
    Expected<RewrittenUnit> Unit =
        rewrite(P.Units[I], I, {Added, NewThreadLocals, FindThreadLocal});
    if (!Unit)
      return Unit.takeError();
    Units.push_back(std::move(*Unit));
  }
  return Error::success();
}

Error Staging::emitAll(Emitter &Code) {
  for (size_t I = 0; I != Units.size(); ++I) {
    const CompiledUnit &New = *P.Units[I].New;
    auto Object = Code.emit(*Units[I].Code.Module, New.Settings, New.Path);
    if (!Object)
      return Object.takeError();
    // Beyond this point nothing is asked of the IR. The module goes first.
    Units[I].Code.Module.reset();
    Units[I].Code.Context.reset();
    LoadableObject O;
    O.Object = std::move(*Object);
    O.Module = P.Units[I].Module;
    for (const RewrittenFunction &F : Units[I].Functions) {
      O.Wanted.push_back(F.Body);
      if (!F.Thunk.empty())
        O.Wanted.push_back(F.Thunk);
    }
    for (const RewrittenVariable &V : Units[I].Created)
      O.Wanted.push_back(V.Name);
    append_range(O.Wanted, Units[I].Initializers);
    Objects.push_back(std::move(O));
  }
  return Error::success();
}

/// True if another unit of the plan defines Name for all to see.
bool Staging::createdElsewhere(size_t Unit, StringRef Name) const {
  for (size_t I = 0; I != Units.size(); ++I)
    if (I != Unit)
      for (const RewrittenVariable &V : Units[I].Created)
        if (V.Name == Name)
          return true;
  return false;
}

/// Where code of a unit reaches Name: as the plan says; a function that another
/// unit adds; else what the unit's module would link it to.
std::optional<ProgramAddr> Staging::resolve(size_t Unit, StringRef Name) {
  auto Bound = Units[Unit].Bound.find(Name);
  if (Bound != Units[Unit].Bound.end())
    return Bound->second.Address;
  for (const auto &[UnitAndSymbol, Identity] : Added)
    for (const PlannedUnit &Other : P.Units) {
      if (UnitAndSymbol != std::pair(Other.New->id(), Name.str()))
        continue;
      const CompiledFunction *F = Other.New->findFunction(Name);
      if (F && F->Linkage != SymbolLinkage::Internal)
        return Identity;
    }
  std::optional<ProgramAddr> Found = Scope.find(P.Units[Unit].Module, Name);
  if (Name == ThreadStorageSymbol)
    return threadStorageFunction();
  // An object without destructors that want it has none. It only tells objects
  // apart, and ours are never unloaded.
  static constexpr char OwnDsoHandle = 0;
  if (!Found && Name == "__dso_handle")
    return ProgramAddr(reinterpret_cast<uint64_t>(&OwnDsoHandle));
  return Found;
}

/// The symbol as in the unit, readable: without what Rewrite made of it.
static std::string nameForPeople(StringRef Symbol) {
  return demangle(Symbol.substr(0, Symbol.find(".hotjit")));
}

Error Staging::missing(size_t Unit, const ObjectSymbols &Symbols,
                       StringRef Name) const {
  auto Bound = Units[Unit].Bound.find(Name);
  StringRef Symbol =
      Bound == Units[Unit].Bound.end() ? Name : StringRef(Bound->second.Symbol);
  std::string User = Symbols.userOf(Name);
  return makeError("undefined symbol '{}' needed by {}", nameForPeople(Symbol),
                   User.empty() ? P.Units[Unit].New->Path
                                : "'" + nameForPeople(User) + "'");
}

Error Staging::resolveAll() {
  std::vector<std::string> Problems;
  for (size_t I = 0; I != Units.size(); ++I) {
    Expected<ObjectSymbols> Symbols = ObjectSymbols::read(*Objects[I].Object);
    if (!Symbols)
      return Symbols.takeError();
    for (const ObjectSymbols::Undefined &U : Symbols->undefined()) {
      if (createdElsewhere(I, U.Name))
        continue;
      if (std::optional<ProgramAddr> Address = resolve(I, U.Name))
        Objects[I].Addresses[U.Name] = *Address;
      else if (!U.Weak)
        Problems.push_back(toString(missing(I, *Symbols, U.Name)));
    }
    StringMap<uint64_t> OfBodies;
    for (const RewrittenFunction &F : Units[I].Functions)
      OfBodies[F.Body] = Symbols->sizeOf(F.Sized);
    Sizes.push_back(std::move(OfBodies));
  }
  if (Problems.empty())
    return Error::success();
  return makeError("{}", join(Problems, "; "));
}

StagedGeneration Staging::collect(const LoadedObjects &Loaded) const {
  StagedGeneration Staged;
  Staged.Bytes = Loaded.Bytes;
  Staged.Memory = Loaded.Memory;
  for (size_t I = 0; I != Units.size(); ++I) {
    const CompiledUnit &New = *P.Units[I].New;
    const StringMap<ProgramAddr> &Addresses = Loaded.Addresses[I];
    for (const RewrittenFunction &F : Units[I].Functions) {
      const CompiledFunction *Source = New.findFunction(F.Symbol);
      ProgramAddr Body = Addresses.lookup(F.Body);
      StagedFunction S;
      S.Unit = New.id();
      S.Symbol = F.Symbol;
      S.Name = Source ? Source->displayName() : demangle(F.Symbol);
      S.Identity = F.Identity;
      S.Kind = F.Kind;
      S.Added = F.What == PlannedFunction::Action::Add;
      S.AbiThunk = !F.Thunk.empty();
      S.Target = S.AbiThunk ? Addresses.lookup(F.Thunk) : Body;
      S.Code = {Body, Body + Sizes[I].lookup(F.Body)};
      Staged.Functions.push_back(std::move(S));
    }
    for (const RewrittenVariable &V : Units[I].Created) {
      const CompiledVariable *Source = New.findVariable(V.Symbol);
      Staged.Variables.push_back(
          {New.id(), V.Symbol, Source ? Source->Name : demangle(V.Symbol),
           Addresses.lookup(V.Name), V.Size, V.ThreadLocal,
           Source ? Source->Linkage : SymbolLinkage::Internal});
    }
    for (const std::string &Initializer : Units[I].Initializers)
      Staged.Initializers.push_back(Addresses.lookup(Initializer));
  }
  return Staged;
}

std::optional<Image::Line> Linker::lineAt(ProgramAddr A) const {
  return S->Objects->lineAt(A);
}

Linker::Linker(std::unique_ptr<State> S) : S(std::move(S)) {}
Linker::~Linker() = default;

Expected<std::unique_ptr<Linker>> Linker::create(const Image &Program, Log &L) {
  LLVMInitializeX86TargetInfo();
  LLVMInitializeX86Target();
  LLVMInitializeX86TargetMC();
  LLVMInitializeX86AsmPrinter();
  LLVMInitializeX86AsmParser(); // inline assembly
  Expected<std::unique_ptr<Loader>> Objects = Loader::create(L);
  if (!Objects)
    return Objects.takeError();
  return std::unique_ptr<Linker>(
      new Linker(std::make_unique<State>(Program, std::move(*Objects))));
}

Expected<StagedGeneration> Linker::stage(Plan &P, const Identities &Added) {
  for (; S->Modules != S->Program.modules().size(); ++S->Modules)
    S->Objects->addModule(S->Program.modules()[S->Modules].Text);
  Staging Work(S->Program, P, Added);
  Work.createOnce();
  if (Error E = Work.rewriteAll())
    return E;
  if (Error E = Work.emitAll(S->Code))
    return E;
  if (Error E = Work.resolveAll())
    return E;
  Expected<LoadedObjects> Loaded = S->Objects->load(Work.takeObjects());
  if (!Loaded)
    return Loaded.takeError();
  StagedGeneration Staged = Work.collect(*Loaded);
  Staged.Held.reset(
      new StagedGeneration::Resources{S->Objects.get(), std::move(*Loaded)});
  return Staged;
}
