#include "exchange/core.hpp"
#include "exchange/judge.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::held:
      return "held";
    case LeaseState::matched:
      return "matched";
    case LeaseState::opening:
      return "opening";
    case LeaseState::funded:
      return "funded";
    case LeaseState::staging:
      return "staging";
    case LeaseState::running:
      return "running";
    case LeaseState::collecting:
      return "collecting";
    case LeaseState::settled:
      return "settled";
    case LeaseState::failed:
      return "failed";
  }
  return "";
}

Offer Exchange::Core::offer(const OrderId& id, const AskRecord& record) const {
  Offer out{id, record.ask, record.attributes, book.free_units(record.ref), {}, false};
  const auto provider = state.providers.find(record.ask.provider);
  const market::Milli known = reliability(provider->second);
  if (known != market::kUnknown) out.reliability_pm = static_cast<uint32_t>(known);
  out.live = book.alive(record.ref) && record.ask.from <= seconds_now();
  return out;
}

std::optional<UnixMs> Exchange::Core::next_deadline() const {
  std::optional<UnixMs> least;
  for (const auto& next :
       {lapses_.next(), ask_starts_.next(), ask_ends_.next(), bid_ends_.next(), acceptances_.next(),
        holds_.next(), lease_ends_.next(), lease_evictions_.next(), grant_evictions_.next(),
        policy_nonce_evictions_.next(), answer_evictions_.next()})
    if (next && (!least || *next < *least)) least = next;
  return least;
}

std::vector<const Lease*> Exchange::Core::leases_of(const Address& account) const {
  std::vector<const Lease*> out;
  const auto mine = leases_by_party.find(account);
  if (mine == leases_by_party.end()) return out;
  for (auto it = mine->second.rbegin(); it != mine->second.rend(); ++it)
    out.push_back(&state.leases.find(it->second)->second);
  return out;
}

uint64_t Exchange::last_sequence() const {
  return core_->state.sequence;
}
UnixMs Exchange::now() const {
  return core_->state.now;
}
const std::optional<Genesis>& Exchange::config() const {
  return core_->state.config;
}
std::optional<UnixMs> Exchange::next_deadline() const {
  return core_->next_deadline();
}
uint64_t Exchange::version() const {
  return core_->version;
}

const Lease* Exchange::Core::lease_by(const LeaseId& id) const {
  const auto renamed = held_ids.find(id);
  const auto it = state.leases.find(renamed == held_ids.end() ? id : renamed->second);
  return it == state.leases.end() ? nullptr : &it->second;
}

const Lease* Exchange::find_lease(const LeaseId& id) const {
  return core_->lease_by(id);
}

const PolicyInForce& Exchange::policy() const {
  return core_->state.policy;
}
const PolicyOptions& Exchange::policy_options() const {
  return core_->options;
}
const policy::RuleSet& Exchange::rules() const {
  return *core_->rules;
}
const RuleSets& Exchange::known_rules() const {
  return core_->known_rules;
}
bool Exchange::is_officer(const Address& address) const {
  return core_->check_officer(address).has_value();
}

std::vector<const Lease*> Exchange::held() const {
  std::vector<const Lease*> out;
  for (const auto& [number, id] : core_->held) out.push_back(find_lease(id));
  return out;
}
UnixMs Exchange::held_until(const Lease& lease) {
  return Core::held_until(lease);
}
std::vector<const Lease*> Exchange::review() const {
  std::vector<const Lease*> out;
  for (const auto& [number, id] : core_->reviewed) out.push_back(find_lease(id));
  return out;
}

const PartyFacts* Exchange::facts_of(const Address& account) const {
  const auto it = core_->state.facts.find(account);
  return it == core_->state.facts.end() ? nullptr : &it->second;
}
bool Exchange::facts_hold(const Address& account) const {
  const PartyFacts* facts = facts_of(account);
  return facts != nullptr && core_->facts_hold(*facts);
}
bool Exchange::is_frozen(const Address& account) const {
  return core_->is_frozen(account);
}
const std::map<Subject, Listings>& Exchange::listings() const {
  return core_->state.listings;
}
const std::map<std::string, eip712::LicenceOnFile>& Exchange::licences() const {
  return core_->state.licences;
}

std::vector<const Lease*> Exchange::leases_of(const Address& account) const {
  return core_->leases_of(account);
}

std::vector<const Lease*> Exchange::all_leases() const {
  std::vector<const Lease*> out;
  const auto& by_number = core_->leases_by_number;
  out.reserve(by_number.size());
  for (auto it = by_number.rbegin(); it != by_number.rend(); ++it)
    out.push_back(find_lease(it->second));
  return out;
}

size_t Exchange::live_leases() const {
  size_t out = 0;
  for (const auto& [buyer, count] : core_->live_leases) out += count;
  return out;
}

std::vector<const Lease*> Exchange::live_leases_of(const Address& provider) const {
  std::vector<const Lease*> out = core_->leases_of(provider);
  std::erase_if(out, [&](const Lease* lease) {
    return lease->over() || lease->state == LeaseState::held || lease->terms.provider != provider;
  });
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<const Lease*> Exchange::due_vouchers() const {
  std::vector<const Lease*> out;
  if (!core_->state.config || core_->state.chain_away) return out;
  const uint64_t interval_ms = uint64_t{core_->state.config->voucher_interval_s} * 1000;
  for (const LeaseId& id : core_->unvouchered) {
    const Lease* lease = find_lease(id);
    if (later(std::max(lease->vouchered_at, lease->opened_at), interval_ms) <= now())
      out.push_back(lease);
  }
  return out;
}

std::vector<const Lease*> Exchange::closing() const {
  std::vector<const Lease*> out;
  for (const LeaseId& id : core_->closing) out.push_back(find_lease(id));
  return out;
}

AccountView Exchange::account(const Address& address) const {
  const ledger::Ledger& ledger = core_->state.ledger;
  const ledger::Account& account = ledger.account(address);
  AccountView view{account.balance, account.escrowed, account.earned, account.spent,
                   static_cast<uint32_t>(core_->open_orders(address))};
  if (const ledger::Mirror* mirror = ledger.mirror()) {
    view.balance = ledger.balance(address);
    view.earned = mirror->money(mirror->account(address).earned);
    view.spent = mirror->money(mirror->account(address).spent);
  }
  return view;
}

MoneyTotals Exchange::totals() const {
  if (const ledger::Mirror* mirror = chain()) {
    const ledger::ChainSums& sums = mirror->sums();
    MoneyTotals out{mirror->money(sums.deposited),
                    {},
                    mirror->money(sums.escrow),
                    {},
                    mirror->money(sums.withdrawn)};
    out.balances = out.granted - out.escrow - out.withdrawn;
    return out;
  }
  const ledger::Totals& totals = core_->state.ledger.totals();
  return {totals.granted, totals.balances, totals.escrow, totals.fees, totals.withdrawn};
}

std::optional<Offer> Exchange::find_ask(const OrderId& id) const {
  const auto it = core_->state.asks.find(id);
  if (it == core_->state.asks.end()) return std::nullopt;
  return core_->offer(id, it->second);
}

std::vector<Offer> Exchange::asks_of(const Address& provider) const {
  std::vector<Offer> out;
  const auto mine = core_->asks_by_provider.find(provider);
  if (mine == core_->asks_by_provider.end()) return out;
  for (const OrderId& id : mine->second)
    out.push_back(core_->offer(id, core_->state.asks.find(id)->second));
  return out;
}

std::vector<OpenBid> Exchange::bids_of(const Address& buyer) const {
  std::vector<OpenBid> out;
  const auto mine = core_->bids_by_buyer.find(buyer);
  if (mine == core_->bids_by_buyer.end()) return out;
  for (const OrderId& id : mine->second) {
    const BidRecord& record = core_->state.bids.find(id)->second;
    if (!record.lease) out.push_back({id, record.bid, record.sequence});
  }
  return out;
}

Result<std::vector<Offer>> Exchange::offers(std::string_view query, std::string_view order,
                                            size_t limit) const {
  MIZAN_TRY(parsed, market::parse_query(query));
  MIZAN_TRY(keys, market::parse_order(order));
  std::vector<Offer> out;
  for (const market::AskRef ref : core_->book.list(parsed, keys, limit)) {
    const OrderId& id = core_->book.ask(ref).id;
    out.push_back(core_->offer(id, core_->state.asks.find(id)->second));
  }
  return out;
}

Result<std::vector<PlanLine>> Exchange::plan(const PlanRequest& request, size_t limit,
                                             std::vector<market::Reason>* reasons) const {
  if (!core_->state.config)
    return fail(ErrorCode::unavailable, "the exchange has no configuration yet");
  const Limits& limits = core_->state.config->limits;
  if (request.nodes == 0 || request.nodes > limits.nodes || request.units_per_node == 0 ||
      request.units_per_node > limits.units_per_node || request.max_seconds == 0 ||
      request.max_rate > market::kMostRate)
    return fail(ErrorCode::invalid_argument,
                "nodes, unitsPerNode, maxSeconds or maxRate is out of bounds");
  MIZAN_TRY(query, market::parse_query(request.query));
  BidRecord record;  // as a newcomer with money enough
  record.bid.buyer = request.buyer.value_or(Address{});
  record.bid.max_rate = request.max_rate;
  record.bid.nodes = request.nodes;
  record.bid.units_per_node = request.units_per_node;
  record.bid.max_seconds = request.max_seconds;
  record.bid.max_total = ~u128{0};
  record.bid.interruptible = request.interruptible;
  record.sequence = std::numeric_limits<uint64_t>::max();
  const market::Demand demand = core_->demand(record, {std::move(query), true, {}});
  const uint64_t units = uint64_t{request.nodes} * request.units_per_node;
  std::vector<PlanLine> out;
  std::map<std::string, market::Reason> blocked;  // by the rule that spoke
  uint32_t judged = 0;
  uint64_t small = 0;
  core_->book.scan(demand, now().seconds(), [&](market::AskRef, const market::Fill& fill) {
    if (out.size() >= limit || judged >= kMostJudged) return true;
    if (core_->is_below_least(fill.rate, units, fill.seconds)) {
      ++small;
      return false;
    }
    const AskRecord& ask = core_->state.asks.find(fill.ask)->second;
    PlanLine line{core_->offer(fill.ask, ask), fill.seconds, {}, policy::Disposition::pass, {}};
    if (request.buyer) {  // the path that any reader may take at once: without the memo
      ++judged;
      const CaseFile file =
          core_->case_of({ask, *request.buyer, request.declaration, {}, units, fill.seconds});
      const Judgement judgement = judge(rules(), file);
      line.disposition = judgement.disposition;
      if (line.disposition != policy::Disposition::pass) {
        const Spoken said = spoken(rules(), file, judgement);
        line.note = note_of(said);
        if (line.disposition == policy::Disposition::block) {
          market::Reason& reason = blocked[said.rule];
          reason = {"policy", reason.removed + 1, reason.removed + 1,
                    said.outcome + " " + line.note};
          return false;
        }
      }
    }
    const auto escrow = cost(fill.rate, units, fill.seconds);
    if (!escrow) return false;
    line.escrow = *escrow;
    out.push_back(std::move(line));
    return out.size() >= limit;
  });
  if (!out.empty()) return out;
  if (reasons != nullptr) {
    *reasons = core_->book.explain(demand, now().seconds());
    if (small != 0) reasons->push_back(core_->least_reason(small));
    for (auto& [rule, reason] : blocked) reasons->push_back(std::move(reason));
  }
  if (!blocked.empty())
    return fail(ErrorCode::no_match, "policy blocks every offer that fits: see the reasons");
  return fail(ErrorCode::no_match, core_->book.size() == 0 ? "there are no offers now"
                                                           : "no offer fits: see the reasons");
}

}  // namespace mizan::exchange
