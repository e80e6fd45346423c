// Candidate matches before policy: judged, and what it keeps apart told to both sides.
#include "codec/binary.hpp"
#include "crypto/hash.hpp"
#include "exchange/core.hpp"

#include <algorithm>
#include <map>

namespace mizan::exchange {
namespace {

constexpr size_t kMostSpoken = 16;
constexpr size_t kMostKnown = 100'000;

}  // namespace

void Exchange::Core::set_declaration(BidRecord& record, const Spec& spec) const {
  record.declaration = spec.declaration;
  record.declaration_hash = hash_of_encoding(mizan::encode(spec.declaration));
}

const KnownParty& Exchange::Core::known_party(const Address& account) {
  const auto kept = known_parties_.find(account);
  if (kept != known_parties_.end() && seconds_now() < kept->second.until) return kept->second;
  if (known_parties_.size() >= kMostKnown) known_parties_.clear();
  KnownParty known;
  policy::Party party = party_of(account);
  party.id.clear();
  known.hash = hash_of_encoding(mizan::encode(party));
  const auto facts = state.facts.find(account);
  known.until = ~uint64_t{0};
  if (facts != state.facts.end() && facts_hold(facts->second))
    known.until = facts->second.expires_at;
  return known_parties_.insert_or_assign(account, known).first->second;
}

const Judgement& Exchange::Core::judge_deal(const Deal& deal) {
  MemoKey key;
  key.ask = deal.ask.facts_hash;
  key.provider = known_party(deal.ask.ask.provider).hash;
  key.buyer = known_party(deal.buyer).hash;
  key.same_person = pays_itself(deal.buyer, deal.ask.ask.provider, payees_of(deal.ask.facts));
  if (!deal.ask.facts.payees.empty()) {
    Bytes known;
    for (const AskPayee& one : deal.ask.facts.payees)
      append(known, known_party(one.payee.to).hash.view());
    key.payees = keccak256(known);
  }
  key.declaration = deal.declaration_hash;
  key.date = policy::date_of(state.now);
  const bool licences = !state.licences.empty();
  if (reads_units_ || licences) {
    key.units = deal.units;
    key.group_units = group_units(deal.buyer, deal.ask.facts.item.is_known());
  }
  if (reads_work_) {
    const auto work =
        group_work(deal.buyer, deal.ask.ask.chip, product_or_most(deal.units, deal.seconds));
    key.work_known = work.has_value();
    key.work = work.value_or(0);
  }
  if (licences) {
    key.buyer_address = deal.buyer;
    key.provider_address = deal.ask.ask.provider;
  }
  if (const Judgement* known = memo_.find(key)) return *known;
  return memo_.put(key, judge(*rules, case_of(deal)));
}

bool Exchange::Core::is_too_small(const BidRecord& record, const market::Fill& fill) {
  const uint64_t units = uint64_t{record.bid.nodes} * record.bid.units_per_node;
  if (!is_below_least(fill.rate, units, fill.seconds)) return false;
  ++refused_.small;
  return true;
}

bool Exchange::Core::is_too_strange(const BidRecord& record, const market::Fill& fill) const {
  return record.excluded.size() >= kMostStrangers && !has_record(fill);
}

bool Exchange::Core::has_record(const market::Fill& fill) const {
  const Address& provider = state.asks.find(fill.ask)->second.ask.provider;
  return state.providers.find(provider)->second.leases_ended_well != 0;
}

std::optional<Choice> Exchange::Core::consider(const OrderId& bid, const BidRecord& record,
                                               const market::Fill& fill, bool may_hold) {
  const uint64_t units = uint64_t{record.bid.nodes} * record.bid.units_per_node;
  const AskRecord& ask = state.asks.find(fill.ask)->second;
  const Judgement& judgement = judge_deal(
      {ask, record.bid.buyer, record.declaration, record.declaration_hash, units, fill.seconds});
  if (judgement.disposition == policy::Disposition::pass) return Choice{fill, false};
  const bool hold = judgement.disposition == policy::Disposition::hold;
  if (hold && may_hold && held_of(record.bid.buyer) < state.config->limits.held_leases)
    return Choice{fill, true};
  if (hold && may_hold) refused_.too_many_held = true;
  ++(hold ? refused_.held : refused_.blocked);
  if (refused_.first.size() < kMostSpoken)
    refused_.first.push_back({bid, fill.ask, fill.seconds, record.bid.buyer, units,
                              record.declaration, record.declaration_hash});
  return std::nullopt;
}

void Exchange::Core::tell_refusals(bool with_reasons) {
  const Refused refused = std::exchange(refused_, {});
  std::map<std::string, market::Reason> by_rule;
  for (const Refusal& one : refused.first) {
    const auto ask = state.asks.find(one.ask);
    if (ask == state.asks.end()) continue;
    const CaseFile file = case_of(
        {ask->second, one.buyer, one.declaration, one.declaration_hash, one.units, one.seconds});
    const Judgement judgement = judge(*rules, file);
    const Spoken said = spoken(*rules, file, judgement);
    market::Reason& reason = by_rule[said.rule];
    reason.dimension = "policy";
    ++reason.removed;
    reason.alone = reason.removed;
    reason.nearest = said.outcome + " " + note_of(said);
    if (spoken_ >= kMostSpoken) continue;
    ++spoken_;
    emit(PolicySpoke{one.bid, one.ask, one.buyer, ask->second.ask.provider,
                     judgement.disposition == policy::Disposition::hold, said.rule, said.head,
                     said.outcome, said.sentence, said.missing});
  }
  if (!with_reasons) return;
  if (refused.small != 0) reasons_.push_back(least_reason(refused.small));
  for (auto& [rule, reason] : by_rule) reasons_.push_back(std::move(reason));
  const uint64_t all = refused.blocked + refused.held;
  if (all > refused.first.size())
    reasons_.push_back({"policy", all - refused.first.size(), all - refused.first.size(),
                        "more offers that fit and that policy keeps away"});
  if (refused.too_many_held)
    reasons_.push_back({"policy", refused.held, refused.held,
                        "as many deals wait for an officer as one person or group may have"});
}

}  // namespace mizan::exchange
