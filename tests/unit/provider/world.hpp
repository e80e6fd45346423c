// A small world in one thread and virtual time, in which the agent's own code lives: an exchange
// that keeps to docs/PROTOCOL.md, a network that breaks, a machine whose jobs outlive the agent.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/agent.hpp"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mizan::provider::testing {

/// What a job does when it is run.
struct Script {
  uint64_t runs_ms = 12'000;
  int32_t exit_code = 7;
  uint64_t line_every_ms = 1'000;
  bool hears_signals = true;        ///< a stop signal ends it after exits_after_ms
  uint64_t exits_after_ms = 2'000;  ///< past the grace: it has to be killed
};

/// The machine's side of a job.
struct FakeJob {
  Workload load;
  JobPhase phase = JobPhase::prepared;
  uint64_t started_at = 0;
  ExitStatus exit;
  std::string log;
  std::vector<std::string> signals;
  bool killed = false;
  bool sealed = false;
  bool stored = false;
};

/// The exchange's side of a lease.
struct FakeLease {
  eip712::Terms terms;
  eip712::Bid bid;
  Signature bid_signature;
  std::string spec;
  std::string state = "matched";
  std::string log;
  eip712::LeaseStatus status;
  std::vector<uint8_t> phases;  ///< each new one, in order
  uint64_t heard_at = 0;
  bool stop = false;
  bool closing = false;  ///< its bill is fixed; a chain settles it at the provider's close
  int funded = 0;
  int closed = 0;
  u128 min_paid = 0;  ///< of its Close
  u128 vouchered = 0;
  uint64_t funded_at = 0;
  bool over() const { return state == "settled" || state == "failed"; }
};

class World final : public Clock, public Backend, public Link {
 public:
  explicit World(Script script = {});
  ~World() override;

  // Who is there.
  ExchangeFacts facts;
  SecretKey identity = key(1), meter = key(2), clearance = key(3);
  SecretKey provider = key(4), buyer = key(5);
  Script script;
  job::Job job;  ///< of the next bid
  uint64_t lease_seconds = 3'600;
  uint64_t grace = 30;
  uint64_t clearance_seconds = 60;
  uint64_t opening_ms = 0;  ///< that a chain takes to open a lease
  uint64_t closing_ms = 0;  ///< and to close it
  uint64_t vouchers_tell_one_second_in = 1;
  AgentConfig config;
  std::unique_ptr<Agent> agent;
  std::vector<Notice> notices;

  // What can go wrong.
  bool exchange_up = true;
  std::optional<Error> prepare_error, upload_error, collect_error, start_error;
  std::optional<Error> ask_error;                ///< the exchange takes no ask
  std::optional<Error> log_error;                ///< nor a log
  bool lost_log = false;                         ///< until the next close
  std::optional<u128> pays;                      ///< no more than this, of a lease
  std::optional<Error> store_error;              ///< nothing can be written
  std::function<void(FakeLease&)> before_match;  ///< spoils it

  // What has happened.
  std::map<LeaseId, FakeLease> leases;
  std::map<LeaseId, FakeJob> jobs;
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> synced;  ///< of them, what the machine's death leaves
  uint64_t starts = 0, prepares = 0, uploads = 0, heartbeats = 0, rejects = 0, connects = 0;
  std::string last_reject;
  std::optional<eip712::Ask> ask;
  std::vector<OrderId> cancelled;

  /// Called before each step, with its number from 1 on.
  std::function<void(uint64_t)> on_step;
  uint64_t steps = 0;

  void boot();        ///< the agent starts
  void kill_agent();  ///< and dies without a word
  void restart_in(uint64_t ms);
  void cut();  ///< the connection breaks
  /// The next message to the agent comes twice.
  void duplicate_next() { duplicate_ = true; }
  LeaseId match();  ///< a bid meets the ask
  void stop(const LeaseId& lease);
  /// Lets the world run until `done` or for `most_ms` more; true if it was done.
  bool run_until(const std::function<bool()>& done, uint64_t most_ms = 600'000);
  void run_for(uint64_t ms) {
    const uint64_t until = time_ms + ms;
    at(until, [] {});
    run_until([this, until] { return time_ms >= until; }, ms + 1);
  }
  bool listed() const { return ask.has_value(); }
  void tell(json::object message);  ///< to the agent, as the exchange
  void end_lease(const LeaseId& lease, const std::string& state, const std::string& reason);
  std::string full_log() const;

  uint64_t time_ms = 5'000'000;
  int64_t wall_offset_ms = 1'700'000'000'000;

  // Clock.
  UnixMs now() const override {
    return UnixMs{static_cast<uint64_t>(static_cast<int64_t>(time_ms) + wall_offset_ms)};
  }
  MonotonicMs monotonic() const override { return MonotonicMs{time_ms}; }

  // Backend.
  Result<std::vector<FoundJob>> recover() override;
  void prepare(const Workload& workload) override;
  void start(const LeaseId& lease) override;
  void signal(const LeaseId& lease, const std::string& name, bool or_kill) override;
  void kill(const LeaseId& lease) override;
  Result<Bytes> read_log(const LeaseId& lease, uint64_t offset, size_t most) override;
  void collect(const Workload& workload) override;
  void upload(const LeaseId& lease) override;
  void remove(const LeaseId& lease) override;

  // Link.
  void connect() override;
  void send(std::string text) override;
  void close(const std::string& why) override;
  void post(uint64_t number, const std::string& target, std::string body) override;

  static SecretKey key(uint8_t n);
  static Hash32 sealed_hash(const LeaseId& lease);

 private:
  class MemoryStore;
  void at(uint64_t when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
  void after(uint64_t ms, std::function<void()> what) { at(time_ms + ms, std::move(what)); }
  void tell_agent(BackendEvent event);  ///< now, if this agent still lives when it arrives
  void exit_job(const LeaseId& lease, int32_t code, const std::string& reason);
  void write_line(const LeaseId& lease, uint64_t number);

  void welcome();
  void heard(const std::string& text);
  void heard_heartbeat(const json::object& message);
  void heard_log(const json::object& message);
  void heard_close(const json::object& message);
  void reply(const json::object& message);
  void refuse(const json::object& message, ErrorCode code, const std::string& what,
              const json::object& details = {});
  void send_match(const LeaseId& id);
  void send_funded(const LeaseId& id);
  void watch_leases();

  std::multimap<uint64_t, std::function<void()>> events_;
  std::unique_ptr<Store> store_;
  uint64_t life_ = 0;        ///< of the agent
  uint64_t connection_ = 0;  ///< its number while one is open or opening
  bool connected_ = false;
  bool duplicate_ = false;
  uint64_t sequence_ = 0;
  uint64_t nonce_ = 0;
};

}  // namespace mizan::provider::testing
