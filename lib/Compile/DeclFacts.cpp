// What only the source tells of functions and variables: their names, places,
// types, and how a caller must pass what it passes. A declaration is found by
// its symbol: Clang's code generator knows which one it made each symbol for.
// Symbols without a declaration (vtables, guards, thunks) keep what the IR
// told.

#include "Compile/DeclFacts.h"
#include "Compile/Diagnostics.h"
#include "Support/FmtSupport.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/GlobalDecl.h"
#include "clang/Basic/ABI.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Demangle/Demangle.h"
#include <map>

using namespace hotjit;
using llvm::StringRef;

clang::PrintingPolicy hotjit::factsPolicy(const clang::ASTContext &Context) {
  clang::PrintingPolicy Policy(Context.getLangOpts());
  // A place in a name would make a shifted line another type.
  Policy.AnonymousTagLocations = false;
  Policy.FullyQualifiedName = true;
  Policy.PrintAsCanonical = true;
  return Policy;
}

namespace {

class DeclFacts {
public:
  DeclFacts(const UnitDecls &D, CompiledUnit &Unit, TagDefinitions &Tags)
      : D(D), Unit(Unit), Tags(Tags), Policy(factsPolicy(D.Context)),
        NamePolicy(Policy) {
    // As users write it: std::vector<int>, without the allocator.
    NamePolicy.PrintAsCanonical = false;
    NamePolicy.SuppressDefaultTemplateArgs = true;
  }

  llvm::StringSet<> run();

private:
  void describe(CompiledFunction &F, const clang::FunctionDecl &Decl);
  void describe(CompiledVariable &V, const clang::VarDecl &Decl);
  void addStaticLocals(const CompiledFunction &F,
                       const clang::FunctionDecl &Decl);
  void matchStaticLocals();
  void addGuard(CompiledVariable &V);
  std::string symbolOf(const clang::FunctionDecl &F);
  std::string nameOf(const clang::FunctionDecl &F);
  std::string spell(clang::QualType T);
  std::string passing(clang::QualType T);
  SourcePlace place(const clang::Decl &Decl) {
    return placeOf(Decl.getLocation(), D.Context.getSourceManager(), D.Files);
  }

  const UnitDecls &D;
  CompiledUnit &Unit;
  TagDefinitions &Tags;
  clang::PrintingPolicy Policy;
  clang::PrintingPolicy NamePolicy;
  /// C: by "function.variable", in the order of the source.
  std::map<std::string, std::vector<const clang::VarDecl *>> StaticLocals;
  llvm::StringSet<> MayInitialize;
};

} // namespace

std::string DeclFacts::spell(clang::QualType T) {
  return T.getCanonicalType().getAsString(Policy);
}

std::string DeclFacts::nameOf(const clang::FunctionDecl &F) {
  std::string Name;
  llvm::raw_string_ostream OS(Name);
  F.getNameForDiagnostic(OS, NamePolicy, /*Qualified=*/true);
  return Name;
}

std::string DeclFacts::symbolOf(const clang::FunctionDecl &F) {
  clang::GlobalDecl G;
  if (const auto *C = llvm::dyn_cast<clang::CXXConstructorDecl>(&F))
    G = clang::GlobalDecl(C, clang::Ctor_Base);
  else if (const auto *X = llvm::dyn_cast<clang::CXXDestructorDecl>(&F))
    G = clang::GlobalDecl(X, clang::Dtor_Base);
  else
    G = clang::GlobalDecl(&F);
  return D.Code.GetMangledName(G).str();
}

/// How a class that is passed by value travels, for callers; empty for others.
std::string DeclFacts::passing(clang::QualType T) {
  const clang::RecordDecl *R = T.getCanonicalType()->getAsRecordDecl();
  if (!R || !R->isCompleteDefinition())
    return "";
  return fmt::format(" [{} {} {}]", spell(T),
                     D.Context.getTypeSizeInChars(T).getQuantity(),
                     R->canPassInRegisters() ? "as is" : "by address");
}

void DeclFacts::describe(CompiledFunction &F, const clang::FunctionDecl &Decl) {
  F.Name = nameOf(Decl);
  F.Place = place(Decl);
  // A call is the same with and without noexcept; how its callers clean up is
  // in their bodies.
  clang::QualType Called = Decl.getType();
  if (Called->getAs<clang::FunctionProtoType>())
    Called = D.Context.getFunctionTypeWithExceptionSpec(
        Called, clang::FunctionProtoType::ExceptionSpecInfo());
  std::string Type = spell(Called);
  Type += passing(Decl.getReturnType());
  for (const clang::ParmVarDecl *P : Decl.parameters())
    Type += passing(P->getType());
  F.Signature = Type + " = " + F.Signature;
  F.Constructor = Decl.hasAttr<clang::ConstructorAttr>() ||
                  Decl.hasAttr<clang::DestructorAttr>();
  if (Decl.isMultiVersion())
    F.Unsupported = "target versions";
  const auto *Method = llvm::dyn_cast<clang::CXXMethodDecl>(&Decl);
  if (!Method)
    return;
  F.Virtual = Method->isVirtual();
  if (Method->getParent()->isLambda())
    Tags.insert(Method->getParent());
}

void DeclFacts::describe(CompiledVariable &V, const clang::VarDecl &Declared) {
  const clang::VarDecl *Decl = Declared.getDefinition();
  if (!Decl)
    Decl = Declared.getActingDefinition(); // C: int x;
  if (!Decl)
    Decl = &Declared;
  V.Synthesized = false;
  V.Name = Decl->getNameAsString();
  V.QualifiedName = Decl->getQualifiedNameAsString();
  V.Place = place(*Decl);
  V.Type = spell(Decl->getType());
  V.Destructor = Decl->needsDestruction(D.Context) != clang::QualType::DK_none;
  if (Decl->isStaticLocal()) {
    const clang::DeclContext *Parent = Decl->getParentFunctionOrMethod();
    if (const auto *F = llvm::dyn_cast_or_null<clang::FunctionDecl>(Parent)) {
      V.Function = symbolOf(*F);
      V.QualifiedName = nameOf(*F) + "::" + V.Name;
    }
    return;
  }
  if (D.Context.getLangOpts().CPlusPlus &&
      (V.Destructor || (Decl->hasInit() && !Decl->hasConstantInitialization())))
    MayInitialize.insert(V.Symbol);
}

void DeclFacts::addStaticLocals(const CompiledFunction &F,
                                const clang::FunctionDecl &Decl) {
  for (const clang::Decl *Local : Decl.decls())
    if (const auto *V = llvm::dyn_cast<clang::VarDecl>(Local);
        V && V->isStaticLocal())
      StaticLocals[F.Symbol + "." + V->getNameAsString()].push_back(V);
}

/// "f.n", "f.n.1": variables called n in f, numbered in the order in which code
/// was made for them. That is the order of the source, but that code which
/// is never reached is not made: what has the same size is taken for the same.
void DeclFacts::matchStaticLocals() {
  if (StaticLocals.empty())
    return;
  llvm::Module &M = *D.Code.GetModule();
  std::map<std::string, std::vector<CompiledVariable *>> Found;
  for (const llvm::GlobalVariable &G : M.globals()) {
    StringRef Base = G.getName();
    if (!StaticLocals.count(Base.str())) {
      auto [Stem, Number] = Base.rsplit('.');
      if (Number.empty() || !llvm::all_of(Number, llvm::isDigit))
        continue;
      Base = Stem;
    }
    if (!StaticLocals.count(Base.str()))
      continue;
    auto It = llvm::find_if(Unit.Variables, [&](const CompiledVariable &V) {
      return V.Symbol == G.getName();
    });
    if (It != Unit.Variables.end())
      Found[Base.str()].push_back(&*It);
  }
  for (auto &[Base, Variables] : Found) {
    llvm::ArrayRef<const clang::VarDecl *> Decls = StaticLocals[Base];
    for (CompiledVariable *V : Variables) {
      // An initial value may make a variable larger than its type.
      auto Fits = [&](const clang::VarDecl *Decl) {
        return D.Context.getTypeSizeInChars(Decl->getType()).getQuantity() <=
               static_cast<int64_t>(V->Size);
      };
      if (Decls.size() > Variables.size())
        Decls = Decls.drop_until(Fits);
      if (Decls.empty())
        break;
      describe(*V, *Decls.front());
      Decls = Decls.drop_front();
    }
  }
}

void DeclFacts::addGuard(CompiledVariable &V) {
  StringRef Name = V.Symbol;
  if (!Name.consume_front("_Z"))
    return;
  std::string Guard = ("_ZGV" + Name).str();
  if (Unit.findVariable(Guard))
    V.Guard = Guard;
}

llvm::StringSet<> DeclFacts::run() {
  for (CompiledFunction &F : Unit.Functions) {
    const clang::Decl *Decl = D.Code.GetDeclForMangledName(F.Symbol);
    const auto *Function = llvm::dyn_cast_or_null<clang::FunctionDecl>(Decl);
    if (!Function) {
      F.Name = llvm::demangle(F.Symbol);
      continue;
    }
    describe(F, *Function);
    if (!D.Context.getLangOpts().CPlusPlus)
      addStaticLocals(F, *Function);
  }
  for (CompiledVariable &V : Unit.Variables) {
    if (V.Unnamed)
      continue;
    const clang::Decl *Decl = D.Code.GetDeclForMangledName(V.Symbol);
    if (const auto *Variable = llvm::dyn_cast_or_null<clang::VarDecl>(Decl))
      describe(V, *Variable);
    addGuard(V);
  }
  matchStaticLocals();
  return std::move(MayInitialize);
}

llvm::StringSet<> hotjit::addDeclFacts(const UnitDecls &Decls,
                                       CompiledUnit &Unit,
                                       TagDefinitions &Tags) {
  return DeclFacts(Decls, Unit, Tags).run();
}
