// The chain house: what an exchange of kind evm has on its machine, and what its contract says.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/context.hpp"

#include <memory>

namespace mizan::service {

class ChainHouse {
 public:
  /// Opens the outbox's journal below the state folder. Nothing is asked of the node yet.
  static Result<std::unique_ptr<ChainHouse>> open(const ServiceConfig& config, SecretKey gas);

  const ChainParts& parts() const { return parts_; }
  /// What becomes part of Genesis. Errors name what to set right: another chain, no contract of
  /// Mizan's, one that takes another exchange's clearances or pays another's fees. `unavailable`:
  /// the node does not answer, or is not that far yet.
  Result<exchange::ChainSettlement> learn(const ExchangeKeys& keys, const Address& fee_to);

 private:
  ChainHouse(const ChainConfig& config, settlement::Node node, SecretKey gas,
             std::unique_ptr<journal::Journal> outbox)
      : config_(config), node_(std::move(node)), gas_(std::move(gas)), outbox_(std::move(outbox)) {}

  const ChainConfig config_;
  settlement::Node node_;
  const SecretKey gas_;
  const std::unique_ptr<journal::Journal> outbox_;
  const ChainParts parts_{node_, *outbox_, gas_};
};

}  // namespace mizan::service
