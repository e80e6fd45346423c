// A provider's machine: its jobs, which outlive the agent, and the agent's files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "provider/backend.hpp"
#include "provider/store.hpp"
#include "simulation/surroundings.hpp"

#include <functional>
#include <map>
#include <set>

namespace mizan::simulation {

/// What a job does, read from its `run`: "sim MS EXIT LINES DEAF", e.g. "sim 12000 0 5 0". DEAF 1:
/// it does not hear signals.
struct Script {
  uint64_t runs_ms = 0;
  int32_t exit_code = 0;
  uint64_t lines = 0;
  bool deaf = false;
  std::string text() const;
  static Script read(const std::string& text);
  std::string log() const;  ///< of a job that ran to its end
};

/// Files of the agent, by name: what the machine's death leaves of them is what was synced, the
/// rest may be the old value, the new one, or damaged.
class AgentStore final : public provider::Store {
 public:
  AgentStore(Surroundings& world, const std::string& name)
      : world_(world), random_(world.random.fork("store " + name)) {}
  Result<void> put(const std::string& name, std::string_view value,
                   provider::Durability durability) override;
  Result<std::optional<std::string>> get(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  Result<std::vector<std::string>> names() override;
  void machine_died();
  /// Whether a write of that name ever failed.
  bool has_failed(const std::string& name) const { return failed_.contains(name); }
  /// When the last one did; 0: never.
  uint64_t failed_at_ms(const std::string& name) const {
    const auto found = failed_.find(name);
    return found == failed_.end() ? 0 : found->second;
  }

 private:
  Surroundings& world_;
  Random random_;
  std::map<std::string, uint64_t> failed_;  ///< when last
  std::map<std::string, std::string> files_;
  std::map<std::string, std::string> synced_;
};

/// The jobs of one provider. Counts what no exchange and no agent may ever do: start a job twice,
/// hold more units than there are.
class Machine final : public provider::Backend {
 public:
  /// Stores an artifact at the exchange; answers with an error or nothing.
  using Store = std::function<void(const std::string& body, const Hash32& name,
                                   std::function<void(Result<void>)> done)>;

  Machine(Surroundings& world, const std::string& name, uint32_t units)
      : world_(world), random_(world.random.fork("machine " + name)), name_(name), units_(units) {}

  Result<std::vector<provider::FoundJob>> recover() override;
  void prepare(const provider::Workload& workload) override;
  void start(const LeaseId& lease) override;
  void signal(const LeaseId& lease, const std::string& name, bool or_kill) override;
  void kill(const LeaseId& lease) override;
  Result<Bytes> read_log(const LeaseId& lease, uint64_t offset, size_t most) override;
  void collect(const provider::Workload& workload) override;
  void upload(const LeaseId& lease) override;
  void remove(const LeaseId& lease) override;

  /// An agent lives from now on, or none does (null): what was under way is not told.
  void set_agent(std::function<void(provider::BackendEvent)> tell);
  void set_store(Store store) { store_ = std::move(store); }
  void machine_died();

  struct Past {  ///< of a job that is or was here, for the auditor
    Script script;
    uint64_t started_at_ms = 0;
    uint64_t exited_at_ms = 0;
    provider::ExitStatus exit;
    uint64_t stopped_at_ms = 0;  ///< signalled or killed first; 0: never
    std::string log;             ///< what it had written at its end
    bool has_outputs = false;
  };
  const std::map<LeaseId, Past>& past() const { return past_; }
  /// Whether something of this job went wrong here by a fault of the world.
  bool was_in_trouble(const LeaseId& lease) const { return in_trouble_.contains(lease); }
  static std::string sealed(const LeaseId& lease) { return "outputs of " + hex(lease.view()); }
  size_t jobs() const { return jobs_.size(); }
  uint32_t units() const { return units_; }

 private:
  struct Job {
    provider::Workload load;
    Script script;
    provider::JobPhase phase = provider::JobPhase::prepared;
    uint64_t started_at_ms = 0;
    provider::ExitStatus exit;
    std::string log;
    std::string sealed;
    void whole_log() {
      if (phase == provider::JobPhase::running) log = script.log();
    }
  };
  void tell(const LeaseId& lease, decltype(provider::BackendEvent::what) what);
  /// After a while, unless the agent's life ends first: the work was a part of the agent.
  void work(uint64_t ms, std::function<void()> what);
  void write_line(const LeaseId& lease, uint64_t number);
  void exit(const LeaseId& lease, int32_t code, const std::string& reason);
  std::optional<Error> trouble(const LeaseId& lease, const char* what);
  void stopping(const LeaseId& lease);

  Surroundings& world_;
  Random random_;
  const std::string name_;
  const uint32_t units_;
  std::map<LeaseId, Job> jobs_;
  std::map<LeaseId, Past> past_;
  std::set<LeaseId> in_trouble_;
  std::function<void(provider::BackendEvent)> tell_;
  Store store_;
  uint64_t life_ = 0;  ///< of the agent
  uint64_t boot_ = 0;
};

}  // namespace mizan::simulation
