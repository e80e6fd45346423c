// The chain of a simulated world: blocks with a plain contract in them, a pool, and turns.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/surroundings.hpp"
#include "support/plain_calls.hpp"
#include "support/raw_transaction.hpp"

#include <deque>
#include <memory>

namespace mizan::simulation {

/// A transaction in a block, with what it did.
struct Mined {
  test::RawTransaction transaction;
  bool success = false;
};

struct ChainBlock {
  ledger::Place place;
  Hash32 parent;
  u128 base_fee = 0;                                    ///< wei
  std::shared_ptr<const test::PlainContract> contract;  ///< behind it
  uint64_t next_nonce = 0;                              ///< of the exchange's account, behind it
  std::vector<Mined> mined{};                           ///< that account's
  std::vector<test::Sent> sent{};                       ///< what parties did
  std::vector<settlement::Log> logs{};
};

/// One account's transactions come as bytes, what parties do at the contract as it is. Blocks come
/// every few seconds, once `begin` was called.
class BlockChain {
 public:
  BlockChain(Surroundings& world, const exchange::ChainSettlement& settlement,
             const Address& operator_, const Address& clearance_key, const Address& account);

  void begin();
  /// What a party does, unless it is forgotten at once.
  void send(const test::Sent& sent);
  /// Into the pool. The error's message is what a node says of it.
  Result<void> take(ByteView raw);
  /// What it would answer now, with what waits in the pool done before.
  Result<Bytes> try_call(const Address& from, const settlement::Call& call) const;
  /// And on top of that block.
  Result<Bytes> try_call(const Address& from, const settlement::Call& call,
                         const ChainBlock& block) const;

  const std::deque<ChainBlock>& blocks() const { return blocks_; }
  const ChainBlock& head() const { return blocks_.back(); }
  /// Null if there is none, or none any more.
  const ChainBlock* at(uint64_t number) const;
  const ChainBlock* find(const ledger::Place& place) const;
  const ChainBlock* find_block(const Hash32& hash) const;
  /// Those that wait, by nonce; a node may keep several of one.
  const std::multimap<uint64_t, test::RawTransaction>& pool() const { return pool_; }
  const Address& account() const { return account_; }
  const Address& contract() const { return settlement_.contract; }
  uint64_t chain_id() const { return settlement_.chain_id; }
  /// The nonce after those of the pool that follow each other.
  uint64_t pending_nonce() const;

 private:
  void mine();
  void turn();
  /// Its time is `now`, in seconds, or about that.
  void add_block(uint64_t now);
  uint64_t now_s() const;
  void run_parties(ChainBlock& block, test::PlainContract& contract);
  void run_pool(ChainBlock& block, test::PlainContract& contract);
  void add_logs(ChainBlock& block, std::vector<settlement::Log> logs, const Hash32& transaction);
  Result<test::Ran> run(test::PlainContract& contract, const Address& from,
                        const settlement::Call& call, uint64_t time) const;
  u128 next_base_fee();

  Surroundings& world_;
  Random random_;
  const exchange::ChainSettlement settlement_;
  const eip712::Domain domain_;
  const Address clearance_key_;
  const Address account_;
  std::deque<ChainBlock> blocks_;
  std::vector<test::Sent> waiting_;
  std::multimap<uint64_t, test::RawTransaction> pool_;
  uint64_t block_ms_ = 0;
  uint64_t made_ = 0;
  uint64_t rises_ = 0;  ///< blocks in which gas gets dearer still
};

}  // namespace mizan::simulation
