// Where the bodies of the functions in a unit's own file stand, and which of
// them the rest of the unit can do without.
//
// A body that is skipped must have been made by an earlier compile: whoever
// calls it then knows it from there.

#include "Compile/Bodies.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclFriend.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/StmtCXX.h"
#include "clang/Basic/SourceManager.h"
#include "llvm/ADT/STLExtras.h"
#include <map>

using namespace hotjit;
using llvm::StringRef;

namespace {

class MainFileWalk {
public:
  explicit MainFileWalk(const clang::ASTContext &Context)
      : SM(Context.getSourceManager()) {}

  std::vector<MainFunction> run(const clang::TranslationUnitDecl &Top) {
    // What a preamble holds is before the main file, and need not be read.
    for (const clang::Decl *D : Top.noload_decls())
      if (isInMainFile(D->getLocation()))
        visit(*D);
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
  M.Body.TopLevel = F.getLexicalDeclContext()->isTranslationUnit();
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

std::vector<MainFunction>
hotjit::functionsOfMainFile(const clang::ASTContext &Context) {
  return MainFileWalk(Context).run(*Context.getTranslationUnitDecl());
}

void hotjit::collectBodies(clang::ASTContext &Context,
                           clang::CodeGenerator &Code, CompiledUnit &Unit) {
  std::vector<MainFunction> Functions = functionsOfMainFile(Context);
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

//===-- Skipping ----------------------------------------------------------===//

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

std::optional<size_t> hotjit::skippableBody(const clang::FunctionDecl &F,
                                            const clang::SourceManager &SM,
                                            llvm::ArrayRef<BodyText> Bodies) {
  if (F.getLocation().isMacroID() || F.isTemplated() || F.isConstexpr())
    return std::nullopt;
  auto [File, Offset] = SM.getDecomposedLoc(F.getLocation());
  if (File != SM.getMainFileID())
    return std::nullopt;
  std::optional<size_t> Body = bodyBehind(Bodies, Offset);
  if (!Body)
    return std::nullopt;
  const BodyText &B = Bodies[*Body];
  if (!B.Hidden || B.Symbols.empty() || !hasAllVariants(F, B))
    return std::nullopt;
  return Body;
}
