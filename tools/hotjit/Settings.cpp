// The options of `run` and the three places they come from. One table says
// what each one is; command line, variables and .hotjit.yaml all go through
// set(), so that a value means the same everywhere and a wrong one is refused
// everywhere.

#include "Settings.h"
#include "CommandLine.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "Wire/SocketFolder.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Option/Option.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <sys/stat.h>
#include <unistd.h>

using namespace hotjit;
using namespace llvm;

ArrayRef<SettingSpec> hotjit::settingSpecs() {
  static const SettingSpec Specs[] = {
      {"build-dir", SettingKind::Folder},
      {"trigger", SettingKind::Word, {"save", "manual"}},
      {.Name = "on-refusal",
       .Kind = SettingKind::Word,
       .Words = {"keep", "ask"},
       .Unbuilt = {"restart"},
       .InProgram = false},
      {"socket", SettingKind::File},
      {.Name = "events", .Kind = SettingKind::FileOrDash, .InProgram = false},
      {.Name = "log", .Kind = SettingKind::File, .InProgram = false},
      {.Name = "color",
       .Kind = SettingKind::Word,
       .Words = {"auto", "always", "never"},
       .InProgram = false},
      {.Name = "quiet", .Kind = SettingKind::Flag, .InProgram = false},
      {"verbose", SettingKind::Flag},
      {"include", SettingKind::Globs},
      {"exclude", SettingKind::Globs},
      {"debounce", SettingKind::Number},
      {"fence", SettingKind::Word, {"on", "off"}},
      {"cache-memory", SettingKind::Number},
      {"compile-limit", SettingKind::Number},
      {"compile-memory", SettingKind::Number},
      {"check-compile", SettingKind::Flag},
  };
  return Specs;
}

std::string hotjit::variableOf(const SettingSpec &S) {
  std::string Name = "HOTJIT_" + S.Name.upper();
  llvm::replace(Name, '-', '_');
  return Name;
}

static const SettingSpec *find(StringRef Name) {
  for (const SettingSpec &S : settingSpecs())
    if (S.Name == Name)
      return &S;
  return nullptr;
}

static std::string absolute(StringRef Path, StringRef Folder) {
  SmallString<256> Result(Path);
  sys::path::make_absolute(Folder, Result);
  sys::path::remove_dots(Result);
  return Result.str().str();
}

/// "a, b or c"
static std::string oneOf(ArrayRef<StringRef> Words) {
  std::string Text;
  for (size_t I = 0; I < Words.size(); ++I)
    Text += fmt::format("{}'{}'",
                        I == 0                  ? ""
                        : I + 1 == Words.size() ? " or "
                                                : ", ",
                        Words[I]);
  return Text;
}

static Error unknownName(StringRef Name) {
  std::vector<StringRef> Names;
  for (const SettingSpec &S : settingSpecs())
    Names.push_back(S.Name);
  StringRef Near = nearest(Name, Names);
  return makeError("unknown key '{}'{}", Name,
                   Near.empty() ? ""
                                : fmt::format("; did you mean '{}'?", Near));
}

/// The value as it is kept.
static Expected<std::string> check(const SettingSpec &S, StringRef Value,
                                   StringRef Folder) {
  auto Wrong = [&](const Twine &Expected) {
    return makeError("{}: '{}' is not {}", StringRef(S.Name), Value,
                     Expected.str());
  };
  if (llvm::is_contained(S.Unbuilt, Value))
    return makeError("{} {}: not in this version", StringRef(S.Name), Value);
  switch (S.Kind) {
  case SettingKind::FileOrDash:
    if (Value == "-")
      return Value.str();
    [[fallthrough]];
  case SettingKind::File:
  case SettingKind::Folder:
    if (Value.empty())
      return Wrong("a path");
    return absolute(Value, Folder);
  case SettingKind::Word:
    if (!llvm::is_contained(S.Words, Value))
      return Wrong(oneOf(S.Words));
    return Value.str();
  case SettingKind::Flag:
    if (Value == "1" || Value == "true")
      return std::string("1");
    if (Value == "0" || Value == "false")
      return std::string("0");
    return Wrong("'true' or 'false'");
  case SettingKind::Number: {
    uint32_t Number;
    if (Value.getAsInteger(10, Number) || Number == UINT32_MAX)
      return Wrong("a number");
    return std::to_string(Number);
  }
  case SettingKind::Globs:
    if (Value.empty() || Value.contains(':'))
      return Wrong("a glob (without ':')");
    return Value.str();
  }
  return Wrong("known");
}

Error Settings::set(StringRef Name, StringRef Value, StringRef Folder) {
  const SettingSpec *S = find(Name);
  if (!S)
    return unknownName(Name);
  Expected<std::string> Checked = check(*S, Value, Folder);
  if (!Checked)
    return Checked.takeError();
  if (Name == "socket")
    if (Error E = wire::checkSocketPath(*Checked))
      return E;
  Values[Name].push_back(std::move(*Checked));
  return Error::success();
}

std::optional<StringRef> Settings::get(StringRef Name) const {
  auto Found = Values.find(Name);
  if (Found == Values.end())
    return std::nullopt;
  return StringRef(Found->second.back());
}

bool Settings::isOn(StringRef Flag) const { return get(Flag) == "1"; }

const std::vector<std::string> &Settings::all(StringRef Name) const {
  static const std::vector<std::string> None;
  auto Found = Values.find(Name);
  return Found == Values.end() ? None : Found->second;
}

void Settings::override(const Settings &Stronger) {
  for (const auto &Entry : Stronger.Values)
    Values[Entry.getKey()] = Entry.getValue();
}

std::vector<std::string> Settings::environment() const {
  std::vector<std::string> Result;
  for (const SettingSpec &S : settingSpecs()) {
    const std::vector<std::string> &Given = all(S.Name);
    if (!S.InProgram || Given.empty())
      continue;
    std::string Value =
        S.Kind == SettingKind::Globs ? join(Given, ":") : Given.back();
    Result.push_back(variableOf(S) + "=" + Value);
  }
  return Result;
}

//===-- Command line and variables ----------------------------------------===//

Expected<Settings>
hotjit::settingsOfCommandLine(const opt::InputArgList &Options,
                              StringRef Folder) {
  Settings Result;
  for (const opt::Arg *A : Options) {
    StringRef Name = A->getOption().getUnaliasedOption().getName();
    if (!find(Name))
      continue; // --help and the like
    bool IsFlag = A->getNumValues() == 0;
    if (Error E = Result.set(Name, IsFlag ? "1" : A->getValue(), Folder))
      return makeError("--{}", toString(std::move(E)));
  }
  return Result;
}

/// Variables that are not options: the switch, what the agent leaves in a
/// program, and what only the agent reads.
static bool isOtherVariable(StringRef Name) {
  return Name == "HOTJIT" || Name == "HOTJIT_PROGRAM_SOCKET" ||
         Name == "HOTJIT_LAUNCHER" || Name == "HOTJIT_COMMIT_AT_SAFEPOINT";
}

Expected<Settings> hotjit::settingsOfEnvironment(const char *const *Environment,
                                                 StringRef Folder) {
  Settings Result;
  for (; *Environment; ++Environment) {
    auto [Variable, Value] = StringRef(*Environment).split('=');
    if (!Variable.starts_with("HOTJIT") || isOtherVariable(Variable))
      continue;
    std::string Name = Variable.drop_front(StringRef("HOTJIT").size()).lower();
    llvm::replace(Name, '_', '-');
    const SettingSpec *S = find(StringRef(Name).drop_front());
    SmallVector<StringRef, 1> Parts = {Value};
    if (S && S->Kind == SettingKind::Globs) {
      Parts.clear();
      Value.split(Parts, ':', -1, /*KeepEmpty=*/false);
    }
    for (StringRef Part : Parts)
      if (Error E = Result.set(StringRef(Name).drop_front(), Part, Folder))
        return makeError("{}: {}", Variable, toString(std::move(E)));
  }
  return Result;
}

//===-- The file ----------------------------------------------------------===//

Expected<std::string> hotjit::findSettingsFile(StringRef Folder) {
  for (; !Folder.empty(); Folder = sys::path::parent_path(Folder)) {
    SmallString<256> Path(Folder);
    sys::path::append(Path, ".hotjit.yaml");
    struct stat S;
    if (::stat(Path.c_str(), &S) != 0)
      continue;
    if (S.st_uid != ::geteuid() && S.st_uid != 0)
      return makeError("{}: belongs to user {}, not to you; copy it or take "
                       "it over",
                       Path.str(), S.st_uid);
    return Path.str().str();
  }
  return std::string();
}
