// The inspector: whether each lease of a simulated world ended as the faults allow it to.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "simulation/agent_host.hpp"

namespace mizan::simulation {

/// Looks at both ends of a lease that is over: what the exchange says of it and what the machine
/// saw. A lease that nothing kept from its end has to have come to it, with its whole log, its
/// outputs and a bill over the time that it took.
class Inspector {
 public:
  Inspector(Surroundings& world, const Auditor& auditor, ExchangeHost& exchange)
      : world_(world), auditor_(auditor), exchange_(exchange) {}

  void look_at(const exchange::Lease& lease, const AgentHost& agent);
  /// What could not be looked at while the exchange was down. Called when it is up.
  void catch_up();

 private:
  struct Case;
  struct Stored {
    LeaseId lease;
    std::string log;
    Hash32 outputs;
  };
  void expect(const Case& at, bool holds, const std::string& otherwise);
  void look_at_ending(const Case& at);
  void look_at_undecided(const Case& at);
  bool look_at_refusal(const Case& at);
  void look_at_excuse(const Case& at);
  void look_at_conflict(const Case& at);
  static bool had_no_ask(const AgentHost::TurnedDown& said);
  bool had_replaced_its_ask(const Case& at, const AgentHost::TurnedDown& said) const;
  uint64_t free_by_ms(const LeaseId& id, const AgentHost& agent, uint64_t ended_ms,
                      uint64_t until_ms) const;
  void look_at_own_end(const Case& at);
  void look_at_pace(const Case& at);
  void look_at_bill(const Case& at);
  void look_at_metering(const Case& at);
  void look_at_stored(const Stored& stored);
  bool unpaid_beyond_its_end(const Case& at, uint64_t then_ms) const;
  bool self_metered(const Case& at) const;
  bool may_be_unpaid(const Case& at) const;
  uint64_t patience_ms(const Case& at) const;
  bool resold(const Case& at) const;
  uint64_t away_ms(const Case& at, uint64_t from_ms, uint64_t until_ms) const;

  Surroundings& world_;
  const Auditor& auditor_;
  ExchangeHost& exchange_;
  std::vector<Stored> to_look_at_;
};

}  // namespace mizan::simulation
