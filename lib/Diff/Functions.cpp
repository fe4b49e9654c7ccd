// A function's identity is the address at which the program calls it. Most have
// one: the symbol says where. Some have none, because an optimizer inlined
// every call, renamed a specialized clone (`f.constprop.0`) or gave it a
// calling convention of its own: such a function lives in its callers only.
// And a file-local name may stand for several functions, one per file; then
// only the debug info of the unit tells which is meant.
//
// The second half refuses edits that callers in the program would not survive.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using namespace hotjit;
using llvm::StringRef;

using Found = std::vector<const ImageFunction *>;
using Status = FunctionIdentity::Status;

/// One function per entry address.
static Found distinct(Found All) {
  llvm::sort(All, [](const ImageFunction *A, const ImageFunction *B) {
    return A->Entry < B->Entry;
  });
  All.erase(llvm::unique(All,
                         [](const ImageFunction *A, const ImageFunction *B) {
                           return A->Entry == B->Entry;
                         }),
            All.end());
  return All;
}

/// The functions that F can be, fewest first: this unit's for a file-local
/// one, the module's for others.
static Found functionsFor(const CompiledFunction &F, const BuiltUnit &Built) {
  Found InUnit = distinct(Built.functions(F.Symbol).vec());
  if (F.Linkage == SymbolLinkage::Internal)
    return InUnit;
  Found InModule =
      distinct(Built.program().findFunctions(Built.unit().Module, F.Symbol));
  // Linkers make hidden functions local; the name then is one of many.
  Found Global = InModule;
  std::erase_if(Global, [](const ImageFunction *I) { return I->Local; });
  if (Global.size() == 1)
    return Global;
  if (InUnit.size() == 1)
    return InUnit;
  return Global.empty() ? InModule : Global;
}

static std::vector<std::string> aliasesAt(const ImageFunction &Chosen,
                                          const BuiltUnit &Built,
                                          StringRef Symbol) {
  std::set<std::string> Names;
  auto Add = [&](const ImageFunction &I) {
    if (I.Entry != Chosen.Entry)
      return;
    Names.insert(I.Symbol);
    Names.insert(I.Aliases.begin(), I.Aliases.end());
  };
  Add(Chosen);
  for (const ImageFunction *I : Built.functions(Symbol))
    Add(*I);
  for (const ImageFunction *I :
       Built.program().findFunctions(Built.unit().Module, Symbol))
    Add(*I);
  Names.erase("");
  std::erase_if(Names, [&](const std::string &Name) {
    return withoutTags(Name) == withoutTags(Symbol);
  });
  return {Names.begin(), Names.end()};
}

static const Adopted::Function *addedBefore(const CompiledFunction &F,
                                            const UnitCase &Unit) {
  const auto &Known = Unit.Earlier.Functions;
  auto It = Known.find({Unit.New.id(), F.Symbol});
  if (It == Known.end() && F.Linkage != SymbolLinkage::Internal)
    It = Known.find({"", F.Symbol});
  return It == Known.end() ? nullptr : &It->second;
}

bool hotjit::isDefinedElsewhere(const CompiledFunction &F) {
  return F.Unsupported == "extern inline";
}

/// A static function whose address nobody takes is called by its own unit
/// alone, and an optimizer that knows all calls propagates their arguments into
/// the body: under the same symbol, with the same signature, it answers these
/// calls and no others. New code calls a copy of its own; as every caller of an
/// edited function is swapped with it, nobody misses the entry.
static bool mayBeSpecialized(const CompiledFunction &F, const UnitCase &Unit) {
  if (F.Linkage != SymbolLinkage::Internal || !isOptimized(Unit) ||
      isThreadInit(F.Symbol))
    return false;
  const CompiledFunction *Was = Unit.Old.findFunction(F.Symbol);
  return Was && Was->Linkage == SymbolLinkage::Internal && !Was->AddressTaken;
}

/// Where code of the unit calls Own, its F: by its name, if that is visible.
static ProgramAddr calledAt(const CompiledFunction &F, const ImageFunction &Own,
                            const BuiltUnit &Built) {
  if (F.Linkage == SymbolLinkage::Internal || Built.module().Executable)
    return Own.Entry;
  return Built.program()
      .findSymbol(Built.unit().Module, F.Symbol)
      .value_or(Own.Entry);
}

FunctionIdentity hotjit::identify(const CompiledFunction &F,
                                  const UnitCase &Unit) {
  if (std::string Spelled = Unit.Built.spelling(F.Symbol);
      Spelled != F.Symbol) {
    CompiledFunction Same = F;
    Same.Symbol = std::move(Spelled);
    return identify(Same, Unit);
  }
  FunctionIdentity Id;
  if (const Adopted::Function *Before = addedBefore(F, Unit)) {
    Id.What = Status::Entry;
    Id.Entry = Id.Called = Before->Identity;
    Id.Kind = EntryKind::Patchable;
    Id.Added = true;
    return Id;
  }
  auto IsNonStandard = [](const ImageFunction *I) {
    return I->NonStandardCall;
  };
  if (llvm::any_of(Unit.Built.functions(F.Symbol), IsNonStandard)) {
    Id.Why = "it has a calling convention of its own";
    return Id;
  }
  if (mayBeSpecialized(F, Unit)) {
    Id.Why = "the optimizer knew all its callers";
    return Id;
  }
  Found Candidates = functionsFor(F, Unit.Built);
  if (Candidates.size() > 1) {
    Id.What = Status::Ambiguous;
    Id.Why = fmt::format("{} functions of the program have this name",
                         Candidates.size());
    return Id;
  }
  if (Candidates.empty() && F.Linkage == SymbolLinkage::Internal) {
    Candidates = distinct(Unit.Built.localFunctions(F.Symbol));
    Id.WithoutDebugInfo = !Candidates.empty();
    if (Candidates.size() > 1 ||
        (!Candidates.empty() && Unit.Built.isMistakable())) {
      Id.What = Status::Ambiguous;
      Id.Why = "several files of the program have such a function, and debug "
               "info does not know it";
      return Id;
    }
  }
  if (Candidates.empty()) {
    Id.Why = "the optimizer left no copy that can be called";
    // Without a symbol table nobody can say that it has none.
    if (llvm::any_of(Unit.Built.functions(""), [&](const ImageFunction *I) {
          return I->Name == F.Symbol || I->Name == unqualified(F.Name);
        })) {
      Id.What = Status::Ambiguous;
      Id.Why = "the program has no symbol for it";
    }
    return Id;
  }
  // What the symbol leads to may be another file's function.
  if (F.Weak && llvm::none_of(Unit.Built.functions(F.Symbol),
                              [&](const ImageFunction *I) {
                                return I->Entry == Candidates.front()->Entry;
                              })) {
    Id.What = Status::Ambiguous;
    Id.Why = "it is weak, and the program has another definition";
    return Id;
  }
  Id.What = Status::Entry;
  Id.Entry = Candidates.front()->Entry;
  Id.Called = calledAt(F, *Candidates.front(), Unit.Built);
  Id.Size = Candidates.front()->Size;
  Id.Kind = Candidates.front()->Kind;
  Id.Aliases = aliasesAt(*Candidates.front(), Unit.Built, F.Symbol);
  return Id;
}

static Verdict refuse(const CompiledFunction &F, Reason Code,
                      std::string Message) {
  return verdictOn(
      F, VerdictKind::Refused, Code,
      fmt::format("{}: '{}' {}", placeText(F.Place), F.Name, Message));
}

static void judgeChanged(const CompiledFunction &Was, const CompiledFunction &F,
                         const UnitCase &Unit, std::vector<Verdict> &Out) {
  if (Was.Linkage != F.Linkage) {
    Out.push_back(refuse(F, Reason::AmbiguousName,
                         "changed between static, inline and external: the "
                         "name does not say which function callers mean; "
                         "restart to apply"));
    return;
  }
  // C++ has one body for all: it is edited where it is made too, if that is the
  // program's and not a library's, and what may hold a copy is swapped.
  if (isDefinedElsewhere(F) && !StringRef(F.Symbol).starts_with("_Z"))
    Out.push_back(refuse(F, Reason::NotSupportedYet,
                         "is extern inline: its code is another file's; not "
                         "supported yet; restart to apply"));
  FunctionIdentity Id = identify(F, Unit);
  bool HasNoEntry = Id.What == Status::None;
  // Without an entry every caller is in the change, and no old caller can
  // reach the new code.
  if (withoutPlaces(Was.Signature) != withoutPlaces(F.Signature) &&
      !(HasNoEntry && F.Linkage == SymbolLinkage::Internal))
    Out.push_back(refuse(
        F, Reason::SignatureChanged,
        fmt::format("is called in another way, '{}' -> '{}', under the "
                    "same symbol: code of the program would call it "
                    "wrong; rename it or restart to apply",
                    withoutPlaces(Was.Signature), withoutPlaces(F.Signature))));
  if (Was.NoReturn && !F.NoReturn)
    Out.push_back(refuse(F, Reason::AttributeChanged,
                         "was noreturn and now returns: there may be no code "
                         "after its calls; restart to apply"));
}

/// Where the program already defines Symbol; empty if nowhere.
static std::string definedIn(StringRef Symbol, const UnitCase &Unit) {
  const ProgramView &Program = Unit.Built.program();
  for (size_t I = 0; I < Program.modules().size(); ++I)
    if (Program.findSymbol(I, Symbol))
      return llvm::sys::path::filename(Program.modules()[I].Path).str();
  // By another unit, in an earlier generation.
  const auto &Functions = Unit.Earlier.Functions;
  if (Functions.contains({"", Symbol.str()}) &&
      !Functions.contains({Unit.New.id(), Symbol.str()}))
    return "code added since";
  return "";
}

static void judgeAdded(const CompiledFunction &F, const UnitCase &Unit,
                       std::vector<Verdict> &Out) {
  if (F.Constructor)
    Out.push_back(refuse(F, Reason::NotSupportedYet,
                         "would run before main or at exit: adding such a "
                         "function is not supported yet; restart to apply"));
  if (F.Linkage != SymbolLinkage::External)
    return;
  std::string Where = definedIn(F.Symbol, Unit);
  if (!Where.empty())
    Out.push_back(refuse(F, Reason::DuplicateSymbol,
                         fmt::format("is defined already, in {}", Where)));
}

static void judgeRemoved(const CompiledFunction &Was, const UnitCase &Unit,
                         std::vector<Verdict> &Out) {
  std::vector<std::string> Users;
  for (const CompiledFunction &F : Unit.New.Functions)
    if (llvm::is_contained(F.Functions, Was.Symbol))
      Users.push_back(F.Name);
  if (Was.Linkage == SymbolLinkage::Internal) {
    if (!Users.empty())
      Out.push_back(refuse(
          Was, Reason::FunctionRemoved,
          fmt::format("was removed, and '{}' still names it", Users.front())));
    return;
  }
  // What a generation added, the next may take away: its code stays.
  if (Was.Linkage == SymbolLinkage::Inline ||
      Unit.Earlier.Functions.contains({Unit.New.id(), Was.Symbol}))
    return;
  Out.push_back(refuse(Was, Reason::FunctionRemoved,
                       "was removed, and other code of the program may call "
                       "it; keep it or restart to apply"));
}

static Verdict refuseAssembly(const CompiledUnit &Unit) {
  Verdict V;
  V.Name = llvm::sys::path::filename(Unit.Path).str();
  V.Place = {Unit.Path, 0};
  V.Kind = VerdictKind::Refused;
  V.Code = Reason::NotSupportedYet;
  V.Message = V.Name + ": assembly outside functions was edited; not supported "
                       "yet; restart to apply";
  return V;
}

/// The program's unit has code of closures that its text does not: they have
/// other names there, so a name that is missing proves nothing.
static bool hasUnknownClosures(const UnitCase &Unit) {
  llvm::StringSet<> Known;
  for (const CompiledFunction &F : Unit.Old.Functions)
    Known.insert(withoutTags(Unit.Built.spelling(F.Symbol)));
  return llvm::any_of(
      Unit.Built.details().Functions, [&](const ImageFunction &F) {
        return isLambdaCode(F.Symbol) && !Known.contains(withoutTags(F.Symbol));
      });
}

/// A closure is code (operator()) and what was instantiated with it, pointers
/// to which the program stored: in a std::function, a thread, a callback. All
/// of it is swapped together, if it can be found.
static bool closuresAreFound(const CompiledFunction &Lambda,
                             const UnitCase &Unit, const SwappedSet &Swapped) {
  if (!isOptimized(Unit))
    return identify(Lambda, Unit).What != Status::None;
  if (!hasUnknownClosures(Unit))
    return true;
  return llvm::none_of(Swapped, [&](const auto &Entry) {
    const CompiledFunction *Was = Unit.Old.findFunction(Entry.first);
    if (!Was || !Was->AddressTaken || !isLambdaCode(Was->Symbol))
      return false;
    // What an earlier edit added stands beside what the program may have.
    FunctionIdentity Id = identify(*Was, Unit);
    return Id.What == Status::None || Id.Added;
  });
}

std::vector<Verdict> hotjit::judgeLambdas(const UnitCase &Unit,
                                          const SwappedSet &Swapped) {
  std::vector<Verdict> Out;
  if (Unit.Delta.LambdasMoved)
    return Out; // one reason is enough
  for (const std::string &Symbol : Unit.Delta.Changed) {
    const CompiledFunction &F = *Unit.New.findFunction(Symbol);
    if (!isLambdaCode(Symbol) || isInstantiation(F) ||
        closuresAreFound(F, Unit, Swapped))
      continue;
    // A generic lambda has code for each type, and is one.
    if (!Out.empty() && Out.back().Place == F.Place)
      continue;
    Out.push_back(verdictOn(
        F, VerdictKind::Refused, Reason::LambdaChanged,
        fmt::format("{}: the lambda cannot be found in the program: closures "
                    "made earlier would keep the old body; restart to apply",
                    placeText(F.Place))));
    Out.back().Name = "lambda";
  }
  return Out;
}

std::vector<Verdict> hotjit::judgeFunctions(const UnitCase &Unit) {
  std::vector<Verdict> Out;
  if (Unit.Delta.AssemblyChanged)
    Out.push_back(refuseAssembly(Unit.New));
  for (const std::string &Symbol : Unit.Delta.Changed)
    judgeChanged(*Unit.Old.findFunction(Symbol), *Unit.New.findFunction(Symbol),
                 Unit, Out);
  for (const std::string &Symbol : Unit.Delta.Added)
    judgeAdded(*Unit.New.findFunction(Symbol), Unit, Out);
  for (const std::string &Symbol : Unit.Delta.Removed)
    judgeRemoved(*Unit.Old.findFunction(Symbol), Unit, Out);
  return Out;
}
