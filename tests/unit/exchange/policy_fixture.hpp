// Policy in the market: a buyer and a provider that are proven, an offer, an officer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "support/policy_world.hpp"

namespace mizan::exchange {

using test::Fate;
using test::party;
using test::PolicyWorld;
using test::Who;

inline constexpr uint8_t kBuyer = 1;
inline constexpr uint8_t kProvider = 2;
inline constexpr uint8_t kOfficer = 9;
inline constexpr uint8_t kOther = 3;
inline const std::string kTraining =
    R"({"end_use":"commercial","end_user":"self","training":true})";

class PolicyTest : public ::testing::Test {
 protected:
  PolicyTest() : PolicyTest(test::kOptions) {}
  explicit PolicyTest(const std::string& options) : w(test::shipped_rules(), options) {
    w.join(kBuyer);
    w.join(kProvider, {.country = "AU", .hq = "AU"});
    ask = w.ok(w.offer(kProvider)).order;
  }
  /// A deal that waits: training for a parent in China.
  LeaseId held() {
    w.prove(kBuyer, {.parent = "CN"});
    EXPECT_EQ(w.fate(w.want(kBuyer, 2, kTraining)), Fate::held);
    return w.last;
  }
  LeaseId running() {
    EXPECT_EQ(w.fate(w.want(kBuyer, 2, kTraining)), Fate::passed);
    w.accept(w.last);
    return w.last;
  }
  PolicyWorld w;
  OrderId ask;
};

}  // namespace mizan::exchange
