// The auditor: reads the journal, keeps books of its own, and says where the exchange contradicts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "codec/json.hpp"
#include "journal/journal.hpp"
#include "net/http.hpp"
#include "property/core_model.hpp"
#include "simulation/policy_books.hpp"
#include "simulation/surroundings.hpp"

#include <map>
#include <set>

namespace mizan::simulation {

/// Follows the journal with an exchange of its own, which is never restored from a snapshot, and
/// keeps money, units and verdicts a second time (property/core_model.hpp) from what that one says.
class Auditor {
 public:
  Auditor(Surroundings& world, exchange::RuleSets rules) : world_(world), core_(std::move(rules)) {}

  /// Reads on to the journal's head. Called when nothing of it is in work.
  void follow(journal::Journal& journal);
  /// A group that somebody may be told of.
  void sealed(const journal::GroupInfo& group) { groups_[group.last_sequence] = group; }
  /// What somebody was told: these records are there, the head was this, its exchange signed so,
  /// and the answer is the one that this exchange gives at that sequence.
  void told(const json::value& answer, const eip712::Domain& domain, const Address& identity);
  /// What somebody reads of accounts, leases and receipts, or why a bid was refused, when it is
  /// answered.
  void read(const net::Request& request, const net::Response& response);
  /// The exchange's own state, in between.
  void compare(const exchange::Exchange& theirs);
  /// Nothing is open any more: all money is in accounts, all units are free.
  void finish(const exchange::Exchange& theirs);

  const exchange::Exchange& core() const { return core_; }
  const test::CoreModel& books() const { return books_; }
  const PolicyBooks& policy() const { return policy_; }
  /// A deal that an officer approved is one, though it was held and matched.
  uint64_t leases() const { return books_.matches + books_.held_deals - books_.approved; }
  uint64_t commands() const { return core_.last_sequence(); }
  /// How each lease that is over ended: reason by count.
  const std::map<std::string, uint64_t>& endings() const { return endings_; }
  /// Called for each lease that was closed or undone.
  std::function<void(const exchange::Lease&)> on_over;
  /// Called for each command of the journal.
  std::function<void(ByteView)> on_record;
  /// When, in the world's time, the auditor first heard of a lease; and of its acceptance.
  uint64_t matched_ms(const LeaseId& lease) const { return at(matched_ms_, lease); }
  uint64_t funded_ms(const LeaseId& lease) const { return at(funded_ms_, lease); }
  /// When the exchange last heard a heartbeat that names it, was back itself, or funded it.
  uint64_t heard_ms(const LeaseId& lease) const { return at(heard_ms_, lease); }
  /// When its buyer, or a listing, ended it early; 0: never.
  uint64_t stopped_ms(const LeaseId& lease) const { return at(stopped_ms_, lease); }
  /// When its last voucher was in the journal; 0: none was.
  uint64_t vouchered_ms(const LeaseId& lease) const { return at(vouchered_ms_, lease); }
  /// The exchange's own time, as its last record until then and the time since have it.
  UnixMs time_at(uint64_t world_ms) const;
  /// When its bill was fixed.
  uint64_t closing_ms(const LeaseId& lease) const { return at(closing_ms_, lease); }
  /// When it gave its units back, closing or undone, which is never forgotten; 0: not yet.
  uint64_t ended_ms(const LeaseId& lease) const { return at(ended_ms_, lease); }
  /// What speaks against it that policy ended the deal, or a listing its lease; empty: nothing.
  std::string against_its_end(const LeaseId& lease) const {
    const auto found = against_.find(lease);
    return found == against_.end() ? "policy never spoke of it" : found->second;
  }
  /// A lease's metering, a second time: by the exchange's time at each record.
  struct Metered {
    UnixMs opened;
    UnixMs heard;               ///< the last heartbeat that names it, or its funding
    UnixMs stopped;             ///< 0: never
    uint64_t staged_ms = 0;     ///< as told
    uint64_t ran_ms = 0;        ///< as told
    uint64_t heard_ms = 0;      ///< from heartbeat to heartbeat, and each time the grace at most
    uint64_t forfeited_ms = 0;  ///< what that leaves out since it was funded
    uint64_t covered_ms = 0;
    uint64_t bound_ms = UINT64_MAX;  ///< on a chain: the least that the contract would pay
    u128 vouchered = 0;
  };
  Metered metered(const LeaseId& lease) const {
    const auto found = metered_.find(lease);
    return found == metered_.end() ? Metered{} : found->second;
  }

 private:
  void acknowledged(const eip712::Acknowledgement& word, uint64_t sequence);
  void read_refusal(const net::Request& request, const net::Response& response);
  void check_refusals();
  void read_account(const json::value& told, const Address& account, const std::string& where);
  void read_lease(const json::value& told, const exchange::Lease& ours, const std::string& where);
  void read_receipt(const json::value& told, const exchange::Lease& ours, const std::string& where);
  void compare_lease(const json::value& told, const LeaseId& id, const eip712::Domain& domain);
  static uint64_t at(const std::map<LeaseId, uint64_t>& times, const LeaseId& lease) {
    const auto found = times.find(lease);
    return found == times.end() ? 0 : found->second;
  }
  void take(const exchange::Sequenced& command);
  void take_faults();
  void take_times(const exchange::Sequenced& command, const exchange::Outcome& outcome);
  void take_policy(const exchange::Sequenced& command, const exchange::Outcome& outcome);
  void take_metering(const exchange::Sequenced& command, const exchange::Outcome& outcome);
  void take_bounds(const exchange::Sequenced& command, const exchange::Outcome& outcome);
  static UnixMs last_billed(const exchange::Lease& lease, const Metered& at, UnixMs now);
  void tell(const eip712::LeaseStatus& status) const;
  void forget(const LeaseId& lease);

  Surroundings& world_;
  exchange::Exchange core_;
  test::CoreModel books_;
  PolicyBooks policy_;
  size_t told_faults_ = 0;
  std::map<uint64_t, journal::GroupInfo> groups_;  ///< that were answered, by their last sequence
  std::map<uint64_t, exchange::Answer> answers_;   ///< to what was not refused, by its sequence
  std::map<std::string, uint64_t> endings_;
  /// Why the core refused what came under an account's key, as it is told; and what was told so.
  std::map<std::pair<Address, std::string>, std::set<std::string>> refused_;
  std::vector<std::pair<std::pair<Address, std::string>, std::string>> told_refusals_;
  std::map<LeaseId, uint64_t> matched_ms_;
  std::map<LeaseId, uint64_t> funded_ms_;
  std::map<LeaseId, uint64_t> heard_ms_;
  std::map<LeaseId, uint64_t> stopped_ms_;
  std::map<LeaseId, uint64_t> closing_ms_;
  std::map<LeaseId, uint64_t> vouchered_ms_;
  std::map<LeaseId, uint64_t> ended_ms_;
  std::vector<std::pair<uint64_t, UnixMs>> record_times_;  ///< the world's, the exchange's
  std::map<LeaseId, std::string> against_;
  std::map<LeaseId, Metered> metered_;
};

}  // namespace mizan::simulation
