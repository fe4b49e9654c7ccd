// Most saves change the inside of a function and nothing else. To know that,
// without compiling anything, the old text is cut at the bodies that its
// compile found,
//
//   #include ... int f() | { ... } | static int n; int g() | { ... } | ...
//
// and the new one is read along it: what stands between bodies must be the
// same, token by token, and where the old text has a body the new one must have
// an opening brace; its body ends at the matching closing one. Texts are
// compared only around what differs, so a file of a megabyte costs no more than
// its edited function.
//
// Braces are counted in raw tokens, before the preprocessor: `#if` can
// unbalance them, and then what follows does not match, or the compiler, which
// sees the truth, finds other bodies than were found here. So a wrong guess
// costs time and nothing else.
//
// A directive inside a body may reach beyond it (#define, #pragma): only
// conditionals may be edited there.

#include "Compile/UnitText.h"
#include "clang/Basic/LangOptions.h"
#include "clang/Lex/Lexer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include <cstring>

using namespace hotjit;
using llvm::StringRef;

namespace {

/// A token of a text before the preprocessor.
struct RawToken {
  clang::tok::TokenKind Kind;
  StringRef Text;
  uint32_t Offset; ///< in the region
  bool StartsLine;
  bool AfterSpace;

  /// A macro that makes a string of its argument sees white space.
  bool operator==(const RawToken &Other) const {
    return Kind == Other.Kind && Text == Other.Text &&
           AfterSpace == Other.AfterSpace;
  }
};

/// A part of a text that begins and ends at a body, or with the file.
struct Region {
  Region(StringRef Text, uint32_t Begin, uint32_t End,
         const clang::LangOptions &Language)
      : Begin(Begin), Copy(Text.slice(Begin, End)) {
    // The lexer wants a zero behind the text: hence the copy.
    const char *Start = Copy.c_str();
    clang::Lexer Lexer(clang::SourceLocation(), Language, Start, Start,
                       Start + Copy.size());
    clang::Token T;
    do {
      Lexer.LexFromRawLexer(T);
      if (T.is(clang::tok::eof))
        break;
      uint32_t TokenEnd = Lexer.getBufferLocation() - Start;
      uint32_t At = TokenEnd - T.getLength();
      Tokens.push_back({T.getKind(), StringRef(Start + At, T.getLength()), At,
                        T.isAtStartOfLine(),
                        T.hasLeadingSpace() || T.isAtStartOfLine()});
    } while (true);
  }
  Region(const Region &) = delete;

  uint32_t offset(size_t Token) const { return Begin + Tokens[Token].Offset; }

  uint32_t Begin;
  std::string Copy;
  std::vector<RawToken> Tokens;
};

} // namespace

/// The token behind the brace that closes the one at Open; none if nothing
/// does.
static std::optional<size_t> behindBlock(const Region &R, size_t Open) {
  unsigned Depth = 0;
  for (size_t I = Open; I != R.Tokens.size(); ++I) {
    if (R.Tokens[I].Kind == clang::tok::l_brace)
      ++Depth;
    else if (R.Tokens[I].Kind == clang::tok::r_brace && --Depth == 0)
      return I + 1;
  }
  return std::nullopt;
}

/// What in the tokens of a body reaches beyond it; empty if nothing does.
static StringRef reachesOut(const Region &R, size_t Begin, size_t End) {
  for (size_t I = Begin; I != End; ++I) {
    const RawToken &T = R.Tokens[I];
    if (T.Kind == clang::tok::raw_identifier &&
        (T.Text == "_Pragma" || T.Text == "__pragma"))
      return "_Pragma in a body";
    if (T.Kind != clang::tok::hash || !T.StartsLine || I + 1 == End)
      continue;
    bool IsConditional = llvm::StringSwitch<bool>(R.Tokens[I + 1].Text)
                             .Cases({"if", "ifdef", "ifndef", "elif"}, true)
                             .Cases({"elifdef", "elifndef"}, true)
                             .Cases({"else", "endif", "error"}, true)
                             .Default(false);
    if (!IsConditional)
      return "a directive in a body";
  }
  return "";
}

namespace {

/// Reads two regions side by side.
class Reader {
public:
  Reader(const Region &Old, const Region &New) : Old(Old), New(New) {}

  /// Up to the old token at Offset both must be the same.
  bool outside(uint32_t Offset);
  /// Both must have a body here; sets its place in the new text. False with an
  /// empty Why: there is none.
  bool body(const BodyText &Was, BodyText &Now, bool &Touched,
            std::string &Why);
  bool rest();

private:
  const Region &Old;
  const Region &New;
  size_t I = 0, J = 0;
};

} // namespace

bool Reader::outside(uint32_t Offset) {
  for (; I != Old.Tokens.size() && Old.offset(I) < Offset; ++I, ++J)
    if (J == New.Tokens.size() || !(Old.Tokens[I] == New.Tokens[J]))
      return false;
  return true;
}

bool Reader::body(const BodyText &Was, BodyText &Now, bool &Touched,
                  std::string &Why) {
  if (I == Old.Tokens.size() || Old.offset(I) != Was.Begin ||
      J == New.Tokens.size() || New.Tokens[J].Kind != clang::tok::l_brace)
    return false;
  std::optional<size_t> OldEnd = behindBlock(Old, I);
  std::optional<size_t> NewEnd = behindBlock(New, J);
  if (!OldEnd || !NewEnd || Old.offset(*OldEnd - 1) + 1 != Was.End)
    return false;
  Now = Was;
  Now.Begin = New.offset(J);
  Now.End = New.offset(*NewEnd - 1) + 1;
  StringRef OldText =
      StringRef(Old.Copy).slice(Was.Begin - Old.Begin, Was.End - Old.Begin);
  StringRef NewText =
      StringRef(New.Copy).slice(Now.Begin - New.Begin, Now.End - New.Begin);
  Touched = OldText != NewText;
  if (Touched) {
    StringRef Problem = reachesOut(Old, I, *OldEnd);
    if (Problem.empty())
      Problem = reachesOut(New, J, *NewEnd);
    if (Problem.empty() && !Was.Alone)
      Problem = "other code depends on the body";
    if (!Problem.empty()) {
      Why = Problem.str();
      return false;
    }
  }
  I = *OldEnd;
  J = *NewEnd;
  return true;
}

bool Reader::rest() { return outside(~0U) && J == New.Tokens.size(); }

/// What surrounds the difference between two texts: everything before is the
/// same to the byte, and so is everything behind.
namespace {
struct Window {
  size_t FirstBody, EndBody; ///< those that may differ, and all between
  uint32_t Begin, OldEnd, NewEnd;
};
} // namespace

/// How many bytes A and B begin with in common. Whole blocks first: memcmp
/// compares a megabyte in the time that a loop takes for some kilobytes.
static size_t commonPrefix(StringRef A, StringRef B) {
  static constexpr size_t Block = 4096;
  size_t Shorter = std::min(A.size(), B.size());
  size_t At = 0;
  while (Shorter - At >= Block &&
         std::memcmp(A.data() + At, B.data() + At, Block) == 0)
    At += Block;
  while (At != Shorter && A[At] == B[At])
    ++At;
  return At;
}

static size_t commonSuffix(StringRef A, StringRef B) {
  static constexpr size_t Block = 4096;
  size_t Shorter = std::min(A.size(), B.size());
  size_t Length = 0;
  while (Shorter - Length >= Block &&
         std::memcmp(A.end() - Length - Block, B.end() - Length - Block,
                     Block) == 0)
    Length += Block;
  while (Length != Shorter &&
         *(A.end() - Length - 1) == *(B.end() - Length - 1))
    ++Length;
  return Length;
}

static Window findWindow(StringRef Old, const UnitText &Facts, StringRef New) {
  size_t Prefix = commonPrefix(Old, New);
  size_t Suffix = commonSuffix(Old.drop_front(Prefix), New.drop_front(Prefix));
  Window W;
  W.FirstBody = W.EndBody = 0;
  W.Begin = 0;
  W.OldEnd = Old.size();
  // The difference may begin in the middle of a token that ends a body.
  for (; W.FirstBody != Facts.Bodies.size(); ++W.FirstBody) {
    if (Facts.Bodies[W.FirstBody].End >= Prefix)
      break;
    W.Begin = Facts.Bodies[W.FirstBody].End;
  }
  W.EndBody = W.FirstBody;
  for (; W.EndBody != Facts.Bodies.size(); ++W.EndBody)
    if (Facts.Bodies[W.EndBody].Begin > Old.size() - Suffix) {
      W.OldEnd = Facts.Bodies[W.EndBody].Begin;
      break;
    }
  W.NewEnd = W.OldEnd + New.size() - Old.size();
  return W;
}

static void addShifts(StringRef Old, const UnitText &Facts, StringRef New,
                      const Window &W, BodyMatch &Match) {
  // Up to the window both are the same; behind it all lines move alike.
  const unsigned Above = Old.take_front(W.Begin).count('\n');
  auto LinesTo = [&](StringRef Text, uint32_t Offset) {
    return Above + 1 +
           static_cast<unsigned>(Text.slice(W.Begin, Offset).count('\n'));
  };
  Match.Shifts.push_back({Above + 1, 0});
  for (size_t B = W.FirstBody; B != W.EndBody; ++B) {
    const BodyText &Was = Facts.Bodies[B];
    int By = static_cast<int>(LinesTo(New, Match.Bodies[B].Begin)) -
             static_cast<int>(LinesTo(Old, Was.Begin));
    Match.Shifts.push_back({LinesTo(Old, Was.End), By});
  }
  Match.Shifts.push_back({~0U, static_cast<int>(LinesTo(New, W.NewEnd)) -
                                   static_cast<int>(LinesTo(Old, W.OldEnd))});
}

bool BodyMatch::movesLines() const {
  return llvm::any_of(Shifts, [](const Shift &S) { return S.By != 0; });
}

unsigned BodyMatch::newLine(unsigned Line) const {
  auto It = llvm::partition_point(
      Shifts, [&](const Shift &S) { return S.UpTo < Line; });
  return Line + It->By;
}

std::optional<BodyMatch>
hotjit::matchBodies(StringRef Old, const UnitText &Facts, StringRef New,
                    const clang::LangOptions &Language, std::string &Why) {
  Window W = findWindow(Old, Facts, New);
  Region OldRegion(Old, W.Begin, W.OldEnd, Language);
  Region NewRegion(New, W.Begin, W.NewEnd, Language);
  BodyMatch Match;
  Match.Bodies.assign(Facts.Bodies.begin(), Facts.Bodies.begin() + W.FirstBody);
  Reader Both(OldRegion, NewRegion);
  Why = "text outside function bodies changed";
  for (size_t B = W.FirstBody; B != W.EndBody; ++B) {
    const BodyText &Was = Facts.Bodies[B];
    if (!Was.Plain) { // A macro makes it: it counts as outside.
      Why = "a body made by a macro stands near the edit";
      return std::nullopt;
    }
    bool Touched = false;
    BodyText Now;
    if (!Both.outside(Was.Begin) || !Both.body(Was, Now, Touched, Why))
      return std::nullopt;
    if (Touched)
      Match.Touched.push_back(B);
    Match.Bodies.push_back(std::move(Now));
  }
  if (!Both.rest())
    return std::nullopt;
  for (size_t B = W.EndBody; B != Facts.Bodies.size(); ++B) {
    BodyText Now = Facts.Bodies[B];
    Now.Begin += New.size() - Old.size();
    Now.End += New.size() - Old.size();
    Match.Bodies.push_back(std::move(Now));
  }
  addShifts(Old, Facts, New, W, Match);
  Why.clear();
  return Match;
}

/// A brace behind this begins the body of a function, or something in one.
static bool endsDeclarator(const clang::Token &T) {
  if (T.isNot(clang::tok::raw_identifier))
    return T.is(clang::tok::r_paren);
  return llvm::StringSwitch<bool>(T.getRawIdentifier())
      .Cases({"const", "noexcept", "override", "final", "try"}, true)
      .Default(false);
}

/// From and To are in the body of one and the same function.
static bool isInOneBody(StringRef Text, size_t From, size_t To) {
  clang::LangOptions Any;
  Any.CPlusPlus = Any.CPlusPlus11 = Any.LineComment = true;
  const std::string Copy = Text.str(); // The lexer wants a zero behind it.
  const char *Start = Copy.c_str();
  clang::Lexer Lexer(clang::SourceLocation(), Any, Start, Start,
                     Start + Copy.size());
  std::optional<unsigned> Body; // how many braces are open around it
  unsigned Depth = 0;
  clang::Token T, Last;
  Last.startToken();
  for (Lexer.LexFromRawLexer(T); T.isNot(clang::tok::eof);
       Last = T, Lexer.LexFromRawLexer(T)) {
    size_t At = Lexer.getBufferLocation() - Start - T.getLength();
    if (At >= To)
      break;
    if (T.is(clang::tok::l_brace)) {
      if (!Body && At < From && endsDeclarator(Last))
        Body = Depth;
      ++Depth;
    } else if (T.is(clang::tok::r_brace) && Depth != 0 && --Depth == Body) {
      if (At >= From)
        return false;
      Body.reset();
    }
  }
  return Body.has_value();
}

bool hotjit::differInOneBody(StringRef Old, StringRef New) {
  size_t From = commonPrefix(Old, New);
  size_t Same = commonSuffix(Old.drop_front(From), New.drop_front(From));
  return isInOneBody(Old, From, Old.size() - Same) &&
         isInOneBody(New, From, New.size() - Same);
}

std::optional<uint32_t>
hotjit::endOfInclude(StringRef Text, uint32_t IncludedAt,
                     const clang::LangOptions &Language) {
  size_t LineEnd = Text.find('\n', IncludedAt);
  if (IncludedAt == 0 || LineEnd == StringRef::npos)
    return std::nullopt;
  uint32_t End = LineEnd + 1;
  if (clang::Lexer::ComputePreamble(Text, Language).Size < End)
    return std::nullopt;
  Region Above(Text, 0, End, Language);
  unsigned Open = 0;
  for (size_t I = 0; I + 1 < Above.Tokens.size(); ++I) {
    if (Above.Tokens[I].Kind != clang::tok::hash || !Above.Tokens[I].StartsLine)
      continue;
    StringRef Directive = Above.Tokens[I + 1].Text;
    if (Directive == "if" || Directive == "ifdef" || Directive == "ifndef")
      ++Open;
    else if (Directive == "endif" && Open > 0)
      --Open;
  }
  return Open == 0 ? std::optional(End) : std::nullopt;
}
