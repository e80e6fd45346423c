// Token status lists: how an issuer takes a credential back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "credential/jose.hpp"

#include <string>

namespace mizan::credential {

/// One bit a credential, 1 for revoked, as a signed token (draft-ietf-oauth-status-list: "typ"
/// statuslist+jwt, `status_list` = {"bits": 1, "lst": base64url of the zlib-compressed bits}).
class StatusList {
 public:
  static constexpr uint64_t kMaxEntries = 1 << 20;

  /// `entries` zero bits; `uri` names the list and is in each credential that it covers.
  StatusList(std::string uri, uint64_t entries);

  /// Checks signature, `sub` against `uri`, and `exp`.
  static Result<StatusList> parse(std::string_view token, std::string_view uri,
                                  const VerifyKey& issuer, uint64_t now);
  std::string sign(const IssuerKey& key, uint64_t issued_at, uint64_t expires_at) const;

  const std::string& uri() const { return uri_; }
  /// invalid_argument past the list's end.
  Result<void> revoke(uint64_t index);
  /// credential_revoked if its bit is set; credential_malformed past the list's end.
  Result<void> check(uint64_t index) const;

 private:
  std::string uri_;
  Bytes bits_;
};

}  // namespace mizan::credential
