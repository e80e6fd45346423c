#include "ledger/ledger.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace mizan::ledger {
namespace {

Address party(uint8_t n) {
  Address address;
  address.bytes[19] = n;
  return address;
}
LeaseId lease(uint8_t n) {
  LeaseId id;
  id.bytes[31] = n;
  return id;
}
const Address kBuyer = party(1);
const Address kProvider = party(2);

EscrowTerms terms() {
  EscrowTerms out;
  out.buyer = kBuyer;
  out.provider = kProvider;
  out.rate = Rate{10};
  out.units = 4;
  out.seconds = 100;
  out.start = 1000;
  out.fee_bps = 250;
  return out;
}

Ledger funded() {
  Ledger ledger;
  EXPECT_TRUE(ledger.grant(kBuyer, Money{5000}));
  return ledger;
}

TEST(Ledger, LocksRateTimesUnitsTimesSeconds) {
  Ledger ledger = funded();
  const auto amount = ledger.lock(lease(1), terms());
  ASSERT_TRUE(amount);
  EXPECT_EQ(*amount, Money{4000});
  EXPECT_EQ(ledger.account(kBuyer).balance, Money{1000});
  EXPECT_EQ(ledger.account(kBuyer).escrowed, Money{4000});
  const auto second = ledger.lock(lease(2), terms());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::insufficient_funds);
  EXPECT_EQ(second.error().details.at("needed"), "4000");
  EXPECT_EQ(ledger.lock(lease(1), terms()).error().code, ErrorCode::already_exists);
  ledger.recount();
}

TEST(Ledger, LocksTheWholeBalanceAndNotANanoMore) {
  Ledger ledger;
  ASSERT_TRUE(ledger.grant(kBuyer, Money{3999}));
  EXPECT_EQ(ledger.lock(lease(1), terms()).error().code, ErrorCode::insufficient_funds);
  ASSERT_TRUE(ledger.grant(kBuyer, Money{1}));
  EXPECT_TRUE(ledger.lock(lease(1), terms()));
  EXPECT_EQ(ledger.account(kBuyer).balance, Money{});
  ledger.recount();
}

TEST(Ledger, UnlockGivesAllBack) {
  Ledger ledger = funded();
  const Ledger before = ledger;
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  ASSERT_TRUE(ledger.unlock(lease(1)));
  EXPECT_EQ(ledger, before);
  EXPECT_EQ(ledger.unlock(lease(1)).error().code, ErrorCode::not_found);
}

TEST(Ledger, AnOpenLeaseIsNotUnlocked) {
  Ledger ledger = funded();
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  ASSERT_TRUE(ledger.open(lease(1), 1005));
  EXPECT_EQ(ledger.open(lease(1), 1006).error().code, ErrorCode::conflict);
  EXPECT_EQ(ledger.unlock(lease(1)).error().code, ErrorCode::conflict);
}

TEST(Ledger, ARenamedEscrowBeginsAnew) {
  Ledger ledger = funded();
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  ASSERT_TRUE(ledger.rename(lease(1), lease(2), 1500));
  EXPECT_EQ(ledger.find(lease(1)), nullptr);
  ASSERT_TRUE(ledger.open(lease(2), 1490));
  EXPECT_EQ(*ledger.bound(lease(2), 1510), Money{u128{40} * 10});
  EXPECT_EQ(*ledger.bound(lease(2), 1700), Money{u128{40} * 100});
  EXPECT_EQ(ledger.account(kBuyer).escrowed, Money{4000});
  ledger.recount();
}

struct BoundCase {
  uint64_t opened, stopped, now, seconds;
};

TEST(Ledger, BoundsAVoucherByElapsedTime) {
  const BoundCase cases[] = {
      {1005, 0, 1005, 0},     {1005, 0, 1006, 1},    {1005, 0, 1099, 94},
      {1005, 0, 1100, 95},    {1005, 0, 5000, 95},   {990, 0, 1010, 10},
      {1005, 1020, 1050, 15}, {1005, 1005, 1050, 0}, {1200, 0, 1300, 0},
  };
  for (const BoundCase& c : cases) {
    Ledger ledger = funded();
    ASSERT_TRUE(ledger.lock(lease(1), terms()));
    ASSERT_TRUE(ledger.open(lease(1), c.opened));
    if (c.stopped != 0) {
      ASSERT_TRUE(ledger.stop(lease(1), c.stopped));
      ASSERT_TRUE(ledger.stop(lease(1), c.stopped + 7));  // the first stop stays
    }
    EXPECT_EQ(*ledger.bound(lease(1), c.now), Money{u128{40} * c.seconds})
        << c.opened << " " << c.stopped << " " << c.now;
    EXPECT_EQ(ledger.voucher(lease(1), Money{u128{40} * c.seconds + 1}, c.now).error().code,
              ErrorCode::conflict);
    EXPECT_TRUE(ledger.voucher(lease(1), Money{u128{40} * c.seconds}, c.now));
  }
}

TEST(Ledger, AVoucherIsNeverLowered) {
  Ledger ledger = funded();
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  ASSERT_TRUE(ledger.open(lease(1), 1000));
  ASSERT_TRUE(ledger.voucher(lease(1), Money{400}, 1010));
  EXPECT_EQ(ledger.voucher(lease(1), Money{399}, 1020).error().code, ErrorCode::conflict);
  EXPECT_TRUE(ledger.voucher(lease(1), Money{400}, 1020));
}

TEST(Ledger, SettlesAndRoundsTheFeeDown) {
  Ledger ledger = funded();
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  EXPECT_EQ(ledger.settle(lease(1)).error().code, ErrorCode::conflict);
  ASSERT_TRUE(ledger.open(lease(1), 1000));
  ASSERT_TRUE(ledger.voucher(lease(1), Money{999}, 1050));
  const auto out = ledger.settle(lease(1));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->charged, Money{999});
  EXPECT_EQ(out->fee, Money{24});  // 24.975
  EXPECT_EQ(out->paid, Money{975});
  EXPECT_EQ(out->refunded, Money{3001});
  EXPECT_EQ(ledger.account(kBuyer).balance, Money{4001});
  EXPECT_EQ(ledger.account(kBuyer).spent, Money{999});
  EXPECT_EQ(ledger.account(kBuyer).escrowed, Money{0});
  EXPECT_EQ(ledger.account(kProvider).balance, Money{975});
  EXPECT_EQ(ledger.account(kProvider).earned, Money{975});
  EXPECT_EQ(ledger.totals().fees, Money{24});
  ledger.recount();
  EXPECT_EQ(ledger.settle(lease(1)).error().code, ErrorCode::not_found);
}

TEST(Ledger, PaysTheSharesInOneSettlement) {
  Ledger ledger = funded();
  ASSERT_TRUE(ledger.lock(lease(1), terms()));
  ASSERT_TRUE(ledger.open(lease(1), 1000));
  ASSERT_TRUE(ledger.voucher(lease(1), Money{999}, 1050));
  const std::vector<Payee> payees{{party(3), 3333}, {kProvider, 3333}, {kBuyer, 3334}};
  const auto out = ledger.settle(lease(1), payees);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->paid, Money{975});
  EXPECT_EQ(ledger.account(party(3)).balance, Money{324});  // 324.9675
  EXPECT_EQ(ledger.account(party(3)).earned, Money{324});
  EXPECT_EQ(ledger.account(kProvider).balance, Money{325});  // 3333 / 6667 of 651
  EXPECT_EQ(ledger.account(kBuyer).balance, Money{4001 + 326});
  EXPECT_EQ(ledger.account(kBuyer).earned, Money{326});
  ledger.recount();
}

TEST(Ledger, SplitsTheLargestAmountsWithoutWrapping) {
  Escrow escrow;
  escrow.amount = Money{~u128{0}};
  escrow.terms.fee_bps = 10'000;
  const Settlement all = Ledger::split(escrow, escrow.amount);
  EXPECT_EQ(all.fee, escrow.amount);
  EXPECT_EQ(all.paid, Money{0});
  escrow.terms.fee_bps = 1;
  const Settlement some = Ledger::split(escrow, escrow.amount);
  EXPECT_EQ(some.fee, Money{~u128{0} / 10'000});
}

TEST(Ledger, RefusesMoreMoneyThanThereIsRoomFor) {
  Ledger ledger;
  ASSERT_TRUE(ledger.grant(kBuyer, Money{~u128{0}}));
  EXPECT_EQ(ledger.grant(kProvider, Money{1}).error().code, ErrorCode::overflow);
  EXPECT_EQ(ledger.account(kProvider).balance, Money{0});
  ledger.recount();
}

U256 mask_of(std::initializer_list<int> bits) {
  U256 mask;
  for (const int bit : bits)
    mask.bytes[31 - static_cast<size_t>(bit) / 8] |= static_cast<uint8_t>(1 << (bit % 8));
  return mask;
}

using Accounts = IdMap<Address, Account>;
using Escrows = IdMap<LeaseId, Escrow>;

/// Changes the part of the ledger that `change` takes, as bytes from elsewhere may say it.
template <class Change>
Ledger forged(Ledger ledger, Change change) {
  Ledger::visit_fields(ledger, [&change](const char*, auto& field) {
    if constexpr (std::is_invocable_v<Change, decltype(field)>) change(field);
  });
  return ledger;
}

/// A ledger that was read from a snapshot says nothing that a ledger could not have come to.
TEST(Ledger, AuditsWhatWasReadFromBytes) {
  Ledger whole = funded();
  ASSERT_TRUE(whole.grant(kProvider, Money{77}));
  ASSERT_TRUE(whole.lock(lease(1), terms()));
  ASSERT_TRUE(whole.open(lease(1), 1000));
  ASSERT_TRUE(whole.voucher(lease(1), Money{4000}, 1100));
  ASSERT_TRUE(whole.audit());
  const auto refuses = [&whole](const char* what, auto change) {
    const auto audited = forged(whole, change).audit();
    EXPECT_TRUE(!audited && audited.error().code == ErrorCode::corrupted) << what;
  };
  const Money most{~u128{0}};
  const auto escrow = [](Escrows& all) -> Escrow& { return all.find(lease(1))->second; };
  refuses("a voucher above the escrow", [&](Escrows& all) { escrow(all).vouchered = Money{4001}; });
  refuses("an escrow that is not its lease's cost",
          [&](Escrows& all) { escrow(all).amount = Money{4001}; });
  refuses("a cost beyond all numbers",
          [&](Escrows& all) { escrow(all).terms.rate = Rate{most.nano}; });
  refuses("an escrow of another buyer", [&](Escrows& all) { escrow(all).terms.buyer = kProvider; });
  refuses("an escrow of nobody", [&](Escrows& all) { escrow(all).terms.buyer = party(9); });
  refuses("money that a chain would reserve", [&](Escrows& all) { escrow(all).reserved = true; });
  refuses("an escrow that is gone", [](Escrows& all) { all.clear(); });
  refuses("a balance from nowhere",
          [](Accounts& all) { all.find(kProvider)->second.balance += Money{1}; });
  refuses("balances that wrap", [&](Accounts& all) { all[party(3)].balance = most; });
  refuses("escrow that wraps", [&](Accounts& all) { all[party(3)].escrowed = most; });
  refuses("an account's escrow without a lease", [](Accounts& all) {
    all[party(3)].escrowed = all[kBuyer].escrowed;
    all[kBuyer].escrowed = Money{};
  });
  refuses("an account that reserves", [](Accounts& all) { all[kBuyer].reserved = Money{1}; });
  refuses("a sum of grants", [](Totals& totals) { totals.granted += Money{1}; });
  refuses("a sum of balances", [](Totals& totals) { totals.balances += Money{1}; });
  refuses("a sum of escrow", [](Totals& totals) { totals.escrow += Money{1}; });
  refuses("fees that were not taken", [](Totals& totals) { totals.fees = Money{1}; });
  refuses("withdrawals that wrap to what is missing", [&](Totals& totals) {
    totals.fees = Money{1};
    totals.withdrawn = most;
  });
  refuses("balances and grants alike", [](Totals& totals) {
    totals.balances += Money{1};
    totals.granted += Money{1};
  });
}

TEST(NonceBits, RunsCrossWords) {
  NonceBits nonces;
  EXPECT_EQ(nonces.words_added_by(250, 300), 3u);
  nonces.set(250, 300);
  EXPECT_EQ(nonces.words(), 3u);
  for (const uint64_t n : {250u, 255u, 256u, 511u, 512u, 549u}) EXPECT_TRUE(nonces.any(n, 1)) << n;
  for (const uint64_t n : {0u, 249u, 550u, 768u}) EXPECT_FALSE(nonces.any(n, 1)) << n;
  EXPECT_TRUE(nonces.any(200, 51));
  EXPECT_FALSE(nonces.any(200, 50));
  const uint64_t last = std::numeric_limits<uint64_t>::max();
  nonces.set(last - 1, 2);
  EXPECT_TRUE(nonces.any(last, 1));
}

TEST(NonceBits, MasksCountFromTheLeastSignificantBit) {
  NonceBits nonces;
  nonces.set(2, mask_of({0, 63, 64, 255}));
  for (const uint64_t n : {512u, 575u, 576u, 767u}) EXPECT_TRUE(nonces.any(n, 1)) << n;
  for (const uint64_t n : {511u, 513u, 577u, 768u}) EXPECT_FALSE(nonces.any(n, 1)) << n;
  EXPECT_TRUE(overlaps(2, mask_of({3}), 510, 6));
  EXPECT_FALSE(overlaps(2, mask_of({4}), 510, 6));
  EXPECT_FALSE(overlaps(1, mask_of({3}), 512, 6));
}

}  // namespace
}  // namespace mizan::ledger
