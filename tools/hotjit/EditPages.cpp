// `hotjit explain HJ1402` shows what docs/edits.md says: there is one place
// where codes are explained. The page's tables are made to be read by machines:
// three cells, one row per line.

#include "EditPages.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace hotjit;
using namespace llvm;

/// The cells of a table row with Count cells, else nothing.
static SmallVector<StringRef, 3> cells(StringRef Line, size_t Count) {
  SmallVector<StringRef, 3> Cells;
  Line = Line.trim();
  if (!Line.consume_front("|") || !Line.consume_back("|"))
    return Cells;
  // A bar within code is written \| and stays in its cell.
  size_t Begin = 0;
  for (size_t I = 0; I <= Line.size(); ++I) {
    if (I < Line.size() && (Line[I] != '|' || (I > 0 && Line[I - 1] == '\\')))
      continue;
    Cells.push_back(Line.slice(Begin, I).trim());
    Begin = I + 1;
  }
  if (Cells.size() != Count)
    Cells.clear();
  return Cells;
}

static bool isCode(StringRef Text) {
  return Text.consume_front("HJ") && Text.size() == 4 &&
         llvm::all_of(Text, isDigit);
}

std::vector<EditRow> hotjit::parseEditRows(StringRef Page) {
  std::vector<EditRow> Rows;
  StringRef Section;
  while (!Page.empty()) {
    auto [Line, Rest] = Page.split('\n');
    Page = Rest;
    if (Line.starts_with("## "))
      Section = Line.drop_front(3).trim();
    SmallVector<StringRef, 3> Cells = cells(Line, 3);
    if (!Cells.empty() && isCode(Cells[0]))
      Rows.push_back({Section, Cells[0], Cells[1], Cells[2]});
  }
  return Rows;
}

std::vector<VerdictWord> hotjit::parseVerdictWords(StringRef Page) {
  std::vector<VerdictWord> Words;
  bool InTable = false;
  while (!Page.empty()) {
    auto [Line, Rest] = Page.split('\n');
    Page = Rest;
    SmallVector<StringRef, 3> Cells = cells(Line, 3);
    if (Cells.empty())
      InTable = false;
    else if (Cells[0] == "word")
      InTable = true;
    else if (InTable && !Cells[0].starts_with("-"))
      Words.push_back({Cells[0], Cells[1], Cells[2]});
  }
  return Words;
}

/// Whether the verdict names the word as a whole one.
static bool names(StringRef Verdict, StringRef Word) {
  for (size_t At = Verdict.find(Word); At != StringRef::npos;
       At = Verdict.find(Word, At + 1)) {
    auto IsPart = [&](size_t I) {
      return I < Verdict.size() && (isAlnum(Verdict[I]) || Verdict[I] == '-');
    };
    if ((At == 0 || !IsPart(At - 1)) && !IsPart(At + Word.size()))
      return true;
  }
  return false;
}

std::optional<std::string> hotjit::explainCode(StringRef Page, StringRef Code) {
  std::string Wanted = Code.upper();
  for (const EditRow &Row : parseEditRows(Page)) {
    if (Row.Code != Wanted)
      continue;
    std::string Text = fmt::format("{}: {}\n  in: {}\n\n{}\n\n", Row.Code,
                                   Row.Edit, Row.Section, Row.Verdict);
    for (const VerdictWord &W : parseVerdictWords(Page))
      if (names(Row.Verdict, W.Word))
        Text +=
            fmt::format("{}: {}. Shown as: {}\n", W.Word, W.Happens, W.Seen);
    return Text;
  }
  return std::nullopt;
}
