// Another rule set or other options, while deals wait and leases run.
#include "exchange/explain.hpp"
#include "exchange/verify.hpp"
#include "unit/exchange/policy_fixture.hpp"

namespace mizan::exchange {
namespace {

TEST_F(PolicyTest, AnApprovalIsJudgedByTheRulesOfItsDay) {
  const LeaseId id = held();
  const std::string strict =
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"stricter":{"RED_FLAG":"PROHIBITED"}})";
  w.ok(w.change(w.in_force, strict));
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "policy_blocked");
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::blocked);
}

TEST_F(PolicyTest, StricterOutcomesAreNeverMilder) {
  const auto read = [](const std::string& map) {
    return read_policy_options(R"({"stricter":)" + map + "}");
  };
  EXPECT_FALSE(read(R"({"RED_FLAG":"NOTIFY"})"));
  EXPECT_FALSE(read(R"({"RED_FLAG":"RED_FLAG"})"));
  EXPECT_FALSE(read(R"({"RED":"PROHIBITED"})"));
  const auto map = read(R"({"ALLOW":"LICENCE","RED_FLAG":"PROHIBITED"})")->stricter;
  policy::Outcome before = policy::Outcome::allow;
  for (int i = 0; i <= 5; ++i) {
    const auto outcome = static_cast<policy::Outcome>(i);
    EXPECT_GE(stricter(map, outcome), outcome);
    EXPECT_GE(stricter(map, outcome), before);
    before = stricter(map, outcome);
  }
  EXPECT_FALSE(read_policy_options(R"({"signersNeeded":2})"));
  EXPECT_FALSE(read_policy_options(R"({"signersNeeded":3})"));
  EXPECT_FALSE(read_policy_options(R"({"officer":[]})"));
  EXPECT_TRUE(read_policy_options(""));
}

TEST_F(PolicyTest, ANoticeCanBeMadeToWait) {
  const std::string strict =
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"stricter":{"ALLOW":"RED_FLAG"}})";
  w.ok(w.change(w.in_force, strict));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "RED_FLAG");
  EXPECT_TRUE(replay(w.lease(w.last), w.core.known_rules())->same);
}

TEST_F(PolicyTest, ANewRuleSetLeavesRunningLeasesAndTellsWhichWouldNotPass) {
  const LeaseId id = running();
  const Verdict verdict = w.lease(id).verdict;
  const auto rules = test::make_rules(
      test::one_rule("op.units", R"({"fact":"units","at_least":2})", "PROHIBITED"));
  SetPolicy change = w.change(rules);
  EXPECT_EQ(w.core.knows_rules(change).error().code, ErrorCode::not_found);
  SetPolicy none = change;
  none.change.rule_set = Hash32{};
  EXPECT_EQ(w.core.knows_rules(none).error().code, ErrorCode::not_found)
      << "zero is the empty rule set in Genesis alone";
  w.core.know_rules(rules);
  w.rule_sets.emplace(rules->hash(), rules);
  w.ok(change);
  EXPECT_EQ(w.lease(id).state, LeaseState::funded);
  EXPECT_EQ(w.lease(id).verdict.hash, verdict.hash);
  const auto told = w.seen<WouldNotPass>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].verdict, "PROHIBITED");
  ASSERT_EQ(w.core.review().size(), 1u);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::blocked) << "one more would be three";
  w.check_replay();
  EXPECT_FALSE(Exchange::restore(w.core.encode(), {}));
  EXPECT_NE(Exchange::restore(w.core.encode(), {}).error().message.find(rules->hash_text()),
            std::string::npos);
  w.ok(w.change(w.in_force));
  EXPECT_TRUE(w.core.review().empty());
}

TEST_F(PolicyTest, PendingLawCountsWhereItIsSwitchedOn) {
  w.prove(kBuyer, {.parent = "CN"});
  w.ok(w.change(w.in_force, test::kOptions, true));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::blocked);
  EXPECT_EQ(w.rule, "us.pending.remote_access");
}

TEST_F(PolicyTest, AnIssuerThatIsDroppedVouchesForNothing) {
  w.ok(w.change(w.in_force, R"({"issuers":{"https://other.example":{"kty":"EC"}}})"));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), w.facts({})}), ErrorCode::credential_issuer);
}

TEST_F(PolicyTest, ChangesAreSignedByWhomTheyName) {
  const SecretKey key = SecretKey::from_bytes(keccak256("somebody").bytes).value();
  auto change = w.change(w.in_force);
  change.options = "{}";
  EXPECT_EQ(verify(change, w.core).error().code, ErrorCode::invalid_argument);
  change.change.options_hash = keccak256(change.options);
  change.signature = eip712::sign(w.domain, change.change, key);
  EXPECT_EQ(verify(change, w.core).error().code, ErrorCode::unauthenticated);
  Decide decide{key.address(), {LeaseId{}, Hash32{}, true, "", 1, 1}, {}};
  decide.signature = eip712::sign(w.domain, decide.decision, key);
  EXPECT_TRUE(verify(decide, w.core));
  decide.decision.verdict = Hash32{{1}};
  EXPECT_FALSE(verify(decide, w.core)) << "an answer to another verdict";
  decide.decision.verdict = Hash32{};
  decide.decision.approve = false;
  EXPECT_FALSE(verify(decide, w.core));
  EXPECT_TRUE(verify(ProveFacts{}, w.core));
}

TEST(EmptyRules, EverythingMatchesAndSaysSo) {
  PolicyWorld w(std::make_shared<const policy::RuleSet>(policy::RuleSet::empty()), "");
  w.grant(party(kBuyer), 1'000'000);
  w.ok(w.offer(kProvider));
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, "")), Fate::passed);
  EXPECT_EQ(w.note(), "the rule set is empty: nothing was assessed");
  EXPECT_TRUE(replay(w.lease(w.last), w.core.known_rules())->same);
}

}  // namespace
}  // namespace mizan::exchange
