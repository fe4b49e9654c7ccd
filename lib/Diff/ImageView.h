#ifndef HOTJIT_DIFF_IMAGEVIEW_H
#define HOTJIT_DIFF_IMAGEVIEW_H

#include "Diff/ProgramView.h"

namespace hotjit {

/// Image, as Diff asks it.
class ImageView final : public ProgramView {
public:
  explicit ImageView(const Image &Program) : Program(Program) {}
  const std::deque<ImageModule> &modules() const override {
    return Program.modules();
  }
  const std::deque<ImageUnit> &units() const override {
    return Program.units();
  }
  llvm::Expected<const UnitDetails *>
  details(const ImageUnit &U) const override {
    return Program.details(U);
  }
  std::optional<ProgramAddr> findSymbol(size_t Module,
                                        llvm::StringRef Symbol) const override {
    return Program.findSymbol(Program.modules()[Module], Symbol);
  }
  std::vector<const ImageFunction *>
  findFunctions(size_t Module, llvm::StringRef Symbol) const override {
    return Program.findFunctions(Program.modules()[Module], Symbol);
  }

  std::vector<ImageSymbol> findData(size_t Module,
                                    llvm::StringRef Symbol) const override {
    return Program.findData(Program.modules()[Module], Symbol);
  }
  std::vector<ImageThreadLocal>
  findThreadLocals(size_t Module, llvm::StringRef Symbol) const override {
    return Program.findThreadLocals(Program.modules()[Module], Symbol);
  }
  bool hasLocalSymbols(size_t Module) const override {
    return Program.hasLocalSymbols(Program.modules()[Module]);
  }
  llvm::ArrayRef<uint8_t> fileBytes(ProgramAddr A,
                                    uint64_t Size) const override {
    return Program.fileBytes(A, Size);
  }

private:
  const Image &Program;
};

} // namespace hotjit

#endif
