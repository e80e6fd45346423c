// A verdict: the worst of its findings, and the findings.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "policy/case.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mizan::policy {

/// Mildest first; the worst finding is the verdict.
enum class Outcome : uint8_t { allow, notify, insufficient, red_flag, licence, prohibited };
constexpr Outcome enum_last(Outcome) {
  return Outcome::prohibited;
}

/// How an application for the licence would be reviewed; mildest first.
enum class Review : uint8_t { none, approval_likely, case_by_case, denial };
constexpr Review enum_last(Review) {
  return Review::denial;
}

/// The heads of law that are judged apart, in the order in which they are shown.
enum class Head : uint8_t {
  hardware_export,
  end_use,
  sanctions,
  licence_conditions,
  cloud_kyc,
  pending
};
constexpr Head enum_last(Head) {
  return Head::pending;
}
inline constexpr size_t kHeads = 6;

/// "PROHIBITED", "denial", "hardware_export": as the answer spells them.
std::string_view to_string(Outcome value);
std::string_view to_string(Review value);
std::string_view to_string(Head value);

/// What one rule says of one case. `rule` is its place in the rule set that judged.
struct Finding {
  uint32_t rule = 0;
  Head head = Head::hardware_export;
  Outcome outcome = Outcome::allow;
  Review review = Review::none;
  bool strict = false;              ///< weak facts counted as unknown, since that was the worse
  std::optional<uint32_t> licence;  ///< the place of the licence on file that covers it
  MIZAN_FIELDS(rule, head, outcome, review, strict, licence)
};

/// The worst finding first, then by head and rule. Means something only beside its rule set and
/// its case, from which it can be made again.
struct Verdict {
  Outcome outcome = Outcome::allow;
  Review review = Review::none;  ///< of the licence requirements, if the outcome is licence
  uint32_t classes = 1;          ///< the classes that the item may have: bit 0 none, else bit rank
  std::optional<uint64_t> tpp;   ///< rounded to the nearest
  std::optional<uint64_t> pd_hundredths;
  std::vector<Finding> findings;
  MIZAN_FIELDS(outcome, review, classes, tpp, pd_hundredths, findings)
};

/// What the market does with a deal.
enum class Disposition : uint8_t {
  pass,   ///< goes through and is recorded
  hold,   ///< waits for a person's signed decision
  block,  ///< is refused
};
constexpr Disposition enum_last(Disposition) {
  return Disposition::block;
}

/// PROHIBITED blocks, and so does a LICENCE that no licence on file covers; a RED_FLAG or an
/// INSUFFICIENT holds; the rest passes.
Disposition disposition(const Verdict& verdict);

/// The worst outcome under one head; allow where no rule of it spoke.
Outcome outcome_of(const Verdict& verdict, Head head);

}  // namespace mizan::policy
