// Error: what went wrong, as a value.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace mizan {

/// The stable codes of every expected failure. They travel in API answers, so a code is never
/// renamed or given another meaning; new ones go at the end. Their spelling is `to_string`'s.
enum class ErrorCode {
  invalid_argument,     ///< a field is malformed or out of range
  unknown_field,        ///< a key nobody knows; details.nearest names the closest known one
  unsupported_key,      ///< a known key of a job file that is not built yet
  too_large,            ///< a body, message, file or number over its limit
  overflow,             ///< checked arithmetic would have wrapped
  unauthenticated,      ///< no signature, or one that does not verify
  forbidden,            ///< a valid signature of somebody who may not do this
  expired,              ///< a deadline or validity that has passed
  replayed,             ///< a nonce or idempotency key that was spent on something else
  not_found,            ///< no such order, lease, account or artifact
  already_exists,       ///< the same id with other content
  conflict,             ///< the state does not allow this now
  insufficient_funds,   ///< the balance does not cover the escrow
  no_match,             ///< no offer fits; details say which clause removed how many
  limit_exceeded,       ///< an account's or an address's limit
  unavailable,          ///< a peer or a resource is not there now; try again
  io_error,             ///< the operating system refused; details.errno
  corrupted,            ///< stored bytes that fail their check; details.place
  policy_blocked,       ///< a rule forbids the deal
  policy_held,          ///< a person has to decide first
  internal,             ///< a fault of Mizan itself
  credential_malformed,     ///< not an SD-JWT, or one over its bounds
  credential_algorithm,     ///< signed by another algorithm than its key's
  credential_issuer,        ///< an issuer that is not accepted
  credential_tampered,      ///< a signature or a disclosure's digest does not hold
  credential_expired,       ///< past its time, or before it
  credential_revoked,       ///< its issuer took it back
  credential_wrong_holder   ///< bound to another key, or shown to somebody else
};
/// For loops over all codes: the one at the end of the list above.
inline constexpr ErrorCode kLastErrorCode = ErrorCode::credential_wrong_holder;

/// The code as it is spelled in JSON, e.g. "insufficient_funds".
std::string_view to_string(ErrorCode code);
/// The code that is spelled so, or nothing.
std::optional<ErrorCode> parse_error_code(std::string_view spelling);

/// An expected failure. `message` is one sentence for a person: it names the field and says what
/// to do; it never holds a secret. `details` are machine-readable (a field's path under "field").
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
  std::map<std::string, std::string> details{};

  /// The same error with one more detail.
  Error with(std::string key, std::string value) && {
    details.insert_or_assign(std::move(key), std::move(value));
    return std::move(*this);
  }
  friend bool operator==(const Error&, const Error&) = default;
};

}  // namespace mizan
