#include "CommandLine.h"

#include "ErrorMatchers.h"
#include "Settings.h"

#include "llvm/Option/Option.h"

using namespace hotjit;
using namespace hotjit::test;
using namespace llvm;
using testing::HasSubstr;

namespace {

TEST(CommandLine, WhatFollowsTheProgramBelongsToIt) {
  const char *Words[] = {"run",    "--build-dir", "b",  "--verbose",
                         "./prog", "--verbose",   "--", "-x"};
  ASSERT_GET(CommandLine::Parsed P, CommandLine::parse(Words));
  EXPECT_EQ(P.Options.getLastArgValue(OPT_build_dir), "b");
  EXPECT_THAT(P.Words, testing::ElementsAre("./prog", "--verbose", "--", "-x"));
}

TEST(CommandLine, TwoDashesEndTheOptions) {
  const char *Words[] = {"run", "--quiet", "--", "--odd-name", "1"};
  ASSERT_GET(CommandLine::Parsed P, CommandLine::parse(Words));
  EXPECT_THAT(P.Words, testing::ElementsAre("--odd-name", "1"));
  const char *Reload[] = {"reload", "a.c", "--", "--b.c"};
  ASSERT_GET(P, CommandLine::parse(Reload));
  EXPECT_THAT(P.Words, testing::ElementsAre("a.c", "--b.c"));
}

TEST(CommandLine, OptionsOfCommandsMayFollowWords) {
  const char *Words[] = {"reload", "a.c", "--pid", "7"};
  ASSERT_GET(CommandLine::Parsed P, CommandLine::parse(Words));
  EXPECT_THAT(P.Words, testing::ElementsAre("a.c"));
  EXPECT_EQ(P.Options.getLastArgValue(OPT_pid), "7");
}

TEST(CommandLine, ValuesMayStandBehindAnEqualsSign) {
  const char *Words[] = {"run", "--debounce=35", "./prog"};
  ASSERT_GET(CommandLine::Parsed P, CommandLine::parse(Words));
  EXPECT_EQ(P.Options.getLastArgValue(OPT_debounce), "35");
}

std::string problem(std::vector<const char *> Words) {
  return messageOf(CommandLine::parse(Words));
}

TEST(CommandLine, UnknownNamesGetTheNearest) {
  EXPECT_THAT(problem({"statsu"}), HasSubstr("did you mean 'status'?"));
  EXPECT_THAT(problem({"run", "--trigge", "save", "p"}),
              HasSubstr("no option '--trigge'; did you mean '--trigger'?"));
  EXPECT_EQ(problem({"run", "--xyzzy", "p"}), "run: no option '--xyzzy'");
}

TEST(CommandLine, OptionsBelongToCommands) {
  EXPECT_THAT(problem({"run", "--pid", "7", "p"}),
              HasSubstr("no option '--pid'"));
  EXPECT_THAT(problem({"undo", "--json"}), HasSubstr("no option '--json'"));
  EXPECT_EQ(problem({"log", "--json"}), "");
}

TEST(CommandLine, MissingValuesAreErrors) {
  EXPECT_THAT(problem({"run", "--build-dir"}), HasSubstr("needs a value"));
  EXPECT_THAT(problem({}), HasSubstr("no command"));
}

TEST(CommandLine, EverySettingIsAnOptionOfRun) {
  for (const SettingSpec &S : settingSpecs()) {
    std::string Option = ("--" + S.Name).str();
    bool Flag = S.Kind == SettingKind::Flag;
    std::vector<const char *> Words = {"run", Option.c_str()};
    if (!Flag)
      Words.push_back("1");
    Expected<CommandLine::Parsed> P = CommandLine::parse(Words);
    ASSERT_TRUE(static_cast<bool>(P)) << toString(P.takeError());
    EXPECT_EQ((*P->Options.begin())->getOption().getName(), S.Name);
  }
}

} // namespace
