#ifndef HOTJIT_TEST_FAKEPROGRAM_H
#define HOTJIT_TEST_FAKEPROGRAM_H

#include "Diff/ProgramView.h"
#include "ErrorMatchers.h"
#include "PlanText.h"
#include <deque>
#include <map>

namespace hotjit::test {

/// A program written down by hand.
class FakeProgram final : public ProgramView {
public:
  struct Module {
    std::map<std::string, std::vector<const ImageFunction *>> Functions;
    std::map<std::string, ProgramAddr> Symbols;
    std::map<std::string, std::vector<ImageSymbol>> Data;
    std::map<std::string, std::vector<ImageThreadLocal>> ThreadLocals;
  };

  FakeProgram() {
    Modules.emplace_back().Path = "/bin/app";
    Tables.emplace_back();
  }

  size_t addModule(std::string Path) {
    Modules.emplace_back().Path = std::move(Path);
    Tables.emplace_back();
    return Modules.size() - 1;
  }
  ImageUnit &addUnit(std::string Path, size_t InModule = 0) {
    ImageUnit &U = Units.emplace_back();
    U.Path = std::move(Path);
    U.By = Producer::Clang;
    U.Module = InModule;
    U.Index = Units.size() - 1;
    DetailsOf.emplace_back();
    return U;
  }
  UnitDetails &of(const ImageUnit &U) { return DetailsOf[U.Index]; }

  /// A function with code, in the symbol table and in U's debug info.
  ImageFunction &addFunction(const ImageUnit &U, std::string Symbol,
                             bool Local = false) {
    ImageFunction F;
    F.Symbol = F.Name = std::move(Symbol);
    F.Entry = ProgramAddr(NextAddress += 0x100);
    F.Size = 0x40;
    F.Local = Local;
    of(U).Functions.push_back(F);
    ImageFunction &Kept = Functions.emplace_back(F);
    Tables[U.Module].Functions[F.Symbol].push_back(&Kept);
    if (!Local)
      Tables[U.Module].Symbols[F.Symbol] = F.Entry;
    return of(U).Functions.back();
  }
  /// A writable variable of four bytes at an address of its own.
  ImageVariable &addVariable(const ImageUnit &U, std::string Symbol) {
    ImageVariable V;
    V.Symbol = V.Name = std::move(Symbol);
    V.Storage = StorageKind::Address;
    V.Address = ProgramAddr(NextAddress += 0x100);
    V.Size = V.TypeSize = 4;
    V.Writable = true;
    of(U).Variables.push_back(V);
    return of(U).Variables.back();
  }

  const std::deque<ImageModule> &modules() const override { return Modules; }
  const std::deque<ImageUnit> &units() const override { return Units; }
  llvm::Expected<const UnitDetails *>
  details(const ImageUnit &U) const override {
    ++DetailsRead;
    return &DetailsOf[U.Index];
  }
  std::optional<ProgramAddr> findSymbol(size_t M,
                                        llvm::StringRef S) const override {
    auto It = Tables[M].Symbols.find(S.str());
    if (It == Tables[M].Symbols.end())
      return std::nullopt;
    return It->second;
  }
  std::vector<const ImageFunction *>
  findFunctions(size_t M, llvm::StringRef S) const override {
    auto It = Tables[M].Functions.find(S.str());
    return It == Tables[M].Functions.end()
               ? std::vector<const ImageFunction *>()
               : It->second;
  }
  bool hasLocalSymbols(size_t) const override { return HasLocalSymbols; }
  std::vector<ImageSymbol> findData(size_t M,
                                    llvm::StringRef S) const override {
    auto It = Tables[M].Data.find(S.str());
    return It == Tables[M].Data.end() ? std::vector<ImageSymbol>() : It->second;
  }
  std::vector<ImageThreadLocal>
  findThreadLocals(size_t M, llvm::StringRef S) const override {
    auto It = Tables[M].ThreadLocals.find(S.str());
    return It == Tables[M].ThreadLocals.end() ? std::vector<ImageThreadLocal>()
                                              : It->second;
  }

  llvm::ArrayRef<uint8_t> fileBytes(ProgramAddr A,
                                    uint64_t Size) const override {
    auto It = Code.find(A);
    if (It == Code.end() || It->second.size() < Size)
      return {};
    return llvm::ArrayRef(It->second).take_front(Size);
  }

  std::map<ProgramAddr, std::vector<uint8_t>> Code;
  std::deque<ImageModule> Modules;
  std::deque<ImageUnit> Units;
  std::deque<UnitDetails> DetailsOf;
  std::deque<Module> Tables;
  std::deque<ImageFunction> Functions;
  mutable size_t DetailsRead = 0;
  bool HasLocalSymbols = false;

private:
  uint64_t NextAddress = 0x10000;
};

/// What functions and variables of a text are made of, unless a test says
/// otherwise.
inline CompiledFunction function(std::string Symbol, std::string Body,
                                 std::vector<std::string> Calls = {},
                                 std::vector<std::string> Variables = {}) {
  CompiledFunction F;
  F.Symbol = F.Name = std::move(Symbol);
  F.Place = {"/src/a.c", 1};
  F.Body = hashBytes(Body);
  F.Signature = "void ()";
  F.Functions = std::move(Calls);
  F.Variables = std::move(Variables);
  return F;
}

inline CompiledVariable variable(std::string Symbol, std::string Value = "0") {
  CompiledVariable V;
  V.Symbol = V.Name = V.QualifiedName = std::move(Symbol);
  V.Place = {"/src/a.c", 1};
  V.Type = "int";
  V.Size = V.Align = 4;
  V.Initializer = hashBytes(Value);
  return V;
}

/// One unit, its program, and an edit of it: fill Old (by hand), then New.
struct Scene {
  FakeProgram Program;
  Adopted Earlier;
  ImageUnit *Built = nullptr;
  CompiledUnit Old, New;

  explicit Scene(std::string Path = "/src/a.c") {
    Old.Path = New.Path = Path;
    Built = &Program.addUnit(Path);
  }

  /// Compiled units keep their facts sorted by symbol and name.
  static void sort(CompiledUnit &U) {
    auto BySymbol = [](const auto &A, const auto &B) {
      return A.Symbol < B.Symbol;
    };
    auto ByName = [](const auto &A, const auto &B) { return A.Name < B.Name; };
    U.Functions.sort(BySymbol);
    U.Variables.sort(BySymbol);
    U.Types.sort(ByName);
    U.Enums.sort(ByName);
  }

  PlanOrRefusal decide() {
    sort(Old);
    sort(New);
    UnitChange Change{&Old, &New, Built};
    llvm::Expected<PlanOrRefusal> Decision = diff(Change, Program, Earlier);
    if (!Decision) {
      ADD_FAILURE() << llvm::toString(Decision.takeError());
      return Refusal();
    }
    return std::move(*Decision);
  }
  /// The plan; fails the test if there is a refusal.
  Plan plan() {
    PlanOrRefusal Decision = decide();
    if (auto *P = std::get_if<Plan>(&Decision))
      return std::move(*P);
    ADD_FAILURE() << "refused:\n" << planText(Decision);
    return {};
  }
  /// Codes and names of what was refused ("HJ1402 Widget"); fails the test if
  /// there is a plan.
  std::vector<std::string> refused() {
    PlanOrRefusal Decision = decide();
    auto *R = std::get_if<Refusal>(&Decision);
    if (!R) {
      ADD_FAILURE() << "not refused:\n" << planText(Decision);
      return {};
    }
    std::vector<std::string> Result;
    for (const Verdict &V : R->Verdicts)
      if (V.Kind == VerdictKind::Refused)
        Result.push_back(codeOf(*V.Code) + " " + V.Name);
    return Result;
  }
  std::string text() { return planText(decide()); }
};

/// The planned function (variable) of P; fails the test if there is none.
inline PlannedFunction plannedFunction(const Plan &P, llvm::StringRef Symbol) {
  for (const PlannedUnit &U : P.Units)
    for (const PlannedFunction &F : U.Functions)
      if (F.Symbol == Symbol)
        return F;
  ADD_FAILURE() << "no code is planned for " << Symbol.str();
  return {};
}
inline PlannedVariable plannedVariable(const Plan &P, llvm::StringRef Symbol) {
  for (const PlannedUnit &U : P.Units)
    for (const PlannedVariable &V : U.Variables)
      if (V.Symbol == Symbol)
        return V;
  ADD_FAILURE() << "no place is planned for " << Symbol.str();
  return {};
}

} // namespace hotjit::test

#endif
