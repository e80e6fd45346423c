// A command's connection to its exchange: who it is, and in whose name one asks.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "mizan/keys.hpp"
#include "mizan/settings.hpp"
#include "net/client.hpp"

#include <memory>
#include <optional>

namespace mizan::cli {

enum class Access {
  open,      ///< public calls alone: no key is touched
  requests,  ///< signed requests: a login key does
  orders     ///< orders too: the account's own key
};

/// One exchange and one account. Not copied; one thread at a time.
class Session {
 public:
  /// Connects to --exchange or the settings' exchange and checks that it is the one that was
  /// joined. Errors: invalid_argument (no exchange is known), unavailable, unauthenticated.
  static Result<Session> open(const Context& context, Access access);

  net::Client& client() { return client_; }
  const ExchangeInfo& info() const { return info_; }
  eip712::Domain domain() const { return info_.domain(); }
  /// With Access::requests or orders.
  const Address& account() const { return account_; }
  /// With Access::orders.
  const SecretKey& key() const { return *key_; }
  const std::shared_ptr<const net::Signer>& signer() const { return client_.signer(); }
  /// The exchange's clock now, from its answer and ours since: for the times in orders.
  uint64_t exchange_time_ms() const;

  /// A JSON answer of a GET, POST or PUT.
  Result<json::value> get(const std::string& target);
  Result<json::value> put(const std::string& target, const json::value& body);
  Result<json::value> post(const std::string& target, const json::value& body,
                           const std::string& idempotency_key = "");

 private:
  Session(net::Client client, ExchangeInfo info, uint64_t clock_ahead_ms)
      : client_(std::move(client)), info_(std::move(info)), clock_ahead_ms_(clock_ahead_ms) {}

  net::Client client_;
  ExchangeInfo info_;
  uint64_t clock_ahead_ms_;  // the exchange's clock less ours, modulo 2^64
  Address account_;
  std::optional<SecretKey> key_;
};

}  // namespace mizan::cli
