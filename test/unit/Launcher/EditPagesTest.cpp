#include "EditPages.h"

#include "gmock/gmock.h"

using namespace hotjit;
using testing::HasSubstr;
using testing::Not;

namespace {

constexpr char Page[] = "# Edits\n"
                        "\n"
                        "| word | what happens | what the user sees |\n"
                        "|---|---|---|\n"
                        "| HOT | new code runs | `live` |\n"
                        "| HOT-W | as HOT | `note` |\n"
                        "| RE | a root | `refused` |\n"
                        "\n"
                        "## 5. Types\n"
                        "\n"
                        "| code | edit | verdict |\n"
                        "|---|---|---|\n"
                        "| HJ1402 | a field | HOT-W for some; see REJ |\n"
                        "| HJ1403 | `a \\| b` | HOT |\n"
                        "| HJ14 | no code | HOT |\n";

TEST(EditPages, ReadsRowsWithTheirSection) {
  std::vector<EditRow> Rows = parseEditRows(Page);
  ASSERT_EQ(Rows.size(), 2u);
  EXPECT_EQ(Rows[0].Section, "5. Types");
  EXPECT_EQ(Rows[0].Code, "HJ1402");
  EXPECT_EQ(Rows[0].Edit, "a field");
  EXPECT_EQ(Rows[1].Edit, "`a \\| b`");
}

TEST(EditPages, ExplainsTheWordsThatTheVerdictNames) {
  std::string Text = explainCode(Page, "hj1402").value_or("");
  EXPECT_THAT(Text, HasSubstr("HJ1402: a field\n"));
  EXPECT_THAT(Text, HasSubstr("HOT-W: as HOT. Shown as: `note`\n"));
  EXPECT_THAT(Text, Not(HasSubstr("HOT: new code")));
  EXPECT_THAT(Text, Not(HasSubstr("RE: ")));
  EXPECT_EQ(explainCode(Page, "HJ14"), std::nullopt);
}

TEST(EditPages, TheEmbeddedPageHasThePlainAndTheOtherCodes) {
  EXPECT_GT(parseEditRows(EditsPage).size(), 100u);
  for (const char *Code : {"HJ1000", "HJ1101", "HJ1402", "HJ2001", "HJ3001"})
    EXPECT_TRUE(explainCode(EditsPage, Code)) << Code;
}

} // namespace
