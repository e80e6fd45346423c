#include "settlement/outbox_records.hpp"

#include <algorithm>

namespace mizan::settlement::record {
namespace {

tl::unexpected<Error> corrupted(const char* what) {
  return fail(ErrorCode::corrupted, std::string("the outbox contradicts itself: ") + what);
}

struct Applier {
  Outbox::State& state;

  Result<Entry*> find(uint64_t number) const {
    const auto it = state.entries.find(number);
    if (it == state.entries.end()) return corrupted("a record of an entry that is not there");
    return &it->second;
  }
  Result<void> operator()(const Begun& record) const {
    if (!state.account.is_zero()) return corrupted("it begins twice");
    state.chain_id = record.chain_id;
    state.account = record.account;
    return {};
  }
  Result<void> operator()(const Genesis& record) const {
    state.genesis = record.hash;
    return {};
  }
  Result<void> operator()(const Submitted& record) const {
    state.entries[state.next_number++] = {.id = record.id, .call = record.call};
    return {};
  }
  Result<void> operator()(const Signed& record) const {
    MIZAN_TRY(entry, find(record.number));
    if (entry->ended() || (entry->in_flight() && entry->nonce != record.nonce))
      return corrupted("an entry with two nonces");
    if (entry->state == SendState::queued) entry->state = SendState::sent;
    entry->nonce = record.nonce;
    entry->gas = record.gas;
    entry->attempts.push_back(record.attempt);
    state.next_nonce = std::max(state.next_nonce, record.nonce + 1);
    return {};
  }
  Result<void> operator()(const Ended& record) const {
    MIZAN_TRY(entry, find(record.number));
    if (entry->ended() || record.state < SendState::done) return corrupted("an end that is none");
    entry->state = record.state;
    entry->transaction = record.transaction;
    entry->block = record.block;
    entry->reason = record.reason;
    return {};
  }
  Result<void> operator()(const Forgotten& record) const {
    MIZAN_TRY(entry, find(record.number));
    if (!entry->ended()) return corrupted("an entry that was forgotten before its end");
    state.entries.erase(record.number);
    return {};
  }
};

}  // namespace

Result<void> apply(Outbox::State& state, const Record& record) {
  return std::visit(Applier{state}, record);
}

}  // namespace mizan::settlement::record
