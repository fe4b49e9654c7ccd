#ifndef HOTJIT_LINK_ABITHUNK_H
#define HOTJIT_LINK_ABITHUNK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Function.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"
#include <string>

namespace hotjit {

/// The widest vector registers that some code of a unit may hold values in.
enum class VectorRegisters { XMM, YMM, ZMM };

/// What the code of M, compiled with UnitFeatures ("+avx2"), may use on this
/// machine. Reads attributes of definitions: ask before bodies are deleted.
llvm::Expected<VectorRegisters>
vectorRegistersOf(const llvm::Module &M,
                  llvm::ArrayRef<std::string> UnitFeatures);

/// Assembly of a function ThunkSymbol that calls BodySymbol, which has the
/// type and the attributes of Body, and that keeps every register which the
/// call does not return a value in. The stack may come in misaligned. Error:
/// where the arguments or the result travel is not known for sure.
llvm::Expected<std::string> makeAbiThunk(const llvm::Function &Body,
                                         llvm::StringRef BodySymbol,
                                         llvm::StringRef ThunkSymbol,
                                         VectorRegisters Vectors);

} // namespace hotjit

#endif
