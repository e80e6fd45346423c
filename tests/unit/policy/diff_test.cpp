// What-if over rule sets and days.
#include "policy/diff.hpp"

#include "policy/case_json.hpp"
#include "policy/rules_folder.hpp"

#include <gtest/gtest.h>

namespace mizan::policy {
namespace {

const RuleSet& shipped() {
  static const RuleSet kRules =
      test::load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  return kRules;
}

Date day(const char* text) {
  return parse_date(text).value();
}

Case lease(const char* chip, const char* parent, const char* date) {
  const std::string text = std::string(R"({"id":"a","date":")") + date +
                           R"(","operation":"lease","chip":")" + chip +
                           R"(","units":8,"location":"SG","licence_conditions":[],"parties":[)"
                           R"({"role":"provider","country":"SG","hq":"SG","parent_hq":"n/a",)"
                           R"("lists":[],"listed_owners":[]},)"
                           R"({"role":"buyer","country":"SG","hq":"SG","parent_hq":")" +
                           parent +
                           R"(","lists":[],"listed_owners":[]}],)"
                           R"("end_use":"commercial","training":true})";
  const auto value = parse_json(quote_decimals(text));
  return read_case(shipped(), *value, "").value();
}

TEST(PolicyDiff, SaysWhichChipsChangeClass) {
  const auto change = compare({shipped(), day("2023-06-01")}, {shipped(), day("2023-12-01")}, {});
  const auto named = [&](const std::string& chip) {
    for (const ChipChange& one : change.chips)
      if (one.chip == chip) return one.before + " " + one.after;
    return std::string();
  };
  EXPECT_EQ(named("A800 80GB SXM"), "none 3A090.a.1");
  EXPECT_EQ(named("H20"), "");
  EXPECT_TRUE(compare({shipped()}, {shipped()}, {}).chips.empty());
  EXPECT_EQ(compare({RuleSet::empty()}, {shipped()}, {}).chips.size(), shipped().chips().size());
}

TEST(PolicyDiff, SaysWhichCasesFlip) {
  const std::vector<Case> cases = {lease("H100 SXM", "CN", "2024-06-01"),
                                   lease("H100 SXM", "SG", "2024-06-01"),
                                   lease("H100 SXM", "CN", "2026-11-22")};
  const Side today{shipped(), day("2026-11-22")};
  const auto later = compare({shipped()}, today, cases);
  ASSERT_EQ(later.flips.size(), 1u);
  EXPECT_EQ(later.flips[0].place, 0u);
  EXPECT_EQ(later.flips[0].after, Outcome::red_flag);
  EXPECT_EQ(later.flips[0].is, Disposition::hold);
  EXPECT_EQ(later.flips[0].rule, "us.end_use.training");
  const auto pending = compare(today, {shipped(), today.day, {true}}, cases);
  EXPECT_EQ(pending.flips.size(), 2u);
  const std::string text = difference_json(today, {shipped(), today.day, {true}}, pending);
  EXPECT_TRUE(parse_json(text));
  EXPECT_NE(text.find(R"("was":"hold","is":"block","rule":"us.pending.remote_access")"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace mizan::policy
