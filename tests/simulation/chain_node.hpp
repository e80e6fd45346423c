// The node of a simulated chain: JSON-RPC, at times late, behind, away, or silent about what it
// did. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "settlement/json_rpc.hpp"
#include "simulation/block_chain.hpp"

namespace mizan::simulation {

class ChainNode {
 public:
  ChainNode(Surroundings& world, BlockChain& chain);

  /// Answers a request; an error is that of a connection. For settlement::JsonRpc.
  Result<std::string> answer(const std::string& body);

  /// Lets so many ms pass while the asker waits.
  std::function<void(uint64_t)> pass;
  /// Called before each request and behind it: whether the asker is dead by now.
  std::function<bool()> dies;

 private:
  Result<json::value> result(std::string_view method, const json::array& params);
  Result<json::value> call(const json::array& params, bool estimates);
  Result<json::value> logs(const json::object& filter) const;
  Result<json::value> nonce(const json::array& params) const;
  u128 balance();
  json::value receipt(const Hash32& transaction) const;
  bool knows(const Hash32& transaction) const;
  /// The block that the node takes for the head.
  const ChainBlock& head() const;
  /// By its number or tag; null if the node has none such.
  const ChainBlock* block(const json::value& which) const;
  const ChainBlock* has(const ChainBlock* block) const;
  bool is_away();

  Surroundings& world_;
  BlockChain& chain_;
  Random random_;
  uint64_t away_until_ms_ = 0;
  uint64_t behind_until_ms_ = 0;
  uint64_t behind_ = 0;  ///< blocks
  uint64_t poor_until_ms_ = 0;
};

}  // namespace mizan::simulation
