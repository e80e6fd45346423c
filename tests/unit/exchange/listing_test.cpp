// Parties on lists: what is stopped, who is frozen, whom it reaches.
#include "unit/exchange/policy_fixture.hpp"

namespace mizan::exchange {
namespace {

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

TEST_F(PolicyTest, WhoIsListedByItsPersonStaysSoWhateverALaterProofHides) {
  w.prove(kBuyer, {.person = 3});
  auto list = w.listing("block");
  list.listing.person = test::pairwise('p', 3);
  w.ok(list);
  ASSERT_TRUE(w.core.is_frozen(party(kBuyer)));
  w.prove(kBuyer, {.person = 0});
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  EXPECT_EQ(w.code(w.want(kBuyer, 2, kTraining)), ErrorCode::policy_blocked);
  w.prove(kBuyer, {.person = 4});
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  w.check_replay();
  list = w.listing("block", false);
  list.listing.person = test::pairwise('p', 3);
  w.ok(list);
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  // Whoever hides it before it is listed is listed too.
  w.prove(kBuyer, {.person = 0});
  list = w.listing("block");
  list.listing.person = test::pairwise('p', 4);
  w.ok(list);
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
}

TEST_F(PolicyTest, NoOlderCredentialTakesAListingBack) {
  const auto before = w.facts({});
  auto later = w.facts({.lists = {{"EL", policy::ListEffect::block}}});
  later.issued_at += 1;
  w.ok(ProveFacts{party(kBuyer), later});
  ASSERT_TRUE(w.core.is_frozen(party(kBuyer)));
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), before}), ErrorCode::conflict);
  w.ok(ProveFacts{party(kBuyer), later});
  auto hides = w.facts({.lists_known = false});
  hides.issued_at = later.issued_at;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), hides}), ErrorCode::conflict);
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  auto cleared = later;
  cleared.lists.value.clear();
  cleared.issued_at += 1;
  w.ok(ProveFacts{party(kBuyer), cleared});
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer))) << "the issuer says so";
}

TEST_F(PolicyTest, NoOtherIssuerTakesAListingBack) {
  w.ok(w.change(w.in_force, R"({"issuers":{"https://issuer.example":{"kty":"EC"},)"
                            R"("https://other.example":{"kty":"EC"}}})"));
  w.prove(kBuyer, {.lists = {{"EL", policy::ListEffect::block}}});
  ASSERT_TRUE(w.core.is_frozen(party(kBuyer)));
  auto other = w.facts({});
  other.issuer = "https://other.example";
  other.issued_at += 1;
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), other}), ErrorCode::conflict);
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  other.lists.value = {{"EL", policy::ListEffect::licence}};
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), other}), ErrorCode::conflict) << "nor makes it milder";
  other.lists.value = {{"EL", policy::ListEffect::block}, {"MEU", policy::ListEffect::block}};
  w.ok(ProveFacts{party(kBuyer), other});
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
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
  // Rules that do not, let the party go, and it hears of it.
  w.ok(w.change(w.in_force));
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  const auto told = w.seen<AccountFrozen>();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1].account, party(kBuyer));
  EXPECT_FALSE(told[1].frozen);
  w.check_replay();
}

TEST_F(PolicyTest, AnOfficersWordCountsOnce) {
  auto list = w.listing("block");
  list.listing.account = party(kBuyer);
  w.ok(list);
  auto off = w.listing("block", false);
  off.listing.account = party(kBuyer);
  w.ok(off);
  w.wait_ms(60'499);
  EXPECT_EQ(w.code(list), ErrorCode::replayed) << "it is good until its last millisecond";
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  w.wait_ms(1);
  EXPECT_EQ(w.code(list), ErrorCode::expired);
}

TEST_F(PolicyTest, WhoIsTakenOffAListIsServedAtOnce) {
  w.ok(w.change(
      w.in_force,
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"stricter":{"RED_FLAG":"PROHIBITED"}})"));
  auto list = w.listing("licence");
  list.listing.account = party(kBuyer);
  w.ok(list);
  ASSERT_TRUE(w.ok(w.want(kBuyer)).resting) << "blocked, and it has nothing to freeze";
  ASSERT_TRUE(w.seen<Matched>().empty());
  auto off = w.listing("licence", false);
  off.listing.account = party(kBuyer);
  w.ok(off);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

TEST_F(PolicyTest, WhoIsTakenOffAListIsFreeThoughARuleHadProhibitedItsLease) {
  running();
  w.ok(w.change(
      w.in_force,
      R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"stricter":{"RED_FLAG":"PROHIBITED"}})"));
  auto list = w.listing("licence");
  list.listing.account = party(kBuyer);
  w.ok(list);
  ASSERT_TRUE(w.core.is_frozen(party(kBuyer)));
  auto off = w.listing("licence", false);
  off.listing.account = party(kBuyer);
  w.ok(off);
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  ASSERT_EQ(w.seen<AccountFrozen>().size(), 2u);
  EXPECT_FALSE(w.seen<AccountFrozen>().back().frozen);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  w.check_replay();
}

TEST_F(PolicyTest, AnIssuersBlockHoldsAsLongAsTheIssuerIsAccepted) {
  const LeaseId id = running();
  w.ok(w.change(w.in_force, R"({"issuers":{"https://issuer.example":{"kty":"EC"}}})"));
  w.prove(kBuyer, {.lists = {{"list", policy::ListEffect::block}}});
  ASSERT_TRUE(w.core.is_frozen(party(kBuyer)));
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  w.ok(w.change(w.in_force, R"({"issuers":{"https://other.example":{"kty":"EC"}}})"));
  EXPECT_FALSE(w.core.is_frozen(party(kBuyer)));
  ASSERT_EQ(w.seen<AccountFrozen>().size(), 2u);
  EXPECT_FALSE(w.seen<AccountFrozen>().back().frozen);
  const OrderId resting = w.ok(w.want(kBuyer, 8, "")).order;
  w.ok(w.change(w.in_force, test::kOptions));
  EXPECT_TRUE(w.core.is_frozen(party(kBuyer)));
  ASSERT_EQ(w.seen<AccountFrozen>().size(), 3u);
  EXPECT_TRUE(w.seen<AccountFrozen>().back().frozen);
  EXPECT_TRUE(w.core.bids_of(party(kBuyer)).empty()) << hex0x(resting.view());
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

}  // namespace
}  // namespace mizan::exchange
