#include "Project/CompileCommands.h"

#include "ErrorMatchers.h"
#include "FakeFileSystem.h"

using namespace hotjit;
using namespace hotjit::test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Not;

namespace {

using Words = std::vector<std::string>;

class TranslateCommandTest : public testing::Test {
protected:
  TranslatedCommand translate(Words Command) {
    return translateCommand(Command, "/p", FS);
  }
  Words argumentsOf(Words Command) {
    return translate(std::move(Command)).Arguments;
  }
  /// What becomes of Flags: the arguments without those that every command
  /// gets.
  Words kept(Words Flags) {
    Words All = {"gcc"};
    All.insert(All.end(), Flags.begin(), Flags.end());
    All.push_back("a.c");
    Words Result = argumentsOf(All), Bare = argumentsOf({"gcc", "a.c"});
    auto Begin =
        std::mismatch(Result.begin(), Result.end(), Bare.begin(), Bare.end())
            .first;
    return Words(Begin, Begin + (Result.size() - Bare.size()));
  }
  Words dropped(Words Flags) {
    Flags.insert(Flags.begin(), "gcc");
    Flags.push_back("a.c");
    return translate(std::move(Flags)).Dropped;
  }

  FakeFileSystem FS;
};

// Lua's own command, in the form that bear writes.
TEST_F(TranslateCommandTest, TranslatesLuasCommand) {
  TranslatedCommand T =
      translate({"gcc", "-O2", "-g", "-Wall", "-Wextra", "-DLUA_COMPAT_5_3",
                 "-std=gnu99", "-c", "-o", "lstrlib.o", "lstrlib.c"});
  EXPECT_EQ(T.Arguments.front(), "clang");
  for (const char *Flag :
       {"-O2", "-g", "-Wall", "-Wextra", "-DLUA_COMPAT_5_3", "-std=gnu99",
        "-fPIC", "-ffunction-sections", "-fdata-sections"})
    EXPECT_THAT(T.Arguments, Contains(Flag));
  for (const char *Flag : {"-c", "-o", "lstrlib.o", "--driver-mode=g++"})
    EXPECT_THAT(T.Arguments, Not(Contains(Flag)));
  EXPECT_THAT(T.Sources, ElementsAre("lstrlib.c"));
  EXPECT_THAT(T.Dropped, IsEmpty());
}

TEST_F(TranslateCommandTest, KeepsWhatTheCodeMeans) {
  Words Flags = {"-O0",
                 "-Os",
                 "-Og",
                 "-Ofast",
                 "-g3",
                 "-ggdb",
                 "-gdwarf-4",
                 "-std=c11",
                 "-ansi",
                 "-DA",
                 "-D",
                 "B=1",
                 "-UC",
                 "-Iinc",
                 "-I",
                 "inc2",
                 "-isystem",
                 "/opt/inc",
                 "-iquote",
                 "q",
                 "-include",
                 "config.h",
                 "-march=x86-64-v3",
                 "-mtune=native",
                 "-msse4.2",
                 "-m64",
                 "-fno-strict-aliasing",
                 "-fno-exceptions",
                 "-fno-rtti",
                 "-fsigned-char",
                 "-funsigned-char",
                 "-fshort-enums",
                 "-fpack-struct=4",
                 "-fvisibility=hidden",
                 "-fcommon",
                 "-fwrapv",
                 "-fopenmp",
                 "-pthread",
                 "-fno-omit-frame-pointer",
                 "-fstack-protector-strong",
                 "-fcf-protection",
                 "-nostdinc",
                 "-w",
                 "-Wno-unused",
                 "-ffile-prefix-map=/a=/b",
                 "-fno-semantic-interposition",
                 "-finstrument-functions",
                 "-fms-extensions",
                 "-mcmodel=large",
                 "-fsanitize=address",
                 "--param",
                 "ssp-buffer-size=4"};
  EXPECT_THAT(kept(Flags), ElementsAreArray(Flags));
}

// C17: values that look like flags, with spaces, with quotes.
TEST_F(TranslateCommandTest, DoesNotLookIntoValues) {
  Words Flags = {"-DPATH=/O2 -c", "-D",  "-flto", "-DT=\"-o x\"", "-I",
                 "-fPIE",         "-I.", "-I..",  "-DLINE=a;b&&c"};
  EXPECT_THAT(kept(Flags), ElementsAreArray(Flags));
}

// C18: nothing that the build itself writes is written again.
TEST_F(TranslateCommandTest, RemovesOutputs) {
  EXPECT_THAT(kept({"-c",
                    "-o",
                    "a.o",
                    "-MD",
                    "-MF",
                    "a.d",
                    "-MT",
                    "a.o",
                    "-MP",
                    "-MMD",
                    "-MQ",
                    "x",
                    "-save-temps",
                    "-save-temps=obj",
                    "-pipe",
                    "-S",
                    "-E",
                    "-M",
                    "-MM",
                    "-MG",
                    "-dM",
                    "-v",
                    "-fdump-tree-all",
                    "-fstack-usage",
                    "-fsyntax-only",
                    "-gsplit-dwarf",
                    "-ftime-report",
                    "-aux-info",
                    "a.X",
                    "-dumpbase",
                    "a",
                    "-wrapper",
                    "gdb,--args",
                    "-emit-llvm"}),
              IsEmpty());
  EXPECT_THAT(kept({"-oa.o", "-MFa.d", "-MTa.o", "--output=a.o"}), IsEmpty());
  EXPECT_THAT(dropped({"-oa.o", "-MD", "-aux-info", "a.X"}), IsEmpty());
}

// C18: a warning stops no reload.
TEST_F(TranslateCommandTest, MakesWarningsOfErrors) {
  EXPECT_THAT(kept({"-Werror", "-Werror=format", "-Wno-error=shadow",
                    "-pedantic-errors"}),
              ElementsAre("-Wformat", "-Wno-error=shadow", "-pedantic"));
}

TEST_F(TranslateCommandTest, RemovesLinkFlagsInSilence) {
  Words Flags = {"-lm",         "-L/opt/lib",
                 "-Wl,-E",      "-Wl,-rpath,/x",
                 "-shared",     "-s",
                 "-static",     "-rdynamic",
                 "-z",          "now",
                 "-T",          "x.ld",
                 "-u",          "sym",
                 "-Xlinker",    "-x",
                 "lib.a",       "x.o",
                 "libfoo.so.1", "-pie",
                 "-no-pie",     "-static-libgcc",
                 "-nostdlib",   "-fuse-ld=gold",
                 "-static-pie", "-nostartfiles",
                 "-B/usr/lib"};
  EXPECT_THAT(kept(Flags), IsEmpty());
  EXPECT_THAT(dropped(Flags), IsEmpty());
}

TEST_F(TranslateCommandTest, ForcesPositionIndependentCode) {
  for (const char *Flag :
       {"-fPIE", "-fpie", "-fno-pic", "-fno-PIC", "-fpic", "-fno-pie"}) {
    Words Result = argumentsOf({"gcc", Flag, "-fPIC", "-c", "a.c"});
    EXPECT_EQ(std::count(Result.begin(), Result.end(), "-fPIC"), 1) << Flag;
    EXPECT_THAT(Result,
                Not(Contains(Flag == std::string("-fPIC") ? "" : Flag)));
  }
}

// C2: V-1, V-3, C9.
TEST_F(TranslateCommandTest, RemovesWhatTheLinkerInsideCannotLink) {
  Words Flags = {"-fno-plt",
                 "-mtls-dialect=gnu2",
                 "-ftls-model=initial-exec",
                 "-flto",
                 "-flto=auto",
                 "-flto=thin",
                 "-ffat-lto-objects",
                 "-fno-lto",
                 "-fuse-linker-plugin",
                 "-fno-use-linker-plugin",
                 "-fpatchable-function-entry=7,5"};
  EXPECT_THAT(kept(Flags), IsEmpty());
  EXPECT_THAT(dropped(Flags), IsEmpty());
}

// C13
TEST_F(TranslateCommandTest, ListsInstrumentationThatNewCodeLacks) {
  Words Flags = {
      "--coverage",         "-fprofile-arcs",  "-ftest-coverage",   "-pg",
      "-fprofile-generate", "-fprofile-use=x", "-fcoverage-mapping"};
  EXPECT_THAT(kept(Flags), IsEmpty());
  EXPECT_THAT(dropped(Flags), ElementsAreArray(Flags));
}

// C5: the flags that stop Clang's driver (llvm22.md), and some that it ignores.
TEST_F(TranslateCommandTest, ListsWhatOnlyGCCKnows) {
  Words Flags = {"-fconserve-stack",
                 "-fno-var-tracking-assignments",
                 "-fconcepts",
                 "-fmodules-ts",
                 "-fanalyzer",
                 "-fno-allow-store-data-races",
                 "-fabi-version=11",
                 "-fno-gnu-unique",
                 "-mpreferred-stack-boundary=4",
                 "-fipa-pta",
                 "-mindirect-branch=thunk",
                 "-fconstexpr-ops-limit=9999",
                 "-fhardened",
                 "-mrecord-mcount",
                 "-fplugin=x.so",
                 "-fplugin-arg-x-y=z",
                 "-mno-fp-ret-in-387",
                 "-specs=x.specs",
                 "-fno-ipa-icf",
                 "-fgcse-after-reload",
                 "-Wa,--noexecstack",
                 "-fipa-ra",
                 "-fwhole-program"};
  EXPECT_THAT(kept(Flags), IsEmpty());
  EXPECT_THAT(dropped(Flags), ElementsAreArray(Flags));
}

TEST_F(TranslateCommandTest, ListsAFlagOnceAndWithItsValue) {
  EXPECT_THAT(dropped({"-fipa-pta", "-fipa-pta", "-Xassembler", "-x"}),
              ElementsAre("-fipa-pta", "-Xassembler -x"));
}

TEST_F(TranslateCommandTest, HasNoLevelAboveThree) {
  EXPECT_THAT(kept({"-O9", "-O4", "-O3"}), ElementsAre("-O3", "-O3", "-O3"));
}

TEST_F(TranslateCommandTest, ReadsWhatIsMeantForThePreprocessor) {
  EXPECT_THAT(kept({"-Wp,-D_FORTIFY_SOURCE=2,-UX", "-Wp,-MD,a.d",
                    "-Wp,-MMD,dir/.a.o.d", "-Xpreprocessor", "-DY"}),
              ElementsAre("-D_FORTIFY_SOURCE=2", "-UX", "-DY"));
}

//===----------------------------------------------------------------------===//
// The compiler's name
//===----------------------------------------------------------------------===//

TEST_F(TranslateCommandTest, TakesTheLanguageFromTheCompiler) {
  for (const char *C : {"cc", "gcc", "/usr/bin/gcc-12", "clang", "clang-22",
                        "x86_64-linux-gnu-gcc-12", "c99", "/opt/x/bin/mycc"})
    EXPECT_THAT(argumentsOf({C, "a.c"}), Not(Contains("--driver-mode=g++")))
        << C;
  for (const char *CXX : {"c++", "g++", "/usr/bin/g++-12", "clang++-22",
                          "x86_64-linux-gnu-g++-12.2", "mycompiler++"}) {
    Words Result = argumentsOf({CXX, "a.cc"});
    EXPECT_EQ(Result[0], "clang++") << CXX;
    EXPECT_EQ(Result[1], "--driver-mode=g++") << CXX;
  }
}

TEST_F(TranslateCommandTest, CompilesCAsCXXWithACXXCompiler) {
  auto Language = [&](Words Command) {
    Words Result = argumentsOf(std::move(Command));
    return Result[Result.size() - 2];
  };
  EXPECT_EQ(Language({"gcc", "a.c"}), "c");
  EXPECT_EQ(Language({"gcc", "a.cpp"}), "c++");
  EXPECT_EQ(Language({"g++", "a.c"}), "c++");
  EXPECT_EQ(Language({"g++", "a.i"}), "c++-cpp-output");
  EXPECT_EQ(Language({"g++", "-x", "c", "a.c"}), "c");
  EXPECT_EQ(Language({"gcc", "-xc++", "a.c"}), "c++");
  EXPECT_EQ(Language({"gcc", "-x", "c++", "-x", "none", "a.c"}), "c");
  EXPECT_EQ(Language({"gcc", "--", "a.C"}), "c++");
}

TEST_F(TranslateCommandTest, IsLenientWhereGCCIs) {
  const char *Flag = "-Wno-error=implicit-function-declaration";
  EXPECT_THAT(argumentsOf({"gcc", "a.c"}), Contains(Flag));
  EXPECT_THAT(argumentsOf({"clang-22", "a.c"}), Not(Contains(Flag)));
}

// C17: wrappers.
TEST_F(TranslateCommandTest, RemovesWrappers) {
  Words Plain = argumentsOf({"g++", "-DX", "a.cc"});
  for (const Words &Wrapper :
       {Words{"ccache"}, Words{"/usr/bin/distcc"}, Words{"ccache", "distcc"},
        Words{"env", "A=b", "CCACHE_DIR=/c", "ccache"}, Words{"sccache"},
        Words{"icecc"}, Words{"nice", "-n", "10"},
        Words{"libtool", "--tag=CC", "--mode=compile"},
        Words{"/opt/our-own-wrapper"},
        Words{"cmake", "-E", "__run_co_compile", "--tidy=clang-tidy",
              "--source=a.cc", "--"}}) {
    Words Command = Wrapper;
    Command.insert(Command.end(), {"g++", "-DX", "a.cc"});
    EXPECT_EQ(argumentsOf(Command), Plain) << Wrapper.front();
  }
}

TEST_F(TranslateCommandTest, DoesNotTakeAValueForTheCompiler) {
  EXPECT_THAT(argumentsOf({"/opt/mycc", "-DX", "-o", "gcc", "a.c"}),
              AllOf(Contains("-DX"), Contains("a.c")));
}

// C17: response files.
TEST_F(TranslateCommandTest, ExpandsResponseFiles) {
  FS.write("/p/flags.rsp", "-DA=\"x y\" '-DB=1'\n-I inc @more.rsp\n");
  FS.write("/p/more.rsp", "-DC=a\\ b");
  FS.write("/q/absolute.rsp", "-DD");
  EXPECT_THAT(kept({"@flags.rsp", "@/q/absolute.rsp"}),
              ElementsAre("-DA=x y", "-DB=1", "-I", "inc", "-DC=a b", "-DD"));
}

TEST_F(TranslateCommandTest, EndsOnAResponseFileThatNamesItself) {
  FS.write("/p/self.rsp", "-DA @self.rsp");
  EXPECT_THAT(argumentsOf({"gcc", "@self.rsp", "a.c"}), Contains("-DA"));
}

// CXXFLAGS that were copied from CFLAGS.
TEST_F(TranslateCommandTest, DropsTheStandardOfAnotherLanguage) {
  TranslatedCommand T =
      translate({"g++", "-std=gnu99", "-fgnu89-inline", "-std=c++17", "a.cc"});
  EXPECT_THAT(T.Dropped, ElementsAre("-std=gnu99", "-fgnu89-inline"));
  EXPECT_THAT(T.Arguments, Contains("-std=c++17"));
  T = translate({"gcc", "-std=gnu99", "-fgnu89-inline", "-std=c++17", "a.c"});
  EXPECT_THAT(T.Dropped, ElementsAre("-std=c++17"));
}

TEST_F(TranslateCommandTest, LeavesAMissingResponseFileForClangToComplain) {
  EXPECT_THAT(argumentsOf({"gcc", "@missing.rsp", "a.c"}),
              Contains("@missing.rsp"));
}

TEST_F(TranslateCommandTest, LeavesAFlagWithoutItsValueForClangToComplain) {
  EXPECT_THAT(argumentsOf({"gcc", "a.c", "-include"}), Contains("-include"));
}

// C15: a precompiled header of another compiler; its text is included anyway.
TEST_F(TranslateCommandTest, DropsPrecompiledHeaders) {
  EXPECT_THAT(kept({"-Xclang", "-include-pch", "-Xclang", "pch.h.pch",
                    "-Xclang", "-include", "-Xclang", "pch.h"}),
              ElementsAre("-Xclang", "-include", "-Xclang", "pch.h"));
  EXPECT_THAT(kept({"-include-pch", "pch.h.pch", "-include", "pch.h"}),
              ElementsAre("-include", "pch.h"));
  EXPECT_THAT(dropped({"-include-pch", "pch.h.pch"}),
              ElementsAre("-include-pch pch.h.pch"));
}

TEST_F(TranslateCommandTest, SurvivesAnEmptyCommand) {
  EXPECT_THAT(translate({}).Arguments, IsEmpty());
  EXPECT_THAT(translate({"gcc"}).Sources, IsEmpty());
}

} // namespace
