// What the user edited: Clang's facts about the old text beside Clang's facts
// about the new one. Both come from the same compiler, so what differs was
// edited, whoever built the program. Nothing here knows the program.
//
// Functions and variables are matched by symbol, types by qualified name.
// Closures and types without a name have none that survives an edit: they are
// matched by layout and order, and if that leaves a doubt, the edit says so.

#include "Diff/Delta.h"
#include "Project/Includes.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <map>

using namespace hotjit;
using llvm::StringRef;

bool UnitDelta::empty() const {
  return Changed.empty() && Added.empty() && Removed.empty() &&
         ChangedVariables.empty() && AddedVariables.empty() &&
         RemovedVariables.empty() && ChangedTypes.empty() &&
         AddedTypes.empty() && ChangedEnums.empty() && !LambdasMoved &&
         !AssemblyChanged;
}

std::string hotjit::withoutPlaces(StringRef Text) {
  // "(unnamed struct at /src/a.c:3:5)", "(lambda at a.cpp:1:2)".
  std::string Result;
  for (size_t At; (At = Text.find(" at ")) != StringRef::npos;) {
    size_t Close = Text.find(')', At);
    bool InParentheses =
        Text.take_front(At).contains('(') && Close != StringRef::npos;
    Result += Text.take_front(InParentheses ? At : At + 4);
    Text = Text.drop_front(InParentheses ? Close : At + 4);
  }
  return Result + Text.str();
}

static bool sameText(StringRef A, StringRef B) {
  return A == B || withoutPlaces(A) == withoutPlaces(B);
}

static bool sameField(const TypeField &A, const TypeField &B) {
  return A.Name == B.Name && A.OffsetBits == B.OffsetBits &&
         A.SizeBits == B.SizeBits && A.BitField == B.BitField &&
         sameText(A.Type, B.Type);
}

/// A slot may get the body that it lacked: no object has the class that had
/// none.
static bool sameSlot(StringRef Old, StringRef New) {
  return Old == New || (Old.consume_front("pure ") && Old == New);
}

bool hotjit::sameLayout(const CompiledType &Old, const CompiledType &New) {
  return Old.Union == New.Union && Old.Size == New.Size &&
         Old.Align == New.Align && Old.Polymorphic == New.Polymorphic &&
         Old.TriviallyPassed == New.TriviallyPassed &&
         llvm::equal(Old.VirtualSlots, New.VirtualSlots, sameSlot) &&
         llvm::equal(Old.Bases, New.Bases, sameField) &&
         llvm::equal(Old.Fields, New.Fields, sameField);
}

bool hotjit::sameType(const CompiledVariable &Old,
                      const CompiledVariable &New) {
  return Old.Size == New.Size && Old.Align == New.Align &&
         Old.ThreadLocal == New.ThreadLocal && sameText(Old.Type, New.Type);
}

std::set<std::string> hotjit::initializersOf(const CompiledUnit &Unit) {
  std::set<std::string> Result;
  for (const CompiledVariable &V : Unit.Variables)
    if (!V.InitializerFunction.empty())
      Result.insert(V.InitializerFunction);
  // The frame around them, which has no variable of its own.
  for (const CompiledFunction &F : Unit.Functions)
    if (StringRef(F.Symbol).starts_with("_GLOBAL__") ||
        StringRef(F.Symbol).starts_with("__cxx_global_") ||
        isThreadInit(F.Symbol) || isThreadWrapper(F.Symbol))
      Result.insert(F.Symbol);
  return Result;
}

bool hotjit::isThreadInit(StringRef Symbol) {
  return Symbol == ThreadInitOfUnit || Symbol.starts_with("_ZTH");
}

bool hotjit::isThreadWrapper(StringRef Symbol) {
  return Symbol.starts_with("_ZTW");
}

bool hotjit::isInstantiation(const CompiledFunction &F) {
  StringRef S = F.Symbol, Name = F.Name;
  if (F.Linkage == SymbolLinkage::External ||
      Name.contains("(lambda)::operator()"))
    return false;
  return Name.contains('<') || Name.contains("(lambda)::") ||
         S.starts_with("_ZSt") || S.starts_with("_ZNSt") ||
         S.starts_with("_ZNKSt") || Name.starts_with("__gnu_cxx::") ||
         S == "__clang_call_terminate";
}

/// Symbols of constants with another value than before, and of constants that
/// name such a one: a function that reads one of them has changed with it.
static std::set<std::string> changedConstants(const CompiledUnit &Old,
                                              const CompiledUnit &New) {
  std::set<std::string> Changed;
  for (const CompiledVariable &V : New.Variables) {
    const CompiledVariable *Was = Old.findVariable(V.Symbol);
    if (Was && Was != &V && (V.Const || Was->Const) && !V.Unnamed &&
        (Was->Initializer != V.Initializer || !sameType(*Was, V)))
      Changed.insert(V.Symbol);
  }
  if (Changed.empty())
    return Changed;
  for (size_t Before = 0; Before != Changed.size();) {
    Before = Changed.size();
    for (const CompiledVariable &V : New.Variables)
      if (V.Const && llvm::any_of(V.References, [&](const std::string &R) {
            return Changed.contains(R);
          }))
        Changed.insert(V.Symbol);
  }
  return Changed;
}

static std::set<std::string> variablesWritten(const CompiledUnit &Unit) {
  std::set<std::string> Result;
  auto Add = [&](const std::string &Symbol) {
    const CompiledVariable *V = Unit.findVariable(Symbol);
    if (V && !V->Const && V->Linkage == SymbolLinkage::Internal)
      Result.insert(Symbol);
  };
  for (const CompiledFunction &F : Unit.Functions)
    llvm::for_each(F.Written, Add);
  // A pointer in data: who follows it, nobody knows.
  for (const CompiledVariable &V : Unit.Variables) {
    llvm::for_each(V.References, Add);
    if (V.Exposed)
      Add(V.Symbol);
  }
  return Result;
}

/// Whether F is another function than the static one of its name, Was: it is
/// called in another way, and who calls it stands in this text.
static bool isRedeclared(const CompiledFunction &Was, const CompiledFunction &F,
                         const CompiledUnit &Old, const CompiledUnit &New,
                         const std::set<std::string> &Initializers) {
  if (Was.Linkage != SymbolLinkage::Internal ||
      F.Linkage != SymbolLinkage::Internal ||
      sameText(Was.Signature, F.Signature) || Was.AddressTaken ||
      Was.Constructor || F.Constructor || isLambdaCode(F.Symbol))
    return false;
  auto IsAlias = [&](const CompiledFunction &Other) {
    return Other.AliasOf == F.Symbol ||
           (Other.Symbol == F.Symbol && !Other.AliasOf.empty());
  };
  // What has run already calls the old one, or its copy.
  auto Names = [&](const std::string &Initializer) {
    const CompiledFunction *User = New.findFunction(Initializer);
    return User && llvm::binary_search(User->Functions, F.Symbol);
  };
  return llvm::none_of(Old.Functions, IsAlias) &&
         llvm::none_of(New.Functions, IsAlias) &&
         llvm::none_of(Initializers, Names);
}

/// A static function that is called in another way is a new one: code that is
/// left in the old text goes on with the old one, and all who call it are
/// edited, also where their own text shows nothing of it.
static void findRedeclared(const CompiledUnit &Old, const CompiledUnit &New,
                           const std::set<std::string> &Initializers,
                           UnitDelta &Delta) {
  std::set<std::string> Found;
  for (const std::string &Symbol : Delta.Changed)
    if (isRedeclared(*Old.findFunction(Symbol), *New.findFunction(Symbol), Old,
                     New, Initializers))
      Found.insert(Symbol);
  for (const CompiledFunction &F : New.Functions)
    if (Old.findFunction(F.Symbol) &&
        llvm::any_of(F.Functions, [&](const std::string &Callee) {
          return Found.contains(Callee);
        }))
      Delta.Changed.insert(F.Symbol);
  for (const std::string &Symbol : Found) {
    Delta.Changed.erase(Symbol);
    Delta.Added.insert(Symbol);
  }
}

static void compareFunctions(const CompiledUnit &Old, const CompiledUnit &New,
                             UnitDelta &Delta) {
  std::set<std::string> Initializers = initializersOf(New);
  Initializers.merge(initializersOf(Old));
  Delta.ChangedConstants = changedConstants(Old, New);
  for (const CompiledFunction &F : New.Functions) {
    if (Initializers.contains(F.Symbol))
      continue;
    const CompiledFunction *Was = Old.findFunction(F.Symbol);
    if (Was == &F && Delta.ChangedConstants.empty())
      continue;
    if (!Was)
      Delta.Added.insert(F.Symbol);
    else if (Was->Body != F.Body || !sameText(Was->Signature, F.Signature) ||
             Was->Linkage != F.Linkage || Was->NoReturn != F.NoReturn ||
             llvm::any_of(F.Variables, [&](const std::string &V) {
               return Delta.ChangedConstants.contains(V);
             }))
      Delta.Changed.insert(F.Symbol);
  }
  for (const CompiledFunction &F : Old.Functions)
    if (!Initializers.contains(F.Symbol) && !New.findFunction(F.Symbol))
      Delta.Removed.insert(F.Symbol);
  findRedeclared(Old, New, Initializers, Delta);
}

static void compareVariables(const CompiledUnit &Old, const CompiledUnit &New,
                             UnitDelta &Delta) {
  for (const CompiledVariable &V : New.Variables) {
    if (V.Unnamed)
      continue;
    const CompiledVariable *Was = Old.findVariable(V.Symbol);
    if (Was == &V)
      continue;
    if (!Was)
      Delta.AddedVariables.push_back(&V);
    else if (!sameType(*Was, V) || Was->ThreadInit != V.ThreadInit ||
             Was->Initializer != V.Initializer || Was->Linkage != V.Linkage ||
             Was->Const != V.Const ||
             (V.Synthesized && Was->References != V.References))
      Delta.ChangedVariables.push_back({Was, &V});
  }
  bool InitChanged = llvm::any_of(Delta.ChangedVariables, [](auto Pair) {
    return !Pair.second->ThreadInit.empty() &&
           Pair.first->Initializer != Pair.second->Initializer;
  });
  if (InitChanged && Old.findFunction(ThreadInitOfUnit) &&
      New.findFunction(ThreadInitOfUnit))
    Delta.Changed.insert(ThreadInitOfUnit.str());
  for (const CompiledVariable &V : Old.Variables)
    if (!V.Unnamed && !New.findVariable(V.Symbol))
      Delta.RemovedVariables.push_back(&V);
  Delta.WrittenBefore = variablesWritten(Old);
  Delta.WrittenNow = variablesWritten(New);
  for (const std::string &Symbol : Delta.WrittenNow)
    if (!Delta.WrittenBefore.contains(Symbol) && Old.findVariable(Symbol))
      Delta.FirstWritten.push_back(New.findVariable(Symbol));
}

/// Those of All that Other does not share.
template <typename T>
static std::vector<const T *> notShared(const FactList<T> &All,
                                        const FactList<T> &Other) {
  llvm::DenseSet<const T *> Shared;
  for (const T &X : Other)
    Shared.insert(&X);
  std::vector<const T *> Result;
  for (const T &X : All)
    if (!Shared.contains(&X))
      Result.push_back(&X);
  return Result;
}

/// On one line the names tell, which end in the column: shorter is earlier.
template <typename T> static bool inOrderOfText(const T *A, const T *B) {
  size_t SizeOfA = A->Name.size(), SizeOfB = B->Name.size();
  return std::tie(A->Place.File, A->Place.Line, SizeOfA, A->Name) <
         std::tie(B->Place.File, B->Place.Line, SizeOfB, B->Name);
}

/// Closures in the order of the text: functions that contain them may move,
/// but then nothing tells which closure is which.
static std::vector<const CompiledType *> lambdas(const CompiledUnit &Unit) {
  std::vector<const CompiledType *> Result;
  for (const CompiledType &T : Unit.Types)
    if (T.Lambda)
      Result.push_back(&T);
  llvm::sort(Result, inOrderOfText<CompiledType>);
  return Result;
}

/// Clang numbers closures in the order in which it makes code for them (V-9):
/// the symbols must stand in the same order in both texts.
static std::vector<std::string> lambdaSymbols(const CompiledUnit &Unit) {
  std::vector<const CompiledFunction *> Code;
  for (const CompiledFunction &F : Unit.Functions)
    if (isLambdaCode(F.Symbol))
      Code.push_back(&F);
  llvm::sort(Code, [](const CompiledFunction *A, const CompiledFunction *B) {
    return std::tie(A->Place.File, A->Place.Line, A->Symbol) <
           std::tie(B->Place.File, B->Place.Line, B->Symbol);
  });
  std::vector<std::string> Symbols;
  for (const CompiledFunction *F : Code)
    Symbols.push_back(F->Symbol);
  return Symbols;
}

/// Whether All of the closures' code is in Other too, as it is here. What was
/// instantiated with a closure has its layout in its body. One without code has
/// no body that could be another.
static bool hasSameLambdas(const CompiledUnit &All, const CompiledUnit &Other) {
  return llvm::all_of(All.Functions, [&](const CompiledFunction &F) {
    if (!isLambdaCode(F.Symbol))
      return true;
    const CompiledFunction *Is = Other.findFunction(F.Symbol);
    return Is && Is->Body == F.Body && sameText(Is->Signature, F.Signature);
  });
}

/// Whether those of Old that are not in New may be forgotten. The name of
/// inline code leads to what the program has, whichever closure gets that name
/// next; but nobody edits a library's.
static bool mayGo(const CompiledUnit &Old, const CompiledUnit &New) {
  return llvm::all_of(Old.Functions, [&](const CompiledFunction &F) {
    return !isLambdaCode(F.Symbol) || New.findFunction(F.Symbol) ||
           F.Linkage == SymbolLinkage::Internal || isSystemFile(F.Place.File);
  });
}

/// Whether all code of closures is what it was, where it was.
static bool sharesLambdas(const CompiledUnit &Old, const CompiledUnit &New) {
  auto IsLambda = [](const CompiledFunction *F) {
    return isLambdaCode(F->Symbol);
  };
  return llvm::none_of(notShared(Old.Functions, New.Functions), IsLambda) &&
         llvm::none_of(notShared(New.Functions, Old.Functions), IsLambda);
}

static void compareLambdas(const CompiledUnit &Old, const CompiledUnit &New,
                           UnitDelta &Delta) {
  std::vector<const CompiledType *> Was = lambdas(Old), Now = lambdas(New);
  size_t Same = 0;
  while (Same < Was.size() && Same < Now.size() &&
         sameLayout(*Was[Same], *Now[Same]))
    ++Same;
  if (Same < Now.size())
    Delta.MovedLambda = Now[Same];
  else if (Same < Was.size())
    Delta.MovedLambda = Was[Same];
  Delta.LambdasMoved =
      Delta.MovedLambda ||
      (!sharesLambdas(Old, New) && lambdaSymbols(Old) != lambdaSymbols(New));
  if (!Delta.LambdasMoved)
    return;
  // Lambdas that were only added, or only taken out, behind the others or in
  // functions of their own: each of those that stay has the symbol and the body
  // that it had. Those inside a library's templates come and go with their use.
  bool IsSame = !Delta.MovedLambda;
  bool IsAdded =
      (IsSame || Was.size() < Now.size()) && hasSameLambdas(Old, New);
  bool IsRemoved = (IsSame || Was.size() > Now.size()) &&
                   hasSameLambdas(New, Old) && mayGo(Old, New);
  if (IsAdded || IsRemoved) {
    Delta.LambdasMoved = false;
    Delta.MovedLambda = nullptr;
  }
}

template <typename T>
using ByName = std::map<std::string, std::vector<const T *>>;

/// Those of All that Other does not share.
template <typename T>
static ByName<T> byName(const FactList<T> &All, const FactList<T> &Other) {
  ByName<T> Result;
  for (const T *X : notShared(All, Other))
    Result[withoutPlaces(X->Name)].push_back(X);
  return Result;
}

/// Pairs up the types (or enums) of one name, of which there are several only
/// if they are local or have no name: those that are equal belong together,
/// the rest in the order of the text.
template <typename T, typename SameFn>
static void matchUp(std::vector<const T *> Old, std::vector<const T *> New,
                    SameFn Same,
                    std::vector<std::pair<const T *, const T *>> &Changed,
                    std::vector<const T *> *Added) {
  std::erase_if(New, [&](const T *N) {
    auto It = llvm::find_if(Old, [&](const T *O) { return Same(*O, *N); });
    if (It == Old.end())
      return false;
    Old.erase(It);
    return true;
  });
  llvm::sort(Old, inOrderOfText<T>);
  llvm::sort(New, inOrderOfText<T>);
  for (size_t I = 0; I < New.size(); ++I) {
    if (I < Old.size())
      Changed.push_back({Old[I], New[I]});
    else if (Added)
      Added->push_back(New[I]);
  }
}

static void compareTypes(const CompiledUnit &Old, const CompiledUnit &New,
                         UnitDelta &Delta) {
  ByName<CompiledType> Before = byName(Old.Types, New.Types);
  for (auto &[Name, Types] : byName(New.Types, Old.Types)) {
    std::vector<const CompiledType *> Now = Types;
    std::vector<const CompiledType *> Was = Before[Name];
    auto IsLambda = [](const CompiledType *T) { return T->Lambda; };
    std::erase_if(Now, IsLambda);
    std::erase_if(Was, IsLambda);
    matchUp(Was, Now, sameLayout, Delta.ChangedTypes, &Delta.AddedTypes);
  }
}

/// Enumerators may be added; those that were there keep their value.
static bool keepsValues(const CompiledEnum &Old, const CompiledEnum &New) {
  return sameText(Old.Underlying, New.Underlying) &&
         llvm::all_of(Old.Values, [&](const auto &Value) {
           return llvm::is_contained(New.Values, Value);
         });
}

static void compareEnums(const CompiledUnit &Old, const CompiledUnit &New,
                         UnitDelta &Delta) {
  ByName<CompiledEnum> Before = byName(Old.Enums, New.Enums);
  for (auto &[Name, Enums] : byName(New.Enums, Old.Enums)) {
    // No variable has the type of an enum without a name: its values are
    // constants like macros, and who uses them has another body.
    if (Name.empty() || StringRef(Name).contains("(unnamed") ||
        StringRef(Name).contains("(anonymous enum"))
      continue;
    matchUp(Before[Name], Enums, keepsValues, Delta.ChangedEnums,
            static_cast<std::vector<const CompiledEnum *> *>(nullptr));
  }
}

UnitDelta hotjit::compareTexts(const CompiledUnit &Old,
                               const CompiledUnit &New) {
  UnitDelta Delta;
  compareFunctions(Old, New, Delta);
  compareVariables(Old, New, Delta);
  compareTypes(Old, New, Delta);
  compareEnums(Old, New, Delta);
  compareLambdas(Old, New, Delta);
  Delta.AssemblyChanged = Old.FileAssembly != New.FileAssembly;
  return Delta;
}
