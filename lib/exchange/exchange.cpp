#include "exchange/exchange.hpp"

#include "codec/binary.hpp"
#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"
#include "crypto/payees_hash.hpp"
#include "exchange/core.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace mizan::exchange {
namespace {

/// How often the whole ledger is counted anew: its cost stays a small part of that of the commands
/// between, however large it is.
constexpr uint64_t kRecountEvery = 10'000;
constexpr uint64_t kCommandsAnEntry = 32;

constexpr size_t kMostKey = 64;

tl::unexpected<Error> corrupted(const char* what) {
  return fail(ErrorCode::corrupted, std::string("the snapshot contradicts itself: ") + what);
}

Result<void> check_key(const Idempotency& idempotency) {
  const std::string& key = idempotency.key;
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (key.empty() || key.size() > kMostKey || !printable)
    return fail(ErrorCode::invalid_argument,
                "Idempotency-Key has 1 to 64 printable characters without spaces");
  return {};
}

Result<void> check_chain(const Genesis& genesis) {
  if (!genesis.chain) return {};
  const ChainSettlement& chain = *genesis.chain;
  if (chain.chain_id == 0) return bad_field("genesis.chain.chain_id", "is not zero");
  if (chain.contract.is_zero()) return bad_field("genesis.chain.contract", "is not zero");
  if (chain.decimals < 6 || chain.decimals > 18)
    return bad_field("genesis.chain.decimals", "is 6 to 18");
  if (genesis.meter == genesis.clearance)
    return bad_field("genesis.meter", "is not the clearance key: the contract opens nothing then");
  if (genesis.limits.nodes > 1024)
    return bad_field("genesis.limits.nodes", "is at most 1024, as in the contract");
  return {};
}

}  // namespace

std::shared_ptr<const policy::RuleSet> empty_rules() {
  static const auto kEmpty = std::make_shared<const policy::RuleSet>(policy::RuleSet::empty());
  return kEmpty;
}

Error no_rules(const Hash32& hash) {
  const std::string text = "sha256:" + hex(hash.view());
  return Error{ErrorCode::not_found,
               "the rule set " + text + " is not here: put it back among the rule sets",
               {}}
      .with("ruleSet", text);
}

UnixMs at_seconds(uint64_t seconds) {
  uint64_t ms = 0;
  if (__builtin_mul_overflow(seconds, uint64_t{1000}, &ms))
    ms = std::numeric_limits<uint64_t>::max();
  return {ms};
}

UnixMs later(UnixMs at, uint64_t ms) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(at.ms, ms, &sum)) sum = std::numeric_limits<uint64_t>::max();
  return {sum};
}

Outcome Exchange::Core::apply(const Sequenced& sequenced) {
  ensure(sequenced.sequence == state.sequence + 1, "commands come in sequence, without a gap");
  ensure(sequenced.time >= state.now, "the time of commands never decreases");
  state.sequence = sequenced.sequence;
  state.now = sequenced.time;
  events_.clear();
  reasons_.clear();
  spoken_ = 0;
  Answered answer = dispatch(sequenced);
  settle_matches();
  tell_refusals(false);
  forget_strangers();
  state.ledger.check();
  if (--until_recount_ == 0) {
    state.ledger.recount();
    until_recount_ = std::max(kRecountEvery, kCommandsAnEntry * state.ledger.entries());
  }
  return {std::move(answer), std::move(reasons_), std::move(events_)};
}

/// An ask that is sent again is known by its id, and keys are free: whoever never had money leaves
/// nothing but asks.
bool Exchange::Core::keeps_answer(const Address& account, const Command& command) const {
  return state.ledger.knows(account) ||
         !(std::holds_alternative<PlaceAsk>(command) || std::holds_alternative<CancelAsk>(command));
}

Result<Answer> Exchange::Core::dispatch(const Sequenced& sequenced) {
  if (!state.config && !std::holds_alternative<Genesis>(sequenced.command))
    return fail(ErrorCode::conflict, "the first command is Genesis");
  if (state.config) {
    if (std::holds_alternative<Resume>(sequenced.command)) resume();
    advance();
  }
  const auto& idempotency = sequenced.idempotency;
  if (idempotency) {
    MIZAN_CHECK(check_key(*idempotency));
    const auto kept = state.answers.find({idempotency->account, idempotency->key});
    if (kept != state.answers.end()) {
      if (kept->second.request_hash != idempotency->request_hash)
        return fail(ErrorCode::replayed,
                    "Idempotency-Key was used for another request: choose a new one");
      return Answer{kept->second.order, kept->second.leases, kept->second.resting, true};
    }
    const auto count = answers_kept_.find(idempotency->account);
    if (count != answers_kept_.end() && count->second >= state.config->limits.idempotency_keys)
      return fail(ErrorCode::limit_exceeded,
                  "the account has used its number of idempotency keys for 24 hours");
  }
  MIZAN_TRY(answer,
            std::visit([this](const auto& command) { return run(command); }, sequenced.command));
  // What changes nothing costs no key: a chain shows a buyer's stop to all, who may send it again.
  if (idempotency && !answer.repeated && keeps_answer(idempotency->account, sequenced.command)) {
    AnswerKey key{idempotency->account, idempotency->key};
    answer_evictions_.arm(later(state.now, kKeepAnswerMs), key);
    ++answers_kept_[idempotency->account];
    state.answers.emplace(std::move(key), KeptAnswer{idempotency->request_hash, state.now,
                                                     answer.order, answer.leases, answer.resting});
  }
  return answer;
}

Result<Answer> Exchange::Core::run(const Genesis& genesis) {
  if (state.config) return fail(ErrorCode::conflict, "Genesis comes once");
  Bytes seed(as_bytes("mizan-exchange").begin(), as_bytes("mizan-exchange").end());
  seed.insert(seed.end(), genesis.identity.bytes.begin(), genesis.identity.bytes.end());
  if (genesis.exchange_id != keccak256(seed))
    return bad_field("genesis.exchange_id", "is keccak256(\"mizan-exchange\" || identity)");
  if (genesis.fee_bps > 10'000) return bad_field("genesis.fee_bps", "is at most 10000");
  if (genesis.voucher_interval_s == 0)
    return bad_field("genesis.voucher_interval_s", "is at least 1");
  for (const Address& address :
       {genesis.identity, genesis.meter, genesis.clearance, genesis.operator_, genesis.fee_to})
    if (address.is_zero()) return bad_field("genesis", "no address may be zero");
  const Limits& limits = genesis.limits;
  if (limits.nodes == 0 || limits.nodes > 65'536 || limits.units_per_node == 0 ||
      limits.units_per_node > 65'536)
    return bad_field("genesis.limits", "nodes and units_per_node are 1 to 65536");
  if (genesis.limits.held_leases == 0)
    return bad_field("genesis.limits.held_leases", "is at least 1");
  const auto options_text = read_policy_options(genesis.policy);
  if (!options_text) return fail(options_text.error());
  MIZAN_CHECK(check_chain(genesis));
  state.config = genesis;
  state.clearance = genesis.clearance;
  domain_ = domain_of(genesis);
  if (genesis.chain) {
    const ChainSettlement& chain = *genesis.chain;
    state.ledger.follow({chain.first, genesis.fee_to, genesis.clearance, chain.decimals});
  }
  const Hash32 rule_set = genesis.rule_set.is_zero() ? empty_rules()->hash() : genesis.rule_set;
  ensure(set_rules({rule_set, genesis.pending, genesis.policy}).has_value(),
         "the rule set that Genesis names is known");
  return Answer{};
}

Result<Answer> Exchange::Core::run(const Resume&) {
  return Answer{};
}

Result<Answer> Exchange::Core::run(const Tick&) {
  return Answer{};
}

/// What the core relies on of a lease that came from bytes.
Result<void> Exchange::Core::check_live(const Lease& lease) const {
  const ledger::Escrow* escrow = state.ledger.find(lease.id);
  const eip712::Terms& terms = lease.terms;
  const ledger::EscrowTerms expected{terms.buyer,   terms.provider, Rate{terms.rate}, lease.units(),
                                     terms.seconds, terms.start,    terms.fee_bps};
  if (escrow == nullptr || escrow->terms != expected || escrow->amount.nano != lease.escrow ||
      escrow->vouchered.nano != lease.vouchered || (escrow->opened != 0) != lease.funded())
    return corrupted("a live lease and its escrow");
  const bool reserved = state.ledger.mirror() != nullptr && !locked_on_chain(lease.id);
  if (escrow->reserved != reserved) return corrupted("what is reserved for a lease");
  if ((lease.state == LeaseState::opening) != (lease.accepted() && !lease.funded()) ||
      (lease.funded() && !lease.accepted()) || (lease.billed && !lease.closing))
    return corrupted("a lease that opens");
  if (payees_hash(lease.payees) != terms.payees_hash ||
      (!lease.payees.empty() && !check_payees(lease.payees, "payees")))
    return corrupted("a lease's payees");
  if (lease.covered_ms / 1000 > terms.seconds || terms.grace > 600 || lease.phase > 5)
    return corrupted("a lease's coverage");
  if (lease.closing &&
      (lease.final_seconds > terms.seconds ||
       cost(Rate{terms.rate}, lease.units(), lease.final_seconds) != Money{lease.final_charge}))
    return corrupted("a lease's bill");
  if (lease.nodes.size() != terms.node_count ||
      std::adjacent_find(lease.nodes.begin(), lease.nodes.end(), std::greater_equal<>()) !=
          lease.nodes.end())
    return corrupted("a lease's nodes");
  const auto bid = state.bids.find(lease.order);
  if (!read_case_file(lease.case_file) || lease.counted.empty())
    return corrupted("what a lease's verdict rests on");
  if ((lease.state == LeaseState::held) != (lease.held_at.ms != 0 && lease.matched_at.ms == 0))
    return corrupted("a held deal");
  const bool holds_bid = bid != state.bids.end() && bid->second.lease == lease.id;
  if (!lease.funded() && !holds_bid) return corrupted("a match without its bid");
  return {};
}

Result<void> Exchange::Core::rebuild() {
  if (!state.config) {
    if (!state.asks.empty() || !state.bids.empty() || !state.leases.empty())
      return corrupted("orders before Genesis");
    return {};
  }
  domain_ = domain_of(*state.config);
  MIZAN_CHECK(check_policy());
  MIZAN_CHECK(set_rules(state.policy));
  MIZAN_CHECK(state.ledger.audit());
  if (state.config->chain.has_value() != (state.ledger.mirror() != nullptr))
    return corrupted("where its money is");
  if (state.clearance.is_zero() || (state.stray && state.ledger.mirror() == nullptr))
    return corrupted("its clearance key");
  std::set<uint64_t> sequences;
  for (auto& [id, record] : state.asks) {
    const eip712::Ask& ask = record.ask;
    const auto provider = state.providers.find(ask.provider);
    if (provider == state.providers.end() || ask.nodes == 0 || ask.units_per_node == 0 ||
        ask.nodes > 65'536 || ask.rate > market::kMostRate ||
        ask.nonce == std::numeric_limits<uint64_t>::max() ||
        !sequences.insert(record.sequence).second)
      return corrupted("an ask");
    MIZAN_TRY(text, read_attributes(ask, record.attributes));
    add_to_book(id, record, std::move(text));
  }
  for (auto& [address, provider] : state.providers) {
    if (provider.alive) lapses_.arm(lapse_at(provider), address);
    stand(address, provider);
  }
  for (const auto& [id, lease] : state.leases) {
    if (lease.id != id || !leases_by_number.emplace(lease.number, id).second)
      return corrupted("a lease's number");
    if (!lease.over()) MIZAN_CHECK(check_live(lease));
    index_lease(lease);
    if (lease.over()) continue;
    if (!state.providers.contains(lease.terms.provider)) return corrupted("a lease's provider");
    count_live(lease.terms.provider, true);
    const auto ask = state.asks.find(lease.terms.ask_hash);
    if (lease.closing || ask == state.asks.end()) continue;
    for (const uint32_t node : lease.nodes)
      if (node >= ask->second.ask.nodes ||
          book.free_on_node(ask->second.ref, node) < lease.terms.units_per_node)
        return corrupted("units sold twice");
    book.take(ask->second.ref, lease.nodes, lease.terms.units_per_node);
    count_on_ask(ask->second, true);
  }
  for (auto& [id, record] : state.bids) {
    bids_by_buyer[record.bid.buyer].insert(id);
    MIZAN_TRY(spec, read_spec(record.spec, state.config->limits.spec_bytes));
    set_declaration(record, spec);
    if (record.lease) {
      const auto lease = state.leases.find(*record.lease);
      if (lease == state.leases.end() || lease->second.funded() || lease->second.over())
        return corrupted("a bid's lease");
      continue;
    }
    if (record.bid.nodes == 0 || record.bid.max_rate > market::kMostRate) return corrupted("a bid");
    if (!sequences.insert(record.sequence).second) return corrupted("a bid");
    queue.add(id, demand(record, spec));
    bid_ends_.arm(bid_deadline(record.bid), id);
  }
  for (const auto& [nonce, deadline] : state.grants)
    grant_evictions_.arm(at_seconds(deadline), nonce);
  for (const auto& [key, deadline] : state.policy_nonces)
    policy_nonce_evictions_.arm(at_seconds(deadline), key);
  for (const auto& [key, kept] : state.answers) {
    answer_evictions_.arm(later(kept.at, kKeepAnswerMs), key);
    ++answers_kept_[key.first];
  }
  return {};
}

Exchange::Exchange(RuleSets rules) : core_(std::make_unique<Core>()) {
  core_->known_rules = std::move(rules);
  core_->known_rules.emplace(empty_rules()->hash(), empty_rules());
  core_->rules = empty_rules();
}
Exchange::Exchange(Exchange&&) noexcept = default;
Exchange& Exchange::operator=(Exchange&&) noexcept = default;
Exchange::~Exchange() = default;

Outcome Exchange::apply(const Sequenced& sequenced) {
  return core_->apply(sequenced);
}

Bytes Exchange::encode() const {
  return mizan::encode(core_->state);
}

Hash32 Exchange::state_hash() const {
  return hash_of_encoding(encode());
}

void Exchange::know_rules(std::shared_ptr<const policy::RuleSet> rules) {
  const Hash32 hash = rules->hash();
  core_->known_rules.emplace(hash, std::move(rules));
}

Result<void> Exchange::knows_rules(const Command& command) const {
  std::optional<Hash32> wanted;
  // Zero is the empty rule set in Genesis alone; elsewhere it is the hash of none.
  const auto* genesis = std::get_if<Genesis>(&command);
  if (genesis != nullptr && !genesis->rule_set.is_zero()) wanted = genesis->rule_set;
  if (const auto* change = std::get_if<SetPolicy>(&command)) wanted = change->change.rule_set;
  if (!wanted || core_->known_rules.contains(*wanted)) return {};
  return fail(no_rules(*wanted));
}

Result<Exchange> Exchange::restore(ByteView snapshot, RuleSets rules) {
  MIZAN_TRY(state, decode<State>(snapshot));
  Exchange exchange(std::move(rules));
  exchange.core_->state = std::move(state);
  MIZAN_CHECK(exchange.core_->rebuild());
  return exchange;
}

}  // namespace mizan::exchange
