// An edit of one body needs the code of one body. The compiler still has to see
// the whole unit, for names mean what the declarations before them say; but
//
//  - bodies that did not change are skipped: their functions are declarations
//    that the program has (shouldSkipFunctionBody);
//  - variables that are set up by code are not set up again: references to them
//    stay references, and no initializer pulls in its constructors;
//  - templates that the unit instantiated before are treated as if they were
//    declared `extern template`, and inline functions of headers as if they
//    were declared (KnownCode);
//  - what the code generator made along the way and the unit had before is
//    dropped again.
//
// What is left is exactly the code of the plan and whatever the unit never had.
// It must be the code that a compile of the whole unit makes. So where there is
// a doubt (a body that the parser found elsewhere, a function that is neither
// made here nor known from before) the unit says so, and the whole is compiled.

#include "Compile/PartialConsumer.h"
#include "Compile/ClosureNumbers.h"
#include "Compile/CodeFacts.h"
#include "Compile/Fingerprint.h"
#include "fmt/format.h"
#include "clang/AST/ASTContext.h"
#include "clang/Frontend/CompilerInstance.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"
#include "llvm/Transforms/Utils/Local.h"
#include <map>

using namespace hotjit;
using llvm::StringRef;

PartialConsumer::PartialConsumer(UnitRun &Run, const PartialPlan &Plan,
                                 clang::CompilerInstance &Instance,
                                 StringRef File)
    : UnitConsumer(Run, Instance, File), Plan(Plan),
      Edited(Plan.File, Plan.File == Plan.Old.Path, Run.Files),
      Known(Plan, *Code),
      Pending(llvm::makeIntrusiveRefCnt<WorkFilter>(Known)) {
  Instance.setExternalSemaSource(Pending);
}

void PartialConsumer::Initialize(clang::ASTContext &C) {
  Context = &C;
  UnitConsumer::Initialize(C);
}

bool PartialConsumer::shouldSkipFunctionBody(clang::Decl *D) {
  const clang::FunctionDecl *F = D->getAsFunction();
  if (!F)
    return false;
  // Whoever calls it knows it from the old code.
  const clang::SourceManager &SM = Context->getSourceManager();
  std::optional<size_t> Body =
      skippableBody(*F, SM, Plan.Bodies.Bodies,
                    [&](clang::FileID File) { return Edited.is(File, SM); });
  if (Body && Run.Pause && *Body == Run.Pause->Body) {
    Run.Pause->wait(Preprocessor);
    Run.Pause->Resumed();
    Run.Pause = nullptr;
  }
  return Body && !Plan.Parsed[*Body];
}

/// True if V is set up or torn down by code that runs before and after main.
bool PartialConsumer::needsInitializer(const clang::VarDecl &V) const {
  if (V.isStaticLocal() || V.getType()->isDependentType() ||
      !Context->getLangOpts().CPlusPlus)
    return false;
  return V.needsDestruction(*Context) != clang::QualType::DK_none ||
         (V.hasInit() && !V.hasConstantInitialization());
}

/// Methods in classes come before it is known what the class is called
/// (`typedef struct { ... } Name;`), and so before they have symbols.
void PartialConsumer::handleMethods() {
  for (clang::FunctionDecl *F : std::exchange(Methods, {}))
    if (Known.has(*F))
      Known.declare(*F);
    else
      UnitConsumer::HandleInlineFunctionDefinition(F);
}

void PartialConsumer::handle(clang::Decl &D) {
  if (llvm::isa<clang::NamespaceDecl, clang::LinkageSpecDecl,
                clang::ExportDecl>(D)) {
    for (clang::Decl *Inner : llvm::cast<clang::DeclContext>(&D)->decls())
      handle(*Inner);
    return;
  }
  if (llvm::isa<clang::FileScopeAsmDecl>(D))
    return;
  if (const auto *V = llvm::dyn_cast<clang::VarDecl>(&D);
      V && needsInitializer(*V))
    return;
  if (const auto *F = llvm::dyn_cast<clang::FunctionDecl>(&D)) {
    if (F->doesThisDeclarationHaveABody() && Known.has(*F))
      return Known.declare(*F);
    if (F->hasSkippedBody())
      Known.declareThrowsNothing(*F);
  }
  UnitConsumer::HandleTopLevelDecl(clang::DeclGroupRef(&D));
}

bool PartialConsumer::HandleTopLevelDecl(clang::DeclGroupRef Group) {
  if (isCancelled())
    return false;
  handleMethods();
  for (clang::Decl *D : Group)
    handle(*D);
  return true;
}

void PartialConsumer::HandleInterestingDecl(clang::DeclGroupRef Group) {
  for (clang::Decl *D : Group)
    handle(*D);
}

void PartialConsumer::HandleInlineFunctionDefinition(clang::FunctionDecl *D) {
  Methods.push_back(D);
}

void PartialConsumer::HandleCXXImplicitFunctionInstantiation(
    clang::FunctionDecl *D) {
  UnitConsumer::HandleCXXImplicitFunctionInstantiation(D);
  Pending->instantiated(*D);
}

void PartialConsumer::HandleCXXStaticMemberVarInstantiation(clang::VarDecl *D) {
  if (!needsInitializer(*D))
    UnitConsumer::HandleCXXStaticMemberVarInstantiation(D);
}

void PartialConsumer::CompleteTentativeDefinition(clang::VarDecl *D) {
  if (!needsInitializer(*D))
    UnitConsumer::CompleteTentativeDefinition(D);
}

void PartialConsumer::HandleVTable(clang::CXXRecordDecl *D) {
  if (!Known.hasVTable(*D))
    UnitConsumer::HandleVTable(D);
}

/// The parser must have found the bodies where they were thought to be.
bool PartialConsumer::checkBodies(
    const std::vector<SourceFunction> &Functions) {
  std::map<uint32_t, const SourceFunction *> ByBegin;
  for (const SourceFunction &F : Functions)
    ByBegin[F.Body.Begin] = &F;
  for (size_t Touched : Plan.Bodies.Touched) {
    const BodyText &B = Plan.Bodies.Bodies[Touched];
    auto It = ByBegin.find(B.Begin);
    if (It == ByBegin.end() || It->second->Body.End != B.End ||
        !It->second->Body.Alone) {
      Run.Doubt = "an edited body is not what it seemed to be";
      return false;
    }
  }
  return true;
}

/// Asks for the code of each body: nobody in this unit may call it any more.
void PartialConsumer::demandWanted(
    const std::vector<SourceFunction> &Functions) {
  for (const SourceFunction &F : Functions) {
    if (F.Decl->isTemplated())
      continue;
    auto B = llvm::find_if(Plan.Bodies.Bodies, [&](const BodyText &Body) {
      return Body.Begin == F.Body.Begin;
    });
    if (B == Plan.Bodies.Bodies.end() || B->Symbols.empty())
      continue;
    for (clang::GlobalDecl G : variantsOf(*F.Decl))
      if (llvm::is_contained(B->Symbols, Code->GetMangledName(G)))
        Code->GetAddrOfGlobal(G, /*isForDefinition=*/false);
  }
}

/// Every function that the new code calls must be made here, known from the old
/// code, or another unit's.
bool PartialConsumer::checkDeclarations(llvm::Module &M) {
  // A preamble has Clang's numbers for closures, the unit GCC's.
  auto IsRenumbered = [&](StringRef Symbol) {
    return Unnamed.contains(Symbol) || (Run.ByGCC && isLambdaCode(Symbol)) ||
           (isOfUnnamed(Symbol) && !Plan.Old.findFunction(Symbol) &&
            !Plan.Old.findVariable(Symbol));
  };
  for (const llvm::GlobalValue &V : M.global_values())
    if (IsRenumbered(V.getName()) && !V.use_empty()) {
      Run.Doubt =
          fmt::format("{} is of something that has no name", V.getName().str());
      return false;
    }
  for (const llvm::Function &F : M) {
    if (!F.isDeclaration() || F.use_empty() || F.isIntrinsic() ||
        Plan.Old.findFunction(F.getName()))
      continue;
    const auto *Decl = llvm::dyn_cast_or_null<clang::FunctionDecl>(
        Code->GetDeclForMangledName(F.getName()));
    // `extern template`: a library has it.
    if (!Decl || Decl->getTemplateSpecializationKind() ==
                     clang::TSK_ExplicitInstantiationDeclaration)
      continue;
    const clang::FunctionDecl *Pattern =
        Decl->getTemplateInstantiationPattern();
    if (Decl->isDefined() || (Pattern && Pattern->isDefined())) {
      Run.Doubt = fmt::format("no code was made for {}", F.getName().str());
      return false;
    }
  }
  for (const llvm::GlobalVariable &V : M.globals()) {
    if (!V.isDeclaration() || V.use_empty() ||
        Plan.Old.findVariable(V.getName()))
      continue;
    const auto *Decl = llvm::dyn_cast_or_null<clang::VarDecl>(
        Code->GetDeclForMangledName(V.getName()));
    if (Decl && Decl->hasDefinition() != clang::VarDecl::DeclarationOnly) {
      Run.Doubt = fmt::format("{} is not known", V.getName().str());
      return false;
    }
  }
  return true;
}

/// How a thread-local is set up is known only to a compile that sees the code
/// of all initializers.
bool PartialConsumer::checkThreadInits(const llvm::Module &M) {
  for (const llvm::Function &F : M)
    if (F.getName().starts_with("_ZTW") || F.getName() == "__tls_init") {
      Run.Doubt = "a thread-local may be set up by code";
      return false;
    }
  return true;
}

/// Without the landing pads of calls that throw nothing.
static void dropPads(llvm::Function &F) {
  for (llvm::BasicBlock &B : F)
    if (auto *I = llvm::dyn_cast<llvm::InvokeInst>(B.getTerminator());
        I && I->getCalledFunction() && I->getCalledFunction()->doesNotThrow())
      llvm::changeToCall(I);
  llvm::EliminateUnreachableBlocks(F);
}

/// Whether a function throws nothing is told by its callees, which were not
/// made here; from before it is known of them. One that threw nothing must not
/// seem to now: the compile that saw it knew its callees when it came to it.
void PartialConsumer::applyKnownNoThrow(llvm::Module &M) {
  auto ThrewNothing = [&](const llvm::Function &F) {
    const CompiledFunction *Was = Plan.Old.findFunction(F.getName());
    return Was && Was->NoUnwind;
  };
  for (llvm::Function &F : M)
    if (F.isDeclaration() && ThrewNothing(F))
      F.setDoesNotThrow();
  auto MayThrow = [](const llvm::Instruction &I) { return I.mayThrow(); };
  for (llvm::Function &F : M) {
    if (F.isDeclaration() || !ThrewNothing(F))
      continue;
    dropPads(F);
    if (llvm::none_of(llvm::instructions(F), MayThrow))
      F.setDoesNotThrow();
  }
}

/// Drops the bodies of what the unit had before and nobody asked for.
void PartialConsumer::dropKnown(llvm::Module &M) {
  for (llvm::GlobalAlias &A : llvm::make_early_inc_range(M.aliases())) {
    auto *Target = llvm::dyn_cast<llvm::Function>(A.getAliaseeObject());
    if (!Target || Plan.Wanted.contains(A.getName()) ||
        !Plan.Old.findFunction(A.getName()))
      continue;
    llvm::Function *D = llvm::Function::Create(
        Target->getFunctionType(), llvm::GlobalValue::ExternalLinkage, "", &M);
    D->setAttributes(Target->getAttributes());
    D->setCallingConv(Target->getCallingConv());
    D->takeName(&A);
    A.replaceAllUsesWith(D);
    A.eraseFromParent();
  }
  for (llvm::Function &F : M)
    if (!F.isDeclaration() && !Plan.Wanted.contains(F.getName()) &&
        Plan.Old.findFunction(F.getName())) {
      F.deleteBody();
      F.setComdat(nullptr);
    }
  bool Dropped = true;
  while (std::exchange(Dropped, false))
    for (llvm::Function &F : llvm::make_early_inc_range(M))
      if ((F.isDeclaration() || F.hasLocalLinkage()) && F.use_empty() &&
          !Plan.Wanted.contains(F.getName())) {
        F.eraseFromParent();
        Dropped = true;
      }
}

void PartialConsumer::HandleTranslationUnit(clang::ASTContext &C) {
  if (isCancelled() || Diagnostics.hasErrorOccurred())
    return;
  Stopwatch S = watch();
  handleMethods();
  const std::vector<SourceFunction> Functions =
      functionsIn({Edited.id(C.getSourceManager())}, C);
  if (!checkBodies(Functions))
    return;
  if (Preprocessor.getCounterValue() != Plan.Old.Text.Counter) {
    Run.Doubt = "__COUNTER__ is used more or less often";
    return;
  }
  demandWanted(Functions);
  Code->HandleTranslationUnit(C);
  if (Diagnostics.hasErrorOccurred() || !Code->GetModule() || isCancelled())
    return;
  llvm::Module &M = *Code->GetModule();
  renumberStaticLocals(M);
  Known.finish(M);
  Unnamed = renumberClosures(M, Plan, *Code, C.getSourceManager(), Run.Files);
  dropKnown(M);
  applyKnownNoThrow(M);
  if (!checkDeclarations(M) || !checkThreadInits(M))
    return;
  Fingerprinter Prints(M);
  collectCodeFacts(M, Prints, &Plan.Old, Run.Unit);
  UnitDecls Decls{C, *Code, Run.Files};
  addDeclFacts(Decls, Run.Unit, Tags);
  collectTypeFacts(Decls, Tags, Run.Unit);
  collectTexts(C, *Code, Run.Files, Run.Lines, Run.Unit);
  takeModule();
}
