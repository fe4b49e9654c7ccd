#ifndef HOTJIT_LINK_LINKER_H
#define HOTJIT_LINK_LINKER_H

#include "Diff/Plan.h"
#include "Support/Log.h"
#include "llvm/Support/Error.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace hotjit {

/// Identities of functions that a plan adds, by unit and symbol, as Patch
/// reserved them.
using Identities = std::map<std::pair<std::string, std::string>, ProgramAddr>;

struct StagedFunction {
  std::string Unit;     ///< CompiledUnit::id()
  std::string Symbol;   ///< as in the unit
  std::string Name;     ///< for people
  ProgramAddr Identity; ///< the entry that callers use, for ever
  EntryKind Kind = EntryKind::Plain;
  bool Added = false;    ///< Identity is a stub of Patch's
  bool AbiThunk = false; ///< Target is a thunk: its stub must preserve r11
  ProgramAddr Target;    ///< where the identity shall lead
  AddrRange Code;        ///< the new body
};

struct StagedVariable {
  std::string Unit;
  std::string Symbol;
  std::string Name;
  ProgramAddr Address;
  uint64_t Size = 0;
  /// Address is that of what leads to each thread's own: see ThreadLocals.h.
  bool ThreadLocal = false;
  SymbolLinkage Linkage = SymbolLinkage::Internal;
};

/// New code and data that lies in memory, resolved and executable, and that no
/// code of the program knows yet. Must be kept or abandoned, while its Linker
/// lives.
class StagedGeneration {
public:
  StagedGeneration();
  StagedGeneration(StagedGeneration &&);
  StagedGeneration &operator=(StagedGeneration &&);
  ~StagedGeneration(); ///< asserts that one of keep, abandon was called

  std::vector<StagedFunction> Functions;
  std::vector<StagedVariable> Variables;
  /// void (*)(void), to be called in this order before the commit.
  std::vector<ProgramAddr> Initializers;
  size_t Bytes = 0;              ///< of memory taken
  std::vector<AddrRange> Memory; ///< where that is

  /// The code is live, or will be reachable for ever: nothing is freed.
  void keep();
  /// Nothing of it was ever visible: frees everything.
  void abandon();

  struct Resources;
  std::unique_ptr<Resources> Held;
};

/// Turns plans into staged code: rewrites the units' IR so that it uses the
/// program's own variables and calls functions by their identities, optimizes
/// and emits it at the level of the unit it replaces, and links it with
/// JITLink into memory beside the module it belongs to. Everything is resolved
/// before it returns. Use from one thread.
class Linker {
public:
  static llvm::Expected<std::unique_ptr<Linker>> create(const Image &Program,
                                                        Log &L);
  /// Generations that were kept stay as they are.
  ~Linker();

  /// Takes the code of the plan's units. A variable with linkage Inline that
  /// several units create is created once, with the first. On Error nothing
  /// stays behind, and the error names each unresolved symbol with the function
  /// that needs it.
  llvm::Expected<StagedGeneration> stage(Plan &P, const Identities &Added);

  /// As Image::lineAt, of code that this linker made.
  std::optional<Image::Line> lineAt(ProgramAddr A) const;

private:
  struct State;
  explicit Linker(std::unique_ptr<State> S);
  std::unique_ptr<State> S;
};

} // namespace hotjit

#endif
