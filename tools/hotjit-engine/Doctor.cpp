// hotjit doctor's half of the engine: what would the engine do with this
// program here? Nothing is decided anew. The program's file is read as the
// engine reads the program that it is in, its units are found and compiled as
// at a start, an edit of each function is decided as an edit is, and of the
// system everything that a session needs is tried once.

#include "Agent/EngineAbi.h"
#include "Compile/Compiler.h"
#include "Faults.h"
#include "Patch/CompilerWatch.h"
#include "Patch/Patcher.h"
#include "Project/Includes.h"
#include "Project/Watcher.h"
#include "Session/Examine.h"
#include "Session/Startup.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/Checkup.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include <atomic>
#include <cstring>
#include <set>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;
using wire::CheckedFunction;
using wire::CheckedSystem;
using wire::CheckedUnit;
using wire::Checkup;

static std::vector<std::string> toVector(const char *const *Strings) {
  std::vector<std::string> Result;
  for (; Strings && *Strings; ++Strings)
    Result.push_back(*Strings);
  return Result;
}

//===-- Units and functions -----------------------------------------------===//

static const char *spell(Prognosis::Way How) {
  switch (How) {
  case Prognosis::Way::Patchable:
    return "patchable";
  case Prognosis::Way::Plain:
    return "plain";
  case Prognosis::Way::InCallers:
    return "callers";
  case Prognosis::Way::None:
    return "none";
  case Prognosis::Way::Open:
    return "open";
  }
  return "none";
}

/// The shared object that has the unit's code, if one has.
static std::string libraryOf(const ProjectUnit &U, const Image &Program) {
  if (!U.Built || Program.modules()[U.Built->Module].Executable)
    return "";
  return Program.modules()[U.Built->Module].Path;
}

static CheckedUnit checkedUnit(const ProjectUnit &U, const Image &Program) {
  CheckedUnit Result;
  Result.File = U.Unit.Path;
  Result.Module = libraryOf(U, Program);
  if (U.Built) {
    Result.Compiler = spell(U.Built->By);
    Result.Optimization = U.Built->OptLevel;
  }
  Result.Directory = U.Unit.Directory;
  Result.Command = U.Unit.Arguments;
  Result.Dropped = U.Unit.Dropped;
  if (U.Problem) {
    Result.Code = U.Problem->Code ? codeOf(*U.Problem->Code) : "";
    Result.Problem = U.Problem->Message;
  }
  return Result;
}

static CheckedFunction checkedFunction(const Prognosis &P,
                                       const CheckedUnit &Unit) {
  CheckedFunction Result;
  Result.Name = P.Name.empty() ? P.Symbol : P.Name;
  Result.Symbol = P.Symbol;
  Result.File = P.Place.File;
  Result.Line = P.Place.Line;
  Result.Unit = Unit.File;
  Result.Module = Unit.Module;
  Result.How = spell(P.How);
  Result.Code = P.Code ? codeOf(*P.Code) : "";
  Result.Message = P.Message;
  return Result;
}

namespace {
/// What a unit's text comes to.
struct Compiled {
  std::unique_ptr<CompiledUnit> Unit; ///< facts only
  std::string Problem;
};
} // namespace

namespace {
/// Compiles one unit after the other, whatever the compiler does meanwhile.
class Learner {
public:
  Learner(const TextSnapshot &Texts, CompilerWatch &Watch)
      : Texts(Texts), Watch(Watch) {}

  Compiled learn(const TranslationUnit &Unit) {
    Compiled Result;
    std::optional<Expected<CompileResult>> R;
    if (auto Failure = runCompiler(
            [&] { R.emplace(Clang->learn(Unit, Texts)); }, &Watch)) {
      // What a compile left half done stays so.
      Clang->abandon();
      (void)Clang.release();
      Clang = std::make_unique<Compiler>();
      Result.Problem = "it cannot be compiled: " + Failure->What;
    } else if (!*R) {
      Result.Problem = toString(R->takeError());
    } else if (!(*R)->Unit) {
      Result.Problem = "it does not compile with the Clang inside: " +
                       StringRef((*R)->Rendered).trim().str();
    } else {
      Result.Unit = std::make_unique<CompiledUnit>((*R)->Unit->facts());
    }
    return Result;
  }

private:
  const TextSnapshot &Texts;
  CompilerWatch &Watch;
  std::unique_ptr<Compiler> Clang = std::make_unique<Compiler>();
};
} // namespace

/// Units side by side, on all cores.
static Expected<std::vector<Compiled>> compileAll(ArrayRef<ProjectUnit> Units,
                                                  const TextSnapshot &Texts) {
  Expected<std::unique_ptr<CompilerWatch>> Watch = CompilerWatch::start();
  if (!Watch)
    return Watch.takeError();
  std::vector<Compiled> Results(Units.size());
  std::atomic<size_t> Next{0};
  auto Work = [&] {
    Learner L(Texts, **Watch);
    for (size_t I; (I = Next++) < Units.size();)
      if (!Units[I].Problem)
        Results[I] = L.learn(Units[I].Unit);
  };
  std::vector<Thread> Threads;
  unsigned Count = hardware_concurrency(Units.size()).compute_thread_count();
  Error Problem = Error::success();
  while (Threads.size() != Count && !Problem) {
    Expected<Thread> T = Thread::start("hotjit-compile", Work, StackSize::Deep);
    if (T)
      Threads.push_back(std::move(*T));
    else
      Problem = T.takeError();
  }
  for (Thread &T : Threads)
    T.join();
  if (Threads.empty())
    return std::move(Problem);
  consumeError(std::move(Problem)); // Fewer do it as well.
  return Results;
}

namespace {
/// What the functions have in common, for the advice.
struct Sums {
  size_t Plain = 0, Thunks = 0, Shared = 0, Optimized = 0;
};
} // namespace

/// Error: the program's debug info cannot be read.
static Error checkFunctions(const FileSystem &FS, Project &P,
                            const Image &Program, Checkup &C, Sums &S) {
  TextSnapshot Texts = P.Known.texts();
  Texts = Texts.with(P.Found.Superseded);
  Expected<std::vector<Compiled>> Compiles = compileAll(P.Found.Units, Texts);
  if (!Compiles)
    return Compiles.takeError();
  std::vector<Compiled> &Results = *Compiles;
  for (size_t I = 0; I != Results.size(); ++I) {
    ProjectUnit &U = P.Found.Units[I];
    if (Results[I].Unit && !U.Problem)
      if ((U.Problem = otherHeaders(FS, U, *Results[I].Unit)))
        Results[I].Unit.reset();
    CheckedUnit Checked = checkedUnit(U, Program);
    if (Checked.Problem.empty())
      Checked.Problem = Results[I].Problem;
    C.Units.push_back(Checked);
    S.Optimized += Checked.Optimization > 0;
    if (!U.Built)
      continue;
    Verdict Problem;
    Problem.Message = Checked.Problem;
    Expected<std::vector<Prognosis>> Functions =
        Results[I].Unit
            ? examineUnit(U, *Results[I].Unit, Program)
            : examineUnit(*U.Built, U.Problem.value_or(Problem), Program);
    if (!Functions)
      return Functions.takeError();
    for (const Prognosis &F : *Functions) {
      C.Functions.push_back(checkedFunction(F, Checked));
      S.Plain += F.How == Prognosis::Way::Plain;
      S.Thunks += F.NeedsAbiThunk;
      S.Shared += F.Code == Reason::SharedAddress;
    }
  }
  return Error::success();
}

//===-- The system --------------------------------------------------------===//

/// Why memory for code may be refused, as far as the system says.
static std::string whoRefusesCode(const FileSystem &FS) {
  std::string Who;
  Expected<std::string> Enforce = FS.read("/sys/fs/selinux/enforce");
  if (Enforce && StringRef(*Enforce).trim() == "1")
    Who += "SELinux enforces its policy here: allow the program execmem and "
           "execmod; ";
  consumeError(Enforce.takeError());
  Expected<std::string> Status = FS.read("/proc/self/status");
  if (Status && StringRef(*Status).contains("\nSeccomp:\t2"))
    Who += "a seccomp filter is in force here, as in a container: allow "
           "membarrier, memfd_create and mprotect; ";
  consumeError(Status.takeError());
  return Who + "hotjit needs to write code while the program runs (no W^X)";
}

static CheckedSystem checkCode(const FileSystem &FS) {
  CheckedSystem S;
  S.Name = "code";
  S.Message = "new code can be made, and entries be led to it";
  std::vector<std::string> Problems = trySystem();
  if (Problems.empty())
    return S;
  S.Good = false;
  S.Message = llvm::join(Problems, "; ");
  S.Advice = whoRefusesCode(FS);
  return S;
}

/// Watches what a session would watch.
static CheckedSystem checkWatching(const Clock &Time, const Project &P) {
  CheckedSystem S;
  S.Name = "watching";
  std::set<std::string> Folders{
      sys::path::parent_path(P.Found.CommandsPath).str()};
  for (const auto &File : P.Known.texts().files())
    Folders.insert(sys::path::parent_path(File.getKey()).str());
  auto Bad = [&](Error E) {
    S.Good = false;
    S.Message = toString(std::move(E));
    S.Advice = "saves there are not seen: 'hotjit reload' after each";
    return S;
  };
  Expected<std::unique_ptr<Watcher>> W =
      Watcher::create(Time, [](FileEvents) {});
  if (!W)
    return Bad(W.takeError());
  for (const std::string &Folder : Folders)
    if (Error E = (*W)->watch(Folder))
      return Bad(std::move(E));
  if (std::string Polls = (*W)->polling(); !Polls.empty()) {
    S.Good = false;
    S.Message = Polls;
    S.Advice = "saves are seen half a second late";
    return S;
  }
  S.Message = fmt::format("saves in {} {} are seen", Folders.size(),
                          Folders.size() == 1 ? "folder" : "folders");
  return S;
}

//===-- What to do --------------------------------------------------------===//

static void advise(Checkup &C, const Sums &S) {
  auto Units = [](size_t Count) {
    return fmt::format("{} {}", Count, Count == 1 ? "unit" : "units");
  };
  auto Functions = [](size_t Count) {
    return fmt::format("{} {}", Count, Count == 1 ? "function" : "functions");
  };
  for (const CheckedSystem &Bad : C.System)
    if (!Bad.Advice.empty())
      C.Advice.push_back(Bad.Name + ": " + Bad.Advice);
  if (S.Plain)
    C.Advice.push_back(fmt::format(
        "build with -fpatchable-function-entry=8,6: {} {} no room for a jump, "
        "and instructions have to be moved for it",
        Functions(S.Plain), S.Plain == 1 ? "has" : "have"));
  if (S.Thunks)
    C.Advice.push_back(fmt::format(
        "build with -fno-ipa-stack-alignment, and -fno-ipa-ra if functions "
        "with "
        "variable arguments are refused: GCC gave {} callers that keep to less "
        "than the ABI",
        Functions(S.Thunks)));
  if (S.Shared)
    C.Advice.push_back(fmt::format("build with -fno-ipa-icf, and link without "
                                   "--icf: {} {} an address with "
                                   "others",
                                   Functions(S.Shared),
                                   S.Shared == 1 ? "shares" : "share"));
  if (S.Optimized)
    C.Advice.push_back(fmt::format("build with -O0 or -Og: in {} that were "
                                   "optimized an edited function is "
                                   "swapped with what calls it",
                                   Units(S.Optimized)));
  std::set<std::string> Dropped;
  for (const CheckedUnit &U : C.Units)
    Dropped.insert(U.Dropped.begin(), U.Dropped.end());
  if (!Dropped.empty())
    C.Advice.push_back(fmt::format(
        "new code is compiled without {}: Clang does not know what "
        "that means, or cannot do it here; leave it out if the code "
        "depends on it",
        llvm::join(Dropped, " ")));
}

//===-- All of it ---------------------------------------------------------===//

/// What the program has opened since it runs: each by itself, as a session
/// takes it up.
static void addOpened(const FileSystem &FS, const Image &Program,
                      const ProjectOptions &Where, size_t Linked, Project &P) {
  for (size_t I = Linked; I < Program.modules().size(); ++I) {
    Expected<FoundUnits> Found = findUnits(FS, Program, Where, {I}, P.Known);
    if (!Found) {
      P.Found.Notes.push_back(fmt::format("{}: {}", Program.modules()[I].Path,
                                          toString(Found.takeError())));
      continue;
    }
    append_range(P.Found.Units, std::move(Found->Units));
    append_range(P.Found.Notes, std::move(Found->Notes));
    append_range(P.Found.Superseded, std::move(Found->Superseded));
  }
}

/// The project's libraries that are not looked at, and why.
static void noteUnreadable(const Image &Program, Checkup &C) {
  for (const ImageModule &M : Program.modules())
    if (!M.Executable && !M.HasDebugInfo && !isSystemFile(M.Path))
      C.Notes.push_back(fmt::format(
          "{}: {}", M.Path,
          M.DebugProblem.empty()
              ? "no debug information: no edit of its code can go live; build "
                "it with -g"
              : M.DebugProblem));
}

static Error examine(const hotjit_doctor_question &Question, Checkup &C) {
  RealFileSystem Files;
  RealClock Time;
  C.System.push_back(checkCode(Files));
  std::vector<std::string> Libraries = toVector(Question.linked);
  const size_t Linked = 1 + Libraries.size();
  append_range(Libraries, toVector(Question.opened));
  Expected<std::unique_ptr<Image>> Program =
      Image::ofFile(Files, Question.program, Libraries);
  if (!Program)
    return Program.takeError();
  C.Program = (*Program)->modules().front().Path;
  ProjectOptions Where;
  Where.Executable = C.Program;
  Where.BuildDirectory = Question.build_dir ? Question.build_dir : "";
  if (Question.cache_dir)
    Where.CacheFolder = std::string(Question.cache_dir) + "/texts";
  Where.Include = toVector(Question.include);
  Where.Exclude = toVector(Question.exclude);
  Expected<Project> P = findProject(Files, Time, **Program, Where, Linked);
  if (!P)
    return P.takeError();
  addOpened(Files, **Program, Where, Linked, *P);
  C.Commands = P->Found.CommandsPath;
  C.Notes = P->Found.Notes;
  noteUnreadable(**Program, C);
  C.System.push_back(checkWatching(Time, *P));
  Sums S;
  if (Error E = checkFunctions(Files, *P, **Program, C, S))
    return E;
  advise(C, S);
  // Every edit of every function would end there.
  if (const CheckedSystem &Code = C.System.front(); !Code.Good)
    return makeError("{}", Code.Message);
  return Error::success();
}

/// A crash of the compiler that not even hotjit comes back from. This process
/// is the command's own.
[[noreturn]] static void endCommand(const char *Why) {
  for (const char *Text : {"hotjit: doctor: ", Why, "\n"})
    if (::write(STDERR_FILENO, Text, strlen(Text)) < 0)
      break;
  _exit(HOTJIT_DOCTOR_CANNOT_TELL);
}

extern "C" __attribute__((visibility("default"))) char *
hotjit_engine_doctor(const hotjit_doctor_question *Question) {
  if (Question->abi != HOTJIT_ENGINE_ABI)
    return nullptr;
  Checkup C;
  C.Program = Question->program;
  if (Error E = surviveFaults(nullptr, {endCommand, endCommand}))
    C.Problem = toString(std::move(E));
  else if (Error E = examine(*Question, C))
    C.Problem = toString(std::move(E));
  return strdup(formatv("{0}", toJSON(C)).str().c_str());
}
