#include "Settings.h"

#include "CommandLine.h"
#include "ErrorMatchers.h"
#include "Launch.h"
#include "TemporaryFolder.h"
#include <unistd.h>

using namespace hotjit;
using namespace hotjit::test;
using namespace llvm;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

Settings file(StringRef Text) {
  Expected<Settings> S = settingsOfFile(Text, "/p/.hotjit.yaml");
  EXPECT_TRUE(static_cast<bool>(S)) << toString(S.takeError());
  return S ? *S : Settings();
}

Settings variables(std::vector<const char *> Environment) {
  Environment.push_back(nullptr);
  Expected<Settings> S = settingsOfEnvironment(Environment.data(), "/w");
  EXPECT_TRUE(static_cast<bool>(S)) << toString(S.takeError());
  return S ? *S : Settings();
}

Settings commandLine(std::vector<const char *> Words) {
  Words.insert(Words.begin(), "run");
  Words.push_back("program");
  Expected<CommandLine::Parsed> P = CommandLine::parse(Words);
  EXPECT_TRUE(static_cast<bool>(P)) << toString(P.takeError());
  Expected<Settings> S = settingsOfCommandLine(P->Options, "/w");
  EXPECT_TRUE(static_cast<bool>(S)) << toString(S.takeError());
  return S ? *S : Settings();
}

TEST(Settings, TheSameValueFromAllThreePlaces) {
  for (const Settings &S :
       {file("trigger: manual\ninclude: [a, b]\nquiet: true\n"),
        variables(
            {"HOTJIT_TRIGGER=manual", "HOTJIT_INCLUDE=a:b", "HOTJIT_QUIET=1"}),
        commandLine({"--trigger", "manual", "--include=a", "--include", "b",
                     "--quiet"})}) {
    EXPECT_EQ(S.get("trigger"), "manual");
    EXPECT_THAT(S.all("include"), ElementsAre("a", "b"));
    EXPECT_TRUE(S.isOn("quiet"));
    EXPECT_EQ(S.get("color"), std::nullopt);
  }
}

TEST(Settings, CommandLineWinsOverEnvironmentOverFile) {
  Settings S = file("debounce: 1\ntrigger: manual\ncolor: never\n"
                    "include: [a, b]\n");
  S.override(variables(
      {"HOTJIT_DEBOUNCE=2", "HOTJIT_TRIGGER=save", "HOTJIT_INCLUDE=c"}));
  S.override(commandLine({"--debounce", "3"}));
  EXPECT_EQ(S.get("debounce"), "3");
  EXPECT_EQ(S.get("trigger"), "save");
  EXPECT_EQ(S.get("color"), "never");
  EXPECT_THAT(S.all("include"), ElementsAre("c"));
}

TEST(Settings, PathsAreRelativeToWhereTheyAreWritten) {
  EXPECT_EQ(file("build-dir: build\n").get("build-dir"), "/p/build");
  EXPECT_EQ(variables({"HOTJIT_BUILD_DIR=./b"}).get("build-dir"), "/w/b");
  EXPECT_EQ(commandLine({"--log", "/l"}).get("log"), "/l");
  EXPECT_EQ(commandLine({"--events", "-"}).get("events"), "-");
}

std::string problemOfFile(StringRef Text) {
  return messageOf(settingsOfFile(Text, "/p/.hotjit.yaml"));
}
std::string problemOfVariable(const char *Variable) {
  const char *Environment[] = {Variable, nullptr};
  return messageOf(settingsOfEnvironment(Environment, "/w"));
}

TEST(Settings, UnknownKeysGetTheNearestAndTheLine) {
  EXPECT_EQ(problemOfFile("quiet: true\ntriger: save\n"),
            "/p/.hotjit.yaml:2: unknown key 'triger'; did you mean 'trigger'?");
  EXPECT_EQ(problemOfVariable("HOTJIT_TRIGER=save"),
            "HOTJIT_TRIGER: unknown key 'triger'; did you mean 'trigger'?");
  EXPECT_EQ(problemOfVariable("HOTJIT=1"), "");
  EXPECT_EQ(problemOfVariable("HOTJIT_PROGRAM_SOCKET=/s"), "");
}

TEST(Settings, WrongValuesAreErrors) {
  EXPECT_EQ(problemOfVariable("HOTJIT_TRIGGER=never"),
            "HOTJIT_TRIGGER: trigger: 'never' is not 'save' or 'manual'");
  EXPECT_THAT(problemOfFile("color: blue\n"),
              HasSubstr("'auto', 'always' or 'never'"));
  EXPECT_THAT(problemOfFile("debounce: soon\n"), HasSubstr("a number"));
  EXPECT_THAT(problemOfFile("quiet: maybe\n"), HasSubstr("'true' or 'false'"));
  EXPECT_THAT(problemOfFile("trigger: [save]\n"), HasSubstr("only one value"));
  EXPECT_THAT(problemOfFile("trigger: {a: b}\n"),
              HasSubstr("expected a value"));
  EXPECT_THAT(problemOfFile("- trigger\n"), HasSubstr("option: value"));
  EXPECT_NE(problemOfFile("trigger: \"save\n"), "");
  std::string Long = "HOTJIT_SOCKET=/" + std::string(107, 's');
  EXPECT_THAT(problemOfVariable(Long.c_str()), HasSubstr("too long"));
}

TEST(Settings, WhatIsNotBuiltIsRefused) {
  EXPECT_THAT(problemOfFile("on-refusal: restart\n"),
              HasSubstr("not in this version"));
  EXPECT_EQ(problemOfFile("on-refusal: ask\n"), "");
  EXPECT_EQ(
      problemOfFile("fence: \"on\"\non-refusal: keep\ncache-memory: 100\n"),
      "");
}

TEST(Settings, AnEmptyFileIsFine) {
  EXPECT_EQ(problemOfFile(""), "");
  EXPECT_EQ(problemOfFile("# nothing yet\n"), "");
}

TEST(Settings, TheFileOfTheNearestFolderIsFound) {
  TemporaryFolder Top;
  Top.makeFolder("a/b/c");
  ASSERT_GET(std::string None, findSettingsFile(Top / "a/b/c"));
  EXPECT_EQ(None, "");
  Top.write("a/.hotjit.yaml", "");
  ASSERT_GET(std::string Path, findSettingsFile(Top / "a/b/c"));
  EXPECT_EQ(Path, Top / "a/.hotjit.yaml");
}

TEST(Settings, AFileOfAnotherUserIsRefused) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can make a file of another user";
  TemporaryFolder Top;
  Top.write(".hotjit.yaml", "");
  ASSERT_EQ(::chown((Top / ".hotjit.yaml").c_str(), 12345, 12345), 0);
  EXPECT_THAT(messageOf(findSettingsFile(Top.path())),
              HasSubstr("belongs to user 12345"));
}

TEST(Settings, TheProgramGetsTheAgentAndItsOptions) {
  const char *Before[] = {"PATH=/bin", "LD_PRELOAD=/x.so",
                          "HOTJIT_TRIGGER=save", "HOTJIT=0", nullptr};
  Settings S =
      commandLine({"--trigger", "manual", "--include", "a", "--include", "b",
                   "--color", "never", "--log", "/l", "--events", "/e"});
  EXPECT_THAT(programEnvironment(Before, S, "/lib/libhotjit.so"),
              testing::UnorderedElementsAre(
                  "PATH=/bin", "LD_PRELOAD=/lib/libhotjit.so:/x.so", "HOTJIT=1",
                  "HOTJIT_LAUNCHER=" + std::to_string(::getpid()),
                  "HOTJIT_TRIGGER=manual", "HOTJIT_INCLUDE=a:b"));
}

TEST(Settings, VerboseSendsTheEnginesLogToTheLogFile) {
  const char *Before[] = {nullptr};
  EXPECT_THAT(programEnvironment(
                  Before, commandLine({"--verbose", "--log", "/l"}), "/a"),
              testing::Contains("HOTJIT_LOG=/l"));
}

} // namespace
