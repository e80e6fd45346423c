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

 private:
  void expect(const exchange::Lease& lease, bool holds, const std::string& otherwise);
  void look_at_ending(const exchange::Lease& lease, const AgentHost& agent);
  void look_at_bill(const exchange::Lease& lease, const Machine::Past* past, bool disturbed);
  void look_at_log(const exchange::Lease& lease, const Machine::Past& past);

  Surroundings& world_;
  const Auditor& auditor_;
  ExchangeHost& exchange_;
};

}  // namespace mizan::simulation
