#ifndef HOTJIT_TEST_COMPILE_PARTIALFIXTURE_H
#define HOTJIT_TEST_COMPILE_PARTIALFIXTURE_H

// A unit of which only the edited bodies were compiled must be the unit that a
// whole compile makes, or be refused.

#include "Compile/Agreement.h"
#include "CompileInMemory.h"

namespace hotjit::test {

struct Outcome {
  std::unique_ptr<CompiledUnit> Partial; ///< null if refused or in error
  std::string Why;                       ///< refused
  std::string Rendered;
  std::vector<std::string> Code; ///< functions that it has code for
};

inline std::vector<std::string> codeOf(const CompiledUnit &Unit) {
  std::vector<std::string> All;
  for (const CompiledFunction &F : Unit.Functions)
    All.push_back(F.Symbol);
  std::vector<std::string> Missing = Unit.withoutCode(All);
  std::vector<std::string> Result;
  for (const std::string &Symbol : All)
    if (std::find(Missing.begin(), Missing.end(), Symbol) == Missing.end())
      Result.push_back(Symbol);
  return Result;
}

/// Compiles the bodies that make Old to New, from the beginning and from a head
/// start; what comes out must agree with the whole of New.
class Partial : public ::testing::Test {
protected:
  explicit Partial(CompilerProtection Protection = {})
      : TheCompiler(std::move(Protection)) {}

  Outcome edit(const std::string &Path, SourceFiles Old, SourceFiles New,
               const Flags &Options = {}, std::set<std::string> Needed = {}) {
    TextSnapshot Before = snapshotOf(Old), After = snapshotOf(New);
    TranslationUnit Unit = unitAt(Path, Options);
    llvm::Expected<CompileResult> Whole = TheCompiler.learn(Unit, Before);
    Outcome Result;
    if (!Whole || !Whole->Unit) {
      ADD_FAILURE() << (Whole ? Whole->Rendered
                              : llvm::toString(Whole.takeError()));
      return Result;
    }
    Live = std::move(Whole->Unit);
    Compiled.know(*Live);
    return again(Unit, Before, After, std::move(Needed));
  }

  Outcome again(const TranslationUnit &Unit, const TextSnapshot &Before,
                const TextSnapshot &After, std::set<std::string> Needed = {}) {
    if (Warm)
      TheCompiler.warm(Unit, Before);
    Outcome First = compileBodies(Unit, Before, After, Needed);
    TheCompiler.warm(Unit, Before, Live);
    TheCompiler.begin(Unit, Before, Live);
    Outcome Second = compileBodies(Unit, Before, After, Needed);
    EXPECT_EQ(First.Why, Second.Why);
    EXPECT_EQ(First.Rendered, Second.Rendered);
    EXPECT_EQ(First.Code, Second.Code);
    return Second;
  }

  Outcome compileBodies(const TranslationUnit &Unit, const TextSnapshot &Before,
                        const TextSnapshot &After,
                        std::set<std::string> Needed) {
    Outcome Result;
    auto Made = TheCompiler.compileBodies(
        Unit, After, {*Live, Before, std::move(Needed), Header}, Result.Why);
    if (!Made) {
      ADD_FAILURE() << llvm::toString(Made.takeError());
      return Result;
    }
    if (!*Made)
      return Result;
    Result.Rendered = (*Made)->Rendered;
    Result.Partial = std::move((*Made)->Unit);
    if (!Result.Partial)
      return Result;
    Result.Code = codeOf(*Result.Partial);
    llvm::Expected<CompileResult> Whole = TheCompiler.compile(Unit, After);
    if (!Whole || !Whole->Unit) {
      ADD_FAILURE() << (Whole ? Whole->Rendered
                              : llvm::toString(Whole.takeError()));
      return Result;
    }
    EXPECT_EQ(Compiled.disagreement(*Whole->Unit, *Result.Partial), "");
    return Result;
  }

  Outcome editC(const std::string &Old, const std::string &New,
                const Flags &Options = {}, std::set<std::string> Needed = {}) {
    return edit("/src/a.c", {{"/src/a.c", Old}}, {{"/src/a.c", New}}, Options,
                std::move(Needed));
  }
  Outcome editCXX(const std::string &Old, const std::string &New,
                  const Flags &Options = {}) {
    return edit("/src/a.cpp", {{"/src/a.cpp", Old}}, {{"/src/a.cpp", New}},
                Options);
  }

  Compiler TheCompiler;
  Agreement Compiled;
  std::shared_ptr<CompiledUnit> Live;
  bool Warm = true;
  std::string Header; ///< the edited file, if not the unit's own
};

inline std::string with(std::string Text, const std::string &From,
                        const std::string &To) {
  size_t At = Text.find(From);
  EXPECT_NE(At, std::string::npos);
  return Text.replace(At, From.size(), To);
}

} // namespace hotjit::test

#endif
