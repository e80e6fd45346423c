#include "world.hpp"

#include "codec/json_fields.hpp"
#include "crypto/hash.hpp"

#include <gtest/gtest.h>

namespace mizan::provider::testing {
namespace {

constexpr uint64_t kHopMs = 3;

}  // namespace

class World::MemoryStore final : public Store {
 public:
  explicit MemoryStore(World& world) : world_(world), files_(world.files) {}
  Result<void> put(const std::string& name, std::string_view value,
                   Durability durability) override {
    if (world_.store_error) return fail(*world_.store_error);
    files_[name] = value;
    if (durability == Durability::machine) world_.synced[name] = value;
    return {};
  }
  Result<std::optional<std::string>> get(const std::string& name) override {
    const auto it = files_.find(name);
    return it == files_.end() ? std::nullopt : std::optional(it->second);
  }
  Result<void> remove(const std::string& name) override {
    files_.erase(name);
    return {};
  }
  Result<std::vector<std::string>> names() override {
    std::vector<std::string> all;
    for (const auto& [name, value] : files_) all.push_back(name);
    return all;
  }

 private:
  World& world_;
  std::map<std::string, std::string>& files_;
};

SecretKey World::key(uint8_t n) {
  Bytes bytes(32, n);
  return *SecretKey::from_bytes(bytes);
}

Hash32 World::sealed_hash(const LeaseId& lease) {
  return sha256(lease.view());
}

World::World(Script the_script) : script(the_script), store_(std::make_unique<MemoryStore>(*this)) {
  facts.identity = identity.address();
  facts.meter = meter.address();
  facts.clearance = clearance.address();
  facts.fee_bps = 100;
  facts.id = keccak256("a world");
  config.offer.capacity = {4, 16, 100};
  config.offer.attributes = R"({"cores":{"source":"measured","value":4}})";
  config.offer.rate = Rate{1'000'000};
  config.images = {"train"};
  config.boot_id = "boot-1";
  job.name = "a-job";
  job.run = "true";
  job.outputs = {"model.pt"};
  job.max_seconds = 3'600;
  job.cores = 1;
  job.output_key.bytes[0] = 1;
  at(time_ms + 1'000, [this] { watch_leases(); });
}

World::~World() = default;

void World::boot() {
  ++life_;
  agent = std::make_unique<Agent>(
      config, AgentParts{facts, provider, *this, *store_, *this, *this,
                         [n = uint64_t{0}]() mutable { return n += 7; },
                         [this](const Notice& notice) { notices.push_back(notice); }});
  const auto started = agent->start();
  ASSERT_TRUE(started) << started.error().message;
}

void World::kill_agent() {
  agent.reset();
  ++life_;
  connected_ = false;
  ++connection_;
}

void World::restart_in(uint64_t ms) {
  kill_agent();
  after(ms, [this, life = life_] {
    if (life == life_) boot();
  });
}

void World::cut() {
  if (!connected_) return;
  connected_ = false;
  ++connection_;
  after(0, [this, life = life_] {
    if (agent && life == life_) agent->on_close({ErrorCode::unavailable, "cut", {}});
  });
}

bool World::run_until(const std::function<bool()>& done, uint64_t most_ms) {
  const uint64_t until = time_ms + most_ms;
  uint64_t still = 0;
  while (!done()) {
    uint64_t next = events_.empty() ? until + 1 : events_.begin()->first;
    if (agent) next = std::min(next, agent->next_wakeup().ms);
    if (next > until) return false;
    still = next <= time_ms ? still + 1 : 0;
    if (still > 10'000) {
      ADD_FAILURE() << "the world does not come to rest";
      return false;
    }
    time_ms = std::max(time_ms, next);
    ++steps;
    if (on_step) on_step(steps);
    if (!events_.empty() && events_.begin()->first <= time_ms) {
      const auto what = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      what();
    } else if (agent && agent->next_wakeup().ms <= time_ms) {
      agent->tick();
    }
  }
  return true;
}

std::string World::full_log() const {
  std::string all;
  for (uint64_t i = 0; i * script.line_every_ms < script.runs_ms; ++i)
    all += "line " + std::to_string(i) + "\n";
  return all;
}

// The machine.

void World::tell_agent(BackendEvent event) {
  after(1, [this, life = life_, event = std::move(event)] {
    if (agent && life == life_) agent->on_backend(event);
  });
}

Result<std::vector<FoundJob>> World::recover() {
  std::vector<FoundJob> found;
  for (auto& [lease, each] : jobs) {
    FoundJob one{lease, each.phase, 0, each.exit};
    if (each.phase == JobPhase::running) one.ran_ms = time_ms - each.started_at;
    found.push_back(one);
  }
  return found;
}

void World::prepare(const Workload& load) {
  ++prepares;
  after(40, [this, load, life = life_] {
    if (life != life_) return;  // half made when the agent died: removed
    if (prepare_error) return tell_agent({load.lease, Prepared{fail(*prepare_error)}});
    EXPECT_FALSE(jobs.contains(load.lease)) << "prepared twice";
    jobs[load.lease].load = load;
    tell_agent({load.lease, Prepared{}});
  });
}

void World::write_line(const LeaseId& lease, uint64_t number) {
  const auto it = jobs.find(lease);
  if (it == jobs.end() || it->second.phase != JobPhase::running) return;
  it->second.log += "line " + std::to_string(number) + "\n";
  tell_agent({lease, LogGrew{}});
  after(script.line_every_ms, [this, lease, number] { write_line(lease, number + 1); });
}

void World::start(const LeaseId& lease) {
  if (start_error) return tell_agent({lease, Started{fail(*start_error), 0}});
  after(5, [this, lease] {
    ++starts;
    FakeJob& each = jobs.at(lease);
    each.phase = JobPhase::running;
    each.started_at = time_ms;
    after(script.runs_ms, [this, lease] { exit_job(lease, script.exit_code, "failed"); });
    write_line(lease, 0);
    tell_agent({lease, Started{{}, 0}});
  });
}

void World::exit_job(const LeaseId& lease, int32_t code, const std::string& reason) {
  const auto it = jobs.find(lease);
  if (it == jobs.end() || it->second.phase != JobPhase::running) return;
  it->second.phase = JobPhase::exited;
  it->second.exit = {code, reason, time_ms - it->second.started_at};
  tell_agent({lease, Exited{it->second.exit}});
}

void World::signal(const LeaseId& lease, const std::string& name, bool or_kill) {
  const auto it = jobs.find(lease);
  if (it == jobs.end()) return;
  it->second.signals.push_back(name);
  if (!or_kill) return;
  if (!script.hears_signals) return kill(lease);
  after(script.exits_after_ms, [this, lease] { exit_job(lease, 0, "completed"); });
}

void World::kill(const LeaseId& lease) {
  const auto it = jobs.find(lease);
  if (it == jobs.end()) return;
  it->second.killed = true;
  after(2, [this, lease] { exit_job(lease, 137, "killed"); });
}

Result<Bytes> World::read_log(const LeaseId& lease, uint64_t offset, size_t most) {
  const std::string& log = jobs.at(lease).log;
  const std::string part = offset < log.size() ? log.substr(offset, most) : "";
  return Bytes(part.begin(), part.end());
}

void World::collect(const Workload& load) {
  after(20, [this, load, life = life_] {
    if (life != life_) return;
    if (collect_error) return tell_agent({load.lease, Collected{fail(*collect_error)}});
    jobs.at(load.lease).sealed = true;
    tell_agent({load.lease, Collected{sealed_hash(load.lease)}});
  });
}

void World::upload(const LeaseId& lease) {
  after(20, [this, lease, life = life_] {
    if (life != life_) return;
    ++uploads;
    if (!exchange_up)
      return tell_agent({lease, Uploaded{fail(ErrorCode::unavailable, "nobody there")}});
    if (upload_error) return tell_agent({lease, Uploaded{fail(*upload_error)}});
    EXPECT_TRUE(jobs.at(lease).sealed);
    jobs.at(lease).stored = true;
    tell_agent({lease, Uploaded{}});
  });
}

void World::remove(const LeaseId& lease) {
  after(10, [this, lease, life = life_] {
    if (life != life_) return;
    jobs.erase(lease);
    tell_agent({lease, Removed{}});
  });
}

// The network.

void World::connect() {
  const uint64_t number = ++connection_;
  after(kHopMs, [this, number, life = life_] {
    if (number != connection_ || life != life_ || !agent) return;
    if (!exchange_up) return agent->on_close({ErrorCode::unavailable, "refused", {}});
    connected_ = true;
    ++connects;
    agent->on_open();
    welcome();
  });
}

void World::send(std::string text) {
  if (!connected_) return;
  after(kHopMs, [this, text = std::move(text), number = connection_] {
    if (connected_ && number == connection_) heard(text);
  });
}

void World::close(const std::string&) {
  cut();
}

void World::post(uint64_t number, const std::string& target, std::string body) {
  EXPECT_EQ(target, "/v1/asks/cancel");
  after(kHopMs, [this, number, body, life = life_] {
    if (!agent || life != life_) return;
    if (!exchange_up) return agent->on_posted(number, fail(ErrorCode::unavailable, "nobody there"));
    const auto value = parse_json(body);
    const auto cancel =
        from_json<eip712::CancelAsk>(value->get_object().at("cancel"), "cancel").value();
    const auto signature = from_json<Signature>(value->get_object().at("signature"), "s").value();
    EXPECT_TRUE(
        eip712::check_signer(facts.domain(), cancel, signature, provider.address()).has_value());
    cancelled.push_back(cancel.ask);
    agent->on_posted(number, {});
  });
}

void World::tell(json::object message) {
  if (!connected_) return;
  const std::string text = json_text(message);
  for (int times = std::exchange(duplicate_, false) ? 2 : 1; times > 0; --times) {
    after(kHopMs, [this, text, number = connection_, life = life_] {
      if (agent && life == life_ && connected_ && number == connection_) agent->on_text(text);
    });
  }
}

}  // namespace mizan::provider::testing
