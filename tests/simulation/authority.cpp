#include "simulation/authority.hpp"

#include "simulation/rules.hpp"
#include "support/policy_world.hpp"

namespace mizan::simulation {

using namespace exchange;

Authority::Authority(Surroundings& world, ExchangeHost& exchange, Auditor& auditor,
                     std::vector<Address> parties, const Address& witness)
    : world_(world),
      exchange_(exchange),
      auditor_(auditor),
      random_(world.random.fork("authority")),
      parties_(std::move(parties)),
      witness_(witness) {}

void Authority::begin() {
  active_ = true;
  set_policy(true);
  for (const Address& party : parties_) {
    grant(party, random_.between(1'000'000, 100'000'000));
    prove(party, !random_.chance(500));
  }
  world_.scheduler.after(1'000, [this] { act(); });
}

void Authority::act() {
  if (!active_) return;
  const Address& somebody = parties_[random_.below(parties_.size())];
  const uint64_t what = random_.below(100);
  if (what < 40)
    decide(random_.chance(7'000));
  else if (what < 60)
    grant(somebody, random_.between(1, 10'000'000));
  else if (what < 75)
    prove(somebody, !random_.chance(1'000));
  else if (what < 85)
    list(nullptr);
  else if (what < 90)
    file_licence();
  else if (what < 95)
    set_policy(random_.chance(5'000));
  world_.scheduler.after(random_.between(100, 8'000), [this] { act(); });
}

void Authority::grant(const Address& to, uint64_t amount) {
  if (deposit) return deposit(to, amount);
  Grant command{{to, amount, nonce_++, deadline()}, {}};
  command.signature = sign(command.grant);
  exchange_.submit(std::move(command), nullptr);
}

void Authority::prove(const Address& account, bool good) {
  ProveFacts command;
  command.account = account;
  PartyFacts& facts = command.facts;
  facts.issuer = test::kIssuer;
  const auto last =
      account == witness_ ? uint8_t{200} : static_cast<uint8_t>(account.bytes[19] % 12);
  facts.person = test::pairwise('p', static_cast<uint8_t>(1 + last));
  facts.group = test::pairwise('g', static_cast<uint8_t>(1 + last / 2));
  const char* place = good ? "SG" : (random_.chance(5'000) ? "KP" : "");
  facts.country = facts.hq = facts.parent_hq = test::place(place);
  facts.lists = policy::Fact<std::vector<policy::ListMatch>>::of({});
  facts.listed_owners = policy::Fact<std::vector<policy::ListedOwner>>::of({});
  facts.issued_at = auditor_.core().now().seconds();
  facts.expires_at = facts.issued_at + (good ? 1'000'000 : 60);
  exchange_.submit(std::move(command), nullptr);
}

void Authority::set_policy(bool plain) {
  SetPolicy command;
  const auto& rules = plain ? simulated_rule_sets()[0] : simulated_rule_sets()[random_.below(2)];
  command.change.rule_set =
      !plain && random_.chance(1'000) ? policy::RuleSet::empty().hash() : rules->hash();
  command.options = R"({"issuers":{"https://issuer.example":{"kty":"EC"}},"signersNeeded":1})";
  command.change.options_hash = keccak256(command.options);
  command.change.nonce = nonce_++;
  command.change.deadline = deadline();
  command.signature = sign(command.change);
  exchange_.submit(std::move(command), nullptr);
}

void Authority::decide(bool approve) {
  const auto held = auditor_.core().held();
  if (held.empty()) return;
  Decide command;
  command.officer = exchange_.operator_key().address();
  const exchange::Lease& shown = *held[random_.below(held.size())];
  command.decision = {shown.id, shown.verdict.hash, approve, "looked at", nonce_++, deadline()};
  command.signature = sign(command.decision);
  exchange_.submit(std::move(command), nullptr);
}

/// Puts somebody on a list; with a subject, takes that one off.
void Authority::list(const Subject* subject) {
  ListParty command;
  command.officer = exchange_.operator_key().address();
  eip712::Listing& listing = command.listing;
  listing.list = "EL";
  listing.effect = random_.chance(5'000) ? "block" : "licence";
  listing.listed = subject == nullptr && random_.chance(4'000);
  listing.nonce = nonce_++;
  listing.deadline = deadline();
  const auto& listed = auditor_.core().listings();
  if (subject == nullptr && !listing.listed) {
    if (listed.empty()) return;
    subject = &listed.begin()->first;
  }
  if (subject == nullptr) {
    const Address& party = parties_[random_.below(parties_.size())];
    const exchange::PartyFacts* facts = auditor_.core().facts_of(party);
    const uint64_t kind = party == witness_ || facts == nullptr ? 0 : random_.below(4);
    if (kind == 2)
      listing.person = facts->person;
    else if (kind == 3)
      listing.group = facts->group;
    else
      listing.account = party;
  } else {
    if (subject->kind == SubjectKind::account)
      std::copy(subject->id.bytes.begin() + 12, subject->id.bytes.end(),
                listing.account.bytes.begin());
    if (subject->kind == SubjectKind::person) listing.person = subject->id;
    if (subject->kind == SubjectKind::group) listing.group = subject->id;
    listing.list = listed.at(*subject).begin()->first;
  }
  command.signature = sign(listing);
  exchange_.submit(std::move(command), nullptr);
}

void Authority::file_licence() {
  FileLicence command;
  command.officer = exchange_.operator_key().address();
  command.licence = {"L" + std::to_string(random_.below(4)),
                     "n/a",
                     random_.below(40),
                     "n/a",
                     parties_[random_.below(parties_.size())],
                     20'270'101 + random_.below(28),
                     nonce_++,
                     deadline()};
  command.signature = sign(command.licence);
  exchange_.submit(std::move(command), nullptr);
}

void Authority::retire() {
  active_ = false;
  tidy();
}

void Authority::tidy() {
  for (const auto& [subject, lists] : auditor_.core().listings()) list(&subject);
  if (auditor_.core().listings().empty()) {
    for (const Address& party : parties_)
      if (!auditor_.core().facts_hold(party) ||
          auditor_.core().facts_of(party)->country.value != test::place("SG").value)
        prove(party, true);
    if (auditor_.core().policy().rule_set != simulated_rule_sets()[0]->hash()) set_policy(true);
  }
  decide(true);
  world_.scheduler.after(1'000, [this] { tidy(); });
}

}  // namespace mizan::simulation
