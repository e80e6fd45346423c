// mizan run --meter self: the buyer's own client signs the vouchers of its lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/metering.hpp"
#include "mizan/follow.hpp"
#include "mizan/orders.hpp"

#include <chrono>
#include <optional>

namespace mizan::cli {

/// Whether the order's bid names another meter than the exchange's.
bool meters_itself(const Session& session, const OrderState& order);

/// Signs, while its lease is followed, for the time that the provider's heartbeats cover: never for
/// more than the exchange bills, nor for more than passed before the client's own eyes. The session
/// is one for orders.
class SelfMeter {
 public:
  SelfMeter(const Context& context, Session& session, const OrderState& order,
            std::function<void(const std::string&)> say);

  /// `events`, with the metering at the lease's changes and ticks.
  FollowEvents watch(FollowEvents events);

 private:
  void take(const json::value& lease);
  void round();
  Result<void> meter();
  UnixMs now() const { return {session_.exchange_time_ms()}; }
  void complain(const std::string& text);

  Session& session_;
  const OrderState order_;
  const fs::path stopped_;  ///< the file that `mizan stop` leaves
  const SecretKey key_;
  std::function<void(const std::string&)> say_;
  std::optional<LeaseId> lease_;
  std::optional<eip712::Terms> terms_;  ///< checked; without them nothing is signed
  UnixMs not_before_;                   ///< the lease was not open yet then
  UnixMs opened_;                       ///< 0 until it was seen open
  std::optional<exchange::BuyerMeter> meter_;
  UnixMs signed_at_;
  std::string complaint_;
  bool wake_ = false;
  std::chrono::steady_clock::time_point last_round_{};
};

}  // namespace mizan::cli
