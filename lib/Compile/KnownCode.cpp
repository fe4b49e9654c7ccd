// Most functions that an edited body calls are inline functions of headers, and
// each of these calls others: making one body would mean instantiating and
// making hundreds of functions that the program has already.
//
// Sema keeps a list of instantiations that are due; what is known is taken off.
// The code generator makes what is named and has a definition, unless it finds
// a function of that name in the module: so one is put there, a declaration
// without a type, for the type is the generator's business. It gets the type of
// its first call afterwards; calls carry all that matters for making code.
//
// Constructors and destructors come in variants. If a class has no virtual
// bases, the complete one is the base one (Itanium C++ ABI, 5.1.4.3 of the
// mangling: C1, C2, D1, D2), and Clang calls that instead and makes no other.

#include "Compile/KnownCode.h"
#include "clang/AST/DeclCXX.h"
#include "clang/Sema/Sema.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/raw_ostream.h"

using namespace hotjit;
using llvm::StringRef;

using Variants = llvm::SmallVector<clang::GlobalDecl, 3>;

Variants hotjit::variantsOf(const clang::FunctionDecl &F) {
  if (const auto *C = llvm::dyn_cast<clang::CXXConstructorDecl>(&F))
    return {clang::GlobalDecl(C, clang::Ctor_Base),
            clang::GlobalDecl(C, clang::Ctor_Complete)};
  if (const auto *D = llvm::dyn_cast<clang::CXXDestructorDecl>(&F)) {
    Variants All = {clang::GlobalDecl(D, clang::Dtor_Base),
                    clang::GlobalDecl(D, clang::Dtor_Complete)};
    if (D->isVirtual())
      All.push_back(clang::GlobalDecl(D, clang::Dtor_Deleting));
    return All;
  }
  return {clang::GlobalDecl(&F)};
}

static bool completeIsBase(const clang::FunctionDecl &F) {
  return llvm::isa<clang::CXXConstructorDecl, clang::CXXDestructorDecl>(F) &&
         llvm::cast<clang::CXXMethodDecl>(F).getParent()->getNumVBases() == 0;
}

bool hotjit::isOfUnnamed(StringRef Symbol) { return Symbol.contains("$_"); }

bool KnownCode::has(const clang::FunctionDecl &F) {
  if (F.isTemplated() || F.isConsteval() || F.isMultiVersion() ||
      F.getBuiltinID() != 0)
    return false;
  Variants All = variantsOf(F);
  for (size_t I = 0; I != All.size(); ++I) {
    StringRef Symbol = Code.GetMangledName(All[I]);
    if (Plan.Wanted.contains(Symbol) || isOfUnnamed(Symbol))
      return false;
    if (!Plan.Old.findFunction(Symbol) && !(I == 1 && completeIsBase(F)))
      return false;
  }
  return true;
}

void KnownCode::declare(const clang::FunctionDecl &F) {
  llvm::Module &M = *Code.GetModule();
  auto *Type =
      llvm::FunctionType::get(llvm::Type::getVoidTy(M.getContext()), false);
  Variants All = variantsOf(F);
  for (clang::GlobalDecl Variant : All) {
    StringRef Symbol = Code.GetMangledName(Variant);
    if (!Plan.Old.findFunction(Symbol))
      BaseOf[Symbol] = Code.GetMangledName(All.front()).str();
    if (M.getNamedValue(Symbol))
      continue;
    llvm::Function::Create(Type, llvm::GlobalValue::ExternalLinkage, Symbol,
                           &M);
    Declared.insert(Symbol);
  }
}

/// Of static and inline functions the generator makes code at the end of the
/// unit, when most of their callers are made.
void KnownCode::declareThrowsNothing(const clang::FunctionDecl &F) {
  for (clang::GlobalDecl Variant : variantsOf(F)) {
    const CompiledFunction *Was =
        Plan.Old.findFunction(Code.GetMangledName(Variant));
    if (!Was || !Was->NoUnwind || Was->Linkage != SymbolLinkage::External ||
        !Was->AliasOf.empty())
      continue;
    if (auto *Declared = llvm::dyn_cast<llvm::Function>(
            Code.GetAddrOfGlobal(Variant, /*isForDefinition=*/false)))
      Declared->setDoesNotThrow();
  }
}

bool KnownCode::hasVTable(const clang::CXXRecordDecl &R) {
  if (!Mangling)
    Mangling.reset(R.getASTContext().createMangleContext());
  std::string Symbol;
  llvm::raw_string_ostream OS(Symbol);
  llvm::cast<clang::ItaniumMangleContext>(*Mangling).mangleCXXVTable(&R, OS);
  return Plan.Old.findVariable(Symbol);
}

/// Type and calling convention of a call of F.
static const llvm::CallBase *firstCall(const llvm::Function &F) {
  for (const llvm::User *U : F.users())
    if (const auto *Call = llvm::dyn_cast<llvm::CallBase>(U);
        Call && Call->getCalledOperand() == &F)
      return Call;
  return nullptr;
}

static void replace(llvm::Function &Old, llvm::Function &New) {
  Old.replaceAllUsesWith(&New);
  Old.eraseFromParent();
}

void KnownCode::finish(llvm::Module &M) {
  for (const auto &[Complete, Base] : BaseOf)
    if (llvm::Function *From = M.getFunction(Complete),
        *To = M.getFunction(Base);
        From && To && From->isDeclaration())
      replace(*From, *To);
  for (StringRef Symbol : Declared.keys()) {
    llvm::Function *F = M.getFunction(Symbol);
    if (!F || !F->isDeclaration())
      continue;
    if (F->use_empty()) {
      F->eraseFromParent();
      continue;
    }
    const llvm::CallBase *Call = firstCall(*F);
    if (!Call || Call->getFunctionType() == F->getFunctionType())
      continue;
    llvm::Function *Typed = llvm::Function::Create(
        Call->getFunctionType(), llvm::GlobalValue::ExternalLinkage, "", &M);
    Typed->setCallingConv(Call->getCallingConv());
    Typed->takeName(F);
    replace(*F, *Typed);
  }
}

//===-- What Sema would do ------------------------------------------------===//

/// A constexpr function may be needed at compile time; one without external
/// visibility must be defined where it is used, says Sema.
bool WorkFilter::declareKnown(const clang::ValueDecl *D) {
  const auto *F = llvm::dyn_cast<clang::FunctionDecl>(D);
  if (!F || F->isConstexpr() || !F->isExternallyVisible() ||
      F->getReturnType()->getContainedDeducedType() || !Known.has(*F))
    return false;
  Known.declare(*F);
  return true;
}

void WorkFilter::ReadPendingInstantiations(
    llvm::SmallVectorImpl<std::pair<clang::ValueDecl *, clang::SourceLocation>>
        &Read) {
  AtEnd = true;
  auto IsKnown = [&](const auto &Pending) {
    return declareKnown(Pending.first);
  };
  llvm::erase_if(Read, IsKnown);
  if (TheSema)
    llvm::erase_if(TheSema->PendingInstantiations, IsKnown);
}

void WorkFilter::instantiated(const clang::FunctionDecl &F) {
  if (!AtEnd || !TheSema || TheSema->PendingInstantiations.empty() ||
      TheSema->PendingInstantiations.back().first != &F || !declareKnown(&F))
    return;
  TheSema->PendingInstantiations.pop_back();
}

/// Of the preamble: those that this unit made, and those that another unit has.
void WorkFilter::ReadUsedVTables(
    llvm::SmallVectorImpl<clang::ExternalVTableUse> &Read) {
  llvm::erase_if(Read, [&](const clang::ExternalVTableUse &Use) {
    const clang::CXXMethodDecl *Key =
        Use.Record->getASTContext().getCurrentKeyFunction(Use.Record);
    return (Key && !Key->hasBody()) || Known.hasVTable(*Use.Record);
  });
}

/// They are warned of; of those in headers somebody else was.
void WorkFilter::ReadMismatchingDeleteExpressions(
    llvm::MapVector<
        clang::FieldDecl *,
        llvm::SmallVector<std::pair<clang::SourceLocation, bool>, 4>> &Read) {
  const clang::SourceManager &SM = TheSema->getSourceManager();
  Read.remove_if([&](const auto &Field) {
    return llvm::all_of(Field.second, [&](const auto &Place) {
      return SM.isLoadedSourceLocation(Place.first);
    });
  });
}
