// Commands that change what policy knows: rule set, facts, listings, licences.
#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "exchange/core.hpp"
#include "policy/words.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

using policy::Country;
using policy::Fact;

constexpr size_t kLongestText = 512;
constexpr size_t kMostEntries = 64;
constexpr size_t kMostLicences = 10'000;
constexpr uint64_t kMostAheadS = 300;

bool is_name(const std::string& text, size_t most) {
  return !text.empty() && text.size() <= most &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

/// What stands in the journal may be read by a program that knows other rules: only the shape is
/// checked here.
Result<void> check_facts(const PartyFacts& facts) {
  if (!is_name(facts.issuer, kLongestText)) return bad_field("facts.issuer", "has 1 to 512 bytes");
  for (const Fact<Country>* fact : {&facts.country, &facts.hq, &facts.parent_hq})
    if (fact->value.code >= policy::kCountryCodes)
      return bad_field("facts", "a country has two letters");
  if (facts.lists.value.size() > kMostEntries || facts.listed_owners.value.size() > kMostEntries ||
      facts.disclosures.size() > kMostEntries)
    return bad_field("facts", "at most 64 lists, owners and disclosures");
  for (const policy::ListMatch& match : facts.lists.value)
    if (!is_name(match.id, kMostEntries))
      return bad_field("facts.lists", "an id has 1 to 64 bytes");
  for (const policy::ListedOwner& owner : facts.listed_owners.value)
    if (owner.share.value.nano < 0 || owner.share.value.nano > policy::kNano ||
        owner.list.size() > kMostEntries)
      return bad_field("facts.listed_owners", "a share is 0 to 1");
  for (const Disclosure& disclosure : facts.disclosures)
    if (!is_name(disclosure.name, kMostEntries))
      return bad_field("facts.disclosures", "a name has 1 to 64 bytes");
  if (facts.status_list.size() > kLongestText)
    return bad_field("facts.status_list", "has at most 512 bytes");
  return {};
}

Result<void> check_listing(const eip712::Listing& listing) {
  if (listing.account.is_zero() && listing.person.is_zero() && listing.group.is_zero())
    return bad_field("listing", "names an account, a person or a group");
  if (!is_name(listing.list, kMostEntries)) return bad_field("listing.list", "has 1 to 64 bytes");
  if (!policy::place_of(listing.effect, policy::kEffectWords))
    return bad_field("listing.effect", "is licence or block");
  return {};
}

Result<void> check_licence(const eip712::LicenceOnFile& licence, const policy::RuleSet& rules) {
  if (!is_name(licence.number, kMostEntries))
    return bad_field("licence.number", "has 1 to 64 bytes");
  if (licence.chip != "n/a" && rules.chip(licence.chip) == nullptr)
    return bad_field("licence.chip", "is a chip of the chip table, or n/a");
  const auto country = policy::country(licence.destination);
  if (licence.destination != "n/a" && (!country || !rules.country_exists(*country)))
    return bad_field("licence.destination", "is a country's two capital letters, or n/a");
  if (licence.units == 0) return bad_field("licence.units", "is at least 1");
  const std::string day = std::to_string(licence.expires);
  const auto date =
      day.size() == 8
          ? policy::parse_date(day.substr(0, 4) + "-" + day.substr(4, 2) + "-" + day.substr(6))
          : policy::parse_date("");
  if (!date) return bad_field("licence.expires", "is the last day, as YYYYMMDD");
  return {};
}

std::vector<Subject> subjects_of(const eip712::Listing& listing) {
  std::vector<Subject> out;
  if (!listing.account.is_zero()) out.push_back(exchange::subject_of(listing.account));
  if (!listing.person.is_zero()) out.push_back({SubjectKind::person, listing.person});
  if (!listing.group.is_zero()) out.push_back({SubjectKind::group, listing.group});
  return out;
}

}  // namespace

Result<void> Exchange::Core::take_nonce(const Address& signer, uint64_t nonce, uint64_t deadline,
                                        std::string_view what) {
  const std::string field(what);
  if (deadline < seconds_now())
    return bad_field(field + ".deadline", "has passed: sign a new message", ErrorCode::expired);
  if (!state.policy_nonces.emplace(std::pair(signer, nonce), deadline).second)
    return bad_field(field + ".nonce", "was used before: choose another", ErrorCode::replayed);
  policy_nonce_evictions_.arm(at_seconds(deadline), {signer, nonce});
  return {};
}

Result<void> Exchange::Core::check_officer(const Address& address) const {
  if (state.config && (address == state.config->operator_ || options.officers.contains(address)))
    return {};
  return fail(ErrorCode::forbidden, "only the operator and its officers may do this");
}

void Exchange::Core::forget_judgements() {
  memo_.clear();
  known_parties_.clear();
}

/// Everything that follows from the policy in force.
Result<void> Exchange::Core::set_rules(const PolicyInForce& policy) {
  MIZAN_TRY(read, read_policy_options(policy.options));
  const auto found = known_rules.find(policy.rule_set);
  if (found == known_rules.end()) return fail(no_rules(policy.rule_set));
  state.policy = policy;
  options = std::move(read);
  rules = found->second;
  reads_units_ = false;
  reads_work_ = false;
  for (const policy::Node& node : rules->conditions().nodes) {
    if (node.op != policy::Op::count) continue;
    reads_units_ = reads_units_ || node.fact == policy::FactId::units;
    reads_work_ = reads_work_ || node.fact == policy::FactId::training_work;
  }
  forget_judgements();
  return {};
}

Result<Answer> Exchange::Core::run(const SetPolicy& command) {
  const eip712::PolicyChange& change = command.change;
  MIZAN_CHECK(read_policy_options(command.options));
  ensure(known_rules.contains(change.rule_set), no_rules(change.rule_set).message);
  MIZAN_CHECK(take_nonce(state.config->operator_, change.nonce, change.deadline, "change"));
  // Whom no rule or issuer holds back any more goes free; the review may freeze others, or again.
  std::map<Address, bool> was_frozen;
  for (const Address& account : state.prohibited) was_frozen[account] = true;
  for (const auto& [account, facts] : state.facts) was_frozen[account] = is_frozen(account);
  ensure(set_rules({change.rule_set, change.pending, command.options}).has_value(),
         "a policy that was checked can be set");
  state.prohibited.clear();
  emit(PolicyChanged{change.rule_set});
  review(nullptr);
  for (const auto& [account, frozen] : was_frozen)
    if (!state.prohibited.contains(account)) tell_frozen(account, frozen);  // else it was told
  woken_bids_ = true;
  return Answer{};
}

Result<std::vector<Subject>> Exchange::Core::proven_with(const Address& account,
                                                         const PartyFacts& facts) const {
  std::vector<Subject> out;
  if (const auto known = state.proven.find(account); known != state.proven.end())
    out = known->second;
  for (const Subject& subject :
       {Subject{SubjectKind::person, facts.person}, Subject{SubjectKind::group, facts.group}})
    if (!subject.id.is_zero()) out.push_back(subject);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() <= kMostProven) return out;
  return fail(ErrorCode::limit_exceeded,
              "the account has proven to be of 16 persons and groups, which is the most: it is "
              "counted with each of them for good");
}

/// What an issuer says of an account later counts, and nobody takes a listing back by showing less.
Result<void> Exchange::Core::check_newer(const Address& account, const PartyFacts& facts) const {
  const auto found = state.facts.find(account);
  if (found == state.facts.end()) return {};
  const PartyFacts& known = found->second;
  if (known.issuer == facts.issuer && facts.issued_at < known.issued_at)
    return fail(ErrorCode::conflict,
                "the account has shown a later credential of this issuer: show that one, or a "
                "newer");
  if (facts_hold(known) && !known.lists.value.empty() && !facts.lists.is_known())
    return fail(ErrorCode::conflict,
                "the credential that the account has shown names lists: show its lists again");
  // Of two issuers that differ the holder would show the milder one.
  const auto& lists = facts.lists.value;
  if (facts_hold(known) && known.issuer != facts.issuer)
    for (const policy::ListMatch& match : known.lists.value)
      if (std::none_of(lists.begin(), lists.end(), [&match](const policy::ListMatch& other) {
            return other.id == match.id && other.effect >= match.effect;
          }))
        return fail(ErrorCode::conflict,
                    "the credential that the account has shown names the list " + match.id +
                        ": only its issuer takes that back, or its end");
  return {};
}

Result<Answer> Exchange::Core::run(const ProveFacts& command) {
  const Address& account = command.account;
  const PartyFacts& facts = command.facts;
  if (account.is_zero()) return bad_field("account", "is not zero");
  MIZAN_CHECK(check_facts(facts));
  if (!options.issuers.contains(facts.issuer))
    return fail(ErrorCode::credential_issuer, "the exchange does not accept this issuer");
  if (facts.expires_at <= seconds_now() ||
      facts.issued_at > sum_or_most(seconds_now(), kMostAheadS))
    return fail(ErrorCode::credential_expired, "the credential is past its time, or before it");
  MIZAN_CHECK(check_newer(account, facts));
  MIZAN_TRY(proven, proven_with(account, facts));
  const bool was_frozen = is_frozen(account);
  const auto known = state.facts.find(account);
  const bool moved = known != state.facts.end() &&
                     (known->second.person != facts.person || known->second.group != facts.group ||
                      mizan::encode(known->second.parent_hq) != mizan::encode(facts.parent_hq));
  state.facts.insert_or_assign(account, facts);
  if (!proven.empty()) state.proven.insert_or_assign(account, std::move(proven));
  known_parties_.erase(account);  // a judgement is kept by what is known of its parties
  const std::vector<Subject> subjects = subjects_of(account);
  if (live_leases.contains(account))
    for (const Lease* lease : leases_of(account))
      if (!lease->over() && lease->terms.buyer == account)
        count_more(state.leases.find(lease->id)->second, subjects);
  emit(FactsProven{account, moved});
  tell_frozen(account, was_frozen);
  review(&account);
  const std::vector<OrderId> asks = asks_naming(account);
  woken_asks_.insert(woken_asks_.end(), asks.begin(), asks.end());
  woken_provers_.push_back(account);  // sums of others only grow by what it proves
  return Answer{};
}

/// Whom a subject stands for, as far as they have ever proven it.
std::vector<Address> Exchange::Core::accounts_of(const std::vector<Subject>& subjects) const {
  std::vector<Address> out;
  for (const Subject& subject : subjects) {
    if (subject.kind != SubjectKind::account) continue;
    Address account;
    std::copy(subject.id.bytes.begin() + 12, subject.id.bytes.end(), account.bytes.begin());
    out.push_back(account);
  }
  for (const auto& [account, proven] : state.proven)
    for (const Subject& subject : subjects)
      if (std::binary_search(proven.begin(), proven.end(), subject)) out.push_back(account);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Result<Answer> Exchange::Core::run(const ListParty& command) {
  const eip712::Listing& listing = command.listing;
  MIZAN_CHECK(check_officer(command.officer));
  MIZAN_CHECK(check_listing(listing));
  const std::vector<Subject> subjects = exchange::subjects_of(listing);
  if (!listing.listed)
    for (const Subject& subject : subjects) {
      const auto known = state.listings.find(subject);
      if (known == state.listings.end() || !known->second.contains(listing.list))
        return fail(ErrorCode::not_found, "the party is not on that list");
    }
  MIZAN_CHECK(take_nonce(command.officer, listing.nonce, listing.deadline, "listing"));
  const std::vector<Address> accounts = accounts_of(subjects);
  std::vector<bool> was_frozen;
  was_frozen.reserve(accounts.size());
  for (const Address& account : accounts) was_frozen.push_back(is_frozen(account));
  for (const Subject& subject : subjects) {
    if (listing.listed) {
      state.listings[subject][listing.list] =
          listing.effect == "block" ? policy::ListEffect::block : policy::ListEffect::licence;
    } else {
      const auto known = state.listings.find(subject);
      known->second.erase(listing.list);
      if (known->second.empty()) state.listings.erase(known);
    }
  }
  forget_judgements();
  if (!listing.listed)
    for (const Address& account : accounts) state.prohibited.erase(account);
  for (size_t i = 0; i < accounts.size(); ++i) {
    tell_frozen(accounts[i], was_frozen[i]);
    review(&accounts[i]);
  }
  woken_bids_ = woken_bids_ || !listing.listed;
  return Answer{};
}

Result<Answer> Exchange::Core::run(const FileLicence& command) {
  const eip712::LicenceOnFile& licence = command.licence;
  MIZAN_CHECK(check_officer(command.officer));
  MIZAN_CHECK(check_licence(licence, *rules));
  if (!state.licences.contains(licence.number) && state.licences.size() >= kMostLicences)
    return fail(ErrorCode::limit_exceeded, "there are 10,000 licences on file");
  MIZAN_CHECK(take_nonce(command.officer, licence.nonce, licence.deadline, "licence"));
  state.licences.insert_or_assign(licence.number, licence);
  forget_judgements();
  review(nullptr);
  woken_bids_ = true;
  return Answer{};
}

/// Tells of a change, and undoes what a frozen party has open.
void Exchange::Core::tell_frozen(const Address& account, bool was_frozen) {
  const bool frozen = is_frozen(account);
  if (frozen != was_frozen) emit(AccountFrozen{account, frozen});
  if (frozen) freeze(account);
}

std::vector<LeaseId> Exchange::Core::live_of(const Address& account) const {
  std::map<uint64_t, LeaseId> live;
  for (const auto* index : {&leases_by_party, &leases_by_payee})
    if (const auto mine = index->find(account); mine != index->end())
      for (const auto& [number, id] : mine->second)
        if (!state.leases.find(id)->second.over()) live.emplace(number, id);
  std::vector<LeaseId> out;
  out.reserve(live.size());
  for (const auto& [number, id] : live) out.push_back(id);
  return out;
}

std::vector<OrderId> Exchange::Core::asks_naming(const Address& account) const {
  std::set<OrderId> all;
  for (const auto* index : {&asks_by_provider, &asks_by_payee})
    if (const auto named = index->find(account); named != index->end())
      all.insert(named->second.begin(), named->second.end());
  return {all.begin(), all.end()};
}

/// Of a provider's payees too: who has a share of the pay does not get it, and the work stops.
void Exchange::Core::freeze(const Address& account) {
  for (const OrderId& id : asks_naming(account)) {
    const Address provider = state.asks.find(id)->second.ask.provider;
    remove_ask(id);
    emit(AskChanged{id, provider, AskChange::cancelled});
  }
  for (const LeaseId& id : live_of(account)) {
    Lease& lease = state.leases.find(id)->second;
    if (lease.closing) continue;
    if (lease.accepted()) {
      if (lease.stopped_at.ms == 0) stop(lease, "listed");
      continue;
    }
    const bool buys = lease.terms.buyer == account;
    const OrderId order = lease.order;
    undo(lease, "listed", !buys);
    if (buys) end_bid(order, BidChange::cancelled);
  }
  if (const auto bids = bids_by_buyer.find(account); bids != bids_by_buyer.end()) {
    const std::vector<OrderId> all(bids->second.begin(), bids->second.end());
    for (const OrderId& id : all)
      if (!state.bids.find(id)->second.lease) end_bid(id, BidChange::cancelled);
  }
}

Result<void> Exchange::Core::check_policy() const {
  const auto bad = [](const char* what) {
    return fail(ErrorCode::corrupted, std::string("the snapshot contradicts itself: ") + what);
  };
  if (!read_policy_options(state.policy.options)) return bad("the policy's options");
  for (const auto& [account, facts] : state.facts) {
    if (!check_facts(facts)) return bad("an account's facts");
    const auto proven = state.proven.find(account);
    const auto all = proven_with(account, facts);
    if (!all || *all != (proven == state.proven.end() ? std::vector<Subject>{} : proven->second))
      return bad("an account's persons and groups");
  }
  for (const auto& [account, proven] : state.proven)
    if (!state.facts.contains(account)) return bad("an account's persons and groups");
  for (const auto& [subject, lists] : state.listings)
    if (lists.empty()) return bad("a listing");
  for (const auto& [number, licence] : state.licences)
    if (licence.number != number || !is_name(number, kMostEntries)) return bad("a licence");
  return {};
}

}  // namespace mizan::exchange
