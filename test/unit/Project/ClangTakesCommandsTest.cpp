// A translated command is right only if the Clang inside reads it without a
// complaint: here its driver and its front end's option parser do.

#include "Project/CompileCommands.h"

#include "ErrorMatchers.h"
#include "FakeFileSystem.h"

#include "clang/Basic/Diagnostic.h"
#include "clang/Basic/DiagnosticOptions.h"
#include "clang/Driver/CreateInvocationFromArgs.h"
#include "clang/Frontend/CompilerInstance.h"
#include "clang/Frontend/CompilerInvocation.h"
#include "clang/Frontend/TextDiagnosticPrinter.h"

#include "llvm/Support/VirtualFileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <fstream>
#include <set>

using namespace hotjit;
using namespace hotjit::test;

namespace {

using Words = std::vector<std::string>;

/// All flags that `gcc --help=common,optimizers,target,c,c++,warnings` of GCC
/// 12 names, with their negations, but for those that need a value.
std::vector<std::string> flagsOfGCC() {
  std::vector<std::string> Flags;
  std::ifstream File(HOTJIT_TEST_INPUTS "/gcc-12-flags.txt");
  for (std::string Line; std::getline(File, Line);)
    Flags.push_back(Line);
  return Flags;
}

class ClangTakesCommandsTest : public testing::Test {
protected:
  /// Everything that Clang has to say about the command; empty if nothing.
  std::string complaints(const Words &Command) {
    Translated = translateCommand(Command, "/p", FS);
    llvm::SmallVector<const char *> Arguments;
    for (const std::string &Word : Translated.Arguments)
      Arguments.push_back(Word.c_str());
    std::string Text;
    llvm::raw_string_ostream OS(Text);
    std::unique_ptr<clang::DiagnosticOptions> Options =
        clang::CreateAndPopulateDiagOpts(Arguments);
    clang::TextDiagnosticPrinter Printer(OS, *Options);
    clang::CreateInvocationOptions How;
    How.Diags = clang::CompilerInstance::createDiagnostics(
        *llvm::vfs::getRealFileSystem(), *Options, &Printer,
        /*ShouldOwnClient=*/false);
    Invocation = clang::createInvocation(Arguments, How);
    if (!Invocation)
      OS << "no invocation";
    return Text;
  }

  FakeFileSystem FS;
  TranslatedCommand Translated;
  std::shared_ptr<clang::CompilerInvocation> Invocation;
};

TEST_F(ClangTakesCommandsTest, LuasCommand) {
  ASSERT_EQ(
      complaints({"gcc", "-O2", "-g", "-Wall", "-Wextra", "-DLUA_COMPAT_5_3",
                  "-std=gnu99", "-c", "-o", "lstrlib.o", "lstrlib.c"}),
      "");
  EXPECT_EQ(Invocation->getCodeGenOpts().OptimizationLevel, 2u);
  EXPECT_EQ(Invocation->getLangOpts().PICLevel, 2u);
  EXPECT_FALSE(Invocation->getLangOpts().PIE);
  EXPECT_TRUE(Invocation->getLangOpts().C99);
  EXPECT_TRUE(Invocation->getLangOpts().GNUMode);
  EXPECT_FALSE(Invocation->getLangOpts().CPlusPlus);
  EXPECT_TRUE(Invocation->getCodeGenOpts().FunctionSections);
  EXPECT_TRUE(Invocation->getCodeGenOpts().DataSections);
  EXPECT_NE(Invocation->getCodeGenOpts().getDebugInfo(),
            llvm::codegenoptions::NoDebugInfo);
  ASSERT_EQ(Invocation->getFrontendOpts().Inputs.size(), 1u);
  EXPECT_EQ(Invocation->getFrontendOpts().Inputs[0].getFile(), "lstrlib.c");
}

// C5, C9, C12, C13, C18: each flag alone, so that the one at fault is named.
TEST_F(ClangTakesCommandsTest, EveryFlagOfGCC) {
  // Clang's word on these is the refusal that they deserve: without them the
  // new code would pass arguments or lay out data in another way.
  const std::set<std::string> Refused = {"-freg-struct-return",
                                         "-fpcc-struct-return", "-miamcu",
                                         "-fno-for-scope"};
  std::vector<std::string> Flags = flagsOfGCC();
  ASSERT_GT(Flags.size(), 2000u);
  for (const std::string &Flag : Flags) {
    if (Refused.count(Flag))
      continue;
    EXPECT_EQ(complaints({"gcc", "-O2", Flag, "-c", "a.c"}), "") << Flag;
    EXPECT_EQ(complaints({"g++", "-O2", Flag, "-c", "a.cc"}), "") << Flag;
  }
  EXPECT_NE(complaints({"gcc", "-freg-struct-return", "-c", "a.c"}), "");
  EXPECT_NE(complaints({"gcc", "-fpcc-struct-return", "-c", "a.c"}), "");
}

TEST_F(ClangTakesCommandsTest, DistributionFlags) {
  // Debian's and Fedora's build flags, as their packages pass them.
  EXPECT_EQ(
      complaints({"gcc", "-g", "-O2", "-ffile-prefix-map=/build=.",
                  "-fstack-protector-strong", "-fstack-clash-protection",
                  "-Wformat", "-Werror=format-security", "-fcf-protection",
                  "-Wdate-time", "-D_FORTIFY_SOURCE=2", "-c", "a.c"}),
      "");
  EXPECT_EQ(complaints({"g++",
                        "-O2",
                        "-flto=auto",
                        "-ffat-lto-objects",
                        "-fexceptions",
                        "-g",
                        "-grecord-gcc-switches",
                        "-pipe",
                        "-Wall",
                        "-Wno-complain-wrong-lang",
                        "-Werror=format-security",
                        "-Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3",
                        "-Wp,-D_GLIBCXX_ASSERTIONS",
                        "-specs=/usr/lib/rpm/redhat/redhat-hardened-cc1",
                        "-fstack-protector-strong",
                        "-m64",
                        "-march=x86-64",
                        "-mtune=generic",
                        "-fasynchronous-unwind-tables",
                        "-fno-omit-frame-pointer",
                        "-mno-omit-leaf-frame-pointer",
                        "-c",
                        "a.cc"}),
            "");
}

TEST_F(ClangTakesCommandsTest, CAsCXX) {
  EXPECT_EQ(complaints({"g++-12", "-std=gnu++17", "-c", "a.c"}), "");
  EXPECT_TRUE(Invocation->getLangOpts().CPlusPlus17);
}

TEST_F(ClangTakesCommandsTest, GeneratedFilesAreNone) {
  ASSERT_EQ(complaints({"gcc", "-c", "-MD", "-MF", "a.d", "-MT", "a.o", "-o",
                        "a.o", "-save-temps", "-gsplit-dwarf", "-fstack-usage",
                        "--coverage", "-ftime-trace", "a.c"}),
            "");
  EXPECT_EQ(Invocation->getDependencyOutputOpts().OutputFile, "");
  EXPECT_EQ(Invocation->getCodeGenOpts().SplitDwarfFile, "");
  EXPECT_EQ(Invocation->getCodeGenOpts().StackUsageOutput, "");
  EXPECT_EQ(Invocation->getCodeGenOpts().CoverageNotesFile, "");
  EXPECT_EQ(Invocation->getFrontendOpts().TimeTracePath, "");
}

// What is wrong stays wrong, and is said.
TEST_F(ClangTakesCommandsTest, ComplainsOfWhatIsNoCommand) {
  EXPECT_NE(complaints({"gcc", "-std=nonsense", "a.c"}), "");
  EXPECT_NE(complaints({"gcc", "a.c", "-include"}), "");
}

} // namespace
