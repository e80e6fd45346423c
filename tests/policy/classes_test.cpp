// Every chip's class on four days, as classes.json has them; reviewed by hand.
// SPDX-License-Identifier: Apache-2.0
#include "policy/case_files.hpp"
#include "policy/judge.hpp"

#include <gtest/gtest.h>

namespace mizan::test {
namespace {

TEST(PolicyClasses, EveryChipOnFourDays) {
  const policy::RuleSet rules = load_rules(std::filesystem::path(MIZAN_SOURCE_DIR) / "policy");
  const json::value golden = parse_exact(read_text(policy_tests() / "classes.json"));
  EXPECT_EQ(golden.as_array().size(), rules.chips().size());
  for (const json::value& row : golden.as_array()) {
    policy::Case subject;
    policy::Item item;
    item.name = row.at("chip").as_string().c_str();
    SCOPED_TRACE(item.name);
    ASSERT_NE(rules.chip(item.name), nullptr);
    subject.item = policy::Fact<policy::Item>::of(item);
    for (const char* day : {"2022-11-01", "2023-12-01", "2025-06-01", "2026-11-22"}) {
      subject.date = *policy::parse_date(day);
      const policy::Verdict verdict = policy::judge(rules, subject);
      EXPECT_EQ(policy::class_name(rules, verdict.classes), row.at(day).as_string()) << day;
      EXPECT_EQ(verdict.tpp.has_value(), !row.at("tpp").is_null());
      if (verdict.tpp) {
        EXPECT_EQ(*verdict.tpp, row.at("tpp").to_number<uint64_t>());
      }
      EXPECT_EQ(verdict.pd_hundredths.has_value(), row.at("pd").is_string());
      if (verdict.pd_hundredths) {
        const auto pd = policy::parse_decimal(row.at("pd").as_string());
        EXPECT_EQ(*verdict.pd_hundredths, static_cast<uint64_t>(pd->nano / 10'000'000));
      }
    }
  }
}

}  // namespace
}  // namespace mizan::test
