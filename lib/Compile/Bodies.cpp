// Where the bodies of functions stand in the files of a unit, its own and the
// project's headers, and which of them the rest of the unit can do without.
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
#include <tuple>

using namespace hotjit;
using llvm::StringRef;

namespace {

class SourceWalk {
public:
  SourceWalk(const std::set<clang::FileID> &Files,
             const clang::ASTContext &Context)
      : Files(Files), SM(Context.getSourceManager()) {}

  std::vector<SourceFunction> run(const clang::TranslationUnitDecl &Top) {
    // What a preamble holds is before the main file, and need not be read.
    for (const clang::Decl *D : Top.noload_decls())
      if (isInside(D->getLocation()))
        visit(*D);
    llvm::sort(Found, [](const SourceFunction &A, const SourceFunction &B) {
      return std::tie(A.File, A.Body.Begin) < std::tie(B.File, B.Body.Begin);
    });
    return std::move(Found);
  }

private:
  void walk(const clang::DeclContext &D);
  void visit(const clang::Decl &D);
  void add(const clang::FunctionDecl &F);
  bool isInside(clang::SourceLocation Loc) const {
    return Files.count(SM.getFileID(SM.getFileLoc(Loc)));
  }

  const std::set<clang::FileID> &Files;
  const clang::SourceManager &SM;
  std::vector<SourceFunction> Found;
};

} // namespace

void SourceWalk::walk(const clang::DeclContext &Context) {
  for (const clang::Decl *D : Context.decls())
    if (isInside(D->getLocation()))
      visit(*D);
}

void SourceWalk::visit(const clang::Decl &D) {
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

void SourceWalk::add(const clang::FunctionDecl &F) {
  if (!F.doesThisDeclarationHaveABody() || F.isImplicit() || F.isDefaulted())
    return;
  const clang::Stmt *Body = F.getBody();
  clang::SourceLocation Begin = Body->getBeginLoc(), End = Body->getEndLoc();
  SourceFunction S;
  S.Decl = &F;
  if (F.getLocation().isFileID())
    S.Name = SM.getFileOffset(F.getLocation());
  S.Body.Plain = llvm::isa<clang::CompoundStmt>(Body) && Begin.isFileID() &&
                 End.isFileID();
  S.Body.Hidden = S.Body.Plain && isHidden(F);
  S.Body.Alone = S.Body.Hidden && !declaresTypes(F);
  S.Body.TopLevel = F.getLexicalDeclContext()->isTranslationUnit();
  std::tie(S.File, S.Body.Begin) = SM.getDecomposedExpansionLoc(Begin);
  S.Body.End =
      SM.getFileOffset(SM.getExpansionRange(End).getEnd()) + 1; // one brace
  if (Files.count(S.File))
    Found.push_back(std::move(S));
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

std::vector<SourceFunction>
hotjit::functionsIn(const std::set<clang::FileID> &Files,
                    const clang::ASTContext &Context) {
  return SourceWalk(Files, Context).run(*Context.getTranslationUnitDecl());
}

//===-- Collecting --------------------------------------------------------===//

/// Real path of a file of the project; empty for others.
static std::string projectPath(clang::FileID File,
                               const clang::SourceManager &SM,
                               SnapshotFileSystem &Files) {
  clang::OptionalFileEntryRef Entry = SM.getFileEntryRefForID(File);
  if (!Entry)
    return "";
  std::string Path = Files.realPath(Entry->getName());
  return Files.isOfProject(Path) ? Path : "";
}

/// Where in the main file that is included which leads to File.
static uint32_t includedAt(clang::FileID File, const clang::SourceManager &SM) {
  clang::SourceLocation At = SM.getIncludeLoc(File);
  while (At.isValid() && SM.getFileID(At) != SM.getMainFileID())
    At = SM.getIncludeLoc(SM.getFileID(At));
  return At.isValid() ? SM.getFileOffset(At) : 0;
}

/// The unit's own file, and headers of the project that were read once: in one
/// that is read again and again a body means something else each time. By path.
static std::map<std::string, clang::FileID>
textsOf(const LineUses &Lines, const clang::SourceManager &SM,
        SnapshotFileSystem &Files) {
  std::map<std::string, clang::FileID> Result;
  std::set<std::string> Again;
  for (const auto &[File, Uses] : Lines) {
    if (File == SM.getMainFileID())
      continue;
    std::string Path = projectPath(File, SM, Files);
    if (!Path.empty() && !Result.try_emplace(Path, File).second)
      Again.insert(Path);
  }
  for (const std::string &Path : Again)
    Result.erase(Path);
  return Result;
}

/// A body is found by its function's name: the next one must be its own.
static void forgetMisplaced(llvm::ArrayRef<SourceFunction> Functions,
                            std::map<clang::FileID, UnitText> &Texts) {
  for (const SourceFunction &F : Functions) {
    std::vector<BodyText> &Bodies = Texts[F.File].Bodies;
    std::optional<size_t> Next =
        F.Name ? bodyBehind(Bodies, *F.Name) : std::nullopt;
    if (Next && Bodies[*Next].Begin != F.Body.Begin)
      Bodies[*Next].Plain = Bodies[*Next].Hidden = Bodies[*Next].Alone = false;
  }
}

void hotjit::collectTexts(clang::ASTContext &Context,
                          clang::CodeGenerator &Code, SnapshotFileSystem &Files,
                          const LineUses &Lines, CompiledUnit &Unit) {
  const clang::SourceManager &SM = Context.getSourceManager();
  std::map<std::string, clang::FileID> Headers = textsOf(Lines, SM, Files);
  std::set<clang::FileID> Inside = {SM.getMainFileID()};
  for (const auto &[Path, File] : Headers)
    Inside.insert(File);
  std::map<clang::FileID, UnitText> Texts;
  for (clang::FileID File : Inside)
    if (auto It = Lines.find(File); It != Lines.end())
      Texts[File].LineUses = It->second;

  std::vector<SourceFunction> Functions = functionsIn(Inside, Context);
  for (const SourceFunction &F : Functions) {
    // Methods of local classes stand in another body.
    std::vector<BodyText> &Bodies = Texts[F.File].Bodies;
    if (Bodies.empty() || Bodies.back().End <= F.Body.Begin)
      Bodies.push_back(F.Body);
  }
  for (const CompiledFunction &F : std::as_const(Unit.Functions)) {
    const auto *Decl = llvm::dyn_cast_or_null<clang::FunctionDecl>(
        Code.GetDeclForMangledName(F.Symbol));
    const clang::FunctionDecl *Defined = Decl ? Decl->getDefinition() : nullptr;
    const clang::Stmt *Body = Defined ? Defined->getBody() : nullptr;
    if (!Body)
      continue;
    auto [File, Offset] = SM.getDecomposedExpansionLoc(Body->getBeginLoc());
    if (!Inside.count(File)) {
      // Of a header that a preamble holds: where it stands is known, and only
      // what was made from it is new.
      std::string Path = Lines.count(File) ? "" : projectPath(File, SM, Files);
      if (Path.empty() || Headers.count(Path))
        continue;
      Headers[Path] = File;
      Inside.insert(File);
    }
    std::vector<BodyText> &Bodies = Texts[File].Bodies;
    auto It =
        llvm::lower_bound(Bodies, Offset, [](const BodyText &B, uint32_t At) {
          return B.Begin < At;
        });
    if (It == Bodies.end() || It->Begin != Offset) {
      if (Lines.count(File))
        continue; // In another body.
      BodyText Known;
      Known.Begin = Offset;
      It = Bodies.insert(It, Known);
    }
    It->Symbols.push_back(F.Symbol);
  }
  forgetMisplaced(Functions, Texts);
  bool UsesLocations = Unit.Text.UsesLocations;
  Unit.Text = std::move(Texts[SM.getMainFileID()]);
  Unit.Text.UsesLocations = UsesLocations;
  for (const auto &[Path, File] : Headers) {
    Texts[File].IncludedAt = includedAt(File, SM);
    Unit.Headers[Path] = std::make_shared<UnitText>(std::move(Texts[File]));
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

bool EditedFile::is(clang::FileID File, const clang::SourceManager &SM) {
  if (IsMain || File == Found)
    return File == id(SM);
  if (File == Another)
    return false;
  bool IsIt = projectPath(File, SM, Files) == Path;
  (IsIt ? Found : Another) = File;
  return IsIt;
}

std::optional<size_t>
hotjit::skippableBody(const clang::FunctionDecl &F,
                      const clang::SourceManager &SM,
                      llvm::ArrayRef<BodyText> Bodies,
                      llvm::function_ref<bool(clang::FileID)> IsFile) {
  if (F.getLocation().isMacroID() || F.isTemplated() || F.isConstexpr())
    return std::nullopt;
  auto [File, Offset] = SM.getDecomposedLoc(F.getLocation());
  if (!IsFile(File))
    return std::nullopt;
  std::optional<size_t> Body = bodyBehind(Bodies, Offset);
  if (!Body)
    return std::nullopt;
  const BodyText &B = Bodies[*Body];
  if (!B.Hidden || B.Symbols.empty() || !hasAllVariants(F, B))
    return std::nullopt;
  return Body;
}
