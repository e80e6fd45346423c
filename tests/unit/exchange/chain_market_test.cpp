// A market on a chain: when nothing opens, and what wakes it again (docs/LEASE.md).
#include "unit/exchange/chain_fixture.hpp"

namespace mizan::exchange {
namespace {

TEST_F(ChainTest, NothingIsMatchedOnceAKeyIsStolen) {
  PlaceBid waits = w.bid(kBuyer, 20);
  const LeaseId live = running();
  const LeaseId stray = keccak256("stray");
  w.sees({chain::Opened{stray, 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), stray);
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 1u);
  EXPECT_EQ(w.core.opens().error().code, ErrorCode::unavailable);
  w.ok(w.ask(kOther, 10));
  EXPECT_EQ(w.code(waits), ErrorCode::unavailable);
  w.turns(1);
  EXPECT_EQ(w.core.chain_alarm(), stray) << "the key is stolen all the same";
  w.sees({chain::Closed{live, 0, 0, 1000}});
  EXPECT_EQ(state(live), LeaseState::failed);
}

/// Stolen, or restored from an older backup: another key ends it, at the contract and here.
TEST_F(ChainTest, AnotherClearanceKeyEndsTheAlarm) {
  const Address spare = party(77);
  const LeaseId stray = keccak256("stray");
  w.sees({chain::Opened{stray, 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), stray);
  EXPECT_NE(w.core.opens().error().message.find("restored from an older backup"),
            std::string::npos);
  w.ok(UseClearanceKey{spare});
  EXPECT_EQ(w.core.clearance(), spare);
  EXPECT_FALSE(w.core.opens()) << "the contract takes the old key's still";
  EXPECT_EQ(w.core.chain_alarm(), stray);
  w.sees({chain::ClearanceKeyIs{spare}});
  EXPECT_FALSE(w.core.chain_alarm());
  EXPECT_TRUE(w.core.opens());
  w.check();
  w.turns(1);
  EXPECT_EQ(w.core.chain_alarm(), stray) << "the turn has put the old key in force again";
  w.sees({chain::ClearanceKeyIs{spare}});
  matched();
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 1u);
  // The new one can be stolen as well.
  w.sees({chain::Opened{keccak256("another"), 500, w.seconds()}});
  EXPECT_EQ(w.core.chain_alarm(), keccak256("another"));
  EXPECT_EQ(w.seen<ChainAlarm>().size(), 2u);
  EXPECT_EQ(w.code(UseClearanceKey{}), ErrorCode::invalid_argument);
  EXPECT_EQ(w.code(UseClearanceKey{w.core.config()->meter}), ErrorCode::invalid_argument);
}

/// Even a lease that was matched here is not cleared before the provider accepts it.
TEST_F(ChainTest, AnOpeningBeforeTheAcceptanceIsAnAlarm) {
  const LeaseId id = matched();
  w.opens(id);
  EXPECT_EQ(w.core.chain_alarm(), id);
  EXPECT_EQ(state(id), LeaseState::matched);
  EXPECT_EQ(w.code(Accept{w.lease(id).terms, {}}), ErrorCode::unavailable);
  w.tick(20'000);
  EXPECT_EQ(state(id), LeaseState::failed);
  EXPECT_TRUE(w.seen<CloseWanted>().empty());
  w.ok(RequestClose{{id, 7, w.seconds() + 100, 5}, {}});
  EXPECT_EQ(w.core.stopping().size(), 1u) << "its buyer may have it ended";
  w.sees({chain::CloseRequested{id, w.seconds(), 900}});
  EXPECT_TRUE(w.core.stopping().empty());
}

TEST_F(ChainTest, NothingIsMatchedWhileTheContractIsPausedOrHasAnotherKey) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  for (const ChainFact& fact :
       {ChainFact{chain::Paused{true}}, ChainFact{chain::ClearanceKeyIs{}}}) {
    w.sees({fact});
    EXPECT_EQ(w.code(w.bid(kBuyer, 20)), ErrorCode::unavailable);
    w.turns(1);
    EXPECT_TRUE(w.core.opens());
  }
  w.sees({chain::Paused{true}});
  w.ok(w.ask(kOther, 4));
  EXPECT_EQ(w.core.bids_of(party(kBuyer)).size(), 1u);
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.sees({chain::Paused{false}});
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

/// A buyer may have stopped its lease there: nothing is promised that the contract may not pay.
TEST_F(ChainTest, NothingIsMatchedNorVoucheredWhileTheChainIsAway) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  const LeaseId id = running();
  w.wait_ms(10'000);
  w.beat(id, 2, 0, 20'000);
  ASSERT_EQ(w.core.due_vouchers().size(), 1u);
  w.ok(ChainAway{true});
  EXPECT_TRUE(w.core.chain_away());
  EXPECT_TRUE(w.core.due_vouchers().empty());
  const size_t before = w.seen<Matched>().size();
  w.ok(w.ask(kOther, 4));
  EXPECT_EQ(w.seen<Matched>().size(), before);
  EXPECT_EQ(w.code(w.bid(kBuyer, 20)), ErrorCode::unavailable);
  w.check();
  w.ok(ChainAway{false});
  EXPECT_EQ(w.seen<Matched>().size(), before + 1);
  EXPECT_EQ(w.core.due_vouchers().size(), 1u);
}

TEST_F(ChainTest, AWithdrawalBeforeTheOpeningCostsTheBuyerItsMatchAlone) {
  const LeaseId id = opening();
  w.sees({chain::Withdrawn{party(kBuyer), party(kBuyer), 999'500}});
  EXPECT_EQ(w.balance(kBuyer).nano, 0u);
  EXPECT_EQ(state(id), LeaseState::opening);
  w.ok(NotOpened{id, "insufficient_balance"});
  EXPECT_EQ(w.balance(kBuyer).nano, 500u);
  EXPECT_EQ(w.core.find_ask(ask)->free_units, 1u);
}

TEST_F(ChainTest, MoneyThatComesMatchesWhatWaited) {
  PlaceBid waits = w.bid(kOther, 8);
  waits.spec = ChainWorld::spec("", false);
  EXPECT_EQ(w.code(waits), ErrorCode::insufficient_funds);
  w.deposits(party(kOther), 800);
  w.ok(waits);
  w.sees({chain::Withdrawn{party(kOther), party(kOther), 100}});
  w.ok(w.ask(kProvider, 8));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.deposits(party(kOther), 100);
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
  EXPECT_EQ(w.balance(kOther).nano, 0u);
}

TEST_F(ChainTest, ContradictionsChangeNothing) {
  const LeaseId id = running();
  const Bytes before = w.core.encode();
  const auto refuses = [&](Command command, ErrorCode code) {
    EXPECT_EQ(w.code(std::move(command)), code);
    size_t differs = 0;
    const Bytes after = w.core.encode();
    ASSERT_EQ(after.size(), before.size());
    for (size_t i = 0; i < after.size(); ++i) differs += after[i] != before[i] ? 1 : 0;
    EXPECT_LE(differs, 8u) << "only the sequence counts on";
  };
  refuses(w.block({chain::Deposited{party(7), 5}, chain::Withdrawn{party(7), party(7), 6}}),
          ErrorCode::corrupted);
  refuses(w.block({chain::BidsCancelled{party(kBuyer), 0, {}}, chain::Opened{id, 1, 5}}),
          ErrorCode::corrupted);
  refuses(w.block({chain::Opened{keccak256("stray"), 5, 5}, chain::Opened{id, 1, 5}}),
          ErrorCode::corrupted);
  ChainSeen old = w.block({});
  old.to.number = w.mirror().last().number;
  refuses(old, ErrorCode::conflict);
  refuses(ChainTakenBack{{3, keccak256("never"), 1}}, ErrorCode::not_found);
  refuses(NotOpened{keccak256("never"), ""}, ErrorCode::not_found);
  refuses(Grant{{party(kBuyer), 5, 1, w.seconds() + 5}, {}}, ErrorCode::forbidden);
}

TEST(Credits, HaveNoChain) {
  test::CoreWorld w;
  EXPECT_EQ(w.code(ChainSeen{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(ChainTakenBack{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(ChainAway{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.code(StopSeen{}), ErrorCode::unsupported_key);
  EXPECT_EQ(w.core.chain(), nullptr);
  EXPECT_TRUE(w.core.opens());
}

TEST(Credits, AGenesisOnAChainIsChecked) {
  Exchange core;
  const auto refused = [&core](auto change) {
    Genesis genesis = test::chain_genesis();
    genesis.identity = party(250);
    genesis.operator_ = party(251);
    genesis.meter = party(252);
    genesis.clearance = party(253);
    genesis.fee_to = party(254);
    Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
    seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
    genesis.exchange_id = keccak256(seed);
    change(genesis);
    const auto outcome = core.apply({core.last_sequence() + 1, {1000}, {}, genesis});
    return !outcome.answer && outcome.answer.error().code == ErrorCode::invalid_argument;
  };
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->decimals = 5; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->decimals = 19; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->chain_id = 0; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.chain->contract = {}; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.meter = g.clearance; }));
  EXPECT_TRUE(refused([](Genesis& g) { g.limits.nodes = 2000; }));
  EXPECT_FALSE(refused([](Genesis&) {}));
}

/// What is matched goes on with what gas there is; nothing new begins.
TEST_F(ChainTest, NothingNewOpensWhileGasIsLow) {
  const LeaseId before = matched();
  w.ok(w.ask(kOther, 10));
  w.ok(ChainGas{true});
  EXPECT_TRUE(w.core.gas_is_low());
  const auto refused = w.apply(w.bid(kBuyer, 20));
  ASSERT_FALSE(refused.answer);
  EXPECT_EQ(refused.answer.error().code, ErrorCode::unavailable);
  EXPECT_NE(refused.answer.error().message.find("gas account is too low"), std::string::npos);
  w.accept(before);
  w.opens(before);
  EXPECT_EQ(state(before), LeaseState::funded);
  w.check();
  // A lease whose opening a turn took back is opened again.
  w.turns(1);
  w.wait_ms(61'000);
  w.sees();
  EXPECT_EQ(w.lease(before).attempt, 1u);
  w.opens(before);
  w.ok(ChainGas{false});
  w.ok(w.ask(kOther, 10));
  matched();
}

TEST_F(ChainTest, RestingBidsMatchWhenThereIsGasAgain) {
  PlaceBid waits = w.bid(kBuyer, 5);
  waits.spec = ChainWorld::spec("", false);
  w.ok(waits);
  w.ok(ChainGas{true});
  w.ok(w.ask(kOther, 5));
  EXPECT_TRUE(w.seen<Matched>().empty());
  w.ok(ChainGas{false});
  EXPECT_EQ(w.seen<Matched>().size(), 1u);
}

TEST(LeastEscrow, NoLeaseIsMadeBelowIt) {
  constexpr uint8_t kBuyer = ChainTest::kBuyer;
  constexpr uint8_t kProvider = ChainTest::kProvider;
  constexpr uint8_t kOther = ChainTest::kOther;
  exchange::Genesis genesis = test::chain_genesis();
  genesis.chain->least_escrow = 500;
  ChainWorld w(genesis);
  w.deposits(party(kBuyer), 1'000'000);
  const auto refusal = [&](Command command, const std::string& field) {
    const auto refused = w.apply(std::move(command));
    ASSERT_FALSE(refused.answer);
    EXPECT_EQ(refused.answer.error().details.at("field"), field);
    EXPECT_NE(refused.answer.error().message.find("the least escrow of a lease here"),
              std::string::npos)
        << refused.answer.error().message;
    EXPECT_NE(refused.answer.error().message.find("$0.0000005"), std::string::npos)
        << refused.answer.error().message;
  };
  PlaceAsk free = w.ask(kProvider, 0);
  refusal(free, "ask.rate");
  w.ok(w.ask(kProvider, 10));
  refusal(w.bid(kBuyer, 0), "bid.maxRate");
  refusal(w.bid(kBuyer, 20, 1, 1, 24), "bid.maxRate");
  PlaceBid poor = w.bid(kBuyer, 20, 1, 1, 100);
  poor.bid.max_total = 499;
  refusal(poor, "bid.maxTotal");
  // It bids enough, and what it would get costs less.
  const auto small = w.apply(w.bid(kBuyer, 20, 1, 1, 49));
  ASSERT_FALSE(small.answer && !small.answer->leases.empty());
  EXPECT_TRUE(w.seen<Matched>().empty());
  EXPECT_EQ(w.ok(w.bid(kBuyer, 20, 1, 1, 50)).leases.size(), 1u);
  std::vector<market::Reason> reasons;
  PlanRequest plan;
  plan.max_rate = 20;
  plan.max_seconds = 49;
  w.ok(w.ask(kOther, 10));
  EXPECT_FALSE(w.core.plan(plan, 10, &reasons));
  ASSERT_FALSE(reasons.empty());
  EXPECT_EQ(reasons.back().dimension, "least_escrow");
  plan.max_seconds = 50;
  EXPECT_TRUE(w.core.plan(plan, 10, &reasons));
  w.check();
}

}  // namespace
}  // namespace mizan::exchange
