// Clang's messages, twice: as the text that users know from their terminal,
// and as ranges in files that an editor can underline. Clang highlights with a
// point and any number of ranges, an editor with one range: from the point to
// the end of the range that holds it, or of the token that it stands on.

#include "Compile/Diagnostics.h"
#include "clang/Lex/Lexer.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;

SourcePlace hotjit::placeOf(clang::SourceLocation Loc,
                            const clang::SourceManager &SM,
                            SnapshotFileSystem &Files) {
  SourcePlace Place;
  if (Loc.isInvalid())
    return Place;
  auto [File, Offset] = SM.getDecomposedExpansionLoc(Loc);
  clang::OptionalFileEntryRef Entry = SM.getFileEntryRefForID(File);
  if (!Entry)
    return Place; // "<built-in>", "<command line>"
  Place.File = Files.realPath(Entry->getName());
  Place.Line = SM.getLineNumber(File, Offset);
  return Place;
}

DiagnosticCollector::DiagnosticCollector(clang::DiagnosticOptions &Options,
                                         SnapshotFileSystem &Files)
    : Files(Files), Stream(Rendered), Printer(Stream, Options) {}

void DiagnosticCollector::BeginSourceFile(const clang::LangOptions &L,
                                          const clang::Preprocessor *PP) {
  Language = &L;
  Printer.BeginSourceFile(L, PP);
}

void DiagnosticCollector::EndSourceFile() {
  Printer.EndSourceFile();
  Language = nullptr;
}

void DiagnosticCollector::setEnd(Diagnostic &D,
                                 const clang::Diagnostic &Info) const {
  const clang::SourceManager &SM = Info.getSourceManager();
  auto [File, Start] = SM.getDecomposedExpansionLoc(Info.getLocation());
  clang::SourceLocation Begin = SM.getExpansionLoc(Info.getLocation());
  unsigned End = Start + clang::Lexer::MeasureTokenLength(Begin, SM, *Language);
  for (const clang::CharSourceRange &R : Info.getRanges()) {
    clang::CharSourceRange InFile =
        clang::Lexer::makeFileCharRange(R, SM, *Language);
    if (InFile.isInvalid())
      continue;
    auto [RangeFile, RangeBegin] = SM.getDecomposedLoc(InFile.getBegin());
    unsigned RangeEnd = SM.getFileOffset(InFile.getEnd());
    if (RangeFile == File && RangeBegin <= Start && RangeEnd > End)
      End = RangeEnd;
  }
  D.EndLine = SM.getLineNumber(File, End);
  D.EndColumn = SM.getColumnNumber(File, End);
}

bool DiagnosticCollector::isWithin(const clang::Diagnostic &Info) const {
  if (Within.empty())
    return true;
  if (!Info.hasSourceManager() || Info.getLocation().isInvalid())
    return false;
  const clang::SourceManager &SM = Info.getSourceManager();
  auto [File, Offset] = SM.getDecomposedExpansionLoc(Info.getLocation());
  // An error may show only at what follows the body.
  return llvm::any_of(Within,
                      [Offset = Offset](const BodyText &B) {
                        return B.Begin <= Offset && Offset <= B.End;
                      }) &&
         placeOf(Info.getLocation(), SM, Files).File == WithinFile;
}

bool DiagnosticCollector::isForeign(clang::DiagnosticsEngine::Level Level,
                                    const clang::Diagnostic &Info) const {
  if (!WarnsOfMainFileOnly || Level != clang::DiagnosticsEngine::Warning ||
      !Info.hasSourceManager() || Info.getLocation().isInvalid())
    return false;
  const clang::SourceManager &SM = Info.getSourceManager();
  return SM.getFileID(SM.getExpansionLoc(Info.getLocation())) !=
         SM.getMainFileID();
}

void DiagnosticCollector::HandleDiagnostic(
    clang::DiagnosticsEngine::Level Level, const clang::Diagnostic &Info) {
  DiagnosticConsumer::HandleDiagnostic(Level, Info);
  if (Level <= clang::DiagnosticsEngine::Remark &&
      Level != clang::DiagnosticsEngine::Note)
    return;
  if (Level != clang::DiagnosticsEngine::Note)
    KeepsNotes = isWithin(Info) && !isForeign(Level, Info);
  if (!KeepsNotes) {
    ErrorElsewhere |= Level >= clang::DiagnosticsEngine::Error;
    return;
  }
  Printer.HandleDiagnostic(Level, Info);

  Diagnostic D;
  D.Level = Level == clang::DiagnosticsEngine::Note      ? Severity::Note
            : Level == clang::DiagnosticsEngine::Warning ? Severity::Warning
                                                         : Severity::Error;
  llvm::SmallString<128> Message;
  Info.FormatDiagnostic(Message);
  D.Message = Message.str().str();
  llvm::StringRef Option =
      Info.getDiags()->getDiagnosticIDs()->getWarningOptionForDiag(
          Info.getID());
  if (!Option.empty())
    D.Flag = ("-W" + Option).str();
  if (Info.hasSourceManager() && Info.getLocation().isValid() && Language) {
    const clang::SourceManager &SM = Info.getSourceManager();
    D.Place = placeOf(Info.getLocation(), SM, Files);
    D.Column = SM.getExpansionColumnNumber(Info.getLocation());
    setEnd(D, Info);
  }
  Items.push_back(std::move(D));
}
