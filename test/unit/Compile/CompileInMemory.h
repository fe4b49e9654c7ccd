#ifndef HOTJIT_TEST_COMPILE_COMPILEINMEMORY_H
#define HOTJIT_TEST_COMPILE_COMPILEINMEMORY_H

// Compiles texts that are on no disk. The folder /src does not exist.

#include "Compile/Compiler.h"
#include "ErrorMatchers.h"

#include <map>
#include <string>
#include <vector>

namespace hotjit::test {

using SourceFiles = std::map<std::string, std::string>; // by path
using Flags = std::vector<std::string>;

inline TextSnapshot snapshotOf(const SourceFiles &Files) {
  TextSnapshot Result;
  for (const auto &[Path, Text] : Files)
    Result = Result.with(Path, SourceText::create(Text));
  return Result;
}

/// The command that compiles Path, which runs in /src.
inline TranslationUnit unitAt(const std::string &Path, const Flags &Options) {
  bool IsC = llvm::StringRef(Path).ends_with(".c");
  TranslationUnit Unit;
  Unit.Path = Path;
  Unit.Directory = "/src";
  Unit.Arguments = {IsC ? "clang" : "clang++", "-fPIC"};
  Unit.Arguments.insert(Unit.Arguments.end(), Options.begin(), Options.end());
  Unit.Arguments.push_back(Path);
  return Unit;
}

/// The unit, or null with a failure that shows what the compiler said.
inline std::unique_ptr<CompiledUnit> compileFile(const std::string &Path,
                                                 const SourceFiles &Files,
                                                 const Flags &Options = {}) {
  llvm::Expected<CompileResult> Result =
      Compiler().compile(unitAt(Path, Options), snapshotOf(Files));
  if (!Result) {
    ADD_FAILURE() << llvm::toString(Result.takeError());
    return nullptr;
  }
  if (!Result->Unit)
    ADD_FAILURE() << Result->Rendered;
  return std::move(Result->Unit);
}

inline std::unique_ptr<CompiledUnit> compileC(const std::string &Text,
                                              const Flags &Options = {}) {
  return compileFile("/src/a.c", {{"/src/a.c", Text}}, Options);
}

inline std::unique_ptr<CompiledUnit> compileCXX(const std::string &Text,
                                                const Flags &Options = {}) {
  return compileFile("/src/a.cpp", {{"/src/a.cpp", Text}}, Options);
}

} // namespace hotjit::test

#endif
