#include "property/core_model.hpp"

#include "exchange/explain.hpp"

#include <algorithm>

namespace mizan::test {

using namespace exchange;

void CoreModel::expect(bool holds, const std::string& what) {
  if (!holds && faults.size() < 20) faults.push_back(what);
}

void CoreModel::granted(const Address& to, u128 amount) {
  balances_[to] += amount;
  granted_ += amount;
}

void CoreModel::listed(const OrderId& id, const eip712::Ask& ask) {
  if (!asks_.contains(id)) asks_[id] = {ask, std::vector<uint32_t>(ask.nodes, 0)};
}

/// A deal that was matched, or is held: it has its escrow and its units.
void CoreModel::taken(const Exchange& core, const LeaseId& id) {
  const Lease* lease = core.find_lease(id);
  expect(lease != nullptr, "a match is a lease");
  if (lease == nullptr) return;
  const eip712::Terms& terms = lease->terms;
  const auto it = asks_.find(terms.ask_hash);
  expect(it != asks_.end(), "a match is with an ask that was listed");
  if (it == asks_.end()) return;
  Ask& ask = it->second;
  expect(terms.buyer != terms.provider, "nobody trades with itself");
  expect(terms.provider == ask.ask.provider && terms.buyer == lease->bid.buyer, "the parties");
  expect(terms.rate >= ask.ask.rate && terms.rate <= lease->bid.max_rate, "the rate");
  expect(terms.units_per_node == lease->bid.units_per_node &&
             terms.node_count == lease->bid.nodes && lease->nodes.size() == lease->bid.nodes,
         "nodes and units are those of the bid");
  expect(terms.units_per_node >= ask.ask.min_units, "the smallest slice");
  expect(terms.seconds <= lease->bid.max_seconds && terms.seconds <= ask.ask.max_seconds &&
             terms.seconds >= ask.ask.min_seconds && terms.start + terms.seconds <= ask.ask.until,
         "the time is within bid and ask");
  expect(lease->escrow == terms.rate * lease->units() * terms.seconds, "escrow is the price");
  expect(lease->escrow <= lease->bid.max_total, "escrow is within maxTotal");
  for (const uint32_t node : lease->nodes) {
    ask.used.at(node) += terms.units_per_node;
    expect(ask.used[node] <= ask.ask.units_per_node, "no unit is sold twice");
  }
  for (uint32_t n = 0; n < lease->bid.nodes; ++n)
    expect(spent_.insert({terms.buyer, lease->bid.nonce + n}).second, "a nonce is spent once");
  if (core.chain() == nullptr) {
    u128& balance = balances_[terms.buyer];
    expect(balance >= lease->escrow, "no balance goes below zero");
    balance -= lease->escrow;
  }
  held_[id] = {terms.buyer,  terms.provider,       terms.ask_hash,
               lease->nodes, terms.units_per_node, lease->escrow,
               true};
  live.push_back(id);
}

void CoreModel::renamed(const Approved& event) {
  ++approved;
  auto node = held_.extract(event.held);
  expect(!node.empty(), "only a held deal is approved");
  if (node.empty()) return;
  node.key() = event.lease;
  held_.insert(std::move(node));
  std::replace(live.begin(), live.end(), event.held, event.lease);
}

void CoreModel::funded(const Exchange& core, const LeaseId& id) {
  const Lease* lease = core.find_lease(id);
  if (lease == nullptr) return;
  const std::string& outcome = lease->verdict.outcome;
  const bool approved_one =
      std::any_of(lease->decisions.begin(), lease->decisions.end(),
                  [](const OfficerDecision& decision) { return decision.approve; });
  expect(!lease->verdict.hash.is_zero() && !lease->verdict.rule_set.is_zero(),
         "no lease opens without a verdict");
  expect(outcome == "ALLOW" || outcome == "NOTIFY" || outcome == "LICENCE" ||
             (approved_one && (outcome == "RED_FLAG" || outcome == "INSUFFICIENT")),
         "no lease opens with a verdict that does not pass: " + outcome);
  const auto again = replay(*lease, core.known_rules());
  expect(again && again->same, "a verdict is made again to the byte");
}

void CoreModel::free_units(Held& held) {
  if (!held.holds_units) return;
  held.holds_units = false;
  Ask& ask = asks_.at(held.ask);
  for (const uint32_t node : held.nodes) ask.used[node] -= held.units;
}

void CoreModel::displace(const OrderId& id) {
  ++displaced;
  const auto it = asks_.find(id);
  expect(it != asks_.end(), "only an open ask gives way");
  if (it == asks_.end()) return;
  for (const uint32_t units : it->second.used)
    expect(units == 0, "no ask gives way while a lease holds units of it");
}

void CoreModel::undo(const LeaseId& id) {
  ++undone;
  const auto it = held_.find(id);
  expect(it != held_.end(), "only a live lease is undone");
  if (it == held_.end()) return;
  free_units(it->second);
  balances_[it->second.buyer] += it->second.escrow;  // on a chain nobody asks
  held_.erase(it);
  std::erase(live, id);
}

void CoreModel::closed(const Exchange& core, const LeaseId& id) {
  const auto it = held_.find(id);
  const Lease* lease = core.find_lease(id);
  expect(it != held_.end() && lease != nullptr, "only a live lease is closed");
  if (it == held_.end() || lease == nullptr) return;
  const Settlement& s = lease->settlement;
  ++(lease->state == LeaseState::settled ? settled : failed);
  Money escrow{it->second.escrow};
  // A contract has it in whole units of its token; unless its opening was taken back.
  if (core.chain() != nullptr && s.charged + s.refunded != escrow.nano)
    escrow = core.chain()->money(core.chain()->units(escrow));
  expect(s.charged + s.refunded == escrow.nano, "charged + refunded = escrow");
  expect(s.paid + s.fee == s.charged, "paid + fee = charged");
  if (core.chain() != nullptr) {  // the contract has ended it, perhaps at once, and has its money
    free_units(it->second);
    held_.erase(it);
    std::erase(live, id);
    return;
  }
  expect(!it->second.holds_units, "a closing lease gave its units back");
  expect(s.fee == s.charged * lease->terms.fee_bps / 10'000, "the fee is rounded down");
  const u128 a_second = lease->terms.rate * lease->units();
  expect(s.charged == a_second * lease->seconds_billed(), "charged is whole seconds");
  UnixMs end = lease->closed_at;
  if (lease->stopped_at.ms != 0) end = std::min(end, lease->stopped_at);
  expect(s.charged * 1000 <= a_second * (end.ms - lease->opened_at.ms),
         "nothing is paid beyond rate x elapsed");
  balances_[it->second.buyer] += s.refunded;
  const std::vector<Money> shares = shares_of(Money{s.paid}, lease->payees);
  if (shares.empty()) balances_[it->second.provider] += s.paid;
  for (size_t i = 0; i < shares.size(); ++i) balances_[lease->payees[i].to] += shares[i].nano;
  fees_ += s.fee;
  held_.erase(it);
  std::erase(live, id);
}

void CoreModel::follow(const Exchange& core, const std::vector<Event>& events) {
  // An undone match frees nonces that its bid's next match spends; the lease is known by then.
  for (const Event& event : events) {
    if (const auto* undone_one = std::get_if<LeaseUndone>(&event)) {
      const Lease* lease = core.find_lease(undone_one->lease);
      if (lease != nullptr)
        for (uint32_t n = 0; n < lease->bid.nodes; ++n)
          spent_.erase({lease->terms.buyer, lease->bid.nonce + n});
      undo(undone_one->lease);
    } else if (const auto* match = std::get_if<Matched>(&event)) {
      ++matches;
      if (!held_.contains(match->lease)) taken(core, match->lease);
    } else if (const auto* held = std::get_if<exchange::Held>(&event)) {
      ++held_deals;
      taken(core, held->lease);
    } else if (const auto* approval = std::get_if<Approved>(&event)) {
      renamed(*approval);
    } else if (const auto* opened = std::get_if<Funded>(&event)) {
      funded(core, opened->lease);
    } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
      stopped_for_listing += stop->reason == "listed" ? 1 : 0;
    } else if (const auto* ask = std::get_if<AskChanged>(&event)) {
      if (ask->change == AskChange::displaced) displace(ask->ask);
    } else if (const auto* closing = std::get_if<LeaseClosing>(&event)) {
      const auto it = held_.find(closing->lease);
      expect(it != held_.end(), "only a live lease closes");
      if (it != held_.end()) free_units(it->second);
    } else if (const auto* over = std::get_if<LeaseClosed>(&event)) {
      closed(core, over->lease);
    }
  }
  const MoneyTotals t = core.totals();
  expect(t.granted.nano == t.balances.nano + t.escrow.nano + t.fees.nano + t.withdrawn.nano,
         "value is conserved");
}

void CoreModel::compare(const Exchange& core) {
  u128 escrow = 0;
  u128 sum = 0;
  std::map<Address, u128> escrow_of;
  for (const auto& [id, held] : held_) {
    escrow += held.escrow;
    escrow_of[held.buyer] += held.escrow;
  }
  const MoneyTotals totals = core.totals();
  for (const auto& [address, balance] : balances_) {
    sum += balance;
    const AccountView view = core.account(address);
    expect(core.chain() != nullptr || view.balance.nano == balance,
           "a balance is what the events make it");
    expect(view.escrowed.nano == escrow_of[address], "an account's escrow is its leases'");
  }
  expect(
      core.chain() != nullptr || (totals.granted.nano == granted_ && totals.balances.nano == sum &&
                                  totals.escrow.nano == escrow && totals.fees.nano == fees_),
      "the totals are the sums");
  size_t open = 0;  // each takes a place at least
  for (auto it = asks_.begin(); it != asks_.end();) {
    const auto offer = core.find_ask(it->first);
    open += offer ? 1 : 0;
    uint64_t used = 0;
    for (const uint32_t units : it->second.used) used += units;
    if (offer)
      expect(offer->free_units ==
                 uint64_t{it->second.ask.nodes} * it->second.ask.units_per_node - used,
             "free units are those that no lease holds");
    it = !offer && used == 0 ? asks_.erase(it) : std::next(it);
  }
  expect(open <= core.config()->limits.all_asks, "there are no more asks than places");
}

}  // namespace mizan::test
