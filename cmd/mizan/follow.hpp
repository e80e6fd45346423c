// Follows a lease through the exchange's stream, over lost connections, until it is over.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mizan/log_records.hpp"
#include "mizan/session.hpp"

#include <functional>

namespace mizan::cli {

/// While one lives, SIGINT, SIGTERM and SIGHUP set a flag instead of ending the process.
class DetachSignals {
 public:
  DetachSignals();
  ~DetachSignals();
  static bool raised();
};

/// What the follower tells, on its own thread.
struct FollowEvents {
  std::function<void(const LogRecord&)> record{};       ///< each once, in order
  std::function<void(const json::value&)> lease{};      ///< at each change
  std::function<void(const Error&)> connection_lost{};  ///< once for each loss; it goes on trying
  std::function<void()> tick{};                         ///< several times a second
};

struct Followed {
  json::value lease;      ///< its last known form
  bool detached = false;  ///< a signal came before the end
};

/// Returns when the lease is over and its whole log was told. A lease that its provider refused has
/// a successor for the same order: that one is followed then, and `lease` moves on. Errors: what
/// the exchange answers for good (not_found, forbidden, unauthenticated).
Result<Followed> follow_lease(Session& session, LeaseId& lease, const FollowEvents& events);

/// The newest of an account, newest first, and all that are live.
Result<std::vector<json::value>> leases_of(Session& session, const Address& account);

bool lease_is_over(const json::value& lease);

}  // namespace mizan::cli
