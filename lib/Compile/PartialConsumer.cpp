// An edit of one body needs the code of one body. The compiler still has to see
// the whole unit, for names mean what the declarations before them say; but
//
//  - bodies that did not change are skipped: their functions are declarations
//    that the program has (shouldSkipFunctionBody);
//  - variables that are set up by code are not set up again: references to them
//    stay references, and no initializer pulls in its constructors;
//  - templates that the unit instantiated before are treated as if they were
//    declared `extern template`, and inline functions of headers as if they
//    were declared (KnownFunctions);
//  - what the code generator made along the way and the unit had before is
//    dropped again.
//
// What is left is exactly the code of the plan and whatever the unit never had.
// It must be the code that a compile of the whole unit makes. So where there is
// a doubt (a body that the parser found elsewhere, a function that is neither
// made here nor known from before) the unit says so, and the whole is compiled.

#include "Compile/PartialConsumer.h"
#include "Compile/CodeFacts.h"
#include "Compile/Fingerprint.h"
#include "fmt/format.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/StmtCXX.h"
#include "clang/Frontend/CompilerInstance.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/Local.h"
#include <map>

using namespace hotjit;
using llvm::StringRef;

//===-- Bodies of the unit's own file -------------------------------------===//

namespace {

/// A function that is defined in the main file.
struct MainFunction {
  const clang::FunctionDecl *Decl;
  BodyText Body;
  std::optional<uint32_t> Name; ///< offset, unless a macro made it
};

class MainFileWalk {
public:
  explicit MainFileWalk(const clang::ASTContext &Context)
      : SM(Context.getSourceManager()) {}

  std::vector<MainFunction> run(const clang::DeclContext &Top) {
    walk(Top);
    llvm::sort(Found, [](const MainFunction &A, const MainFunction &B) {
      return A.Body.Begin < B.Body.Begin;
    });
    return std::move(Found);
  }

private:
  void walk(const clang::DeclContext &D);
  void visit(const clang::Decl &D);
  void add(const clang::FunctionDecl &F);
  bool isInMainFile(clang::SourceLocation Loc) const {
    return SM.getFileID(SM.getFileLoc(Loc)) == SM.getMainFileID();
  }

  const clang::SourceManager &SM;
  std::vector<MainFunction> Found;
};

} // namespace

void MainFileWalk::walk(const clang::DeclContext &Context) {
  for (const clang::Decl *D : Context.decls())
    if (isInMainFile(D->getLocation()))
      visit(*D);
}

void MainFileWalk::visit(const clang::Decl &D) {
  if (const auto *F = llvm::dyn_cast<clang::FunctionDecl>(&D))
    return add(*F);
  if (const auto *T = llvm::dyn_cast<clang::TemplateDecl>(&D)) {
    if (const clang::NamedDecl *Pattern = T->getTemplatedDecl())
      visit(*Pattern);
    return;
  }
  if (const auto *F = llvm::dyn_cast<clang::FriendDecl>(&D)) {
    if (const clang::NamedDecl *Friend = F->getFriendDecl())
      visit(*Friend);
    return;
  }
  if (llvm::isa<clang::NamespaceDecl, clang::LinkageSpecDecl, clang::ExportDecl,
                clang::TagDecl>(D))
    walk(*llvm::cast<clang::DeclContext>(&D));
}

/// Nobody but the function itself depends on its body.
static bool isHidden(const clang::FunctionDecl &F) {
  return !F.isDependentContext() && !F.isTemplated() &&
         !F.getTemplateInstantiationPattern() && !F.isConstexpr() &&
         !F.getReturnType()->getContainedDeducedType() &&
         !F.getDeclaredReturnType()->getContainedDeducedType();
}

static bool declaresTypes(const clang::FunctionDecl &F) {
  return llvm::any_of(F.decls(), [](const clang::Decl *D) {
    return llvm::isa<clang::TagDecl>(D);
  });
}

void MainFileWalk::add(const clang::FunctionDecl &F) {
  if (!F.doesThisDeclarationHaveABody() || F.isImplicit() || F.isDefaulted())
    return;
  const clang::Stmt *Body = F.getBody();
  clang::SourceLocation Begin = Body->getBeginLoc(), End = Body->getEndLoc();
  MainFunction M;
  M.Decl = &F;
  if (F.getLocation().isFileID())
    M.Name = SM.getFileOffset(F.getLocation());
  M.Body.Plain = llvm::isa<clang::CompoundStmt>(Body) && Begin.isFileID() &&
                 End.isFileID();
  M.Body.Hidden = M.Body.Plain && isHidden(F);
  M.Body.Alone = M.Body.Hidden && !declaresTypes(F);
  M.Body.Begin = SM.getFileOffset(SM.getExpansionLoc(Begin));
  M.Body.End =
      SM.getFileOffset(SM.getExpansionRange(End).getEnd()) + 1; // one brace
  Found.push_back(std::move(M));
}

/// The first body that begins behind Offset, unless Offset is inside one.
static std::optional<size_t> bodyBehind(llvm::ArrayRef<BodyText> Bodies,
                                        uint32_t Offset) {
  auto Next = llvm::partition_point(
      Bodies, [&](const BodyText &B) { return B.Begin <= Offset; });
  if (Next == Bodies.end() ||
      (Next != Bodies.begin() && std::prev(Next)->End > Offset))
    return std::nullopt;
  return Next - Bodies.begin();
}

void hotjit::collectBodies(clang::ASTContext &Context,
                           clang::CodeGenerator &Code, CompiledUnit &Unit) {
  std::vector<MainFunction> Functions =
      MainFileWalk(Context).run(*Context.getTranslationUnitDecl());
  std::vector<BodyText> &Bodies = Unit.Text.Bodies;
  for (const MainFunction &F : Functions)
    // Methods of local classes stand in another body.
    if (Bodies.empty() || Bodies.back().End <= F.Body.Begin)
      Bodies.push_back(F.Body);
  const clang::SourceManager &SM = Context.getSourceManager();
  std::map<uint32_t, BodyText *> ByBegin;
  for (BodyText &B : Bodies)
    ByBegin[B.Begin] = &B;
  for (const CompiledFunction &F : Unit.Functions) {
    const auto *Decl = llvm::dyn_cast_or_null<clang::FunctionDecl>(
        Code.GetDeclForMangledName(F.Symbol));
    const clang::FunctionDecl *Defined = Decl ? Decl->getDefinition() : nullptr;
    const clang::Stmt *Body = Defined ? Defined->getBody() : nullptr;
    if (!Body)
      continue;
    auto [File, Offset] = SM.getDecomposedExpansionLoc(Body->getBeginLoc());
    if (File != SM.getMainFileID())
      continue;
    if (auto It = ByBegin.find(Offset); It != ByBegin.end())
      It->second->Symbols.push_back(F.Symbol);
  }
  // A body is found by its function's name: the next one must be its own.
  for (const MainFunction &F : Functions) {
    std::optional<size_t> Next =
        F.Name ? bodyBehind(Bodies, *F.Name) : std::nullopt;
    if (Next && Bodies[*Next].Begin != F.Body.Begin)
      Bodies[*Next].Plain = Bodies[*Next].Hidden = Bodies[*Next].Alone = false;
  }
}

//===-- The consumer ------------------------------------------------------===//

PartialConsumer::PartialConsumer(UnitRun &Run, const PartialPlan &Plan,
                                 clang::CompilerInstance &Instance,
                                 StringRef File)
    : UnitConsumer(Run, Instance, File), Plan(Plan), Known(Plan, *Code),
      Pending(llvm::makeIntrusiveRefCnt<PendingFilter>(Known)) {
  Instance.setExternalSemaSource(Pending);
}

void PartialConsumer::Initialize(clang::ASTContext &C) {
  Context = &C;
  Mangling.reset(C.createMangleContext());
  UnitConsumer::Initialize(C);
}

/// The code generator sends callers of a constructor that it did not make to
/// the variant that it made, which it knows only if it sees the body.
static bool hasAllVariants(const clang::FunctionDecl &F, const BodyText &B) {
  auto Has = [&](StringRef Variant) {
    return llvm::any_of(B.Symbols, [&](const std::string &Symbol) {
      return StringRef(Symbol).contains(Variant);
    });
  };
  if (llvm::isa<clang::CXXConstructorDecl>(F))
    return Has("C1E") && Has("C2E");
  if (const auto *D = llvm::dyn_cast<clang::CXXDestructorDecl>(&F))
    return Has("D1E") && Has("D2E") && (!D->isVirtual() || Has("D0E"));
  return true;
}

bool PartialConsumer::shouldSkipFunctionBody(clang::Decl *D) {
  const clang::FunctionDecl *F = D->getAsFunction();
  if (!F || F->getLocation().isMacroID())
    return false;
  const clang::SourceManager &SM = Context->getSourceManager();
  auto [File, Offset] = SM.getDecomposedLoc(F->getLocation());
  // Whoever calls it knows it from the old code. Code for templates and
  // constexpr functions may be needed here.
  if (File != SM.getMainFileID() || F->isTemplated() || F->isConstexpr())
    return false;
  std::optional<size_t> Body = bodyBehind(Plan.Bodies.Bodies, Offset);
  if (!Body || Plan.Parsed[*Body])
    return false;
  const BodyText &B = Plan.Bodies.Bodies[*Body];
  return B.Hidden && !B.Symbols.empty() && hasAllVariants(*F, B);
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
  if (const auto *F = llvm::dyn_cast<clang::FunctionDecl>(&D);
      F && F->doesThisDeclarationHaveABody() && Known.has(*F))
    return Known.declare(*F);
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
  std::string Symbol;
  llvm::raw_string_ostream OS(Symbol);
  llvm::cast<clang::ItaniumMangleContext>(*Mangling).mangleCXXVTable(D, OS);
  if (!Plan.Old.findVariable(Symbol))
    UnitConsumer::HandleVTable(D);
}

/// The parser must have found the bodies where they were thought to be.
/// Asks for the code of each: nobody in this unit may call it any more.
bool PartialConsumer::checkBodies() {
  std::vector<MainFunction> Functions =
      MainFileWalk(*Context).run(*Context->getTranslationUnitDecl());
  std::map<uint32_t, const MainFunction *> ByBegin;
  for (const MainFunction &F : Functions)
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

void PartialConsumer::demandWanted() {
  for (const MainFunction &F :
       MainFileWalk(*Context).run(*Context->getTranslationUnitDecl())) {
    if (F.Decl->isTemplated())
      continue;
    auto B = llvm::find_if(Plan.Bodies.Bodies, [&](const BodyText &Body) {
      return Body.Begin == F.Body.Begin;
    });
    if (B == Plan.Bodies.Bodies.end() || B->Symbols.empty())
      continue;
    std::vector<clang::GlobalDecl> Variants;
    if (const auto *C = llvm::dyn_cast<clang::CXXConstructorDecl>(F.Decl))
      Variants = {clang::GlobalDecl(C, clang::Ctor_Base),
                  clang::GlobalDecl(C, clang::Ctor_Complete)};
    else if (const auto *D = llvm::dyn_cast<clang::CXXDestructorDecl>(F.Decl))
      Variants = {clang::GlobalDecl(D, clang::Dtor_Base),
                  clang::GlobalDecl(D, clang::Dtor_Complete),
                  clang::GlobalDecl(D, clang::Dtor_Deleting)};
    else
      Variants = {clang::GlobalDecl(F.Decl)};
    for (clang::GlobalDecl G : Variants)
      if (llvm::is_contained(B->Symbols, Code->GetMangledName(G)))
        Code->GetAddrOfGlobal(G, /*isForDefinition=*/false);
  }
}

/// Every function that the new code calls must be made here, known from the old
/// code, or another unit's.
bool PartialConsumer::checkDeclarations(llvm::Module &M) {
  for (const llvm::GlobalValue &V : M.global_values())
    if (isOfUnnamed(V.getName()) && !V.use_empty()) {
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

/// The code generator finds out that a function throws nothing when it has made
/// it, and spares later callers their landing pads. Here the callee was not
/// made; from before it is known all the same.
void PartialConsumer::applyKnownNoThrow(llvm::Module &M) {
  for (llvm::Function &F : M)
    if (const CompiledFunction *Was = Plan.Old.findFunction(F.getName());
        F.isDeclaration() && Was && Was->NoUnwind)
      F.setDoesNotThrow();
  for (llvm::Function &F : M) {
    if (F.isDeclaration())
      continue;
    bool Changed = false;
    for (llvm::BasicBlock &B : F)
      if (auto *I = llvm::dyn_cast<llvm::InvokeInst>(B.getTerminator());
          I && I->getCalledFunction() &&
          I->getCalledFunction()->doesNotThrow()) {
        llvm::changeToCall(I);
        Changed = true;
      }
    if (Changed)
      llvm::removeUnreachableBlocks(F);
    // Only as far as it was seen before, which depends on the order in which
    // a compile makes functions.
    const CompiledFunction *Was = Plan.Old.findFunction(F.getName());
    auto MayThrow = [](const llvm::Instruction &I) { return I.mayThrow(); };
    if (Was && Was->NoUnwind && llvm::none_of(llvm::instructions(F), MayThrow))
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
  if (!checkBodies())
    return;
  if (Preprocessor.getCounterValue() != Plan.Old.Text.Counter) {
    Run.Doubt = "__COUNTER__ is used more or less often";
    return;
  }
  demandWanted();
  Code->HandleTranslationUnit(C);
  if (Diagnostics.hasErrorOccurred() || !Code->GetModule() || isCancelled())
    return;
  llvm::Module &M = *Code->GetModule();
  renumberStaticLocals(M);
  Known.finish(M);
  dropKnown(M);
  applyKnownNoThrow(M);
  if (!checkDeclarations(M) || !checkThreadInits(M))
    return;
  Fingerprinter Prints(M);
  collectCodeFacts(M, Prints, Run.Unit);
  UnitDecls Decls{C, *Code, Run.Files};
  addDeclFacts(Decls, Run.Unit, Tags);
  collectTypeFacts(Decls, Tags, Run.Unit);
  collectBodies(C, *Code, Run.Unit);
  Run.Module = Code->ReleaseModule();
}
