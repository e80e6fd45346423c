// A node of one EVM chain: typed questions, and answers that are checked as far as they can be.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/escrow_events.hpp"
#include "settlement/json_rpc.hpp"
#include "settlement/transaction.hpp"

namespace mizan::settlement {

struct Block {
  uint64_t number = 0;
  Hash32 hash;
  Hash32 parent;
  uint64_t time = 0;  ///< seconds since 1970
  u128 base_fee = 0;  ///< wei a unit of gas
};

struct Receipt {
  uint64_t block = 0;
  Hash32 block_hash;
  bool success = false;
  uint64_t gas_used = 0;
  std::optional<Address> created{};  ///< a contract
};

/// A call that the chain would refuse is the decoded error of decode_revert, with
/// details["revert"]; everything that the node gets wrong is `unavailable` and a sentence about it.
/// One thread at a time.
class Node {
 public:
  /// Nothing is asked yet: a node may come up later.
  Node(JsonRpc rpc, uint64_t chain_id) : rpc_(std::move(rpc)), chain_id_(chain_id) {}

  uint64_t chain_id() const { return chain_id_; }
  std::string where() const { return rpc_.where(); }

  /// The latest block of the chain that this node is meant to serve: the chain id is asked for with
  /// it, each time, since a proxy may turn to another node at any moment; the error about another
  /// one has details["chain_id"].
  Result<Block> head();
  /// Nothing if the node has no such block.
  Result<std::optional<Block>> block(uint64_t number);

  Result<uint64_t> latest_nonce(const Address& account);
  Result<uint64_t> pending_nonce(const Address& account);
  /// As of that block.
  Result<uint64_t> nonce_at(const Address& account, uint64_t block);
  Result<u128> balance(const Address& account);  ///< wei

  /// What the node thinks that a transaction would have to pay for soon: tip as it suggests, most
  /// at twice the base fee, so that it stays good while the base fee rises for six blocks.
  Result<Fees> suggested_fees(const Block& head);
  Result<uint64_t> estimate_gas(const Address& from, const Call& call);
  /// The answer of a view at the latest block.
  Result<Bytes> view(const Address& contract, const Bytes& data);
  /// In the block that comes next.
  Result<Bytes> view_next(const Address& contract, const Bytes& data);
  Result<Bytes> view_at(const Address& contract, const Bytes& data, uint64_t block);
  /// Why the call would be refused on top of that block, if it would be.
  Result<void> replay(const Address& from, const Call& call, uint64_t block);

  Result<std::optional<Receipt>> receipt(const Hash32& transaction);
  /// Whether the node knows the transaction, mined or waiting.
  Result<bool> knows(const Hash32& transaction);
  /// Whatever the node says of it, `conflict` with its words included, the transaction may have
  /// been spread.
  Result<void> send(const SignedTransaction& transaction);

  Result<bool> has_code(const Address& contract);
  /// The contract's logs in that very block. If the node does not give them (too many for one
  /// answer, say), from the receipts of the block's transactions: of all at once
  /// (eth_getBlockReceipts), or else one by one.
  Result<std::vector<Log>> logs_in(const Address& contract, const Block& block);
  /// The contract's logs in blocks `from` to `to`, in the chain's order; `kinds`: with one of these
  /// first topics alone.
  Result<std::vector<Log>> logs(const Address& contract, uint64_t from, uint64_t to,
                                const std::vector<Hash32>& kinds = {});

 private:
  Result<uint64_t> nonce(const Address& account, json::value at);
  Result<std::optional<Block>> get_block(json::value which);
  Result<Bytes> call(const Address& contract, const Bytes& data, json::value at);
  Result<std::vector<Log>> logs_of_receipts(const Address& contract, const Block& block);
  Result<std::vector<Hash32>> transactions_in(const Block& block);
  /// `others`: another contract's logs are left out; else they are a lie.
  Result<void> read_logs(const Address& contract, const json::array& told, bool others,
                         std::vector<Log>& logs) const;
  Result<std::vector<Log>> in_block(std::vector<Log> logs, const Block& block) const;
  Error lie(const std::string& what) const;

  JsonRpc rpc_;
  uint64_t chain_id_;
};

}  // namespace mizan::settlement
