// The same random operations at the same times on the ledger (credits) and on the contract: equal
// balances to the unit after every block, and conservation after every operation: what its events
// moved, in the books that know nothing else, against what it moved on the ledger.
#include "chain.hpp"
#include "crypto/payees_hash.hpp"
#include "ledger/ledger.hpp"
#include "settlement/escrow_book.hpp"
#include "support/seed.hpp"

namespace mizan::test {
namespace {

constexpr size_t kBuyers = 4;
constexpr size_t kProviders = 3;
constexpr size_t kInvestors = 6;
constexpr uint64_t kDelay = 24 * 3600;

struct Deal {
  eip712::Terms terms;
  LeaseId id;
  std::vector<Payee> payees;
  bool over = false;
};

/// Both sides, and what links them: the contract pays claims at once and refunds at a stop what can
/// no longer be earned, where the ledger waits for the end; `expected` reckons with that.
class BothSides {
 public:
  explicit BothSides(uint64_t seed) : random_(seed) {
    chain_.anvil.rpc("evm_setAutomine", {true});
    for (size_t i = 0; i < kBuyers; ++i) buyers_.push_back(key_of(100 + i));
    for (size_t i = 0; i < kProviders; ++i) providers_.push_back(key_of(200 + i));
    for (size_t i = 0; i < kInvestors; ++i) investors_.push_back(key_of(300 + i));
    for (const SecretKey& buyer : buyers_) {
      chain_.anvil.rpc("anvil_setBalance", {hex0x(buyer.address().view()), "0x56bc75e2d63100000"});
      const u128 units = 1'000'000 + random_() % 100'000'000;
      chain_.fund(buyer, units);
      must(ledger_.grant(buyer.address(), Money{units}));
    }
    now_ = chain_.anvil.time();
    nonce_ = must(chain_.node.latest_nonce(relayer_.address()));
    chain_.anvil.rpc("evm_setAutomine", {false});
    const Block head = must(chain_.node.head());
    for (const Log& log : must(chain_.node.logs(chain_.escrow, 0, head.number)))
      must(book_.add(must(read_event(log))));
    held_ = chain_.tokens_of(chain_.escrow);
    EXPECT_EQ(book_.owed(), held_);
  }

  /// One block of up to `most` operations. The number of them.
  size_t round(size_t most) {
    now_ += pick(10) == 0 ? pick(2000) + 1 : pick(30) + 1;
    if (pick(40) == 0) now_ += kDelay;
    const size_t count = 1 + pick(most);
    std::vector<Sent> sent;
    for (size_t i = 0; i < count; ++i) {
      const auto [data, good] = operation();
      ledger_.check();
      const auto made =
          sign({kChainId, nonce_++, {1'000'000'000'000, 1}, 900'000, {chain_.escrow, 0, data}},
               relayer_);
      must(chain_.node.send(made));
      sent.push_back({made.hash, good, locked(), fees_expected()});
      good_ += good ? 1 : 0;
    }
    chain_.anvil.rpc("evm_setNextBlockTimestamp", {now_});
    chain_.anvil.rpc("evm_mine");
    for (size_t i = 0; i < sent.size(); ++i) {
      const auto receipt = must(chain_.wait_for(sent[i].hash));
      EXPECT_EQ(receipt.success, sent[i].good) << "operation " << i << " of " << kinds_;
    }
    check_each(sent);
    kinds_.clear();
    return count;
  }

  size_t good() const { return good_; }

  void compare() {
    u128 sum = 0;
    const auto equal = [&](const Address& owner, const char* who) {
      const u128 there = chain_.units_of(owner);
      EXPECT_EQ(mizan::to_string(there), mizan::to_string(expected(owner))) << who;
      sum += there;
    };
    for (const SecretKey& buyer : buyers_) equal(buyer.address(), "buyer");
    for (const SecretKey& provider : providers_) equal(provider.address(), "provider");
    for (const SecretKey& investor : investors_) equal(investor.address(), "investor");
    const u128 fees = chain_.units_of(chain_.fee_to);
    EXPECT_EQ(mizan::to_string(fees), mizan::to_string(fees_expected()));
    sum += fees;
    sum += locked();
    EXPECT_EQ(mizan::to_string(chain_.tokens_of(chain_.escrow)), mizan::to_string(sum))
        << "token balance = balances + escrow + fees";
    ledger_.check();
  }

  /// Ends every lease: nothing is locked any more, and both sides hold the same without reckoning.
  void finish() {
    now_ += 2 * kDelay;
    for (Deal& deal : deals_) {
      if (deal.over) continue;
      const auto made = sign({kChainId,
                              nonce_++,
                              {1'000'000'000'000, 1},
                              900'000,
                              {chain_.escrow, 0, escrow::finalize_close(deal.terms)}},
                             relayer_);
      must(chain_.node.send(made));
      must(ledger_.settle(deal.id, deal.payees));
      deal.over = true;
    }
    chain_.anvil.rpc("evm_setNextBlockTimestamp", {now_});
    chain_.anvil.rpc("evm_mine");
    compare();
    for (const SecretKey& buyer : buyers_)
      EXPECT_EQ(chain_.units_of(buyer.address()), ledger_.account(buyer.address()).balance.nano);
    for (const SecretKey& investor : investors_) {
      EXPECT_EQ(chain_.units_of(investor.address()),
                ledger_.account(investor.address()).balance.nano);
      EXPECT_GT(chain_.units_of(investor.address()), 0U);
    }
    EXPECT_EQ(ledger_.totals().escrow, Money{});
    ledger_.recount();
  }

 private:
  struct Sent {
    Hash32 hash;
    bool good;
    u128 locked;  ///< on the ledger, after it
    u128 fees;
  };
  /// The operations of the newest block one after the other: nothing comes in or goes out, so that
  /// balances, escrow and fees are all of the tokens after each.
  void check_each(const std::vector<Sent>& sent) {
    const Block head = must(chain_.node.head());
    const std::vector<Log> logs = must(chain_.node.logs_in(chain_.escrow, head));
    auto log = logs.begin();
    for (size_t i = 0; i < sent.size(); ++i) {
      for (; log != logs.end() && log->transaction == sent[i].hash; ++log)
        must(book_.add(must(read_event(*log))));
      EXPECT_EQ(book_.owed(), held_) << "operation " << i << " of " << kinds_;
      EXPECT_EQ(book_.escrow(), sent[i].locked) << "operation " << i << " of " << kinds_;
      EXPECT_EQ(book_.fees(), sent[i].fees) << "operation " << i << " of " << kinds_;
    }
    EXPECT_EQ(log, logs.end()) << "events of nobody's";
  }

  struct Operation {
    Bytes data;
    bool good;  ///< on the ledger: the contract must say the same
  };
  uint64_t pick(uint64_t below) { return random_() % below; }

  Operation operation() {
    const uint64_t kind = deals_.empty() ? 0 : pick(10);
    kinds_ += std::to_string(kind) + " ";
    if (kind < 3) return open();
    // One that is over once in a while: all that it gets is refused.
    std::vector<size_t> open_ones;
    for (size_t i = 0; i < deals_.size(); ++i)
      if (!deals_[i].over) open_ones.push_back(i);
    const bool any = open_ones.empty() || pick(8) == 0;
    Deal& deal = deals_[any ? pick(deals_.size()) : open_ones[pick(open_ones.size())]];
    if (kind < 6) return claim(deal);
    if (kind < 8) return close(deal);
    if (kind == 8) return request(deal);
    return finalize(deal);
  }

  /// Half of the deals: one to eight payees of any shares, the provider and the buyer among them.
  std::vector<Payee> some_payees(const Address& buyer, const Address& provider) {
    if (pick(2) == 0) return {};
    std::vector<Address> all{buyer, provider};
    for (const SecretKey& investor : investors_) all.push_back(investor.address());
    std::shuffle(all.begin(), all.end(), random_);
    std::vector<Payee> out;
    uint64_t rest = kWholeBps;
    const size_t count = 1 + pick(kMostPayees);
    for (size_t i = 0; i < count; ++i) {
      const uint64_t left = count - 1 - i;
      const uint64_t share = left == 0 ? rest : 1 + pick(rest - left);
      out.push_back({all[i], static_cast<uint16_t>(share)});
      rest -= share;
    }
    return out;
  }

  Operation open() {
    const SecretKey& buyer = buyers_[pick(kBuyers)];
    const SecretKey& provider = providers_[pick(kProviders)];
    eip712::Terms terms{.buyer = buyer.address(),
                        .provider = provider.address(),
                        .meter = chain_.meter.address(),
                        .rate = pick(2000),
                        .units_per_node = static_cast<uint32_t>(1 + pick(8)),
                        .seconds = 1 + pick(3000),
                        .start = now_ - 30 + pick(300),
                        .grace = 60,
                        .fee_bps = static_cast<uint16_t>(pick(1000)),
                        .bid_nonce = bid_nonce_,
                        .node_count = static_cast<uint32_t>(1 + pick(3))};
    const std::vector<Payee> payees = some_payees(terms.buyer, terms.provider);
    terms.payees_hash = payees_hash(payees);
    if (pick(8) != 0) bid_nonce_ += 3;  // else the next one meets a spent nonce
    const eip712::Bid bid{.buyer = terms.buyer,
                          .meter = terms.meter,
                          .max_rate = terms.rate,
                          .nodes = terms.node_count,
                          .units_per_node = terms.units_per_node,
                          .max_seconds = terms.seconds,
                          .earliest_start = terms.start,
                          .latest_start = now_ + 1000,
                          .valid_until = now_ + 1000,
                          .grace = 60,
                          .max_total = u128{1} << 100,
                          .max_fee_bps = 1000,
                          .nonce = terms.bid_nonce};
    const LeaseId id = chain_.id(terms);
    const eip712::Clearance clear{id, {}, {}, now_ + 60};
    Operation out{escrow::open({terms, bid, eip712::sign(chain_.domain, terms, provider),
                                eip712::sign(chain_.domain, bid, buyer)},
                               clear, eip712::sign(chain_.domain, clear, chain_.clearance)),
                  false};
    ledger::NonceBits& nonces = ledger_.nonces(terms.buyer);
    const bool in_time = terms.start + terms.seconds > now_;
    if (!in_time || nonces.any(terms.bid_nonce, bid.nodes)) return out;
    const ledger::EscrowTerms escrow{
        terms.buyer,      terms.provider,
        Rate{terms.rate}, uint64_t{terms.node_count} * terms.units_per_node,
        terms.seconds,    terms.start,
        terms.fee_bps};
    if (!ledger_.lock(id, escrow)) {
      // The contract refunds at a stop what the ledger refunds at the end: let it wait for that.
      const u128 cost = escrow.rate.nano * escrow.units * escrow.seconds;
      return cost <= expected(terms.buyer) ? operation() : out;
    }
    nonces.set(terms.bid_nonce, bid.nodes);
    must(ledger_.open(id, now_));
    deals_.push_back({terms, id, payees});
    out.good = true;
    return out;
  }

  /// A voucher over anything; the ledger gets what of it is payable. False if there is no lease.
  bool take_voucher(const Deal& deal, u128 cumulative) {
    if (deal.over) return false;
    const u128 bound = must(ledger_.bound(deal.id, now_)).nano;
    const u128 most = std::min(cumulative, bound);
    if (most > ledger_.find(deal.id)->vouchered.nano)
      must(ledger_.voucher(deal.id, Money{most}, now_));
    return true;
  }
  u128 some_cumulative(const Deal& deal) {
    return u128{pick(1'500)} * deal.terms.rate * deal.terms.units_per_node + pick(3);
  }

  Operation claim(const Deal& deal) {
    const u128 cumulative = some_cumulative(deal);
    Signature voucher = chain_.voucher(deal.terms, cumulative);
    const bool forged = pick(10) == 0;
    if (forged) voucher.bytes[40] ^= 1;
    return {escrow::claim(deal.terms, cumulative, voucher, deal.payees),
            !forged && take_voucher(deal, cumulative)};
  }

  Operation close(Deal& deal) {
    const u128 cumulative = some_cumulative(deal);
    const eip712::Close close{deal.id, pick(4) == 0 ? u128{pick(100'000)} : 0};
    const auto& provider =
        *std::find_if(providers_.begin(), providers_.end(),
                      [&](const SecretKey& key) { return key.address() == deal.terms.provider; });
    Operation out{
        escrow::close({deal.terms, cumulative, chain_.voucher(deal.terms, cumulative),
                       close.min_paid, eip712::sign(chain_.domain, close, provider), deal.payees}),
        false};
    if (deal.over) return out;
    const u128 payable = std::max(std::min(cumulative, must(ledger_.bound(deal.id, now_)).nano),
                                  ledger_.find(deal.id)->vouchered.nano);
    if (ledger::Ledger::split(*ledger_.find(deal.id), Money{payable}).paid < Money{close.min_paid})
      return out;
    take_voucher(deal, cumulative);
    must(ledger_.settle(deal.id, deal.payees));
    deal.over = out.good = true;
    return out;
  }

  Operation request(const Deal& deal) {
    const auto& buyer = *std::find_if(buyers_.begin(), buyers_.end(), [&](const SecretKey& key) {
      return key.address() == deal.terms.buyer;
    });
    const eip712::RequestClose request{deal.id, action_nonce_++, now_ + 100, 0};
    const bool good = !deal.over && ledger_.find(deal.id)->stopped == 0;
    if (good) must(ledger_.stop(deal.id, now_));
    return {escrow::request_close_for(deal.terms, request,
                                      eip712::sign(chain_.domain, request, buyer), 0),
            good};
  }

  Operation finalize(Deal& deal) {
    bool good = false;
    if (!deal.over) {
      uint64_t end = deal.terms.start + deal.terms.seconds;
      if (const uint64_t stop = ledger_.find(deal.id)->stopped; stop != 0)
        end = std::min(end, stop);
      good = now_ >= end + kDelay;
      if (good) {
        must(ledger_.settle(deal.id, deal.payees));
        deal.over = true;
      }
    }
    return {escrow::finalize_close(deal.terms), good};
  }

  /// What the contract still holds of an open lease.
  u128 locked(const Deal& deal) {
    const ledger::Escrow& escrow = *ledger_.find(deal.id);
    const u128 whole = escrow.stopped == 0 ? escrow.amount.nano : could_earn(deal);
    return whole - escrow.vouchered.nano;
  }
  u128 locked() {
    u128 sum = 0;
    for (const Deal& deal : deals_)
      if (!deal.over) sum += locked(deal);
    return sum;
  }
  u128 could_earn(const Deal& deal) {
    const ledger::Escrow& escrow = *ledger_.find(deal.id);
    return std::max(must(ledger_.bound(deal.id, escrow.stopped)).nano, escrow.vouchered.nano);
  }
  u128 expected(const Address& owner) {
    u128 units = ledger_.account(owner).balance.nano;
    for (const Deal& deal : deals_) {
      if (deal.over) continue;
      const ledger::Escrow& escrow = *ledger_.find(deal.id);
      const Money paid = ledger::Ledger::split(escrow, escrow.vouchered).paid;
      if (deal.payees.empty() && deal.terms.provider == owner) units += paid.nano;
      const std::vector<Money> shares = shares_of(paid, deal.payees);
      for (size_t i = 0; i < shares.size(); ++i)
        if (deal.payees[i].to == owner) units += shares[i].nano;
      if (deal.terms.buyer == owner && escrow.stopped != 0)
        units += escrow.amount.nano - could_earn(deal);
    }
    return units;
  }
  u128 fees_expected() {
    u128 fees = ledger_.totals().fees.nano;
    for (const Deal& deal : deals_)
      if (!deal.over) {
        const ledger::Escrow& escrow = *ledger_.find(deal.id);
        fees += ledger::Ledger::split(escrow, escrow.vouchered).fee.nano;
      }
    return fees;
  }

  std::mt19937_64 random_;
  Chain chain_{9};
  ledger::Ledger ledger_;
  EscrowBook book_;
  u128 held_ = 0;  ///< tokens that the contract has
  std::vector<SecretKey> buyers_;
  std::vector<SecretKey> providers_;
  std::vector<SecretKey> investors_;
  SecretKey relayer_ = rich_key(1);
  std::vector<Deal> deals_;
  uint64_t now_ = 0;
  uint64_t nonce_ = 0;
  uint64_t bid_nonce_ = 0;
  uint64_t action_nonce_ = 0;
  size_t good_ = 0;
  std::string kinds_;
};

TEST(Differential, CreditsAndContractAgree) {
  MIZAN_NEEDS_ANVIL();
  const uint64_t seed = random_seed();
  SCOPED_TRACE(seed_note(seed));
  size_t operations = 0;
  for (uint64_t run = 0; run < 3; ++run) {
    BothSides sides(seed + run);
    for (size_t done = 0; done < 3400;) {
      const size_t count = sides.round(40);
      done += count;
      operations += count;
      sides.compare();
      if (HasFailure()) return;
    }
    sides.finish();
    EXPECT_GT(sides.good(), 1000U) << "most of it was refused, so little was tried";
  }
  EXPECT_GE(operations, 10'000U);
}

}  // namespace
}  // namespace mizan::test
