// An issuer, a holder and a verifier whose keys never change: for the seeds and their target alike.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "credential/sd_jwt.hpp"
#include "credential/status_list.hpp"
#include "crypto/hash.hpp"

namespace mizan::fuzz {

class CredentialWorld {
 public:
  static constexpr uint64_t kNow = 1'800'000'000;
  static constexpr const char* kIssuer = "https://issuer.example";
  static constexpr const char* kList = "https://issuer.example/status/1";

  /// A key of this file alone, made for it; it vouches for nothing.
  static const credential::IssuerKey& issuer() {
    static const auto kKey =
        credential::IssuerKey::from_pem(
            "-----BEGIN PRIVATE KEY-----\n"
            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkXcnqCjCMnhJe+CB\n"
            "FmB2ji/K1BEoBE67koBClFbo/KyhRANCAAR4s4jYmNjpVib37iRTlyqdvh+R9/PE\n"
            "VBD2Or5dx0zgBNZD0D2mDUTMP9zDgOhYlVueIE4U64er2yygJcrwPWgy\n"
            "-----END PRIVATE KEY-----\n")
            .value();
    return kKey;
  }
  static const SecretKey& holder() {
    static const SecretKey kKey = SecretKey::from_bytes(keccak256("holder").view()).value();
    return kKey;
  }

  credential::Demand demand() const {
    credential::Demand out;
    out.issuers.emplace(kIssuer, issuer().public_key());
    out.audience = "0xexchange";
    out.nonce = "n-1";
    out.now = kNow;
    return out;
  }
  std::string issued() const {
    credential::Issuance what;
    what.issuer = kIssuer;
    what.holder = public_key(holder());
    what.issued_at = kNow - 1000;
    what.expires_at = kNow + 1000;
    what.status_list = kList;
    what.status_index = 13;
    what.disclosed = {{"vct", "https://mizan.example/eligibility/1"}};
    what.selective = {{"country", "SG"},
                      {"parent_hq", "n/a"},
                      {"person_id", hex0x(keccak256("person").view())},
                      {"lists", json::array{json::object{{"id", "EL"}, {"effect", "licence"}}}}};
    return credential::issue(what, issuer());
  }
  std::string present(const std::vector<std::string>& names) const {
    return credential::present(issued(), names, holder(), {"0xexchange", "n-1", kNow - 1}).value();
  }
  std::string status_list(const std::vector<uint64_t>& revoked) const {
    credential::StatusList list(kList, 1000);
    for (const uint64_t index : revoked)
      if (!list.revoke(index)) break;
    return list.sign(issuer(), kNow - 10, kNow + 1000);
  }
};

}  // namespace mizan::fuzz
