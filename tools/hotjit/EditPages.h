#ifndef HOTJIT_TOOLS_HOTJIT_EDITPAGES_H
#define HOTJIT_TOOLS_HOTJIT_EDITPAGES_H

#include "llvm/ADT/StringRef.h"
#include <optional>
#include <string>
#include <vector>

namespace hotjit {

/// docs/edits.md as it was when hotjit was built; empty if it was not there.
extern const char EditsPage[];

/// A row of it. All refer to the page's text.
struct EditRow {
  llvm::StringRef Section; ///< "5. Types and layout"
  llvm::StringRef Code;    ///< "HJ1402"
  llvm::StringRef Edit;
  llvm::StringRef Verdict;
};

/// The rows of a page in order.
std::vector<EditRow> parseEditRows(llvm::StringRef Page);

/// What the words mean with which a verdict opens ("HOT"), as far as the page
/// has a table `| word | ... |` of them.
struct VerdictWord {
  llvm::StringRef Word;
  llvm::StringRef Happens;
  llvm::StringRef Seen;
};
std::vector<VerdictWord> parseVerdictWords(llvm::StringRef Page);

/// Text for the terminal; nothing if the page has no such code.
std::optional<std::string> explainCode(llvm::StringRef Page,
                                       llvm::StringRef Code);

} // namespace hotjit

#endif
