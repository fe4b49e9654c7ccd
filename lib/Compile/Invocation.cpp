// Clang's driver turns a command into an "invocation": everything that one
// compile depends on. The unit's own command decides about language, macros,
// include paths, warnings and code generation, as in a build. What it says
// about files to write, plugins to load and formats of messages is taken out,
// as it would leave traces in the user's build folder or run strangers' code in
// the user's program.

#include "Compile/Invocation.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "clang/Basic/Diagnostic.h"
#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Basic/DiagnosticOptions.h"
#include "clang/Basic/TargetOptions.h"
#include "clang/Driver/CreateInvocationFromArgs.h"
#include "clang/Frontend/FrontendOptions.h"
#include "clang/Lex/HeaderSearchOptions.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "llvm/ADT/STLExtras.h"
#include <cstring>

using namespace hotjit;
using llvm::StringRef;

namespace {

/// Keeps the driver's errors; its warnings are about flags for GCC.
class CommandErrors final : public clang::DiagnosticConsumer {
public:
  void HandleDiagnostic(clang::DiagnosticsEngine::Level Level,
                        const clang::Diagnostic &Info) override {
    if (Level < clang::DiagnosticsEngine::Error)
      return;
    llvm::SmallString<128> Message;
    Info.FormatDiagnostic(Message);
    Text += (Text.empty() ? "" : "; ") + Message.str().str();
  }
  std::string Text;
};

} // namespace

/// The unit's command for the Clang inside. The driver looks for headers (its
/// own, GCC's, libc++) beside the program that Arguments begins with.
static std::vector<std::string> arguments(const TranslationUnit &Unit) {
  StringRef Program = Unit.Arguments.front();
  std::string Beside = Program.contains('/') ? "" : HOTJIT_CLANG_PROGRAMS "/";
  std::vector<std::string> Result = {Beside + Program.str()};
  if (llvm::none_of(Unit.Arguments,
                    [](StringRef A) { return A.starts_with("-resource-dir"); }))
    Result.push_back("-resource-dir=" HOTJIT_CLANG_RESOURCES);
  for (const std::string &A : llvm::drop_begin(Unit.Arguments)) {
    StringRef Option = A;
    // The first three make the driver print to the program's stderr, the last
    // ones make it compile in several steps.
    if (Option == "-v" || Option == "-###" || Option == "--verbose" ||
        Option.starts_with("-save-temps") || Option.starts_with("--save-temps"))
      continue;
    Result.push_back(A);
  }
  return Result;
}

static void setDiagnostics(clang::DiagnosticOptions &Options) {
  Options.ShowColors = false;
  Options.UseANSIEscapeCodes = false;
  Options.VerifyDiagnostics = false;
  Options.setFormat(clang::TextDiagnosticFormat::Clang);
  Options.DiagnosticLogFile.clear();
  Options.DiagnosticSerializationFile.clear();
  // The build may be GCC's: what Clang warns of in addition must not stop a
  // reload. "-Werror=x" still asks for the warning x.
  llvm::erase(Options.Warnings, "error");
  for (std::string &W : Options.Warnings)
    if (StringRef(W).starts_with("error="))
      W = W.substr(strlen("error="));
  Options.Warnings.push_back("no-unknown-warning-option");
}

/// Afterwards the invocation writes nothing and loads nothing.
static void dropOutputs(clang::CompilerInvocation &I) {
  clang::FrontendOptions &Frontend = I.getFrontendOpts();
  Frontend.OutputFile.clear();
  Frontend.StatsFile.clear();
  Frontend.TimeTracePath.clear();
  Frontend.ModuleOutputPath.clear();
  Frontend.DumpMinimizationHintsPath.clear();
  Frontend.Plugins.clear();
  Frontend.PluginArgs.clear();
  Frontend.AddPluginActions.clear();
  Frontend.LLVMArgs.clear(); // LLVM's options are global to the process.
  Frontend.ShowStats = false;
  Frontend.ProgramAction = clang::frontend::EmitLLVMOnly;
  // A process that ends need not free what it compiled; this one goes on.
  Frontend.DisableFree = false;
  I.getDependencyOutputOpts() = clang::DependencyOutputOptions();

  clang::CodeGenOptions &Code = I.getCodeGenOpts();
  Code.DisableFree = false;
  Code.ClearASTBeforeBackend = false;
  Code.TimePasses = false;
  Code.CoverageDataFile.clear();
  Code.CoverageNotesFile.clear();
  Code.SplitDwarfFile.clear();
  Code.SplitDwarfOutput.clear();
  Code.SaveTempsFilePrefix.clear();
  Code.OptRecordFile.clear();
  Code.StackUsageOutput.clear();
  Code.ThinLinkBitcodeFile.clear();
  Code.PassPlugins.clear();
  I.getHeaderSearchOpts().Verbose = false;
}

/// Names of things without a meaning, and time, would make equal texts differ.
static void makeDeterministic(clang::CompilerInvocation &I, std::time_t Now) {
  I.getCodeGenOpts().DiscardValueNames = true;
  clang::PreprocessorOptions &PP = I.getPreprocessorOpts();
  if (!PP.SourceDateEpoch)
    PP.SourceDateEpoch = Now;
  clang::LangOptions &Language = I.getLangOpts();
  Language.ImplicitModules = false;
  I.getHeaderSearchOpts().ImplicitModuleMaps = false;
  if (!Language.CPlusPlusModules)
    Language.Modules = false;
}

static llvm::Error checkSupported(const clang::CompilerInvocation &I,
                                  StringRef Path) {
  const clang::FrontendOptions &Frontend = I.getFrontendOpts();
  if (Frontend.Inputs.size() != 1)
    return makeError("{}: its command compiles {} files, not one", Path,
                     Frontend.Inputs.size());
  clang::InputKind Kind = Frontend.Inputs.front().getKind();
  if (Kind.getLanguage() != clang::Language::C &&
      Kind.getLanguage() != clang::Language::CXX)
    return makeError("{}: neither C nor C++: not in this version", Path);
  if (!StringRef(I.getTargetOpts().Triple).starts_with("x86_64"))
    return makeError("{}: compiled for {}: not in this version", Path,
                     I.getTargetOpts().Triple);
  if (!I.getPreprocessorOpts().ImplicitPCHInclude.empty())
    return makeError("{}: a precompiled header of Clang's: not in this version",
                     Path);
  if (!I.getLangOpts().Sanitize.empty())
    return makeError("{}: -fsanitize: not in this version", Path);
  if (I.getCodeGenOpts().getProfileInstr() !=
      llvm::driver::ProfileInstrKind::ProfileNone)
    return makeError("{}: profile instrumentation: not in this version", Path);
  return llvm::Error::success();
}

llvm::Expected<std::shared_ptr<clang::CompilerInvocation>>
hotjit::createInvocation(const TranslationUnit &Unit,
                         llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files,
                         std::time_t Now) {
  if (Unit.Arguments.empty())
    return makeError("{}: its compile command is empty", Unit.Path);
  CommandErrors Errors;
  clang::DiagnosticOptions Options;
  auto Engine = llvm::makeIntrusiveRefCnt<clang::DiagnosticsEngine>(
      clang::DiagnosticIDs::create(), Options, &Errors,
      /*ShouldOwnClient=*/false);
  clang::CreateInvocationOptions How;
  How.Diags = Engine;
  How.VFS = Files;
  std::vector<std::string> Arguments = arguments(Unit);
  std::vector<const char *> Pointers;
  for (const std::string &A : Arguments)
    Pointers.push_back(A.c_str());
  std::shared_ptr<clang::CompilerInvocation> Result =
      clang::createInvocation(Pointers, std::move(How));
  if (!Result || !Errors.Text.empty())
    return makeError("{}: Clang cannot read its compile command: {}", Unit.Path,
                     Errors.Text.empty() ? "nothing to compile" : Errors.Text);
  if (llvm::Error E = checkSupported(*Result, Unit.Path))
    return std::move(E);
  setDiagnostics(Result->getDiagnosticOpts());
  dropOutputs(*Result);
  makeDeterministic(*Result, Now);
  return Result;
}

CodegenSettings hotjit::settingsOf(const clang::CompilerInvocation &Invocation,
                                   const TranslationUnit &Unit) {
  CodegenSettings S;
  S.OptLevel = Invocation.getCodeGenOpts().OptimizationLevel;
  S.SizeLevel = Invocation.getCodeGenOpts().OptimizeSize;
  S.Triple = Invocation.getTargetOpts().Triple;
  S.CPU = Invocation.getTargetOpts().CPU;
  S.Features = Invocation.getTargetOpts().Features;
  auto AsksForLTO = [](const std::string &A) {
    return StringRef(A).starts_with("-flto");
  };
  S.LTO = Invocation.getCodeGenOpts().PrepareForLTO ||
          Invocation.getCodeGenOpts().PrepareForThinLTO ||
          llvm::any_of(Unit.Dropped, AsksForLTO);
  return S;
}
