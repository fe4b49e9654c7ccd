// What a unit defines, as its IR tells: which symbols there are, what each one
// names, how it is linked and called. Nothing here knows the source language.

#include "Compile/CodeFacts.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalAlias.h"
#include "llvm/IR/GlobalIFunc.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/InstrTypes.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/Intrinsics.h"
#include <map>
#include <set>

using namespace hotjit;
using llvm::StringRef;

//===-- What code and data name -------------------------------------------===//

namespace {

/// Collects the symbols that constants name, through constants without a name.
class References {
public:
  void add(const llvm::Value *V);
  void addBody(const llvm::Function &F);

  std::set<std::string> Functions;
  std::set<std::string> Variables;

private:
  void addGlobal(const llvm::GlobalValue &G);

  llvm::SmallPtrSet<const llvm::Constant *, 16> Seen;
  llvm::SmallVector<const llvm::Constant *, 8> Work;
};

} // namespace

void References::addGlobal(const llvm::GlobalValue &G) {
  StringRef Name = G.getName();
  if (const auto *V = llvm::dyn_cast<llvm::GlobalVariable>(&G)) {
    if (!isUnnamed(*V))
      Variables.insert(Name.str());
    else if (V->hasInitializer())
      Work.push_back(V->getInitializer());
    return;
  }
  bool IsCode = llvm::isa<llvm::FunctionType>(G.getValueType());
  if (!Name.starts_with("llvm."))
    (IsCode ? Functions : Variables).insert(Name.str());
}

void References::add(const llvm::Value *V) {
  if (const auto *C = llvm::dyn_cast<llvm::Constant>(V))
    Work.push_back(C);
  while (!Work.empty()) {
    const llvm::Constant *C = Work.pop_back_val();
    const auto *G = llvm::dyn_cast<llvm::GlobalValue>(C);
    if ((!G && C->getNumOperands() == 0) || !Seen.insert(C).second)
      continue;
    if (G) {
      addGlobal(*G);
      continue;
    }
    if (llvm::isa<llvm::BlockAddress>(C))
      continue; // A block of the code that holds it.
    for (const llvm::Use &U : C->operands())
      Work.push_back(llvm::cast<llvm::Constant>(U.get()));
  }
}

void References::addBody(const llvm::Function &F) {
  for (const llvm::Use &U : F.operands()) // personality and the like
    add(U.get());
  for (const llvm::Instruction &I : llvm::instructions(F))
    for (const llvm::Use &U : I.operands())
      add(U.get());
}

/// Nothing but loading comes of this use of a pointer.
static bool onlyLoads(const llvm::Use &U) {
  const llvm::User *User = U.getUser();
  if (llvm::isa<llvm::LoadInst>(User))
    return true;
  if (const auto *Copy = llvm::dyn_cast<llvm::MemTransferInst>(User))
    return &U == &Copy->getRawSourceUse();
  if (const auto *Call = llvm::dyn_cast<llvm::CallBase>(User))
    return Call->isArgOperand(&U) &&
           Call->isByValArgument(Call->getArgOperandNo(&U));
  // Part of a larger object.
  return llvm::isa<llvm::GetElementPtrInst>(User) &&
         U.getOperandNo() ==
             llvm::GetElementPtrInst::getPointerOperandIndex() &&
         llvm::all_of(User->uses(), onlyLoads);
}

/// See CompiledFunction::Written.
static std::set<std::string> variablesWritten(const llvm::Function &F) {
  References R;
  for (const llvm::Instruction &I : llvm::instructions(F))
    for (const llvm::Use &U : I.operands()) {
      if (!llvm::isa<llvm::Constant>(U.get()))
        continue;
      const auto *V = llvm::dyn_cast<llvm::GlobalVariable>(
          U->stripInBoundsConstantOffsets());
      if (!V || isUnnamed(*V) || !onlyLoads(U))
        R.add(U.get());
    }
  return std::move(R.Variables);
}

static std::vector<std::string> sorted(const std::set<std::string> &S) {
  return {S.begin(), S.end()};
}

/// True if C is reached only from lists that Clang keeps for the linker.
static bool isOnlyListed(const llvm::Constant &C) {
  if (const auto *G = llvm::dyn_cast<llvm::GlobalVariable>(&C))
    return G->getName().starts_with("llvm.");
  return llvm::all_of(C.users(), [](const llvm::User *U) {
    const auto *Outer = llvm::dyn_cast<llvm::Constant>(U);
    return Outer && !llvm::isa<llvm::Function>(Outer) && isOnlyListed(*Outer);
  });
}

/// Something that no function of the unit shows leads to C's object.
static bool isExposed(const llvm::Constant &C) {
  return llvm::any_of(C.users(), [](const llvm::User *U) {
    if (const auto *G = llvm::dyn_cast<llvm::GlobalVariable>(U))
      return G->getName().starts_with("llvm."); // used: by assembly
    const auto *Outer = llvm::dyn_cast<llvm::Constant>(U);
    return llvm::isa<llvm::GlobalAlias>(U) || (Outer && isExposed(*Outer));
  });
}

bool hotjit::isAddressTaken(const llvm::GlobalValue &F) {
  return llvm::any_of(F.uses(), [](const llvm::Use &U) {
    const llvm::User *User = U.getUser();
    if (const auto *Call = llvm::dyn_cast<llvm::CallBase>(User))
      return !Call->isCallee(&U);
    if (llvm::isa<llvm::BlockAddress>(User))
      return false;
    if (const auto *A = llvm::dyn_cast<llvm::GlobalAlias>(User))
      return isAddressTaken(*A);
    const auto *C = llvm::dyn_cast<llvm::Constant>(User);
    return !C || llvm::isa<llvm::Function>(C) || !isOnlyListed(*C);
  });
}

//===-- How functions are called ------------------------------------------===//

/// T without names: structs by their members.
static std::string spell(llvm::Type *T) {
  if (auto *S = llvm::dyn_cast<llvm::StructType>(T); S && !S->isOpaque()) {
    std::string Text = S->isPacked() ? "<{" : "{";
    for (llvm::Type *Element : S->elements())
      Text += " " + spell(Element);
    return Text + " }";
  }
  if (auto *A = llvm::dyn_cast<llvm::ArrayType>(T))
    return fmt::format("[{} x {}]", A->getNumElements(),
                       spell(A->getElementType()));
  std::string Text;
  llvm::raw_string_ostream(Text) << *T;
  return Text;
}

/// The attributes of a parameter that decide where it travels.
static std::string spellPassing(const llvm::AttributeSet &Set) {
  std::string Text;
  for (llvm::Attribute::AttrKind K :
       {llvm::Attribute::ByVal, llvm::Attribute::StructRet,
        llvm::Attribute::InAlloca, llvm::Attribute::Preallocated})
    if (Set.hasAttribute(K))
      Text += fmt::format(" {}({})", llvm::Attribute::getNameFromAttrKind(K),
                          spell(Set.getAttribute(K).getValueAsType()));
  for (llvm::Attribute::AttrKind K :
       {llvm::Attribute::InReg, llvm::Attribute::Nest,
        llvm::Attribute::SwiftSelf, llvm::Attribute::SwiftError,
        llvm::Attribute::SwiftAsync, llvm::Attribute::ZExt,
        llvm::Attribute::SExt})
    if (Set.hasAttribute(K))
      Text += fmt::format(" {}", llvm::Attribute::getNameFromAttrKind(K));
  if (Set.hasAttribute(llvm::Attribute::ByVal))
    if (llvm::MaybeAlign A = Set.getAlignment())
      Text += fmt::format(" align {}", A->value());
  return Text;
}

static std::string loweredSignature(const llvm::Function &F) {
  llvm::AttributeList Attributes = F.getAttributes();
  std::string Text =
      fmt::format("cc{} {}{} (", F.getCallingConv(), spell(F.getReturnType()),
                  spellPassing(Attributes.getRetAttrs()));
  for (const llvm::Argument &A : F.args())
    Text += fmt::format("{}{}{}", A.getArgNo() ? ", " : "", spell(A.getType()),
                        spellPassing(Attributes.getParamAttrs(A.getArgNo())));
  return Text + (F.isVarArg() ? ", ...)" : ")");
}

/// Counts registers as the System V ABI gives them out; what it is not sure of
/// counts as stack.
static bool mayHaveStackArguments(const llvm::Function &F) {
  constexpr unsigned IntegerRegisters = 6; // rdi rsi rdx rcx r8 r9
  constexpr unsigned VectorRegisters = 8;  // xmm0 to xmm7
  if (F.isVarArg() || F.getCallingConv() != llvm::CallingConv::C)
    return true;
  unsigned Integers = 0;
  unsigned Vectors = 0;
  for (const llvm::Argument &A : F.args()) {
    llvm::Type *T = A.getType();
    if (A.hasPassPointeeByValueCopyAttr())
      return true;
    if (T->isPointerTy() || (T->isIntegerTy() && T->getIntegerBitWidth() <= 64))
      ++Integers;
    else if (T->isIntegerTy(128))
      Integers += 2;
    else if (T->isHalfTy() || T->isFloatTy() || T->isDoubleTy() ||
             T->isFP128Ty() ||
             (T->isVectorTy() && T->getPrimitiveSizeInBits() <= 128))
      ++Vectors;
    else
      return true; // x87, wide vectors, aggregates
  }
  return Integers > IntegerRegisters || Vectors > VectorRegisters;
}

static std::optional<std::string> unsupported(const llvm::Function &F) {
  if (F.hasFnAttribute(llvm::Attribute::Naked))
    return "naked";
  if (F.hasAvailableExternallyLinkage())
    return "extern inline";
  if (F.getCallingConv() != llvm::CallingConv::C &&
      F.getCallingConv() != llvm::CallingConv::PreserveMost &&
      F.getCallingConv() != llvm::CallingConv::PreserveAll)
    return fmt::format("calling convention {}", F.getCallingConv());
  return std::nullopt;
}

/// Clang decides by the flags of the whole unit whether a vector of more than
/// 16 bytes travels in a register, GCC by the target attribute of the function
/// around the call too: true if F has one and Clang uses memory.
static bool passesVectorsInMemory(const llvm::Function &F) {
  auto IsWide = [](llvm::Type *T) {
    constexpr unsigned XMMBits = 128;
    while (auto *A = llvm::dyn_cast_or_null<llvm::ArrayType>(T))
      T = A->getElementType();
    if (auto *S = llvm::dyn_cast_or_null<llvm::StructType>(T))
      T = S->getNumElements() == 1 ? S->getElementType(0) : nullptr;
    return T && T->isVectorTy() &&
           T->getPrimitiveSizeInBits().getFixedValue() > XMMBits;
  };
  if (!F.getFnAttribute("target-features").getValueAsString().contains("+avx"))
    return false;
  for (const llvm::Argument &A : F.args())
    if (IsWide(A.getParamByValType()))
      return true;
  for (const llvm::Instruction &I : llvm::instructions(F))
    if (const auto *Call = llvm::dyn_cast<llvm::CallBase>(&I))
      for (unsigned A = 0; A != Call->arg_size(); ++A)
        if (Call->isByValArgument(A) && IsWide(Call->getParamByValType(A)))
          return true;
  return false;
}

static SymbolLinkage linkageOf(const llvm::GlobalValue &G) {
  if (G.hasLocalLinkage())
    return SymbolLinkage::Internal;
  if (G.hasLinkOnceLinkage() || G.hasWeakODRLinkage() ||
      G.hasAvailableExternallyLinkage())
    return SymbolLinkage::Inline;
  return SymbolLinkage::External;
}

//===-- Names
//---------------------------------------------------------------===//

void hotjit::renumberStaticLocals(llvm::Module &M) {
  std::map<std::string, std::vector<llvm::GlobalVariable *>> Numbered;
  for (llvm::GlobalVariable &V : M.globals()) {
    auto [Stem, Number] = V.getName().rsplit('.');
    if (!V.hasInternalLinkage() || isUnnamed(V) || Number.empty() ||
        !llvm::all_of(Number, llvm::isDigit))
      continue;
    // Only C has names with a dot, and the first one has no number.
    const llvm::GlobalVariable *First = M.getNamedGlobal(Stem);
    if (First && First->hasInternalLinkage() && Stem.contains('.'))
      Numbered[Stem.str()].push_back(&V);
  }
  for (auto &[Stem, Variables] : Numbered) {
    for (llvm::GlobalVariable *V : Variables)
      V->setName(""); // so that no number is taken
    unsigned Number = 0;
    for (llvm::GlobalVariable *V : Variables)
      V->setName(Stem + "." + std::to_string(++Number));
  }
}

//===-- What throws -------------------------------------------------------===//

namespace {

/// Finds the functions of a module that no exception can leave. Two that call
/// each other throw nothing if nothing else that they call does.
class Throwing {
public:
  Throwing(const llvm::Module &M, const CompiledUnit *Known);
  bool mayThrow(const llvm::Function &F) const { return Found.contains(&F); }

private:
  void lookAt(const llvm::Function &F, const CompiledUnit *Known);

  llvm::SmallPtrSet<const llvm::Function *, 32> Found;
  llvm::DenseMap<const llvm::Function *,
                 llvm::SmallVector<const llvm::Function *, 4>>
      Callers;
};

} // namespace

Throwing::Throwing(const llvm::Module &M, const CompiledUnit *Known) {
  for (const llvm::Function &F : M)
    if (!F.isDeclaration() && !F.doesNotThrow())
      lookAt(F, Known);
  llvm::SmallVector<const llvm::Function *, 32> Work(Found.begin(),
                                                     Found.end());
  while (!Work.empty())
    for (const llvm::Function *Caller : Callers.lookup(Work.pop_back_val()))
      if (Found.insert(Caller).second)
        Work.push_back(Caller);
}

void Throwing::lookAt(const llvm::Function &F, const CompiledUnit *Known) {
  // Where nothing resumes, what is caught is caught for good.
  bool Resumes = llvm::any_of(llvm::instructions(F), [](const auto &I) {
    return llvm::isa<llvm::ResumeInst>(I);
  });
  for (const llvm::Instruction &I : llvm::instructions(F)) {
    const auto *Call = llvm::dyn_cast<llvm::CallBase>(&I);
    if (!Call || Call->doesNotThrow() ||
        (llvm::isa<llvm::InvokeInst>(Call) && !Resumes))
      continue;
    const llvm::Value *To = Call->getCalledOperand()->stripPointerCasts();
    if (const auto *A = llvm::dyn_cast<llvm::GlobalAlias>(To))
      To = A->getAliaseeObject();
    const auto *Callee = llvm::dyn_cast<llvm::Function>(To);
    const CompiledFunction *Was = Callee && Callee->isDeclaration() && Known
                                      ? Known->findFunction(Callee->getName())
                                      : nullptr;
    if (Callee && !Callee->isDeclaration())
      Callers[Callee].push_back(&F);
    else if (!Was || !Was->ThrowsNothing)
      Found.insert(&F);
  }
}

//===-- The unit's symbols ------------------------------------------------===//

static CompiledFunction describe(llvm::Function &F, Fingerprinter &Prints,
                                 const Throwing &Throws) {
  CompiledFunction C;
  C.Symbol = F.getName().str();
  C.Linkage = linkageOf(F);
  C.Body = Prints.function(F);
  C.Signature = loweredSignature(F);
  C.Variadic = F.isVarArg();
  C.NoReturn = F.doesNotReturn();
  C.NoUnwind = F.doesNotThrow();
  C.ThrowsNothing = !Throws.mayThrow(F);
  C.AddressTaken = isAddressTaken(F);
  C.AlwaysInline = F.hasFnAttribute(llvm::Attribute::AlwaysInline);
  C.HasStackArguments = mayHaveStackArguments(F);
  C.Unsupported = unsupported(F);
  C.Coroutine = F.isPresplitCoroutine();
  C.Weak = F.hasWeakAnyLinkage() || F.hasLinkOnceAnyLinkage();
  C.PassesVectorsInMemory = passesVectorsInMemory(F);
  References R;
  R.addBody(F);
  R.Functions.erase(C.Symbol);
  C.Functions = sorted(R.Functions);
  C.Variables = sorted(R.Variables);
  C.Written = sorted(variablesWritten(F));
  return C;
}

/// A second name of a function: no body of its own.
static CompiledFunction describeAlias(llvm::GlobalAlias &A,
                                      llvm::Function &Target,
                                      Fingerprinter &Prints,
                                      const Throwing &Throws) {
  CompiledFunction C = describe(Target, Prints, Throws);
  C.Symbol = A.getName().str();
  C.Linkage = linkageOf(A);
  C.AddressTaken = isAddressTaken(A);
  C.AliasOf = Target.getName().str();
  C.Unsupported = fmt::format("alias of {}", Target.getName());
  return C;
}

static CompiledFunction describeIFunc(llvm::GlobalIFunc &I) {
  CompiledFunction C;
  C.Symbol = I.getName().str();
  C.Linkage = linkageOf(I);
  C.Unsupported = "ifunc";
  C.AddressTaken = true;
  C.HasStackArguments = true;
  if (const llvm::Function *Resolver = I.getResolverFunction()) {
    C.Body = hashBytes(Resolver->getName());
    C.Functions.push_back(Resolver->getName().str());
  }
  return C;
}

static CompiledVariable describe(llvm::GlobalVariable &V,
                                 Fingerprinter &Prints) {
  const llvm::DataLayout &Layout = V.getParent()->getDataLayout();
  CompiledVariable C;
  C.Symbol = V.getName().str();
  C.Linkage = linkageOf(V);
  C.Size = Layout.getTypeAllocSize(V.getValueType()).getFixedValue();
  C.Align =
      V.getAlign().value_or(Layout.getABITypeAlign(V.getValueType())).value();
  C.Const = V.isConstant();
  C.ThreadLocal = V.isThreadLocal();
  C.Unnamed = isUnnamed(V);
  C.HoldsLabels = holdsLabels(V);
  C.Exposed = isExposed(V);
  C.Initializer = Prints.variable(V);
  C.Synthesized = !C.Unnamed; // until a declaration is found
  References R;
  R.add(V.getInitializer());
  R.Functions.merge(R.Variables);
  C.References = sorted(R.Functions);
  return C;
}

void hotjit::collectCodeFacts(llvm::Module &M, Fingerprinter &Prints,
                              const CompiledUnit *Known, CompiledUnit &Unit) {
  const Throwing Throws(M, Known);
  for (llvm::Function &F : llvm::make_early_inc_range(M))
    if (!F.isDeclaration())
      Unit.Functions.push_back(describe(F, Prints, Throws));
  for (llvm::GlobalAlias &A : M.aliases())
    if (auto *F = llvm::dyn_cast<llvm::Function>(A.getAliaseeObject()))
      Unit.Functions.push_back(describeAlias(A, *F, Prints, Throws));
  for (llvm::GlobalIFunc &I : M.ifuncs())
    Unit.Functions.push_back(describeIFunc(I));
  for (llvm::GlobalVariable &V : llvm::make_early_inc_range(M.globals()))
    if (!V.isDeclarationForLinker() && !V.getName().starts_with("llvm."))
      Unit.Variables.push_back(describe(V, Prints));
  auto BySymbol = [](const auto &A, const auto &B) {
    return A.Symbol < B.Symbol;
  };
  Unit.Functions.sort(BySymbol);
  Unit.Variables.sort(BySymbol);
  Unit.FileAssembly = M.getModuleInlineAsm();
}

//===-- Dynamic initializers ----------------------------------------------===//

namespace {

/// An initializer function and the variables that it may belong to.
struct Initializer {
  llvm::Function *Code;
  std::vector<std::string> Candidates; ///< in the order of the module
};

} // namespace

static std::vector<Initializer>
findInitializers(llvm::Module &M, const llvm::StringSet<> &Candidates) {
  std::vector<Initializer> Result;
  for (llvm::Function &F : M) {
    if (F.isDeclaration() || !F.hasLocalLinkage() ||
        !F.getName().starts_with("__cxx_global_var_init"))
      continue;
    References R;
    R.addBody(F);
    Initializer I{&F, {}};
    for (const llvm::GlobalVariable &V : M.globals())
      if (Candidates.contains(V.getName()) &&
          R.Variables.count(V.getName().str()))
        I.Candidates.push_back(V.getName().str());
    Result.push_back(std::move(I));
  }
  return Result;
}

void hotjit::assignInitializers(llvm::Module &M,
                                const llvm::StringSet<> &Candidates,
                                Fingerprinter &Prints, CompiledUnit &Unit) {
  if (Candidates.empty())
    return;
  // Each initializer names its own variable and perhaps others; each variable
  // has one. So what has a single candidate is decided, which decides others.
  // In a circle (S a(&b); S b(&a);) the order of definition does.
  std::vector<Initializer> Open = findInitializers(M, Candidates);
  std::map<std::string, llvm::Function *> CodeOf;
  while (!Open.empty()) {
    auto Next = llvm::find_if(
        Open, [](const Initializer &I) { return I.Candidates.size() <= 1; });
    if (Next == Open.end())
      Next = Open.begin();
    if (!Next->Candidates.empty()) {
      std::string Variable = Next->Candidates.front();
      CodeOf[Variable] = Next->Code;
      for (Initializer &I : Open)
        llvm::erase(I.Candidates, Variable);
    }
    Open.erase(Next);
  }
  for (CompiledVariable &V : Unit.Variables) {
    auto It = CodeOf.find(V.Symbol);
    if (It == CodeOf.end())
      continue;
    V.DynamicInitializer = true;
    V.InitializerFunction = It->second->getName().str();
    ContentHash Code = Prints.function(*It->second);
    uint64_t Both[] = {V.Initializer.Low, V.Initializer.High, Code.Low,
                       Code.High};
    V.Initializer = hashBytes(
        StringRef(reinterpret_cast<const char *>(Both), sizeof(Both)));
  }
}

//===-- Thread-locals that code sets up -----------------------------------===//

/// Code reaches such a variable through a wrapper (`_ZTW1x`), which calls the
/// initializer (`_ZTH1x`) and returns the address. The initializer is shared:
/// an alias of __tls_init, which sets up all of the unit's that are not
/// templates.
void hotjit::assignThreadInits(const llvm::Module &M, CompiledUnit &Unit) {
  for (const llvm::Function &Wrapper : M) {
    if (!Wrapper.getName().starts_with("_ZTW"))
      continue;
    StringRef Variable, Init;
    for (const llvm::Instruction &I : llvm::instructions(Wrapper)) {
      const auto *Call = llvm::dyn_cast<llvm::CallBase>(&I);
      if (!Call)
        continue;
      if (Call->getIntrinsicID() == llvm::Intrinsic::threadlocal_address)
        Variable = Call->getArgOperand(0)->getName();
      else if (Call->getCalledOperand()->getName().starts_with("_ZTH"))
        Init = Call->getCalledOperand()->getName();
    }
    for (CompiledVariable &V : Unit.Variables)
      if (V.Symbol == Variable)
        V.ThreadInit = Init.str();
  }
}
