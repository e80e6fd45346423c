#include "simulation/policy_books.hpp"

#include "simulation/rules.hpp"
#include "support/policy_world.hpp"

#include <algorithm>

namespace mizan::simulation {

using namespace exchange;

namespace {

std::vector<Subject> subjects_in(const eip712::Listing& listing) {
  std::vector<Subject> out;
  if (!listing.account.is_zero()) {
    Subject account{SubjectKind::account, {}};
    std::copy(listing.account.bytes.begin(), listing.account.bytes.end(),
              account.id.bytes.begin() + 12);
    out.push_back(account);
  }
  if (!listing.person.is_zero()) out.push_back({SubjectKind::person, listing.person});
  if (!listing.group.is_zero()) out.push_back({SubjectKind::group, listing.group});
  return out;
}

}  // namespace

void PolicyBooks::take(const Command& command, UnixMs, uint64_t now_ms) {
  if (const auto* set = std::get_if<SetPolicy>(&command)) rule_set_ = set->change.rule_set;
  if (const auto* proven = std::get_if<ProveFacts>(&command)) {
    const auto& country = proven->facts.country;
    const bool known = country.is_known();
    proofs_[proven->account] = {proven->facts.person, proven->facts.group,
                                known && country.value == test::place("SG").value,
                                known && country.value == test::place("KP").value,
                                proven->facts.expires_at};
  }
  const auto* list = std::get_if<ListParty>(&command);
  if (list == nullptr) return;
  for (const Subject& subject : subjects_in(list->listing)) {
    for (Listed& old : listings_)
      if (old.in_force() && old.subject == subject && old.list == list->listing.list)
        old.until_ms = now_ms;
    if (list->listing.listed)
      listings_.push_back({subject, list->listing.list, list->listing.effect == "block", now_ms});
  }
}

void PolicyBooks::take(const AccountFrozen& event) {
  if (event.frozen)
    frozen_.insert(event.account);
  else
    frozen_.erase(event.account);
}

bool PolicyBooks::is_of(const Address& account, const Subject& subject) const {
  if (subject.kind == SubjectKind::account)
    return std::equal(account.bytes.begin(), account.bytes.end(), subject.id.bytes.begin() + 12);
  const auto proof = proofs_.find(account);
  if (proof == proofs_.end()) return false;
  return subject.id ==
         (subject.kind == SubjectKind::person ? proof->second.person : proof->second.group);
}

bool PolicyBooks::listed(const Address& account, bool blocks) const {
  return std::any_of(listings_.begin(), listings_.end(), [&](const Listed& one) {
    return one.in_force() && (one.blocks || !blocks) && is_of(account, one.subject);
  });
}

bool PolicyBooks::was_listed(const Address& account, uint64_t from_ms, uint64_t until_ms) const {
  return std::any_of(listings_.begin(), listings_.end(), [&](const Listed& one) {
    return one.from_ms <= until_ms && one.until_ms >= from_ms && is_of(account, one.subject);
  });
}

bool PolicyBooks::is_policy(const Command& command) {
  return std::holds_alternative<SetPolicy>(command) ||
         std::holds_alternative<FileLicence>(command) ||
         std::holds_alternative<ProveFacts>(command) || std::holds_alternative<ListParty>(command);
}

/// Of one person or one group.
bool PolicyBooks::is_kin(const Address& a, const Address& b) const {
  const auto one = proofs_.find(a);
  const auto other = proofs_.find(b);
  return a == b ||
         (one != proofs_.end() && other != proofs_.end() &&
          (one->second.person == other->second.person || one->second.group == other->second.group));
}

/// Whether it may change what is judged of the account's deals.
bool PolicyBooks::concerns(const Command& command, const Address& account) const {
  if (std::holds_alternative<SetPolicy>(command) || std::holds_alternative<FileLicence>(command))
    return true;
  if (const auto* proven = std::get_if<ProveFacts>(&command)) return proven->account == account;
  if (const auto* list = std::get_if<ListParty>(&command))
    for (const Subject& subject : subjects_in(list->listing))
      if (is_of(account, subject)) return true;
  return false;
}

bool PolicyBooks::is_proven(const Address& account, UnixMs time) const {
  const auto proof = proofs_.find(account);
  return proof != proofs_.end() && time.seconds() < proof->second.expires_at;
}

bool PolicyBooks::is_good(const Address& account, UnixMs time) const {
  return is_proven(account, time) && proofs_.at(account).good;
}

bool PolicyBooks::is_barred(const Address& account, UnixMs time) const {
  return is_proven(account, time) && proofs_.at(account).barred;
}

std::string PolicyBooks::against(const Lease& lease, const std::string& reason,
                                 const Command& command, UnixMs time) const {
  const std::array parties{lease.terms.buyer, lease.terms.provider};
  const auto any = [&](const auto& holds) {
    return std::any_of(parties.begin(), parties.end(), holds);
  };
  const bool listed_one = any([&](const Address& party) { return is_listed(party); });
  if (reason == "listed") {
    // One that is on a list that does not block is frozen with a party of its that is.
    const bool frozen = any([&](const Address& party) {
      return is_blocked(party) || (is_listed(party) && frozen_.contains(party));
    });
    return frozen ? "" : "neither of its parties was on a list that freezes it";
  }
  if (!any([&](const Address& party) { return concerns(command, party); }))
    return "nothing had changed for either of its parties";
  const bool ruled = rule_set_ != policy::RuleSet::empty().hash();
  if (reason == "policy_blocked")
    return ruled && (listed_one || is_barred(lease.terms.buyer, time))
               ? ""
               : "no rule blocks a deal of its parties";
  // Of whom no proof is in force, it is not known what lists it is on.
  const bool unproven = !is_good(lease.terms.buyer, time) || !is_proven(lease.terms.provider, time);
  const bool other_rules = rule_set_ != lease.verdict.rule_set;
  // Leases that came after it may have brought its group to the rule's limit.
  const uint64_t limit = rule_set_ == simulated_rule_sets()[1]->hash() ? 3 : 12;
  uint64_t units = 0;
  for (const auto& [buyer, leased] : units_)
    if (is_kin(buyer, lease.terms.buyer)) units += leased;
  return ruled && (other_rules || listed_one || unproven || units >= limit)
             ? ""
             : "neither the rules, its parties' lists, what they had proven nor the units of its "
               "group had changed";
}

}  // namespace mizan::simulation
