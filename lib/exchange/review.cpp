// Held deals and the officers' word on them; live leases judged anew.
#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "exchange/core.hpp"

#include <algorithm>

namespace mizan::exchange {
namespace {

using policy::Disposition;

constexpr size_t kMostReason = 1024;

bool was_approved(const Lease& lease) {
  return std::any_of(lease.decisions.begin(), lease.decisions.end(),
                     [](const OfficerDecision& decision) { return decision.approve; });
}

/// Whether no rule asks more of a person now than `then` asked of the case `kept`.
bool asks_no_more(const policy::RuleSet& then, const CaseFile& kept, const policy::RuleSet& rules,
                  const CaseFile& file, const Judgement& judgement) {
  const auto shown = held_by(then, kept, judge(then, kept));
  const auto now = held_by(rules, file, judgement);
  return std::all_of(now.begin(), now.end(), [&shown](const auto& one) {
    const auto asked = shown.find(one.first);
    return asked != shown.end() && one.second <= asked->second;
  });
}

/// What an officer approved passes as long as no rule asks more than was asked then.
bool still_passes(const Lease& lease, const RuleSets& known, const policy::RuleSet& rules,
                  const CaseFile& file, const Judgement& judgement) {
  if (judgement.disposition == Disposition::pass) return true;
  if (judgement.disposition == Disposition::block || !was_approved(lease)) return false;
  const auto kept = read_case_file(lease.case_file);
  const auto then = known.find(lease.verdict.rule_set);
  return kept && then != known.end() && asks_no_more(*then->second, *kept, rules, file, judgement);
}

/// Whether an answer to the verdict that officers are shown is one to the case of now: the same
/// rules and facts, but for the day and the sums, which change by themselves, and nothing more
/// asked.
bool is_the_case_shown(const Lease& lease, const policy::RuleSet& rules, const CaseFile& file,
                       const Judgement& judgement) {
  if (lease.verdict.rule_set != rules.hash()) return false;
  auto shown = read_case_file(lease.case_file);
  if (!shown || !asks_no_more(rules, *shown, rules, file, judgement)) return false;
  shown->subject.date = file.subject.date;
  shown->subject.group_units = file.subject.group_units;
  shown->subject.training_work = file.subject.training_work;
  return mizan::encode(*shown) == mizan::encode(file);
}

tl::unexpected<Error> case_changed(const Lease& lease) {
  const std::string verdict = hex0x(lease.verdict.hash.view());
  return fail(Error{
      ErrorCode::conflict,
      "the case is another than the one that this decision answers: look at it again (mizan "
      "policy explain), then decide; the deal stays held",
      {}}.with("verdict", verdict));
}

bool names_listed(const CaseFile& file, const Address& party) {
  const std::string id = hex0x(party.view());
  return std::any_of(file.subject.parties.value.begin(), file.subject.parties.value.end(),
                     [&id](const policy::Party& one) {
                       return one.id == id && one.lists.is_known() && !one.lists.value.empty();
                     });
}

}  // namespace

void Exchange::Core::set_verdict(Lease& lease, const CaseFile& file,
                                 const Judgement& judgement) const {
  lease.case_file = mizan::encode(file);
  lease.verdict = record_of(*rules, file, lease.case_file, judgement);
}

Result<Answer> Exchange::Core::run(const Decide& command) {
  const eip712::Decision& decision = command.decision;
  MIZAN_CHECK(check_officer(command.officer));
  if (decision.reason.empty() || decision.reason.size() > kMostReason)
    return bad_field("decision.reason", "has 1 to 1024 bytes");
  MIZAN_TRY(lease, find_lease(decision.lease));
  if (lease->state != LeaseState::held)
    return fail(ErrorCode::conflict, "the deal is not held (any more)");
  if (decision.verdict != lease->verdict.hash) return case_changed(*lease);
  CaseFile file;
  Judgement judgement;
  if (decision.approve) {
    for (const OfficerDecision& other : lease->decisions)
      if (other.officer == command.officer)
        return fail(ErrorCode::conflict, "another officer has to decide: this one has");
    file = case_anew(*lease);
    judgement = judge(*rules, file);
    if (judgement.disposition == Disposition::block)
      return fail(ErrorCode::policy_blocked,
                  "no person can approve this: " + note_of(spoken(*rules, file, judgement)));
    // Facts that lapse and sums that grow call no review: it is shown now.
    if (judgement.disposition != Disposition::pass &&
        !is_the_case_shown(*lease, *rules, file, judgement)) {
      ask_anew(*lease, file, judgement);
      return case_changed(*lease);
    }
  }
  MIZAN_CHECK(take_nonce(command.officer, decision.nonce, decision.deadline, "decision"));
  lease->decisions.push_back({command.officer, decision.approve, decision.reason, state.now});
  if (!decision.approve) {
    const OrderId order = lease->order;
    undo(*lease, "policy_rejected", false);
    end_bid(order, BidChange::cancelled);
    return Answer{order, {lease->id}, false, false};
  }
  if (lease->decisions.size() < options.signers_needed) {
    emit(DecisionTaken{lease->id, command.officer});
    return Answer{lease->order, {lease->id}, false, false};
  }
  const OrderId order = lease->order;
  return Answer{order, {open_held(*lease, file, judgement)}, false, false};
}

LeaseId Exchange::Core::open_held(Lease& lease, const CaseFile& file, const Judgement& judgement) {
  const LeaseId id = lease.id;
  const auto ask = state.asks.find(lease.terms.ask_hash);
  if (ask == state.asks.end() || ask->second.ask.until - seconds_now() < lease.terms.seconds) {
    undo(lease, "offer_gone", true);
    return id;
  }
  // The terms begin now: what waited is not paid for.
  Lease opened = std::move(lease);
  state.leases.erase(id);
  held.erase(opened.number);
  count_use(opened, false);
  opened.terms.start = seconds_now();
  opened.id = eip712::digest(*domain_, opened.terms);
  ensure(state.ledger.rename(id, opened.id, opened.terms.start).has_value(),
         "a held deal has its escrow, and a lease's id is used once");
  opened.state = LeaseState::matched;
  opened.matched_at = state.now;
  set_verdict(opened, file, judgement);
  leases_by_number[opened.number] = opened.id;
  --live_leases[opened.terms.buyer];  // index_lease counts it again
  for (const Address& party : {opened.terms.buyer, opened.terms.provider})
    leases_by_party[party].erase(opened.number);
  for (const Payee& payee : opened.payees) leases_by_payee[payee.to].erase(opened.number);
  const LeaseId opened_id = opened.id;
  const auto [place, added] = state.leases.emplace(opened_id, std::move(opened));
  ensure(added, "a lease's id is used once");
  Lease& now = place->second;
  index_lease(now);
  state.bids.find(now.order)->second.lease = now.id;
  emit(Approved{id, now.id, now.order, now.terms.buyer, now.terms.provider});
  emit(BidChanged{now.order, now.terms.buyer, BidChange::matched});
  emit(Matched{now.id, now.order, now.terms.buyer, now.terms.provider, accept_by(now)});
  return now.id;
}

void Exchange::Core::review(const Address* account) {
  std::vector<LeaseId> live;
  if (account != nullptr) {
    live = live_of(*account);
  } else {
    for (const auto& [number, id] : leases_by_number) live.push_back(id);
  }
  for (const LeaseId& id : live) {
    const auto lease = state.leases.find(id);
    if (lease == state.leases.end() || lease->second.over() || lease->second.closing) continue;
    review_one(lease->second);
  }
}

/// A held deal is another question than the one that officers see, or that the first of two has
/// answered.
void Exchange::Core::ask_anew(Lease& lease, const CaseFile& file, const Judgement& judgement) {
  const Hash32 asked = lease.verdict.hash;
  lease.decisions.clear();
  set_verdict(lease, file, judgement);
  if (lease.verdict.hash != asked) emit(LeaseChanged{lease.id});
}

void Exchange::Core::review_one(Lease& lease) {
  const CaseFile file = case_anew(lease);
  const Judgement judgement = judge(*rules, file);
  if (lease.state == LeaseState::held) {
    if (judgement.disposition == Disposition::pass) {
      open_held(lease, file, judgement);
    } else if (judgement.disposition == Disposition::block) {
      const OrderId order = lease.order;
      undo(lease, "policy_blocked", false);
      end_bid(order, BidChange::cancelled);
    } else {
      std::erase_if(lease.decisions, [this](const OfficerDecision& decision) {
        return !check_officer(decision.officer);
      });
      if (lease.decisions.empty() || !is_the_case_shown(lease, *rules, file, judgement))
        ask_anew(lease, file, judgement);
      else if (lease.decisions.size() >= options.signers_needed)
        open_held(lease, file, judgement);  // fewer are needed than were
    }
    return;
  }
  const bool passes = still_passes(lease, known_rules, *rules, file, judgement);
  if (!lease.accepted()) {
    if (!passes) undo(lease, "policy_changed", true);
    return;
  }
  if (passes) {
    lease.review.reset();
    reviewed.erase(lease.number);
    return;
  }
  lease.review = record_of(*rules, file, mizan::encode(file), judgement);
  reviewed.insert_or_assign(lease.number, lease.id);
  emit(WouldNotPass{lease.id, lease.review->outcome, lease.review->note});
  if (judgement.outcome != policy::Outcome::prohibited) return;
  std::vector<Address> parties{lease.terms.buyer, lease.terms.provider};
  for (const Payee& payee : lease.payees) parties.push_back(payee.to);
  for (const Address& party : parties) {
    if (!names_listed(file, party)) continue;
    if (lease.stopped_at.ms == 0) stop(lease, "listed");
    if (is_frozen(party)) continue;
    state.prohibited.insert(party);
    emit(AccountFrozen{party, true});
    freeze(party);
  }
}

}  // namespace mizan::exchange
