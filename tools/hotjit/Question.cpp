// Whose is what is typed at a terminal? Whoever reads first gets it, and the
// program may read at any moment. A question of ours that took a line of the
// program's would make it run otherwise than without hotjit. Whether a program
// that could read will read, nobody can know.
//
// So it is asked only where nothing else could: the terminal's foreground
// processes (job control lets no others read) have it open to write at most,
// and it hands out lines, with echo. Standard output and error do not count:
// shells open them for both, and nobody reads them in this mode. This is looked
// at when a question is put, and again before anything is read. (ADR 16.)

#include "Question.h"
#include "EditPages.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

//===-- May we? -----------------------------------------------------------===//

/// The numbers that a folder of /proc has as names. Nullopt: it cannot be read.
static std::optional<std::vector<int>> numbersIn(const std::string &Folder) {
  DIR *Entries = ::opendir(Folder.c_str());
  if (!Entries)
    return std::nullopt;
  std::vector<int> Result;
  while (const dirent *Entry = ::readdir(Entries)) {
    int Number;
    if (!StringRef(Entry->d_name).getAsInteger(10, Number))
      Result.push_back(Number);
  }
  ::closedir(Entries);
  return Result;
}

static std::string contents(const std::string &Path) {
  auto Text = MemoryBuffer::getFileAsStream(Path);
  return Text ? (*Text)->getBuffer().str() : "";
}

/// What /proc says of a process; nullopt: it is gone.
struct ProcessStat {
  pid_t Group;
  dev_t Terminal;
};
static std::optional<ProcessStat> statOf(pid_t Process) {
  std::string Stat = contents(fmt::format("/proc/{}/stat", Process));
  // Behind the name, which may hold anything: state, parent, group, session,
  // terminal (proc_pid_stat(5)).
  SmallVector<StringRef> Fields;
  StringRef(Stat).rsplit(')').second.split(Fields, ' ', 6, /*KeepEmpty=*/false);
  pid_t Group;
  unsigned Device;
  if (Fields.size() < 5 || Fields[2].getAsInteger(10, Group) ||
      Fields[4].getAsInteger(10, Device))
    return std::nullopt;
  return ProcessStat{Group,
                     makedev((Device >> 8) & 0xfff,
                             (Device & 0xff) | ((Device >> 12) & 0xfff00))};
}

static bool isOpenForReading(pid_t Process, int Descriptor) {
  std::string Info =
      contents(fmt::format("/proc/{}/fdinfo/{}", Process, Descriptor));
  SmallVector<StringRef> Lines;
  StringRef(Info).split(Lines, '\n');
  unsigned Flags;
  for (StringRef Line : Lines)
    if (Line.consume_front("flags:") && !Line.trim().getAsInteger(8, Flags))
      return (Flags & O_ACCMODE) != O_WRONLY;
  return false; // Closed by now.
}

static bool isTerminal(const struct stat &S, dev_t Terminal) {
  // "The terminal of whoever opens it" (tty(4)).
  const dev_t Own = makedev(5, 0);
  return S_ISCHR(S.st_mode) && (S.st_rdev == Terminal || S.st_rdev == Own);
}

static bool mayRead(pid_t Process, dev_t Terminal) {
  std::optional<std::vector<int>> Descriptors =
      numbersIn(fmt::format("/proc/{}/fd", Process));
  if (!Descriptors)
    return statOf(Process).has_value(); // Another user's, if it is there.
  return any_of(*Descriptors, [&](int D) {
    struct stat S;
    return D != STDOUT_FILENO && D != STDERR_FILENO &&
           ::stat(fmt::format("/proc/{}/fd/{}", Process, D).c_str(), &S) == 0 &&
           isTerminal(S, Terminal) && isOpenForReading(Process, D);
  });
}

/// A process of our group that may read the terminal; 0: none.
static pid_t otherReader() {
  std::optional<std::vector<int>> Processes = numbersIn("/proc");
  std::optional<ProcessStat> Self = statOf(::getpid());
  if (!Processes || !Self)
    return 1; // Nothing is known.
  for (pid_t P : *Processes)
    if (std::optional<ProcessStat> S = statOf(P); S && P != ::getpid() &&
                                                  S->Group == Self->Group &&
                                                  mayRead(P, Self->Terminal))
      return P;
  return 0;
}

Question::Question()
    : Terminal(::open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) {
}

std::string Question::whyNot() const {
  termios Mode;
  if (!Terminal || ::tcgetattr(Terminal.get(), &Mode) != 0)
    return "there is no terminal";
  if (::tcgetpgrp(Terminal.get()) != ::getpgrp())
    return "this runs in the background of its terminal";
  if (!(Mode.c_lflag & ICANON) || !(Mode.c_lflag & ECHO))
    return "the terminal is not in its usual mode";
  if (pid_t Other = otherReader())
    return fmt::format("process {} may read what is typed at this terminal; "
                       "start the program with '< /dev/null'",
                       Other);
  return "";
}

//===-- Asking ------------------------------------------------------------===//

bool Question::isAbout(const wire::Event &E) {
  // What does not compile waits for the next save, not for an answer.
  if (E.What == wire::Event::Kind::Failed)
    return E.Stage != "compile" && E.Stage != "superseded";
  // What is pending comes to life by itself.
  return E.What == wire::Event::Kind::Refused &&
         any_of(E.Verdicts, [](const wire::Verdict &V) {
           return V.Kind == wire::VerdictKind::Refused;
         });
}

void Question::write(StringRef Text) {
  if (Text.empty())
    return;
  // A terminal that takes nothing is stopped: nobody reads it now.
  [[maybe_unused]] ssize_t N =
      ::write(Terminal.get(), Text.data(), Text.size());
}

std::string Question::prompt() const {
  std::string Explain;
  if (!Asked->Codes.empty())
    Explain = fmt::format("(e)xplain {}, ", llvm::join(Asked->Codes, " "));
  return fmt::format("[hotjit] #{} {}: (k)eep the old code, {}(r)etry, (q)uit "
                     "the program? ",
                     Asked->Reload, Asked->IsRefused ? "refused" : "failed",
                     Explain);
}

void Question::ask(const wire::Event &E, StringRef Before) {
  Asked = About{E.Reload, E.Files, {}, E.What == wire::Event::Kind::Refused};
  for (const wire::Verdict &V : E.Verdicts)
    if (!V.Code.empty() && V.Kind == wire::VerdictKind::Refused &&
        !is_contained(Asked->Codes, V.Code))
      Asked->Codes.push_back(V.Code);
  write(Before);
  askAgain();
}

void Question::interrupt() {
  if (std::exchange(IsLineOpen, false))
    write("\n");
}

void Question::askAgain() {
  if (!Asked || IsLineOpen)
    return;
  write(prompt());
  IsLineOpen = true;
}

void Question::withdraw() {
  interrupt();
  Asked.reset();
}

//===-- Answers -----------------------------------------------------------===//

std::optional<Question::Answer> Question::answer() {
  pollfd P = {Terminal.get(), POLLIN, 0};
  if (!Asked || ::poll(&P, 1, 0) <= 0)
    return std::nullopt;
  if ((P.revents & (POLLHUP | POLLERR)) || !whyNot().empty()) {
    // Not ours to read.
    withdraw();
    return Answer::Keep;
  }
  char Typed[1024];
  ssize_t Size = ::read(Terminal.get(), Typed, sizeof Typed);
  if (Size < 0 && (errno == EAGAIN || errno == EINTR))
    return std::nullopt;
  const std::string Line =
      StringRef(Typed, std::max<ssize_t>(Size, 0)).trim().lower();
  IsLineOpen = false; // They have ended it.
  auto Is = [&](StringRef Word) {
    return Line == Word || Line == Word.take_front();
  };
  std::optional<Answer> Given;
  if (Is("keep") || Line.empty())
    Given = Answer::Keep;
  else if (Is("retry"))
    Given = Answer::Retry;
  else if (Is("quit"))
    Given = Answer::Quit;
  else if (Is("explain"))
    for (const std::string &Code : Asked->Codes)
      write(explainCode(EditsPage, Code).value_or(Code + "\n"));
  if (!Given)
    askAgain();
  return Given;
}
