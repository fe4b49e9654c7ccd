#ifndef HOTJIT_COMPILE_BODIES_H
#define HOTJIT_COMPILE_BODIES_H

#include "Compile/CompiledUnit.h"
#include "Compile/SnapshotFileSystem.h"
#include "clang/AST/Decl.h"
#include "clang/Basic/SourceManager.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace hotjit {

/// A function that is defined in a file of the project.
struct SourceFunction {
  const clang::FunctionDecl *Decl;
  clang::FileID File;
  BodyText Body;                ///< without Symbols
  std::optional<uint32_t> Name; ///< offset, unless a macro made it
};

/// By file and place; without what a preamble holds.
std::vector<SourceFunction> functionsIn(const std::set<clang::FileID> &Files,
                                        const clang::ASTContext &Context);

/// The files that one run of the front end has entered, and where in each
/// __LINE__ is written into the code: offsets, sorted.
using LineUses = std::map<clang::FileID, std::vector<uint32_t>>;

/// Sets what Unit knows of the texts of its files: where the bodies of
/// functions stand, and which of Unit.Functions were made from each.
void collectTexts(clang::ASTContext &Context, clang::CodeGenerator &Code,
                  SnapshotFileSystem &Files, const LineUses &Lines,
                  CompiledUnit &Unit);

/// The file of a plan among those that one run of the front end reads.
class EditedFile {
public:
  EditedFile(std::string Path, bool IsMain, SnapshotFileSystem &Files)
      : Path(std::move(Path)), IsMain(IsMain), Files(Files) {}

  bool is(clang::FileID File, const clang::SourceManager &SM);
  /// Invalid: nobody has asked about it.
  clang::FileID id(const clang::SourceManager &SM) const {
    return IsMain ? SM.getMainFileID() : Found;
  }

private:
  std::string Path;
  bool IsMain;
  SnapshotFileSystem &Files;
  clang::FileID Found, Another; ///< what was asked last
};

/// Asked before the body of F is parsed: which of Bodies, those of the file for
/// which IsFile is true, it is, if code for the others can be made without it.
std::optional<size_t>
skippableBody(const clang::FunctionDecl &F, const clang::SourceManager &SM,
              llvm::ArrayRef<BodyText> Bodies,
              llvm::function_ref<bool(clang::FileID)> IsFile);

} // namespace hotjit

#endif
