// A unit that was compiled in part must be the unit that a whole compile makes:
// the same functions with the same code (their fingerprints tell), the same
// variables and types. Tests and the engine's checking mode ask here.
//
// One difference is none. Clang leaves out the landing pad of a call if it has
// made the callee before and saw that it throws nothing. Of two compiles that
// make different functions one may have the pad and the other not, so where
// fingerprints differ the paths on which nothing is thrown are compared. The
// code may be gone by then: of a body that was edited long ago the unit has the
// fingerprint only. So what each fingerprint stood for is kept.

#include "Compile/Agreement.h"
#include "Compile/Fingerprint.h"
#include "Support/FmtSupport.h"
#include "fmt/format.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/CFG.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/raw_ostream.h"

using namespace hotjit;
using llvm::StringRef;

namespace {

/// Writes what a function does as long as nothing throws, without numbers that
/// depend on anything else: two bodies that differ in the landing pads of calls
/// that cannot throw have one text.
class NormalPath {
public:
  explicit NormalPath(const llvm::Function &F) { follow(F.getEntryBlock()); }
  std::string Text;

private:
  void follow(const llvm::BasicBlock &Entry);
  void write(const llvm::Instruction &I);
  void name(const llvm::Value &V);

  llvm::DenseMap<const llvm::Value *, unsigned> Numbers;
  std::vector<const llvm::BasicBlock *> Waiting;
};

} // namespace

void NormalPath::name(const llvm::Value &V) {
  if (const auto *G = llvm::dyn_cast<llvm::GlobalVariable>(&V);
      G && isUnnamed(*G)) {
    // By content, as far as it is text.
    Text += " @";
    if (const auto *Data = G->hasInitializer()
                               ? llvm::dyn_cast<llvm::ConstantDataSequential>(
                                     G->getInitializer())
                               : nullptr)
      Text += Data->getRawDataValues();
  } else if (llvm::isa<llvm::GlobalValue>(V)) {
    Text += " @" + V.getName().str();
  } else if (const auto *C = llvm::dyn_cast<llvm::ConstantExpr>(&V)) {
    Text += fmt::format(" {}(", C->getOpcodeName());
    for (const llvm::Use &U : C->operands())
      name(*U.get());
    Text += ')';
  } else if (llvm::isa<llvm::Constant>(V)) {
    Text += ' ';
    llvm::raw_string_ostream(Text) << V;
  } else {
    unsigned Next = Numbers.size();
    Text += fmt::format(" %{}", Numbers.try_emplace(&V, Next).first->second);
  }
}

void NormalPath::write(const llvm::Instruction &I) {
  const auto *Invoke = llvm::dyn_cast<llvm::InvokeInst>(&I);
  // Slots for exceptions are used on other paths only; what is used here gets
  // its number then.
  if (llvm::isa<llvm::AllocaInst>(I))
    return;
  Text += Invoke ? "call" : I.getOpcodeName();
  if (const auto *Compare = llvm::dyn_cast<llvm::CmpInst>(&I))
    Text += fmt::format(" {}", static_cast<int>(Compare->getPredicate()));
  llvm::raw_string_ostream(Text) << ' ' << *I.getType();
  for (const llvm::Use &U : I.operands())
    if (!llvm::isa<llvm::BasicBlock>(U.get()))
      name(*U.get());
  name(I);
  Text += '\n';
}

/// Where a switch leads whatever its value: behind cleanups Clang asks how the
/// block was left, even if all ways go on in the same place. Null: it depends.
static const llvm::BasicBlock *onlyTarget(const llvm::Instruction &I) {
  const llvm::BasicBlock *Target = nullptr;
  if (!llvm::isa<llvm::SwitchInst>(I))
    return nullptr;
  for (const llvm::BasicBlock *S : successors(&I)) {
    if (llvm::isa<llvm::UnreachableInst>(S->front()) || S == Target)
      continue;
    if (Target)
      return nullptr;
    Target = S;
  }
  return Target;
}

/// Read for such a switch only.
static bool isForNothing(const llvm::Instruction &I) {
  return llvm::isa<llvm::LoadInst>(I) && I.hasOneUse() &&
         onlyTarget(*llvm::cast<llvm::Instruction>(*I.user_begin()));
}

void NormalPath::follow(const llvm::BasicBlock &Entry) {
  Waiting.push_back(&Entry);
  llvm::SmallPtrSet<const llvm::BasicBlock *, 16> Seen;
  while (!Waiting.empty()) {
    const llvm::BasicBlock *B = Waiting.back();
    Waiting.pop_back();
    // A block of its own behind a call is no difference.
    while (B && Seen.insert(B).second) {
      const llvm::BasicBlock *Next = nullptr;
      for (const llvm::Instruction &I : *B) {
        const auto *Branch = llvm::dyn_cast<llvm::BranchInst>(&I);
        if (Branch && Branch->isUnconditional()) {
          Next = Branch->getSuccessor(0);
          continue;
        }
        if (const llvm::BasicBlock *Target = onlyTarget(I)) {
          Next = Target;
          continue;
        }
        if (isForNothing(I))
          continue;
        write(I);
        if (const auto *Invoke = llvm::dyn_cast<llvm::InvokeInst>(&I))
          Next = Invoke->getNormalDest();
        else if (I.isTerminator())
          for (const llvm::BasicBlock *S : llvm::reverse(successors(B)))
            Waiting.push_back(S);
      }
      B = Next;
    }
  }
}

void Agreement::know(const CompiledUnit &Unit) {
  if (!Unit.Code.Module)
    return;
  std::lock_guard<std::mutex> Lock(Access);
  for (const CompiledFunction &F : Unit.Functions) {
    const llvm::Function *Code = Unit.Code.Module->getFunction(F.Symbol);
    if (!Code || Code->isDeclaration())
      continue;
    auto [Known, IsNew] = NormalPaths.try_emplace(F.Body);
    if (IsNew)
      Known->second = hashBytes(NormalPath(*Code).Text);
  }
}

bool Agreement::sameOnNormalPath(ContentHash A, ContentHash B) {
  std::lock_guard<std::mutex> Lock(Access);
  auto OfA = NormalPaths.find(A), OfB = NormalPaths.find(B);
  return OfA != NormalPaths.end() && OfB != NormalPaths.end() &&
         OfA->second == OfB->second;
}

static std::string compare(const CompiledFunction &A,
                           const CompiledFunction &B) {
  // Of NoUnwind a compile in part sees more, of callees that come later, or
  // less, where the last call that may throw is gone.
  if (A.Signature != B.Signature || A.Linkage != B.Linkage ||
      (A.AddressTaken && !B.AddressTaken) || A.NoReturn != B.NoReturn ||
      A.Virtual != B.Virtual || A.AlwaysInline != B.AlwaysInline ||
      A.AliasOf != B.AliasOf || A.Unsupported != B.Unsupported ||
      A.Name != B.Name || A.HasStackArguments != B.HasStackArguments ||
      A.Variadic != B.Variadic)
    return "kind";
  // Landing pads name more; what else is named was compared.
  bool SameCode = A.Body == B.Body;
  if (SameCode && (A.Functions != B.Functions || A.Variables != B.Variables ||
                   A.Written != B.Written))
    return "references";
  if (A.Place.File != B.Place.File || A.Place.Line != B.Place.Line)
    return fmt::format("place ({} and {})", A.Place.Line, B.Place.Line);
  return "";
}

static std::string compare(const CompiledVariable &A,
                           const CompiledVariable &B) {
  if (!(A.Initializer == B.Initializer))
    return "initial value";
  if (A.Type != B.Type || A.Size != B.Size || A.Align != B.Align ||
      A.Linkage != B.Linkage || A.Const != B.Const ||
      A.ThreadLocal != B.ThreadLocal || A.Guard != B.Guard ||
      A.ThreadInit != B.ThreadInit || A.Function != B.Function ||
      A.Destructor != B.Destructor ||
      A.DynamicInitializer != B.DynamicInitializer ||
      A.HoldsLabels != B.HoldsLabels || A.Exposed != B.Exposed ||
      A.Synthesized != B.Synthesized)
    return "kind";
  if (A.Place.File != B.Place.File || A.Place.Line != B.Place.Line)
    return fmt::format("place ({} and {})", A.Place.Line, B.Place.Line);
  return "";
}

static std::string compare(const CompiledType &A, const CompiledType &B) {
  bool Same = A.Size == B.Size && A.Align == B.Align && A.Fields == B.Fields &&
              A.Bases == B.Bases && A.VirtualSlots == B.VirtualSlots;
  return Same ? "" : "layout";
}

static std::string differs(const std::string &Subject,
                           const std::string &What) {
  return fmt::format("{}: {} differs", Subject, What);
}

static std::string compareTypes(const CompiledUnit &Whole,
                                const CompiledUnit &Partial) {
  for (const CompiledType &T : Whole.Types) {
    auto IsIt = [&](const CompiledType &O) {
      return O.Name == T.Name && compare(T, O).empty();
    };
    if (llvm::none_of(Partial.Types, IsIt))
      return differs(T.Name, "layout");
  }
  return "";
}

/// Clang may put a constant's value where a body reads it and make the constant
/// all the same: then no facts tell when the last use goes.
static bool isUnnamedByCode(const CompiledVariable &V,
                            const CompiledUnit &Unit) {
  auto IsNamed = [&](const std::vector<std::string> &Names) {
    return llvm::binary_search(Names, V.Symbol);
  };
  return V.Const && V.Linkage == SymbolLinkage::Internal &&
         llvm::none_of(
             Unit.Functions,
             [&](const CompiledFunction &F) { return IsNamed(F.Variables); }) &&
         llvm::none_of(Unit.Variables, [&](const CompiledVariable &Other) {
           return IsNamed(Other.References);
         });
}

/// Of the code itself: facts about what was not edited are those from before.
static std::string compareCode(const CompiledUnit &Whole,
                               const CompiledUnit &Partial) {
  if (!Whole.Code.Module || !Partial.Code.Module)
    return "";
  Fingerprinter Prints(*Partial.Code.Module);
  for (llvm::Function &F : llvm::make_early_inc_range(*Partial.Code.Module)) {
    const llvm::Function *Other = Whole.Code.Module->getFunction(F.getName());
    const CompiledFunction *Facts = Whole.findFunction(F.getName());
    if (F.isDeclaration() || !Facts || !Other || Other->isDeclaration())
      continue;
    if (Prints.function(F) != Facts->Body &&
        NormalPath(F).Text != NormalPath(*Other).Text)
      return differs(Facts->Symbol, "code");
  }
  return "";
}

std::string Agreement::disagreement(const CompiledUnit &Whole,
                                    const CompiledUnit &Partial) {
  know(Whole);
  know(Partial);
  for (const CompiledFunction &F : Whole.Functions) {
    const CompiledFunction *Other = Partial.findFunction(F.Symbol);
    if (!Other)
      return F.Symbol + " is missing";
    if (!(F.Body == Other->Body) && !sameOnNormalPath(F.Body, Other->Body))
      return differs(F.Symbol, "code");
    if (std::string What = compare(F, *Other); !What.empty())
      return differs(F.Symbol, What);
  }
  for (const CompiledFunction &F : Partial.Functions)
    if (F.Linkage != SymbolLinkage::Inline && !Whole.findFunction(F.Symbol))
      return F.Symbol + " is left over";
  for (const CompiledVariable &V : Whole.Variables) {
    if (V.Unnamed)
      continue;
    const CompiledVariable *Other = Partial.findVariable(V.Symbol);
    if (!Other)
      return V.Symbol + " is missing";
    if (std::string What = compare(V, *Other); !What.empty())
      return differs(V.Symbol, What);
  }
  for (const CompiledVariable &V : Partial.Variables)
    if (!V.Unnamed && V.Linkage != SymbolLinkage::Inline &&
        !Whole.findVariable(V.Symbol) && !isUnnamedByCode(V, Partial))
      return V.Symbol + " is left over";
  if (std::string What = compareCode(Whole, Partial); !What.empty())
    return What;
  if (Whole.FileAssembly != Partial.FileAssembly)
    return differs("assembly", "text");
  return compareTypes(Whole, Partial);
}
