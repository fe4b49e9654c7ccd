// A program built by GCC is to be compiled again by the Clang inside, into code
// that runs in the middle of what GCC made. So a command line is read in three
// ways: what the code *means* (macros, include paths, language, ABI flags) must
// reach Clang unchanged; what the code is *made into* (files, archives of LTO
// bytecode, position-dependent code) is ours to decide; and what only GCC
// understands must go, said aloud, because Clang's driver ends on it.
//
// GCC has more than a thousand flags, and new ones each year. Which of them
// Clang knows is not a list of ours: Clang's own table of driver options is
// asked. Only what the table cannot tell (flags that Clang knows and refuses
// later, flags that we decide about) is listed here, and in docs/flags.md.

#include "Project/CompileCommands.h"

#include "clang/Options/Options.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Option/Arg.h"
#include "llvm/Option/ArgList.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/StringSaver.h"

#include <optional>

namespace hotjit {

using llvm::ArrayRef;
using llvm::StringRef;
namespace options = clang::options;
namespace path = llvm::sys::path;

using Words = std::vector<std::string>;

//===----------------------------------------------------------------------===//
// The program: wrappers and the name of the compiler
//===----------------------------------------------------------------------===//

namespace {
struct CompilerName {
  bool IsCXX = false;
  bool IsClang = false;
};
} // namespace

/// "x86_64-linux-gnu-g++-12.2" is a C++ compiler, "ccache" is none.
static std::optional<CompilerName> parseCompilerName(StringRef Program) {
  StringRef Name = path::filename(Program);
  // The version: a last component of digits and dots.
  auto [Stem, Version] = Name.rsplit('-');
  if (!Version.empty() &&
      Version.find_first_not_of("0123456789.") == StringRef::npos)
    Name = Stem;
  // The target: everything up to the last dash.
  Name = Name.substr(Name.rfind('-') + 1);
  return llvm::StringSwitch<std::optional<CompilerName>>(Name)
      .Cases({"cc", "gcc", "c89", "c99"}, CompilerName{false, false})
      .Cases({"c++", "g++"}, CompilerName{true, false})
      .Case("clang", CompilerName{false, true})
      .Case("clang++", CompilerName{true, true})
      .Default(std::nullopt);
}

/// Wrappers that take options of their own before the command.
static bool takesOptions(StringRef Wrapper) {
  return Wrapper == "env" || Wrapper == "nice" || Wrapper == "libtool";
}

/// Drops what stands before the compiler: "ccache gcc", "env CC=x distcc gcc",
/// "cmake -E __run_co_compile --tidy=... -- gcc".
static ArrayRef<std::string> withoutWrappers(ArrayRef<std::string> Command) {
  ArrayRef<std::string> Rest = Command;
  bool AreOptions = false;
  while (!Rest.empty()) {
    StringRef Word = Rest.front();
    if (parseCompilerName(Word))
      return Rest;
    Rest = Rest.drop_front();
    StringRef Name = path::filename(Word);
    if (Name == "cmake")
      Rest = Rest.drop_until([](StringRef W) { return W == "--"; });
    AreOptions |= takesOptions(Name) || Name == "cmake";
    // A first word that we do not know is a wrapper only if a compiler comes
    // before any option; otherwise it is a compiler of another name.
    if (Word.starts_with("-") && !AreOptions)
      break;
  }
  return Command;
}

//===----------------------------------------------------------------------===//
// Words: response files, -Wp
//===----------------------------------------------------------------------===//

static std::string absolutePath(StringRef Directory, StringRef Path) {
  llvm::SmallString<256> Result(Path);
  if (path::is_relative(Path)) {
    Result = Directory;
    path::append(Result, Path);
  }
  return Result.str().str();
}

// What GCC itself allows, so that a file that names itself ends.
static constexpr unsigned MostResponseFiles = 2000;

/// Replaces "@file" by the words in the file, in those again, as GCC does:
/// names are relative to the command's directory, and a file that cannot be
/// read stays as the word that it is (Clang will complain about it by name).
static Words expandResponseFiles(ArrayRef<std::string> Command,
                                 StringRef Directory, const FileSystem &FS) {
  Words Expanded;
  // A stack, the next word last.
  Words Open(Command.rbegin(), Command.rend());
  unsigned FilesRead = 0;
  while (!Open.empty()) {
    std::string Word = std::move(Open.back());
    Open.pop_back();
    StringRef Name = Word;
    if (!Name.consume_front("@") || Name.empty() ||
        FilesRead == MostResponseFiles) {
      Expanded.push_back(std::move(Word));
      continue;
    }
    llvm::Expected<std::string> Text = FS.read(absolutePath(Directory, Name));
    if (!Text) {
      llvm::consumeError(Text.takeError());
      Expanded.push_back(std::move(Word));
      continue;
    }
    ++FilesRead;
    llvm::BumpPtrAllocator Memory;
    llvm::StringSaver Saver(Memory);
    llvm::SmallVector<const char *, 0> Inside;
    llvm::cl::TokenizeGNUCommandLine(*Text, Saver, Inside);
    Open.insert(Open.end(), Inside.rbegin(), Inside.rend());
  }
  return Expanded;
}

/// "-Wp,-DA,-MD,a.d" hands flags to the preprocessor: here they are made flags
/// of the driver, where the same rules find them. "-Wp,-MD,file" names the file
/// as "-MD -MF file" does.
static void appendPreprocessorFlags(StringRef Flags, Words &To) {
  llvm::SmallVector<StringRef> Parts;
  Flags.split(Parts, ',', -1, /*KeepEmpty=*/false);
  for (size_t I = 0; I != Parts.size(); ++I) {
    To.push_back(Parts[I].str());
    if ((Parts[I] == "-MD" || Parts[I] == "-MMD") && I + 1 != Parts.size()) {
      To.push_back("-MF");
      To.push_back(Parts[++I].str());
    }
  }
}

static Words withoutIndirections(const Words &Command) {
  Words Result;
  for (size_t I = 0; I != Command.size(); ++I) {
    StringRef Word = Command[I];
    if (Word.consume_front("-Wp,"))
      appendPreprocessorFlags(Word, Result);
    else if (Word == "-Xpreprocessor" && I + 1 != Command.size())
      appendPreprocessorFlags(Command[++I], Result);
    else
      Result.push_back(Command[I]);
  }
  return Result;
}

//===----------------------------------------------------------------------===//
// The rules
//===----------------------------------------------------------------------===//

namespace {
enum class Fate {
  Keep,
  Remove, ///< ours to decide: outputs, linking, position, LTO
  Drop,   ///< the new code lacks something that the old has: listed
};

struct Rule {
  StringRef Flag; ///< as written; with a star at its end: what begins so
  Fate Then;
  /// The flag takes the next word too, and Clang's table does not know it.
  bool HasValue = false;
};
} // namespace

// In the order of docs/flags.md, which gives the reasons. The first match wins.
static constexpr Rule Rules[] = {
    // Position: the new code lies anywhere, reaches everything through the GOT.
    {"-fPIC", Fate::Remove},
    {"-fpic", Fate::Remove},
    {"-fPIE", Fate::Remove},
    {"-fpie", Fate::Remove},
    {"-fno-PIC", Fate::Remove},
    {"-fno-pic", Fate::Remove},
    {"-fno-PIE", Fate::Remove},
    {"-fno-pie", Fate::Remove},
    {"-mdynamic-no-pic", Fate::Remove},
    {"-fplt", Fate::Remove},
    {"-fno-plt", Fate::Remove},
    {"-mtls-dialect=*", Fate::Remove},
    {"-ftls-model=*", Fate::Remove},
    // Only for a preprocessor that prints, or said twice.
    {"-C", Fate::Remove},
    {"-CC", Fate::Remove},
    {"-P", Fate::Remove},
    {"-remap", Fate::Remove},
    {"-mabi=sysv", Fate::Remove},
    // Link-time optimization: there is no link that would optimize.
    {"-flto*", Fate::Remove},
    {"-fno-lto", Fate::Remove},
    {"-ffat-lto-objects", Fate::Remove},
    {"-fno-fat-lto-objects", Fate::Remove},
    {"-fuse-linker-plugin", Fate::Remove},
    {"-fno-use-linker-plugin", Fate::Remove},
    {"-fwhole-program-vtables", Fate::Remove},
    {"-fno-whole-program-vtables", Fate::Remove},
    {"-fsplit-lto-unit", Fate::Remove},
    {"-fno-split-lto-unit", Fate::Remove},
    {"-funified-lto", Fate::Remove},
    {"-fno-unified-lto", Fate::Remove},
    {"-fthinlto-index=*", Fate::Remove},
    {"-fthin-link-bitcode=*", Fate::Remove},
    // Entries: what leads to new code is written at the old entry only.
    {"-fpatchable-function-entry=*", Fate::Remove},
    {"-fsplit-machine-functions", Fate::Remove},
    // Files that a compile would leave behind.
    {"-fstack-usage", Fate::Remove},
    {"-fcallgraph-info*", Fate::Remove},
    {"-fdump-*", Fate::Remove},
    {"-fsave-optimization-record*", Fate::Remove},
    {"-foptimization-record-*", Fate::Remove},
    {"-fcrash-diagnostics*", Fate::Remove},
    {"-fproc-stat-report*", Fate::Remove},
    {"-ftime-report*", Fate::Remove},
    {"-ftime-trace*", Fate::Remove},
    {"-serialize-diagnostics", Fate::Remove},
    {"--serialize-diagnostics", Fate::Remove},
    {"-index-*", Fate::Remove},
    {"-fmodule-output*", Fate::Remove},
    {"-gsplit-dwarf*", Fate::Remove},
    {"-gz*", Fate::Remove},
    {"-aux-info", Fate::Remove, true},
    {"-dumpbase", Fate::Remove, true},
    {"-dumpbase-ext", Fate::Remove, true},
    {"-dumpdir", Fate::Remove, true},
    {"-auxbase", Fate::Remove, true},
    {"-auxbase-strip", Fate::Remove, true},
    {"-wrapper", Fate::Remove, true},
    // How messages look is decided where they are shown.
    {"-fdiagnostics-color*", Fate::Remove},
    {"-fno-diagnostics-color", Fate::Remove},
    {"-fcolor-diagnostics", Fate::Remove},
    {"-fno-color-diagnostics", Fate::Remove},
    {"-fansi-escape-codes", Fate::Remove},
    {"-fdiagnostics-format=*", Fate::Remove},
    {"-fdiagnostics-parseable-fixits", Fate::Remove},
    {"-fdiagnostics-generate-patch", Fate::Remove},
    {"-fdiagnostics-show-*", Fate::Remove},
    {"-fdiagnostics-urls=*", Fate::Remove},
    {"-fdiagnostics-plain-output", Fate::Remove},
    {"-fmessage-length=*", Fate::Remove},
    // Instrumentation whose runtime keeps a table per object file.
    {"--coverage", Fate::Drop},
    {"-coverage", Fate::Drop},
    {"-fprofile-*", Fate::Drop},
    {"-fno-profile-*", Fate::Drop},
    {"-ftest-coverage", Fate::Drop},
    {"-fno-test-coverage", Fate::Drop},
    {"-fcoverage-*", Fate::Drop},
    {"-fno-coverage-*", Fate::Drop},
    {"-fcs-profile-*", Fate::Drop},
    {"-fauto-profile*", Fate::Drop},
    {"-fbranch-probabilities", Fate::Drop},
    {"-fmemory-profile*", Fate::Drop},
    {"-ftemporal-profile*", Fate::Drop},
    {"-fxray-*", Fate::Drop},
    {"-pg", Fate::Drop},
    {"-p", Fate::Drop},
    {"-mfentry", Fate::Drop},
    {"-mrecord-mcount", Fate::Drop},
    {"-mnop-mcount", Fate::Drop},
    // Clang knows these and then ends on them, or on what they name.
    {"-fplugin=*", Fate::Drop},
    {"-fplugin-arg-*", Fate::Drop},
    {"-fpass-plugin=*", Fate::Drop},
    {"-specs=*", Fate::Drop},
    {"--specs=*", Fate::Drop},
    {"-include-pch", Fate::Drop},
    {"-Wa,*", Fate::Drop},
    {"-Xassembler", Fate::Drop},
    {"-traditional*", Fate::Drop},
    {"-funsigned-bitfields", Fate::Drop},
    {"-fno-signed-bitfields", Fate::Drop},
    {"-mfunction-return=*", Fate::Drop},
    {"-mcpu=*", Fate::Drop}, // An old name of -mtune.
    {"-mhard-float", Fate::Drop},
    {"-mrtd", Fate::Drop},
    {"-msse2avx", Fate::Drop},
    {"-m3dnow*", Fate::Drop},
    {"-mno-3dnow*", Fate::Drop},
    {"-mno-fp-ret-in-387", Fate::Drop},
    {"-fembed-bitcode*", Fate::Drop},
};

static const Rule *findRule(StringRef Word) {
  for (const Rule &R : Rules) {
    StringRef Flag = R.Flag;
    if (Flag.consume_back("*") ? Word.starts_with(Flag) : Word == Flag)
      return &R;
  }
  return nullptr;
}

/// Options that say what to write where, or to stop before there is code.
/// Their joined forms ("-ofile") are why this asks for the option and not for
/// the word.
static bool isOutputOption(const llvm::opt::Option &O) {
  switch (O.getID()) {
  case options::OPT_c:
  case options::OPT_S:
  case options::OPT_E:
  case options::OPT_o:
  case options::OPT_H:
  case options::OPT_v:
  case options::OPT__HASH_HASH_HASH:
  case options::OPT_emit_llvm:
  case options::OPT_fsyntax_only:
  case options::OPT_pipe:
  case options::OPT_save_temps:
  case options::OPT_save_temps_EQ:
    return true;
  default: // Not an enum of ours.
    return O.matches(options::OPT_M_Group) || O.matches(options::OPT_d_Group);
  }
}

static bool isLinkOption(const llvm::opt::Option &O) {
  switch (O.getID()) {
  case options::OPT_pie:
  case options::OPT_no_pie:
  case options::OPT_nopie:
  case options::OPT_static:
  case options::OPT_static_pie:
  case options::OPT_static_libgcc:
  case options::OPT_static_libstdcxx:
  case options::OPT_shared:
  case options::OPT_shared_libgcc:
  case options::OPT_rdynamic:
  case options::OPT_B:
    return true;
  case options::OPT_pthread: // Defines _REENTRANT.
    return false;
  default: // Not an enum of ours.
    return O.hasFlag(options::LinkerInput) || O.hasFlag(options::LinkOption) ||
           O.matches(options::OPT_Link_Group);
  }
}

/// True for options that Clang's driver accepts for GCC's sake and ignores, or
/// refuses though it knows them.
static bool isWithoutEffect(const llvm::opt::Option &O) {
  if (O.hasFlag(options::Ignored) || O.hasFlag(options::Unsupported))
    return true;
  for (unsigned Group :
       {options::OPT_clang_ignored_f_Group, options::OPT_clang_ignored_m_Group,
        options::OPT_clang_ignored_gcc_optimization_f_Group,
        options::OPT_clang_ignored_legacy_options_Group})
    if (O.matches(Group))
      return true;
  return false;
}

static Fate fateOf(const llvm::opt::Arg &A, StringRef Word) {
  const llvm::opt::Option &O = A.getOption();
  if (const Rule *R = findRule(Word))
    return R->Then;
  if (isOutputOption(O) || isLinkOption(O))
    return Fate::Remove;
  if (O.getID() == options::OPT_UNKNOWN || isWithoutEffect(O))
    return Fate::Drop;
  return Fate::Keep;
}

/// Flags that are kept in another form: a warning must not stop a reload, and
/// Clang has no -O4.
static std::string adjusted(StringRef Word) {
  StringRef Rest = Word;
  unsigned Level;
  if (Rest.consume_front("-Werror"))
    return Rest.consume_front("=") ? ("-W" + Rest).str() : std::string();
  if (Word == "-pedantic-errors" || Word == "--pedantic-errors")
    return "-pedantic";
  if (Rest.consume_front("-O") && !Rest.getAsInteger(10, Level) && Level > 3)
    return "-O3";
  return Word.str();
}

//===----------------------------------------------------------------------===//
// Sources and their language
//===----------------------------------------------------------------------===//

/// Clang's name of the language for -x; empty for what goes to the linker.
static StringRef languageOf(StringRef Path) {
  return llvm::StringSwitch<StringRef>(path::extension(Path))
      .Case(".c", "c")
      .Case(".i", "cpp-output")
      .Cases({".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C"}, "c++")
      .Case(".ii", "c++-cpp-output")
      .Cases({".cppm", ".ccm", ".cxxm", ".c++m", ".ixx"}, "c++-module")
      .Case(".h", "c-header")
      .Cases({".hh", ".hp", ".hxx", ".hpp", ".HPP", ".h++", ".H", ".tcc"},
             "c++-header")
      .Case(".m", "objective-c")
      .Cases({".mm", ".M"}, "objective-c++")
      .Case(".s", "assembler")
      .Cases({".S", ".sx"}, "assembler-with-cpp")
      .Case(".cu", "cuda")
      .Default("");
}

/// g++ takes C for C++; Clang would too, with a warning that this is outdated.
static StringRef languageInCXXMode(StringRef Language) {
  return llvm::StringSwitch<StringRef>(Language)
      .Case("c", "c++")
      .Case("cpp-output", "c++-cpp-output")
      .Case("c-header", "c++-header")
      .Default(Language);
}

//===----------------------------------------------------------------------===//
// The translation
//===----------------------------------------------------------------------===//

namespace {
class Translation {
public:
  explicit Translation(CompilerName Compiler) : Compiler(Compiler) {}

  void addFlags(const Words &Flags);
  TranslatedCommand finish() &&;

private:
  void addOption(const llvm::opt::Arg &A, ArrayRef<std::string> Given);
  void addInput(StringRef Path);
  void dropFlagsOfOtherLanguage();
  void drop(ArrayRef<std::string> Given);

  CompilerName Compiler;
  std::string Language; ///< of the last -x; empty for none
  TranslatedCommand Result;
  Words Kept;
  Words Sources;    ///< "-x", language and path of each
  Words Incomplete; ///< a flag without its value
};
} // namespace

void Translation::drop(ArrayRef<std::string> Given) {
  std::string Text = llvm::join(Given, " ");
  if (!llvm::is_contained(Result.Dropped, Text))
    Result.Dropped.push_back(std::move(Text));
}

void Translation::addInput(StringRef Path) {
  StringRef Its = Language.empty() ? languageOf(Path) : StringRef(Language);
  if (Path.starts_with("@"))
    Kept.push_back(Path.str()); // There is no such file: Clang will say so.
  if (Its.empty() || Path.starts_with("@"))
    return; // Or an object file or a library.
  if (Compiler.IsCXX && Language.empty())
    Its = languageInCXXMode(Its);
  Sources.insert(Sources.end(), {"-x", Its.str(), Path.str()});
  Result.Sources.push_back(Path.str());
}

void Translation::addOption(const llvm::opt::Arg &A,
                            ArrayRef<std::string> Given) {
  const llvm::opt::Option &O = A.getOption();
  if (O.getID() == options::OPT_INPUT)
    return addInput(Given.front());
  if (O.getID() == options::OPT__DASH_DASH) {
    for (StringRef Path : A.getValues())
      addInput(Path);
    return;
  }
  if (O.getID() == options::OPT_x) {
    Language = StringRef(A.getValue()) == "none" ? "" : A.getValue();
    return;
  }
  switch (fateOf(A, Given.front())) {
  case Fate::Remove:
    return;
  case Fate::Drop:
    return drop(Given);
  case Fate::Keep:
    break;
  }
  std::string First = adjusted(Given.front());
  if (First.empty())
    return;
  Kept.push_back(std::move(First));
  llvm::append_range(Kept, Given.drop_front());
}

void Translation::addFlags(const Words &Flags) {
  llvm::SmallVector<const char *, 0> Pointers;
  for (const std::string &Flag : Flags)
    Pointers.push_back(Flag.c_str());
  llvm::opt::InputArgList List(Pointers.begin(), Pointers.end());
  const llvm::opt::OptTable &Table = clang::getDriverOptTable();

  for (unsigned I = 0; I < Flags.size();) {
    ArrayRef<std::string> Rest = ArrayRef(Flags).drop_front(I);
    const Rule *R = findRule(Rest.front());
    if (R && R->HasValue) {
      I += std::min<size_t>(2, Rest.size());
      continue;
    }
    unsigned Next = I;
    std::unique_ptr<llvm::opt::Arg> A = Table.ParseOneArg(
        List, Next, llvm::opt::Visibility(options::ClangOption));
    if (!A) {
      // Its value is missing. Clang says so better than we could.
      Incomplete = Rest;
      return;
    }
    // "-Xclang -include-pch -Xclang file": CMake's way with Clang. The text of
    // the header is included too, as "-include"; without it the compile fails.
    if (A->getOption().getID() == options::OPT_Xclang && Rest.size() >= 4 &&
        Rest[1] == "-include-pch" && Rest[2] == "-Xclang") {
      drop(Rest.take_front(4));
      I += 4;
      continue;
    }
    addOption(*A, Rest.take_front(Next - I));
    I = Next;
  }
}

// What GCC takes with a warning, or with none, and Clang by default as an
// error. The old text was a program; it must stay one.
static constexpr StringRef LenientAsGCC[] = {
    "-Wno-error=implicit-function-declaration",
    "-Wno-error=implicit-int",
    "-Wno-error=int-conversion",
    "-Wno-error=incompatible-function-pointer-types",
    "-Wno-error=return-mismatch",
    "-Wno-error=c++11-narrowing",
    "-Wno-error=register",
};

static constexpr StringRef Forced[] = {
    "-fPIC",
    // One section each, so that the linker can tell what belongs to what.
    "-ffunction-sections",
    "-fdata-sections",
    // Warnings about the command: it was not written for Clang.
    "-Wno-deprecated-ofast",
    "-Wno-unknown-warning-option",
    "-Wno-unused-command-line-argument",
};

/// "g++ -std=gnu99", from CXXFLAGS that were copied from CFLAGS: GCC warns and
/// ignores it, Clang ends.
void Translation::dropFlagsOfOtherLanguage() {
  if (Sources.empty())
    return;
  bool IsCXX = StringRef(Sources[1]).contains("c++");
  llvm::erase_if(Kept, [&](const std::string &Flag) {
    StringRef Value = Flag;
    bool IsStandard =
        Value.consume_front("-std=") || Value.consume_front("--std=");
    bool IsOther = IsStandard ? Value.contains("++") != IsCXX
                              : IsCXX && Flag == "-fgnu89-inline";
    if (IsOther)
      drop(Flag);
    return IsOther;
  });
}

TranslatedCommand Translation::finish() && {
  dropFlagsOfOtherLanguage();
  Words &Arguments = Result.Arguments;
  // The mode is said in words too: who replaces the program's name by a path
  // does not change the language.
  Arguments.push_back(Compiler.IsCXX ? "clang++" : "clang");
  if (Compiler.IsCXX)
    Arguments.push_back("--driver-mode=g++");
  if (!Compiler.IsClang)
    for (StringRef Flag : LenientAsGCC)
      Arguments.push_back(Flag.str());
  llvm::append_range(Arguments, Kept);
  for (StringRef Flag : Forced)
    Arguments.push_back(Flag.str());
  llvm::append_range(Arguments, Sources);
  llvm::append_range(Arguments, Incomplete);
  return std::move(Result);
}

TranslatedCommand translateCommand(ArrayRef<std::string> Command,
                                   StringRef Directory, const FileSystem &FS) {
  Words Expanded = expandResponseFiles(Command, Directory, FS);
  ArrayRef<std::string> Rest = withoutWrappers(Expanded);
  if (Rest.empty())
    return {};
  // A compiler of a name that says nothing is taken for GCC; "c++" in the name
  // of one ("mycompiler++") makes it C++.
  StringRef Name = path::filename(Rest.front());
  Translation T(parseCompilerName(Name).value_or(
      CompilerName{Name.contains("++"), /*IsClang=*/false}));
  T.addFlags(withoutIndirections(Rest.drop_front()));
  return std::move(T).finish();
}

} // namespace hotjit
