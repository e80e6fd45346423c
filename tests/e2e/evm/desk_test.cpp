// The exchange's chain desk at a real node and contract: bursts, and who spoils them.
#include "chain.hpp"
#include "journal/memory_journal.hpp"
#include "service/chain_market.hpp"

#include <fmt/format.h>

namespace mizan::test {
namespace {

using service::ChainMarket;
using service::ChainParts;

constexpr uint64_t kDepth = 1;
constexpr u128 kGwei = 1'000'000'000;

/// The chain comes first, its contract of this exchange's key last.
struct AnvilParts {
  AnvilParts()
      : contract(created_by(chain.deployer.address(),
                            must(chain.node.latest_nonce(chain.deployer.address())))) {
    const settlement::Block head = must(chain.node.head());
    settlement = {
        kChainId, contract, chain.token, 6, 24 * 3600, kDepth, {head.number, head.hash, head.time}};
  }
  Chain chain{6};
  const Address contract;
  exchange::ChainSettlement settlement;
  std::unique_ptr<journal::Journal> outbox = journal::make_memory_journal({});
  const SecretKey gas = SecretKey::generate();
  const ChainParts parts{chain.node, *outbox, gas};
};

struct OnAnvil : AnvilParts, ChainMarket {
  OnAnvil() : ChainMarket(settlement, parts) {
    const auto made = sign(
        {kChainId,
         must(chain.node.latest_nonce(chain.deployer.address())),
         {100 * kGwei, 1},
         10'000'000,
         {{},
          0,
          escrow::create(creation_code("ComputeEscrow"), chain.token, world.operator_key.address(),
                         chain.guardian.address(), world.keys.clearance.address(), 24 * 3600)}},
        chain.deployer);
    chain.anvil.rpc("evm_setNextBlockTimestamp", {world.clock.now().seconds()});
    must(chain.node.send(made));
    EXPECT_EQ(must(chain.wait_for(made.hash)).created, contract);
    chain.escrow = contract;
    for (const SecretKey* key : {&gas, &world.buyer, &other, &third})
      chain.anvil.rpc("anvil_setBalance", {hex0x(key->address().view()), "0x56bc75e2d63100000"});
    for (const SecretKey* key : {&world.buyer, &other, &third}) chain.fund(*key, 10'000'000);
    world.clock.pass(20'000);
    chain.anvil.rpc("evm_setAutomine", {false});
    blocks(3);
    list();
  }
  void blocks(int count) {
    for (int i = 0; i < count; ++i) {
      world.clock.pass(2'000);
      chain.anvil.mine_at(world.clock.now().seconds());
      turns();
    }
  }
  /// Waits for a block; before what others have sent.
  void withdraws(const SecretKey& owner) {
    const auto made = sign({kChainId,
                            must(chain.node.latest_nonce(owner.address())),
                            {200 * kGwei, 100 * kGwei},
                            200'000,
                            {contract, 0, escrow::withdraw(10'000'000, owner.address())}},
                           owner);
    must(chain.node.send(made));
  }
  uint64_t sent() { return must(chain.node.pending_nonce(gas.address())); }
  /// Gas of the exchange's transactions, from that nonce on.
  uint64_t gas_since(uint64_t nonce) {
    uint64_t sum = 0;
    const uint64_t head = must(chain.node.head()).number;
    for (uint64_t number = 1; number <= head; ++number) {
      const json::value block =
          chain.anvil.rpc("eth_getBlockByNumber", {fmt::format("{:#x}", number), true});
      for (const json::value& one : block.at("transactions").as_array()) {
        const auto quantity = [&one](const char* name) {
          return std::stoull(std::string(one.at(name).as_string()), nullptr, 16);
        };
        if (one.at("from") != json::value(hex0x(gas.address().view())) || quantity("nonce") < nonce)
          continue;
        const auto hash = parse_fixed<Hash32>(std::string_view(one.at("hash").as_string()));
        sum += must(chain.node.receipt(*hash)).value().gas_used;
      }
    }
    return sum;
  }
  const SecretKey third = SecretKey::generate();
};

TEST(DeskOnAnvil, ABurstIsFewTransactionsAndAHostileBuyerSpoilsItsOwnLeaseAlone) {
  MIZAN_NEEDS_ANVIL();
  OnAnvil on;
  std::vector<LeaseId> leases = on.leases(29);
  const LeaseId early = on.lease(1, on.third);
  const LeaseId late = on.lease(1, on.other);
  // One is known to the node, not to the exchange, before anything is sent; one comes between.
  on.withdraws(on.third);
  on.world.clock.pass(1'000);
  on.chain.anvil.mine_at(on.world.clock.now().seconds());
  on.turns();
  EXPECT_EQ(on.sent(), 2U);  // 20, and what is left but the one
  EXPECT_EQ(on.told(early, on.third).at("reason"), "insufficient_balance");
  on.withdraws(on.other);
  on.blocks(2);
  for (const LeaseId& id : leases) {
    EXPECT_NE(on.chain.lease(id)[0], 0U);
    EXPECT_EQ(on.state(id), "funded");
  }
  EXPECT_EQ(on.chain.lease(late)[0], 0U);
  EXPECT_EQ(on.told(late, on.other).at("state"), "opening");
  EXPECT_EQ(on.sent(), 2U);
  const uint64_t opened = on.gas_since(0);

  on.run(leases);
  on.turns();
  EXPECT_EQ(on.sent(), 4U);
  on.blocks(2);
  for (const LeaseId& id : leases) EXPECT_EQ(on.told(id, on.world.buyer).at("state"), "settled");
  const uint64_t closed = on.gas_since(2);
  fmt::print("gas a lease in a burst of 29: {} to open, {} to close\n", opened / leases.size(),
             closed / leases.size());
  EXPECT_LT(opened + closed, leases.size() * 90'000);

  on.blocks(35);
  EXPECT_EQ(on.told(late, on.other).at("reason"), "insufficient_balance");
  EXPECT_EQ(on.sent(), 4U);
  EXPECT_EQ(on.chain.units_of(on.world.buyer.address()) +
                on.chain.units_of(on.world.provider.address()) +
                on.chain.units_of(on.world.operator_key.address()),
            10'000'000U);
}

}  // namespace
}  // namespace mizan::test
