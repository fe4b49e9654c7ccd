// hotjit doctor: can this program be reloaded, which functions not, and what to
// do about it. The engine's library answers, the one that the program would
// get: it is opened here, reads the program's file, and says what it would do
// with it.

#include "Agent/EngineAbi.h"
#include "Commands.h"
#include "Launch.h"
#include "Libraries.h"
#include "ProgramCheck.h"
#include "Settings.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/Checkup.h"
#include "Wire/Render.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <cstdlib>
#include <dlfcn.h>
#include <map>
#include <set>

using namespace hotjit;
using namespace llvm;
using wire::CheckedFunction;
using wire::CheckedSystem;
using wire::CheckedUnit;
using wire::Checkup;

// Apart from ExitError: the doctor could say what is wrong.
enum DoctorStatus {
  Good = 0,
  No = 1,
  CannotTell = HOTJIT_DOCTOR_CANNOT_TELL,
  Partly = 3
};

//===-- Asking ------------------------------------------------------------===//

static Expected<std::string> absolutePath(StringRef Path) {
  SmallString<256> Result(Path);
  if (std::error_code Failed = sys::fs::make_absolute(Result))
    return makeError("{}: {}", Path, Failed.message());
  return Result.str().str();
}

/// Where hotjit keeps files, as the agent finds it.
static std::string cacheFolder() {
  const char *Cache = ::getenv("XDG_CACHE_HOME"), *Home = ::getenv("HOME");
  if (Cache && *Cache == '/')
    return std::string(Cache) + "/hotjit";
  if (Home && *Home == '/' && Home[1])
    return std::string(Home) + "/.cache/hotjit";
  return "";
}

static std::vector<const char *> pointersTo(ArrayRef<std::string> Strings) {
  std::vector<const char *> Result;
  for (const std::string &S : Strings)
    Result.push_back(S.c_str());
  Result.push_back(nullptr);
  return Result;
}

static Expected<Checkup> ask(StringRef Program, StringRef BuildDirectory,
                             const Libraries &With) {
  std::string Self = sys::fs::getMainExecutable(nullptr, nullptr);
  Expected<std::string> Agent = findAgent(Self);
  if (!Agent)
    return Agent.takeError();
  SmallString<256> Path(sys::path::parent_path(*Agent));
  sys::path::append(Path, "libhotjit-engine.so");
  void *Library = ::dlopen(Path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!Library)
    return makeError("{}", ::dlerror());
  auto Doctor = reinterpret_cast<hotjit_engine_doctor_function>(
      ::dlsym(Library, "hotjit_engine_doctor"));
  std::string File = Program.str(), Build = BuildDirectory.str(),
              Cache = cacheFolder();
  hotjit_doctor_question Question = {};
  Question.abi = HOTJIT_ENGINE_ABI;
  Question.program = File.c_str();
  Question.build_dir = Build.empty() ? nullptr : Build.c_str();
  Question.cache_dir = Cache.empty() ? nullptr : Cache.c_str();
  std::vector<const char *> Linked = pointersTo(With.Linked);
  std::vector<const char *> Opened = pointersTo(With.Opened);
  Question.linked = Linked.data();
  Question.opened = Opened.data();
  char *Answer = Doctor ? Doctor(&Question) : nullptr;
  if (!Answer)
    return makeError("{}: of another version", Path.str());
  Expected<json::Value> Text = json::parse(Answer);
  ::free(Answer);
  if (!Text)
    return Text.takeError();
  Checkup C;
  json::Path::Root Root("checkup");
  if (!fromJSON(*Text, C, Root))
    return Root.getError();
  if (!With.Problems.empty())
    C.System.push_back(
        {"libraries", false, llvm::join(With.Problems, "; "), ""});
  return C;
}

//===-- Printing ----------------------------------------------------------===//

static std::string counted(size_t N, StringRef What) {
  return fmt::format("{} {}{}", N, What, N == 1 ? "" : "s");
}

static std::string withCode(StringRef Text, StringRef Code) {
  return Code.empty() ? Text.str() : fmt::format("{} {}", Text, Code);
}

static std::string headline(const Checkup &C) {
  StringRef Name = sys::path::filename(C.Program);
  if (!C.Problem.empty())
    return fmt::format("{} cannot be reloaded: {}\n", Name, C.Problem);
  size_t Refused = count_if(C.Functions, [](const CheckedFunction &F) {
    return F.How == "none" || F.How == "open";
  });
  if (!Refused)
    return fmt::format("{} can be reloaded: {}, each of which can be edited\n",
                       Name, counted(C.Functions.size(), "function"));
  return fmt::format("{} can be reloaded, but for {} of {}\n", Name, Refused,
                     counted(C.Functions.size(), "function"));
}

static std::string unitText(const CheckedUnit &U, bool Verbose) {
  std::string Text = fmt::format(
      "  {} ({}{}{})", Verbose ? U.File : sys::path::filename(U.File).str(),
      U.Compiler.empty() ? "no debug info" : U.Compiler,
      U.Optimization ? fmt::format(", -O{}", U.Optimization) : "",
      U.Module.empty() ? "" : ", in " + sys::path::filename(U.Module).str());
  if (!U.Problem.empty())
    Text += ": " + withCode(U.Problem, U.Code);
  Text += "\n";
  if (!U.Dropped.empty())
    Text += "    without " + llvm::join(U.Dropped, " ") + "\n";
  if (Verbose && !U.Command.empty())
    Text += fmt::format("    in {}\n    {}\n", U.Directory,
                        llvm::join(U.Command, " "));
  return Text;
}

static StringRef sayHow(StringRef How) {
  if (How == "patchable")
    return "by the room at its entry";
  if (How == "plain")
    return "by a jump over its first instructions";
  if (How == "callers")
    return "in the code that calls it";
  if (How == "open")
    return "perhaps";
  return "not at all";
}

static StringRef sayHowMany(StringRef How) {
  if (How == "patchable")
    return "by the room at their entries";
  if (How == "plain")
    return "by jumps over their first instructions";
  if (How == "callers")
    return "in the code that calls them";
  if (How == "open")
    return "perhaps";
  return "not at all";
}

static std::string functionText(const CheckedFunction &F) {
  std::string Text =
      fmt::format("  {}:{}: {}: {}", sys::path::filename(F.File), F.Line,
                  wire::asWritten(F.Name), sayHow(F.How));
  if (!F.Message.empty())
    Text += ": " + withCode(F.Message, F.Code);
  return Text + "\n";
}

static std::string functionsText(const Checkup &C, bool Verbose) {
  std::map<std::string, size_t> Ways;
  for (const CheckedFunction &F : C.Functions)
    ++Ways[F.How];
  std::string Text;
  for (StringRef How : {"patchable", "plain", "callers", "open", "none"})
    if (size_t N = Ways[How.str()])
      Text += fmt::format("{}{} {}", Text.empty() ? "functions: " : ", ", N,
                          sayHowMany(How));
  Text += "\n";
  // What a unit suffers from, all its functions do.
  std::set<std::string> Told;
  for (const CheckedUnit &U : C.Units)
    if (!U.Problem.empty())
      Told.insert(U.File);
  for (const CheckedFunction &F : C.Functions)
    if (Verbose || (F.How == "none" && !Told.count(F.Unit)))
      Text += functionText(F);
  return Text;
}

static std::string textOf(const Checkup &C, bool Verbose) {
  std::string Text = headline(C);
  if (!C.Commands.empty())
    Text += "commands: " + C.Commands + "\n";
  for (const std::string &Note : C.Notes)
    Text += "note: " + Note + "\n";
  std::string Units;
  for (const CheckedUnit &U : C.Units)
    if (Verbose || !U.Problem.empty() || !U.Dropped.empty())
      Units += unitText(U, Verbose);
  if (!C.Units.empty())
    Text += fmt::format("units: {}\n{}", C.Units.size(), Units);
  if (!C.Functions.empty())
    Text += functionsText(C, Verbose);
  for (const CheckedSystem &S : C.System)
    Text += fmt::format("system: {}: {}{}\n", S.Name,
                        S.Good ? "" : "PROBLEM: ", S.Message);
  for (const std::string &Advice : C.Advice)
    Text += "to do: " + Advice + "\n";
  return Text;
}

//===-- The command -------------------------------------------------------===//

static int cannotTell(Error E) {
  (void)report(std::move(E));
  return CannotTell;
}

namespace {
struct Patient {
  std::string Path;
  std::optional<pid_t> Pid; ///< it runs
};
} // namespace

/// The program that the words name, or that runs.
static Expected<Patient> programOf(const CommandLine::Parsed &Line) {
  if (!Line.Words.empty()) {
    Expected<std::string> Path = findExecutable(Line.Words.front());
    if (!Path)
      return Path.takeError();
    return Patient{*Path, std::nullopt};
  }
  Expected<std::unique_ptr<wire::Client>> C = connect(Line);
  if (!C)
    return C.takeError();
  Expected<wire::Status> Status =
      (*C)->askFor<wire::Status>(wire::method::Status);
  if (!Status)
    return Status.takeError();
  return Patient{Status->Program, static_cast<pid_t>(Status->Pid)};
}

/// What of it is to be looked at; Refused if the agent cannot get in.
static Libraries librariesOf(const Patient &P, StringRef Path,
                             std::string &Refused) {
  if (Error E = checkTakesAgent(Path)) {
    Refused = toString(std::move(E));
    return {};
  }
  return P.Pid ? loadedLibraries(*P.Pid, Path) : linkedLibraries(Path);
}

int hotjit::doctorCommand(const CommandLine::Parsed &Line) {
  if (Line.Words.size() > 1) {
    errs() << "hotjit: doctor: give one program; see 'hotjit doctor --help'\n";
    return ExitUsage;
  }
  Expected<Patient> Program = programOf(Line);
  if (!Program && Program.errorIsA<wire::NoSuchProgram>())
    return report(Program.takeError());
  if (!Program)
    return cannotTell(Program.takeError());
  Expected<std::string> Path = absolutePath(Program->Path);
  if (!Path)
    return cannotTell(Path.takeError());
  std::string Build = Line.Options.getLastArgValue(OPT_build_dir).str();
  if (!Build.empty()) {
    Expected<std::string> Absolute = absolutePath(Build);
    if (!Absolute)
      return cannotTell(Absolute.takeError());
    Build = *Absolute;
  }
  std::string Refused;
  Libraries With = librariesOf(*Program, *Path, Refused);
  Expected<Checkup> C = ask(*Path, Build, With);
  if (!C)
    return cannotTell(C.takeError());
  // Nothing else matters if the agent cannot get in.
  if (!Refused.empty())
    C->Problem = Refused;
  if (Line.Options.hasArg(OPT_json))
    outs() << formatv("{0:2}\n", toJSON(*C));
  else
    outs() << textOf(*C, Line.Options.hasArg(OPT_verbose));
  StringRef Result = C->result();
  return Result == "good" ? Good : Result == "no" ? No : Partly;
}
