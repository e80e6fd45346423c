#include "exchange/core.hpp"
#include "exchange/judge.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {

std::string_view to_string(LeaseState state) {
  switch (state) {
    case LeaseState::matched:
      return "matched";
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
  for (const auto& next : {lapses_.next(), ask_starts_.next(), ask_ends_.next(), bid_ends_.next(),
                           acceptances_.next(), lease_ends_.next(), lease_evictions_.next(),
                           grant_evictions_.next(), answer_evictions_.next()})
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

const Lease* Exchange::find_lease(const LeaseId& id) const {
  const auto it = core_->state.leases.find(id);
  return it == core_->state.leases.end() ? nullptr : &it->second;
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

std::vector<const Lease*> Exchange::live_leases_of(const Address& provider) const {
  std::vector<const Lease*> out = core_->leases_of(provider);
  std::erase_if(
      out, [&](const Lease* lease) { return lease->over() || lease->terms.provider != provider; });
  std::reverse(out.begin(), out.end());
  return out;
}

std::vector<const Lease*> Exchange::due_vouchers() const {
  std::vector<const Lease*> out;
  if (!core_->state.config) return out;
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
  const ledger::Account& account = core_->state.ledger.account(address);
  return {account.balance, account.escrowed, account.earned, account.spent,
          static_cast<uint32_t>(core_->open_orders(address))};
}

MoneyTotals Exchange::totals() const {
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
  const market::Demand demand = core_->demand(record, {std::move(query), true});
  std::vector<PlanLine> out;
  core_->book.scan(demand, now().seconds(), [&](market::AskRef, const market::Fill& fill) {
    if (out.size() >= limit) return true;
    const AskRecord& ask = core_->state.asks.find(fill.ask)->second;
    if (!passes(judge({ask.ask, record.bid, fill.ask, OrderId{}, fill.seconds, now()})))
      return false;
    const auto escrow =
        cost(fill.rate, uint64_t{request.nodes} * request.units_per_node, fill.seconds);
    if (escrow) out.push_back({core_->offer(fill.ask, ask), fill.seconds, *escrow});
    return out.size() >= limit;
  });
  if (!out.empty()) return out;
  if (reasons != nullptr) *reasons = core_->book.explain(demand, now().seconds());
  return fail(ErrorCode::no_match, core_->book.size() == 0 ? "there are no offers now"
                                                           : "no offer fits: see the reasons");
}

}  // namespace mizan::exchange
