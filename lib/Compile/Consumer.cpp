// Stands between Clang's parser and Clang's code generator. Passes everything
// on, and: ends the parse when it is no longer wanted, remembers which classes
// were defined, measures, and asks for the facts at the one moment when the
// whole AST and the whole module exist.

#include "Compile/Consumer.h"
#include "Compile/CodeFacts.h"
#include "Compile/Fingerprint.h"
#include "Compile/PartialConsumer.h"
#include "clang/AST/ASTContext.h"
#include "clang/Frontend/CompilerInstance.h"

using namespace hotjit;

UnitConsumer::UnitConsumer(UnitRun &Run, clang::CompilerInstance &Instance,
                           llvm::StringRef File)
    : Run(Run), Code(clang::CreateLLVMCodeGen(Instance, File, Run.Context)),
      Preprocessor(Instance.getPreprocessor()),
      Diagnostics(Instance.getDiagnostics()) {
  if (Run.ByGCC)
    Numbers.emplace(Instance);
}

void UnitConsumer::HandleTranslationUnit(clang::ASTContext &Context) {
  if (isCancelled())
    return;
  Stopwatch S = watch();
  Code->HandleTranslationUnit(Context);
  // The generator itself may find errors: a symbol defined twice.
  if (Diagnostics.hasErrorOccurred() || !Code->GetModule() || isCancelled())
    return;
  llvm::Module &M = *Code->GetModule();
  renumberStaticLocals(M);
  Fingerprinter Prints(M);
  collectCodeFacts(M, Prints, /*Known=*/nullptr, Run.Unit);
  UnitDecls Decls{Context, *Code, Run.Files};
  llvm::StringSet<> MayInitialize = addDeclFacts(Decls, Run.Unit, Tags);
  assignInitializers(M, MayInitialize, Prints, Run.Unit);
  assignThreadInits(M, Run.Unit);
  collectTypeFacts(Decls, Tags, Run.Unit);
  collectTexts(Context, *Code, Run.Files, Run.Lines, Run.Unit);
  Run.Unit.Text.Counter = Preprocessor.getCounterValue();
  takeModule();
}

/// The generator refers to the module's context, which may be used on another
/// thread before this run is torn down.
void UnitConsumer::takeModule() {
  Run.Module = Code->ReleaseModule();
  Code.reset();
}

namespace {

/// Which files are entered, and where in them __LINE__ is written into the
/// code.
class LineWatch final : public clang::PPCallbacks {
public:
  LineWatch(clang::Preprocessor &P, LineUses &Lines)
      : SM(P.getSourceManager()), Line(P.getIdentifierInfo("__LINE__")),
        Lines(Lines) {}

  void FileChanged(clang::SourceLocation Loc, FileChangeReason Reason,
                   clang::SrcMgr::CharacteristicKind, clang::FileID) override {
    if (Reason == EnterFile)
      Lines.try_emplace(SM.getFileID(Loc));
  }
  void MacroExpands(const clang::Token &Name, const clang::MacroDefinition &,
                    clang::SourceRange Range,
                    const clang::MacroArgs *) override {
    if (Name.getIdentifierInfo() != Line)
      return;
    auto [File, Offset] = SM.getDecomposedExpansionLoc(Range.getBegin());
    std::vector<uint32_t> &Uses = Lines[File];
    if (Uses.empty() || Uses.back() < Offset)
      Uses.push_back(Offset);
  }

private:
  const clang::SourceManager &SM;
  const clang::IdentifierInfo *Line;
  LineUses &Lines;
};

} // namespace

std::unique_ptr<clang::ASTConsumer>
CompileAction::CreateASTConsumer(clang::CompilerInstance &Instance,
                                 llvm::StringRef File) {
  clang::Preprocessor &P = Instance.getPreprocessor();
  P.addPPCallbacks(std::make_unique<LineWatch>(P, Run.Lines));
  P.setTokenWatcher([&Text = Run.Unit.Text](const clang::Token &T) {
    if (T.isOneOf(clang::tok::kw___builtin_LINE,
                  clang::tok::kw___builtin_COLUMN,
                  clang::tok::kw___builtin_source_location))
      Text.UsesLocations = true;
  });
  if (Run.Only)
    return std::make_unique<PartialConsumer>(Run, *Run.Only, Instance, File);
  return std::make_unique<UnitConsumer>(Run, Instance, File);
}
