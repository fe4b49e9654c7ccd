// Layouts: where each field of each class lies, what stands in each vtable. Two
// versions of a class whose objects live on may differ in nothing of this.
//
// Classes declared in system headers are left out. Their layouts depend on
// flags and on the types they are made of (std::array<Widget, 4>), and those
// show: as other types of the variables, fields and parameters that use them.

#include "Compile/DeclFacts.h"
#include "Compile/Diagnostics.h"
#include "Support/FmtSupport.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/GlobalDecl.h"
#include "clang/AST/RecordLayout.h"
#include "clang/AST/VTableBuilder.h"
#include "clang/Basic/SourceManager.h"
#include "llvm/ADT/STLExtras.h"
#include <tuple>

using namespace hotjit;

namespace {

class TypeFacts {
public:
  explicit TypeFacts(const UnitDecls &D)
      : D(D), Policy(factsPolicy(D.Context)), NamePolicy(Policy) {
    NamePolicy.SuppressTagKeyword = true;
    NamePolicy.SuppressTagKeywordInAnonNames = false;
  }

  CompiledType describe(const clang::RecordDecl &R);
  CompiledEnum describe(const clang::EnumDecl &E);

private:
  std::string spell(clang::QualType T) {
    return T.getCanonicalType().getAsString(Policy);
  }
  std::string nameOf(const clang::TagDecl &T) {
    clang::QualType Type = D.Context.getCanonicalTagType(&T);
    return Type.getAsString(NamePolicy);
  }
  SourcePlace place(const clang::TagDecl &T) {
    return placeOf(T.getLocation(), D.Context.getSourceManager(), D.Files);
  }
  void addFields(const clang::RecordDecl &R, uint64_t Start, CompiledType &T);
  void nameCaptures(const clang::CXXRecordDecl &Closure, CompiledType &T);
  void addBases(const clang::CXXRecordDecl &R, CompiledType &T);
  void addVirtualSlots(const clang::CXXRecordDecl &R, CompiledType &T);
  std::string slot(const clang::VTableComponent &C);

  const UnitDecls &D;
  clang::PrintingPolicy Policy;
  clang::PrintingPolicy NamePolicy;
};

} // namespace

void TypeFacts::addFields(const clang::RecordDecl &R, uint64_t Start,
                          CompiledType &T) {
  const clang::ASTRecordLayout &Layout = D.Context.getASTRecordLayout(&R);
  for (const clang::FieldDecl *Field : R.fields()) {
    uint64_t Offset = Start + Layout.getFieldOffset(Field->getFieldIndex());
    if (Field->isAnonymousStructOrUnion()) {
      addFields(*Field->getType()->getAsRecordDecl(), Offset, T);
      continue;
    }
    TypeField F;
    F.Name = Field->getNameAsString();
    F.Type = spell(Field->getType());
    F.OffsetBits = Offset;
    F.BitField = Field->isBitField();
    F.SizeBits = F.BitField ? Field->getBitWidthValue()
                            : D.Context.getTypeSize(Field->getType());
    T.Fields.push_back(std::move(F));
  }
}

/// A closure's fields have no names; what they hold a copy of has.
void TypeFacts::nameCaptures(const clang::CXXRecordDecl &Closure,
                             CompiledType &T) {
  for (auto [Capture, Field] : llvm::zip(Closure.captures(), T.Fields)) {
    if (Capture.capturesThis())
      Field.Name = "this";
    else if (Capture.capturesVariable())
      Field.Name = Capture.getCapturedVar()->getNameAsString();
  }
}

void TypeFacts::addBases(const clang::CXXRecordDecl &R, CompiledType &T) {
  const clang::ASTRecordLayout &Layout = D.Context.getASTRecordLayout(&R);
  auto Add = [&](const clang::CXXBaseSpecifier &B, bool Virtual) {
    const clang::CXXRecordDecl *Base = B.getType()->getAsCXXRecordDecl();
    TypeField F;
    F.Name = Base->getNameAsString();
    F.Type = (Virtual ? "virtual " : "") + spell(B.getType());
    clang::CharUnits Offset = Virtual ? Layout.getVBaseClassOffset(Base)
                                      : Layout.getBaseClassOffset(Base);
    F.OffsetBits = D.Context.toBits(Offset);
    F.SizeBits = D.Context.getTypeSize(B.getType());
    T.Bases.push_back(std::move(F));
  };
  for (const clang::CXXBaseSpecifier &B : R.bases())
    if (!B.isVirtual())
      Add(B, false);
  for (const clang::CXXBaseSpecifier &B : R.vbases())
    Add(B, true);
}

/// Empty for what is the same in each vtable.
std::string TypeFacts::slot(const clang::VTableComponent &C) {
  auto Method = [&](clang::GlobalDecl G) {
    const auto *M = llvm::cast<clang::CXXMethodDecl>(G.getDecl());
    return (M->isPureVirtual() ? "pure " : "") + D.Code.GetMangledName(G).str();
  };
  switch (C.getKind()) {
  case clang::VTableComponent::CK_VCallOffset:
    return fmt::format("virtual call offset {}",
                       C.getVCallOffset().getQuantity());
  case clang::VTableComponent::CK_VBaseOffset:
    return fmt::format("virtual base offset {}",
                       C.getVBaseOffset().getQuantity());
  case clang::VTableComponent::CK_OffsetToTop:
  case clang::VTableComponent::CK_RTTI:
    return "";
  case clang::VTableComponent::CK_UnusedFunctionPointer:
    return "unused";
  case clang::VTableComponent::CK_FunctionPointer:
    return Method(clang::GlobalDecl(C.getFunctionDecl()));
  case clang::VTableComponent::CK_CompleteDtorPointer:
    return Method(
        clang::GlobalDecl(C.getDestructorDecl(), clang::Dtor_Complete));
  case clang::VTableComponent::CK_DeletingDtorPointer:
    return Method(
        clang::GlobalDecl(C.getDestructorDecl(), clang::Dtor_Deleting));
  }
  return "unknown";
}

void TypeFacts::addVirtualSlots(const clang::CXXRecordDecl &R,
                                CompiledType &T) {
  auto *VTables =
      llvm::cast<clang::ItaniumVTableContext>(D.Context.getVTableContext());
  for (const clang::VTableComponent &C :
       VTables->getVTableLayout(&R).vtable_components())
    if (std::string Text = slot(C); !Text.empty())
      T.VirtualSlots.push_back(std::move(Text));
}

CompiledType TypeFacts::describe(const clang::RecordDecl &R) {
  const clang::ASTRecordLayout &Layout = D.Context.getASTRecordLayout(&R);
  CompiledType T;
  T.Name = nameOf(R);
  T.Place = place(R);
  T.Union = R.isUnion();
  T.Local = R.getParentFunctionOrMethod() != nullptr;
  T.Size = Layout.getSize().getQuantity();
  T.Align = Layout.getAlignment().getQuantity();
  T.TriviallyPassed = R.canPassInRegisters();
  addFields(R, 0, T);
  const auto *Class = llvm::dyn_cast<clang::CXXRecordDecl>(&R);
  if (!Class)
    return T;
  T.Lambda = Class->isLambda();
  if (T.Lambda)
    nameCaptures(*Class, T);
  addBases(*Class, T);
  T.Polymorphic = Class->isDynamicClass();
  if (T.Polymorphic)
    addVirtualSlots(*Class, T);
  return T;
}

CompiledEnum TypeFacts::describe(const clang::EnumDecl &Decl) {
  CompiledEnum E;
  E.Name = nameOf(Decl);
  E.Place = place(Decl);
  E.Underlying = spell(Decl.getIntegerType());
  for (const clang::EnumConstantDecl *Value : Decl.enumerators())
    E.Values.emplace_back(Value->getNameAsString(),
                          llvm::toString(Value->getInitVal(), 10));
  return E;
}

void hotjit::collectTypeFacts(const UnitDecls &Decls,
                              const TagDefinitions &Tags, CompiledUnit &Unit) {
  TypeFacts Facts(Decls);
  const clang::SourceManager &SM = Decls.Context.getSourceManager();
  for (const clang::TagDecl *Tag : Tags) {
    const clang::TagDecl *T = Tag->getDefinition();
    if (!T || T->isInvalidDecl() || T->isDependentContext() ||
        SM.isInSystemHeader(T->getLocation()))
      continue;
    if (const auto *R = llvm::dyn_cast<clang::RecordDecl>(T))
      Unit.Types.push_back(Facts.describe(*R));
    else if (const auto *E = llvm::dyn_cast<clang::EnumDecl>(T))
      Unit.Enums.push_back(Facts.describe(*E));
  }
  auto ByName = [](const auto &A, const auto &B) {
    return std::tie(A.Name, A.Place.File, A.Place.Line) <
           std::tie(B.Name, B.Place.File, B.Place.Line);
  };
  Unit.Types.sort(ByName);
  Unit.Enums.sort(ByName);
}
