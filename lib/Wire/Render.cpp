// Events as lines for people. One line says how a reload ended; lines below it
// say what else one must know (a reason per refusal, where old code still
// runs), each with the same prefix, so that grep and eyes find them:
//
//   [hotjit] #4 live: lvm.c: luaV_concat; pending: lvm.c: luaV_execute in ...
//   [hotjit] #4 pending: luaV_execute: on the stack of thread 1 ... HJ1103
//
// Files are shown by their shortest name that is clear within the event.

#include "Wire/Render.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include <cstring>
#include <set>

using namespace llvm;
using namespace hotjit;
using namespace hotjit::wire;

// More names than this, and functions of more files, are counted: the rest is
// in `hotjit log --json`.
static constexpr size_t MaxNames = 6;
static constexpr size_t MaxFiles = 4;
// More reasons than this, and one, are counted: a class that has grown leads to
// refusals of functions all over the program.
static constexpr size_t MaxReasons = 4;

namespace {

enum class Color { Good, Attention, Bad, Plain };

/// Names of the files of one event.
class FileNames {
public:
  explicit FileNames(const Event &E) {
    for (const std::string &F : E.Files)
      Paths.insert(F);
    for (const Verdict &V : E.Verdicts)
      if (!V.File.empty())
        Paths.insert(V.File);
  }

  /// The last component, with as many before it as tell it from the others.
  StringRef shorten(StringRef Path) const {
    size_t Slash = Path.rfind('/');
    while (Slash != StringRef::npos && Slash > 0 &&
           isAmbiguous(Path, Path.substr(Slash)))
      Slash = Path.rfind('/', Slash);
    return Slash == StringRef::npos ? Path : Path.substr(Slash + 1);
  }

private:
  bool isAmbiguous(StringRef Path, StringRef Suffix) const {
    return llvm::any_of(Paths, [&](StringRef Other) {
      return Other != Path && Other.ends_with(Suffix);
    });
  }
  std::set<std::string, std::less<>> Paths;
};

} // namespace

/// Without what could steer a terminal; newlines and tabs stay.
static std::string printable(StringRef Text) {
  std::string Result = Text.str();
  for (char &C : Result)
    if ((static_cast<unsigned char>(C) < ' ' && C != '\n' && C != '\t') ||
        C == 0x7f)
      C = '?';
  return Result;
}

static std::string paint(bool On, Color C, StringRef Text) {
  if (!On || C == Color::Plain)
    return Text.str();
  const char *Code = C == Color::Good        ? "\033[1;32m"
                     : C == Color::Attention ? "\033[1;33m"
                                             : "\033[1;31m";
  return fmt::format("{}{}\033[0m", Code, Text);
}

static Color colorOf(VerdictKind K) {
  switch (K) {
  case VerdictKind::Live:
  case VerdictKind::Added:
  case VerdictKind::Removed:
    return Color::Good;
  case VerdictKind::Note:
  case VerdictKind::Pending:
  case VerdictKind::Partial:
  case VerdictKind::Held:
    return Color::Attention;
  case VerdictKind::Refused:
    return Color::Bad;
  }
  return Color::Plain;
}

std::string hotjit::wire::asWritten(std::string Text) {
  static constexpr std::pair<StringLiteral, StringLiteral> Spelled[] = {
      {"std::__cxx11::basic_string<char, std::char_traits<char>, "
       "std::allocator<char>>",
       "std::string"},
      {"std::__1::basic_string<char, std::__1::char_traits<char>, "
       "std::__1::allocator<char>>",
       "std::string"},
      {"std::basic_string_view<char, std::char_traits<char>>",
       "std::string_view"},
      {"std::__cxx11::", "std::"},
      {"std::__1::", "std::"},
      {"[abi:cxx11]", ""},
  };
  for (const auto &[Long, Short] : Spelled)
    for (size_t At = Text.find(Long.data()); At != std::string::npos;
         At = Text.find(Long.data(), At))
      Text.replace(At, Long.size(), Short.data());
  return Text;
}

std::string hotjit::wire::renderMilliseconds(double Ms) {
  if (Ms >= 9.95)
    return fmt::format("{:.0f}", Ms);
  std::string Text = fmt::format("{:.{}f}", Ms, Ms >= 0.995 ? 1 : 2);
  while (StringRef(Text).ends_with("0"))
    Text.pop_back();
  if (StringRef(Text).ends_with("."))
    Text.pop_back();
  return Text;
}

static std::string times(const std::optional<Timings> &T, bool All) {
  if (!T)
    return "";
  auto Ms = renderMilliseconds;
  if (All)
    return fmt::format(" in {} ms (detect {}, parse {}, compile {}, diff {}, "
                       "link {}, commit {})",
                       Ms(T->Total), Ms(T->Detect), Ms(T->Parse),
                       Ms(T->Compile), Ms(T->Diff), Ms(T->Link), Ms(T->Commit));
  return fmt::format(" in {} ms (parse {}, compile {}, link {}, commit {})",
                     Ms(T->Total), Ms(T->Parse), Ms(T->Compile), Ms(T->Link),
                     Ms(T->Commit));
}

static std::string namesOf(ArrayRef<std::string> Names) {
  std::string Text = join(Names.take_front(MaxNames), ", ");
  if (Names.size() > MaxNames)
    Text += fmt::format(" and {} more", Names.size() - MaxNames);
  return Text;
}

static std::string filesOf(const Event &E, const FileNames &Files) {
  std::vector<std::string> Names;
  for (const std::string &F : E.Files)
    Names.push_back(Files.shorten(F).str());
  return namesOf(Names);
}

/// "lstrlib.c: str_upper, str_lower; lvm.c: luaV_concat": the functions that
/// the user edited and that got this verdict, by file.
static std::string functionsOf(const Event &E, VerdictKind K,
                               const FileNames &Files) {
  std::vector<std::pair<std::string, std::vector<std::string>>> ByFile;
  for (const Verdict &V : E.Verdicts) {
    if (V.Kind != K || !V.Edited)
      continue;
    if (ByFile.empty() || ByFile.back().first != V.File)
      ByFile.push_back({V.File, {}});
    ByFile.back().second.push_back(V.Name);
  }
  std::string Text;
  ArrayRef Shown = ArrayRef(ByFile).take_front(MaxFiles);
  for (const auto &[File, Names] : Shown)
    Text += fmt::format("{}{}: {}", Text.empty() ? "" : "; ",
                        Files.shorten(File), namesOf(Names));
  size_t Others = 0;
  for (const auto &[File, Names] : ArrayRef(ByFile).drop_front(Shown.size()))
    Others += Names.size();
  if (Others)
    Text += fmt::format("; and {} more in {} other files", Others,
                        ByFile.size() - Shown.size());
  return Text;
}

/// "widget.h:12: size of 'Widget' changed ... HJ1402"
static std::string reasonOf(const Verdict &V, const FileNames &Files,
                            bool WithPlace) {
  std::string Text;
  std::string Place = fmt::format("{}:{}: ", Files.shorten(V.File), V.Line);
  if (WithPlace && !V.File.empty() && !StringRef(V.Message).contains(Place))
    Text += Place;
  // A pending one's message names a thread, which may be called as anything.
  bool Named = V.Name.empty() || (V.Kind != VerdictKind::Pending &&
                                  StringRef(V.Message).contains(V.Name));
  if (!Named)
    Text += V.Name + ": ";
  Text += V.Message;
  if (!V.Code.empty())
    Text += " " + V.Code;
  return Text;
}

namespace {

/// Writes the lines of one event.
class Lines {
public:
  Lines(const Event &E, bool Color) : E(E), Files(E), Color(Color) {}

  void add(const Twine &Head, enum Color C, const Twine &Text) {
    std::string Number = E.Reload ? fmt::format("#{} ", E.Reload) : "";
    Out += fmt::format("[hotjit] {}{}{}\n", Number,
                       paint(Color, C, printable(Head.str())),
                       printable(asWritten(Text.str())));
  }

  const Event &E;
  FileNames Files;
  std::string Out;

private:
  bool Color;
};

} // namespace

static std::string unitsText(const Event &E) {
  return fmt::format("{} translation unit{}", E.Units, E.Units == 1 ? "" : "s");
}

static void renderFound(Lines &L) {
  const Event &E = L.E;
  if (E.What == Event::Kind::Ready)
    L.add("ready", Color::Good,
          fmt::format(": {}, {} functions, socket {} ({:.2f} s)", unitsText(E),
                      E.Functions, E.Socket, E.ElapsedMs / 1000));
  else
    L.add("loaded", Color::Good,
          ": " + filesOf(E, L.Files) + ": " + unitsText(E));
  std::vector<std::string> Stale;
  for (const std::string &F : E.Stale)
    Stale.push_back(L.Files.shorten(F).str());
  if (!Stale.empty())
    L.add("note", Color::Attention,
          ": newer than the program: " + namesOf(Stale));
  for (const std::string &N : E.Notes)
    L.add("note", Color::Attention, ": " + N);
}

/// The kinds in the order in which a commit's line lists them.
static constexpr VerdictKind Committed[] = {
    VerdictKind::Live, VerdictKind::Added,   VerdictKind::Removed,
    VerdictKind::Note, VerdictKind::Pending, VerdictKind::Partial,
};

/// A line for each verdict that is more than "live".
static void renderNotes(Lines &L) {
  for (const Verdict &V : L.E.Verdicts)
    if (!V.Message.empty() && colorOf(V.Kind) != Color::Good &&
        V.Kind != VerdictKind::Held)
      L.add(spell(V.Kind), colorOf(V.Kind),
            ": " + reasonOf(V, L.Files, /*WithPlace=*/false));
}

static void renderReloaded(Lines &L, bool Verbose) {
  const Event &E = L.E;
  std::string Head, Text;
  Color HeadColor = Color::Good;
  for (VerdictKind K : Committed) {
    std::string Functions = functionsOf(E, K, L.Files);
    if (Functions.empty())
      continue;
    if (Head.empty()) {
      Head = spell(K).str();
      HeadColor = colorOf(K);
      Text = ": " + Functions;
    } else {
      Text += fmt::format("; {}: {}", spell(K), Functions);
    }
  }
  if (Head.empty()) { // only what is swapped along
    Head = "live";
    Text = ": " + filesOf(E, L.Files);
  }
  size_t Along =
      llvm::count_if(E.Verdicts, [](const Verdict &V) { return !V.Edited; });
  if (Along)
    Text += fmt::format(" (+{} that depend on it)", Along);
  std::vector<std::string> Held; // Files that were refused before.
  for (const Verdict &V : E.Verdicts)
    if (V.Kind == VerdictKind::Held)
      Held.push_back(L.Files.shorten(V.File).str());
  if (!Held.empty())
    Text += "; not live: " + namesOf(Held);
  L.add(Head, HeadColor, Text + times(E.Times, Verbose));
  renderNotes(L);
}

static void renderRefused(Lines &L) {
  std::vector<const Verdict *> Reasons;
  for (const Verdict &V : L.E.Verdicts)
    if (V.Kind == VerdictKind::Refused || V.Kind == VerdictKind::Pending)
      Reasons.push_back(&V);
  size_t Shown = Reasons.size() <= MaxReasons + 1 ? Reasons.size() : MaxReasons;
  for (const Verdict *V : ArrayRef(Reasons).take_front(Shown))
    L.add(spell(V->Kind), colorOf(V->Kind),
          ": " + reasonOf(*V, L.Files, /*WithPlace=*/true));
  if (Reasons.empty())
    L.add("refused", Color::Bad, ": " + filesOf(L.E, L.Files));
  if (Shown < Reasons.size())
    L.add("refused", Color::Bad,
          fmt::format(": and {} more reasons; hotjit log --json has them",
                      Reasons.size() - Shown));
  std::string Held = functionsOf(L.E, VerdictKind::Held, L.Files);
  if (!Held.empty())
    L.add("held", Color::Attention, ": " + Held);
}

static void renderFailed(Lines &L, StringRef Diagnostics) {
  const Event &E = L.E;
  std::string Text;
  if (!E.Files.empty())
    Text += ": " + filesOf(E, L.Files);
  if (E.Stage != "compile")
    Text += ": " + E.Stage;
  L.add("failed", Color::Bad, Text + ": " + E.Message);
  L.Out += printable(Diagnostics);
}

static void renderCrashed(Lines &L) {
  const Event &E = L.E;
  const char *Signal = ::sigabbrev_np(E.Signal);
  L.add("crashed", Color::Bad,
        fmt::format(
            ": SIG{} in {}{}: {}", Signal ? Signal : "?", E.CrashedFunction,
            E.Generation ? fmt::format(" (generation {})", *E.Generation) : "",
            E.Action));
  for (const std::string &Frame : E.Backtrace)
    L.add("", Color::Plain, "  " + Frame);
}

static std::string liveGeneration(const Event &E) {
  unsigned G = E.Generation.value_or(0);
  return G ? fmt::format(": generation {} is live", G)
           : ": the program runs as it was built";
}

static bool endsReload(Event::Kind K) {
  return K == Event::Kind::Reloaded || K == Event::Kind::Refused ||
         K == Event::Kind::Failed || K == Event::Kind::Unchanged;
}

std::string Renderer::render(const Event &E) {
  Lines L(E, Options.Color);
  std::string Texts;
  if (auto Found = Diagnostics.find(E.Reload);
      Found != Diagnostics.end() && E.What != Event::Kind::Diagnostics) {
    Texts = std::move(Found->second);
    Diagnostics.erase(Found);
  }
  if (endsReload(E.What))
    LastEnded = E.Reload;
  switch (E.What) {
  case Event::Kind::Ready:
  case Event::Kind::Loaded:
    renderFound(L);
    break;
  case Event::Kind::Unloaded:
    L.add("unloaded", Color::Plain,
          ": " + filesOf(E, L.Files) + ": " + unitsText(E));
    break;
  case Event::Kind::Changed:
    if (Options.Verbose)
      L.add("changed", Color::Plain, ": " + filesOf(E, L.Files));
    break;
  case Event::Kind::Waiting:
    if (Options.Verbose)
      L.add("waiting", Color::Plain,
            ": " + filesOf(E, L.Files) + ": for a safe point of the program");
    break;
  case Event::Kind::Diagnostics: {
    std::string Text = E.Rendered;
    if (!Text.empty() && Text.back() != '\n')
      Text += '\n';
    if (E.Reload > LastEnded) {
      Diagnostics[E.Reload] += Text;
      break;
    }
    L.add("failed", Color::Bad,
          ": " + L.Files.shorten(E.File).str() +
              ": does not compile with what is live; a build will fail");
    L.Out += printable(Text);
    break;
  }
  case Event::Kind::Reloaded:
    renderReloaded(L, Options.Verbose);
    L.Out += printable(Texts); // warnings
    break;
  case Event::Kind::Refused:
    renderRefused(L);
    break;
  case Event::Kind::Failed:
    // The newer save that superseded it gets its own line.
    if (E.Stage != "superseded" || Options.Verbose)
      renderFailed(L, Texts);
    break;
  case Event::Kind::Unchanged:
    // No file: the text is what is live again.
    L.add("unchanged", Color::Plain,
          (E.Files.empty() ? "" : ": " + filesOf(E, L.Files)) +
              ": no code change" +
              (E.Times ? fmt::format(" in {} ms",
                                     renderMilliseconds(E.Times->Total))
                       : ""));
    renderNotes(L);
    break;
  case Event::Kind::Settled:
    L.add("settled", Color::Good,
          ": " + namesOf(E.SettledFunctions) + ": no old code runs any more");
    break;
  case Event::Kind::Undone:
  case Event::Kind::Redone:
    L.add(E.What == Event::Kind::Undone ? "undone" : "redone", Color::Good,
          liveGeneration(E));
    renderNotes(L);
    break;
  case Event::Kind::Paused:
    L.add("paused", Color::Attention, ": saves wait for 'hotjit resume'");
    break;
  case Event::Kind::Resumed:
    L.add("resumed", Color::Good, "");
    break;
  case Event::Kind::Crashed:
    renderCrashed(L);
    break;
  case Event::Kind::Off:
    L.add("off", Color::Bad, ": " + E.Message + "; the program runs on");
    break;
  }
  return std::move(L.Out);
}
