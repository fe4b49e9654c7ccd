#ifndef HOTJIT_DIFF_PLAN_H
#define HOTJIT_DIFF_PLAN_H

#include "Compile/CompiledUnit.h"
#include "Image/Image.h"
#include "Support/ProgramAddr.h"
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace hotjit {

/// Why an edit is refused or comes with a note. The value is the number in the
/// code that users see: HJ1402. docs/edits.md has a row for each.
enum class Reason : unsigned {
  NotSupportedYet = 1000,
  InlinedElsewhere = 1107,
  SignatureChanged = 1205,
  FunctionRemoved = 1203,
  AttributeChanged = 1209,
  AmbiguousName = 1211,
  VirtualAdded = 1305,
  BecamePolymorphic = 1306,
  LayoutChanged = 1402,
  InitializerKept = 1503,
  ConstantChanged = 1504,
  VariableRemoved = 1505,
  VariableTypeChanged = 1507,
  StaticLocalAmbiguous = 1508,
  ThreadLocalAdded = 1509,
  ConstructorNotRun = 1514,
  VariableOptimizedAway = 1516,
  LambdaChanged = 1603,
  CoroutineSuspended = 1607,
  DuplicateSymbol = 1702,
  FlagsChanged = 1706,
  NotPatchable = 2001,
  LinkTimeOptimized = 2002,
  NoDebugInfo = 2003,
  StaleSource = 2004,
  BuiltTwice = 2005,
  NoCompileCommand = 2006,
  SharedAddress = 2007,
  NotLoaded = 2009,
  Declined = 2010,
  CallbackFailed = 2011,
  OtherHeaders = 2012,
};
std::string codeOf(Reason R); ///< "HJ1402"

enum class VerdictKind {
  Live,
  Note,
  Pending,
  Partial,
  Refused,
  Held,
  Added,
  Removed
};
const char *spell(VerdictKind K); ///< "live"

/// What happened to one function (or to the variable or type that decided it),
/// and why. Made where the decision is taken.
struct Verdict {
  std::string Symbol; ///< mangled; empty for a type
  std::string Name;   ///< for people
  SourcePlace Place;
  VerdictKind Kind = VerdictKind::Live;
  std::optional<Reason> Code;
  std::string Message;
  /// The user edited it; false for what is swapped along with an edit.
  bool Edited = true;
};

/// A function of the new unit whose code will be emitted.
struct PlannedFunction {
  enum class Action {
    Replace,     ///< the program calls it at Entry: lead that to the new body
    Add,         ///< new: its identity is a stub
    PrivateCopy, ///< the program has no such entry: internal to the new code
  };
  std::string Symbol;
  Action What = Action::Replace;
  ProgramAddr Entry; ///< for Replace: the identity, for ever
  /// For Replace: where code of the unit calls it, if not at Entry: the dynamic
  /// linker prefers another module's function of the name.
  std::optional<ProgramAddr> Called;
  uint64_t Size = 0; ///< of the body at Entry, bytes; 0 if Entry is a stub
  EntryKind Kind = EntryKind::Plain;
  /// Same-unit callers made by GCC may keep values in caller-saved registers
  /// over the call, or call with a misaligned stack.
  bool NeedsAbiThunk = false;
};

/// A variable that emitted code names.
struct PlannedVariable {
  enum class Action {
    Bind,            ///< the program's own, at Address
    BindThreadLocal, ///< the program's own, at TlsOffset in TlsModuleId
    /// Created thread-local by an earlier generation, which knows it by
    /// Address.
    BindAddedThreadLocal,
    Create, ///< new storage, kept for ever; run its initializer
    Copy,   ///< constant data that lives with the new code
  };
  std::string Symbol;
  Action What = Action::Bind;
  ProgramAddr Address;
  uint64_t TlsOffset = 0;
  size_t TlsModuleId = 0;
  std::optional<int64_t> TlsBlockOffset;
  /// The code that sets up a thread-local which this generation or an earlier
  /// one creates: it is not to run with the unit's other.
  std::string Initializer;
  /// If this one creates it: the symbol by which other code asks for it to be
  /// set up once in each thread.
  std::string ThreadInit;
};

struct PlannedUnit {
  CompiledUnit *New = nullptr; ///< Link takes its code
  size_t Module = 0;           ///< index into Image::modules()
  std::vector<PlannedFunction> Functions;
  std::vector<PlannedVariable> Variables;
  /// Functions that emitted code names and that are not emitted: where callers
  /// reach them. Symbols not listed are looked up in the module's scope.
  std::map<std::string, ProgramAddr> BoundFunctions;
  /// Initializer functions (module constructors) of created variables, in
  /// order of definition.
  std::vector<std::string> Initializers;
  /// Bound variables that get the initial value of this text: code that copies
  /// it runs after Initializers.
  std::vector<std::string> Reinitialize;
};

struct Plan {
  std::vector<PlannedUnit> Units;
  std::vector<Verdict>
      Verdicts; ///< one for each function that is not unchanged
  size_t Unchanged = 0;
  std::vector<std::string> Types; ///< names of those that were edited
  /// Variables local to a file, by unit and symbol, that need not hold the
  /// initial value of the new text: a text could write them, or another initial
  /// value was edited.
  std::set<std::pair<std::string, std::string>> Written;
  /// No code is to be made. There may still be verdicts to tell: a variable
  /// whose initializer was edited keeps its value (HJ1503).
  bool empty() const { return Units.empty(); }
};

struct Refusal {
  std::vector<Verdict> Verdicts;  ///< all reasons at once, then what is held
  std::vector<std::string> Types; ///< names of those that were edited
};

using PlanOrRefusal = std::variant<Plan, Refusal>;

/// What earlier generations added to the program, by unit (its id) and symbol;
/// external names also under the empty id.
struct Adopted {
  struct Function {
    ProgramAddr Identity;
    SymbolLinkage Linkage;
  };
  struct Variable {
    ProgramAddr Address; ///< ThreadLocal: of what leads to each thread's own
    uint64_t Size = 0;
    bool ThreadLocal = false;
  };
  std::map<std::pair<std::string, std::string>, Function> Functions;
  std::map<std::pair<std::string, std::string>, Variable> Variables;
  /// Constants, by unit and symbol, of which the program's own data no
  /// longer is what the live text says: new code is never bound to that.
  std::set<std::pair<std::string, std::string>> SupersededConstants;
  /// See Plan: all since the program started.
  std::set<std::pair<std::string, std::string>> Written;
  /// Units that have code of an earlier generation: its types are in
  /// use though the program's debug info does not know them.
  std::set<std::string> Units;
};

/// Records in A what committing P makes true and Link does not report: the
/// sets above.
void recordCommitted(const Plan &P, Adopted &A);

} // namespace hotjit

#endif
