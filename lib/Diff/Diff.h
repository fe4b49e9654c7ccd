#ifndef HOTJIT_DIFF_DIFF_H
#define HOTJIT_DIFF_DIFF_H

#include "Diff/Plan.h"
#include "llvm/ADT/ArrayRef.h"

namespace hotjit {

/// One unit of a change: compiled from the text that is live and from the text
/// that was saved.
struct UnitChange {
  const CompiledUnit *Old = nullptr;
  CompiledUnit *New = nullptr;
  const ImageUnit *Built = nullptr; ///< what the program was built from it
};

/// Decides what a change does to the running program. Pure: reads its inputs,
/// does no I/O, same inputs, same plan. (Image reads DWARF on demand.) Lets
/// through only what a test shows to be right; everything else is refused with
/// every reason at once. Error: the image's debug info cannot be read.
llvm::Expected<PlanOrRefusal> diff(llvm::ArrayRef<UnitChange> Changes,
                                   const Image &Program,
                                   const Adopted &Earlier);

/// Plans to give the variable Symbol of Live's text, which the program has and
/// kept when its initializer was edited, the initial value that the text says
/// now. Live: Old and New are both the unit as it is live; New has its code.
llvm::Expected<PlanOrRefusal> planReinit(const UnitChange &Live,
                                         llvm::StringRef Symbol,
                                         const Image &Program,
                                         const Adopted &Earlier);

} // namespace hotjit

#endif
