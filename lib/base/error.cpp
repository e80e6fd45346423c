#include "base/error.hpp"

#include "base/ensure.hpp"

namespace mizan {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument: return "invalid_argument";
    case ErrorCode::unknown_field: return "unknown_field";
    case ErrorCode::unsupported_key: return "unsupported_key";
    case ErrorCode::too_large: return "too_large";
    case ErrorCode::overflow: return "overflow";
    case ErrorCode::unauthenticated: return "unauthenticated";
    case ErrorCode::forbidden: return "forbidden";
    case ErrorCode::expired: return "expired";
    case ErrorCode::replayed: return "replayed";
    case ErrorCode::not_found: return "not_found";
    case ErrorCode::already_exists: return "already_exists";
    case ErrorCode::conflict: return "conflict";
    case ErrorCode::insufficient_funds: return "insufficient_funds";
    case ErrorCode::no_match: return "no_match";
    case ErrorCode::limit_exceeded: return "limit_exceeded";
    case ErrorCode::unavailable: return "unavailable";
    case ErrorCode::io_error: return "io_error";
    case ErrorCode::corrupted: return "corrupted";
    case ErrorCode::policy_blocked: return "policy_blocked";
    case ErrorCode::policy_held: return "policy_held";
    case ErrorCode::internal: return "internal";
    case ErrorCode::credential_malformed: return "credential_malformed";
    case ErrorCode::credential_algorithm: return "credential_algorithm";
    case ErrorCode::credential_issuer: return "credential_issuer";
    case ErrorCode::credential_tampered: return "credential_tampered";
    case ErrorCode::credential_expired: return "credential_expired";
    case ErrorCode::credential_revoked: return "credential_revoked";
    case ErrorCode::credential_wrong_holder: return "credential_wrong_holder";
  }
  ensure(false, "an ErrorCode has a spelling");
  return "internal";
}

std::optional<ErrorCode> parse_error_code(std::string_view spelling) {
  for (int code = 0; code <= static_cast<int>(kLastErrorCode); ++code)
    if (to_string(static_cast<ErrorCode>(code)) == spelling) return static_cast<ErrorCode>(code);
  return std::nullopt;
}

}  // namespace mizan
