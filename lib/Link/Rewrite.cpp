// Clang compiled the unit as if for a fresh program: it defines every function
// and every variable of the source file. In the running program almost all of
// these exist already. So before anybody optimizes:
//
// - Functions that are not to be emitted lose their bodies.
// - A body that is emitted gets a name of its own, `f.hotjit`; everything that
//   said `f` (calls, stored addresses, its own recursion) says a declaration
//   instead, bound to the identity of f: the address that the program has
//   always called, and that will lead to the newest body from the commit on.
// - Variables of the program become declarations bound to their addresses. No
//   optimizer sees an initial value that may have changed since, and nothing
//   constructs them again.
//
// Declarations are made default-visible and preemptible, so that the code
// generator reaches them through the GOT: the program's symbols may be
// terabytes away from the new code. A declaration that the plan binds has a
// made-up name: file-local symbols of two units may share theirs.
//
// Unnamed constants and what the plan calls Copy or Create stay defined. If
// code needs a file-local thing that the plan does not mention, it stays
// undefined, and the link says so.

#include "Link/Rewrite.h"

#include "Diff/Delta.h"
#include "Link/AbiThunk.h"
#include "Link/ThreadLocals.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/PassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"
#include "llvm/Transforms/IPO/StripSymbols.h"
#include <set>

using namespace hotjit;
using namespace llvm;

namespace {
class Rewriter {
public:
  Rewriter(PlannedUnit &Unit, size_t Index, const UnitSurroundings &Around,
           RewrittenUnit &Result)
      : Unit(Unit), Index(Index), Around(Around), Result(Result),
        M(*Result.Code.Module) {}

  Error run();

private:
  /// A function that keeps its body, and the planned symbols that mean it:
  /// its own, and those of its aliases (constructor variants).
  struct Emitted {
    Function *Body;
    std::vector<const PlannedFunction *> As;
  };

  void dropFileScope();
  Error defineThreadInits();
  Error detachAliases();
  Error chooseBodies();
  Error chooseBody(const PlannedFunction &P);
  void deleteOtherBodies();
  Error renameBodies();
  Error publish(const PlannedFunction &P, Function &Body);
  void bindFunctions();
  Error addReinitializers();
  Error placeVariables();
  Error placeVariable(GlobalVariable &V, const PlannedVariable &P);
  Error bindThreadLocals();
  Error reachThreadLocal(GlobalVariable &V);
  void looseDeclarations();
  void dropUnused();
  Error refuseLeftovers();
  Error verify();

  std::string madeUpName(StringRef Symbol) const {
    return fmt::format("hj${}${}", Index, Symbol);
  }
  void bind(GlobalValue &Declaration, StringRef Symbol,
            std::optional<ProgramAddr> Address);
  Function &declare(FunctionType &Type, const Function &Like, StringRef Name);
  Emitted &emitted(Function &Body);
  Expected<ProgramAddr> identityOf(const PlannedFunction &P) const;
  const PlannedVariable *planOf(StringRef Symbol) const;
  bool isPlanned(const std::string &Symbol) const;

  PlannedUnit &Unit;
  size_t Index;
  const UnitSurroundings &Around;
  RewrittenUnit &Result;
  Module &M;
  StringMap<GlobalObject *> Aliases; ///< what an alias of the unit stood for
  std::vector<Emitted> Bodies;       ///< in the plan's order
  SmallPtrSet<const GlobalVariable *, 4> Made; ///< by us, not the unit's
  StringMap<const PlannedVariable *> VariablePlans;
  VectorRegisters Vectors = VectorRegisters::XMM;
};
} // namespace

Error Rewriter::run() {
  for (const PlannedVariable &V : Unit.Variables)
    VariablePlans[V.Symbol] = &V;
  if (any_of(Unit.Functions,
             [](const PlannedFunction &F) { return F.NeedsAbiThunk; })) {
    auto Widest = vectorRegistersOf(M, Unit.New->Settings.Features);
    if (!Widest)
      return Widest.takeError();
    Vectors = *Widest;
  }
  dropFileScope();
  if (Error E = defineThreadInits())
    return E;
  if (Error E = detachAliases())
    return E;
  if (Error E = chooseBodies())
    return E;
  deleteOtherBodies();
  if (Error E = renameBodies())
    return E;
  bindFunctions();
  if (Error E = addReinitializers())
    return E;
  if (Error E = placeVariables())
    return E;
  looseDeclarations();
  dropUnused();
  if (Error E = bindThreadLocals())
    return E;
  if (Error E = refuseLeftovers())
    return E;
  return verify();
}

/// What belongs to the file as a whole and happened when the program started:
/// constructors, file-scope assembly, lists of things to keep.
void Rewriter::dropFileScope() {
  M.setModuleInlineAsm("");
  for (GlobalVariable &V : make_early_inc_range(M.globals()))
    if (V.hasAppendingLinkage() ||
        (V.getName().starts_with("llvm.") && V.use_empty()))
      V.eraseFromParent();
}

static void dropCalls(Function &Callee, StringRef Caller) {
  for (User *U : make_early_inc_range(Callee.users()))
    if (auto *Call = dyn_cast<CallInst>(U);
        Call && Call->getFunction()->getName() == Caller)
      Call->eraseFromParent();
}

/// Each new thread-local that code sets up gets a guard of its own, and is not
/// among what the unit's common one stands for.
Error Rewriter::defineThreadInits() {
  for (const PlannedVariable &P : Unit.Variables) {
    Function *Initializer = M.getFunction(P.Initializer);
    if (Initializer)
      dropCalls(*Initializer, ThreadInitOfUnit);
    if (P.ThreadInit.empty())
      continue;
    if (!Initializer || Initializer->isDeclaration())
      return makeError("initializer '{}' is not defined by its unit",
                       P.Initializer);
    Made.insert(&defineThreadInit(P.ThreadInit, *Initializer));
  }
  return Error::success();
}

/// Binds Declaration, which stands for Symbol of the unit, to a place in the
/// program that the plan chose, or to none.
void Rewriter::bind(GlobalValue &Declaration, StringRef Symbol,
                    std::optional<ProgramAddr> Address) {
  std::string Plain = Symbol.str(); // Symbol may be the name that goes away
  Declaration.setName(madeUpName(Plain));
  Result.Bound[Declaration.getName()] = {Plain, Address};
}

/// A declaration with all that a caller must know of Like, and nothing of its
/// body.
Function &Rewriter::declare(FunctionType &Type, const Function &Like,
                            StringRef Name) {
  Function *D = Function::Create(&Type, GlobalValue::ExternalLinkage,
                                 Like.getAddressSpace(), Name, &M);
  D->setAttributes(Like.getAttributes());
  D->setCallingConv(Like.getCallingConv());
  return *D;
}

/// Aliases are symbols at another one's address: GCC and Clang make a complete
/// object constructor an alias of the base object's. From here on they are
/// declarations, and Aliases says what they stood for.
Error Rewriter::detachAliases() {
  std::vector<std::pair<GlobalValue *, GlobalObject *>> Indirect;
  for (GlobalAlias &A : M.aliases()) {
    if (!isa<GlobalValue>(A.getAliasee()->stripPointerCasts()))
      return makeError("'{}': an alias into the middle of something",
                       A.getName());
    Indirect.push_back({&A, A.getAliaseeObject()});
  }
  for (GlobalIFunc &F : M.ifuncs())
    Indirect.push_back({&F, nullptr});
  for (auto [Symbol, Object] : Indirect) {
    std::string Name = Symbol->getName().str();
    bool Local = Symbol->hasLocalLinkage();
    GlobalValue *D;
    if (auto *V = dyn_cast_or_null<GlobalVariable>(Object)) {
      D = new GlobalVariable(M, V->getValueType(), V->isConstant(),
                             GlobalValue::ExternalLinkage, nullptr, "", nullptr,
                             V->getThreadLocalMode());
    } else if (auto *F = dyn_cast_or_null<Function>(Object)) {
      D = &declare(*F->getFunctionType(), *F, "");
    } else {
      D = Function::Create(cast<FunctionType>(Symbol->getValueType()),
                           GlobalValue::ExternalLinkage, "", M);
    }
    D->takeName(Symbol);
    Symbol->replaceAllUsesWith(D);
    Symbol->eraseFromParent();
    if (Object)
      Aliases[Name] = Object;
    if (Local && !isPlanned(Name))
      bind(*D, Name, std::nullopt);
  }
  return Error::success();
}

Rewriter::Emitted &Rewriter::emitted(Function &Body) {
  for (Emitted &E : Bodies)
    if (E.Body == &Body)
      return E;
  Bodies.push_back({&Body, {}});
  return Bodies.back();
}

Error Rewriter::chooseBody(const PlannedFunction &P) {
  auto Alias = Aliases.find(P.Symbol);
  Function *Body = Alias != Aliases.end() ? dyn_cast<Function>(Alias->second)
                                          : M.getFunction(P.Symbol);
  if (!Body || Body->isDeclaration())
    return makeError("'{}' is to be emitted, but its unit does not define it",
                     P.Symbol);
  emitted(*Body).As.push_back(&P);
  return Error::success();
}

Error Rewriter::chooseBodies() {
  for (const PlannedFunction &P : Unit.Functions)
    if (!is_contained(Unit.Initializers, P.Symbol))
      if (Error E = chooseBody(P))
        return E;
  for (const std::string &Symbol : Unit.Initializers) {
    Function *F = M.getFunction(Symbol);
    if (!F || F->isDeclaration())
      return makeError("initializer '{}' is not defined by its unit", Symbol);
    emitted(*F);
  }
  return Error::success();
}

void Rewriter::deleteOtherBodies() {
  std::set<const Function *> Keep;
  for (const Emitted &E : Bodies)
    Keep.insert(E.Body);
  for (Function &F : M) {
    if (F.isDeclaration() || Keep.count(&F))
      continue;
    bool Local = F.hasLocalLinkage();
    F.deleteBody();
    F.setComdat(nullptr);
    if (Local && !Unit.BoundFunctions.count(F.getName().str()))
      bind(F, F.getName(), std::nullopt);
  }
}

Expected<ProgramAddr> Rewriter::identityOf(const PlannedFunction &P) const {
  if (P.What == PlannedFunction::Action::Replace)
    return P.Entry;
  auto Stub = Around.Added.find({Unit.New->id(), P.Symbol});
  if (Stub == Around.Added.end())
    return makeError("'{}' is new and has no stub", P.Symbol);
  return Stub->second;
}

/// Lets everything but label addresses in F, which mean F's own code, mean To.
static void redirectUses(Function &F, Value &To) {
  F.replaceUsesWithIf(&To,
                      [](Use &U) { return !isa<BlockAddress>(U.getUser()); });
}

/// Code that leaves the unit's bounds: linked alone, entered through a stub,
/// unwound through by debuggers and crash reports whatever the unit's flags.
static void makeStandalone(Function &Body, GlobalValue::LinkageTypes Linkage) {
  Body.setLinkage(Linkage);
  Body.setComdat(nullptr);
  Body.setVisibility(GlobalValue::DefaultVisibility);
  Body.setDSOLocal(true);
  Body.setSection("");
  Body.setPartition("");
  Body.setUWTableKind(UWTableKind::Async);
  // Its entry is never patched: the stub leads elsewhere instead.
  for (StringRef Padding :
       {"patchable-function", "patchable-function-entry",
        "patchable-function-prefix", "patchable-function-entry-section"})
    Body.removeFnAttr(Padding);
}

/// Makes Body reachable as the code behind P's identity.
Error Rewriter::publish(const PlannedFunction &P, Function &Body) {
  Expected<ProgramAddr> Identity = identityOf(P);
  if (!Identity)
    return Identity.takeError();
  RewrittenFunction F;
  F.Symbol = P.Symbol;
  F.Body = P.Symbol + ".hotjit";
  F.Sized = Body.getName().str();
  F.What = P.What;
  F.Kind = P.Kind;
  F.Identity = *Identity;
  if (F.Body != F.Sized)
    GlobalAlias::create(GlobalValue::ExternalLinkage, F.Body, &Body);
  // Only an alias has a declaration by this name; the body's own was made.
  if (Function *D = M.getFunction(P.Symbol))
    bind(*D, P.Symbol, P.Called.value_or(*Identity));
  if (P.NeedsAbiThunk) {
    F.Thunk = F.Body + ".thunk";
    Expected<std::string> Text = makeAbiThunk(Body, F.Body, F.Thunk, Vectors);
    if (!Text)
      return makeError("'{}': its callers were optimized together with it, and "
                       "no thunk can be made for it: {}; not supported",
                       P.Symbol, toString(Text.takeError()));
    M.appendModuleInlineAsm(*Text);
  }
  Result.Functions.push_back(std::move(F));
  return Error::success();
}

Error Rewriter::renameBodies() {
  for (const Emitted &E : Bodies) {
    Function &Body = *E.Body;
    std::string Symbol = Body.getName().str();
    if (is_contained(Unit.Initializers, Symbol)) {
      makeStandalone(Body, GlobalValue::ExternalLinkage);
      Body.setName(Symbol + ".hotjit.init");
      continue;
    }
    bool OwnName = false, Private = true;
    for (const PlannedFunction *P : E.As) {
      OwnName |= P->Symbol == Symbol;
      Private &= P->What == PlannedFunction::Action::PrivateCopy;
    }
    makeStandalone(Body, Private ? GlobalValue::InternalLinkage
                                 : GlobalValue::ExternalLinkage);
    // A private copy is called directly. Of a body of which only an alias is
    // planned, the code by its own name is elsewhere.
    if (!Private || !OwnName) {
      Function &D = declare(*Body.getFunctionType(), Body, "");
      redirectUses(Body, D);
      D.takeName(&Body);
      Body.setName(Symbol + ".hotjit");
    }
    for (const PlannedFunction *P : E.As) {
      if (P->What != PlannedFunction::Action::PrivateCopy) {
        if (Error Failed = publish(*P, Body))
          return Failed;
      } else if (P->Symbol != Symbol) {
        M.getFunction(P->Symbol)->replaceAllUsesWith(&Body);
      }
    }
  }
  for (const std::string &Symbol : Unit.Initializers)
    Result.Initializers.push_back(Symbol + ".hotjit.init");
  return Error::success();
}

void Rewriter::bindFunctions() {
  for (const auto &[Symbol, Address] : Unit.BoundFunctions) {
    Function *F = M.getFunction(Symbol);
    if (F && F->isDeclaration() && !F->isIntrinsic())
      bind(*F, Symbol, Address);
  }
}

const PlannedVariable *Rewriter::planOf(StringRef Symbol) const {
  return VariablePlans.lookup(Symbol);
}

bool Rewriter::isPlanned(const std::string &Symbol) const {
  return planOf(Symbol) || Unit.BoundFunctions.count(Symbol) ||
         any_of(Unit.Functions,
                [&](const PlannedFunction &F) { return F.Symbol == Symbol; });
}

/// Makes `void x.hotjit.reinit()` for each variable that gets its initial value
/// again: copies that value over the program's.
Error Rewriter::addReinitializers() {
  for (const std::string &Symbol : Unit.Reinitialize) {
    GlobalVariable *V = M.getGlobalVariable(Symbol, /*AllowInternal=*/true);
    if (!V || !V->hasInitializer())
      return makeError("'{}' is to be set, but its unit does not define it",
                       Symbol);
    auto *Value = new GlobalVariable(M, V->getValueType(), /*isConstant=*/true,
                                     GlobalValue::PrivateLinkage,
                                     V->getInitializer(), "hj$value");
    Value->setAlignment(V->getAlign());
    auto *F = Function::Create(
        FunctionType::get(Type::getVoidTy(M.getContext()), false),
        GlobalValue::ExternalLinkage, Symbol + ".hotjit.reinit", M);
    IRBuilder<> B(BasicBlock::Create(M.getContext(), "", F));
    uint64_t Size = M.getDataLayout().getTypeAllocSize(V->getValueType());
    B.CreateMemCpy(V, V->getAlign(), Value, Value->getAlign(), Size);
    B.CreateRetVoid();
    Result.Initializers.push_back(F->getName().str());
  }
  return Error::success();
}

/// Turns a definition into a declaration: the program has it.
static void externalize(GlobalVariable &V) {
  V.setInitializer(nullptr);
  V.setLinkage(GlobalValue::ExternalLinkage);
  V.setComdat(nullptr);
  V.setUnnamedAddr(GlobalValue::UnnamedAddr::None);
  V.setSection("");
  V.setPartition("");
}

Error Rewriter::placeVariable(GlobalVariable &V, const PlannedVariable &P) {
  bool Creates = P.What == PlannedVariable::Action::Create;
  switch (P.What) {
  case PlannedVariable::Action::Bind:
    if (V.isThreadLocal())
      return makeError("thread-local '{}' cannot be at one address", P.Symbol);
    externalize(V);
    bind(V, P.Symbol, P.Address);
    return Error::success();
  case PlannedVariable::Action::BindThreadLocal:
  case PlannedVariable::Action::BindAddedThreadLocal:
    if (!V.isThreadLocal())
      return makeError("'{}' is not thread-local in the new code", P.Symbol);
    externalize(V);
    return Error::success(); // see bindThreadLocals
  case PlannedVariable::Action::Create:
  case PlannedVariable::Action::Copy:
    break;
  }
  if (!V.hasInitializer() || V.hasAvailableExternallyLinkage())
    return makeError("'{}' is to be created, but its unit does not define it",
                     P.Symbol);
  if (V.isThreadLocal() && !Creates)
    return makeError("thread-local '{}' cannot live with its code", P.Symbol);
  bool WasLocal = V.hasLocalLinkage();
  V.setComdat(nullptr);
  V.setVisibility(GlobalValue::DefaultVisibility);
  if (!Creates) {
    if (!WasLocal)
      V.setLinkage(GlobalValue::InternalLinkage);
    return Error::success();
  }
  V.setLinkage(GlobalValue::ExternalLinkage);
  V.setDSOLocal(true);
  if (WasLocal)
    V.setName(madeUpName(P.Symbol));
  Result.Created.push_back(
      {P.Symbol, V.getName().str(),
       M.getDataLayout().getTypeAllocSize(V.getValueType()).getFixedValue(),
       V.isThreadLocal()});
  return Error::success();
}

Error Rewriter::placeVariables() {
  for (GlobalVariable &V : make_early_inc_range(M.globals())) {
    std::string Symbol = V.getName().str();
    if (const PlannedVariable *P = planOf(Symbol)) {
      if (Error E = placeVariable(V, *P))
        return E;
      continue;
    }
    // String literals and the like have no identity: each use may have its own.
    if ((V.hasPrivateLinkage() && V.isConstant()) || Made.contains(&V))
      continue;
    if (!V.hasInitializer())
      continue;
    bool Local = V.hasLocalLinkage();
    externalize(V);
    if (Local)
      bind(V, Symbol, std::nullopt);
  }
  return Error::success();
}

/// Makes code reach a thread-local that is declared here, if anybody knows it.
Error Rewriter::reachThreadLocal(GlobalVariable &V) {
  std::string Symbol = V.getName().str();
  const PlannedVariable *P = planOf(Symbol);
  bool IsAdded = P && P->What == PlannedVariable::Action::BindAddedThreadLocal;
  bool IsPlanned = P && P->What == PlannedVariable::Action::BindThreadLocal;
  if (IsAdded || (!IsPlanned && Around.NewThreadLocals.contains(Symbol))) {
    Expected<GlobalVariable *> Control = useCreatedThreadLocal(V);
    if (!Control)
      return Control.takeError();
    if (IsAdded)
      bind(**Control, Symbol, P->Address);
    return Error::success();
  }
  if (IsPlanned)
    return bindThreadLocal(V,
                           {P->TlsModuleId, P->TlsOffset, P->TlsBlockOffset});
  if (Result.Bound.contains(Symbol))
    return Error::success(); // file-local, and not planned
  if (std::optional<ThreadLocalPlace> Place = Around.FindThreadLocal(Symbol))
    return bindThreadLocal(V, *Place);
  return Error::success();
}

Error Rewriter::bindThreadLocals() {
  for (GlobalVariable &V : make_early_inc_range(M.globals())) {
    if (!V.isThreadLocal())
      continue;
    if (Error E =
            V.isDeclaration() ? reachThreadLocal(V) : createThreadLocal(V))
      return E;
  }
  return Error::success();
}

void Rewriter::looseDeclarations() {
  for (GlobalValue &V : M.global_values()) {
    if (!V.isDeclaration())
      continue;
    V.setVisibility(GlobalValue::DefaultVisibility);
    V.setDLLStorageClass(GlobalValue::DefaultStorageClass);
    V.setDSOLocal(false);
  }
}

void Rewriter::dropUnused() {
  LoopAnalysisManager Loops;
  FunctionAnalysisManager Functions;
  CGSCCAnalysisManager Components;
  ModuleAnalysisManager Modules;
  PassBuilder Builder;
  Builder.registerModuleAnalyses(Modules);
  Builder.registerCGSCCAnalyses(Components);
  Builder.registerFunctionAnalyses(Functions);
  Builder.registerLoopAnalyses(Loops);
  Builder.crossRegisterProxies(Loops, Functions, Components, Modules);
  GlobalDCEPass().run(M, Modules);
  // A variable without a place would hide the program's from a debugger. Edited
  // bodies that were compiled alone name no others.
  if (Unit.New->Whole)
    StripDeadDebugInfoPass().run(M, Modules);
}

/// What would make JITLink fail, or worse, link something else.
Error Rewriter::refuseLeftovers() {
  Error Result = Error::success();
  for (const GlobalVariable &V : M.globals()) {
    if (!V.isThreadLocal() || V.use_empty())
      continue;
    auto Made = this->Result.Bound.find(V.getName());
    StringRef Symbol = Made == this->Result.Bound.end()
                           ? V.getName()
                           : StringRef(Made->second.Symbol);
    Result =
        joinErrors(std::move(Result),
                   makeError("undefined symbol '{}', a thread-local variable",
                             demangle(Symbol)));
  }
  for (const Function &F : M)
    if (F.getName().starts_with("llvm.instrprof."))
      return joinErrors(std::move(Result),
                        makeError("new code is instrumented for profiles or "
                                  "coverage; not supported"));
  return Result;
}

Error Rewriter::verify() {
  std::string Problem;
  raw_string_ostream Out(Problem);
  if (!verifyModule(M, &Out))
    return Error::success();
  return makeError("bug in hotjit: rewritten code of {} is invalid: {}",
                   Unit.New->Path, Problem);
}

Expected<RewrittenUnit> hotjit::rewrite(PlannedUnit &Unit, size_t Index,
                                        const UnitSurroundings &Around) {
  RewrittenUnit Result;
  Result.Code = std::move(Unit.New->Code);
  if (!Result.Code.Module)
    return makeError("the code of {} has been taken before", Unit.New->Path);
  Unit.New->CodeIsTaken = true;
  if (Error E = Rewriter(Unit, Index, Around, Result).run())
    return E;
  return Result;
}
