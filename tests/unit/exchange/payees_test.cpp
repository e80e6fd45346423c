// Payees: those whom a provider's pay is shared with, from the ask to the last unit of money.
#include "crypto/address.hpp"
#include "crypto/payees_hash.hpp"
#include "exchange/explain.hpp"
#include "support/policy_world.hpp"

namespace mizan::exchange {
namespace {

using test::Fate;
using test::party;
using test::PolicyWorld;

constexpr uint8_t kBuyer = 1;
constexpr uint8_t kProvider = 2;
constexpr uint8_t kInvestor = 3;
constexpr uint8_t kHost = 4;

struct Share {
  uint8_t who;
  uint16_t bps;
  std::string role = "";
};

/// An offer whose pay is shared.
PlaceAsk shared(PolicyWorld& w, const std::vector<Share>& shares, uint8_t provider = kProvider) {
  std::string list;
  std::vector<Payee> payees;
  for (const Share& one : shares) {
    payees.push_back({party(one.who), one.bps});
    list += (list.empty() ? "" : ",") + std::string(R"({"bps":)") + std::to_string(one.bps) +
            (one.role.empty() ? "" : R"(,"role":")" + one.role + "\"") + R"(,"to":")" +
            to_checksum(party(one.who)) + "\"}";
  }
  PlaceAsk out = w.offer(provider, "H100 SXM", 8, 80, "SG",
                         R"(,"licence_conditions":{"source":"self_reported","value":[]})"
                         R"(,"payees":{"source":"self_reported","value":[)" +
                             list + "]}");
  out.ask.payees_hash = payees_hash(payees);
  return out;
}

const std::vector<Share> kThree = {
    {kInvestor, 2500, "investor"}, {kHost, 1000, "host"}, {kProvider, 6500}};

class PayeesTest : public ::testing::Test {
 protected:
  PayeesTest() {
    w.join(kBuyer);
    w.join(kProvider, {.country = "AU", .hq = "AU"});
    w.prove(kInvestor);
    w.prove(kHost);
  }
  u128 balance(uint8_t who) const { return w.core.account(party(who)).balance.nano; }
  LeaseId running() {
    ask = w.ok(shared(w, kThree)).order;
    EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed) << w.note();
    w.accept(w.last);
    return w.last;
  }
  void close(const LeaseId& id, uint64_t ran_ms) {
    w.wait_ms(ran_ms + 100);
    w.beat(id, 4, 0, ran_ms);
    w.ok(Close{{id, 0}, {}});
    w.finalize(id);
  }
  ListParty listing(uint8_t who, bool listed = true) {
    auto out = w.listing("block", listed);
    out.listing.account = party(who);
    return out;
  }
  PolicyWorld w;
  OrderId ask;
};

TEST_F(PayeesTest, TheSplitIsInTheTermsAndPaidInOneClose) {
  const LeaseId id = running();
  const Lease& lease = w.lease(id);
  EXPECT_EQ(
      lease.terms.payees_hash,
      payees_hash({{party(kInvestor), 2500}, {party(kHost), 1000}, {party(kProvider), 6500}}));
  const u128 had = balance(kProvider);
  close(id, 33'000);  // 330 charged, 3 fee, 327 to split: 81.75, 32.8 of 246, and the rest
  EXPECT_EQ(lease.settlement.charged, 330U);
  EXPECT_EQ(lease.settlement.paid, 327U);
  EXPECT_EQ(balance(kInvestor), 81U);
  EXPECT_EQ(balance(kHost), 32U);
  EXPECT_EQ(balance(kProvider) - had, 214U);
  EXPECT_EQ(w.core.account(party(kInvestor)).earned, Money{81});
  w.check_replay();
}

TEST_F(PayeesTest, AnAskSaysWhomItPaysAndSignsIt) {
  const auto fault = [&](const std::vector<Share>& shares) { return w.refused(shared(w, shares)); };
  EXPECT_EQ(fault({{kInvestor, 2500}, {kProvider, 7400}}).details.at("field"),
            "attributes.payees.value");
  EXPECT_EQ(fault({{kInvestor, 5000}, {kInvestor, 5000}}).details.at("field"),
            "attributes.payees.value[1].to");
  EXPECT_EQ(fault({{kInvestor, 10'000, "buyer"}}).details.at("field"),
            "attributes.payees.value[0].role");
  EXPECT_EQ(fault({{kProvider, 10'000, "investor"}}).details.at("field"),
            "attributes.payees.value[0].role");
  EXPECT_EQ(fault(std::vector<Share>(9, {kInvestor, 1})).details.at("field"),
            "attributes.payees.value");
  PlaceAsk other = shared(w, kThree);
  other.ask.payees_hash.bytes[0] ^= 1;
  EXPECT_EQ(w.refused(other).details.at("field"), "ask.payeesHash");
  other.ask.payees_hash = {};
  EXPECT_EQ(w.refused(other).details.at("field"), "ask.payeesHash");
  PlaceAsk unnamed = w.offer(kProvider);
  unnamed.ask.payees_hash.bytes[0] = 1;
  EXPECT_EQ(w.refused(unnamed).details.at("field"), "ask.payeesHash");
}

TEST_F(PayeesTest, APayeeOfWhomNothingIsKnownWaitsForAPerson) {
  w.ok(shared(w, {{9, 100}, {kProvider, 9900}}));
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.lease(w.last).verdict.outcome, "INSUFFICIENT");
  const auto as = [&](Viewer viewer) {
    return explain(w.lease(w.last), w.core.known_rules(), viewer, policy::Language::en)
        .value_or("");
  };
  const std::string named = R"("party":")" + hex0x(party(9).view()) + "\"";
  EXPECT_NE(as(Viewer::officer).find(named), std::string::npos) << as(Viewer::officer);
  EXPECT_NE(as(Viewer::provider).find(named), std::string::npos);
  EXPECT_EQ(as(Viewer::buyer).find(named), std::string::npos) << as(Viewer::buyer);
  const LeaseId held = w.last;
  w.prove(9);
  EXPECT_EQ(w.lease(held).state, LeaseState::matched) << "the facts arrived";
  w.accept(held);
  close(w.lease(held).id, 10'000);
  EXPECT_EQ(balance(9), 0U) << "99 x 100 / 10000, rounded down";
  w.check_replay();
}

TEST_F(PayeesTest, AListedPayeeBlocksTheDeal) {
  w.prove(kInvestor, {.lists = {{"SDN", policy::ListEffect::block}}});
  EXPECT_EQ(w.code(shared(w, kThree)), ErrorCode::policy_blocked);
  w.prove(kInvestor, {.owners = {{policy::Fact<policy::Decimal>::of({600'000'000}), "SDN",
                                  policy::ListEffect::block}}});
  w.ok(shared(w, kThree));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::blocked);
  EXPECT_EQ(w.rule, "us.sanctions.block_50");
  w.prove(kInvestor);
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed) << "no memory of what was known before";
}

TEST_F(PayeesTest, APayeeListedInMidLeaseStopsItAsAProviderDoes) {
  const LeaseId id = running();
  ASSERT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  const LeaseId matched = w.last;
  w.ok(listing(kInvestor));
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  EXPECT_EQ(w.lease(matched).reason, "listed");
  EXPECT_FALSE(w.core.find_ask(ask)) << "the offer pays it";
  EXPECT_FALSE(w.core.is_frozen(party(kProvider)));
  EXPECT_EQ(w.code(shared(w, kThree)), ErrorCode::policy_blocked);
  EXPECT_TRUE(w.ok(w.offer(kProvider)).order != ask) << "without it the provider goes on";
  close(id, 5'000);  // nothing ran before the stop
  EXPECT_EQ(w.lease(id).reason, "listed");
  EXPECT_EQ(balance(kInvestor), 0U);
  w.check_replay();
  w.ok(listing(kInvestor, false));
  w.ok(shared(w, kThree));
}

TEST_F(PayeesTest, AGroupListedThatAPayeeProvesToBeOf) {
  const LeaseId id = running();
  auto list = w.listing("block");
  list.listing.group = test::pairwise('g', 7);
  w.ok(list);
  w.prove(kHost, {.group = 7});
  EXPECT_TRUE(w.core.is_frozen(party(kHost)));
  EXPECT_EQ(w.lease(id).stop_reason, "listed");
  w.check_replay();
}

TEST_F(PayeesTest, WhoPaysItselfIsFlagged) {
  w.prove(kInvestor, {.person = 5});
  w.ok(shared(w, kThree));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed);
  w.ok(shared(w, {{kBuyer, 10'000}}, kProvider));
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::passed) << "of another person's offer";
  w.prove(kBuyer, {.person = 5});
  EXPECT_EQ(w.fate(w.want(kBuyer)), Fate::held);
  EXPECT_EQ(w.note().substr(0, 21), "exchange.same_person ");
}

TEST_F(PayeesTest, ALeaseKeepsItsPayeesOverASnapshotAndItsOffersEnd) {
  const LeaseId id = running();
  w.ok(CancelAsk{{party(kProvider), ask}, {}});
  auto again = Exchange::restore(w.core.encode(), w.rule_sets);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->state_hash(), w.core.state_hash());
  w.core = *std::move(again);
  close(id, 10'000);
  EXPECT_EQ(balance(kInvestor), 24U);
  EXPECT_EQ(balance(kHost), 10U);
}

}  // namespace
}  // namespace mizan::exchange
