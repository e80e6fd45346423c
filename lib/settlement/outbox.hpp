// The outbox: calls in, transactions of one key out, each at most once, over crashes of both sides.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "journal/journal.hpp"
#include "settlement/node.hpp"

#include <map>

namespace mizan::settlement {

/// queued -> sent -> mined -> done or reverted; or refused before it was ever sent; or lost. A
/// reorganisation takes mined back to sent.
enum class SendState : uint8_t {
  queued,    ///< has no nonce yet
  sent,      ///< has its nonce; spread, or about to be
  mined,     ///< in a block that is not deep enough yet
  done,      ///< deep enough
  reverted,  ///< deep enough, and the contract refused it: Entry::reason says why
  refused,   ///< the contract would refuse it: never sent
  lost       ///< another program's transaction used its nonce: never will be mined
};
std::string_view to_string(SendState state);
constexpr SendState enum_last(SendState) {
  return SendState::lost;
}

/// A transaction that was signed and may be in the world. One with other fees replaces it under
/// the same nonce, so that one of them at most is mined.
struct Attempt {
  Fees fees;
  Hash32 hash;
  MIZAN_FIELDS(fees, hash)
};

struct Entry {
  std::string id;
  Call call;
  SendState state = SendState::queued;
  uint64_t nonce = 0;
  uint64_t gas = 0;
  std::vector<Attempt> attempts{};
  Hash32 transaction{};  ///< the attempt that was mined
  uint64_t block = 0;    ///< in which
  std::string reason{};  ///< of reverted, refused and lost: a sentence

  bool ended() const { return state >= SendState::done; }
  bool in_flight() const { return state == SendState::sent || state == SendState::mined; }
  MIZAN_FIELDS(id, call, state, nonce, gas, attempts, transaction, block, reason)
};

/// Blocks on top of one until it counts: more than any chain turns.
inline constexpr uint64_t kMostDepth = 1000;

struct OutboxOptions {
  uint64_t depth = 2;  ///< blocks on top of a transaction's own before it is over
  /// Transactions with a nonce that are in no block yet: nodes keep no more than 64 of an account.
  uint32_t waiting = 32;
  uint64_t stuck_blocks = 3;  ///< without being mined, until it is replaced
  /// Wei a unit of gas that is ever offered; 0: no limit. A node that lies about fees spends no
  /// more.
  u128 most_fee = 500'000'000'000;
};

/// One key's transactions on one chain; no other program sends with that key. Everything is in
/// `journal` before it is spread, and a transaction is the same bytes each time, so it may be
/// killed at any moment and opened again. Has no thread: `step` does a round of work. One thread at
/// a time.
class Outbox {
 public:
  /// Replays the journal, which belongs to it alone. conflict if that is another key's or another
  /// chain's.
  static Result<Outbox> open(journal::Journal& journal, Node& node, const SecretKey& key,
                             const OutboxOptions& options = {});

  /// Durable when it returns. The same id with the same call is the same entry, however often it
  /// comes; with another call it is already_exists.
  Result<void> submit(const std::string& id, Call call);
  /// Looks for what was mined, spreads again what the node forgot, replaces what is stuck, sends
  /// what is queued. An error says what it waits for (unavailable: the node); nothing is lost by
  /// it, and what does not need it was done.
  Result<void> step();
  /// An entry that ended is kept until its owner has seen it.
  Result<void> forget(const std::string& id);

  const Entry* find(const std::string& id) const;
  /// In the order in which they were submitted.
  std::vector<const Entry*> entries() const;
  /// Whether anything is queued or in flight.
  bool busy() const;
  const Address& account() const { return key_->address(); }

  struct State {
    uint64_t chain_id = 0;
    Address account;
    Hash32 genesis;  ///< of the chain; zero until it was asked for
    uint64_t next_number = 1;
    uint64_t next_nonce = 0;
    std::map<uint64_t, Entry> entries;  ///< by number
    MIZAN_FIELDS(chain_id, account, genesis, next_number, next_nonce, entries)
  };

 private:
  struct Memory {          // of this process alone
    Hash32 looked_at{};    ///< head when its receipt was last found
    uint64_t sent_at = 0;  ///< head when the last attempt was first spread
    uint64_t missing = 0;  ///< rounds in which its nonce was used and no attempt was found
  };
  Outbox(journal::Journal& journal, Node& node, const SecretKey& key, const OutboxOptions& options)
      : journal_(&journal), node_(&node), key_(&key), options_(options) {}

  template <class Record>
  Result<void> write(const Record& record);
  Result<void> compact();
  Result<void> check_chain();
  Result<void> add(const std::string& id, Call call);
  Result<void> forget_fillers();

  Result<void> follow(uint64_t number, const Block& head, uint64_t next_mined);
  Result<void> look_for_receipt(uint64_t number, const Block& head);
  Result<std::string> why_reverted(const Entry& entry, const Receipt& receipt);
  Result<void> spread(uint64_t number, const Block& head, bool next);
  Result<void> send(uint64_t number, const Block& head);
  Result<void> replace(uint64_t number, const Block& head);
  Result<void> fill_gap(const Block& head, uint64_t next_mined);
  Result<void> send_queued(const Block& head, uint64_t next_mined);
  Result<void> end(uint64_t number, SendState state, std::string reason);
  Result<Fees> fees_for(const Block& head, const std::vector<Attempt>& before);
  Result<void> sign_and_keep(uint64_t number, uint64_t nonce, uint64_t gas, const Fees& fees);
  Transaction transaction_of(const Entry& entry, const Fees& fees) const;

  journal::Journal* journal_;
  Node* node_;
  const SecretKey* key_;
  OutboxOptions options_;
  State state_;
  std::map<std::string, uint64_t> numbers_;
  std::map<uint64_t, Memory> memory_;
};

}  // namespace mizan::settlement
