// Ways round the rules, each blocked or held for a person.
#include "exchange/judge.hpp"
#include "support/policy_world.hpp"

namespace mizan::test {
namespace {

using namespace exchange;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kBroker = 3;
const std::string kTraining = R"({"end_use":"commercial","end_user":"self","training":true})";

Rules limit(const std::string& fact, uint64_t at_least, const std::string& outcome = "RED_FLAG") {
  return make_rules(one_rule(
      "operator.limit", R"({"fact":")" + fact + R"(","at_least":)" + std::to_string(at_least) + "}",
      outcome));
}

/// A market in which an ordinary deal passes.
struct Market : PolicyWorld {
  explicit Market(const Rules& rules = shipped_rules()) : PolicyWorld(rules) {
    join(kBuyer);
    join(kProvider, {.country = "AU", .hq = "AU"});
    ok(offer(kProvider, "H100 SXM", 256));
    EXPECT_EQ(fate(want(kBuyer, 1, kTraining, true)), Fate::passed) << rule;
    ok(Reject{last, party(kProvider), "no", ""});
  }
  void finish(const LeaseId& id, uint64_t after_ms) {
    accept(id);
    for (; after_ms > 30'000; after_ms -= 30'000) {
      wait_ms(30'000);
      beat(id, 2, 0, 0);
    }
    wait_ms(after_ms);
    beat(id, 4, 0, 0);
    ok(Close{{id, 0}, {}});
    finalize(id);
  }
};

TEST(Evasion, TenKeysOfOneParent) {
  Market w(limit("units", 40));
  int passed = 0;
  for (uint8_t key = 10; key < 20; ++key) {
    w.join(key, {.person = key, .group = 1});
    passed += w.fate(w.want(key, 8)) == Fate::passed ? 1 : 0;
  }
  EXPECT_EQ(passed, 4) << "the fifth makes forty";
  EXPECT_NE(w.note().find("operator.limit"), std::string::npos);
}

TEST(Evasion, OneBidCutIntoMany) {
  Market w(limit("units", 9));
  for (int i = 0; i < 8; ++i) ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
}

TEST(Evasion, ASplitOverKeysOfOnePersonAcrossTwoProviders) {
  Market w(limit("units", 16, "PROHIBITED"));
  w.join(5, {.country = "JP", .hq = "JP"});
  w.ok(w.offer(5, "H100 SXM", 8));
  w.join(11, {.person = 1});
  w.join(12, {.person = 1});
  EXPECT_EQ(w.fate(w.want(11, 8)), Fate::passed);
  EXPECT_EQ(w.fate(w.want(12, 8, kCommercial, true)), Fate::blocked);
}

TEST(Evasion, TrainingWorkInSlicesOneAfterTheOther) {
  const uint64_t one = 1979ULL * 8 * 100;
  Market w(limit("training_work", one * 3));
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::passed);
    w.finish(w.last, 99'400);
  }
  EXPECT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::held);
}

TEST(Evasion, TrainingWorkInSlicesOfSeveralKeysAtOnce) {
  Market w(limit("training_work", 1979ULL * 8 * 100 * 2));
  w.join(11, {.group = 4});
  w.join(12, {.group = 4});
  EXPECT_EQ(w.fate(w.want(11, 8, kTraining)), Fate::passed);
  EXPECT_EQ(w.fate(w.want(12, 8, kTraining)), Fate::held);
}

TEST(Evasion, ACredentialThatIsLeftToExpireDoesNotEmptyTheSum) {
  Market w(limit("units", 16));
  w.join(11, {.group = 4});
  auto late = w.want(11, 8);
  late.bid.max_seconds = 50'000;
  ASSERT_EQ(w.fate(late), Fate::passed);
  auto facts = w.facts({.group = 4});
  facts.expires_at = w.seconds() + 5;
  w.ok(ProveFacts{party(11), facts});
  w.wait_ms(6000);
  w.join(12, {.group = 4});
  EXPECT_EQ(w.fate(w.want(12, 8)), Fate::held);
}

TEST(Evasion, ANewParentDoesNotEmptyTheOldOnesSum) {
  Market w(limit("units", 16));
  w.join(11, {.group = 4});
  w.join(12, {.group = 4});
  ASSERT_EQ(w.fate(w.want(11, 8)), Fate::passed);
  w.prove(11, {.group = 5});
  EXPECT_EQ(w.fate(w.want(12, 8)), Fate::held);
}

TEST(Evasion, ABrokerBetweenThatNamesItsCustomer) {
  Market w;
  w.join(kBroker);
  const std::string for_another =
      R"({"end_use":"commercial","training":true,"end_user":{"country":"CN","hq":"CN","parent_hq":"n/a"}})";
  EXPECT_EQ(w.fate(w.want(kBroker, 8, for_another)), Fate::held);
}

TEST(Evasion, ABrokerBetweenWhoseCustomerIsEmbargoed) {
  Market w;
  w.join(kBroker);
  const std::string for_another =
      R"({"end_use":"commercial","training":false,"end_user":{"country":"IR","hq":"IR","parent_hq":"n/a"}})";
  EXPECT_EQ(w.fate(w.want(kBroker, 8, for_another, true)), Fate::blocked);
}

TEST(Evasion, AnEndUserThatIsNotDeclared) {
  Market w;
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, R"({"end_use":"commercial","training":false})")), Fate::held);
}

TEST(Evasion, AnEndUseThatIsNotDeclared) {
  Market w;
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, R"({"end_user":"self","training":false})")), Fate::held);
  EXPECT_EQ(w.fate(w.want(kBuyer, 1, "")), Fate::held) << "nor anything at all";
}

TEST(Evasion, TrainingThatIsNotDeclared) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  EXPECT_EQ(w.fate(w.want(kBuyer, 8, R"({"end_use":"commercial","end_user":"self"})")), Fate::held);
  EXPECT_EQ(w.fate(w.want(kBuyer, 8)), Fate::held) << "nor is the buyer's word that it is not";
}

TEST(Evasion, AParentThatChangesInMidLease) {
  Market w;
  ASSERT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::passed);
  const LeaseId id = w.last;
  w.accept(id);
  w.prove(kBuyer, {.parent = "CN"});
  ASSERT_EQ(w.seen<WouldNotPass>().size(), 1u);
  EXPECT_EQ(w.seen<WouldNotPass>()[0].lease, id);
  EXPECT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::held);
}

TEST(Evasion, AParentThatIsLeftOut) {
  Market w;
  w.prove(kBuyer, {.parent = ""});
  EXPECT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::held);
}

TEST(Evasion, AChipUnderAnothersName) {
  Market w;
  w.join(5);
  auto relabelled = w.offer(5, "L4", 8, 80);  // an L4 has 24 GB
  relabelled.ask.rate = 1;
  w.ok(relabelled);
  auto bid = w.want(kBuyer);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
  EXPECT_NE(w.note().find("exchange.device_memory"), std::string::npos) << w.note();
}

TEST(Evasion, AChipThatNoTableHas) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  w.join(5);
  auto unknown = w.offer(5, "HX100-special", 8, 80);
  unknown.ask.rate = 1;
  w.ok(unknown);
  auto bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
}

TEST(Evasion, AChipThatNobodyMeasured) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  w.join(5);
  auto said = w.offer(5, "H20", 8, 0);  // of no class, by the provider's word alone
  said.ask.rate = 1;
  w.ok(said);
  auto bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
  auto measured = w.offer(5, "H20", 8, 96);
  measured.ask.rate = 1;
  w.ok(measured);
  bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::passed) << "where the probe read it, it passes";
}

TEST(Evasion, AGamingCardSoldForDataCentres) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  w.join(5);
  const std::string marketed = R"(,"licence_conditions":{"source":"self_reported","value":[]},)"
                               R"("datacenter_marketed":{"source":"self_reported","value":true})";
  auto gaming = w.offer(5, "RTX 4090D", 8, 24, "SG", marketed);
  gaming.ask.rate = 1;
  w.ok(gaming);
  auto bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
  auto plain = w.offer(5, "RTX 4090D", 8, 24);
  plain.ask.rate = 1;
  w.ok(plain);
  bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::passed) << "sold as what it is, it passes";
}

TEST(Evasion, ADataCentreCardSoldForGames) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  w.join(5);
  const std::string marketed = R"(,"licence_conditions":{"source":"self_reported","value":[]},)"
                               R"("datacenter_marketed":{"source":"self_reported","value":false})";
  auto card = w.offer(5, "L4", 8, 24, "SG", marketed);
  card.ask.rate = 1;
  w.ok(card);
  auto bid = w.want(kBuyer, 1, kTraining);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
}

TEST(Evasion, ADeclaredCountryAgainstTheCredentials) {
  Market w;
  w.prove(kBuyer, {.country = "AE", .hq = "AE"});
  EXPECT_EQ(w.fate(w.want(
                kBuyer, 1,
                R"({"country":"SG","end_use":"commercial","end_user":"self","training":false})")),
            Fate::held);
  EXPECT_NE(w.note().find("exchange.declared_country"), std::string::npos) << w.note();
  w.prove(kBuyer, {.country = "IR", .hq = "SG"});
  EXPECT_EQ(
      w.fate(w.want(kBuyer, 1,
                    R"({"country":"SG","end_use":"commercial","end_user":"self","training":false})",
                    true)),
      Fate::blocked)
      << "the credential counts";
}

TEST(Evasion, ADeclaredCountryInsteadOfACredential) {
  Market w;
  w.grant(party(7), 1'000'000);
  EXPECT_EQ(
      w.fate(w.want(
          7, 1, R"({"country":"SG","end_use":"commercial","end_user":"self","training":false})")),
      Fate::held);
}

TEST(Evasion, AnExpiredCredential) {
  Market w;
  auto facts = w.facts({});
  facts.expires_at = w.seconds() + 5;
  w.ok(ProveFacts{party(kBuyer), facts});
  w.wait_ms(5000);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.code(ProveFacts{party(kBuyer), facts}), ErrorCode::credential_expired);
}

TEST(Evasion, AShellProviderThatBlockedPartiesOwn) {
  const auto share = [](int64_t percent) {
    return policy::Fact<policy::Decimal>::of({percent * (policy::kNano / 100)});
  };
  Market w;
  w.join(5, {.owners = {{share(30), "SDN", policy::ListEffect::block},
                        {share(20), "SDN", policy::ListEffect::block}}});
  auto shell = w.offer(5);
  shell.ask.rate = 1;
  w.ok(shell);
  auto bid = w.want(kBuyer, 1, kCommercial, true);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::blocked);
  EXPECT_EQ(w.rule, "us.sanctions.block_50");
}

TEST(Evasion, ABuyerThatTwoListedPartiesOwnTogether) {
  const auto share = [](int64_t percent) {
    return policy::Fact<policy::Decimal>::of({percent * (policy::kNano / 100)});
  };
  Market w;
  w.prove(kBuyer, {.owners = {{share(30), "EL", policy::ListEffect::licence},
                              {share(20), "EL", policy::ListEffect::licence}}});
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
}

TEST(Evasion, AProviderWithoutACredential) {
  Market w;
  auto nobody = w.offer(6);
  nobody.ask.rate = 1;
  w.ok(nobody);
  auto bid = w.want(kBuyer);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
}

TEST(Evasion, ListsThatTheCredentialLeavesOut) {
  Market w;
  w.prove(kBuyer, {.lists_known = false});
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
}

TEST(Evasion, OneSelfAsBuyerAndProvider) {
  Market w;
  w.join(5, {.person = 9});
  w.join(6, {.person = 9});
  auto own = w.offer(5);
  own.ask.rate = 1;
  w.ok(own);
  auto bid = w.want(6);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
  EXPECT_NE(w.note().find("exchange.same_person"), std::string::npos) << w.note();
}

TEST(Evasion, ANewBidAfterAReject) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::held);
    w.ok(w.decision(w.last, false));
    EXPECT_EQ(w.core.find_lease(w.last)->state, LeaseState::failed);
  }
}

TEST(Evasion, ANewKeyAfterAListing) {
  Market w;
  w.prove(kBuyer, {.person = 3});
  auto list = w.listing("block");
  list.listing.person = pairwise('p', 3);
  w.ok(list);
  EXPECT_EQ(w.code(w.want(kBuyer)), ErrorCode::policy_blocked);
  w.join(8, {.person = 3});
  EXPECT_EQ(w.code(w.want(8)), ErrorCode::policy_blocked);
  EXPECT_EQ(w.code(w.offer(8)), ErrorCode::policy_blocked);
}

TEST(Evasion, ANewKeyWithoutACredentialAfterAListing) {
  Market w;
  auto list = w.listing("block");
  list.listing.account = party(kBuyer);
  w.ok(list);
  w.grant(party(8), 1'000'000);
  EXPECT_EQ(w.fate(w.want(8)), Fate::held);
}

TEST(Evasion, ABidThatWaitsOutAChangeOfRules) {
  const Rules strict = limit("units", 1, "PROHIBITED");
  Market w;
  auto early = w.want(kBuyer, 8);
  early.bid.max_rate = 5;  // below the offer: it rests
  w.ok(early);
  w.core.know_rules(strict);
  w.ok(w.change(strict));
  auto cheap = w.offer(kProvider);
  cheap.ask.rate = 4;
  w.ok(cheap);
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  EXPECT_EQ(w.core.leases_of(party(kBuyer)).size(), 1u) << "the market's first try alone";
  EXPECT_EQ(w.core.account(party(kBuyer)).escrowed.nano, 0u);
}

TEST(Evasion, AnApprovalThatWaitsOutAChangeOfRules) {
  const Rules strict = limit("units", 1, "PROHIBITED");
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  ASSERT_EQ(w.fate(w.want(kBuyer, 8, kTraining)), Fate::held);
  w.core.know_rules(strict);
  w.ok(w.change(strict));
  EXPECT_EQ(w.code(w.decision(w.last, true)), ErrorCode::conflict);
  EXPECT_EQ(w.core.find_lease(w.last)->reason, "policy_blocked");
}

TEST(Evasion, AMachineInAnEmbargoedPlace) {
  Market w;
  w.join(5);
  auto there = w.offer(5, "H100 SXM", 8, 80, "IR");
  there.ask.rate = 1;
  w.ok(there);
  auto bid = w.want(kBuyer, 1, kCommercial, true);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::blocked);
}

TEST(Evasion, AMachineThatStandsNowhere) {
  Market w;
  w.join(5);
  for (const char* country : {"", "ZZ"}) {
    auto nowhere = w.offer(5, "H100 SXM", 8, 80, country);
    nowhere.ask.rate = 1;
    w.ok(nowhere);
  }
  for (int i = 0; i < 2; ++i) {
    auto bid = w.want(kBuyer, 8);
    bid.bid.max_rate = 5;
    EXPECT_EQ(w.fate(bid), Fate::held) << i;
  }
}

TEST(Evasion, AMachineWhoseLicenceForbidsIt) {
  Market w;
  w.prove(kBuyer, {.parent = "CN"});
  w.join(5);
  auto bound = w.offer(5, "H100 SXM", 8, 80, "SG",
                       R"(,"licence_conditions":{"source":"self_reported","value":["no_hq:CN"]})");
  bound.ask.rate = 1;
  w.ok(bound);
  auto bid = w.want(kBuyer, 1, kCommercial, true);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::blocked);
}

TEST(Evasion, AMachineThatKeepsQuietAboutItsLicence) {
  Market w;
  w.join(5);
  auto quiet = w.offer(5, "H100 SXM", 8, 80, "SG", "");
  quiet.ask.rate = 1;
  w.ok(quiet);
  auto bid = w.want(kBuyer);
  bid.bid.max_rate = 5;
  EXPECT_EQ(w.fate(bid), Fate::held);
}

}  // namespace
}  // namespace mizan::test
