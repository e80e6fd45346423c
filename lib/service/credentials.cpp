#include "service/credentials.hpp"

#include "credential/status_list.hpp"
#include "net/http.hpp"

#include <boost/json/string.hpp>

#include <fstream>

namespace mizan::service {
namespace {

constexpr size_t kMostToken = 256 << 10;

/// The nonce that the presentation answers, not yet believed: verify holds it against the binding.
std::string presented_nonce(std::string_view presentation) {
  const size_t end = presentation.rfind('~');
  if (end == std::string_view::npos) return {};
  const auto binding = credential::parse_jws(presentation.substr(end + 1));
  if (!binding) return {};
  const json::value* nonce = binding->payload.if_contains("nonce");
  return nonce != nullptr && nonce->is_string() ? std::string(nonce->get_string()) : "";
}

tl::unexpected<Error> bad_status(ErrorCode code, const std::string& uri, const std::string& why) {
  return fail(Error{code, "the credential's status list " + uri + " " + why, {}}.with(
      "field", "statusLists"));
}

/// The operator's copy of a list, "" if there is none.
std::string read_list(const std::filesystem::path& folder, const std::string& uri) {
  if (folder.empty()) return {};
  const std::filesystem::path file = folder / net::percent_encode(uri);
  std::error_code failed;
  if (!std::filesystem::is_regular_file(file, failed)) return {};
  std::ifstream in(file, std::ios::binary);
  std::string text(kMostToken, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

}  // namespace

Result<void> CredentialDesk::check_status(const credential::Presentation& presentation,
                                          const Shown& shown, const credential::VerifyKey& issuer,
                                          UnixMs now) const {
  const std::string& uri = presentation.status_list;
  if (uri.empty()) return {};
  std::vector<std::string> tokens;
  if (std::string own = read_list(status_lists_, uri); !own.empty()) tokens.push_back(own);
  if (const auto given = shown.status_lists.find(uri); given != shown.status_lists.end())
    tokens.push_back(given->second);
  if (tokens.empty())
    return bad_status(ErrorCode::invalid_argument, uri,
                      "is needed: hand it in with the presentation");
  // The holder may hand in the list of yesterday: a bit that is set in any of them counts.
  std::optional<Error> fault;
  size_t good = 0;
  for (const std::string& token : tokens) {
    auto list = credential::StatusList::parse(token, uri, issuer, now.seconds());
    if (!list) {
      fault = list.error();
      continue;
    }
    MIZAN_CHECK(list->check(presentation.status_index));
    ++good;
  }
  if (good == 0) return bad_status(fault->code, uri, "does not hold: " + fault->message);
  return {};
}

Result<exchange::PartyFacts> CredentialDesk::accept(const Shown& shown, const Address& holder,
                                                    const exchange::PolicyOptions& options,
                                                    UnixMs now) {
  credential::Demand demand;
  for (const auto& [uri, jwk] : options.issuers) {
    MIZAN_TRY(value, parse_json(jwk, {}, "an issuer's key"));
    // A key that cannot be read vouches for nobody; the other issuers stay accepted.
    if (auto key = credential::parse_jwk(value, uri)) demand.issuers.emplace(uri, *key);
  }
  demand.audience = audience_;
  demand.nonce = presented_nonce(shown.presentation);
  demand.now = now.seconds();
  demand.binding_age_max = Challenges::kLifeMs / 1000;
  MIZAN_TRY(presentation, credential::verify(shown.presentation, demand));
  if (presentation.holder != holder)
    return fail(ErrorCode::credential_wrong_holder,
                "the credential is bound to another account than the one that hands it in");
  const auto issuer = demand.issuers.find(presentation.issuer);
  MIZAN_CHECK(check_status(presentation, shown, issuer->second, now));
  MIZAN_TRY(facts, party_facts(presentation));
  MIZAN_CHECK(challenges_.spend(demand.nonce, now));
  return facts;
}

}  // namespace mizan::service
