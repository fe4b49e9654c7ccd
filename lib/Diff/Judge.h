#ifndef HOTJIT_DIFF_JUDGE_H
#define HOTJIT_DIFF_JUDGE_H

// The passes of diff(), each a function from values to values; Diff.cpp is
// their order. None of them decides by leaving something out: what a pass
// cannot let through is a verdict in its result.

#include "Diff/Delta.h"
#include "Diff/Plan.h"
#include "Diff/ProgramView.h"
#include <map>
#include <set>
#include <string>
#include <vector>

namespace hotjit {

/// One unit of a change with everything that is known about it.
struct UnitCase {
  const CompiledUnit &Old;
  const CompiledUnit &New;
  const BuiltUnit &Built;
  const Adopted &Earlier;
  const UnitDelta &Delta;
};

// Verdicts.

Verdict verdictOn(const CompiledFunction &F, VerdictKind Kind,
                  std::optional<Reason> Code, std::string Message);
Verdict verdictOn(const CompiledVariable &V, VerdictKind Kind,
                  std::optional<Reason> Code, std::string Message);
Verdict verdictOn(const CompiledType &T, Reason Code, std::string Message);
/// Qualified, for people.
std::string nameOf(const CompiledVariable &V);
/// "widget.h:12"
std::string placeText(const SourcePlace &Place);
/// The part of a qualified name after the last "::", without template
/// arguments.
std::string unqualified(llvm::StringRef Name);

// Types.cpp

/// Refuses types that were edited while the program has them, closures that
/// cannot be told apart, enumerators with other values, and an old text that
/// is not what the program was built from.
std::vector<Verdict> judgeTypes(const UnitCase &Unit);

// Functions.cpp

/// Where callers reach a function of a unit.
struct FunctionIdentity {
  enum class Status {
    Entry,     ///< at Entry
    None,      ///< nowhere: inlined, cloned or dropped
    Ambiguous, ///< debug info does not say which of several is meant
  };
  Status What = Status::None;
  ProgramAddr Entry;
  ProgramAddr Called; ///< where code of the unit calls it: as PlannedFunction's
  uint64_t Size = 0;  ///< of the program's body, bytes; 0 for a stub
  EntryKind Kind = EntryKind::Plain;
  bool Added = false; ///< by an earlier generation: a stub of Patch's
  /// Only the symbol table has it: GCC made its code from another function's.
  bool WithoutDebugInfo = false;
  std::vector<std::string> Aliases;
  std::string Why; ///< if not Entry
};
/// The unit has F's body for the optimizer only (`extern inline`, explicitly
/// instantiated templates): no code is made from it.
bool isDefinedElsewhere(const CompiledFunction &F);
FunctionIdentity identify(const CompiledFunction &F, const UnitCase &Unit);

/// Refuses edits of functions that no code can make good: signatures, removed
/// functions, attributes.
std::vector<Verdict> judgeFunctions(const UnitCase &Unit);

// Closure.cpp

/// Functions that must change together, with the one on whose account each is
/// there: itself if it was edited.
struct SwappedFunction {
  std::string Because;
  std::string Why; ///< for people, empty if edited
};
using SwappedSet = std::map<std::string, SwappedFunction>;
SwappedSet swappedTogether(const UnitCase &Unit);
/// Refuses edited lambdas of which the program may keep closures that no new
/// code would reach: one verdict for each. (Functions.cpp)
std::vector<Verdict> judgeLambdas(const UnitCase &Unit,
                                  const SwappedSet &Swapped);
bool isOptimized(const UnitCase &Unit);
/// Code of the same unit that may call Symbol.
bool hasSameUnitCaller(const UnitCase &Unit, llvm::StringRef Symbol);

// Variables.cpp

/// Verdicts on edits of variables that are decided whatever code names them.
std::vector<Verdict> judgeVariables(const UnitCase &Unit);

/// Where a variable lives that emitted code names, or why it cannot.
struct Placement {
  std::optional<PlannedVariable> Planned; ///< nothing: stays as compiled
  std::optional<Verdict> Refused;
  std::optional<Verdict> Note;
};
Placement placeVariable(const CompiledVariable &V, const UnitCase &Unit);
/// The variable that V guards; null if V guards none.
const CompiledVariable *guardedBy(const CompiledVariable &V,
                                  const CompiledUnit &Unit);

// Emission.cpp

/// What units of one change have claimed: an inline function or variable that
/// several of them define is made once.
struct Claims {
  std::set<ProgramAddr> Entries;
  /// New names that other units may use, with the modules that get them.
  std::map<std::string, std::set<size_t>> Added;
};
struct Emission {
  PlannedUnit Unit;
  std::vector<Verdict> Refused;
  std::vector<Verdict> Notes;
};
/// Plans the code and data of one unit: what is swapped, what is new, and
/// whatever those name.
Emission planEmission(const UnitCase &Unit, const SwappedSet &Swapped,
                      Claims &Claimed);
/// Plans what setting V to its initial value needs: its place, and whatever the
/// value names.
Emission planInitialValue(const UnitCase &Unit, const CompiledVariable &V);

} // namespace hotjit

#endif
