#include "settlement/outbox.hpp"

#include "codec/binary.hpp"
#include "settlement/outbox_records.hpp"

#include <algorithm>

namespace mizan::settlement {
namespace {

constexpr uint64_t kMostGap = 64;         // nonces that are filled up at once
constexpr uint64_t kCompactEvery = 2000;  // records
constexpr uint64_t kMissingRounds = 3;    // until a nonce counts as another's
constexpr size_t kMostAttempts = 40;      // each an eighth dearer: a factor of a hundred
constexpr uint64_t kMostHole = 1024;      // unused nonces in all; more than any turn leaves
constexpr size_t kMostId = 2048;
constexpr std::string_view kFiller = "fill-";
constexpr size_t kMostData = 1 << 20;

/// At least an eighth more, which is what nodes ask of a replacement.
u128 raised(u128 fee) {
  return fee + fee / 8 + 1;
}

/// What it does may cost more by the time it is mined: to pay into a balance that is empty then
/// costs 17,100 more than into one that is not. What is not used is not paid for.
uint64_t with_reserve(uint64_t gas) {
  return gas * 2 + 10'000;
}

bool says(const Error& error, std::initializer_list<std::string_view> words) {
  const auto message = error.details.find("rpc_message");
  if (message == error.details.end()) return false;
  std::string text = message->second;
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string::npos; });
}

/// To be asked again; any other error is the node's answer.
bool node_is_away(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::io_error;
}

/// The first error of a round; the node's absence ends the round.
class Problems {
 public:
  /// False if there is no use in going on.
  bool note(Result<void> result) {
    if (result) return true;
    const bool go_on = !node_is_away(result.error());
    if (!first_) first_ = std::move(result).error();
    return go_on;
  }
  Result<void> result() const { return first_ ? Result<void>(fail(*first_)) : Result<void>{}; }

 private:
  std::optional<Error> first_;
};

}  // namespace

std::string_view to_string(SendState state) {
  constexpr std::array<std::string_view, 7> kNames = {"queued",   "sent",    "mined", "done",
                                                      "reverted", "refused", "lost"};
  return kNames[static_cast<size_t>(state)];
}

template <class Record>
Result<void> Outbox::write(const Record& record) {
  const record::Record any = record;
  const Bytes bytes = mizan::encode(any);
  const ByteView view = bytes;
  MIZAN_CHECK(journal_->append_group({&view, 1}));
  return record::apply(state_, any);
}

Result<Outbox> Outbox::open(journal::Journal& journal, Node& node, const SecretKey& key,
                            const OutboxOptions& options) {
  Outbox outbox(journal, node, key, options);
  MIZAN_TRY(snapshot, journal.latest_snapshot());
  uint64_t from = 1;
  if (snapshot) {
    MIZAN_TRY(state, decode<State>(snapshot->state));
    outbox.state_ = std::move(state);
    from = snapshot->at.sequence + 1;
  }
  MIZAN_CHECK(journal.read(from, [&outbox](uint64_t, ByteView bytes) -> Result<void> {
    MIZAN_TRY(record, decode<record::Record>(bytes));
    return record::apply(outbox.state_, record);
  }));
  if (outbox.state_.account.is_zero())
    MIZAN_CHECK(outbox.write(record::Begun{node.chain_id(), key.address()}));
  if (outbox.state_.account != key.address() || outbox.state_.chain_id != node.chain_id())
    return fail(ErrorCode::conflict,
                "the outbox is another key's or another chain's: give each its own folder");
  for (const auto& [number, entry] : outbox.state_.entries) outbox.numbers_[entry.id] = number;
  return outbox;
}

Result<void> Outbox::submit(const std::string& id, Call call) {
  if (id.empty() || id.size() > kMostId || id.starts_with(kFiller))
    return fail(ErrorCode::invalid_argument,
                "an entry's id has 1 to 2048 bytes and does not begin with fill-");
  return add(id, std::move(call));
}

Result<void> Outbox::add(const std::string& id, Call call) {
  if (call.data.size() > kMostData)
    return fail(ErrorCode::too_large, "a transaction's data has at most 1 MiB");
  if (const Entry* known = find(id)) {
    if (known->call == call) return {};
    return fail(ErrorCode::already_exists, "the outbox has another call under " + id);
  }
  const uint64_t number = state_.next_number;
  MIZAN_CHECK(write(record::Submitted{id, std::move(call)}));
  numbers_[id] = number;
  return {};
}

Result<void> Outbox::forget(const std::string& id) {
  const auto it = numbers_.find(id);
  if (it == numbers_.end()) return {};
  if (!state_.entries.at(it->second).ended())
    return fail(ErrorCode::conflict, "the outbox still works on " + id);
  MIZAN_CHECK(write(record::Forgotten{it->second}));
  memory_.erase(it->second);
  numbers_.erase(it);
  return compact();
}

const Entry* Outbox::find(const std::string& id) const {
  const auto it = numbers_.find(id);
  return it == numbers_.end() ? nullptr : &state_.entries.at(it->second);
}

std::vector<const Entry*> Outbox::entries() const {
  std::vector<const Entry*> out;
  for (const auto& [number, entry] : state_.entries) out.push_back(&entry);
  return out;
}

bool Outbox::busy() const {
  return std::any_of(state_.entries.begin(), state_.entries.end(),
                     [](const auto& item) { return !item.second.ended(); });
}

Result<void> Outbox::compact() {
  const journal::Head head = journal_->head();
  if (head.sequence - journal_->base().sequence < kCompactEvery) return {};
  MIZAN_CHECK(journal_->save_snapshot(head.sequence, mizan::encode(state_)));
  return journal_->prune(head.sequence + 1);
}

/// The first block tells chains with the same id apart: a development chain that began anew, say.
Result<void> Outbox::check_chain() {
  MIZAN_TRY(first, node_->block(0));
  if (!first) return fail(ErrorCode::unavailable, "the node has no first block");
  if (state_.genesis.is_zero()) return write(record::Genesis{first->hash});
  if (state_.genesis != first->hash)
    return fail(ErrorCode::unavailable,
                "the node " + node_->where() +
                    " serves another chain of the same id than before: nothing is sent there");
  return {};
}

Result<void> Outbox::step() {
  MIZAN_TRY(head, node_->head());
  MIZAN_CHECK(check_chain());
  if (!busy()) return {};
  MIZAN_TRY(next_mined, node_->latest_nonce(account()));
  Problems problems;
  bool reachable = true;
  for (const auto& [number, entry] : state_.entries)
    if (entry.in_flight() && reachable) reachable = problems.note(follow(number, head, next_mined));
  if (reachable) reachable = problems.note(fill_gap(head, next_mined));
  if (reachable) problems.note(send_queued(head, next_mined));
  MIZAN_CHECK(forget_fillers());
  return problems.result();
}

Result<void> Outbox::follow(uint64_t number, const Block& head, uint64_t next_mined) {
  Entry& entry = state_.entries.at(number);
  if (entry.nonce < next_mined) return look_for_receipt(number, head);
  entry.state = SendState::sent;  // a block that had it may be gone
  memory_[number].missing = 0;
  return spread(number, head, entry.nonce == next_mined);
}

Result<void> Outbox::look_for_receipt(uint64_t number, const Block& head) {
  Entry& entry = state_.entries.at(number);
  // Only blocks that come or go change it.
  if (entry.state == SendState::mined && memory_[number].looked_at == head.hash) return {};
  // Asked before the receipts: what it says must be as old as they are, or older.
  uint64_t deep_nonce = 0;
  if (head.number >= options_.depth) {
    const auto count = node_->nonce_at(account(), head.number - options_.depth);
    if (!count && node_is_away(count.error())) return fail(count.error());
    deep_nonce = count.value_or(0);  // a node that has forgotten it: nothing is lost by its word
  }
  for (auto attempt = entry.attempts.rbegin(); attempt != entry.attempts.rend(); ++attempt) {
    MIZAN_TRY(receipt, node_->receipt(attempt->hash));
    if (!receipt) continue;
    MIZAN_TRY(block, node_->block(receipt->block));
    if (!block || block->hash != receipt->block_hash) continue;
    entry.state = SendState::mined;
    entry.transaction = attempt->hash;
    entry.block = receipt->block;
    memory_[number].missing = 0;
    if (head.number < receipt->block || head.number - receipt->block < options_.depth) {
      memory_[number].looked_at = head.hash;
      return {};
    }
    if (receipt->success) return end(number, SendState::done, "");
    MIZAN_TRY(reason, why_reverted(entry, *receipt));
    return end(number, SendState::reverted, std::move(reason));
  }
  if (deep_nonce <= entry.nonce || ++memory_[number].missing < kMissingRounds) return {};
  return end(number, SendState::lost,
             "another transaction used nonce " + std::to_string(entry.nonce) + " of " +
                 hex0x(account().view()) + ": only one program may send with a key");
}

/// The node keeps no reason with a receipt: the call is tried again on the state behind its block,
/// and before it. A node that has forgotten that state never has it again: the end counts, not why.
Result<std::string> Outbox::why_reverted(const Entry& entry, const Receipt& receipt) {
  std::string unknown = "the contract refused the call, for a reason that is gone by now";
  for (const uint64_t block : {receipt.block, receipt.block - 1}) {
    const auto refused = node_->replay(account(), entry.call, block);
    if (refused) continue;
    const Error& error = refused.error();
    if (error.details.contains("revert")) return error.message;
    if (node_is_away(error)) return fail(error);
    unknown =
        "the contract refused the call, and why is not known: the node does not keep the state of "
        "that block any more (" +
        error.message + ")";
  }
  return unknown;
}

Result<void> Outbox::spread(uint64_t number, const Block& head, bool next) {
  const Entry& entry = state_.entries.at(number);
  const Attempt& last = entry.attempts.back();
  Memory& memory = memory_[number];
  MIZAN_TRY(known, node_->knows(last.hash));
  if (!known) return send(number, head);
  if (memory.sent_at == 0) memory.sent_at = head.number;
  const bool waited = head.number >= memory.sent_at + options_.stuck_blocks;
  if (waited && (next || last.fees.most < head.base_fee)) return replace(number, head);
  return {};
}

Transaction Outbox::transaction_of(const Entry& entry, const Fees& fees) const {
  return {state_.chain_id, entry.nonce, fees, entry.gas, entry.call};
}

Result<void> Outbox::send(uint64_t number, const Block& head) {
  const Entry& entry = state_.entries.at(number);
  const SignedTransaction made = sign(transaction_of(entry, entry.attempts.back().fees), *key_);
  const auto sent = node_->send(made);
  if (sent || says(sent.error(), {"already known", "already imported", "known transaction"})) {
    memory_[number].sent_at = head.number;
    return {};
  }
  // Mined in the meantime, or another attempt was: the next round finds it.
  if (says(sent.error(), {"nonce too low", "nonce is too low"})) return {};
  if (says(sent.error(), {"underpriced", "base fee"})) return replace(number, head);
  // It may have lied of the gas when it was asked first: no block has so much, or nobody pays it.
  const auto gas = node_->estimate_gas(account(), entry.call);
  if (gas && with_reserve(*gas) < entry.gas / 2) return replace(number, head);
  return fail(sent.error());
}

Result<Fees> Outbox::fees_for(const Block& head, const std::vector<Attempt>& before) {
  MIZAN_TRY(fees, node_->suggested_fees(head));
  for (const Attempt& attempt : before) {
    fees.tip = std::max(fees.tip, raised(attempt.fees.tip));
    fees.most = std::max(fees.most, raised(attempt.fees.most));
  }
  const u128 most = options_.most_fee;
  if (most == 0 || fees.most <= most) return fees;
  if (!before.empty() || most <= head.base_fee)
    return fail(ErrorCode::limit_exceeded,
                "the chain asks for more than the highest fee that is allowed: it waits until gas "
                "is cheaper");
  return Fees{most, std::min(fees.tip, most - head.base_fee)};
}

Result<void> Outbox::replace(uint64_t number, const Block& head) {
  const Entry& entry = state_.entries.at(number);
  if (entry.attempts.size() >= kMostAttempts)
    return fail(ErrorCode::limit_exceeded,
                entry.id + " was replaced 40 times and is not mined: it waits");
  MIZAN_TRY(fees, fees_for(head, entry.attempts));
  // Anew, for the node may have lied; but where the attempt that waits counts as done, it says no.
  const auto estimate = node_->estimate_gas(account(), entry.call);
  const uint64_t gas = estimate ? with_reserve(*estimate) : entry.gas;
  MIZAN_CHECK(sign_and_keep(number, entry.nonce, gas, fees));
  const SignedTransaction made = sign(transaction_of(entry, fees), *key_);
  memory_[number].sent_at = head.number;
  const auto sent = node_->send(made);
  if (!sent && !says(sent.error(), {"already", "known", "nonce too low", "nonce is too low"}))
    return fail(sent.error());
  return {};
}

Result<void> Outbox::sign_and_keep(uint64_t number, uint64_t nonce, uint64_t gas,
                                   const Fees& fees) {
  const Entry& entry = state_.entries.at(number);
  const SignedTransaction made = sign({state_.chain_id, nonce, fees, gas, entry.call}, *key_);
  return write(record::Signed{number, nonce, gas, {fees, made.hash}});
}

/// Nonces below ours that nobody uses any more (their transactions went with a reorganisation, or
/// a node had lied of them) hold everything up: empty transactions to ourselves use them.
Result<void> Outbox::fill_gap(const Block& head, uint64_t next_mined) {
  uint64_t lowest = UINT64_MAX;
  for (const auto& [number, entry] : state_.entries)
    if (entry.in_flight() && entry.nonce >= next_mined) lowest = std::min(lowest, entry.nonce);
  if (lowest == UINT64_MAX || lowest <= next_mined) return {};
  if (lowest - next_mined > kMostHole)
    return fail(ErrorCode::conflict,
                "nonces " + std::to_string(next_mined) + " to " + std::to_string(lowest - 1) +
                    " are unused: the node is wrong, or was, and nothing is spent to fill them up");
  MIZAN_TRY(pending, node_->pending_nonce(account()));
  if (pending >= lowest) return {};
  // More may be gone, in a deep turn: the next ones follow when these are mined.
  const uint64_t to = std::min(lowest, pending + kMostGap);
  for (uint64_t nonce = pending; nonce < to; ++nonce) {
    const Call nothing{account(), 0, {}};
    MIZAN_TRY(gas, node_->estimate_gas(account(), nothing));
    MIZAN_TRY(fees, fees_for(head, {}));
    const std::string id = std::string(kFiller) + std::to_string(nonce);
    if (const Entry* before = find(id); before != nullptr && before->ended())
      MIZAN_CHECK(forget(id));
    MIZAN_CHECK(add(id, nothing));
    const uint64_t number = numbers_.at(id);  // at times it was there, from before a crash
    MIZAN_CHECK(sign_and_keep(number, nonce, gas, fees));
    MIZAN_CHECK(send(number, head));
  }
  return {};
}

Result<void> Outbox::forget_fillers() {
  std::vector<std::string> over;
  for (const auto& [number, entry] : state_.entries)
    if (entry.ended() && entry.id.starts_with(kFiller)) over.push_back(entry.id);
  for (const std::string& id : over) MIZAN_CHECK(forget(id));
  return {};
}

Result<void> Outbox::send_queued(const Block& head, uint64_t next_mined) {
  std::vector<uint64_t> queued;
  size_t waiting = 0;
  std::vector<uint64_t> unused;  // fillers that a crash left without their nonce
  for (const auto& [number, entry] : state_.entries) {
    if (entry.state == SendState::sent) ++waiting;
    if (entry.state != SendState::queued) continue;
    (entry.id.starts_with(kFiller) ? unused : queued).push_back(number);
  }
  for (const uint64_t number : unused)
    MIZAN_CHECK(end(number, SendState::refused, "its nonce is used by now"));
  if (queued.empty()) return {};
  MIZAN_TRY(pending, node_->pending_nonce(account()));
  const uint64_t expected = state_.next_nonce != 0 ? state_.next_nonce : next_mined;
  if (pending > expected + kMostGap)
    return fail(ErrorCode::conflict,
                "the node expects nonce " + std::to_string(pending) + " of " +
                    hex0x(account().view()) + ", far above " + std::to_string(expected) +
                    ": the node is wrong, or another program sends with this key");
  uint64_t nonce = std::max(state_.next_nonce, pending);
  for (const uint64_t number : queued) {
    if (waiting >= options_.waiting) break;
    const Entry& entry = state_.entries.at(number);
    const auto gas = node_->estimate_gas(account(), entry.call);
    if (!gas && gas.error().details.contains("revert")) {
      MIZAN_CHECK(end(number, SendState::refused, gas.error().message));
      continue;
    }
    if (!gas) return fail(gas.error());
    MIZAN_TRY(fees, fees_for(head, {}));
    MIZAN_CHECK(sign_and_keep(number, nonce, with_reserve(*gas), fees));
    ++nonce;
    ++waiting;
    MIZAN_CHECK(send(number, head));
  }
  return {};
}

Result<void> Outbox::end(uint64_t number, SendState state, std::string reason) {
  const Entry& entry = state_.entries.at(number);
  MIZAN_CHECK(
      write(record::Ended{number, state, entry.transaction, entry.block, std::move(reason)}));
  memory_.erase(number);
  return {};
}

}  // namespace mizan::settlement
