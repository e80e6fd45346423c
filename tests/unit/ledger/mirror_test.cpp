#include "ledger/ledger.hpp"

#include <gtest/gtest.h>

namespace mizan::ledger {
namespace {

Address address(uint8_t n) {
  Address out;
  out.bytes[19] = n;
  return out;
}
LeaseId id(uint8_t n) {
  LeaseId out;
  out.bytes[0] = n;
  return out;
}
Place place(uint64_t number) {
  Place out{number, {}, 1000 + number};
  out.hash.bytes[0] = static_cast<uint8_t>(number);
  return out;
}
const Address kBuyer = address(1);
const Address kProvider = address(2);
const Address kFees = address(3);
const Address kKey = address(4);

class MirrorTest : public ::testing::Test {
 protected:
  MirrorTest() {
    step([this] { ASSERT_TRUE(m.deposit(kBuyer, 1000)); });
  }
  template <class Do>
  void step(Do act) {
    ASSERT_TRUE(m.begin(place(m.last().number + 1)));
    act();
    m.end();
    EXPECT_TRUE(m.conserves());
    EXPECT_TRUE(m.audit());
  }
  template <class Do>
  void refuses(Do act) {
    const Mirror before = m;
    ASSERT_TRUE(m.begin(place(m.last().number + 1)));
    const Result<void> done = act();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, ErrorCode::corrupted) << done.error().message;
    m.abandon();
    EXPECT_EQ(m, before);
  }
  void open(uint8_t n, u128 escrow) {
    step([&] { ASSERT_TRUE(m.open(id(n), Parties{kBuyer, kProvider}, escrow, 1500)); });
  }
  Mirror m{place(0), kFees, kKey, 9};
};

TEST_F(MirrorTest, FollowsALease) {
  open(1, 600);
  EXPECT_EQ(m.balance(kBuyer), 400u);
  EXPECT_EQ(m.sums().escrow, 600u);
  step([this] { ASSERT_TRUE(m.claim(id(1), 100, 1)); });
  EXPECT_EQ(m.balance(kProvider), 99u);
  EXPECT_EQ(m.balance(kFees), 1u);
  step([this] { ASSERT_TRUE(m.stop(id(1), 1600, 200)); });
  EXPECT_EQ(m.balance(kBuyer), 600u);
  EXPECT_EQ(m.find(id(1))->stopped, 1600u);
  step([this] { ASSERT_TRUE(m.close(id(1), 50, 0, 250)); });
  EXPECT_EQ(m.balance(kBuyer), 850u);
  EXPECT_EQ(m.balance(kProvider), 149u);
  EXPECT_TRUE(m.find(id(1))->closed);
  EXPECT_EQ(m.find(id(1))->paid, 150u);
  EXPECT_EQ(m.account(kProvider).earned, 149u);
  EXPECT_EQ(m.account(kBuyer).spent, 150u);
  EXPECT_EQ(m.sums().escrow, 0u);
  step([this] { ASSERT_TRUE(m.withdraw(kBuyer, 850)); });
  step([this] { ASSERT_TRUE(m.move(kProvider, kFees, 9)); });
  EXPECT_EQ(m.balance(kFees), 10u);
}

TEST_F(MirrorTest, SharesAreThoseOfAllThatWasPaid) {
  std::vector<Payee> payees;
  for (uint8_t n = 0; n < 8; ++n)
    payees.push_back({{}, static_cast<uint16_t>(n < 7 ? 1249 : 1257)});
  for (size_t n = 0; n < 8; ++n) payees[n].to.bytes[0] = static_cast<uint8_t>(0x80 + n);
  step([&] { ASSERT_TRUE(m.open(id(1), Parties{kBuyer, kProvider, payees}, 600, 1500)); });
  for (u128 net = 1; net <= 64; ++net) {  // a unit at a time, or all at once: it is the same
    step([this] { ASSERT_TRUE(m.claim(id(1), 1, 0)); });
    const std::vector<Money> shares = shares_of(Money{net}, payees);
    for (size_t n = 0; n < 8; ++n) EXPECT_EQ(m.balance(payees[n].to), shares[n].nano);
  }
  EXPECT_EQ(m.balance(kProvider), 0u);
  step([this] { ASSERT_TRUE(m.close(id(1), 36, 1, 500)); });
  EXPECT_EQ(m.account(payees[7].to).earned, shares_of(Money{99}, payees)[7].nano);
}

TEST_F(MirrorTest, TakesStepsBackAsTheyWere) {
  std::vector<Mirror> seen{m};
  const auto keep = [&](auto act) {
    step(act);
    seen.push_back(m);
  };
  keep([this] { ASSERT_TRUE(m.open(id(1), Parties{kBuyer, kProvider}, 600, 1500)); });
  keep([this] {
    ASSERT_TRUE(m.claim(id(1), 100, 1));
    ASSERT_TRUE(m.deposit(kProvider, 7));
    m.set_paused(true);
  });
  keep([this] {
    ASSERT_TRUE(m.close(id(1), 50, 0, 450));
    m.set_clearance_key({});
  });
  keep([this] { ASSERT_TRUE(m.withdraw(kBuyer, 850)); });
  for (size_t back = seen.size() - 1; back-- > 0;) {
    const auto touched = m.take_back(seen[back].last());
    ASSERT_TRUE(touched);
    EXPECT_EQ(m, seen[back]);
  }
  EXPECT_EQ(m.take_back(place(7)).error().code, ErrorCode::not_found);
  ASSERT_TRUE(m.take_back(m.base()));
  EXPECT_EQ(m, Mirror(place(0), kFees, kKey, 9));
}

TEST_F(MirrorTest, RefusesWhatContradicts) {
  open(1, 600);
  refuses([this] { return m.withdraw(kBuyer, 401); });
  refuses([this] { return m.move(kProvider, kBuyer, 1); });
  refuses([this] { return m.open(id(1), Parties{kBuyer, kProvider}, 1, 1500); });
  refuses([this] { return m.open(id(2), Parties{kBuyer, kProvider}, 401, 1500); });
  refuses([this] { return m.open(id(2), std::nullopt, 401, 1500); });
  refuses([this] { return m.open(id(2), Parties{kBuyer, kProvider}, 1, 0); });
  refuses([this] { return m.claim(id(2), 1, 0); });
  refuses([this] { return m.claim(id(1), 601, 0); });
  refuses([this] { return m.claim(id(1), 5, 6); });
  refuses([this] { return m.close(id(1), 100, 1, 499); });
  refuses([this] { return m.close(id(1), 100, 1, ~u128{0}); });
  EXPECT_FALSE(m.begin(m.last()));
  step([this] { ASSERT_TRUE(m.close(id(1), 100, 1, 500)); });
  refuses([this] { return m.claim(id(1), 0, 0); });
  m.forget(id(1));
  EXPECT_EQ(m.find(id(1)), nullptr);
}

/// A lease that nobody here knows: its money is counted, though not whose it is.
TEST_F(MirrorTest, ConservesWithStrangersLeases) {
  step([this] { ASSERT_TRUE(m.open(id(9), std::nullopt, 700, 1500)); });
  EXPECT_EQ(m.balance(kBuyer), 1000u) << "at most, for it may be the stranger's money";
  step([this] { ASSERT_TRUE(m.close(id(9), 600, 6, 100)); });
  EXPECT_EQ(m.balance(kFees), 6u);
  // The stranger's provider takes out what nobody here saw it earn, and no more than that.
  step([this] { ASSERT_TRUE(m.withdraw(kProvider, 594)); });
  refuses([this] { return m.withdraw(address(77), 101); });
  step([this] { ASSERT_TRUE(m.withdraw(address(77), 100)); });
  refuses([this] { return m.withdraw(kBuyer, 307); });
  step([this] { ASSERT_TRUE(m.withdraw(kBuyer, 300)); });
}

TEST_F(MirrorTest, RemembersSoManyPlaces) {
  while (m.last().number < Mirror::kMostPlaces + 10)
    step([this] { ASSERT_TRUE(m.deposit(kProvider, 1)); });
  EXPECT_EQ(m.places().size(), Mirror::kMostPlaces);
  EXPECT_EQ(m.base(), place(10));
  ASSERT_TRUE(m.take_back(m.base()));
  EXPECT_EQ(m.balance(kProvider), 9u);
}

TEST_F(MirrorTest, ConvertsUnits) {
  EXPECT_EQ(Mirror(place(0), kFees, kKey, 6).money(5).nano, 5000u);
  EXPECT_EQ(Mirror(place(0), kFees, kKey, 18).money(5'999'999'999).nano, 5u);
  Mirror rich(place(0), kFees, kKey, 6);
  ASSERT_TRUE(rich.begin(place(1)));
  EXPECT_EQ(rich.deposit(kBuyer, ~u128{0} / 10).error().code, ErrorCode::overflow);
}

/// What can be spent is what the chain has less what is reserved; never below zero.
TEST_F(MirrorTest, ALedgerOverAChainReserves) {
  Ledger ledger;
  ledger.follow(m);
  const EscrowTerms terms{kBuyer, kProvider, Rate{3}, 2, 100, 1000, 0};
  EXPECT_FALSE(ledger.lock(id(5), {kBuyer, kProvider, Rate{3}, 2, 167, 1000, 0}));
  ASSERT_TRUE(ledger.lock(id(5), terms));
  EXPECT_EQ(ledger.balance(kBuyer).nano, 400u);
  EXPECT_EQ(ledger.account(kBuyer).escrowed.nano, 600u);
  Mirror& mirror = *ledger.mirror();
  ASSERT_TRUE(mirror.begin(place(2)));
  ASSERT_TRUE(mirror.withdraw(kBuyer, 700));
  mirror.end();
  EXPECT_EQ(ledger.balance(kBuyer).nano, 0u);
  // A held deal's terms may begin anew all the same: whether it can be paid, the contract says.
  ASSERT_TRUE(ledger.rename(id(5), id(6), 1001));
  EXPECT_FALSE(ledger.rename(id(5), id(6), 1001));
  ASSERT_TRUE(ledger.rename(id(6), id(5), 1000));
  EXPECT_TRUE(ledger.audit());
  ASSERT_TRUE(mirror.take_back(place(1)));
  ASSERT_TRUE(mirror.begin(place(2)));
  ASSERT_TRUE(mirror.open(id(5), Parties{kBuyer, kProvider}, 600, 1001));
  mirror.end();
  ASSERT_TRUE(ledger.open(id(5), 1001));
  ledger.set_locked(id(5), true);
  EXPECT_EQ(ledger.balance(kBuyer).nano, 400u);
  EXPECT_TRUE(ledger.audit());
  ASSERT_TRUE(mirror.take_back(place(1)));
  ledger.set_locked(id(5), false);
  EXPECT_EQ(ledger.balance(kBuyer).nano, 400u);
  EXPECT_TRUE(ledger.audit());
  ledger.drop(id(5));
  EXPECT_EQ(ledger.balance(kBuyer).nano, 1000u);
  EXPECT_TRUE(ledger.audit());
}

}  // namespace
}  // namespace mizan::ledger
