// The chain desk: what the contract tells becomes commands, what the exchange wants, transactions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "service/context.hpp"
#include "settlement/follower.hpp"
#include "settlement/outbox.hpp"

#include <atomic>
#include <set>

namespace mizan::service {

/// Follows the contract, and brings to it what the state says is opening or settling: nothing is
/// remembered but the outbox's journal, so that it may end at any moment. `step` is called by one
/// thread, which waits for the node; `tell` by the sequencer's.
class ChainDesk {
 public:
  /// conflict if the outbox belongs to another key or chain; whatever its journal says.
  static Result<std::unique_ptr<ChainDesk>> open(Context& context);

  /// An applied command's event.
  void tell(const exchange::Event& event);
  /// A round. True if there may be more to do at once.
  bool step();
  /// Why the outbox's journal failed: nothing is sent any more, until it is opened again.
  const std::optional<Error>& failure() const { return failure_; }
  /// Until `wake`, a command's answer or an event, `most` at most.
  void wait(std::chrono::milliseconds most);
  void wake();

 private:
  /// How often an entry that came to nothing was tried again, and before which block it is not.
  struct Again {
    uint64_t times = 0;
    uint64_t not_before = 0;
    bool refused = false;  ///< by the contract, the last time; else the chain turned
  };
  enum class Told : uint8_t { nothing, waits, refused };

  ChainDesk(Context& context, settlement::Outbox outbox);

  Result<bool> follow();
  Result<void> check_age(uint64_t head_time);
  void tell_away();
  Result<void> look_ahead();
  void submit(const settlement::Change& change);
  void tell_reasons(const settlement::Seen& seen);
  void bring_when_due();
  Result<void> bring();
  using Leases = std::vector<const exchange::Lease*>;
  /// What one transaction does for many leases, or one for one.
  struct Together {
    std::string_view kind;  ///< how its entries' ids begin: "open" or "close"
    size_t most_out;        ///< transactions that wait for a block at once
    std::function<Bytes(const Leases&)> call;
    std::function<std::string(const exchange::Lease&)> name;
    std::function<Result<void>(const exchange::Lease&)> alone;
  };
  using Ending = std::pair<exchange::Lease, exchange::EndWants>;

  Result<void> bring_openings(const std::vector<exchange::Lease>& opening);
  Result<void> bring_ends(const std::vector<Ending>& settling);
  Result<void> bring_together(const Together& what, Leases waiting);
  Result<void> bring_batch(const Together& what, const Leases& batch);
  /// The batch of that kind in which it was brought the last time, or none.
  const settlement::Entry* batch_of(std::string_view kind, const std::string& name);
  /// Keeps, or drops, what an entry that is a batch carries.
  void carry(const std::string& id, bool carried);
  bool waits(const settlement::Entry& batch) const;
  /// Nothing where the node does not answer.
  Result<std::vector<bool>> would_take(const Bytes& call, size_t items);
  /// `batch`: with which it came to nothing before, if one.
  Result<void> bring_opening(const exchange::Lease& lease, const settlement::Entry* batch);
  Result<void> bring_stop(const exchange::Lease& lease);
  Result<void> bring_end(const exchange::Lease& lease, const exchange::EndWants& wants);
  /// Submits it, again if it ended and is still wanted.
  Result<void> want(const std::string& id, const Bytes& data);
  Result<void> forget_ended();
  Result<void> watch_gas();
  void tell_gas(bool low);
  /// Transactions of that kind of which none is in a block yet.
  size_t out(std::string_view kind) const;
  void note(const char* doing, const Result<void>& result);

  Context& context_;
  const exchange::ChainSettlement chain_;
  settlement::Outbox outbox_;
  std::optional<settlement::Follower> follower_;
  std::map<std::string, Again> again_;
  std::set<std::string> not_opened_;  ///< that the exchange and the log were told of
  /// By kind and name ("opens:NAME"), the id of the batch that carries it, as the outbox has them.
  std::map<std::string, std::string, std::less<>> carried_;
  std::optional<Error> failure_;
  std::map<std::string, std::string> troubles_;  ///< what is in the way of what
  uint64_t seen_to_ = 0;                         ///< the state's last block
  uint64_t seen_time_ = 0;                       ///< and its time, in seconds
  uint64_t brought_to_ = 0;                      ///< the last block when what waits was read
  bool bring_due_ = true;
  std::map<LeaseId, uint64_t> opened_ahead_;  ///< in blocks that are not deep enough
  std::optional<u128> gas_;                   ///< wei of the gas account, once it is known
  u128 gas_for_ = 0;                          ///< as many leases it would pay for
  uint64_t gas_read_at_ = 0;                  ///< that block
  bool heard_ = false;        ///< all that the node tells was taken, as of this step
  bool old_ = false;          ///< its head is
  uint64_t heard_at_ms_ = 0;  ///< the chain, the last time
  std::atomic<bool> away_;    ///< as the exchange was told

  std::mutex mutex_;  ///< guards what is below
  std::condition_variable changed_;
  bool woken_ = true;
  bool news_ = false;  ///< what waits may have changed
  Told told_ = Told::nothing;
  std::string refusal_;  ///< why, and until when it is not read again
  MonotonicMs again_at_{};
};

}  // namespace mizan::service
