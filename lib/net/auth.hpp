// Signed requests: the headers that say who asks, and the check of them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"
#include "crypto/eip712.hpp"
#include "net/http.hpp"

#include <map>
#include <mutex>
#include <set>

namespace mizan::net {

/// An account's word that `login.key` may ask in its name until `login.valid_until`.
struct LoginProof {
  eip712::Login login;
  Signature signature;
};

/// base64 of {"login": {...}, "signature"}: the header Mizan-Login.
std::string encode_login(const LoginProof& proof);
Result<LoginProof> decode_login(std::string_view header);

/// Signs requests for one account to one exchange. Safe from many threads.
class Signer {
 public:
  /// Signs with the account's own key.
  Signer(eip712::Domain domain, SecretKey account_key);
  /// Signs with a login key; the proof must name it.
  Signer(eip712::Domain domain, SecretKey login_key, LoginProof proof);

  const Address& account() const { return account_; }
  const eip712::Domain& domain() const { return domain_; }
  /// The headers for one request sent at `now`. `body` is "" for an artifact's upload.
  Headers sign(std::string_view method, std::string_view target, std::string_view body,
               std::string_view idempotency_key, UnixMs now) const;

 private:
  eip712::Domain domain_;
  SecretKey key_;
  Address account_;
  std::optional<LoginProof> proof_;
};

/// The exchange's side: who signed a request, and that it comes once. Safe from many threads.
class Authenticator {
 public:
  static constexpr uint64_t kWindowMs = 60'000;  ///< either side of the exchange's clock

  static constexpr size_t kMostNonces = 500'000;

  /// What was signed before `from` is expired: an exchange that starts knows nothing of what its
  /// predecessor was sent.
  explicit Authenticator(eip712::Domain domain, UnixMs from = {}, size_t max_nonces = kMostNonces);

  /// The account that asks, or unauthenticated, expired or replayed. `body` as for Signer::sign.
  /// Past `max_nonces` the oldest is forgotten, and what was signed no later than it is expired: a
  /// flood takes from others nothing but the time to be slow in. Half of them at most are of the
  /// future; past that those alone are refused, so that no flood of them drives out the present.
  Result<Address> check(const Request& request, std::string_view body, UnixMs now);

 private:
  Result<void> spend(const Address& account, uint64_t nonce, UnixMs issued, UnixMs now);

  eip712::Domain domain_;
  const size_t max_nonces_;
  std::mutex mutex_;
  std::set<std::pair<Address, uint64_t>> spent_;
  std::multimap<uint64_t, std::pair<Address, uint64_t>> by_time_;  ///< when each was issued, in ms
  uint64_t known_from_ms_;  ///< of what was issued before nothing is known
  uint64_t latest_ms_ = 0;     ///< the latest time of a check
  size_t ahead_ = 0;           ///< of by_time_, those past latest_ms_
};

}  // namespace mizan::net
