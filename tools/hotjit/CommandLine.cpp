// The command line, as LLVM's tools read theirs: a table made by TableGen from
// Options.td. What LLVM's parser does not do is here: options belong to
// commands, and what follows PROGRAM belongs to the program.

#include "CommandLine.h"
#include "Support/Error.h"
#include "Support/FmtSupport.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Option/Option.h"

using namespace hotjit;
using namespace llvm;
using namespace llvm::opt;

#define OPTTABLE_STR_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_STR_TABLE_CODE

#define OPTTABLE_PREFIXES_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_PREFIXES_TABLE_CODE

#define OPTTABLE_SUBCOMMAND_IDS_TABLE_CODE
#include "Options.inc"
#undef OPTTABLE_SUBCOMMAND_IDS_TABLE_CODE

#define OPTTABLE_SUBCOMMANDS_CODE
#include "Options.inc"
#undef OPTTABLE_SUBCOMMANDS_CODE

static constexpr OptTable::Info HotjitOptions[] = {
#define OPTION(...) LLVM_CONSTRUCT_OPT_INFO(__VA_ARGS__),
#include "Options.inc"
#undef OPTION
};

namespace {
class HotjitOptTable : public GenericOptTable {
public:
  HotjitOptTable()
      : GenericOptTable(OptionStrTable, OptionPrefixesTable, HotjitOptions,
                        /*IgnoreCase=*/false, OptionSubCommands,
                        OptionSubCommandIDsTable) {}
};
} // namespace

const OptTable &CommandLine::table() {
  static const HotjitOptTable Table;
  return Table;
}

StringRef hotjit::nearest(StringRef Name, ArrayRef<StringRef> Names) {
  StringRef Best;
  // Two typing errors, or one in a very short name.
  unsigned BestDistance = Name.size() < 4 ? 2 : 3;
  for (StringRef Candidate : Names) {
    unsigned Distance = Name.edit_distance(Candidate, true, BestDistance);
    if (Distance < BestDistance) {
      BestDistance = Distance;
      Best = Candidate;
    }
  }
  return Best;
}

static std::string didYouMean(StringRef Near) {
  return Near.empty() ? "" : fmt::format("; did you mean '{}'?", Near);
}

static Error unknownCommand(StringRef Name) {
  std::vector<StringRef> Names;
  for (const OptTable::SubCommand &C : OptionSubCommands)
    Names.push_back(C.Name);
  return makeError("no command '{}'{}", Name, didYouMean(nearest(Name, Names)));
}

static bool isCommand(StringRef Name) {
  return llvm::any_of(OptionSubCommands, [&](const OptTable::SubCommand &C) {
    return Name == C.Name;
  });
}

static bool belongsTo(const Arg &A, StringRef Command) {
  return A.getOption().isRegisteredSC(Command);
}

static Error unknownOption(StringRef Text, StringRef Command) {
  const OptTable &Table = CommandLine::table();
  std::vector<std::string> Spelled;
  for (unsigned Id = 1; Id < Table.getNumOptions(); ++Id) {
    Option O = Table.getOption(Id);
    if (O.isValid() && O.getKind() != Option::GroupClass &&
        !O.getName().empty() && !O.getAlias().isValid() &&
        O.getKind() != Option::InputClass &&
        O.getKind() != Option::UnknownClass && O.isRegisteredSC(Command))
      Spelled.push_back(O.getPrefixedName().str());
  }
  std::vector<StringRef> Names(Spelled.begin(), Spelled.end());
  StringRef Name = Text.split('=').first;
  return makeError("{}: no option '{}'{}", Command, Name,
                   didYouMean(nearest(Name, Names)));
}

/// How many words at the front are options of `run`: all up to PROGRAM.
static size_t countOptions(ArrayRef<const char *> Words) {
  const OptTable &Table = CommandLine::table();
  InputArgList All(Words.begin(), Words.end());
  unsigned Index = 0;
  while (Index < Words.size()) {
    if (!StringRef(Words[Index]).starts_with("-") ||
        StringRef(Words[Index]) == "--")
      return Index;
    std::unique_ptr<Arg> A = Table.ParseOneArg(All, Index);
    if (!A) // its value is missing; the parser will say so
      return Words.size();
  }
  return Index;
}

Expected<CommandLine::Parsed> CommandLine::parse(ArrayRef<const char *> Words) {
  Parsed Result;
  if (Words.empty())
    return makeError("no command; see 'hotjit --help'");
  Result.Command = Words.front();
  if (!isCommand(Result.Command))
    return unknownCommand(Result.Command);
  Words = Words.drop_front();

  bool EndsAtWord = Result.Command == "run";
  auto DashDash =
      llvm::find_if(Words, [](const char *W) { return StringRef(W) == "--"; });
  size_t Front = EndsAtWord ? countOptions(Words) : DashDash - Words.begin();
  ArrayRef<const char *> Rest = Words.drop_front(Front);
  if (!Rest.empty() && StringRef(Rest.front()) == "--")
    Rest = Rest.drop_front();

  unsigned MissingIndex = 0, MissingCount = 0;
  Result.Options =
      table().ParseArgs(Words.take_front(Front), MissingIndex, MissingCount);
  if (MissingCount)
    return makeError("{}: '{}' needs a value", Result.Command,
                     Words[MissingIndex]);
  for (const Arg *A : Result.Options) {
    if (A->getOption().getKind() == Option::InputClass)
      Result.Words.push_back(A->getValue());
    else if (A->getOption().getKind() == Option::UnknownClass ||
             !belongsTo(*A, Result.Command))
      return unknownOption(A->getSpelling(), Result.Command);
  }
  for (const char *W : Rest)
    Result.Words.push_back(W);
  return Result;
}

void CommandLine::printHelp(raw_ostream &OS, StringRef Command) {
  if (!Command.empty()) {
    for (const OptTable::SubCommand &C : OptionSubCommands)
      if (Command == C.Name)
        table().printHelp(OS, C.Usage, ("hotjit " + Command).str().c_str(),
                          false, false, Visibility(), Command);
    return;
  }
  OS << "hotjit: save a C or C++ file and the running program calls the new "
        "code\n\nUSAGE: hotjit COMMAND [options]\n\nCOMMANDS:\n";
  for (const OptTable::SubCommand &C : OptionSubCommands)
    OS << fmt::format("  {:<10} {}\n", C.Name, C.HelpText);
  OS << "\n'hotjit COMMAND --help' lists a command's options.\n";
}
