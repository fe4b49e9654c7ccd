// A closure that nobody outside its unit can name is "$_3" in symbols: the
// fourth class without a name for which the unit made a symbol. A compile of
// some bodies makes symbols for some of them, in another order. But the source
// did not change where they stand, so a closure is known by the place of its
// call operator and by the symbol around its number,
//
//     _ZZ6updateRiENK3$_1clEi, world.cpp:20   here, is that of the unit with
//     _ZZ6updateRiENK3$_7clEi, world.cpp:20   the same place: $_1 is its $_7
//
// and everything that belongs to it (what templates made with it, its statics)
// is renamed with it. Two closures on one line with the same parameters in one
// function cannot be told apart by that, and of the two the unit may have made
// only one so far: so what was renamed must have the code that the unit has
// under its new name.

#include "Compile/ClosureNumbers.h"
#include "Compile/Diagnostics.h"
#include "Compile/Fingerprint.h"
#include "clang/AST/DeclCXX.h"
#include <map>

using namespace hotjit;
using llvm::StringRef;

namespace {

/// A number in a symbol: "3$_1", the first character of which counts those of
/// the rest.
struct Number {
  size_t At;     ///< of the count
  size_t Length; ///< of the whole
  unsigned Value;
};

/// Where a call operator stands, and its symbol without numbers.
struct OperatorKey {
  std::string Pattern;
  std::string File;
  unsigned Line;
  auto operator<=>(const OperatorKey &) const = default;
};

} // namespace

static std::vector<Number> numbersIn(StringRef Symbol) {
  std::vector<Number> Result;
  for (size_t At = Symbol.find("$_"); At != StringRef::npos;
       At = Symbol.find("$_", At + 1)) {
    // Up to 999: more digits have a count of more than one.
    size_t Count = At == 0 ? 0 : Symbol[At - 1] - '0';
    unsigned Value = 0;
    if (Count < 3 || Count > 5 ||
        Symbol.substr(At + 2, Count - 2).getAsInteger(10, Value))
      continue;
    Result.push_back({At - 1, Count + 1, Value});
  }
  return Result;
}

static std::string
replaceNumbers(StringRef Symbol, const std::vector<Number> &Numbers,
               llvm::function_ref<std::string(unsigned)> To) {
  std::string Result;
  size_t Done = 0;
  for (const Number &N : Numbers) {
    Result += Symbol.slice(Done, N.At);
    std::string Text = "$_" + To(N.Value);
    Result += std::to_string(Text.size()) + Text;
    Done = N.At + N.Length;
  }
  return Result + Symbol.drop_front(Done).str();
}

/// Its own number; none if the symbol holds those of several.
static std::optional<unsigned> onlyNumber(const std::vector<Number> &Numbers) {
  if (Numbers.empty() || llvm::any_of(Numbers, [&](const Number &N) {
        return N.Value != Numbers.front().Value;
      }))
    return std::nullopt;
  return Numbers.front().Value;
}

static OperatorKey keyOf(StringRef Symbol, const std::vector<Number> &Numbers,
                         const SourcePlace &Place) {
  return {replaceNumbers(Symbol, Numbers, [](unsigned) { return ""; }),
          Place.File, Place.Line};
}

/// Numbers of the unit's closures by their call operators; two that look alike
/// have none.
static std::map<OperatorKey, std::optional<unsigned>>
numbersOf(const PartialPlan &Plan) {
  std::map<OperatorKey, std::optional<unsigned>> Result;
  for (const CompiledFunction &F : Plan.Old.Functions) {
    if (!StringRef(F.Name).ends_with("(lambda)::operator()"))
      continue;
    std::vector<Number> Numbers = numbersIn(F.Symbol);
    std::optional<unsigned> Own = onlyNumber(Numbers);
    if (!Own)
      continue;
    SourcePlace Place = F.Place;
    if (Place.File == Plan.File)
      Place.Line = Plan.Bodies.newLine(Place.Line);
    auto [It, IsNew] = Result.try_emplace(keyOf(F.Symbol, Numbers, Place), Own);
    if (!IsNew)
      It->second.reset();
  }
  return Result;
}

llvm::StringSet<> hotjit::renumberClosures(llvm::Module &M,
                                           const PartialPlan &Plan,
                                           clang::CodeGenerator &Code,
                                           const clang::SourceManager &SM,
                                           SnapshotFileSystem &Files) {
  auto IsUnnamed = [](const llvm::GlobalValue &V) {
    return V.getName().contains("$_");
  };
  llvm::StringSet<> Unknown;
  if (llvm::none_of(M.global_values(), IsUnnamed))
    return Unknown;
  std::map<OperatorKey, std::optional<unsigned>> Known = numbersOf(Plan);
  std::map<unsigned, unsigned> To;
  for (const llvm::Function &F : M) {
    const auto *Method = llvm::dyn_cast_or_null<clang::CXXMethodDecl>(
        Code.GetDeclForMangledName(F.getName()));
    std::vector<Number> Numbers = numbersIn(F.getName());
    std::optional<unsigned> Own = onlyNumber(Numbers);
    if (!Own || !Method || !Method->getParent()->isLambda() ||
        Method->getOverloadedOperator() != clang::OO_Call)
      continue;
    SourcePlace Place = placeOf(Method->getLocation(), SM, Files);
    auto It = Known.find(keyOf(F.getName(), Numbers, Place));
    if (It != Known.end() && It->second)
      To[*Own] = *It->second;
  }
  std::vector<std::pair<llvm::GlobalValue *, std::string>> Renamed;
  for (llvm::GlobalValue &V : M.global_values()) {
    if (!IsUnnamed(V))
      continue;
    std::vector<Number> Numbers = numbersIn(V.getName());
    auto IsKnown = [&](const Number &N) { return To.contains(N.Value); };
    if (Numbers.empty() || !llvm::all_of(Numbers, IsKnown)) {
      Unknown.insert(V.getName());
      continue;
    }
    Renamed.push_back(
        {&V, replaceNumbers(V.getName(), Numbers, [&](unsigned N) {
           return std::to_string(To.at(N));
         })});
  }
  // One may get the name that another one has until then.
  for (auto &[V, Name] : Renamed)
    V->setName("");
  for (auto &[V, Name] : Renamed)
    V->setName(Name);
  Fingerprinter Prints(M);
  for (auto &[V, Name] : Renamed) {
    auto *F = llvm::dyn_cast<llvm::Function>(V);
    const CompiledFunction *Was = Plan.Old.findFunction(Name);
    bool IsSame =
        !F || !Was || (!F->isDeclaration() && Prints.function(*F) == Was->Body);
    if (V->getName() != Name || !IsSame)
      Unknown.insert(V->getName());
  }
  return Unknown;
}
