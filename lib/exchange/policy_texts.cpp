#include "exchange/policy_texts.hpp"

#include "codec/json_fields.hpp"
#include "crypto/payees_hash.hpp"
#include "policy/words.hpp"

#include <algorithm>
#include <array>

namespace mizan::exchange {
namespace {

using policy::Country;
using policy::Evidence;
using policy::Fact;

constexpr size_t kMostWords = 64;
constexpr size_t kLongestWord = 128;

constexpr std::array<std::string_view, 6> kAttributes = {
    "certifications", "datacenter_marketed", "licence_conditions", "notices", "origin", "payees"};

bool is_not_applicable(const json::value& value) {
  return value.is_string() && value.get_string() == "n/a";
}

Result<Country> read_country(const json::value& value, std::string_view path) {
  MIZAN_TRY(text, from_json<std::string>(value, path));
  const auto country = policy::country(text);
  if (!country) return bad_field(path, "is a country's two capital letters");
  return *country;
}

Result<std::vector<std::string>> read_words(const json::value& value, std::string_view path) {
  MIZAN_TRY(words, from_json<std::vector<std::string>>(value, path));
  if (words.size() > kMostWords) return bad_field(path, "has at most 64 entries");
  for (const std::string& word : words)
    if (word.empty() || word.size() > kLongestWord)
      return bad_field(path, "entries have 1 to 128 bytes");
  return words;
}

Result<std::vector<policy::LicenceCondition>> read_conditions(const json::value& value,
                                                              std::string_view path) {
  MIZAN_TRY(words, read_words(value, path));
  std::vector<policy::LicenceCondition> out;
  for (const std::string& word : words) {
    const size_t colon = word.rfind(':');
    const auto country =
        colon == std::string::npos ? std::nullopt : policy::country(word.substr(colon + 1));
    if (!country || colon == 0)
      return bad_field(path, "entries are written \"no_hq:CN\": a kind, a colon, a country");
    out.push_back({word.substr(0, colon), *country});
  }
  return out;
}

/// An attribute `{"value", "source"}`, or nothing.
struct Attribute {
  const json::value* value = nullptr;
  Evidence evidence = Evidence::self_declared;
};

Attribute find(const json::object& attributes, std::string_view name) {
  const json::value* member = attributes.if_contains(name);
  if (member == nullptr) return {};
  const json::object& object = member->get_object();
  const bool told = object.at("source").get_string() == "self_reported";
  return {&object.at("value"), told ? Evidence::self_declared : Evidence::measured};
}

template <class T, class Read>
Result<Fact<T>> read_fact(const Attribute& attribute, const std::string& path, Read read) {
  if (attribute.value == nullptr) return Fact<T>{};
  if (is_not_applicable(*attribute.value)) return Fact<T>::not_applicable(attribute.evidence);
  MIZAN_TRY(value, read(*attribute.value, path));
  return Fact<T>::of(std::move(value), attribute.evidence);
}

Result<Fact<Country>> declared_country(const json::value* value, const std::string& path) {
  return read_fact<Country>({value, Evidence::self_declared}, path, read_country);
}

/// The weakest source among what the probe measures; nothing measured is the provider's word.
Evidence probe_evidence(const json::object& attributes, bool accelerator) {
  if (accelerator && !attributes.contains("device_memory_gb")) return Evidence::self_declared;
  bool any = false;
  Evidence weakest = Evidence::measured;
  for (const std::string_view name : {"cores", "memory_gb", "device_memory_gb"}) {
    const Attribute one = find(attributes, name);
    if (one.value == nullptr) continue;
    any = true;
    weakest = std::min(weakest, one.evidence);
  }
  return any ? weakest : Evidence::self_declared;
}

Result<policy::Role> read_payee_role(const std::string& word, std::string_view path) {
  const auto role = policy::place_of(word, policy::kRoleWords);
  if (role) switch (const auto known = static_cast<policy::Role>(*role)) {
      case policy::Role::operator_:
      case policy::Role::hardware_owner:
      case policy::Role::host:
      case policy::Role::investor:
      case policy::Role::broker:
        return known;
      default:
        break;
    }
  return bad_field(path, "is operator, hardware_owner, host, investor or broker");
}

Result<AskPayee> read_payee(const Address& provider, const json::value& value,
                            const std::string& path) {
  AskPayee out;
  std::optional<std::string> role;
  ObjectReader in(value, path);
  in.required("to", out.payee.to);
  in.required("bps", out.payee.bps);
  in.optional("role", role);
  MIZAN_CHECK(in.finish());
  if (out.payee.to == provider) {
    if (role) return bad_field(in.path("role"), "is left out for the provider itself");
    out.role = policy::Role::provider;
  } else if (role) {
    MIZAN_TRY(known, read_payee_role(*role, in.path("role")));
    out.role = known;
  }
  return out;
}

Result<std::vector<AskPayee>> read_payees(const eip712::Ask& ask, const Attribute& attribute,
                                          const std::string& path) {
  std::vector<AskPayee> out;
  if (attribute.value != nullptr) {
    if (!attribute.value->is_array() || attribute.value->get_array().size() > kMostPayees)
      return bad_field(path, "is a list of 1 to 8 payees");
    for (const json::value& one : attribute.value->get_array()) {
      MIZAN_TRY(payee,
                read_payee(ask.provider, one, path + "[" + std::to_string(out.size()) + "]"));
      out.push_back(payee);
    }
    std::vector<Payee> shares;
    shares.reserve(out.size());
    for (const AskPayee& one : out) shares.push_back(one.payee);
    MIZAN_CHECK(check_payees(shares, path));
    if (payees_hash(shares) == ask.payees_hash) return out;
  } else if (ask.payees_hash.is_zero()) {
    return out;
  }
  return bad_field("ask.payeesHash",
                   "is the hash of the payees in attributes.payees, and zero where there are none");
}

Result<void> read_end_user(const json::value& value, const std::string& path, Declaration& out) {
  if (value.is_string()) {
    if (value.get_string() != "self")
      return bad_field(path, "is \"self\" or an object of country, hq, parent_hq");
    out.end_user = EndUser::self;
    return {};
  }
  ObjectReader in(value, path);
  out.end_user = EndUser::other;
  MIZAN_TRY(country, declared_country(in.find("country"), in.path("country")));
  MIZAN_TRY(hq, declared_country(in.find("hq"), in.path("hq")));
  MIZAN_TRY(parent, declared_country(in.find("parent_hq"), in.path("parent_hq")));
  out.user_country = country;
  out.user_hq = hq;
  out.user_parent_hq = parent;
  return in.finish();
}

}  // namespace

std::vector<Payee> payees_of(const AskFacts& facts) {
  std::vector<Payee> out;
  out.reserve(facts.payees.size());
  for (const AskPayee& one : facts.payees) out.push_back(one.payee);
  return out;
}

std::span<const std::string_view> policy_attributes() {
  return kAttributes;
}

Result<AskFacts> read_ask_facts(const eip712::Ask& ask, const json::value& value) {
  const json::object& attributes = value.get_object();
  AskFacts out;
  const bool accelerator = ask.chip != "cpu" && ask.chip != "n/a";
  const Evidence probed = probe_evidence(attributes, accelerator);
  if (accelerator)
    out.item = Fact<policy::Item>::of({policy::ItemKind::listed_chip, ask.chip, {}, {}}, probed);
  else
    out.item = Fact<policy::Item>::not_applicable(probed);
  const auto path = [](std::string_view name) {
    return "attributes." + std::string(name) + ".value";
  };
  MIZAN_TRY(origin, read_fact<Country>(find(attributes, "origin"), path("origin"), read_country));
  MIZAN_TRY(certifications,
            read_fact<std::vector<std::string>>(find(attributes, "certifications"),
                                                path("certifications"), read_words));
  MIZAN_TRY(payees, read_payees(ask, find(attributes, "payees"), path("payees")));
  MIZAN_TRY(notices, read_fact<std::vector<std::string>>(find(attributes, "notices"),
                                                         path("notices"), read_words));
  MIZAN_TRY(conditions, read_fact<std::vector<policy::LicenceCondition>>(
                            find(attributes, "licence_conditions"), path("licence_conditions"),
                            read_conditions));
  const Attribute marketed = find(attributes, "datacenter_marketed");
  if (marketed.value != nullptr) {
    MIZAN_TRY(flag, from_json<bool>(*marketed.value, path("datacenter_marketed")));
    out.datacenter_marketed = Fact<bool>::of(flag, marketed.evidence);
  }
  out.origin = origin;
  out.payees = std::move(payees);
  out.certifications = std::move(certifications);
  out.notices = std::move(notices);
  out.licence_conditions = std::move(conditions);
  if (!accelerator && out.licence_conditions.known == policy::Known::unknown)
    out.licence_conditions = Fact<std::vector<policy::LicenceCondition>>::not_applicable(probed);
  // Any word may stand there for queries; what is no country's letters stays unknown to policy.
  const Attribute country = find(attributes, "country");
  if (country.value != nullptr && country.value->is_string())
    if (const auto place = policy::country(country.value->get_string()))
      out.location = Fact<Country>::of(*place, country.evidence);
  const Attribute memory = find(attributes, "device_memory_gb");
  if (memory.value != nullptr) {
    MIZAN_TRY(gb, from_json<uint64_t>(*memory.value, path("device_memory_gb")));
    out.device_memory_gb = Fact<uint64_t>::of(gb, memory.evidence);
  }
  return out;
}

Result<Declaration> read_declaration(const json::value& value, const std::string& path) {
  Declaration out;
  ObjectReader in(value, path);
  if (const json::value* end_use = in.find("end_use")) {
    MIZAN_TRY(word, from_json<std::string>(*end_use, in.path("end_use")));
    const auto place = policy::place_of(word, policy::kEndUseWords);
    if (!place && word != "unknown")
      return bad_field(in.path("end_use"),
                       "is commercial, military_intelligence, wmd, technical_analysis or unknown");
    if (place)
      out.end_use =
          Fact<policy::EndUse>::of(static_cast<policy::EndUse>(*place), Evidence::self_declared);
  }
  if (const json::value* training = in.find("training")) {
    MIZAN_TRY(flag, from_json<bool>(*training, in.path("training")));
    out.training = Fact<bool>::of(flag, Evidence::self_declared);
  }
  MIZAN_TRY(country, declared_country(in.find("country"), in.path("country")));
  out.country = country;
  if (const json::value* user = in.find("end_user"))
    MIZAN_CHECK(read_end_user(*user, in.path("end_user"), out));
  MIZAN_CHECK(in.finish());
  return out;
}

}  // namespace mizan::exchange
