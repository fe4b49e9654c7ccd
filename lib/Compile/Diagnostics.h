#ifndef HOTJIT_COMPILE_DIAGNOSTICS_H
#define HOTJIT_COMPILE_DIAGNOSTICS_H

#include "Compile/Compiler.h"
#include "Compile/SnapshotFileSystem.h"
#include "clang/Basic/Diagnostic.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Frontend/TextDiagnosticPrinter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// Where Loc stands in a file (in a macro: where it is expanded). #line is not
/// looked at: an editor shows files as they are. Empty if Loc is invalid.
SourcePlace placeOf(clang::SourceLocation Loc, const clang::SourceManager &SM,
                    SnapshotFileSystem &Files);

/// The messages of one compile, as values and as clang prints them.
class DiagnosticCollector final : public clang::DiagnosticConsumer {
public:
  DiagnosticCollector(clang::DiagnosticOptions &Options,
                      SnapshotFileSystem &Files);

  void BeginSourceFile(const clang::LangOptions &Language,
                       const clang::Preprocessor *PP) override;
  void EndSourceFile() override;
  void HandleDiagnostic(clang::DiagnosticsEngine::Level Level,
                        const clang::Diagnostic &Info) override;

  std::vector<Diagnostic> Items;
  std::string Rendered;

  /// If not empty: only messages about these parts of one file are kept.
  std::vector<BodyText> Within;
  std::string WithinFile; ///< real path
  /// The build's compiler is another one: what only Clang warns of in headers
  /// is not kept.
  bool WarnsOfMainFileOnly = false;
  bool ErrorElsewhere = false; ///< an error was not kept

private:
  void setEnd(Diagnostic &D, const clang::Diagnostic &Info) const;
  bool isWithin(const clang::Diagnostic &Info) const;
  bool isForeign(clang::DiagnosticsEngine::Level Level,
                 const clang::Diagnostic &Info) const;

  SnapshotFileSystem &Files;
  const clang::LangOptions *Language = nullptr;
  bool KeepsNotes = true; ///< of the last message that is no note
  llvm::raw_string_ostream Stream;
  clang::TextDiagnosticPrinter Printer;
};

} // namespace hotjit

#endif
