#ifndef HOTJIT_COMPILE_UNITTEXT_H
#define HOTJIT_COMPILE_UNITTEXT_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace clang {
class LangOptions;
}

namespace hotjit {

/// The body of a function in the text of its unit's own file: offsets in bytes
/// of the opening brace and of what follows the closing one.
struct BodyText {
  uint32_t Begin = 0;
  uint32_t End = 0;
  /// Nothing outside it depends on what it says: no template, not constexpr,
  /// no deduced return type. Code for the rest can be made without it.
  bool Hidden = false;
  /// Hidden, and it can be compiled without the rest: no class or closure is
  /// declared in it, which have names and numbers.
  bool Alone = false;
  /// Its braces stand in the file itself, not in a macro, and hold nothing but
  /// statements (no `try` in their place).
  bool Plain = false;
  /// What follows it does not stand in a class, namespace or block.
  bool TopLevel = false;
  /// Functions for which the unit's code was made from it: none if nobody
  /// calls it, several for constructors.
  std::vector<std::string> Symbols;
};

/// What one compile of a unit tells of the text of its own file, so that the
/// next one can see whether anything but bodies was edited.
struct UnitText {
  std::vector<BodyText> Bodies; ///< by Begin; none inside another
  /// Where __LINE__ is expanded: offsets, sorted.
  std::vector<uint32_t> LineUses;
  /// __builtin_LINE and its like stand somewhere, perhaps in a header.
  bool UsesLocations = false;
  unsigned Counter = 0; ///< how often __COUNTER__ was used
};

/// The bodies of a text and its successor, paired.
struct BodyMatch {
  std::vector<BodyText> Bodies; ///< of the new text, one for each old one
  std::vector<size_t> Touched;  ///< of these, the ones that read otherwise

  /// A line of the old text, and how many lines further down in the new one
  /// stands what follows the line before it up to here.
  struct Shift {
    unsigned UpTo = 0; ///< from 1
    int By = 0;
  };
  std::vector<Shift> Shifts; ///< by line; the last one is of the whole rest

  /// The line of the new text for one of the old text. Exact for what is not
  /// in an edited body.
  unsigned newLine(unsigned Line) const;
  bool movesLines() const;
};

/// Pairs the bodies of two texts of one file if nothing outside bodies differs,
/// token by token. nullopt, with Why: something does, or it cannot be said.
std::optional<BodyMatch> matchBodies(llvm::StringRef Old, const UnitText &Facts,
                                     llvm::StringRef New,
                                     const clang::LangOptions &Language,
                                     std::string &Why);

} // namespace hotjit

#endif
