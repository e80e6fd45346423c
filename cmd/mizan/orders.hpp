// The orders of a home: <home>/jobs/ORDER/order.json, on the disk before an order is sent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/fields.hpp"
#include "crypto/eip712_messages.hpp"
#include "crypto/sealed.hpp"
#include "mizan/files.hpp"

#include <optional>
#include <string>
#include <vector>

namespace mizan::cli {

/// What the client has to know to send an order again under the same idempotency key, to follow its
/// lease, and to open its outputs: enough after a SIGKILL at any moment.
struct OrderState {
  OrderId order;
  std::string name;      ///< the job's
  std::string exchange;  ///< URL
  Hash32 exchange_id;
  Address account;
  eip712::Bid bid;
  Signature signature;
  std::string spec;  ///< canonical JSON, whose hash the bid signs
  std::string idempotency_key;
  std::string outputs_to;  ///< folder for the outputs, absolute; "" is none
  std::string request;     ///< what `run` was asked for, as a hash: `run` again finds it
  uint64_t created_at_ms = 0;
  /// "attached" while a `run` follows it, "detached" after Ctrl-C, "done" when it is over and
  /// everything was fetched. A killed client leaves "attached" without the lock.
  std::string client;
  std::optional<LeaseId> lease{};  ///< its latest, once the exchange has answered

  MIZAN_FIELDS(order, name, exchange, exchange_id, account, bid, signature, spec, idempotency_key,
               outputs_to, request, created_at_ms, client, lease)
};

fs::path order_folder(const fs::path& home, const OrderId& order);
/// Durable when it returns.
Result<void> save_order(const fs::path& home, const OrderState& state);
Result<OrderState> load_order(const fs::path& home, const OrderId& order);
/// Newest first. A folder that can't be read is left out.
Result<std::vector<OrderState>> load_orders(const fs::path& home);
/// Those alone that a client held and did not let go of: few, however many jobs there were.
Result<std::vector<OrderState>> load_held_orders(const fs::path& home);

/// Nothing if a live client holds the order. Hold it before it is saved first.
Result<std::optional<FileLock>> hold_order(const fs::path& home, const OrderId& order);

/// The order is done with: load_held_orders knows it no more.
void let_go_of_order(const fs::path& home, const OrderId& order);

/// Takes `count` bid nonces that this account has never used at this exchange, and writes that down
/// before it returns. A home that was lost starts at a number that grows with time.
Result<uint64_t> take_nonces(const fs::path& home, const Address& account, const Hash32& exchange,
                             uint32_t count);

}  // namespace mizan::cli
