// New code works on the state that the program has. For each variable that
// emitted code names this file finds where the program keeps it, and takes that
// place only if it is sure to be the whole variable: an optimizer may have made
// a byte of an int, split a struct, or moved what nobody wrote to read-only
// memory. What the program cannot have is created, what is constant may be
// copied from the new text, everything else is refused.
//
// What the optimizer removed because nothing writes it is known all the same:
// it is what its initializer says. Each generation gets a copy, until an edit
// writes the variable: then it is created, and its readers are swapped
// (Closure.cpp). The proof is in the texts, all since the program started: no
// store, and no address that anybody could store through.

#include "Diff/Judge.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using namespace hotjit;
using llvm::StringRef;
using Action = PlannedVariable::Action;

static Verdict say(const CompiledVariable &V, VerdictKind Kind, Reason Code,
                   std::string Message) {
  return verdictOn(
      V, Kind, Code,
      V.Place.File.empty()
          ? fmt::format("'{}' {}", nameOf(V), Message)
          : fmt::format("{}: '{}' {}", placeText(V.Place), nameOf(V), Message));
}

static Verdict refuse(const CompiledVariable &V, Reason Code,
                      std::string Message) {
  return say(V, VerdictKind::Refused, Code, std::move(Message));
}

/// A constant of one file may become anything: every function that names it is
/// in the change, and pointers to the old data stay good.
static bool isOwnConstant(const CompiledVariable &Old,
                          const CompiledVariable &New) {
  return Old.Const && New.Const && !Old.ThreadLocal && !New.ThreadLocal &&
         Old.Linkage == SymbolLinkage::Internal &&
         New.Linkage == SymbolLinkage::Internal;
}

static Verdict refuseTypeChange(const CompiledVariable &Old,
                                const CompiledVariable &New) {
  std::string What;
  if (withoutPlaces(Old.Type) != withoutPlaces(New.Type))
    What = fmt::format("type changed '{}' -> '{}'", withoutPlaces(Old.Type),
                       withoutPlaces(New.Type));
  else if (Old.Size != New.Size)
    What = fmt::format("size changed {} -> {}", Old.Size, New.Size);
  else if (Old.Align != New.Align)
    What = fmt::format("alignment changed {} -> {}", Old.Align, New.Align);
  else
    What =
        New.ThreadLocal ? "became thread-local" : "is no longer thread-local";
  return refuse(New, Reason::VariableTypeChanged,
                What +
                    "; the program's value has the old one; restart to apply");
}

/// Whether nothing happened to a vtable but that pure virtual functions got a
/// body. No object has that class yet, and those of derived classes have tables
/// of their own; but new code may make some, so each unit gets a new table with
/// its constructors. Where a key function decides who has the table, others
/// name the program's.
static bool onlyLessPure(const CompiledVariable &Old,
                         const CompiledVariable &New) {
  auto IsKept = [&](const std::string &Name) {
    return Name == "__cxa_pure_virtual" ||
           llvm::is_contained(New.References, Name);
  };
  return Old.Size == New.Size && New.Linkage != SymbolLinkage::External &&
         llvm::is_contained(Old.References, "__cxa_pure_virtual") &&
         llvm::all_of(Old.References, IsKept);
}

/// A vtable with other functions, a type with other bases: objects of the
/// program point to the ones it was built with.
static void judgeSynthesized(const CompiledVariable &Old,
                             const CompiledVariable &New,
                             std::vector<Verdict> &Out) {
  StringRef Symbol = New.Symbol;
  if (Symbol.starts_with("_ZTV") && onlyLessPure(Old, New))
    return;
  if (Symbol.starts_with("_ZTV"))
    Out.push_back(refuse(New, Reason::VirtualAdded,
                         "changed: objects that the program made use the old "
                         "table; restart to apply"));
  else if (Symbol.starts_with("_ZTI") || Symbol.starts_with("_ZTT"))
    Out.push_back(refuse(New, Reason::NotSupportedYet,
                         "changed: bases of a class were edited; not supported "
                         "yet; restart to apply"));
}

/// A thread that has the variable keeps its value; what of those that will
/// have it?
static void judgeThreadInit(const CompiledVariable &Old,
                            const CompiledVariable &New,
                            std::vector<Verdict> &Out) {
  if (Old.ThreadInit.empty() != New.ThreadInit.empty())
    Out.push_back(refuse(New, Reason::NotSupportedYet,
                         "is thread-local, and its initial value was and is "
                         "not both a constant, or both made by code; not "
                         "supported yet; restart to apply"));
  else
    Out.push_back(say(New, VerdictKind::Note, Reason::InitializerKept,
                      New.ThreadInit.empty()
                          ? "keeps its value: the edited initializer is not "
                            "applied, in new threads neither"
                          : "keeps its value in threads that have used it: the "
                            "edited initializer is applied in others"));
}

static void judgeChanged(const CompiledVariable &Old,
                         const CompiledVariable &New,
                         std::vector<Verdict> &Out) {
  if (New.Synthesized) {
    judgeSynthesized(Old, New, Out);
    return;
  }
  if (Old.Linkage != New.Linkage) {
    Out.push_back(refuse(New, Reason::AmbiguousName,
                         "changed between static, inline and external: which "
                         "of the program's it is cannot be told; restart to "
                         "apply"));
    return;
  }
  if (!sameType(Old, New) && !isOwnConstant(Old, New)) {
    Out.push_back(refuseTypeChange(Old, New));
    return;
  }
  if (Old.Initializer == New.Initializer && Old.ThreadInit == New.ThreadInit)
    return;
  if (New.ThreadLocal)
    judgeThreadInit(Old, New, Out);
  else if (!Old.Const || !New.Const)
    Out.push_back(say(New, VerdictKind::Note, Reason::InitializerKept,
                      "keeps its value: the edited initializer is not "
                      "applied"));
  else if (New.Linkage == SymbolLinkage::External)
    Out.push_back(refuse(New, Reason::ConstantChanged,
                         "is a constant that other files may read, and these "
                         "would keep the old value; restart to apply"));
  else if (New.Linkage != SymbolLinkage::Internal)
    Out.push_back(say(New, VerdictKind::Note, Reason::ConstantChanged,
                      "has its new value in new code; code that is not part "
                      "of this change keeps the old one"));
}

static std::string definedIn(StringRef Symbol, const UnitCase &Unit) {
  const ProgramView &Program = Unit.Built.program();
  for (size_t I = 0; I < Program.modules().size(); ++I)
    if (Program.findSymbol(I, Symbol) ||
        llvm::any_of(Program.findThreadLocals(I, Symbol),
                     [](const ImageThreadLocal &T) { return T.External; }))
      return llvm::sys::path::filename(Program.modules()[I].Path).str();
  const auto &Variables = Unit.Earlier.Variables;
  if (Variables.contains({"", Symbol.str()}) &&
      !Variables.contains({Unit.New.id(), Symbol.str()}))
    return "code added since";
  return "";
}

/// A variable that was static and now is external, or the other way round, has
/// another symbol in C++, and would silently start anew.
static const CompiledVariable *otherLinkage(const CompiledVariable &V,
                                            const UnitCase &Unit) {
  for (const CompiledVariable *Was : Unit.Delta.RemovedVariables)
    if (V.Function.empty() && Was->Function.empty() &&
        Was->Linkage != V.Linkage && nameOf(*Was) == nameOf(V))
      return Was;
  return nullptr;
}

static void judgeAdded(const CompiledVariable &V, const UnitCase &Unit,
                       std::vector<Verdict> &Out) {
  if (V.Synthesized)
    return;
  if (otherLinkage(V, Unit)) {
    Out.push_back(refuse(V, Reason::AmbiguousName,
                         "changed between static, inline and external: it "
                         "would lose its value; restart to apply"));
    return;
  }
  if (V.Linkage == SymbolLinkage::External) {
    std::string Where = definedIn(V.Symbol, Unit);
    if (!Where.empty()) {
      Out.push_back(refuse(V, Reason::DuplicateSymbol,
                           fmt::format("is defined already, in {}", Where)));
      return;
    }
  }
  if (!V.Const && V.Linkage != SymbolLinkage::Inline)
    Out.push_back(verdictOn(V, VerdictKind::Added, std::nullopt,
                            V.ThreadLocal
                                ? "new variable, starts with its initial value "
                                  "in each thread"
                                : "new variable, starts with its initial "
                                  "value"));
}

std::vector<Verdict> hotjit::judgeVariables(const UnitCase &Unit) {
  std::vector<Verdict> Out;
  for (auto [Old, New] : Unit.Delta.ChangedVariables)
    judgeChanged(*Old, *New, Out);
  for (const CompiledVariable *V : Unit.Delta.AddedVariables)
    judgeAdded(*V, Unit, Out);
  for (const CompiledVariable *V : Unit.Delta.RemovedVariables)
    if (!V->Synthesized && !V->Const && V->Linkage != SymbolLinkage::Inline &&
        !otherLinkage(*V, Unit))
      Out.push_back(say(*V, VerdictKind::Note, Reason::VariableRemoved,
                        "is not used any more; its storage stays"));
  return Out;
}

const CompiledVariable *hotjit::guardedBy(const CompiledVariable &V,
                                          const CompiledUnit &Unit) {
  if (!V.Synthesized)
    return nullptr;
  for (const CompiledVariable &Owner : Unit.Variables)
    if (!Owner.Guard.empty() && Owner.Guard == V.Symbol)
      return &Owner;
  return nullptr;
}

static Placement planned(const CompiledVariable &V, Action What,
                         ProgramAddr Address = {}) {
  PlannedVariable P;
  P.Symbol = V.Symbol;
  P.What = What;
  P.Address = Address;
  return {P, std::nullopt, std::nullopt};
}

static Placement refused(const CompiledVariable &V, Reason Code,
                         std::string Message) {
  return {std::nullopt, refuse(V, Code, std::move(Message)), std::nullopt};
}

static Placement optimizedAway(const CompiledVariable &V, StringRef Why) {
  return refused(
      V, Reason::VariableOptimizedAway,
      fmt::format("{}; build with -O0 or -Og, or mark it volatile", Why.str()));
}

static const Adopted::Variable *createdBefore(const CompiledVariable &V,
                                              const UnitCase &Unit) {
  const auto &Known = Unit.Earlier.Variables;
  auto It = Known.find({Unit.New.id(), V.Symbol});
  if (It == Known.end() && V.Linkage != SymbolLinkage::Internal)
    It = Known.find({"", V.Symbol});
  return It == Known.end() ? nullptr : &It->second;
}

/// The module's own symbol, else the first that the program has.
static std::optional<ProgramAddr> findSymbol(StringRef Symbol,
                                             const UnitCase &Unit) {
  const ProgramView &Program = Unit.Built.program();
  if (auto Own = Program.findSymbol(Unit.Built.unit().Module, Symbol))
    return Own;
  for (size_t I = 0; I < Program.modules().size(); ++I)
    if (auto Other = Program.findSymbol(I, Symbol))
      return Other;
  return std::nullopt;
}

/// The statics of V's name in its function, V too, in the order of Text.
static std::vector<const CompiledVariable *>
namesakes(const CompiledVariable &V, const CompiledUnit &Text) {
  std::vector<const CompiledVariable *> Result;
  for (const CompiledVariable &O : Text.Variables)
    if (O.Name == V.Name && !O.Synthesized && !O.Unnamed &&
        sharedName(O.Function) == sharedName(V.Function))
      Result.push_back(&O);
  llvm::stable_sort(
      Result, [](auto *A, auto *B) { return A->Place.Line < B->Place.Line; });
  return Result;
}

/// Two statics of one name in one function: their names do not tell them apart
/// over an edit (A7, V-10).
static bool isAmbiguousStatic(const CompiledVariable &V, const UnitCase &Unit) {
  return !V.Function.empty() && (namesakes(V, Unit.Old).size() > 1 ||
                                 namesakes(V, Unit.New).size() > 1 ||
                                 Unit.Built.variables(V).size() > 1);
}

/// Whether there are as many of them as ever, and none is another than the one
/// in its place.
static bool areInOrder(const CompiledVariable &V, const UnitCase &Unit) {
  auto IsSame = [](const CompiledVariable *A, const CompiledVariable *B) {
    return sameType(*A, *B) && A->Initializer == B->Initializer &&
           A->Symbol == B->Symbol && B->Guard.empty() && !B->ThreadLocal;
  };
  auto IsOnLineOf = [](const CompiledVariable *A, const CompiledVariable *B) {
    return A->Place.Line == B->Place.Line;
  };
  std::vector<const CompiledVariable *> Old = namesakes(V, Unit.Old);
  std::vector<const CompiledVariable *> New = namesakes(V, Unit.New);
  return llvm::equal(Old, New, IsSame) &&
         std::adjacent_find(Old.begin(), Old.end(), IsOnLineOf) == Old.end() &&
         std::adjacent_find(New.begin(), New.end(), IsOnLineOf) == New.end();
}

/// Then their order tells which of the program's V is. Null: it does not.
static const ImageVariable *findInOrder(const CompiledVariable &V,
                                        const UnitCase &Unit) {
  std::vector<const CompiledVariable *> New = namesakes(V, Unit.New);
  std::vector<const ImageVariable *> Places = Unit.Built.variables(V);
  if (!areInOrder(V, Unit) || New.size() != Places.size())
    return nullptr;
  llvm::sort(Places, [](auto *A, auto *B) { return A->Line < B->Line; });
  for (size_t I = 1; I < Places.size(); ++I)
    if (Places[I]->Line == Places[I - 1]->Line)
      return nullptr;
  auto Found = llvm::find(New, &V);
  return Found == New.end() ? nullptr : Places[Found - New.begin()];
}

/// Whether one of them stands further from the beginning of its function, or
/// nearer to it, than it did.
static bool haveMoved(const CompiledVariable &V, const UnitCase &Unit) {
  const CompiledFunction *Was = Unit.Old.findFunction(V.Function);
  const CompiledFunction *Is = Unit.New.findFunction(V.Function);
  if (!Was || !Is)
    return true;
  auto Distance = [](const CompiledFunction &F) {
    return [&](const CompiledVariable *Static) {
      return Static->Place.Line - F.Place.Line;
    };
  };
  return !llvm::equal(llvm::map_range(namesakes(V, Unit.Old), Distance(*Was)),
                      llvm::map_range(namesakes(V, Unit.New), Distance(*Is)));
}

/// Vtables, type_info and their names: the program's own, whose address is
/// their identity.
static Placement placeSynthesized(const CompiledVariable &V,
                                  const UnitCase &Unit) {
  if (StringRef(V.Symbol).starts_with("_ZTV") &&
      (Unit.Delta.ChangedConstants.contains(V.Symbol) ||
       Unit.Earlier.SupersededConstants.contains({Unit.New.id(), V.Symbol})))
    return planned(V, Action::Copy);
  if (const Adopted::Variable *Before = createdBefore(V, Unit))
    return planned(V, Action::Bind, Before->Address);
  bool Internal = V.Linkage == SymbolLinkage::Internal;
  if (!Internal)
    if (auto Address = findSymbol(V.Symbol, Unit))
      return planned(V, Action::Bind, *Address);
  std::vector<const ImageVariable *> Places = Unit.Built.variables(V);
  if (Places.size() == 1 && Places[0]->Storage == StorageKind::Address)
    return planned(V, Action::Bind, Places[0]->Address);
  if (Internal)
    if (std::vector<ProgramAddr> Local = Unit.Built.localData(V.Symbol);
        Local.size() == 1)
      return planned(V, Action::Bind, Local.front());
  // A second type_info of a type that only this file knows is another type. A
  // symbol table that has file-local names has this one too, if it exists; but
  // closures have other names in it.
  bool IsKnownMissing =
      Unit.Built.program().hasLocalSymbols(Unit.Built.unit().Module) &&
      !isLambdaCode(V.Symbol);
  if (Internal && Unit.Old.findVariable(V.Symbol) && !IsKnownMissing)
    return refused(V, Reason::VariableOptimizedAway,
                   "cannot be found in the program: the class is local to its "
                   "file; not supported yet");
  return planned(V, Action::Create);
}

static Placement placeConstant(const CompiledVariable &V,
                               const UnitCase &Unit) {
  if (Unit.Delta.ChangedConstants.contains(V.Symbol))
    return planned(V, Action::Copy);
  if (const Adopted::Variable *Before = createdBefore(V, Unit))
    return planned(V, Action::Bind, Before->Address);
  if (Unit.Earlier.SupersededConstants.contains({Unit.New.id(), V.Symbol}) ||
      isAmbiguousStatic(V, Unit))
    return planned(V, Action::Copy);
  std::vector<const ImageVariable *> Places = Unit.Built.variables(V);
  if (Places.size() != 1 || Places[0]->Storage != StorageKind::Address)
    return planned(V, Action::Copy);
  const ImageVariable &P = *Places[0];
  if ((P.Size ? P.Size : P.TypeSize) != V.Size)
    return planned(V, Action::Copy);
  return planned(V, Action::Bind, P.Address);
}

/// Macros make names from __LINE__ (A8): `once_12` of yesterday is `once_14` of
/// today, and would silently start anew.
static bool looksRenumbered(const CompiledVariable &V, const UnitCase &Unit) {
  auto WithoutDigits = [](StringRef Name) {
    std::string Result = Name.str();
    std::erase_if(Result, llvm::isDigit);
    return Result;
  };
  return !V.Function.empty() && WithoutDigits(V.Name).size() != V.Name.size() &&
         llvm::any_of(
             Unit.Delta.RemovedVariables, [&](const CompiledVariable *Was) {
               return sharedName(Was->Function) == sharedName(V.Function) &&
                      WithoutDigits(Was->Name) == WithoutDigits(V.Name);
             });
}

static Placement bindThreadLocal(const CompiledVariable &V,
                                 const UnitCase &Unit, uint64_t Offset) {
  const ImageModule &Module = Unit.Built.module();
  Placement Result = planned(V, Action::BindThreadLocal);
  Result.Planned->TlsOffset = Offset;
  Result.Planned->TlsModuleId = Module.TlsModuleId;
  Result.Planned->TlsBlockOffset = Module.TlsBlockOffset;
  return Result;
}

/// What an earlier generation made, as other code reaches it.
static Placement bindToAdded(const CompiledVariable &V,
                             const Adopted::Variable &Before) {
  if (Before.Size && Before.Size != V.Size)
    return refused(V, Reason::VariableTypeChanged,
                   fmt::format("has {} bytes in the text and {} in the "
                               "program; restart to apply",
                               V.Size, Before.Size));
  Placement Result = planned(
      V, Before.ThreadLocal ? Action::BindAddedThreadLocal : Action::Bind,
      Before.Address);
  if (Before.ThreadLocal)
    Result.Planned->Initializer = V.InitializerFunction;
  return Result;
}

/// The module's own that another unit of it may name.
static std::optional<ImageThreadLocal> findThreadLocal(StringRef Symbol,
                                                       const UnitCase &Unit) {
  std::vector<ImageThreadLocal> Found =
      Unit.Built.program().findThreadLocals(Unit.Built.unit().Module, Symbol);
  std::erase_if(Found, [](const ImageThreadLocal &T) { return !T.External; });
  if (Found.size() != 1)
    return std::nullopt;
  return Found.front();
}

static Placement placeCreated(const CompiledVariable &V) {
  Placement Result = planned(V, Action::Create);
  if (!V.ThreadInit.empty()) {
    Result.Planned->Initializer = V.InitializerFunction;
    Result.Planned->ThreadInit = V.ThreadInit;
  }
  return Result;
}

static Placement placeNew(const CompiledVariable &V, const UnitCase &Unit) {
  if (!V.ThreadInit.empty() && V.InitializerFunction.empty())
    return refused(V, Reason::ThreadLocalAdded,
                   "is a new thread-local variable, and the code that sets it "
                   "up cannot be told apart; not supported yet; restart to "
                   "apply");
  if (V.Const && !V.ThreadLocal && V.Linkage != SymbolLinkage::External)
    return planned(V, Action::Copy);
  if (looksRenumbered(V, Unit))
    return refused(V, Reason::StaticLocalAmbiguous,
                   "may be a static of the program whose name was made from "
                   "another line number; restart to apply");
  if (V.Linkage == SymbolLinkage::Inline) {
    // Another unit of the program may have it, whole: such a variable is
    // visible to all, so no optimizer takes it apart.
    if (const Adopted::Variable *Before = createdBefore(V, Unit))
      return bindToAdded(V, *Before);
    if (auto Known = findThreadLocal(V.Symbol, Unit); Known && V.ThreadLocal)
      return bindThreadLocal(V, Unit, Known->Offset);
    if (auto Address = findSymbol(V.Symbol, Unit))
      return planned(V, Action::Bind, *Address);
  }
  return placeCreated(V);
}

/// The guard of a static thread-local, or of all of a unit (__tls_guard): debug
/// info does not know them.
static Placement placeThreadGuard(const CompiledVariable &V,
                                  const UnitCase &Unit) {
  if (const Adopted::Variable *Before = createdBefore(V, Unit))
    return bindToAdded(V, *Before);
  if (V.Linkage != SymbolLinkage::Internal)
    if (auto Known = findThreadLocal(V.Symbol, Unit))
      return bindThreadLocal(V, Unit, Known->Offset);
  std::vector<ImageThreadLocal> Places = Unit.Built.localThreadLocals(V.Symbol);
  if (Places.size() == 1)
    return bindThreadLocal(V, Unit, Places.front().Offset);
  return refused(V, Reason::VariableOptimizedAway,
                 Places.empty()
                     ? "is made by the compiler and cannot be found in the "
                       "program; restart to apply"
                     : "is made by the compiler, and several files of the "
                       "program have one; restart to apply");
}

static Placement refuseAmbiguousStatic(const CompiledVariable &V) {
  return refused(V, Reason::StaticLocalAmbiguous,
                 "is one of several statics with this name in its function: "
                 "which value belongs to which cannot be told; rename it or "
                 "restart to apply");
}

/// What an edit created is known by its symbol, and symbols are numbered.
static bool isMistakable(const CompiledVariable &V, const UnitCase &Unit) {
  return !V.Function.empty() &&
         (namesakes(V, Unit.Old).size() > 1 ||
          namesakes(V, Unit.New).size() > 1) &&
         !areInOrder(V, Unit);
}

static Placement placeThreadLocal(const CompiledVariable &V,
                                  const UnitCase &Unit) {
  if (const Adopted::Variable *Before = createdBefore(V, Unit))
    return isMistakable(V, Unit) ? refuseAmbiguousStatic(V)
                                 : bindToAdded(V, *Before);
  if (isAmbiguousStatic(V, Unit))
    return refuseAmbiguousStatic(V);
  std::vector<const ImageVariable *> Places = Unit.Built.variables(V);
  const ImageModule &Module = Unit.Built.module();
  if (Places.size() != 1 || Places[0]->Storage != StorageKind::ThreadLocal ||
      !Module.TlsModuleId)
    return optimizedAway(V,
                         "has no place in the program's thread-local storage");
  const ImageVariable &P = *Places[0];
  if ((P.Size ? P.Size : P.TypeSize) != V.Size)
    return optimizedAway(V, "has another size in the program");
  // The program may set it up by code where Clang needs none, and new code
  // would not know.
  if (V.Guard.empty() && V.ThreadInit.empty() &&
      StringRef(V.Symbol).starts_with("_Z") &&
      (findThreadLocal("_ZGV" + V.Symbol.substr(2), Unit) ||
       !Unit.Built.localThreadLocals("_ZGV" + V.Symbol.substr(2)).empty()))
    return refused(V, Reason::NotSupportedYet,
                   "is set up at its first use in the program and before it in "
                   "new code; not supported yet");
  return bindThreadLocal(V, Unit, P.TlsOffset);
}

/// Binds V to what debug info says, if that is the whole variable.
static Placement bindTo(const CompiledVariable &V, const ImageVariable &P) {
  switch (P.Storage) {
  case StorageKind::Address:
    break;
  case StorageKind::ThreadLocal:
    return refused(V, Reason::StaleSource,
                   "is thread-local in the program and not in the text; "
                   "rebuild and restart");
  case StorageKind::Composed:
    return optimizedAway(V, "was taken apart by the optimizer");
  case StorageKind::Constant:
    return optimizedAway(V, "was made a constant by the optimizer");
  case StorageKind::None:
    return optimizedAway(V, "was optimized away");
  }
  if (P.TypeSize && P.TypeSize != V.Size)
    return refused(V, Reason::StaleSource,
                   fmt::format("has {} bytes in the text and {} in the "
                               "program; rebuild and restart",
                               V.Size, P.TypeSize));
  if (P.Size ? P.Size != V.Size : P.TypeSize != V.Size)
    return optimizedAway(
        V, fmt::format("keeps {} of its {} bytes in the program: the optimizer "
                       "made it smaller",
                       P.Size, V.Size));
  if (!P.Writable)
    return optimizedAway(V, "lies in read-only memory: the optimizer saw that "
                            "nothing writes it");
  return planned(V, Action::Bind, P.Address);
}

/// The compiler made it and the linker left it out (--gc-sections): no code of
/// the program knows it, so that its initial value is its value.
static bool isDropped(const CompiledVariable &V, const UnitCase &Unit) {
  const BuiltUnit &Built = Unit.Built;
  if (!Built.program().hasLocalSymbols(Built.unit().Module) ||
      !V.Function.empty() || findSymbol(V.Symbol, Unit))
    return false;
  // A compiler that optimizes removes what is local to a file, or a part of it.
  return V.Linkage == SymbolLinkage::External ||
         (!isOptimized(Unit) && Built.localData(V.Symbol).empty());
}

/// No text since the program started could give V another value than this
/// text's initial one.
static bool hasInitialValue(const CompiledVariable &V, const UnitCase &Unit) {
  const CompiledVariable *Was = Unit.Old.findVariable(V.Symbol);
  return Was && V.Linkage == SymbolLinkage::Internal &&
         Was->Linkage == SymbolLinkage::Internal && sameType(*Was, V) &&
         Was->Initializer == V.Initializer && !V.DynamicInitializer &&
         !V.Destructor && V.Guard.empty() &&
         !Unit.Earlier.Written.contains({Unit.New.id(), V.Symbol}) &&
         !Unit.Delta.WrittenBefore.contains(V.Symbol);
}

/// A variable that nothing wrote is made anew from its initial value.
static Placement makeAnew(const CompiledVariable &V, const UnitCase &Unit) {
  if (!llvm::is_contained(Unit.Delta.FirstWritten, &V))
    return planned(V, Action::Copy);
  Placement Result = planned(V, Action::Create);
  Result.Note = say(V, VerdictKind::Note, Reason::VariableOptimizedAway,
                    "is written for the first time: the program was built with "
                    "its initial value, which an undo brings back");
  return Result;
}

static Placement placeLive(const CompiledVariable &V, const UnitCase &Unit) {
  if (const Adopted::Variable *Before = createdBefore(V, Unit))
    return isMistakable(V, Unit) ? refuseAmbiguousStatic(V)
                                 : bindToAdded(V, *Before);
  std::vector<const ImageVariable *> Places = Unit.Built.variables(V);
  bool IsAmbiguous = isAmbiguousStatic(V, Unit);
  if (IsAmbiguous) {
    const ImageVariable *InOrder = findInOrder(V, Unit);
    if (!InOrder)
      return refuseAmbiguousStatic(V);
    Places = {InOrder};
  }
  if (Places.size() > 1)
    return refused(V, Reason::AmbiguousName,
                   fmt::format("is the name of {} variables of the program",
                               Places.size()));
  // The program may keep it set up by code at its first use where Clang needs
  // none: then nothing tells new code whether that has happened.
  if (!V.Function.empty() && V.Guard.empty() &&
      StringRef(V.Symbol).starts_with("_ZZ") &&
      findSymbol("_ZGV" + V.Symbol.substr(2), Unit))
    return refused(V, Reason::NotSupportedYet,
                   "is set up at its first use in the program and before it in "
                   "new code; not supported yet");
  bool HasPlace =
      !Places.empty() && Places.front()->Storage != StorageKind::None;
  if (!HasPlace && isDropped(V, Unit))
    return planned(V, Action::Create);
  if (Places.empty() && V.Linkage == SymbolLinkage::Inline)
    return placeNew(V, Unit);
  Placement Result =
      !Places.empty()
          ? bindTo(V, *Places.front())
          : optimizedAway(V, "is not in the program's debug info: the "
                             "optimizer removed it");
  if (Result.Refused && Result.Refused->Code == Reason::VariableOptimizedAway &&
      hasInitialValue(V, Unit))
    return makeAnew(V, Unit);
  if (Result.Planned && IsAmbiguous && haveMoved(V, Unit))
    Result.Note = say(V, VerdictKind::Note, Reason::StaticLocalAmbiguous,
                      "is one of several statics with this name in its "
                      "function: each is taken for the one that had its place");
  return Result;
}

Placement hotjit::placeVariable(const CompiledVariable &V,
                                const UnitCase &Unit) {
  if (V.Unnamed)
    return {};
  if (V.HoldsLabels)
    return planned(V, Action::Copy);
  if (V.Synthesized && V.ThreadLocal)
    return placeThreadGuard(V, Unit);
  if (V.Synthesized)
    return placeSynthesized(V, Unit);
  const CompiledVariable *Was = Unit.Old.findVariable(V.Symbol);
  if (Was && V.Const && Was->Const && !V.ThreadLocal)
    return placeConstant(V, Unit);
  // A static of a function that is new as well has no other to be mixed up
  // with.
  bool InNewFunction = Unit.Delta.Added.contains(V.Function) &&
                       !Unit.Old.findFunction(V.Function);
  if (!Was && !InNewFunction && isAmbiguousStatic(V, Unit))
    return placeLive(V, Unit);
  if (!Was)
    return placeNew(V, Unit);
  return V.ThreadLocal ? placeThreadLocal(V, Unit) : placeLive(V, Unit);
}
