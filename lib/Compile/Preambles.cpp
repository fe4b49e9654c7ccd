// Most of what a C++ compiler reads for a 300-line file stands in headers that
// did not change. Clang can keep the state behind the last #include, as it does
// for editors: a precompiled header in memory. A later parse reads from it only
// what it asks for.
//
// Whether it still fits is decided by content: the bytes of the main file up to
// the end of the preamble, the project's headers by hash. Other files are taken
// to be as they were; so they are for the whole compile.

#include "Compile/Preambles.h"
#include "clang/Basic/DiagnosticIDs.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Serialization/PCHContainerOperations.h"
#include "llvm/ADT/STLExtras.h"

using namespace hotjit;
using llvm::StringRef;

void hotjit::prepareForPreamble(clang::CompilerInvocation &Invocation) {
  // Else each parse would instantiate again what the preamble uses.
  Invocation.getLangOpts().PCHInstantiateTemplates = true;
}

bool Preamble::fits(const clang::CompilerInvocation &Invocation,
                    const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
                    SnapshotFileSystem &Files) const {
  for (const auto &[Path, Hash] : Read) {
    std::shared_ptr<const SourceText> Now = Texts.find(Path);
    if (!Now || !(Now->hash() == Hash))
      return false;
  }
  return Parsed.CanReuse(Invocation, Text.getMemBufferRef(), Parsed.getBounds(),
                         Files);
}

std::shared_ptr<const Preamble>
Preambles::parse(const clang::CompilerInvocation &Invocation,
                 const llvm::MemoryBuffer &Text, const TextSnapshot &Texts,
                 llvm::IntrusiveRefCntPtr<SnapshotFileSystem> Files) {
  clang::PreambleBounds Bounds = clang::ComputePreambleBounds(
      Invocation.getLangOpts(), Text.getMemBufferRef(), /*MaxLines=*/0);
  if (Bounds.Size == 0)
    return nullptr;
  clang::CompilerInvocation Adapted(Invocation);
  prepareForPreamble(Adapted);
  Files->forgetOpened();
  clang::IgnoringDiagConsumer Nobody;
  clang::DiagnosticOptions Options;
  auto Diagnostics = llvm::makeIntrusiveRefCnt<clang::DiagnosticsEngine>(
      clang::DiagnosticIDs::create(), Options, &Nobody,
      /*ShouldOwnClient=*/false);
  clang::PreambleCallbacks Callbacks;
  llvm::ErrorOr<clang::PrecompiledPreamble> Parsed =
      clang::PrecompiledPreamble::Build(
          Adapted, &Text, Bounds, Diagnostics, Files,
          std::make_shared<clang::PCHContainerOperations>(),
          /*StoreInMemory=*/true, /*StoragePath=*/"", Callbacks);
  if (!Parsed || Diagnostics->hasErrorOccurred())
    return nullptr;
  std::vector<std::pair<std::string, ContentHash>> Read;
  for (const std::string &Path : Files->opened())
    if (std::shared_ptr<const SourceText> Source = Texts.find(Path))
      Read.push_back({Path, Source->hash()});
  // The main file itself is compared byte by byte, as far as it matters.
  StringRef Main = Invocation.getFrontendOpts().Inputs.front().getFile();
  llvm::erase_if(Read, [&](const auto &File) {
    return File.first == Files->realPath(Main);
  });
  return std::make_shared<const Preamble>(std::move(*Parsed), std::move(Read));
}

std::shared_ptr<const Preamble> Preambles::find(StringRef Unit) {
  std::lock_guard Lock(M);
  auto It =
      llvm::find_if(Entries, [&](const Entry &E) { return E.Unit == Unit; });
  if (It == Entries.end())
    return nullptr;
  Entries.splice(Entries.begin(), Entries, It);
  return Entries.front().Kept;
}

void Preambles::keep(StringRef Unit, std::shared_ptr<const Preamble> P) {
  std::lock_guard Lock(M);
  for (auto It = Entries.begin(); It != Entries.end();) {
    if (It->Unit != Unit) {
      ++It;
      continue;
    }
    Bytes -= It->Kept->Parsed.getSize();
    It = Entries.erase(It);
  }
  Bytes += P->Parsed.getSize();
  Entries.push_front({Unit.str(), std::move(P)});
  dropOldest();
}

void Preambles::dropOldest() {
  while (Bytes > Limit && Entries.size() > 1) {
    Bytes -= Entries.back().Kept->Parsed.getSize();
    Entries.pop_back();
  }
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
