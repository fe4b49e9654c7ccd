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

/// The body of a function in the text of a file: offsets in bytes of the
/// opening brace and of what follows the closing one.
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

/// What one compile of a unit tells of the text of its own file or of a header
/// of the project, so that the next one can see whether anything but bodies was
/// edited.
struct UnitText {
  std::vector<BodyText> Bodies; ///< by Begin; none inside another
  /// Where __LINE__ is expanded: offsets, sorted.
  std::vector<uint32_t> LineUses;
  /// Of the unit: __builtin_LINE and its like stand somewhere, perhaps in a
  /// header; how often __COUNTER__ was used.
  bool UsesLocations = false;
  unsigned Counter = 0;
  /// Of a header: where in the unit's own file the name stands of what is
  /// included there and leads to it.
  uint32_t IncludedAt = 0;
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

/// Whether all that differs lies inside one function's braces, as far as tokens
/// before the preprocessor tell. Nothing has to be known of either text.
bool differInOneBody(llvm::StringRef Old, llvm::StringRef New);

/// The length of the part of a unit's file that ends with the line of the
/// #include at IncludedAt, if that is a unit as well: nothing but directives,
/// and no conditional is open behind it.
std::optional<uint32_t> endOfInclude(llvm::StringRef Text, uint32_t IncludedAt,
                                     const clang::LangOptions &Language);

} // namespace hotjit

#endif
