// Functions and variables of a unit are asked for by symbol, thousands of times
// in a comparison of two units: they are sorted by it.

#include "Compile/CompiledUnit.h"
#include "llvm/Demangle/Demangle.h"
#include <algorithm>

using namespace hotjit;

template <typename T>
static const T *findSorted(const FactList<T> &All, llvm::StringRef Symbol) {
  auto It = llvm::lower_bound(
      All, Symbol, [](const T &X, llvm::StringRef S) { return X.Symbol < S; });
  return It != All.end() && It->Symbol == Symbol ? &*It : nullptr;
}

std::string CompiledFunction::displayName() const {
  // Nobody knows a closure by the number that its symbol has.
  static constexpr llvm::StringRef CallOperator = "(lambda)::operator()";
  llvm::StringRef Scope = Name;
  if (size_t At = Scope.rfind(CallOperator); At != llvm::StringRef::npos) {
    Scope = Scope.take_front(At);
    Scope.consume_back("::");
    return Scope.empty() ? "lambda" : "lambda in " + Scope.str();
  }
  return llvm::StringRef(Symbol).starts_with("_Z") ? llvm::demangle(Symbol)
                                                   : Name;
}

bool hotjit::isLambdaCode(llvm::StringRef Symbol) {
  if (!Symbol.starts_with("_Z"))
    return false;
  if (Symbol.contains("$_"))
    return true;
  // Closures of inline functions have a number of their own: "UlvE_".
  return Symbol.contains("Ul") &&
         llvm::StringRef(llvm::demangle(Symbol)).contains("'lambda");
}

const CompiledFunction *
CompiledUnit::findFunction(llvm::StringRef Symbol) const {
  return findSorted(Functions, Symbol);
}

const CompiledVariable *
CompiledUnit::findVariable(llvm::StringRef Symbol) const {
  return findSorted(Variables, Symbol);
}

const UnitText *CompiledUnit::textOf(llvm::StringRef File) const {
  if (File == Path)
    return &Text;
  auto It = Headers.find(File.str());
  return It == Headers.end() ? nullptr : It->second.get();
}

CompiledUnit CompiledUnit::facts() const {
  CompiledUnit Copy;
  Copy.Path = Path;
  Copy.Name = Name;
  Copy.Functions = Functions;
  Copy.Variables = Variables;
  Copy.Types = Types;
  Copy.Enums = Enums;
  Copy.Files = Files;
  Copy.Settings = Settings;
  Copy.FileAssembly = FileAssembly;
  Copy.Text = Text;
  Copy.Headers = Headers;
  Copy.Taken = Taken;
  return Copy;
}

std::vector<std::string>
CompiledUnit::withoutCode(llvm::ArrayRef<std::string> Symbols) const {
  std::vector<std::string> Missing;
  for (const std::string &Symbol : Symbols) {
    const llvm::GlobalValue *V =
        Code.Module ? Code.Module->getNamedValue(Symbol) : nullptr;
    if (!V || V->isDeclaration())
      Missing.push_back(Symbol);
  }
  return Missing;
}
