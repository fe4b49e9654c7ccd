#ifndef HOTJIT_DIFF_DELTA_H
#define HOTJIT_DIFF_DELTA_H

#include "Compile/CompiledUnit.h"
#include "llvm/ADT/StringRef.h"
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hotjit {

/// How one text of a unit differs from another, before anybody looks at the
/// program: the edit as such. Pointers lead into the two compiled units.
struct UnitDelta {
  template <typename T>
  using Pairs = std::vector<std::pair<const T *, const T *>>;

  // Functions, by symbol; initializers of variables are not among them.
  /// Other body, signature or constants. Of initializers only __tls_init may be
  /// here: when it has run in some thread it will run in others.
  std::set<std::string> Changed;
  /// Also a static function that is called in another way than that of its name
  /// in the old text, and whose callers are all in the new one.
  std::set<std::string> Added;
  std::set<std::string> Removed;

  /// Constants with another value than before, or that name such a constant.
  std::set<std::string> ChangedConstants;
  /// In both texts, and something of type, size, linkage, initial value or
  /// storage differs.
  Pairs<CompiledVariable> ChangedVariables;
  std::vector<const CompiledVariable *> AddedVariables;
  std::vector<const CompiledVariable *> RemovedVariables;

  /// Variables local to the file that some code or data of a text may write, or
  /// whose address it lets go.
  std::set<std::string> WrittenBefore, WrittenNow;
  /// In both texts, and only in the new one among these.
  std::vector<const CompiledVariable *> FirstWritten;

  Pairs<CompiledType> ChangedTypes; ///< other layout or virtual functions
  /// In the new text only. The program may have it: it was removed before.
  std::vector<const CompiledType *> AddedTypes;
  Pairs<CompiledEnum> ChangedEnums; ///< a value known before is gone or other
  /// The closures of the unit cannot be matched with those of the old text.
  bool LambdasMoved = false;
  const CompiledType *MovedLambda = nullptr; ///< the first of them, if it shows
  /// Assembly outside functions: nobody knows what it defines.
  bool AssemblyChanged = false;

  bool empty() const;
};

UnitDelta compareTexts(const CompiledUnit &Old, const CompiledUnit &New);

/// Types without a name are spelled with the place where they stand: Text
/// without places, so that a shifted line is not a change.
std::string withoutPlaces(llvm::StringRef Text);

bool sameLayout(const CompiledType &Old, const CompiledType &New);
bool sameType(const CompiledVariable &Old, const CompiledVariable &New);

/// Code that sets a variable up before main or in each thread: made by the
/// compiler, no function of the user's.
std::set<std::string> initializersOf(const CompiledUnit &Unit);

/// Sets up all thread-locals of its unit that need it, once in each thread;
/// both GCC and Clang call it so.
inline constexpr llvm::StringLiteral ThreadInitOfUnit = "__tls_init";
/// Sets thread-locals up: `__tls_init`, or an alias of it or of another such
/// function ("_ZTH1x").
bool isThreadInit(llvm::StringRef Symbol);
/// What code calls to reach such a thread-local: "_ZTW1x".
bool isThreadWrapper(llvm::StringRef Symbol);

/// Templates, std, what a closure has beside its body: code that appears
/// because other code uses it.
bool isInstantiation(const CompiledFunction &F);

} // namespace hotjit

#endif
