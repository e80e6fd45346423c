// What an agent asks of an order and of a clearance before it believes them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/backend.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/inventory.hpp"
#include "provider/wire.hpp"

#include <set>
#include <string>

namespace mizan::provider {

/// What a match is held to: the agent's own word, not the exchange's.
struct Offering {
  eip712::Ask ask;
  OrderId ask_id;
  Capacity capacity;
  uint32_t free_units = 0;
  std::set<std::string> images;  ///< names that jobs may call "oci:NAME"
};

/// Whether the match is what the agent offered and the buyer signed: the lease's id, its parties,
/// rate, units and seconds, the bid's signature and bounds, the spec's hash, and a job that the
/// slice can hold. The error's code and message go into `reject`.
Result<void> check_match(const Match& match, const Offering& offering, const ExchangeFacts& facts);

/// Whether the clearance is the exchange's word for this lease and still good at
/// `exchange_seconds`.
Result<void> check_clearance(const Funded& funded, const ExchangeFacts& facts,
                             uint64_t exchange_seconds);

/// The job with what its slice of the node may use. `spare_disk_gb` is what a job gets that names
/// no size, if its slice has it.
Workload workload_of(const LeaseId& lease, const eip712::Terms& terms, const job::Job& job,
                     const Capacity& capacity, uint64_t spare_disk_gb);

}  // namespace mizan::provider
