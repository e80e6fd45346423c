// What the exchange takes from a credential: shown, verified, and reduced to what rules read.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "credential/sd_jwt.hpp"
#include "exchange/options.hpp"
#include "exchange/party_facts.hpp"
#include "service/challenges.hpp"

#include <boost/json/object.hpp>

#include <filesystem>

namespace mizan::service {

/// A holder's presentation and the status lists that came with it (URI -> token).
struct Shown {
  std::string presentation;
  std::map<std::string, std::string> status_lists;
};

/// Verifies presentations. Safe from many threads.
class CredentialDesk {
 public:
  /// `audience` is this exchange; `status_lists` a folder that the operator keeps fresh (a list's
  /// file is its URI, percent-encoded), or empty.
  CredentialDesk(std::string audience, std::filesystem::path status_lists)
      : audience_(std::move(audience)), status_lists_(std::move(status_lists)) {}

  const std::string& audience() const { return audience_; }
  std::string challenge(UnixMs now) { return challenges_.make(now); }

  /// What the journal may keep of a presentation by `holder`, which answers an unspent challenge
  /// and spends it. Errors: those of credential::verify; credential_wrong_holder (another key's);
  /// credential_revoked, and with details.field = statusLists invalid_argument (its list is not
  /// there) or what is wrong with the list; credential_malformed with details.field (a claim);
  /// replayed.
  Result<exchange::PartyFacts> accept(const Shown& shown, const Address& holder,
                                      const exchange::PolicyOptions& options, UnixMs now);

 private:
  Result<void> check_status(const credential::Presentation& presentation, const Shown& shown,
                            const credential::VerifyKey& issuer, UnixMs now) const;

  const std::string audience_;
  const std::filesystem::path status_lists_;
  Challenges challenges_;
};

/// The values that rules read, of claims that an issuer vouched for; all others are left behind.
Result<exchange::PartyFacts> party_facts(const credential::Presentation& presentation);

/// Facts as `POST /v1/credentials` answers them, for their owner.
json::object facts_json(const Address& account, const exchange::PartyFacts& facts);

}  // namespace mizan::service
