// Batches: openings and closes that wait at the same time go in one transaction.
#include "service/chain_desk.hpp"
#include "service/chain_items.hpp"

#include <algorithm>

namespace mizan::service {
namespace {

namespace escrow = settlement::escrow;
using exchange::Lease;
using settlement::Entry;
using settlement::SendState;

// Of one transaction. Its bytes stay far below the 128 KiB that nodes take, its gas below what a
// block has.
constexpr size_t kMostTogether = 20;
// While as many wait for a block, what comes waits for that block too, or until a batch is full:
// sooner it would hardly be mined, and later it goes together.
constexpr size_t kFewOut = 4;
// A clearance that has fewer left goes alone: it may come too late, and would take a batch with it.
constexpr uint64_t kAloneBelowSeconds = 30;

/// The first problem of many.
class First {
 public:
  void keep(Result<void> one) {
    if (result_ && !one) result_ = std::move(one);
  }
  Result<void> result() { return std::move(result_); }

 private:
  Result<void> result_;
};

bool never_answered(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::io_error;
}

}  // namespace

std::string opening_name(const Lease& lease) {
  return hex(lease.id.view()) + ":" + std::to_string(lease.attempt);
}

std::vector<std::string> names_in(const std::string& id) {
  std::vector<std::string> out;
  size_t at = id.find(':');
  while (at < id.size()) {
    const size_t end = std::min(id.find('+', at + 1), id.size());
    out.push_back(id.substr(at + 1, end - at - 1));
    at = end;
  }
  return out;
}

settlement::OpenItem open_item(const Lease& lease) {
  return {lease.terms, lease.bid, lease.terms_signature, lease.bid_signature};
}

settlement::CloseItem close_item(const Lease& lease) {
  settlement::CloseItem item{.terms = lease.terms, .payees = lease.payees};
  if (lease.vouchered != 0) {
    item.cumulative = lease.vouchered;
    item.voucher_signature = lease.voucher_signature;
  }
  item.min_paid = lease.close->min_paid;
  item.close_signature = lease.close_signature;
  return item;
}

Result<void> ChainDesk::bring_openings(const std::vector<Lease>& opening) {
  First first;
  // The contract judges by the block that comes next, not by the last one that is deep enough.
  const uint64_t newest = std::max(seen_time_, follower_ ? follower_->head_time() : 0);
  std::map<Hash32, Leases> waiting;  // by the rules that one signature clears them by
  for (const Lease& lease : opening) {
    const std::string name = opening_name(lease);
    const Entry* batch = batch_of("opens:", name);
    if (batch != nullptr && waits(*batch)) continue;
    const bool alone = batch != nullptr || outbox_.find("open:" + name) != nullptr ||
                       lease.clearance_until < newest + kAloneBelowSeconds;
    if (alone)
      first.keep(bring_opening(lease, batch));
    else
      waiting[lease.verdict.rule_set].push_back(&lease);
  }
  const Together openings{
      "open", kMostOpenings,
      [this](const Leases& leases) {
        eip712::ClearanceBatch clearance{{}, leases.front()->verdict.rule_set, UINT64_MAX};
        std::vector<settlement::OpenItem> items;
        for (const Lease* lease : leases) {
          clearance.leases.push_back(lease->id);
          clearance.valid_until = std::min(clearance.valid_until, lease->clearance_until);
          items.push_back(open_item(*lease));
        }
        return escrow::open_many(
            items, clearance,
            eip712::sign(context_.domain, clearance, context_.parts.keys.clearance));
      },
      opening_name, [this](const Lease& lease) { return bring_opening(lease, nullptr); }};
  for (auto& [rules, leases] : waiting) {
    std::ranges::stable_sort(leases, {}, &Lease::clearance_until);
    first.keep(bring_together(openings, std::move(leases)));
  }
  return first.result();
}

/// Those with payees go alone: what these take out of their balances makes a close dearer, by more
/// than a batch has to spare.
Result<void> ChainDesk::bring_ends(const std::vector<Ending>& settling) {
  First first;
  Leases waiting;
  for (const auto& [lease, wants] : settling) {
    const std::string name = hex(lease.id.view());
    const Entry* batch = batch_of("closes:", name);
    if (batch != nullptr && waits(*batch)) continue;
    const bool alone = !wants.close || !lease.payees.empty() || batch != nullptr ||
                       outbox_.find("close:" + name) != nullptr;
    if (alone)
      first.keep(bring_end(lease, wants));
    else
      waiting.push_back(&lease);
  }
  const Together closes{"close", SIZE_MAX,
                        [](const Leases& leases) {
                          std::vector<settlement::CloseItem> items;
                          for (const Lease* lease : leases) items.push_back(close_item(*lease));
                          return escrow::close_many(items);
                        },
                        [](const Lease& lease) { return hex(lease.id.view()); },
                        [this](const Lease& lease) {
                          return want("close:" + hex(lease.id.view()),
                                      escrow::close(close_item(lease)));
                        }};
  first.keep(bring_together(closes, std::move(waiting)));
  return first.result();
}

Result<void> ChainDesk::bring_together(const Together& what, Leases waiting) {
  First first;
  for (size_t from = 0; from < waiting.size(); from += kMostTogether) {
    const size_t count = std::min(kMostTogether, waiting.size() - from);
    const size_t before = out(what.kind);
    if (before >= what.most_out || (count < kMostTogether && before >= kFewOut)) break;
    const auto begin = waiting.begin() + static_cast<ptrdiff_t>(from);
    first.keep(bring_batch(what, Leases(begin, begin + static_cast<ptrdiff_t>(count))));
  }
  return first.result();
}

/// A node's estimate of a batch does not say which item the contract would skip, and it must be
/// known of each before it was in the world. So the batch's answers are asked for: what would fail
/// goes alone, to be refused with its reason, and all go alone where the batch would revert.
Result<void> ChainDesk::bring_batch(const Together& what, const Leases& batch) {
  Leases together, alone = batch;
  if (batch.size() > 1) {
    MIZAN_TRY(taken, would_take(what.call(batch), batch.size()));
    alone.clear();
    for (size_t i = 0; i < batch.size(); ++i) (taken[i] ? together : alone).push_back(batch[i]);
    if (together.size() == 1) alone.push_back(together.front());
  }
  First first;
  if (together.size() > 1) {
    std::string id(what.kind);
    for (const Lease* lease : together)
      id += (lease == together.front() ? "s:" : "+") + what.name(*lease);
    auto brought = outbox_.submit(id, {chain_.contract, 0, what.call(together)});
    if (brought) carry(id, true);
    first.keep(std::move(brought));
  }
  for (const Lease* lease : alone) first.keep(what.alone(*lease));
  return first.result();
}

Result<std::vector<bool>> ChainDesk::would_take(const Bytes& call, size_t items) {
  std::vector<bool> taken(items, false);
  const auto answer = context_.parts.chain->node.view_next(chain_.contract, call);
  if (!answer && never_answered(answer.error())) return fail(answer.error());
  if (!answer) return taken;
  MIZAN_TRY(faults, escrow::faults_of(*answer, items));
  for (size_t i = 0; i < items; ++i) taken[i] = faults[i] == settlement::Selector{};
  return taken;
}

void ChainDesk::carry(const std::string& id, bool carried) {
  const std::string_view kind = std::string_view(id).substr(0, id.find(':') + 1);
  if (kind != "opens:" && kind != "closes:") return;
  for (const std::string& name : names_in(id)) {
    const std::string key = std::string(kind) + name;
    const auto it = carried_.find(key);
    if (carried)
      carried_.insert_or_assign(key, id);
    else if (it != carried_.end() && it->second == id)
      carried_.erase(it);
  }
}

const Entry* ChainDesk::batch_of(std::string_view kind, const std::string& name) {
  const auto found = carried_.find(std::string(kind) + name);
  if (found == carried_.end()) return nullptr;
  const Entry* batch = outbox_.find(found->second);
  const bool failed = batch->ended() && batch->state != SendState::done;
  if (failed && not_opened_.insert(batch->id).second)
    context_.parts.log.warn(
        "contract_refused",
        {{"call", std::string(kind) + std::to_string(names_in(batch->id).size()) + " leases"},
         {"why", batch->reason}});
  return batch;
}

/// Over is a batch that was refused or reverted, and one that is done, once the state has seen its
/// block: what of it is wanted all the same was skipped, or the chain turned.
bool ChainDesk::waits(const Entry& batch) const {
  if (!batch.ended()) return true;
  return batch.state == SendState::done && seen_to_ < batch.block + chain_.depth;
}

size_t ChainDesk::out(std::string_view kind) const {
  size_t waiting = 0;
  for (const Entry* entry : outbox_.entries())
    if (entry->id.starts_with(kind) &&
        (entry->state == SendState::queued || entry->state == SendState::sent))
      ++waiting;
  return waiting;
}

}  // namespace mizan::service
