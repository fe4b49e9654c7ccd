// Most of what a C++ compiler reads for a 300-line file stands in headers that
// did not change; most of what a C compiler reads for a file of 200,000 lines
// stands above the edited function. Clang can keep the state behind any
// declaration, as it does for editors behind the last #include: a precompiled
// header in memory. A later parse reads from it only what it asks for.
//
//   #include <vector>           |  int f() { ... }  static int n;  |  int g() {
//                shallow preamble                       deep preamble  edited
//
// Whether it still fits is decided by content: the bytes of the main file up to
// the end of the preamble, the project's headers by hash; other headers must
// not have been written since.

#include "Compile/Preambles.h"
#include "Compile/Bodies.h"
#include "clang/AST/ASTContext.h"
#include "clang/AST/Decl.h"
#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/PreprocessorOptions.h"
#include "clang/Serialization/PCHContainerOperations.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"

using namespace hotjit;
using llvm::StringRef;

void hotjit::prepareForBodies(clang::CompilerInvocation &Invocation) {
  // Else each parse would instantiate again what the preamble uses.
  Invocation.getLangOpts().PCHInstantiateTemplates = true;
  Invocation.getFrontendOpts().SkipFunctionBodies = true;
}

//===-- Parsing -----------------------------------------------------------===//

namespace {

/// Which bodies a preamble needs: all of headers, of the main file those that
/// other code depends on.
class BodiesOfPreamble final : public clang::PreambleCallbacks {
public:
  explicit BodiesOfPreamble(const UnitText *Facts) : Facts(Facts) {}

  bool shouldSkipFunctionBody(clang::Decl *D) override {
    const clang::FunctionDecl *F = D->getAsFunction();
    if (!Facts || !F)
      return false;
    const clang::SourceManager &SM = F->getASTContext().getSourceManager();
    auto IsMain = [&](clang::FileID File) {
      return File == SM.getMainFileID();
    };
    return skippableBody(*F, SM, Facts->Bodies, IsMain).has_value();
  }

private:
  const UnitText *Facts;
};

} // namespace

namespace {

/// Where a text may be cut: not between an #if and its #endif, for a parse that
/// starts behind a preamble does not know what is open.
class Conditionals {
public:
  Conditionals(StringRef Text, const clang::LangOptions &Language);

  /// The #if that is open at Offset and in no other.
  std::optional<uint32_t> openAt(uint32_t Offset) const {
    for (const auto &[Begin, End] : Outermost)
      if (Begin < Offset && Offset < End)
        return Begin;
    return std::nullopt;
  }

private:
  std::vector<std::pair<uint32_t, uint32_t>> Outermost;
};

} // namespace

Conditionals::Conditionals(StringRef Text, const clang::LangOptions &Language) {
  std::string Copy = Text.str(); // The lexer wants a zero behind it.
  const char *Start = Copy.c_str();
  clang::Lexer Lexer(clang::SourceLocation(), Language, Start, Start,
                     Start + Copy.size());
  unsigned Depth = 0;
  uint32_t Begin = 0;
  clang::Token T;
  for (Lexer.LexFromRawLexer(T); T.isNot(clang::tok::eof);
       Lexer.LexFromRawLexer(T)) {
    if (T.isNot(clang::tok::hash) || !T.isAtStartOfLine())
      continue;
    uint32_t At = Lexer.getBufferLocation() - Start - T.getLength();
    Lexer.LexFromRawLexer(T);
    if (T.isNot(clang::tok::raw_identifier))
      continue;
    StringRef Name = T.getRawIdentifier();
    if (Name == "if" || Name == "ifdef" || Name == "ifndef") {
      if (Depth++ == 0)
        Begin = At;
    } else if (Name == "endif" && Depth != 0 && --Depth == 0) {
      Outermost.push_back({Begin, At + 1});
    }
  }
  if (Depth != 0)
    Outermost.push_back({Begin, ~0U});
}

/// Behind the last function that ends before UpTo and stands in nothing else.
static std::optional<uint32_t> lastCut(const UnitText &Facts, uint32_t UpTo,
                                       const Conditionals &Open) {
  std::optional<uint32_t> Cut;
  for (const BodyText &B : Facts.Bodies)
    if (B.End <= UpTo && B.Plain && B.TopLevel && !Open.openAt(B.End))
      Cut = B.End;
  return Cut;
}

/// Empty if there is nothing to parse.
static clang::PreambleBounds boundsOf(const clang::LangOptions &Language,
                                      const llvm::MemoryBuffer &Text,
                                      const UnitText *Facts, uint32_t UpTo) {
  clang::PreambleBounds Includes = clang::ComputePreambleBounds(
      Language, Text.getMemBufferRef(), /*MaxLines=*/0);
  if (Facts) {
    Conditionals Open(Text.getBuffer().take_front(UpTo), Language);
    std::optional<uint32_t> Cut = lastCut(*Facts, UpTo, Open);
    return clang::PreambleBounds(Cut && *Cut > Includes.Size ? *Cut : 0,
                                 /*PreambleEndsAtStartOfLine=*/false);
  }
  Conditionals Open(Text.getBuffer(), Language);
  if (std::optional<uint32_t> Begin = Open.openAt(Includes.Size))
    return clang::PreambleBounds(*Begin, /*PreambleEndsAtStartOfLine=*/true);
  return Includes;
}

std::shared_ptr<const Preamble>
Preamble::parse(const TranslationUnit &Unit,
                const clang::CompilerInvocation &Invocation,
                const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
                llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files,
                const UnitText *Facts, uint32_t UpTo) {
  clang::PreambleBounds Bounds =
      boundsOf(Invocation.getLangOpts(), Text, Facts, UpTo);
  if (Bounds.Size == 0)
    return nullptr;
  clang::CompilerInvocation Adapted(Invocation);
  prepareForBodies(Adapted);
  Files->forgetOpened();
  clang::IgnoringDiagConsumer Nobody;
  clang::DiagnosticOptions Options;
  auto Diagnostics = llvm::makeIntrusiveRefCnt<clang::DiagnosticsEngine>(
      clang::DiagnosticIDs::create(), Options, &Nobody,
      /*ShouldOwnClient=*/false);
  BodiesOfPreamble Callbacks(Facts);
  llvm::ErrorOr<clang::PrecompiledPreamble> Parsed =
      clang::PrecompiledPreamble::Build(
          Adapted, &Text, Bounds, Diagnostics, Files,
          std::make_shared<clang::PCHContainerOperations>(),
          /*StoreInMemory=*/true, /*StoragePath=*/"", Callbacks);
  if (!Parsed || Diagnostics->hasErrorOccurred())
    return nullptr;
  std::shared_ptr<Preamble> P(new Preamble(std::move(*Parsed)));
  StringRef Main = Invocation.getFrontendOpts().Inputs.front().getFile();
  P->remember(Unit, Texts, *Files, Files->realPath(Main));
  return P->publish(Adapted) ? P : nullptr;
}

void Preamble::remember(const TranslationUnit &Unit, const TextSnapshot &Texts,
                        const SnapshotFileSystem &Files, StringRef Main) {
  Command = Unit.Arguments;
  Directory = Unit.Directory;
  Others = DiskFiles(Files.opened(), Texts);
  for (const std::string &Path : Files.opened())
    // The main file is compared byte by byte, as far as it matters.
    if (std::shared_ptr<const SourceText> Source = Texts.find(Path);
        Source && Path != Main)
      ProjectFiles.push_back({Path, Source->hash()});
}

/// Takes from Clang what it would do for each parse anew, hashing ten megabytes
/// among it: the options that lead to the header, and where the header is.
bool Preamble::publish(const clang::CompilerInvocation &Adapted) {
  auto Made = std::make_shared<clang::CompilerInvocation>(Adapted);
  llvm::IntrusiveRefCntPtr<llvm::vfs::FileSystem> Files =
      llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>();
  std::unique_ptr<llvm::MemoryBuffer> Nothing =
      llvm::MemoryBuffer::getMemBuffer("");
  Parsed.AddImplicitPreamble(*Made, Files, Nothing.get());
  clang::PreprocessorOptions &Options = Made->getPreprocessorOpts();
  Options.clearRemappedFiles();
  HeaderPath = Options.ImplicitPCHInclude;
  auto Found = Files->getBufferForFile(HeaderPath, /*FileSize=*/-1,
                                       /*RequiresNullTerminator=*/false);
  if (!Found)
    return false;
  Header = std::move(*Found);
  Invocation = std::move(Made);
  return true;
}

//===-- Using -------------------------------------------------------------===//

bool Preamble::fits(const TranslationUnit &Unit, StringRef Text,
                    const TextSnapshot &Texts) const {
  if (Unit.Arguments != Command || Unit.Directory != Directory ||
      !Text.starts_with(Parsed.getContents()))
    return false;
  auto IsSame = [&](const auto &File) {
    std::shared_ptr<const SourceText> Now = Texts.find(File.first);
    return Now && Now->hash() == File.second;
  };
  return llvm::all_of(ProjectFiles, IsSame) && Others.areUntouched(Texts);
}

std::shared_ptr<clang::CompilerInvocation>
Preamble::start(SnapshotFileSystem &Files,
                std::unique_ptr<llvm::MemoryBuffer> Text) const {
  auto Result = std::make_shared<clang::CompilerInvocation>(*Invocation);
  Files.add(HeaderPath, *Header);
  Result->getPreprocessorOpts().addRemappedFile(
      Result->getFrontendOpts().Inputs.front().getFile(), Text.release());
  return Result;
}

//===-- Keeping -----------------------------------------------------------===//

std::shared_ptr<const Preamble> Preambles::find(const TranslationUnit &Unit,
                                                StringRef Text,
                                                const TextSnapshot &Texts,
                                                uint32_t UpTo) {
  std::vector<std::shared_ptr<const Preamble>> Candidates;
  {
    std::lock_guard Lock(M);
    for (auto It = Entries.begin(); It != Entries.end();) {
      auto Next = std::next(It);
      if (It->Unit == Unit.id()) {
        Candidates.push_back(It->Kept);
        Entries.splice(Entries.begin(), Entries, It);
      }
      It = Next;
    }
  }
  llvm::sort(Candidates, [](const auto &A, const auto &B) {
    return A->length() > B->length();
  });
  for (const std::shared_ptr<const Preamble> &P : Candidates)
    if (P->length() <= UpTo && P->fits(Unit, Text, Texts))
      return P;
  return nullptr;
}

void Preambles::keep(StringRef Unit, bool IsDeep,
                     std::shared_ptr<const Preamble> P) {
  std::lock_guard Lock(M);
  for (auto It = Entries.begin(); It != Entries.end();) {
    if (It->Unit != Unit || It->IsDeep != IsDeep) {
      ++It;
      continue;
    }
    Bytes -= It->Kept->bytesKept();
    It = Entries.erase(It);
  }
  Bytes += P->bytesKept();
  Entries.push_front({Unit.str(), IsDeep, std::move(P)});
  dropOldest();
}

void Preambles::dropOldest() {
  while (Bytes > Limit && Entries.size() > 1) {
    Bytes -= Entries.back().Kept->bytesKept();
    Entries.pop_back();
  }
}

bool Preambles::isIntact() const {
  return std::unique_lock(M, std::try_to_lock).owns_lock();
}

size_t Preambles::bytesKept() const {
  std::lock_guard Lock(M);
  return Bytes;
}

void Preambles::setLimit(size_t NewLimit) {
  std::lock_guard Lock(M);
  Limit = NewLimit;
  dropOldest();
}
