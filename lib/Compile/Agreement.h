#ifndef HOTJIT_COMPILE_AGREEMENT_H
#define HOTJIT_COMPILE_AGREEMENT_H

#include "Compile/CompiledUnit.h"
#include <map>
#include <mutex>

namespace hotjit {

/// Whether compiles in part and compiles of the whole give the same. Any
/// thread.
class Agreement {
public:
  /// A unit that a later one may be made from: all of them, or fingerprints
  /// that differ in a landing pad are taken for different code.
  void know(const CompiledUnit &Unit);
  /// Where the facts and fingerprints of a unit as compileBodies() made it
  /// differ from those of a compile of the whole: for people, empty if nowhere.
  /// Inline code that nobody uses any more may be left over in Partial.
  std::string disagreement(const CompiledUnit &Whole,
                           const CompiledUnit &Partial);

private:
  bool sameOnNormalPath(ContentHash A, ContentHash B);

  std::mutex Access;
  /// By fingerprint: a hash of what the body does when nothing is thrown.
  std::map<ContentHash, ContentHash> NormalPaths;
};

} // namespace hotjit

#endif
