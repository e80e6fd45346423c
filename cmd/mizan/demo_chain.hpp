// The demo's chain: anvil, a test token, the escrow contract, and what happened on it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/chain_session.hpp"
#include "mizan/child.hpp"

namespace mizan::cli {

/// What one lease cost on the chain, and whether the contract's money is all there.
struct ChainFigures {
  uint64_t open_gas = 0;   ///< of the transaction that opened the lease
  uint64_t close_gas = 0;  ///< of the one that closed it
  uint64_t tx_count = 0;   ///< that the exchange sent, ever
};

/// A development node on loopback, which ends with this.
class DemoChain {
 public:
  static constexpr uint64_t kChainId = exchange::kDevelopmentChain;
  static constexpr uint64_t kDepth = 2;
  static constexpr u128 kNanoAUnit = 1000;  ///< its token has six decimals

  /// Starts anvil, the native program of the contracts' npm packages (or MIZAN_ANVIL); what it says
  /// goes to `log`. Blocks come with each transaction until `begin_blocks`.
  static Result<DemoChain> start(const Context& context, const fs::path& log);

  const std::string& url() const { return url_; }
  /// A block a second from now on, as on a chain whose time passes by itself.
  Result<void> begin_blocks();
  /// Blocks at once, so that what is in the last one counts.
  Result<void> bury();
  Result<void> give_ether(const Address& to);
  /// Of the lease, by the contract's events and the node's receipts; `sender` is the exchange's
  /// account for gas.
  Result<ChainFigures> figures(const Address& contract, const LeaseId& lease,
                               const Address& sender);
  Result<u128> number(const Address& contract, const Bytes& view) {
    return reader_.number(contract, view);
  }

 private:
  DemoChain(Child child, std::string url, ChainReader reader, settlement::JsonRpc rpc)
      : child_(std::move(child)),
        url_(std::move(url)),
        reader_(std::move(reader)),
        rpc_(std::move(rpc)) {}

  Child child_;
  std::string url_;
  ChainReader reader_;
  settlement::JsonRpc rpc_;
};

}  // namespace mizan::cli
