// Policy in the market: what passes, what waits for a person, what is refused, and what an officer
// can do about it.
#include "codec/binary.hpp"
#include "exchange/explain.hpp"
#include "exchange/receipt.hpp"
#include "exchange/verify.hpp"
#include "support/policy_world.hpp"

namespace mizan::exchange {
namespace {

using test::Fate;
using test::party;
using test::PolicyWorld;
using test::Who;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kOfficer = 9;
constexpr uint8_t kOther = 3;
const std::string kTraining = R"({"end_use":"commercial","end_user":"self","training":true})";

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

TEST_F(PolicyTest, AnOrdinaryDealPassesWithItsVerdict) {
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed) << w.note();
  const Lease& lease = w.lease(w.last);
  EXPECT_EQ(lease.verdict.outcome, "ALLOW");
  EXPECT_EQ(lease.verdict.rule_set, w.in_force->hash());
  EXPECT_EQ(lease.counted, std::vector<Subject>{subject_of(party(kBuyer))});
  w.accept(w.last);
  EXPECT_EQ(clearance_of(lease).verdict, lease.verdict.hash);
  const auto again = replay(lease, w.core.known_rules());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->same);
  w.check_replay();
}

TEST_F(PolicyTest, TheFactsAreThoseOfTheJournal) {
  w.prove(kBuyer, {.parent = "JP"});
  ASSERT_EQ(w.fate(w.want(kBuyer, 3, kTraining)), Fate::passed);
  const auto file = read_case_file(w.lease(w.last).case_file);
  ASSERT_TRUE(file);
  const policy::Case& subject = file->subject;
  EXPECT_EQ(to_string(subject.date), "2027-01-15");
  EXPECT_EQ(subject.operation.value, policy::Operation::lease);
  EXPECT_EQ(subject.item.value.name, "H100 SXM");
  EXPECT_EQ(subject.item.evidence, policy::Evidence::measured);
  EXPECT_EQ(subject.units.value, 3u);
  EXPECT_EQ(subject.group_units.value, 3u);
  EXPECT_EQ(subject.training_work.value, 1979u * 3 * 100);
  EXPECT_EQ(to_string(subject.location.value), "SG");
  EXPECT_EQ(subject.location.evidence, policy::Evidence::self_declared);
  EXPECT_EQ(subject.end_use.evidence, policy::Evidence::self_declared);
  ASSERT_EQ(subject.parties.value.size(), 3u);
  EXPECT_EQ(to_string(subject.parties.value[0].country.value), "AU");
  EXPECT_EQ(to_string(subject.parties.value[1].parent_hq.value), "JP");
  EXPECT_EQ(subject.parties.value[1].country.evidence, policy::Evidence::credential);
  EXPECT_EQ(subject.parties.value[2].role, policy::Role::end_user);
  EXPECT_EQ(subject.parties.value[2].id, subject.parties.value[1].id);
}

TEST_F(PolicyTest, ABlockedPairIsNotMatchedAndBothSidesHear) {
  w.prove(kBuyer, {.country = "KP"});
  const Outcome outcome = w.apply(w.want(kBuyer, 1, test::kCommercial, true));
  ASSERT_FALSE(outcome.answer);
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  EXPECT_EQ(outcome.answer.error().details.at("policy"), "blocked");
  ASSERT_EQ(outcome.reasons.size(), 1u);
  EXPECT_EQ(outcome.reasons[0].dimension, "policy");
  EXPECT_EQ(outcome.reasons[0].removed, 1u);
  EXPECT_NE(outcome.reasons[0].nearest.find("PROHIBITED us.sanctions.embargo (sanctions)"),
            std::string::npos)
      << outcome.reasons[0].nearest;
  const auto spoke = w.seen<PolicySpoke>();
  ASSERT_EQ(spoke.size(), 1u);
  EXPECT_EQ(spoke[0].provider, party(kProvider));
  EXPECT_EQ(spoke[0].rule, "us.sanctions.embargo");
  EXPECT_FALSE(spoke[0].held);
  EXPECT_TRUE(w.core.all_leases().empty());
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
}

TEST_F(PolicyTest, AStandingBidThatIsBlockedRestsAndMatchesWhenTheFactsChange) {
  w.prove(kBuyer, {.country = "KP"});
  const Answer answer = w.ok(w.want(kBuyer));
  EXPECT_TRUE(answer.resting);
  w.prove(kBuyer);
  ASSERT_EQ(w.core.leases_of(party(kBuyer)).size(), 1u);
  EXPECT_EQ(w.core.leases_of(party(kBuyer))[0]->state, LeaseState::matched);
  w.check_replay();
}

TEST_F(PolicyTest, AnImmediateBidDoesNotWaitForAPerson) {
  w.prove(kBuyer, {.parent = ""});
  const Outcome outcome = w.apply(w.want(kBuyer, 1, kTraining, true));
  ASSERT_FALSE(outcome.answer);
  EXPECT_EQ(outcome.answer.error().code, ErrorCode::no_match);
  EXPECT_EQ(outcome.answer.error().details.at("policy"), "held");
  ASSERT_EQ(outcome.reasons.size(), 1u);
  EXPECT_NE(outcome.reasons[0].nearest.find("Missing: parent_hq"), std::string::npos)
      << outcome.reasons[0].nearest;
  EXPECT_TRUE(w.core.held().empty());
}

TEST_F(PolicyTest, APassingOfferIsTakenBeforeACheaperOneThatWouldWait) {
  auto doubtful = w.offer(kOther, "H100 SXM", 8, 80, "SG");
  doubtful.ask.rate = 5;
  w.ok(doubtful);  // a provider that has proven nothing
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  EXPECT_EQ(w.lease(w.last).terms.ask_hash, ask);
}

TEST_F(PolicyTest, AHeldDealKeepsUnitsAndEscrowUntilItIsApproved) {
  const LeaseId id = held();
  const Lease& lease = w.lease(id);
  EXPECT_EQ(lease.verdict.outcome, "RED_FLAG");
  EXPECT_NE(lease.verdict.note.find("us.end_use.training"), std::string::npos);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 6u);
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, lease.escrow);
  EXPECT_EQ(w.core.held().size(), 1u);
  EXPECT_TRUE(w.core.live_leases_of(party(kProvider)).empty());
  EXPECT_EQ(w.seen<Held>().size(), 1u);
  EXPECT_TRUE(w.seen<Matched>().empty());
  EXPECT_EQ(w.code(Accept{lease.terms, {}}), ErrorCode::policy_held);
  EXPECT_EQ(w.code(Reject{id, party(kProvider), "", ""}), ErrorCode::conflict);

  w.wait_ms(5 * 3600 * 1000);
  w.ok(w.heartbeat(kProvider));
  const Answer answer = w.ok(w.decision(id, true));
  ASSERT_EQ(answer.leases.size(), 1u);
  const Lease& opened = w.lease(answer.leases[0]);
  EXPECT_NE(opened.id, id) << "its terms begin with the approval";
  EXPECT_EQ(w.core.find_lease(id), &opened) << "and it is known by both ids";
  EXPECT_EQ(opened.held_as, id);
  EXPECT_EQ(opened.terms.start, w.seconds());
  EXPECT_EQ(opened.state, LeaseState::matched);
  EXPECT_EQ(opened.id, eip712::digest(w.domain, opened.terms));
  EXPECT_EQ(opened.decisions.size(), 1u);
  EXPECT_EQ(w.seen<Matched>().at(0).accept_by.ms, w.now.ms + 10'000);
  EXPECT_TRUE(w.core.held().empty());
  w.accept(opened.id);
  EXPECT_EQ(w.lease(id).state, LeaseState::funded);
  EXPECT_TRUE(replay(opened, w.core.known_rules())->same);
  EXPECT_EQ(w.code(w.decision(id, true)), ErrorCode::conflict);
  w.check_replay();
  auto restored = Exchange::restore(w.core.encode(), w.core.known_rules());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->find_lease(id)->id, opened.id);
}

TEST_F(PolicyTest, OneRejectEndsAHeldDeal) {
  const LeaseId id = held();
  w.ok(w.decision(id, false));
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
  EXPECT_EQ(w.lease(id).reason, "policy_rejected");
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 8u);
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
  EXPECT_EQ(w.core.account(party(kBuyer)).open_orders, 0u);
  EXPECT_EQ(w.core.held().size(), 0u);
  w.check_replay();
}

TEST_F(PolicyTest, AHeldDealThatNobodyDecidesEndsAfterADay) {
  const LeaseId id = held();
  w.tick(24ULL * 3600 * 1000 - 1);
  EXPECT_EQ(w.lease(id).state, LeaseState::held);
  EXPECT_EQ(w.core.next_deadline()->ms, w.now.ms + 1);
  w.tick(1);
  EXPECT_EQ(w.lease(id).reason, "policy_undecided");
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
  w.check_replay();
}

TEST_F(PolicyTest, AHeldDealDoesNotOutlastItsBid) {
  w.prove(kBuyer, {.parent = "CN"});
  auto bid = w.want(kBuyer, 1, kTraining);
  bid.bid.latest_start = w.seconds() + 100;
  ASSERT_EQ(w.fate(bid), Fate::held);
  w.tick(100'999);
  EXPECT_EQ(w.lease(w.last).state, LeaseState::failed);
}

TEST_F(PolicyTest, TheBuyerMayTakeAHeldDealBack) {
  const LeaseId id = held();
  w.ok(RequestClose{{id, 1, w.seconds() + 10, 0}, {}});
  EXPECT_EQ(w.lease(id).reason, "buyer_stopped");
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
}

TEST_F(PolicyTest, ApprovalWhereTheOfferIsGoneUndoesTheDeal) {
  const LeaseId id = held();
  w.ok(CancelAsk{{party(kProvider), ask}, {}});
  w.ok(w.decision(id, true));
  EXPECT_EQ(w.lease(id).reason, "offer_gone");
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
  w.check_replay();
}

TEST_F(PolicyTest, FactsThatArriveReleaseAHeldDeal) {
  w.prove(kBuyer, {.parent = ""});
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "INSUFFICIENT");
  w.wait_ms(2000);
  w.prove(kBuyer);
  EXPECT_EQ(w.lease(w.last).state, LeaseState::matched);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "ALLOW");
  w.check_replay();
}

TEST_F(PolicyTest, OnlyOfficersDecideAndEachMessageCountsOnce) {
  const LeaseId id = held();
  EXPECT_EQ(w.code(w.decision(id, true, kOther)), ErrorCode::forbidden);
  auto late = w.decision(id, true);
  late.decision.deadline = w.seconds() - 1;
  EXPECT_EQ(w.code(late), ErrorCode::expired);
  auto silent = w.decision(id, true);
  silent.decision.reason.clear();
  EXPECT_EQ(w.code(silent), ErrorCode::invalid_argument);
  const auto reject = w.decision(id, false);
  w.ok(reject);
  ASSERT_EQ(w.fate(w.want(kBuyer, 2, kTraining)), Fate::held) << "a new bid is a new question";
  auto again = reject;
  again.decision.lease = w.last;
  EXPECT_EQ(w.code(again), ErrorCode::replayed);
}

class TwoSigners : public PolicyTest {
 protected:
  static std::string options() {
    return R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"officers":[")" +
           hex0x(party(kOfficer).view()) + R"("],"signersNeeded":2})";
  }
  TwoSigners() : PolicyTest(options()) {}
};

TEST_F(TwoSigners, TwoDifferentOfficersApprove) {
  const LeaseId id = held();
  w.ok(w.decision(id, true));
  EXPECT_EQ(w.lease(id).state, LeaseState::held);
  EXPECT_EQ(w.seen<DecisionTaken>().size(), 1u);
  EXPECT_EQ(w.code(w.decision(id, true)), ErrorCode::conflict);
  w.ok(w.decision(id, true, kOfficer));
  EXPECT_EQ(w.lease(id).state, LeaseState::matched);
  EXPECT_EQ(w.lease(id).decisions.size(), 2u);
  w.check_replay();
}

TEST_F(TwoSigners, OneRejectIsEnough) {
  const LeaseId id = held();
  w.ok(w.decision(id, true));
  w.ok(w.decision(id, false, kOfficer));
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
}

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

TEST_F(PolicyTest, ExpiredFactsAreUnknown) {
  w.wait_ms(31ULL * 24 * 3600 * 1000);
  w.prove(kProvider, {.country = "AU", .hq = "AU"});
  w.ok(w.offer(kProvider));
  EXPECT_FALSE(w.core.facts_hold(party(kBuyer)));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "INSUFFICIENT");
}

TEST_F(PolicyTest, AnIssuerThatIsDroppedVouchesForNothing) {
  w.ok(w.change(w.in_force, R"({"issuers":{"https://other.example":{"kty":"EC"}}})"));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), w.facts({})}), ErrorCode::credential_issuer);
}

TEST_F(PolicyTest, FactsAreChecked) {
  auto facts = w.facts({});
  facts.expires_at = w.seconds();
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::credential_expired);
  facts = w.facts({});
  facts.country.value.code = 700;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
  facts = w.facts({});
  facts.listed_owners.value.push_back({});
  facts.listed_owners.value[0].share.value.nano = policy::kNano + 1;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
  facts = w.facts({});
  facts.lists.value.resize(65);
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::invalid_argument);
}

TEST_F(PolicyTest, AListedPartyIsStoppedAndFrozen) {
  const LeaseId id = running();
  const OrderId resting = w.ok(w.want(kBuyer, 8)).order;
  auto list = w.listing("block");
  list.listing.account = party(kBuyer);
  list.officer = party(kOther);
  EXPECT_EQ(w.code(list), ErrorCode::forbidden);
  list.officer = party(251);
  w.ok(list);
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  const auto stops = w.seen<StopRequested>();
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].reason, "listed");
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  EXPECT_EQ(w.lease(id).stopped_at.ms, w.now.ms);
  EXPECT_TRUE(w.core.bids_of(party(kBuyer)).empty()) << hex0x(resting.view());
  EXPECT_EQ(w.code(w.want(kBuyer)), ErrorCode::policy_blocked);
  EXPECT_EQ(w.code(w.offer(kBuyer)), ErrorCode::policy_blocked);
  // The provider is paid for what it did, and the rest stays in the frozen balance.
  w.wait_ms(5000);
  w.beat(id, 4, 0, 4000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  EXPECT_EQ(w.lease(id).reason, "listed");
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
  w.check_replay();

  auto off = w.listing("block", false);
  off.listing.account = party(kBuyer);
  w.ok(off);
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  off.listing.nonce = 1'000'000;
  EXPECT_EQ(w.code(off), ErrorCode::not_found);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
}

TEST_F(PolicyTest, AListingOfAGroupReachesWhoeverProvesToBeOfIt) {
  auto list = w.listing("block");
  list.listing.group = test::pairwise('g', 7);
  w.ok(list);
  const LeaseId id = running();
  w.prove(kBuyer, {.group = 7});
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  const auto frozen = w.seen<AccountFrozen>();
  ASSERT_EQ(frozen.size(), 1u);
  w.check_replay();
}

TEST_F(PolicyTest, AListedProviderTakesNothingNew) {
  const LeaseId id = running();
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  const LeaseId matched = w.last;
  auto list = w.listing("block");
  list.listing.account = party(kProvider);
  w.ok(list);
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  EXPECT_EQ(w.lease(matched).reason, "listed");
  EXPECT_FALSE(w.core.find_ask(ask));
  EXPECT_EQ(w.code(w.offer(kProvider)), ErrorCode::policy_blocked);
  w.check_replay();
}

TEST_F(PolicyTest, AListingForALicenceIsARedFlagAndRunsOn) {
  const LeaseId id = running();
  auto list = w.listing("licence");
  list.listing.account = party(kBuyer);
  w.ok(list);
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  EXPECT_EQ(w.lease(id).stopped_at.ms, 0u);
  EXPECT_EQ(w.core.review().size(), 1u);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_NE(w.note().find("us.entity_list.lease"), std::string::npos);
  // Rules that prohibit it stop it.
  const std::string strict =
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"stricter":{"RED_FLAG":"PROHIBITED"}})";
  w.ok(w.change(w.in_force, strict));
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  w.check_replay();
}

TEST_F(PolicyTest, AChangedParentMakesRunningLeasesBeJudgedAnew) {
  const LeaseId id = running();
  w.prove(kBuyer, {.parent = "CN"});
  const auto told = w.seen<WouldNotPass>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].lease, id);
  EXPECT_TRUE(w.seen<FactsProven>().back().parent_changed);
  EXPECT_EQ(w.lease(id).review->outcome, "RED_FLAG");
  EXPECT_EQ(w.lease(id).verdict.outcome, "ALLOW");
  w.prove(kBuyer);
  EXPECT_FALSE(w.lease(id).review);
  w.check_replay();
}

TEST_F(PolicyTest, WhatWasApprovedPassesUntilItBecomesWorse) {
  const LeaseId id = w.ok(w.decision(held(), true)).leases[0];
  w.accept(id);
  w.ok(w.change(w.in_force));
  EXPECT_TRUE(w.core.review().empty());
  w.prove(kBuyer, {.country = "KP", .parent = "CN"});
  EXPECT_EQ(w.core.review().size(), 1u);
}

TEST_F(PolicyTest, AnApprovalAnswersOnlyTheRulesThatAskedForIt) {
  const LeaseId id = w.ok(w.decision(held(), true)).leases[0];
  w.accept(id);
  auto list = w.listing("licence");
  list.listing.account = party(kBuyer);
  w.ok(list);
  ASSERT_EQ(w.core.review().size(), 1u) << "another red flag than the one that was approved";
  EXPECT_EQ(w.lease(id).review->outcome, "RED_FLAG");
  list = w.listing("licence", false);
  list.listing.account = party(kBuyer);
  w.ok(list);
  EXPECT_TRUE(w.core.review().empty());
  w.check_replay();
}

TEST_F(PolicyTest, TheSumIsThatOfThePersonAndOfTheGroup) {
  w.join(11, {.person = 1, .group = 1});
  w.join(12, {.person = 1, .group = 2});
  w.join(13, {.person = 2, .group = 1});
  w.join(14, {.person = 3, .group = 3});
  ASSERT_EQ(w.fate(w.want(11, 3)), Fate::passed);
  const auto total = [&](uint8_t buyer) {
    EXPECT_EQ(w.fate(w.want(buyer, 1)), Fate::passed);
    const uint64_t units = read_case_file(w.lease(w.last).case_file)->subject.group_units.value;
    w.ok(Reject{w.last, party(kProvider), "no", ""});
    return units;
  };
  EXPECT_EQ(total(12), 4u);
  EXPECT_EQ(total(13), 4u);
  EXPECT_EQ(total(14), 1u);
  // Who moves to another parent stays counted with the old one for what it leased.
  w.prove(11, {.person = 9, .group = 3});
  EXPECT_EQ(total(13), 4u);
  EXPECT_EQ(total(14), 4u);
  w.check_replay();
}

TEST_F(PolicyTest, TrainingWorkIsKeptAfterALeaseEnds) {
  const LeaseId id = running();
  w.wait_ms(9500);
  w.beat(id, 4, 0, 5000);
  w.ok(Close{{id, 0}, {}});
  w.finalize(id);
  ASSERT_EQ(w.fate(w.want(kBuyer, 1)), Fate::passed);
  const auto work = read_case_file(w.lease(w.last).case_file)->subject.training_work;
  ASSERT_TRUE(work.is_known());
  EXPECT_EQ(work.value, 1979u * (2 * 10 + 1 * 100));
  w.check_replay();
}

TEST_F(PolicyTest, ALicenceOnFileCoversWhatItNames) {
  const std::string wmd = R"({"end_use":"wmd","end_user":"self","training":false})";
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, wmd, true)), Fate::blocked);
  FileLicence file;
  file.officer = party(251);
  file.licence = {"D-1", "H100 SXM", 2, "n/a", party(kBuyer), 20270630, 77, w.seconds() + 10};
  auto bad = file;
  bad.licence.expires = 20270631;
  EXPECT_EQ(w.code(bad), ErrorCode::invalid_argument);
  bad = file;
  bad.licence.chip = "H100";
  EXPECT_EQ(w.code(bad), ErrorCode::invalid_argument);
  w.ok(file);
  ASSERT_EQ(w.fate(w.want(kBuyer, 2, wmd)), Fate::passed);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "LICENCE");
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, wmd, true)), Fate::blocked) << "two of two are used";
  w.join(kOther);
  EXPECT_EQ(w.fate(w.want(kOther, 1, wmd, true)), Fate::blocked) << "it is another's";
  w.check_replay();
}

TEST_F(PolicyTest, HeldDealsOfOnePersonAreLimited) {
  w.prove(kBuyer, {.parent = "CN"});
  auto many = w.offer(kProvider, "H100 SXM", 64);
  w.ok(many);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  const Outcome outcome = w.apply(w.want(kBuyer, 1, kTraining));
  ASSERT_TRUE(outcome.answer);
  EXPECT_TRUE(outcome.answer->resting);
  EXPECT_NE(outcome.reasons.back().nearest.find("as many deals wait"), std::string::npos);
}

TEST_F(PolicyTest, APlanTellsWhatWouldWait) {
  PlanRequest request{1, 1, "", 100, 50, false, party(kBuyer), {}};
  request.declaration.end_use =
      policy::Fact<policy::EndUse>::of(policy::EndUse::commercial, policy::Evidence::self_declared);
  request.declaration.training = policy::Fact<bool>::of(false, policy::Evidence::self_declared);
  request.declaration.end_user = EndUser::self;
  std::vector<market::Reason> reasons;
  auto plan = w.core.plan(request, 5, &reasons);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->at(0).disposition, policy::Disposition::pass);
  request.declaration.end_use = {};
  EXPECT_EQ(w.core.plan(request, 5, &reasons)->at(0).disposition, policy::Disposition::hold);
  w.prove(kBuyer, {.country = "CU"});
  EXPECT_EQ(w.core.plan(request, 5, &reasons).error().code, ErrorCode::no_match);
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_EQ(reasons[0].dimension, "policy");
}

TEST_F(PolicyTest, EachSideIsToldItsOwnFactsOnly) {
  const LeaseId id = held();
  const auto as = [&](Viewer viewer, policy::Language language = policy::Language::en) {
    return explain(w.lease(id), w.core.known_rules(), viewer, language).value_or("");
  };
  const std::string whole = as(Viewer::officer);
  EXPECT_EQ(whole, as(Viewer::officer));
  EXPECT_NE(whole.find(R"("buyer.parent_hq":"CN")"), std::string::npos) << whole;
  EXPECT_NE(whole.find(R"("AU")"), std::string::npos);
  const std::string provider = as(Viewer::provider);
  EXPECT_EQ(provider.find("CN"), std::string::npos) << provider;
  EXPECT_EQ(provider.find("group_units"), std::string::npos);
  EXPECT_NE(provider.find("us.end_use.training"), std::string::npos);
  const std::string buyer = as(Viewer::buyer);
  EXPECT_EQ(buyer.find("AU"), std::string::npos) << buyer;
  EXPECT_NE(buyer.find("CN"), std::string::npos);
  EXPECT_NE(as(Viewer::officer, policy::Language::ar), whole);
  EXPECT_FALSE(explain(w.lease(id), {}));
}

TEST_F(PolicyTest, ChangesAreSignedByWhomTheyName) {
  const SecretKey key = SecretKey::from_bytes(keccak256("somebody").bytes).value();
  auto change = w.change(w.in_force);
  change.options = "{}";
  EXPECT_EQ(verify(change, w.core).error().code, ErrorCode::invalid_argument);
  change.change.options_hash = keccak256(change.options);
  change.signature = eip712::sign(w.domain, change.change, key);
  EXPECT_EQ(verify(change, w.core).error().code, ErrorCode::unauthenticated);
  Decide decide{key.address(), {LeaseId{}, true, "", 1, 1}, {}};
  decide.signature = eip712::sign(w.domain, decide.decision, key);
  EXPECT_TRUE(verify(decide, w.core));
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
