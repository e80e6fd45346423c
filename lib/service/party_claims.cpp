// From an issuer's claims to the facts that rules read, and to their owner as JSON.
#include "codec/json_fields.hpp"
#include "policy/words.hpp"
#include "service/credentials.hpp"
#include "service/wire.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::service {
namespace {

using policy::Country;
using policy::Evidence;
using policy::Fact;

constexpr size_t kMostEntries = 64;
constexpr size_t kMostLocator = 256;
constexpr uint64_t kMostRetentionDays = 36'600;

/// The claims of which the journal keeps the disclosure's digest: what it keeps a value of, and
/// where the issuer's record is found.
constexpr std::array<std::string_view, 9> kClaims = {
    "country",   "hq",       "parent_hq",      "lists",         "listed_owners",
    "person_id", "group_id", "record_locator", "retention_days"};

tl::unexpected<Error> bad_claim(std::string_view name, std::string_view why) {
  return fail(Error{
      ErrorCode::credential_malformed,
      "claims." + std::string(name) + ": " + std::string(why),
      {}}.with("field", "claims." + std::string(name)));
}

std::string_view text_of(const json::value& value) {
  const json::string& text = value.get_string();
  return {text.data(), text.size()};
}

Result<Fact<Country>> read_country(const json::object& claims, std::string_view name) {
  const json::value* claim = claims.if_contains(json::string_view(name.data(), name.size()));
  if (claim == nullptr) return Fact<Country>{};
  if (claim->is_string()) {
    if (text_of(*claim) == "n/a") return Fact<Country>::not_applicable(Evidence::credential);
    if (const auto country = policy::country(text_of(*claim)))
      return Fact<Country>::of(*country, Evidence::credential);
  }
  return bad_claim(name, "a country's two capital letters, or \"n/a\"");
}

/// A pairwise id; zero where it is not shown.
Result<Hash32> read_id(const json::object& claims, std::string_view name) {
  const json::value* claim = claims.if_contains(json::string_view(name.data(), name.size()));
  if (claim == nullptr) return Hash32{};
  if (claim->is_string() && text_of(*claim).starts_with("0x"))
    if (const auto id = parse_fixed<Hash32>(text_of(*claim)); id && !id->is_zero()) return *id;
  return bad_claim(name, "\"0x\" and 64 hex digits, not all of them zero");
}

Result<const json::array*> read_array(const json::object& claims, std::string_view name) {
  const json::value* claim = claims.if_contains(json::string_view(name.data(), name.size()));
  if (claim == nullptr) return nullptr;
  if (!claim->is_array() || claim->get_array().size() > kMostEntries)
    return bad_claim(name, "an array of at most 64 entries");
  return &claim->get_array();
}

Result<policy::ListEffect> read_effect(const json::value* effect, std::string_view claim) {
  if (effect != nullptr && effect->is_string())
    if (const auto place = policy::place_of(text_of(*effect), policy::kEffectWords))
      return static_cast<policy::ListEffect>(*place);
  return bad_claim(claim, "each entry has an effect, licence or block");
}

bool is_list_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostEntries &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

Result<Fact<std::vector<policy::ListMatch>>> read_lists(const json::object& claims) {
  MIZAN_TRY(array, read_array(claims, "lists"));
  if (array == nullptr) return Fact<std::vector<policy::ListMatch>>{};
  std::vector<policy::ListMatch> out;
  for (const json::value& entry : *array) {
    const json::object* object = entry.if_object();
    const json::value* id = object != nullptr ? object->if_contains("id") : nullptr;
    if (id == nullptr || !id->is_string() || !is_list_name(text_of(*id)))
      return bad_claim("lists", "each entry has an id of 1 to 64 letters, digits and .-_");
    MIZAN_TRY(effect, read_effect(object->if_contains("effect"), "lists"));
    out.push_back({std::string(text_of(*id)), effect});
  }
  return Fact<std::vector<policy::ListMatch>>::of(std::move(out), Evidence::credential);
}

Result<policy::Decimal> read_share(const json::value* share) {
  std::string text;
  if (share != nullptr && share->is_string()) text = text_of(*share);
  if (share != nullptr && share->is_number()) text = fmt::format("{}", share->to_number<double>());
  if (const auto value = policy::parse_decimal(text); value && value->nano <= policy::kNano)
    return *value;
  return bad_claim("listed_owners", "each entry has a share from 0 to 1, like \"0.3\"");
}

/// Shares of one effect are added: who owns them is not kept.
Result<Fact<std::vector<policy::ListedOwner>>> read_owners(const json::object& claims) {
  using Owners = Fact<std::vector<policy::ListedOwner>>;
  MIZAN_TRY(array, read_array(claims, "listed_owners"));
  if (array == nullptr) return Owners{};
  std::map<policy::ListEffect, int64_t> sums;
  for (const json::value& entry : *array) {
    const json::object* object = entry.if_object();
    MIZAN_TRY(share, read_share(object != nullptr ? object->if_contains("share") : nullptr));
    MIZAN_TRY(effect, read_effect(object->if_contains("effect"), "listed_owners"));
    sums[effect] += share.nano;
  }
  std::vector<policy::ListedOwner> out;
  for (const auto& [effect, nano] : sums) {
    if (nano > policy::kNano)
      return bad_claim("listed_owners", "the shares of one effect add up to more than 1");
    out.push_back({Fact<policy::Decimal>::of({nano}, Evidence::credential), "", effect});
  }
  return Owners::of(std::move(out), Evidence::credential);
}

/// An issuer that keeps no record, or not for a stated time, is of no use to the law.
Result<void> check_record(const json::object& claims) {
  const json::value* locator = claims.if_contains("record_locator");
  if (locator == nullptr || !locator->is_string() || locator->get_string().empty() ||
      locator->get_string().size() > kMostLocator)
    return bad_claim("record_locator", "must be shown: 1 to 256 characters");
  const json::value* days = claims.if_contains("retention_days");
  if (days == nullptr || !days->is_number() || days->is_double() || days->to_number<double>() < 1 ||
      days->to_number<double>() > kMostRetentionDays)
    return bad_claim("retention_days", "must be shown: a whole number from 1 to 36600");
  return {};
}

Result<std::vector<exchange::Disclosure>> read_disclosures(
    const std::vector<credential::Disclosure>& shown) {
  std::vector<exchange::Disclosure> out;
  for (const credential::Disclosure& one : shown) {
    if (std::find(kClaims.begin(), kClaims.end(), one.name) == kClaims.end()) continue;
    const auto bytes = credential::parse_base64url(one.digest);
    Hash32 digest;
    if (!bytes || bytes->size() != digest.bytes.size() || out.size() == kMostEntries)
      return bad_claim(one.name, "its disclosure's digest is not a SHA-256, or there are too many");
    std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
    out.push_back({one.name, digest});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

json::value country_json(const Fact<Country>& fact) {
  if (fact.known == policy::Known::unknown) return nullptr;
  if (fact.known == policy::Known::not_applicable) return "n/a";
  return json::value(to_string(fact.value));
}

json::value id_json(const Hash32& id) {
  return id.is_zero() ? json::value(nullptr) : to_json(id);
}

}  // namespace

Result<exchange::PartyFacts> party_facts(const credential::Presentation& presentation) {
  const json::object& claims = presentation.claims;
  exchange::PartyFacts out;
  out.issuer = presentation.issuer;
  out.issued_at = presentation.issued_at;
  out.expires_at = presentation.expires_at;
  out.status_list = presentation.status_list;
  out.status_index = presentation.status_index;
  MIZAN_CHECK(check_record(claims));
  MIZAN_TRY(country, read_country(claims, "country"));
  MIZAN_TRY(hq, read_country(claims, "hq"));
  MIZAN_TRY(parent_hq, read_country(claims, "parent_hq"));
  MIZAN_TRY(person, read_id(claims, "person_id"));
  MIZAN_TRY(group, read_id(claims, "group_id"));
  MIZAN_TRY(lists, read_lists(claims));
  MIZAN_TRY(owners, read_owners(claims));
  MIZAN_TRY(disclosures, read_disclosures(presentation.disclosures));
  out.country = country;
  out.hq = hq;
  out.parent_hq = parent_hq;
  out.person = person;
  out.group = group;
  out.lists = std::move(lists);
  out.listed_owners = std::move(owners);
  out.disclosures = std::move(disclosures);
  return out;
}

json::object facts_json(const Address& account, const exchange::PartyFacts& facts) {
  json::value lists(nullptr);
  if (facts.lists.is_known()) {
    json::array entries;
    for (const policy::ListMatch& match : facts.lists.value)
      entries.push_back(
          json::object{{"id", to_json(match.id)}, {"effect", text_json(to_string(match.effect))}});
    lists = std::move(entries);
  }
  json::value owners(nullptr);
  if (facts.listed_owners.is_known()) {
    json::array entries;
    for (const policy::ListedOwner& owner : facts.listed_owners.value)
      entries.push_back(json::object{{"share", to_string(owner.share.value)},
                                     {"effect", text_json(to_string(owner.effect))}});
    owners = std::move(entries);
  }
  json::array disclosures;
  for (const exchange::Disclosure& one : facts.disclosures)
    disclosures.push_back(
        json::object{{"name", to_json(one.name)}, {"digest", to_json(one.digest)}});
  return {{"account", to_json(account)},
          {"issuer", to_json(facts.issuer)},
          {"person", id_json(facts.person)},
          {"group", id_json(facts.group)},
          {"country", country_json(facts.country)},
          {"hq", country_json(facts.hq)},
          {"parentHq", country_json(facts.parent_hq)},
          {"lists", std::move(lists)},
          {"listedOwners", std::move(owners)},
          {"issuedAt", facts.issued_at},
          {"expiresAt", facts.expires_at},
          {"statusList", to_json(facts.status_list)},
          {"statusIndex", facts.status_index},
          {"disclosures", std::move(disclosures)}};
}

}  // namespace mizan::service
