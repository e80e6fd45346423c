#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "exchange/core.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {
namespace {

constexpr uint64_t kMostSeconds = 10ULL * 365 * 24 * 3600;
constexpr uint64_t kLeastGrace = 10;
constexpr uint64_t kMostGrace = 600;
constexpr size_t kMostChip = 64;

Result<void> check_deadline(uint64_t deadline, uint64_t now, std::string_view field) {
  if (now <= deadline) return {};
  return fail(
      Error{ErrorCode::expired, std::string(field) + " has passed: sign a new message"}.with(
          "field", std::string(field)));
}

std::string at_most(uint64_t most) {
  return "is 1 to " + std::to_string(most);
}

Result<void> check_ask(const eip712::Ask& ask, const Limits& limits, uint64_t now) {
  const bool printable =
      std::all_of(ask.chip.begin(), ask.chip.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (ask.provider.is_zero()) return bad_field("ask.provider", "is not zero");
  if (ask.chip.empty() || ask.chip.size() > kMostChip || !printable)
    return bad_field("ask.chip", "has 1 to 64 printable ASCII characters");
  if (ask.nodes == 0 || ask.nodes > limits.nodes)
    return bad_field("ask.nodes", at_most(limits.nodes));
  if (ask.units_per_node == 0 || ask.units_per_node > limits.units_per_node)
    return bad_field("ask.unitsPerNode", at_most(limits.units_per_node));
  if (ask.min_units == 0 || ask.min_units > ask.units_per_node)
    return bad_field("ask.minUnits", "is 1 to unitsPerNode");
  if (ask.rate > market::kMostRate)
    return bad_field("ask.rate", "is at most 10^15 nano-USD a unit-second");
  if (ask.until <= now) return bad_field("ask.until", "has passed", ErrorCode::expired);
  if (ask.from >= ask.until) return bad_field("ask.from", "is before until");
  if (ask.max_seconds == 0 || ask.max_seconds > kMostSeconds)
    return bad_field("ask.maxSeconds", at_most(kMostSeconds));
  if (ask.min_seconds > ask.max_seconds)
    return bad_field("ask.minSeconds", "is at most maxSeconds");
  if (ask.notice_seconds > kMostSeconds)
    return bad_field("ask.noticeSeconds", "is at most ten years");
  // Above each nonce there is another: one that no floor is above could be listed again.
  if (ask.nonce == std::numeric_limits<uint64_t>::max())
    return bad_field("ask.nonce", "is at most 2^64 - 2");
  if (!ask.claims_hash.is_zero())
    return bad_field("ask.claimsHash", "claims are not asked for yet: use zero",
                     ErrorCode::unsupported_key);
  return {};
}

}  // namespace

Result<Answer> Exchange::Core::run(const Grant& command) {
  const eip712::Grant& grant = command.grant;
  if (state.config->chain)
    return fail(ErrorCode::forbidden, "money is on the chain: deposit it in the escrow contract");
  if (grant.to.is_zero()) return bad_field("grant.to", "is not zero");
  if (grant.amount == 0) return bad_field("grant.amount", "is above zero");
  MIZAN_CHECK(check_deadline(grant.deadline, seconds_now(), "grant.deadline"));
  if (state.grants.contains(grant.nonce))
    return bad_field("grant.nonce", "was used before: choose another", ErrorCode::replayed);
  MIZAN_CHECK(state.ledger.grant(grant.to, Money{grant.amount}));
  state.grants.emplace(grant.nonce, grant.deadline);
  grant_evictions_.arm(at_seconds(grant.deadline), grant.nonce);
  woken_buyers_.push_back(grant.to);
  return Answer{};
}

size_t Exchange::Core::open_orders(const Address& account) const {
  const auto asks = asks_by_provider.find(account);
  const auto bids = bids_by_buyer.find(account);
  return (asks == asks_by_provider.end() ? 0 : asks->second.size()) +
         (bids == bids_by_buyer.end() ? 0 : bids->second.size());
}

Result<void> Exchange::Core::check_open_orders(const Address& account) const {
  if (open_orders(account) < state.config->limits.open_orders) return {};
  return fail(ErrorCode::limit_exceeded, "the address has " +
                                             std::to_string(state.config->limits.open_orders) +
                                             " open orders, which is the limit: cancel one first");
}

Result<void> Exchange::Core::check_not_frozen(const Address& account) const {
  if (!is_frozen(account)) return {};
  return fail(ErrorCode::policy_blocked, "the account is frozen: its party is on a list");
}

UnixMs Exchange::Core::ask_deadline(const eip712::Ask& ask) {
  return at_seconds(ask.until);
}

void Exchange::Core::add_to_book(const OrderId& id, AskRecord& record, AskText text) {
  const eip712::Ask& ask = record.ask;
  record.facts = std::move(text.facts);
  record.facts_hash = hash_of_encoding(mizan::encode(record.facts));
  market::Attributes& attributes = text.attributes;
  ProviderRecord& provider = state.providers[ask.provider];
  attributes.number(market::Field::reliability) = reliability(provider);
  record.ref = book.add({id, ask.provider, record.sequence, Rate{ask.rate}, ask.nodes,
                         ask.units_per_node, ask.min_units, ask.from, ask.until, ask.min_seconds,
                         ask.max_seconds, ask.interruptible, std::move(attributes)},
                        provider.alive);
  asks_by_provider[ask.provider].insert(id);
  for (const AskPayee& one : record.facts.payees) asks_by_payee[one.payee.to].insert(id);
  ask_ends_.arm(ask_deadline(ask), id);
  if (ask.from > seconds_now()) ask_starts_.arm(at_seconds(ask.from), id);
  const uint64_t weight = places_of(ask, record.attributes);
  provider.places += weight;
  provider.idle_places += weight;
  stand(ask.provider, provider);
  ++version;
}

Result<Answer> Exchange::Core::run(const PlaceAsk& command) {
  const eip712::Ask& ask = command.ask;
  const Limits& limits = state.config->limits;
  const OrderId id = eip712::digest(*domain_, ask);
  if (state.asks.contains(id)) return Answer{id, {}, false, true};
  MIZAN_CHECK(check_ask(ask, limits, seconds_now()));
  MIZAN_CHECK(check_least_escrow(ask));
  MIZAN_CHECK(check_not_frozen(ask.provider));
  if (command.attributes.size() > limits.attributes_bytes)
    return bad_field("attributes",
                     "have at most " + std::to_string(limits.attributes_bytes) + " bytes",
                     ErrorCode::too_large);
  MIZAN_TRY(text, read_attributes(ask, command.attributes));
  for (const AskPayee& one : text.facts.payees)
    if (is_frozen(one.payee.to))
      return bad_field("attributes.payees.value",
                       "names " + to_checksum(one.payee.to) + ", which is frozen: it is on a list",
                       ErrorCode::policy_blocked);
  const auto known = state.providers.find(ask.provider);
  if (known != state.providers.end() && ask.nonce < known->second.ask_nonce_floor)
    return bad_field(
        "ask.nonce",
        "is above that of every ask that the provider cancelled or let expire, or that "
        "gave way to others: at least " +
            std::to_string(known->second.ask_nonce_floor),
        ErrorCode::replayed);
  if (known != state.providers.end() && state.now < known->second.aside_until)
    return fail(
        ErrorCode::limit_exceeded,
        "the provider turned down or let lapse the matches of " + std::to_string(kMostRefused) +
            " buyers in a row: it is matched with nothing, "
            "and may list again in " +
            std::to_string((known->second.aside_until.ms - state.now.ms) / 1000 + 1) + " seconds");
  MIZAN_CHECK(check_open_orders(ask.provider));
  MIZAN_TRY(leaving, giving_way(ask.provider, places_of(ask, command.attributes)));

  for (const OrderId& one : leaving) {
    const Address owner = state.asks.find(one)->second.ask.provider;
    remove_ask(one);
    emit(AskChanged{one, owner, AskChange::displaced});
  }
  ProviderRecord& provider = state.providers[ask.provider];
  provider.heard_at = state.now;
  set_alive(ask.provider, provider, true);
  AskRecord& record =
      state.asks.emplace(id, AskRecord{ask, command.attributes, state.sequence, 0}).first->second;
  add_to_book(id, record, std::move(text));
  emit(AskChanged{id, ask.provider, AskChange::listed});
  woken_asks_.push_back(id);
  return Answer{id, {}, false, false};
}

void Exchange::Core::remove_ask(const OrderId& id) {
  const auto it = state.asks.find(id);
  const eip712::Ask& ask = it->second.ask;
  book.remove(it->second.ref);
  const auto forget = [&id](auto& index, const Address& account) {
    const auto mine = index.find(account);
    mine->second.erase(id);
    if (mine->second.empty()) index.erase(mine);
  };
  forget(asks_by_provider, ask.provider);
  for (const AskPayee& one : it->second.facts.payees) forget(asks_by_payee, one.payee.to);
  ask_ends_.disarm(ask_deadline(ask), id);
  ask_starts_.disarm(at_seconds(ask.from), id);
  ProviderRecord& provider = state.providers.find(ask.provider)->second;
  uint64_t& floor = provider.ask_nonce_floor;
  floor = std::max(floor, ask.nonce + 1);
  const uint64_t weight = places_of(ask, it->second.attributes);
  provider.places -= weight;
  if (it->second.leases == 0) provider.idle_places -= weight;
  stand(ask.provider, provider);
  state.asks.erase(it);
  ++version;
}

Result<Answer> Exchange::Core::run(const CancelAsk& command) {
  const OrderId id = command.cancel.ask;
  const auto it = state.asks.find(id);
  if (it == state.asks.end()) return fail(ErrorCode::not_found, "there is no such open ask");
  if (it->second.ask.provider != command.cancel.provider)
    return fail(ErrorCode::forbidden, "the ask is another provider's");
  remove_ask(id);
  emit(AskChanged{id, command.cancel.provider, AskChange::cancelled});
  return Answer{id, {}, false, false};
}

Result<void> Exchange::Core::check_least_escrow(const eip712::Ask& ask) const {
  const uint64_t units = uint64_t{ask.nodes} * ask.units_per_node;
  if (!is_below_least(Rate{ask.rate}, units, ask.max_seconds)) return {};
  return bad_field(
      "ask.rate",
      "is too low: for all units and maxSeconds it makes less than the least escrow of "
      "a lease here, " +
          format_usd(Money{state.config->chain->least_escrow}));
}

Result<void> Exchange::Core::check_least_escrow(const eip712::Bid& bid) const {
  if (!state.config->chain) return {};
  const u128 least = state.config->chain->least_escrow;
  const std::string words =
      "is too low: the least escrow of a lease here is " + format_usd(Money{least});
  if (bid.max_total < least) return bad_field("bid.maxTotal", words);
  const uint64_t units = uint64_t{bid.nodes} * bid.units_per_node;
  if (is_below_least(Rate{bid.max_rate}, units, bid.max_seconds))
    return bad_field("bid.maxRate", words + ", and so much it is not for maxSeconds of all units");
  return {};
}

Result<void> Exchange::Core::check_bid(const eip712::Bid& bid) const {
  const Genesis& config = *state.config;
  const uint64_t now = seconds_now();
  if (bid.meter.is_zero() || bid.meter == config.clearance || bid.meter == state.clearance)
    return bad_field("bid.meter",
                     "is the exchange's meter or a key of the buyer's own, not zero and not the "
                     "clearance key");
  if (bid.max_rate > market::kMostRate)
    return bad_field("bid.maxRate", "is at most 10^15 nano-USD a unit-second");
  if (bid.nodes == 0 || bid.nodes > config.limits.nodes)
    return bad_field("bid.nodes", at_most(config.limits.nodes));
  if (bid.units_per_node == 0 || bid.units_per_node > config.limits.units_per_node)
    return bad_field("bid.unitsPerNode", at_most(config.limits.units_per_node));
  if (bid.max_seconds == 0 || bid.max_seconds > kMostSeconds)
    return bad_field("bid.maxSeconds", at_most(kMostSeconds));
  if (bid.earliest_start > now)
    return bad_field(
        "bid.earliestStart",
        "a start in the future is not built yet: give the time of now, or an earlier one",
        ErrorCode::unsupported_key);
  if (bid.latest_start < now) return bad_field("bid.latestStart", "has passed", ErrorCode::expired);
  if (bid.valid_until < now) return bad_field("bid.validUntil", "has passed", ErrorCode::expired);
  if (bid.grace < kLeastGrace || bid.grace > kMostGrace)
    return bad_field("bid.grace", "is 10 to 600 s");
  if (bid.max_fee_bps < config.fee_bps)
    return bad_field("bid.maxFeeBps",
                     "is below the exchange's fee of " + std::to_string(config.fee_bps));
  if (bid.nonce > std::numeric_limits<uint64_t>::max() - (bid.nodes - 1))
    return bad_field("bid.nonce", "leaves no room for a nonce for each node");
  MIZAN_CHECK(check_least_escrow(bid));
  MIZAN_CHECK(check_not_frozen(bid.buyer));
  const ledger::Account& buyer = state.ledger.account(bid.buyer);
  if (!state.ledger.knows(bid.buyer))
    return fail(ErrorCode::insufficient_funds,
                config.chain ? "the account has no funds: deposit some in the escrow contract"
                             : "the account has no funds: ask the operator for some");
  if (buyer.nonces.any(bid.nonce, bid.nodes))
    return bad_field("bid.nonce", "or one of the nonces after it was spent: choose another",
                     ErrorCode::replayed);
  if (buyer.nonces.words() + buyer.nonces.words_added_by(bid.nonce, bid.nodes) >
      config.limits.nonce_words)
    return bad_field("bid.nonce", "too many words of nonces: use consecutive ones",
                     ErrorCode::limit_exceeded);
  const auto live = live_leases.find(bid.buyer);
  if (live != live_leases.end() && live->second >= config.limits.live_leases)
    return fail(ErrorCode::limit_exceeded, "the address has as many live leases as it may");
  return check_open_orders(bid.buyer);
}

UnixMs Exchange::Core::bid_deadline(const eip712::Bid& bid) {
  return later(at_seconds(std::min(bid.valid_until, bid.latest_start)), 1000);
}

market::Demand Exchange::Core::demand(const BidRecord& record, const Spec& spec) const {
  const eip712::Bid& bid = record.bid;
  return {bid.buyer,       record.sequence,      Rate{bid.max_rate}, bid.nodes,  bid.units_per_node,
          bid.max_seconds, Money{bid.max_total}, bid.interruptible,  spec.query, record.excluded};
}

Result<Answer> Exchange::Core::run(const PlaceBid& command) {
  MIZAN_CHECK(check_bid(command.bid));
  MIZAN_TRY(spec, read_spec(command.spec, state.config->limits.spec_bytes));
  const OrderId id = eip712::digest(*domain_, command.bid);
  BidRecord record;
  record.bid = command.bid;
  record.signature = command.signature;
  record.spec = command.spec;
  record.sequence = state.sequence;
  record.immediate_or_cancel = spec.immediate_or_cancel;
  set_declaration(record, spec);
  MIZAN_TRY(lease, match(id, record, spec));
  if (!lease) {
    if (!spec.immediate_or_cancel) {
      tell_refusals(true);
      return rest(id, std::move(record), spec);
    }
    return fail(no_match_error(record, spec));
  }
  state.ledger.nonces(command.bid.buyer).set(command.bid.nonce, command.bid.nodes);
  record.lease = *lease;
  state.bids.emplace(id, std::move(record));
  bids_by_buyer[command.bid.buyer].insert(id);
  return Answer{id, {*lease}, false, false};
}

Error Exchange::Core::no_match_error(const BidRecord& record, const Spec& spec) {
  reasons_ = book.explain(demand(record, spec), seconds_now());
  const uint64_t held_back = refused_.held;
  const uint64_t blocked = refused_.blocked;
  const uint64_t small = refused_.small;
  tell_refusals(true);
  if (small != 0 && held_back + blocked == 0)
    return {ErrorCode::no_match, "no offer fits: " + least_reason(small).nearest};
  if (held_back + blocked == 0)
    return {ErrorCode::no_match,
            book.size() == 0 ? "there are no offers now" : "no offer fits: see the reasons"};
  Error error{ErrorCode::no_match,
              held_back == 0 ? "policy blocks every offer that fits: see the reasons"
                             : "policy would hold every offer that fits for an officer, and an "
                               "immediate-or-cancel bid does not wait: see the reasons"};
  return std::move(error).with("policy", held_back == 0 ? "blocked" : "held");
}

Result<Answer> Exchange::Core::rest(const OrderId& id, BidRecord&& record, const Spec& spec) {
  const eip712::Bid& bid = record.bid;
  MIZAN_TRY(most,
            cost(Rate{bid.max_rate}, uint64_t{bid.nodes} * bid.units_per_node, bid.max_seconds));
  const Money needed = std::min(most, Money{bid.max_total});
  if (state.ledger.balance(bid.buyer) < needed)
    return fail(Error{ErrorCode::insufficient_funds,
                      "a bid that waits needs balance for its whole escrow: " + format_usd(needed)}
                    .with("needed", to_string(needed)));
  state.ledger.nonces(bid.buyer).set(bid.nonce, bid.nodes);
  queue.add(id, demand(record, spec));
  bid_ends_.arm(bid_deadline(bid), id);
  bids_by_buyer[bid.buyer].insert(id);
  emit(BidChanged{id, bid.buyer, BidChange::resting});
  state.bids.emplace(id, std::move(record));
  return Answer{id, {}, true, false};
}

void Exchange::Core::end_bid(const OrderId& id, BidChange change) {
  const auto it = state.bids.find(id);
  const Address buyer = it->second.bid.buyer;
  if (queue.find(id) != nullptr) {
    queue.remove(id);
    bid_ends_.disarm(bid_deadline(it->second.bid), id);
  }
  const auto mine = bids_by_buyer.find(buyer);
  mine->second.erase(id);
  if (mine->second.empty()) bids_by_buyer.erase(mine);
  state.bids.erase(it);
  emit(BidChanged{id, buyer, change});
}

Result<Answer> Exchange::Core::run(const CancelBids& command) {
  const eip712::CancelBids& cancel = command.cancel;
  MIZAN_CHECK(check_deadline(cancel.deadline, seconds_now(), "cancel.deadline"));
  if (!state.ledger.knows(cancel.owner))
    return fail(ErrorCode::not_found, "the exchange does not know the account");
  if (cancel.word > std::numeric_limits<uint64_t>::max() / 256)
    return bad_field("cancel.word", "holds no nonces: at most 2^56 - 1");
  const ledger::NonceBits& nonces = state.ledger.account(cancel.owner).nonces;
  if (!nonces.has_word(cancel.word) && nonces.words() >= state.config->limits.nonce_words)
    return bad_field("cancel.word", "too many words of nonces", ErrorCode::limit_exceeded);
  cancel_nonces(cancel.owner, cancel.word, cancel.mask);
  return Answer{};
}

void Exchange::Core::cancel_nonces(const Address& owner, uint64_t word, const U256& mask) {
  state.ledger.nonces(owner).set(word, mask);
  std::vector<OrderId> hit;
  if (const auto mine = bids_by_buyer.find(owner); mine != bids_by_buyer.end())
    for (const OrderId& id : mine->second) {
      const eip712::Bid& bid = state.bids.find(id)->second.bid;
      if (ledger::overlaps(word, mask, bid.nonce, bid.nodes)) hit.push_back(id);
    }
  for (const OrderId& id : hit) {
    if (const auto id_of_lease = state.bids.find(id)->second.lease) {
      Lease& lease = state.leases.find(*id_of_lease)->second;
      if (lease.accepted()) {  // it may be open already
        if (lease.stopped_at.ms == 0) stop(lease, "buyer_cancelled");
        continue;
      }
      undo(lease, "buyer_cancelled", false);
    }
    end_bid(id, BidChange::cancelled);
  }
}

}  // namespace mizan::exchange
