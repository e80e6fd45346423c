// Random histories of a chain, turns among them, under an exchange that settles on it: what it
// believes is what the contract did in the blocks that it was told of; nothing waits for ever; and
// replay and snapshots agree.
#include "codec/json_fields.hpp"
#include "crypto/payees_hash.hpp"
#include "support/chain_world.hpp"
#include "support/plain_contract.hpp"
#include "support/seed.hpp"

#include <algorithm>
#include <random>

namespace mizan::test {
namespace {

using namespace exchange;
using Kind = Sent::Kind;

constexpr uint8_t kBuyers = 4;
constexpr uint8_t kParties = 7;  // the others provide
constexpr uint8_t kAll = 9;      // and two have shares
constexpr uint64_t kDelay = 40;

class History {
 public:
  explicit History(uint64_t seed) : random_(seed) {
    PlainContract fresh(party(254), kDelay);
    blocks_.push_back({w.mirror().base(), fresh, {}, {}});
    for (uint8_t n = 1; n <= kBuyers; ++n)
      waiting_.push_back({Kind::deposit, party(n), 20'000 + pick(50'000), {}});
    for (uint8_t n = kBuyers + 1; n <= kParties; ++n) {
      PlaceAsk ask = w.ask(n, pick(20) + 1, 3, 2);
      if (chance(60)) share_pay(ask);
      w.ok(ask);
    }
  }

  void step() {
    const uint64_t what = pick(100);
    if (what < 30) w.wait_ms(pick(4000));
    if (what < 45) {
      act();
    } else if (what < 70) {
      mine(70);
    } else if (what < 73) {
      turn(1 + pick(6));
    } else if (what < 80) {
      meddle();
    } else {
      tell(pick(3));
    }
    serve();
  }

  /// No more mischief: everything comes to its end.
  void settle() {
    for (int i = 0; i < 400; ++i) {
      w.tick(3000);
      for (const Lease* lease : w.core.all_leases())
        if (lease->funded() && !lease->over() && !lease->closing) finish_job(*lease);
      serve();
      mine(100);
      tell(0);
      if (i > 40 && w.core.opening().empty() && w.core.settling().empty() &&
          w.core.closing().empty())
        break;
    }
    EXPECT_TRUE(w.core.opening().empty() && w.core.settling().empty() && w.core.closing().empty());
    const PlainContract& contract = blocks_.back().contract;
    for (const Lease* lease : w.core.all_leases()) {
      const PlainContract::Lease* there = contract.find(lease->id);
      EXPECT_TRUE(lease->over());
      if (there == nullptr) {
        EXPECT_EQ(lease->settlement.charged, 0u) << lease->reason;
        continue;
      }
      EXPECT_TRUE(there->closed);
      EXPECT_EQ(lease->settlement.charged, there->claimed);
      EXPECT_EQ(lease->settlement.fee, PlainContract::fee_of(there->terms, there->claimed));
      EXPECT_EQ(lease->settlement.refunded, there->refunded);
      EXPECT_GE(contract.payable(*there, UINT64_MAX, lease->final_charge), lease->final_charge)
          << "a bill above the contract's bound: " << lease->reason;
      ++settled;
    }
    for (uint8_t n = 1; n <= kAll; ++n) {
      EXPECT_EQ(w.core.account(party(n)).balance.nano, contract.balance(party(n)));
      EXPECT_EQ(w.core.account(party(n)).escrowed.nano, 0u);
    }
    w.check();
  }

  void check() const { w.check(); }
  void count(std::map<std::string, uint64_t>& counts) const {
    for (const Lease* lease : w.core.all_leases()) {
      ++counts[lease->reason];
      if (lease->attempt > 0) ++counts["opened again"];
    }
    counts["commands"] += w.journal.size();
    counts["turns"] += turns;
    counts["turns told"] += taken_back;
    counts["leases that opened"] += settled;
    counts["closes wanted"] += w.seen<CloseWanted>().size();
  }
  ChainWorld w;
  uint64_t turns = 0;
  uint64_t taken_back = 0;
  uint64_t settled = 0;

 private:
  using Block = test::PlainBlock;
  uint64_t pick(uint64_t n) { return random_() % n; }
  /// Among the provider and the two that do nothing else.
  void share_pay(PlaceAsk& ask) {
    const auto first = static_cast<uint16_t>(1 + pick(9000));
    const auto second = static_cast<uint16_t>(1 + pick(999));
    const std::vector<Payee> payees{{party(kParties + 1), first},
                                    {ask.ask.provider, second},
                                    {party(kAll), static_cast<uint16_t>(10'000 - first - second)}};
    ask.ask.payees_hash = payees_hash(payees);
    ask.attributes.pop_back();
    ask.attributes +=
        R"(,"payees":{"source":"self_reported","value":)" + json_text(to_json(payees)) + "}}";
  }
  bool chance(uint64_t percent) { return pick(100) < percent; }

  const Lease* some_lease() {
    std::vector<const Lease*> live;
    for (const Lease* lease : w.core.all_leases())
      if (!lease->over()) live.push_back(lease);
    return live.empty() ? nullptr : live[pick(live.size())];
  }

  /// Parties and the exchange, without the chain.
  void act() {
    const uint64_t what = pick(10);
    if (what < 3) {
      PlaceBid bid = w.bid(static_cast<uint8_t>(1 + pick(kBuyers)), 5 + pick(20),
                           static_cast<uint32_t>(1 + pick(2)), 1, 20 + pick(200));
      bid.spec = ChainWorld::spec("", chance(50));
      bid.bid.latest_start = bid.bid.valid_until = w.seconds() + 20 + pick(300);
      w.apply(bid);
      return;
    }
    const Lease* lease = some_lease();
    if (lease == nullptr) return;
    if (lease->state == LeaseState::matched) {
      if (chance(90))
        w.apply(Accept{lease->terms, {}});
      else
        w.apply(Reject{lease->id, lease->terms.provider, "no", ""});
    } else if (what == 9) {
      w.apply(RequestClose{{lease->id, 1, w.seconds() + 100, 0}, {}});
    } else if (what < 6) {
      const uint64_t open = lease->funded() ? w.now.ms - lease->opened_at.ms : 0;
      w.apply(w.heartbeat(lease->terms.provider.bytes[19],
                          {w.status(lease->id, 2, 0, open > 0 ? pick(open + 1) : 0)}));
    } else if (what == 6) {
      const u128 due = lease->terms.rate * lease->units() * lease->seconds_billed();
      w.apply(PostVoucher{{lease->id, due}, {}});
    } else if (lease->funded()) {
      finish_job(*lease);  // of one that is closing, it comes back late
    }
  }

  void finish_job(const Lease& lease) {
    w.apply(w.heartbeat(lease.terms.provider.bytes[19],
                        {w.status(lease.id, chance(80) ? 4 : 5, 0, lease.ran_ms)}));
    // As an agent: what its vouchers promise, or what the exchange says that the contract pays.
    const Money due{lease.vouchered};
    const u128 asked = (due - part_of(due, lease.terms.fee_bps)).nano;
    const auto closed = w.apply(Close{{lease.id, asked}, {}});
    if (closed.answer || !closed.answer.error().details.contains("paid")) return;
    w.apply(Close{{lease.id, *parse_u128(closed.answer.error().details.at("paid"))}, {}});
  }

  /// Parties at the contract, past the exchange.
  void meddle() {
    const Address owner = party(static_cast<uint8_t>(1 + pick(kParties)));
    const uint64_t what = pick(6);
    Sent sent{Kind::deposit, owner, 1 + pick(20'000), {}};
    if (what == 0) sent.kind = Kind::withdraw;
    if (what == 1) {
      sent.kind = Kind::cancel;
      sent.nonce = w.next_nonce - std::min<uint64_t>(w.next_nonce, 1 + pick(8));
    }
    const Lease* lease = what > 1 ? some_lease() : nullptr;
    if (lease != nullptr) {
      sent.lease = lease->id;
      sent.amount = lease->vouchered;
      sent.kind = what == 2 ? Kind::claim : what == 3 ? Kind::stop : Kind::close;
      if (sent.kind == Kind::close && !chance(20)) return;
    }
    waiting_.push_back(sent);
  }

  /// What the service does: sends what is wanted, at times late, and signs bills.
  void serve() {
    if (chance(40)) return;
    for (const Lease* lease : w.core.closing())
      if (chance(80)) w.finalize(lease->id);
    for (const Lease* lease : w.core.opening()) {
      if (!sent_.contains({lease->id, lease->attempt}) && lease->attempt == 0 && chance(5)) {
        w.ok(NotOpened{lease->id, "refused"});
        return;  // the list may have changed
      }
      Sent sent{Kind::open, {}, 0, lease->id};
      sent.terms = lease->terms;
      sent.bid = lease->bid;
      sent.good_until = lease->clearance_until;
      sent.payees = lease->payees;
      if (sent_.insert({lease->id, lease->attempt}).second || chance(10)) waiting_.push_back(sent);
    }
    for (const Lease* lease : w.core.stopping())
      if (chance(20)) waiting_.push_back({Kind::stop, {}, 0, lease->id});
    for (const Lease* lease : w.core.settling()) {
      if (!chance(50)) continue;
      const EndWants wants = end_wants(*lease, w.mirror(), kDelay);
      if (wants.close) {
        Sent close{Kind::close, {}, lease->vouchered, lease->id};
        close.min_paid = lease->close->min_paid;
        waiting_.push_back(close);
      }
      if (wants.claim) waiting_.push_back({Kind::claim, {}, lease->vouchered, lease->id});
      if (wants.finalize) waiting_.push_back({Kind::finalize, {}, 0, lease->id});
    }
  }

  void mine(uint64_t percent) {
    const Block& last = blocks_.back();
    const Hash32 hash = keccak256("block " + std::to_string(++made_));
    const uint64_t time = std::max(last.place.time + 1, w.seconds() + pick(7) - 3);
    blocks_.push_back(
        test::block_after(last, hash, time, waiting_, [&] { return chance(percent); }));
  }

  /// Blocks go; most of what was in them waits again.
  void turn(uint64_t count) {
    count = std::min<uint64_t>(count, blocks_.size() - 1);
    if (count > 0) ++turns;
    for (; count > 0; --count) {
      for (const Sent& sent : blocks_.back().sent)
        if (chance(75) || sent.kind == Kind::deposit) waiting_.push_back(sent);
      blocks_.pop_back();
    }
    mine(50);
  }

  /// The follower: what stands `depth` blocks deep.
  void tell(uint64_t depth) {
    size_t known = told_.size();
    while (known > 0 && (known >= blocks_.size() || blocks_[known].place != told_[known - 1]))
      --known;
    if (known < told_.size()) {
      ++taken_back;
      told_.resize(known);
      w.ok(ChainTakenBack{blocks_[known].place});
    }
    while (known + 1 + depth < blocks_.size()) {
      const Block& block = blocks_[++known];
      told_.push_back(block.place);
      w.ok(ChainSeen{block.place, block.facts});
    }
    for (size_t ahead = known + 1; ahead < blocks_.size(); ++ahead)
      for (const exchange::ChainFact& fact : blocks_[ahead].facts)
        if (const auto* stop = std::get_if<chain::CloseRequested>(&fact); stop && chance(70))
          w.apply(StopSeen{stop->lease, stop->stop});
    compare(blocks_[told_.size()].contract);
  }

  void compare(const PlainContract& contract) {
    for (uint8_t n = 1; n <= kParties; ++n) {
      ASSERT_EQ(w.mirror().balance(party(n)), contract.balance(party(n))) << "party " << int{n};
      ASSERT_LE(w.core.account(party(n)).balance.nano, contract.balance(party(n)));
    }
    ASSERT_EQ(w.mirror().balance(party(254)), contract.balance(party(254)));
    ASSERT_FALSE(w.core.chain_alarm());
    std::set<LeaseId> opening;
    for (const Lease* lease : w.core.opening()) opening.insert(lease->id);
    for (const Lease* lease : w.core.all_leases()) {
      const PlainContract::Lease* there = contract.find(lease->id);
      if (lease->funded() && !lease->over()) {
        ASSERT_EQ(there != nullptr && !there->closed, !opening.contains(lease->id));
      }
      if (lease->over() && there != nullptr && there->closed) {
        ASSERT_EQ(lease->settlement.charged, there->claimed);
      }
    }
  }

  std::mt19937_64 random_;
  std::vector<Block> blocks_;
  std::vector<Sent> waiting_;
  std::vector<ledger::Place> told_;  // of blocks_[1] and so on
  std::set<std::pair<LeaseId, uint32_t>> sent_;
  uint64_t made_ = 0;
};

TEST(Chain, RandomHistoriesWithTurns) {
  const uint64_t first = random_seed();
  const uint64_t histories = given_number("MIZAN_HISTORIES").value_or(60);
  std::map<std::string, uint64_t> counts;
  for (uint64_t i = 0; i < histories; ++i) {
    SCOPED_TRACE(seed_note(first + i));
    History history(first + i);
    for (int step = 0; step < 600; ++step) {
      history.step();
      if (step % 150 == 149) history.check();
      if (HasFailure()) return;
    }
    history.settle();
    if (HasFailure()) return;
    history.count(counts);
  }
  for (const auto& [what, count] : counts) std::cout << "  " << what << ": " << count << '\n';
  EXPECT_GT(counts["leases that opened"], histories);
  EXPECT_GT(counts["turns told"], histories);
}

}  // namespace
}  // namespace mizan::test
