// Clang's units and the program's debug info name the same things in different
// ways: GCC calls a function static of C `calls.0` where Clang says `f.calls`,
// debug info gives a constructor one name where the symbol table has two. This
// file is the only place that knows how the two sides correspond. Where it is
// not sure it returns several answers, and the caller refuses.

#include "Diff/ProgramView.h"
#include "Diff/Judge.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Demangle/Demangle.h"
#include "llvm/Support/Path.h"
#include <algorithm>

using namespace hotjit;
using llvm::StringRef;

/// Most symbols are neither, and demangling thousands of them takes a while.
static bool mayBeConstructor(StringRef Symbol) {
  for (size_t I = 2; I + 1 < Symbol.size(); ++I)
    if ((Symbol[I] == 'C' || Symbol[I] == 'D') && Symbol[I + 1] >= '0' &&
        Symbol[I + 1] <= '5')
      return Symbol.starts_with("_Z");
  return false;
}

static std::optional<std::string> constructorName(StringRef Symbol) {
  if (!mayBeConstructor(Symbol))
    return std::nullopt;
  llvm::ItaniumPartialDemangler D;
  if (D.partialDemangle(Symbol.str().c_str()) || !D.isCtorOrDtor())
    return std::nullopt;
  return llvm::demangle(Symbol);
}

static constexpr StringRef AbiTag = "B5cxx11";

std::string hotjit::withoutTags(StringRef Symbol) {
  std::string Result;
  for (size_t At; (At = Symbol.find(AbiTag)) != StringRef::npos;) {
    Result += Symbol.take_front(At);
    Symbol = Symbol.drop_front(At + AbiTag.size());
  }
  return Result + Symbol.str();
}

std::string hotjit::sharedName(StringRef Symbol) {
  return constructorName(Symbol).value_or(withoutTags(Symbol));
}

bool hotjit::areVariants(StringRef A, StringRef B) {
  std::optional<std::string> NameOfA = constructorName(A);
  return NameOfA && NameOfA == constructorName(B);
}

CopiedName::CopiedName(const CompiledFunction &F)
    : Symbol(F.Symbol), Shared(sharedName(F.Symbol)),
      Unqualified(unqualified(F.Name)),
      IsConstructor(constructorName(F.Symbol).has_value()) {}

bool CopiedName::isMeantBy(StringRef Name) const {
  if (Name == Symbol || Name == Shared || Name == Unqualified)
    return true;
  if (IsConstructor)
    return constructorName(Name) == Shared;
  return Name.contains(AbiTag) && withoutTags(Name) == Shared;
}

/// Optimized code lists a function static once per inlined copy of its
/// function; all of them say the same place.
static void addPlace(std::vector<const ImageVariable *> &Places,
                     const ImageVariable &V) {
  for (const ImageVariable *&Known : Places) {
    if (Known->Storage == V.Storage && Known->Address == V.Address &&
        Known->TlsOffset == V.TlsOffset && Known->Line == V.Line)
      return;
    // A declaration without a place adds nothing to one with a place.
    if (Known->Line == V.Line && Known->File == V.File) {
      if (V.Storage == StorageKind::None)
        return;
      if (Known->Storage == StorageKind::None) {
        Known = &V;
        return;
      }
    }
  }
  Places.push_back(&V);
}

llvm::Expected<BuiltUnit> BuiltUnit::create(const ProgramView &Program,
                                            const ImageUnit &Unit) {
  llvm::Expected<const UnitDetails *> Details = Program.details(Unit);
  if (!Details)
    return Details.takeError();
  BuiltUnit B;
  B.Program = &Program;
  B.Unit = &Unit;
  B.Details = *Details;
  for (const ImageFunction &F : B.Details->Functions)
    B.BySymbol[F.Local ? withoutTags(F.Symbol) : F.Symbol].push_back(&F);
  return B;
}

const BuiltUnit::VariableIndex &BuiltUnit::variableIndex() const {
  if (Variables)
    return *Variables;
  Variables.emplace();
  for (const ImageVariable &V : Details->Variables) {
    if (!V.Symbol.empty() || !V.LinkageName.empty())
      addPlace(Variables->BySymbol[withoutTags(V.Symbol.empty() ? V.LinkageName
                                                                : V.Symbol)],
               V);
    addPlace(Variables->ByName[{sharedName(V.Function), V.Name}], V);
  }
  return *Variables;
}

std::string BuiltUnit::spelling(StringRef Symbol) const {
  static constexpr StringRef OfClang = "8__invoke", OfGCC = "4_FUN";
  size_t At =
      Unit->By == Producer::GCC ? Symbol.rfind(OfClang) : StringRef::npos;
  // "UliE_" ends the closure that it is a member of.
  if (At == StringRef::npos || !Symbol.take_front(At).ends_with("_"))
    return Symbol.str();
  return (Symbol.take_front(At) + OfGCC +
          Symbol.drop_front(At + OfClang.size()))
      .str();
}

llvm::ArrayRef<const ImageFunction *>
BuiltUnit::functions(StringRef Symbol) const {
  auto It = BySymbol.find(Symbol);
  if (It == BySymbol.end())
    It = BySymbol.find(withoutTags(Symbol));
  if (It == BySymbol.end())
    return {};
  return It->second;
}

std::vector<const ImageVariable *>
BuiltUnit::variables(const CompiledVariable &V) const {
  const VariableIndex &Index = variableIndex();
  // A function static by its function and its name in the source: symbols are
  // numbered, differently by each compiler and after each edit (V-10).
  if (V.Function.empty())
    if (auto It = Index.BySymbol.find(withoutTags(V.Symbol));
        It != Index.BySymbol.end())
      return It->second;
  auto It = Index.ByName.find({sharedName(V.Function), V.Name});
  if (It == Index.ByName.end())
    return {};
  std::vector<const ImageVariable *> Places = It->second;
  // What has another symbol is another variable: a namespace's, a class's.
  if (V.Function.empty())
    std::erase_if(Places, [&](const ImageVariable *P) {
      return !P->Symbol.empty() &&
             withoutTags(P->Symbol) != withoutTags(V.Symbol);
    });
  return Places;
}

/// The symbol table knows source files without their folders, but it keeps the
/// symbols of each object together: what debug info says of the unit and the
/// table has too tells which object that is. 0: it does not.
unsigned BuiltUnit::object() const {
  if (Object)
    return *Object;
  std::set<unsigned> Found;
  auto Dereference = [](const ImageFunction *F) -> const ImageFunction & {
    return *F;
  };
  // Of what was folded into one, several objects have a symbol there.
  auto Add = [&](const auto &Symbols, auto IsThere) {
    if (llvm::count_if(Symbols, IsThere) == 1)
      Found.insert(llvm::find_if(Symbols, IsThere)->Object);
  };
  for (const ImageFunction &F : Details->Functions)
    if (F.Local && !F.Symbol.empty())
      Add(llvm::map_range(Program->findFunctions(Unit->Module, F.Symbol),
                          Dereference),
          [&](const ImageFunction &I) {
            return I.Local && I.Entry == F.Entry;
          });
  for (const ImageVariable &V : Details->Variables)
    if (V.Storage == StorageKind::Address && !V.Symbol.empty())
      Add(Program->findData(Unit->Module, V.Symbol), [&](const ImageSymbol &S) {
        return S.Local && S.Address == V.Address;
      });
  Object = Found.size() == 1 ? *Found.begin() : 0;
  return *Object;
}

bool BuiltUnit::isMistakable() const {
  StringRef Name = llvm::sys::path::filename(Unit->Path);
  return llvm::any_of(Program->units(),
                      [&](const ImageUnit &Other) {
                        return &Other != Unit && Other.Module == Unit->Module &&
                               llvm::sys::path::filename(Other.Path) == Name;
                      }) &&
         object() == 0;
}

template <class Symbol> bool BuiltUnit::isOwn(const Symbol &S) const {
  return S.Local && S.File == llvm::sys::path::filename(Unit->Path) &&
         (object() == 0 || S.Object == object());
}

std::vector<ProgramAddr> BuiltUnit::localData(StringRef Symbol) const {
  std::vector<ProgramAddr> Places;
  // A static of a tagged function has a tag of its own last.
  for (const std::string &Spelling :
       {Symbol.str(), Symbol.rsplit("B5cxx11").first.str(),
        withoutTags(Symbol)}) {
    for (const ImageSymbol &S : Program->findData(Unit->Module, Spelling))
      if (isOwn(S))
        Places.push_back(S.Address);
    if (!Places.empty())
      break;
  }
  if (!Places.empty() && isMistakable())
    Places.push_back(ProgramAddr());
  return Places;
}

std::vector<ImageThreadLocal>
BuiltUnit::localThreadLocals(StringRef Symbol) const {
  std::vector<ImageThreadLocal> Places =
      Program->findThreadLocals(Unit->Module, Symbol);
  std::erase_if(Places, [&](const ImageThreadLocal &T) { return !isOwn(T); });
  if (!Places.empty() && isMistakable())
    Places.push_back({});
  return Places;
}

std::vector<const ImageFunction *>
BuiltUnit::localFunctions(StringRef Symbol) const {
  std::vector<const ImageFunction *> Found;
  for (const ImageFunction *F : Program->findFunctions(Unit->Module, Symbol))
    if (isOwn(*F))
      Found.push_back(F);
  return Found;
}

llvm::ArrayRef<const ImageType *> BuiltUnit::types(StringRef Name) const {
  if (!TypesByName) {
    TypesByName.emplace();
    for (const ImageType &T : Details->Types)
      (*TypesByName)[T.Name].push_back(&T);
  }
  auto It = TypesByName->find(Name);
  if (It == TypesByName->end())
    return {};
  return It->second;
}
