// What the journal knows of a deal, as the case that policy judges.
#include "codec/binary.hpp"
#include "crypto/hash.hpp"
#include "exchange/core.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

using policy::Country;
using policy::Evidence;
using policy::Fact;

/// Bytes a device's memory may differ from the chip table's: part of it is not for programs.
constexpr uint64_t kMemoryTolerancePercent = 15;

template <class T>
Fact<T> vouched(Fact<T> fact) {
  fact.evidence = Evidence::credential;
  return fact;
}

bool other_memory(const policy::RuleSet& rules, const AskFacts& facts) {
  if (!facts.item.is_known() || !facts.device_memory_gb.is_known() ||
      facts.device_memory_gb.evidence < Evidence::measured)
    return false;
  const policy::Chip* chip = rules.chip(facts.item.value.name);
  if (chip == nullptr || !chip->memory_GB.is_known()) return false;
  const policy::i128 told = policy::i128{chip->memory_GB.value.nano} * 100;
  const policy::i128 measured = policy::i128{facts.device_memory_gb.value} * policy::kNano * 100;
  const policy::i128 slack =
      policy::i128{chip->memory_GB.value.nano} * policy::i128{kMemoryTolerancePercent};
  return measured > told + slack || measured < told - slack;
}

policy::Date last_day(uint64_t yyyymmdd) {
  return {static_cast<int32_t>(std::min<uint64_t>(yyyymmdd, 99991231))};
}

policy::Licence on_file(const eip712::LicenceOnFile& filed) {
  policy::Licence out;
  out.number = Fact<std::string>::of(filed.number);
  out.chip =
      filed.chip == "n/a" ? Fact<std::string>::not_applicable() : Fact<std::string>::of(filed.chip);
  out.units = Fact<uint64_t>::of(filed.units);
  const auto destination = policy::country(filed.destination);
  out.destination = destination ? Fact<Country>::of(*destination) : Fact<Country>::not_applicable();
  out.party = filed.party.is_zero() ? Fact<std::string>::not_applicable()
                                    : Fact<std::string>::of(hex0x(filed.party.view()));
  out.expires = Fact<policy::Date>::of(last_day(filed.expires));
  return out;
}

/// The licences that may cover the deal; others would say nothing.
std::vector<policy::Licence> licences_for(const std::map<std::string, eip712::LicenceOnFile>& filed,
                                          const policy::Case& subject) {
  const auto named = [&subject](const Address& party) {
    return std::any_of(
        subject.parties.value.begin(), subject.parties.value.end(),
        [id = hex0x(party.view())](const policy::Party& one) { return one.id == id; });
  };
  std::vector<policy::Licence> out;
  for (const auto& [number, licence] : filed) {
    const bool party = licence.party.is_zero() || named(licence.party);
    const bool chip = licence.chip == "n/a" ||
                      (subject.item.is_known() && subject.item.value.name == licence.chip);
    if (party && chip && last_day(licence.expires) >= subject.date) out.push_back(on_file(licence));
  }
  return out;
}

}  // namespace

bool Exchange::Core::facts_hold(const PartyFacts& facts) const {
  return seconds_now() < facts.expires_at && options.issuers.contains(facts.issuer);
}

/// Whoever was once proven to be of a person or a group stays counted with it, whatever a later
/// proof leaves out.
std::vector<Subject> Exchange::Core::subjects_of(const Address& account) const {
  std::vector<Subject> out{subject_of(account)};
  if (const auto proven = state.proven.find(account); proven != state.proven.end())
    out.insert(out.end(), proven->second.begin(), proven->second.end());
  return out;
}

bool Exchange::Core::is_frozen(const Address& account) const {
  if (state.prohibited.contains(account)) return true;
  const auto facts = state.facts.find(account);
  if (facts != state.facts.end() && facts->second.lists.is_known() && facts_hold(facts->second))
    for (const policy::ListMatch& match : facts->second.lists.value)
      if (match.effect == policy::ListEffect::block) return true;
  if (state.listings.empty()) return false;
  for (const Subject& subject : subjects_of(account)) {
    const auto listed = state.listings.find(subject);
    if (listed == state.listings.end()) continue;
    for (const auto& [list, effect] : listed->second)
      if (effect == policy::ListEffect::block) return true;
  }
  return false;
}

policy::Party Exchange::Core::party_of(const Address& account) const {
  policy::Party out;
  out.id = hex0x(account.view());
  const auto known = state.facts.find(account);
  if (known != state.facts.end() && facts_hold(known->second)) {
    const PartyFacts& facts = known->second;
    out.country = vouched(facts.country);
    out.hq = vouched(facts.hq);
    out.parent_hq = vouched(facts.parent_hq);
    out.lists = vouched(facts.lists);
    out.listed_owners = vouched(facts.listed_owners);
    for (policy::ListedOwner& owner : out.listed_owners.value) owner.share = vouched(owner.share);
  }
  for (const Subject& subject : subjects_of(account)) {
    const auto listed = state.listings.find(subject);
    if (listed == state.listings.end()) continue;
    for (const auto& [list, effect] : listed->second) {
      if (!out.lists.is_known()) out.lists = Fact<std::vector<policy::ListMatch>>::of({});
      out.lists.value.push_back({list, effect});
    }
  }
  return out;
}

CaseFile Exchange::Core::case_of(const Deal& deal) const {
  const AskFacts& ask = deal.ask.facts;
  const Declaration& said = deal.declaration;
  CaseFile file;
  file.pending = state.policy.pending;
  file.stricter = options.stricter;
  policy::Case& subject = file.subject;
  subject.date = policy::date_of(state.now);
  subject.operation = Fact<policy::Operation>::of(policy::Operation::lease);
  subject.item = ask.item;
  subject.units = Fact<uint64_t>::of(deal.units);
  const std::string& chip = deal.ask.ask.chip;
  subject.group_units =
      Fact<uint64_t>::of(sum_or_most(group_units(deal.buyer, ask.item.is_known()), deal.units));
  if (const auto work = group_work(deal.buyer, chip, product_or_most(deal.units, deal.seconds)))
    subject.training_work = Fact<uint64_t>::of(*work);
  subject.origin = ask.origin;
  subject.location = ask.location;
  subject.certifications = ask.certifications;
  subject.notices = ask.notices;
  subject.licence_conditions = ask.licence_conditions;
  subject.end_use = said.end_use;
  subject.training = said.training;
  subject.datacenter_marketed = ask.datacenter_marketed;

  policy::Party provider = party_of(deal.ask.ask.provider);
  provider.role = policy::Role::provider;
  policy::Party buyer = party_of(deal.buyer);
  buyer.role = policy::Role::buyer;
  file.declared_country = said.country;
  // The credential counts; a declaration stands in for a missing one, and must not contradict it.
  if (buyer.country.is_known() && file.declared_country.is_known() &&
      buyer.country.value != file.declared_country.value)
    file.flags.push_back(Flag::declared_country);
  if (buyer.country.known == policy::Known::unknown) buyer.country = file.declared_country;
  policy::Party user;
  if (said.end_user == EndUser::self) {
    user = buyer;
  } else if (said.end_user == EndUser::other) {
    user.country = said.user_country;
    user.hq = said.user_hq;
    user.parent_hq = said.user_parent_hq;
  }
  user.role = policy::Role::end_user;
  std::vector<policy::Party> parties{std::move(provider), std::move(buyer), std::move(user)};
  for (const AskPayee& one : ask.payees) {
    if (one.role == policy::Role::provider) continue;
    parties.push_back(party_of(one.payee.to));
    parties.back().role = one.role;
  }
  subject.parties = Fact<std::vector<policy::Party>>::of(std::move(parties));
  subject.licences = Fact<std::vector<policy::Licence>>::of(licences_for(state.licences, subject));
  if (pays_itself(deal.buyer, deal.ask.ask.provider, payees_of(ask)))
    file.flags.push_back(Flag::same_person);
  if (other_memory(*rules, ask)) file.flags.push_back(Flag::device_memory);
  return file;
}

CaseFile Exchange::Core::case_anew(const Lease& lease) const {
  auto kept = read_case_file(lease.case_file);
  ensure(kept.has_value(), "a live lease's case file can be read");
  CaseFile file = *std::move(kept);
  policy::Case& subject = file.subject;
  file.pending = state.policy.pending;
  file.stricter = options.stricter;
  subject.date = policy::date_of(state.now);
  // The lease itself is in the sums already.
  subject.group_units = Fact<uint64_t>::of(group_units(lease.terms.buyer, subject.item.is_known()));
  const auto work = group_work(lease.terms.buyer, lease.chip, 0);
  subject.training_work = work ? Fact<uint64_t>::of(*work) : Fact<uint64_t>{};
  std::map<std::string, Address> named{{hex0x(lease.terms.buyer.view()), lease.terms.buyer},
                                       {hex0x(lease.terms.provider.view()), lease.terms.provider}};
  for (const Payee& payee : lease.payees) named.emplace(hex0x(payee.to.view()), payee.to);
  std::erase(file.flags, Flag::declared_country);
  std::erase(file.flags, Flag::same_person);
  for (policy::Party& party : subject.parties.value) {
    if (party.id.empty()) continue;
    const policy::Role role = party.role;
    const bool buys = role == policy::Role::buyer || role == policy::Role::end_user;
    party = party_of(named.at(party.id));
    party.role = role;
    if (!buys || !file.declared_country.is_known()) continue;
    const bool differs =
        party.country.is_known() && party.country.value != file.declared_country.value;
    if (differs && role == policy::Role::buyer) file.flags.push_back(Flag::declared_country);
    if (party.country.known == policy::Known::unknown) party.country = file.declared_country;
  }
  subject.licences = Fact<std::vector<policy::Licence>>::of(licences_for(state.licences, subject));
  if (pays_itself(lease.terms.buyer, lease.terms.provider, lease.payees))
    file.flags.push_back(Flag::same_person);
  std::sort(file.flags.begin(), file.flags.end());
  return file;
}

bool Exchange::Core::same_person(const Address& a, const Address& b) const {
  const auto one = state.proven.find(a);
  if (one == state.proven.end()) return false;
  const auto other = state.proven.find(b);
  if (other == state.proven.end()) return false;
  return std::any_of(one->second.begin(), one->second.end(), [&other](const Subject& subject) {
    return subject.kind == SubjectKind::person &&
           std::binary_search(other->second.begin(), other->second.end(), subject);
  });
}

bool Exchange::Core::pays_itself(const Address& buyer, const Address& provider,
                                 const std::vector<Payee>& payees) const {
  return same_person(buyer, provider) ||
         std::any_of(payees.begin(), payees.end(), [&](const Payee& payee) {
           return payee.to == buyer || same_person(buyer, payee.to);
         });
}

Subject subject_of(const Address& account) {
  Subject out;
  std::copy(account.bytes.begin(), account.bytes.end(), out.id.bytes.begin() + 12);
  return out;
}

}  // namespace mizan::exchange
