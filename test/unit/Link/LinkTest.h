#ifndef HOTJIT_TEST_UNIT_LINK_LINKTEST_H
#define HOTJIT_TEST_UNIT_LINK_LINKTEST_H

#include "Image/Image.h"
#include "Link/Linker.h"
#include "Program.h"
#include "Support/FileSystem.h"
#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/TargetParser/Host.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <deque>

namespace hotjit {

template <typename T> ProgramAddr addressOf(T *P) {
  return ProgramAddr(reinterpret_cast<uint64_t>(P));
}

/// Stages units written as LLVM IR and runs the result in this process.
class LinkTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    if (Program)
      return;
    static RealFileSystem Disk;
    auto Found = Image::ofThisProcess(Disk, {});
    ASSERT_TRUE(static_cast<bool>(Found)) << toString(Found.takeError());
    Program = std::move(*Found);
  }

  void SetUp() override { makeLinker(); }

  void makeLinker() {
    auto Made = Linker::create(*Program, TheLog);
    ASSERT_TRUE(static_cast<bool>(Made)) << toString(Made.takeError());
    TheLinker = std::move(*Made);
  }

  static size_t executable() {
    for (size_t I = 0; I != Program->modules().size(); ++I)
      if (Program->modules()[I].Executable)
        return I;
    return ~size_t(0);
  }

  /// Adds a unit to the plan. The reference stays good.
  PlannedUnit &addUnit(Plan &P, llvm::StringRef IR,
                       llvm::StringRef Path = "/unit.c") {
    CompiledUnit &Unit = Units.emplace_back();
    Unit.Path = Path.str();
    Unit.Settings.Triple = llvm::sys::getProcessTriple();
    Unit.Code.Context = std::make_unique<llvm::LLVMContext>();
    llvm::SMDiagnostic Problem;
    Unit.Code.Module =
        llvm::parseAssemblyString(IR, Problem, *Unit.Code.Context);
    EXPECT_TRUE(Unit.Code.Module)
        << Problem.getLineNo() << ": " << Problem.getMessage().str();
    P.Units.reserve(8); // so that references to earlier ones stay good
    P.Units.push_back({});
    P.Units.back().New = &Unit;
    P.Units.back().Module = executable();
    return P.Units.back();
  }

  static void replace(PlannedUnit &U, std::string Symbol, ProgramAddr Entry) {
    PlannedFunction F;
    F.Symbol = std::move(Symbol);
    F.Entry = Entry;
    U.Functions.push_back(F);
  }
  static void add(PlannedUnit &U, std::string Symbol,
                  PlannedFunction::Action What) {
    PlannedFunction F;
    F.Symbol = std::move(Symbol);
    F.What = What;
    U.Functions.push_back(F);
  }
  static PlannedVariable &place(PlannedUnit &U, std::string Symbol,
                                PlannedVariable::Action What,
                                ProgramAddr Address = {}) {
    PlannedVariable V;
    V.Symbol = std::move(Symbol);
    V.What = What;
    V.Address = Address;
    U.Variables.push_back(V);
    return U.Variables.back();
  }

  /// Stages and keeps: a test's code may run until the test program ends.
  StagedGeneration stage(Plan &P, const Identities &Added = {}) {
    auto Staged = TheLinker->stage(P, Added);
    if (!Staged) {
      ADD_FAILURE() << toString(Staged.takeError());
      return {};
    }
    Staged->keep();
    return std::move(*Staged);
  }
  std::string stageError(Plan &P, const Identities &Added = {}) {
    auto Staged = TheLinker->stage(P, Added);
    if (!Staged)
      return toString(Staged.takeError());
    Staged->abandon();
    return "no error";
  }

  template <typename Function>
  static Function *targetOf(const StagedGeneration &G, llvm::StringRef Symbol) {
    for (const StagedFunction &F : G.Functions)
      if (F.Symbol == Symbol)
        return reinterpret_cast<Function *>(F.Target.value());
    ADD_FAILURE() << Symbol.str() << " was not staged";
    return nullptr;
  }

  static inline std::unique_ptr<Image> Program;
  Log TheLog{2, LogLevel::Warning};
  std::deque<CompiledUnit> Units;
  std::unique_ptr<Linker> TheLinker;
};

constexpr auto PrivateCopy = PlannedFunction::Action::PrivateCopy;
constexpr auto Add = PlannedFunction::Action::Add;
constexpr auto Bind = PlannedVariable::Action::Bind;
constexpr auto BindThreadLocal = PlannedVariable::Action::BindThreadLocal;
constexpr auto Create = PlannedVariable::Action::Create;
constexpr auto Copy = PlannedVariable::Action::Copy;

} // namespace hotjit

#endif
