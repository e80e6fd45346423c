// Deals that wait for a person, and what officers can do about them.
#include "codec/binary.hpp"
#include "exchange/explain.hpp"
#include "unit/exchange/policy_fixture.hpp"

namespace mizan::exchange {
namespace {

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

TEST_F(PolicyTest, OfficersSeeWhatIsAskedNow) {
  w.prove(kBuyer, {.parent = ""});
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  const LeaseId id = w.last;
  ASSERT_EQ(w.lease(id).verdict.outcome, "INSUFFICIENT");
  w.prove(kBuyer, {.parent = "CN"});
  ASSERT_EQ(w.lease(id).state, LeaseState::held);
  EXPECT_EQ(w.lease(id).verdict.outcome, "RED_FLAG") << "and not what it was when it was held";
  EXPECT_TRUE(replay(w.lease(id), w.core.known_rules())->same);
  EXPECT_EQ(w.seen<LeaseChanged>().back().lease, id);
  w.check_replay();
  EXPECT_TRUE(Exchange::restore(w.core.encode(), w.core.known_rules()));
}

TEST_F(PolicyTest, ADecisionAnswersTheVerdictThatItNames) {
  w.prove(kBuyer, {.parent = ""});
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  const LeaseId id = w.last;
  const Decide approved = w.decision(id, true);
  const Decide rejected = w.decision(id, false);
  w.prove(kBuyer, {.parent = "CN"});  // after both were signed
  ASSERT_EQ(w.lease(id).state, LeaseState::held);
  const Outcome refused = w.apply(approved);
  ASSERT_FALSE(refused.answer);
  EXPECT_EQ(refused.answer.error().code, ErrorCode::conflict);
  EXPECT_EQ(refused.answer.error().details.at("verdict"), hex0x(w.lease(id).verdict.hash.view()));
  EXPECT_EQ(w.code(rejected), ErrorCode::conflict);
  Decide none = w.decision(id, true);
  none.decision.verdict = {};
  EXPECT_EQ(w.code(none), ErrorCode::conflict);
  EXPECT_EQ(w.lease(id).state, LeaseState::held);
  EXPECT_TRUE(w.lease(id).decisions.empty());
  Decide seen = approved;  // its nonce was not taken
  seen.decision.verdict = w.lease(id).verdict.hash;
  w.ok(seen);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  w.check_replay();
}

TEST_F(PolicyTest, FactsThatLapsedBeforeADecisionAreShownFirst) {
  PartyFacts facts = w.facts({.parent = "CN"});
  facts.expires_at = w.seconds() + 30;
  w.ok(ProveFacts{party(kBuyer), facts});
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  const LeaseId id = w.last;
  const Hash32 shown = w.lease(id).verdict.hash;
  w.wait_ms(31'000);
  EXPECT_EQ(w.lease(id).verdict.hash, shown) << "what lapses calls no review";
  ASSERT_EQ(w.code(w.decision(id, true)), ErrorCode::conflict);
  EXPECT_NE(w.lease(id).verdict.hash, shown);
  EXPECT_EQ(w.seen<LeaseChanged>().back().lease, id);
  EXPECT_TRUE(replay(w.lease(id), w.core.known_rules())->same);
  w.check_replay();
  EXPECT_TRUE(Exchange::restore(w.core.encode(), w.core.known_rules()));
}

TEST_F(PolicyTest, ASumThatGrowsMakesItNoOtherCase) {
  const LeaseId id = held();
  const Decide approved = w.decision(id, true);
  w.wait_ms(2'000);
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held) << "more units of the group";
  w.ok(approved);
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
  again.decision.verdict = w.lease(w.last).verdict.hash;
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

TEST_F(TwoSigners, AnApprovalOfAMilderCaseIsTakenBack) {
  const LeaseId id = held();
  w.ok(w.decision(id, true));
  ASSERT_EQ(w.lease(id).decisions.size(), 1u);
  auto list = w.listing("licence");
  list.listing.account = party(kBuyer);
  w.ok(list);
  EXPECT_TRUE(w.lease(id).decisions.empty());
  w.ok(w.decision(id, true, kOfficer));
  EXPECT_EQ(w.lease(id).state, LeaseState::held) << "one has approved what is asked now";
  w.ok(w.decision(id, true));
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  w.check_replay();
}

TEST_F(TwoSigners, AnApprovalOfOtherFactsIsTakenBack) {
  w.prove(kBuyer, {.parent = "CN"});
  ASSERT_EQ(w.fate(w.want(kBuyer, 1, kTraining)), Fate::held);
  const LeaseId id = w.last;
  w.ok(w.decision(id, true));
  const Decide second = w.decision(id, true, kOfficer);
  w.ok(w.change(w.in_force, options()));
  ASSERT_EQ(w.lease(id).decisions.size(), 1u) << "the same case still";
  w.prove(kBuyer, {.parent = "RU"});
  ASSERT_EQ(w.lease(id).state, LeaseState::held);
  EXPECT_TRUE(w.lease(id).decisions.empty()) << "though no other rule asks";
  EXPECT_EQ(w.code(second), ErrorCode::conflict);
  w.check_replay();
}

TEST_F(TwoSigners, WhoIsNoOfficerAnyMoreHasApprovedNothing) {
  const LeaseId id = held();
  w.ok(w.decision(id, true, kOfficer));
  const std::string without =
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"officers":[")" +
      hex0x(party(kOther).view()) + R"("],"signersNeeded":2})";
  w.ok(w.change(w.in_force, without));
  w.ok(w.decision(id, true));
  EXPECT_EQ(w.lease(id).state, LeaseState::held) << "one officer has approved it";
  w.ok(w.decision(id, true, kOther));
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  w.check_replay();
}

TEST_F(TwoSigners, WhatEnoughHaveApprovedOpensWhereFewerAreNeeded) {
  const LeaseId id = held();
  w.ok(w.decision(id, true));
  w.ok(w.change(w.in_force));
  EXPECT_EQ(w.lease(id).state, LeaseState::matched);
  w.check_replay();
}

TEST_F(TwoSigners, OneRejectIsEnough) {
  const LeaseId id = held();
  w.ok(w.decision(id, true));
  w.ok(w.decision(id, false, kOfficer));
  EXPECT_EQ(w.lease(id).state, LeaseState::failed);
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

}  // namespace
}  // namespace mizan::exchange
