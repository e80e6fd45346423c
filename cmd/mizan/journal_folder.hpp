// An exchange's state folder, read without the exchange.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"
#include "journal/journal.hpp"
#include "mizan/files.hpp"

#include <functional>
#include <map>
#include <memory>

namespace mizan::cli {

/// The journal of a state folder, every hash checked. The exchange must not run.
Result<std::unique_ptr<journal::Journal>> open_journal(const fs::path& state);

/// The rule sets that are kept beside it.
Result<exchange::RuleSets> kept_rules(const fs::path& state);

/// Every lease that the journal's commands made, as it is at the journal's end, or as it was judged
/// if the exchange has forgotten it since; by its id, and by the id that it had while it was held.
using LeaseHistory = std::map<LeaseId, exchange::Lease>;
Result<LeaseHistory> lease_history(journal::Journal& journal, const exchange::RuleSets& rules);

}  // namespace mizan::cli
