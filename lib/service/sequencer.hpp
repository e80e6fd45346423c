// The sequencer: verified commands in, one durable order of them out.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "crypto/eip712.hpp"
#include "journal/journal.hpp"
#include "service/log.hpp"
#include "service/shared_exchange.hpp"
#include "service/time_keeper.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>

namespace mizan::service {

/// The identity key's word on a commit group.
struct Sealed {
  eip712::Acknowledgement acknowledgement;
  Signature signature;
};

/// A command that is durable and applied.
struct Applied {
  uint64_t sequence = 0;
  exchange::Outcome outcome;
  std::shared_ptr<const Sealed> sealed;
};

/// Called on the sequencer's thread, which may read the exchange without a lock. An error means
/// that the command was not taken, or (unavailable, after a journal's failure) that nobody knows.
using Done = std::function<void(Result<Applied>)>;

struct SequencerOptions {
  size_t max_waiting = 100'000;
  size_t max_group = 4096;            ///< commands that share one sync
  uint64_t snapshot_every = 500'000;  ///< commands; 0: never
  uint64_t keep_before_snapshot = 0;  ///< commands that pruning leaves below the snapshot
  bool prune = false;                 ///< forget the journal below the snapshot
  uint64_t absence_ms = 3000;         ///< without a step for so long, the exchange was away
};

/// Gives commands their sequence and time, makes them durable a group at a time (what arrives
/// during one group's sync is the next group), applies them in order, then answers. Has no thread
/// of its own: whoever calls `step` is the one writer. `submit` is safe from every thread.
class Sequencer {
 public:
  /// Told of every applied command, in order, while the exchange is held for writing: what it sends
  /// is consistent with what any reader saw.
  using Observer = std::function<void(const exchange::Outcome&, const exchange::Exchange&)>;

  Sequencer(journal::Journal& journal, SharedExchange& state, TimeKeeper& time, const Clock& clock,
            const Log& log, SequencerOptions options = {});

  /// Who signs acknowledgements, and in which domain; before the first step. `identity` outlives
  /// it.
  void set_signer(const eip712::Domain& domain, const SecretKey& identity);
  void set_observer(Observer observer) { observer_ = std::move(observer); }
  /// Called once when the journal fails; nothing is taken any more.
  void set_on_failure(std::function<void(const Error&)> f) { on_failure_ = std::move(f); }

  /// Where snapshots are saved, beside the commands that follow: without it, on the thread that
  /// steps. What was posted and not run when this ends must not run.
  void set_background(std::function<void(std::function<void()>)> post) { post_ = std::move(post); }

  void submit(exchange::Command command, std::optional<exchange::Idempotency> idempotency,
              Done done);
  /// Commits and applies one group. False if there was nothing to do.
  bool step();
  /// Waits until there is something to do, `wake` was called or `timeout` passed.
  void wait(std::chrono::milliseconds timeout);
  void wake();
  /// Takes nothing more; what waits is answered `unavailable`.
  void stop();

  bool failed() const { return failed_; }
  uint64_t groups() const { return groups_; }

 private:
  struct Waiting {
    exchange::Command command;
    std::optional<exchange::Idempotency> idempotency;
    Done done;
  };
  std::vector<Waiting> take_group();
  void notice_absence(std::vector<Waiting>& group);
  /// Leaves in both only what fits a journal's group; the rest waits again, in its order.
  Result<journal::GroupInfo> commit(std::vector<exchange::Sequenced>& commands,
                                    std::vector<Waiting>& group);
  void put_back(std::vector<exchange::Sequenced>& commands, std::vector<Waiting>& group,
                size_t from);
  void fail_all(std::vector<Waiting>& group, const Error& error);
  void maybe_snapshot();
  void save_snapshot(uint64_t at, const Bytes& bytes);

  journal::Journal& journal_;
  SharedExchange& state_;
  TimeKeeper& time_;
  const Clock& clock_;
  const Log& log_;
  const SequencerOptions options_;
  std::optional<eip712::Domain> domain_;
  const SecretKey* identity_ = nullptr;
  Observer observer_;
  std::function<void(const Error&)> on_failure_;
  std::function<void(std::function<void()>)> post_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  bool woken_ = false;
  bool stopped_ = false;

  std::atomic<bool> failed_ = false;
  std::atomic<uint64_t> groups_ = 0;
  MonotonicMs alive_;
  uint64_t snapshot_at_ = 0;
  std::atomic<bool> saving_ = false;
};

/// The state that a journal holds: its latest snapshot and every record after it (or, with
/// `from_genesis`, every record; not_found when the first ones are pruned). A record that does not
/// fit is `corrupted` with details.place; one that needs a rule set which `rules` lacks, not_found.
Result<exchange::Exchange> recover_state(journal::Journal& journal, bool from_genesis = false,
                                         const exchange::RuleSets& rules = {});

}  // namespace mizan::service
