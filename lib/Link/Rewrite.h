#ifndef HOTJIT_LINK_REWRITE_H
#define HOTJIT_LINK_REWRITE_H

#include "Compile/CompiledUnit.h"
#include "Diff/Plan.h"
#include "Image/LoadedObjects.h"
#include "Link/Linker.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// An undefined name in rewritten code that stands for one thing of the
/// program, chosen by the plan and not by its spelling.
struct BoundName {
  std::string Symbol; ///< as in the unit
  /// None: the plan does not say where it is, and as the symbol is file-local
  /// nobody else may say so. An error if the emitted code needs it.
  std::optional<ProgramAddr> Address;
};

struct RewrittenFunction {
  std::string Symbol; ///< as in the unit
  std::string Body;   ///< symbol of the new body
  std::string Sized;  ///< symbol that carries the body's size
  std::string Thunk;  ///< symbol of the ABI thunk, or empty
  PlannedFunction::Action What = PlannedFunction::Action::Replace;
  EntryKind Kind = EntryKind::Plain;
  ProgramAddr Identity;
};

struct RewrittenVariable {
  std::string Symbol; ///< as in the unit
  std::string Name;   ///< in the object
  uint64_t Size = 0;
  bool ThreadLocal = false; ///< Name is its control block's: ThreadLocals.h
};

/// A unit's code, ready to be optimized and emitted: what the program has is
/// undefined in it, what is new is defined under names of our own.
struct RewrittenUnit {
  UnitCode Code;
  llvm::StringMap<BoundName> Bound; ///< by name in the object
  std::vector<RewrittenFunction> Functions;
  std::vector<RewrittenVariable> Created;
  std::vector<std::string> Initializers; ///< names in the object
};

/// What a unit may name and the plan says nothing of.
struct UnitSurroundings {
  const Identities &Added;
  /// Thread-locals that units of the plan create for all to see.
  const llvm::StringSet<> &NewThreadLocals;
  /// The program's, and its libraries'.
  llvm::function_ref<std::optional<ThreadLocalPlace>(llvm::StringRef)>
      FindThreadLocal;
};

/// Takes the code of Unit and rewrites it as planned. Index tells the units of
/// one plan apart in the names that are made up. Error: the code cannot be
/// rewritten faithfully; it says which symbol and why.
llvm::Expected<RewrittenUnit> rewrite(PlannedUnit &Unit, size_t Index,
                                      const UnitSurroundings &Around);

} // namespace hotjit

#endif
