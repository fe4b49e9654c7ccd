#include "ProgramCheck.h"

#include "ErrorMatchers.h"
#include "TemporaryFolder.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <sys/stat.h>

using namespace hotjit;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

const std::string Program = HOTJIT_TEST_TREE "/bin/program";

class ProgramCheck : public testing::Test {
protected:
  /// A copy of the program with some bytes of its ELF header changed.
  std::string changed(const char *Name, size_t Offset, char Byte) {
    auto Text = MemoryBuffer::getFile(Program);
    std::string Bytes = (*Text)->getBuffer().str();
    Bytes[Offset] = Byte;
    return executable(Name, Bytes);
  }
  std::string executable(const char *Name, StringRef Bytes) {
    Top.write(Name, Bytes);
    ::chmod((Top / Name).c_str(), 0755);
    return Top / Name;
  }
  std::string problem(const std::string &Path) {
    return messageOf(checkTakesAgent(Path));
  }
  TemporaryFolder Top;
};

TEST_F(ProgramCheck, AProgramPasses) { EXPECT_EQ(problem(Program), ""); }

TEST_F(ProgramCheck, OtherArchitecturesAreNamed) {
  EXPECT_THAT(problem(changed("arm", offsetof(ELF::Elf64_Ehdr, e_machine),
                              static_cast<char>(ELF::EM_AARCH64))),
              HasSubstr("another architecture (ELF machine 183)"));
  EXPECT_THAT(problem(changed("bits", ELF::EI_CLASS, ELF::ELFCLASS32)),
              HasSubstr("32-bit"));
}

TEST_F(ProgramCheck, StaticProgramsAreNamed) {
  // No program header is left: nothing asks for a loader.
  EXPECT_THAT(problem(changed("static", offsetof(ELF::Elf64_Ehdr, e_phnum), 0)),
              HasSubstr("linked statically"));
}

TEST_F(ProgramCheck, ScriptsAreNamedWithTheirInterpreter) {
  EXPECT_THAT(problem(executable("s", "#!/usr/bin/env lua\nprint(1)\n")),
              HasSubstr("a script for '/usr/bin/env lua'"));
  EXPECT_THAT(problem(executable("t", "echo\n")), HasSubstr("not an ELF"));
  EXPECT_THAT(problem(executable("e", "")), HasSubstr("not an ELF"));
  EXPECT_NE(problem(executable("h", "\177ELF")), "");
}

TEST_F(ProgramCheck, SetUserIdProgramsAreNamed) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can make one of another user";
  std::filesystem::copy_file(Program, Top / "su");
  ASSERT_EQ(::chown((Top / "su").c_str(), 12345, 12345), 0);
  ASSERT_EQ(::chmod((Top / "su").c_str(), 04755), 0);
  EXPECT_THAT(problem(Top / "su"), HasSubstr("set-user-id"));
}

TEST_F(ProgramCheck, StartersWithoutDebugInfoAreNamed) {
  std::filesystem::copy_file(Program, Top / "make");
  EXPECT_THAT(problem(Top / "make"), HasSubstr("starts other programs"));
}

TEST_F(ProgramCheck, WhatCannotBeExecutedIsNamed) {
  Top.write("data", "x");
  EXPECT_THAT(problem(Top / "data"), HasSubstr("Permission denied"));
}

TEST_F(ProgramCheck, ProgramsAreFoundInPath) {
  ASSERT_GET(std::string Shell, findExecutable("sh"));
  EXPECT_TRUE(StringRef(Shell).ends_with("/sh"));
  EXPECT_THAT(messageOf(findExecutable("no-such-program-anywhere")),
              HasSubstr("not found in PATH"));
  EXPECT_THAT(messageOf(findExecutable("./no-such-program")),
              HasSubstr("No such file"));
}

} // namespace
