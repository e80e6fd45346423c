#include "simulation/machine.hpp"

#include "crypto/hash.hpp"

#include <fmt/format.h>

namespace mizan::simulation {

using namespace provider;

std::string Script::text() const {
  return fmt::format("sim {} {} {} {}", runs_ms, exit_code, lines, deaf ? 1 : 0);
}

Script Script::read(const std::string& text) {
  Script out;
  unsigned long long ms = 0;
  unsigned long long lines = 0;
  int deaf = 0;
  if (std::sscanf(text.c_str(), "sim %llu %d %llu %d", &ms, &out.exit_code, &lines, &deaf) == 4) {
    out.runs_ms = ms;
    out.lines = lines;
    out.deaf = deaf != 0;
  }
  return out;
}

std::string Script::log() const {
  std::string all;
  for (uint64_t i = 0; i < lines; ++i) all += fmt::format("line {}\n", i);
  return all;
}

// The agent's files.

Result<void> AgentStore::put(const std::string& name, std::string_view value,
                             Durability durability) {
  if (world_.faults.strikes(Fault::agent_disk, 50)) {
    failed_[name] = world_.scheduler.now_ms();
    return fail(ErrorCode::io_error, name + ": No space left on device");
  }
  files_[name] = value;
  if (durability == Durability::machine) synced_[name] = value;
  return {};
}

Result<std::optional<std::string>> AgentStore::get(const std::string& name) {
  const auto found = files_.find(name);
  return found == files_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> AgentStore::remove(const std::string& name) {
  files_.erase(name);
  return {};
}

Result<std::vector<std::string>> AgentStore::names() {
  std::vector<std::string> all;
  for (const auto& [name, value] : files_) all.push_back(name);
  return all;
}

void AgentStore::machine_died() {
  for (auto it = files_.begin(); it != files_.end();) {
    const auto old = synced_.find(it->first);
    const bool same = old != synced_.end() && old->second == it->second;
    const uint64_t fate = same ? 0 : random_.below(4);
    if (fate == 1 && old != synced_.end()) it->second = old->second;
    if (fate == 2) it->second.resize(random_.below(it->second.size() + 1));
    if (fate == 3 && old == synced_.end())
      it = files_.erase(it);
    else
      ++it;
  }
  // A removal that was not synced is undone.
  for (const auto& [name, value] : synced_)
    if (!files_.contains(name) && random_.chance(2'000)) files_[name] = value;
  synced_ = files_;
}

// The jobs.

void Machine::tell(const LeaseId& lease, decltype(BackendEvent::what) what) {
  world_.scheduler.after(1, [this, lease, what = std::move(what), life = life_] {
    if (tell_ && life == life_) tell_({lease, what});
  });
}

void Machine::work(uint64_t ms, std::function<void()> what) {
  world_.scheduler.after(ms, [this, what = std::move(what), life = life_] {
    if (life == life_) what();
  });
}

std::optional<Error> Machine::trouble(const LeaseId& lease, const char* what) {
  if (!world_.faults.strikes(Fault::job_trouble, 200)) return std::nullopt;
  in_trouble_.insert(lease);
  return Error{random_.chance(6'000) ? ErrorCode::unavailable : ErrorCode::io_error, what, {}};
}

void Machine::set_agent(std::function<void(BackendEvent)> tell) {
  ++life_;
  tell_ = std::move(tell);
}

void Machine::machine_died() {
  ++boot_;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    Job& job = it->second;
    if (job.phase == JobPhase::prepared) {
      it = jobs_.erase(it);
      continue;
    }
    if (job.phase == JobPhase::running) {
      job.phase = JobPhase::exited;
      job.exit = {-1, "machine_restarted", world_.scheduler.now_ms() - job.started_at_ms};
      past_[it->first].exit = job.exit;
      past_[it->first].exited_at_ms = world_.scheduler.now_ms();
      past_[it->first].log = job.log;
    }
    ++it;
  }
}

Result<std::vector<FoundJob>> Machine::recover() {
  std::vector<FoundJob> found;
  for (const auto& [lease, job] : jobs_) {
    FoundJob one{lease, job.phase, 0, job.exit};
    if (job.phase == JobPhase::running) one.ran_ms = world_.scheduler.now_ms() - job.started_at_ms;
    found.push_back(one);
  }
  return found;
}

void Machine::prepare(const Workload& load) {
  work(random_.between(10, 400), [this, load] {
    if (auto error = trouble(load.lease, "the working tree cannot be fetched"))
      return tell(load.lease, Prepared{fail(*std::move(error))});
    world_.expect(
        !jobs_.contains(load.lease),
        name_ + ": the job of " + hex(load.lease.view()).substr(0, 8) + " is made ready twice");
    uint64_t used = load.cores;
    for (const auto& [id, job] : jobs_)
      if (job.phase != JobPhase::exited) used += job.load.cores;
    world_.expect(used <= units_, name_ + ": units are sold twice: " + std::to_string(used) +
                                      " of " + std::to_string(units_) + " are in use");
    Job& job = jobs_[load.lease];
    job.load = load;
    job.script = Script::read(load.job.run);
    tell(load.lease, Prepared{});
  });
}

void Machine::start(const LeaseId& lease) {
  if (auto error = trouble(lease, "the runtime does not start it"))
    return tell(lease, Started{fail(*std::move(error)), 0});
  // Done by the machine, even if the agent dies before it hears of it.
  world_.scheduler.after(random_.between(1, 30), [this, lease, boot = boot_] {
    const auto it = jobs_.find(lease);
    if (boot != boot_ || it == jobs_.end() || it->second.phase != JobPhase::prepared) return;
    Job& job = it->second;
    Past& past = past_[lease];
    world_.expect(past.started_at_ms == 0,
                  name_ + ": the job of " + hex(lease.view()).substr(0, 8) + " is started twice");
    job.phase = JobPhase::running;
    job.started_at_ms = past.started_at_ms = world_.scheduler.now_ms();
    past.script = job.script;
    past.has_outputs = !job.load.job.outputs.empty();
    world_.scheduler.after(job.script.runs_ms, [this, lease, code = job.script.exit_code, boot] {
      const auto it_ends = jobs_.find(lease);
      if (boot != boot_ || it_ends == jobs_.end()) return;
      it_ends->second.whole_log();
      exit(lease, code, code == 0 ? "completed" : "failed");
    });
    write_line(lease, 0);
    tell(lease, Started{{}, 0});
  });
}

void Machine::write_line(const LeaseId& lease, uint64_t number) {
  const auto it = jobs_.find(lease);
  if (it == jobs_.end() || it->second.phase != JobPhase::running) return;
  Job& job = it->second;
  if (number >= job.script.lines) return;
  job.log += fmt::format("line {}\n", number);
  tell(lease, LogGrew{});
  const uint64_t every = std::max<uint64_t>(1, job.script.runs_ms / (job.script.lines + 1));
  world_.scheduler.after(every, [this, lease, number, boot = boot_] {
    if (boot == boot_) write_line(lease, number + 1);
  });
}

void Machine::exit(const LeaseId& lease, int32_t code, const std::string& reason) {
  const auto it = jobs_.find(lease);
  if (it == jobs_.end() || it->second.phase != JobPhase::running) return;
  Job& job = it->second;
  job.phase = JobPhase::exited;
  const uint64_t now = world_.scheduler.now_ms();
  job.exit = {code, reason, now - job.started_at_ms};
  Past& past = past_[lease];
  past.exit = job.exit;
  past.exited_at_ms = now;
  past.log = job.log;
  tell(lease, Exited{job.exit});
}

void Machine::stopping(const LeaseId& lease) {
  uint64_t& at = past_[lease].stopped_at_ms;
  if (at == 0) at = world_.scheduler.now_ms();
}

void Machine::signal(const LeaseId& lease, const std::string&, bool or_kill) {
  const auto it = jobs_.find(lease);
  if (it == jobs_.end() || !or_kill) return;
  stopping(lease);
  if (it->second.script.deaf) return;
  world_.scheduler.after(random_.between(1, 3'000), [this, lease, boot = boot_] {
    if (boot == boot_) exit(lease, 0, "completed");
  });
}

void Machine::kill(const LeaseId& lease) {
  if (!jobs_.contains(lease)) return;
  stopping(lease);
  world_.scheduler.after(2, [this, lease, boot = boot_] {
    if (boot == boot_) exit(lease, 137, "killed");
  });
}

Result<Bytes> Machine::read_log(const LeaseId& lease, uint64_t offset, size_t most) {
  const auto it = jobs_.find(lease);
  if (it == jobs_.end()) return fail(ErrorCode::not_found, "no such job");
  const std::string& log = it->second.log;
  const std::string part = offset < log.size() ? log.substr(offset, most) : "";
  return Bytes(part.begin(), part.end());
}

void Machine::collect(const Workload& load) {
  work(random_.between(5, 200), [this, load] {
    if (auto error = trouble(load.lease, "the outputs cannot be read"))
      return tell(load.lease, Collected{fail(*std::move(error))});
    const auto it = jobs_.find(load.lease);
    if (it == jobs_.end())
      return tell(load.lease, Collected{fail(ErrorCode::not_found, "no such job")});
    it->second.sealed = sealed(load.lease);
    tell(load.lease, Collected{sha256(it->second.sealed)});
  });
}

void Machine::upload(const LeaseId& lease) {
  const auto it = jobs_.find(lease);
  if (it == jobs_.end() || it->second.sealed.empty())
    return tell(lease, Uploaded{fail(ErrorCode::not_found, "nothing is sealed")});
  if (auto error = trouble(lease, "the upload breaks off"))
    return tell(lease, Uploaded{fail(ErrorCode::unavailable, error->message)});
  store_(it->second.sealed, sha256(it->second.sealed),
         [this, lease, life = life_](Result<void> result) {
           if (life == life_) tell(lease, Uploaded{std::move(result)});
         });
}

void Machine::remove(const LeaseId& lease) {
  work(random_.between(1, 50), [this, lease] {
    jobs_.erase(lease);
    tell(lease, Removed{});
  });
}

}  // namespace mizan::simulation
