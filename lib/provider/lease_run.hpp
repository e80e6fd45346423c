// LeaseRun: a lease that an agent holds, with what need not survive the agent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/record.hpp"

namespace mizan::provider {

/// Where the job's container stands, as far as the backend has told.
enum class Body : uint8_t { absent, preparing, prepared, starting, running, exited };

struct LeaseRun {
  LeaseRecord record;
  Body body = Body::absent;
  bool unsaved = false;  ///< the store refused the record: try again

  uint64_t started_at_ms = 0;  ///< while it runs
  bool signalled = false;      ///< of a stop
  bool killed = false;
  uint64_t signal_again_at_ms = 0;  ///< next periodic checkpoint; 0 if none

  bool busy = false;  ///< the backend collects or uploads
  uint64_t retry_at_ms = 0;
  unsigned retries = 0;

  bool accept_sent = false;  ///< over this connection
  uint64_t accept_sent_at_ms = 0;
  bool opening = false;          ///< the exchange has the acceptance, and a chain its opening
  bool rejected = false;         ///< over this connection: the exchange says what comes of it
  uint64_t log_acked = 0;        ///< stored at the exchange
  uint64_t log_again_at_ms = 0;  ///< a piece is on its way, or the next one waits, until then
  bool log_delivered = false;    ///< the job is over and all of it is stored, or refused for good

  uint64_t told_by = 0;  ///< id of the first heartbeat that carried its end; 0: none yet
  bool told = false;     ///< and it was taken
  uint64_t close_again_at_ms = 0;
  std::optional<u128> pay_told;    ///< that the exchange can have it paid, less than was asked
  bool close_answered = false;     ///< its close was taken, or refused for good
  uint64_t give_up_at_ms = 0;      ///< of a lease that is over
  uint64_t log_give_up_at_ms = 0;  ///< of a job that is over, whose log is refused
  bool behind_told = false;        ///< that vouchers lag was said already

  bool terminal() const { return record.stage == Stage::done || record.stage == Stage::failed; }
  bool alive() const {
    return body == Body::preparing || body == Body::starting || body == Body::running;
  }
};

}  // namespace mizan::provider
