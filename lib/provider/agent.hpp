// Agent: a provider's side of the protocol as a state machine without input or output of its own.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.hpp"
#include "crypto/key.hpp"
#include "provider/backend.hpp"
#include "provider/checks.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/lease_run.hpp"
#include "provider/link.hpp"
#include "provider/listing.hpp"
#include "provider/store.hpp"
#include "provider/wire.hpp"

#include <functional>
#include <map>
#include <set>

namespace mizan::provider {

/// Something that whoever watches the agent may want to read. Holds no secret.
struct Notice {
  bool warning = false;
  std::string text;
  LeaseId lease;  ///< zero if it is about none
};

struct AgentConfig {
  Offer offer;
  std::set<std::string> images;
  uint64_t spare_disk_gb = 1;  ///< what a job gets that names no size
  std::string boot_id;         ///< another one means that the machine was started again
};

/// What an agent works with. All outlive it.
struct AgentParts {
  const ExchangeFacts& facts;
  const SecretKey& key;
  Backend& backend;
  Store& store;
  Link& link;
  const Clock& clock;
  std::function<uint64_t()> random;           ///< for jitter alone
  std::function<void(const Notice&)> notify;  ///< may be empty
};

/// A row for people who watch.
struct LeaseLine {
  LeaseId lease;
  std::string name;
  std::string stage;
  uint64_t units = 0;
  uint64_t ran_ms = 0;
  Money vouchered;
};
struct AgentStatus {
  bool connected = false;
  Money earned;  ///< paid by receipts, since the state folder was made
  std::vector<LeaseLine> leases;
};

/// Runs the leases of one provider: every fact that must survive the agent is in the Store or with
/// the Backend before it is acted on, so that an agent killed at any instant and started again
/// goes on where it was. One thread; nothing here waits. Each on_... call and tick() does all that
/// is due; call tick() again at next_wakeup().
class Agent {
 public:
  Agent(AgentConfig config, AgentParts parts);

  /// Takes up what earlier lives left behind, then connects. Once, before anything else.
  Result<void> start();

  void on_open();
  void on_text(std::string_view text);
  void on_close(const Error& why);
  void on_posted(uint64_t number, const Result<void>& answer);
  void on_backend(BackendEvent event);
  void tick();

  /// When tick() has something to do, if nothing happens before.
  MonotonicMs next_wakeup() const { return MonotonicMs{wakeup_ms_}; }
  AgentStatus status() const;

 private:
  struct Pending {  ///< a message that waits for its reply
    enum class Kind { ask, heartbeat, accept, reject, log, close } kind = Kind::ask;
    LeaseId lease;
    uint64_t sent_at_ms = 0;
  };

  // agent.cpp: the connection, heartbeats and time.
  void settle();
  void connect_when_due();
  void beat_when_due();
  void send_heartbeat();
  void heartbeat_taken(uint64_t id, uint64_t sent_at_ms);
  uint64_t next_sequence();
  uint64_t ask_reply(Pending::Kind kind, const LeaseId& lease);
  void wake_at(uint64_t at_ms) { wakeup_ms_ = std::min(wakeup_ms_, at_ms); }
  void wake_for(const LeaseRun& run);
  uint64_t now_ms() const { return parts_.clock.monotonic().ms; }
  uint64_t exchange_seconds() const;
  void notify(const LeaseId& lease, std::string text, bool warning = false) const;
  void list_when_due();
  static bool holds_units(const LeaseRun& run);
  uint32_t free_units() const;
  bool has_room_for(const LeaseRun& run) const;

  // agent_recovery.cpp: what earlier lives left.
  Result<void> load_leases();
  Result<void> load_contact();
  void take_up(LeaseRun& run, const FoundJob* found, bool same_boot);

  // agent_messages.cpp: what the exchange says.
  void handle(const Welcome& message);
  void handle(const Match& message);
  void handle(const Opening& message);
  void handle(const Funded& message);
  void handle(const LogOk& message);
  void handle(const VoucherMessage& message);
  void handle(const Stop& message);
  void handle(const Closed& message);
  void handle(const PolicySpoke& message);
  void handle(const AskEnded& message);
  void handle(const Reply& message);
  void refused(const Pending& pending, const Error& error);
  void log_refused(LeaseRun& run, const Error& error);
  void report_lost(const LeaseId& lease);
  void end_late(LeaseRun& run);

  // agent_backend.cpp: what the backend tells.
  void handle(LeaseRun& run, const Prepared& event);
  void handle(LeaseRun& run, const Started& event);
  void handle(LeaseRun& run, const Exited& event);
  void handle(LeaseRun& run, const LogGrew& event);
  void handle(LeaseRun& run, const Collected& event);
  void handle(LeaseRun& run, const Uploaded& event);
  void retry(LeaseRun& run, const std::string& what, const Error& error);
  void lose_outputs(LeaseRun& run, const Error& error);

  // agent_leases.cpp: one lease's next step.
  bool advance(LeaseRun& run);
  bool advance_accepted(LeaseRun& run);
  bool advance_funded(LeaseRun& run);
  bool advance_exited(LeaseRun& run);
  bool advance_over(LeaseRun& run);
  std::string overdue(const LeaseRun& run) const;
  uint64_t voucher_patience_ms(const LeaseRecord& record) const;
  uint64_t seconds_covered(const LeaseRun& run) const;
  uint64_t unpaid_ms(const LeaseRun& run) const;
  u128 most_unpaid(const LeaseRecord& record, uint32_t kept_bps) const;
  void supervise(LeaseRun& run);
  void begin_stop(LeaseRun& run, const std::string& reason);
  static uint64_t kill_at_ms(const LeaseRun& run);
  void carry_out_stop(LeaseRun& run);
  void deliver(LeaseRun& run);
  void pump_log(LeaseRun& run);
  void prepare(LeaseRun& run);
  void fail_lease(LeaseRun& run, const std::string& reason);
  void set_stage(LeaseRun& run, Stage stage);
  bool save(LeaseRun& run);
  void forget(LeaseRun& run);
  void make_room(LeaseRun& run);
  LeaseRun* find(const LeaseId& lease);
  eip712::LeaseStatus status_of(const LeaseRun& run) const;

  AgentConfig config_;
  AgentParts parts_;
  eip712::Domain domain_;
  Listing listing_;
  std::map<LeaseId, LeaseRun> leases_;
  std::map<LeaseId, uint32_t> removing_;  ///< units whose job is still being removed
  Money earned_;
  std::map<std::string, uint64_t> told_rules_;  ///< rules of policy -> when they were told of

  bool open_ = false;      ///< a connection is there
  bool welcomed_ = false;  ///< and the exchange has said what it knows
  bool connecting_ = false;
  uint64_t connect_at_ms_ = 0;
  unsigned attempts_ = 0;

  std::map<uint64_t, Pending> pending_;
  uint64_t next_id_ = 1;
  uint64_t sequence_ = 0;         ///< of the last heartbeat
  uint64_t sequence_stored_ = 0;  ///< all below it may have been used
  bool beat_due_ = false;
  uint64_t beat_at_ms_ = 0;
  uint64_t last_taken_ms_ = 0;      ///< when the last heartbeat that was taken was sent
  uint64_t exchange_ahead_ms_ = 0;  ///< exchange's wall clock minus our monotonic one
  bool exchange_heard_ = false;     ///< since the start; before, that is our own wall clock
  uint64_t wakeup_ms_ = 0;
};

}  // namespace mizan::provider
