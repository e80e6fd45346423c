#include "provider/machine.hpp"

#include "base/time.hpp"
#include "job/environment.hpp"
#include "provider/exchange_facts.hpp"
#include "provider/outputs.hpp"
#include "transfer/tree.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mizan::provider {
namespace {

/// Enough that long transfers of some jobs do not hold up the start of others.
constexpr size_t kThreads = 8;

std::string id_of(const LeaseId& lease) {
  return hex(lease.view());
}

sandbox::Spec spec_of(const Workload& load, const std::string& image) {
  const job::Job& job = load.job;
  sandbox::Spec spec;
  spec.id = id_of(load.lease);
  spec.image = image;
  spec.argv = job::command_line(job);
  spec.env = job::environment(job, {load.lease, load.cores, load.memory_bytes, load.seconds});
  spec.cwd = job::kWorkFolder;
  if (job.checkpoint) spec.folders.push_back(job::absolute_path(job.checkpoint->path));
  spec.limits.cores = load.cores;
  spec.limits.memory_bytes = load.memory_bytes;
  spec.limits.disk_bytes = load.disk_bytes;
  return spec;
}

}  // namespace

ExitStatus exit_status(const sandbox::State& state) {
  ExitStatus status{state.exit_code, "", state.ran_ms};
  switch (state.reason) {
    case sandbox::EndReason::out_of_memory:
      status.reason = "oom";
      return status;
    case sandbox::EndReason::monitor_lost:
      status.reason = "monitor_lost";
      return status;
    case sandbox::EndReason::machine_restarted:
      status.reason = "machine_restarted";
      return status;
    case sandbox::EndReason::exited:
      break;
  }
  if (state.exit_code == 0)
    status.reason = "completed";
  else if (state.disk_full)
    status.reason = "disk_full";
  else
    status.reason = state.exit_code > 128 ? "killed" : "failed";
  return status;
}

Result<std::unique_ptr<Machine>> Machine::open(MachineOptions options,
                                               std::function<void(BackendEvent)> tell) {
  MIZAN_TRY(opened, sandbox::Sandbox::open(options.sandbox));
  std::error_code error;
  std::filesystem::create_directories(options.work_folder, error);
  if (::chmod(options.work_folder.c_str(), 0700) != 0)
    return fail(ErrorCode::io_error, options.work_folder.string() + ": could not make the folder");
  std::unique_ptr<Machine> machine(
      new Machine(std::move(options), std::move(tell), std::move(opened)));
  Machine* self = machine.get();
  MIZAN_TRY(watch, JobWatch::start(
                       [self](const LeaseId& lease) {
                         self->tell_({lease, LogGrew{}});
                       },
                       [self](const LeaseId& lease) { self->tell_exit(lease); }));
  machine->watch_ = std::move(watch);
  machine->workers_ = std::make_unique<KeyedWorkers>(kThreads);
  return machine;
}

Machine::Machine(MachineOptions options, std::function<void(BackendEvent)> tell,
                 sandbox::Sandbox sandbox)
    : options_(std::move(options)), tell_(std::move(tell)), sandbox_(std::move(sandbox)) {}

Machine::~Machine() {
  // The watch posts to the workers, and the workers ask the watch: the watch's thread ends first.
  if (watch_) watch_->stop();
  workers_.reset();
}

std::filesystem::path Machine::work_path(const LeaseId& lease, const std::string& name) const {
  const std::filesystem::path folder = options_.work_folder / id_of(lease);
  return name.empty() ? folder : folder / name;
}

/// A client that signs by the exchange's clock, whatever ours does.
Result<net::Client> Machine::client() const {
  net::Client made(options_.exchange, options_.signer);
  MIZAN_TRY(answer, made.get("/v1/exchange"));
  MIZAN_TRY(facts, parse_exchange(answer.body));
  if (facts.time_ms != 0) made.set_clock_ahead(facts.time_ms - system_clock().now().ms);
  return made;
}

Result<std::vector<FoundJob>> Machine::recover() {
  MIZAN_TRY(found, sandbox_.recover());
  std::vector<FoundJob> jobs;
  for (const sandbox::Found& each : found) {
    const auto lease = parse_fixed<LeaseId>(each.id);
    if (!lease) {
      MIZAN_CHECK(sandbox_.destroy(each.id));
      continue;
    }
    FoundJob job;
    job.lease = *lease;
    job.ran_ms = each.state.ran_ms;
    if (each.state.phase == sandbox::Phase::running) job.phase = JobPhase::running;
    if (each.state.phase == sandbox::Phase::exited) {
      job.phase = JobPhase::exited;
      job.exit = exit_status(each.state);
    }
    if (job.phase == JobPhase::running) watch(job.lease);
    jobs.push_back(std::move(job));
  }
  // Archives whose job is gone serve nobody.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.work_folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool kept = std::any_of(found.begin(), found.end(),
                                  [&](const sandbox::Found& each) { return each.id == name; });
    if (!kept) std::filesystem::remove_all(entry.path(), error);
  }
  return jobs;
}

void Machine::prepare(const Workload& workload) {
  workers_->post(workload.lease, [this, workload] {
    tell_({workload.lease, Prepared{do_prepare(workload)}});
  });
}

Result<void> Machine::do_prepare(const Workload& workload) {
  std::string image = "host";
  if (workload.job.image != "host") {
    const auto it = options_.images.find(workload.job.image.substr(4));
    if (it == options_.images.end())
      return fail(ErrorCode::not_found, "image: this provider has no image by that name");
    image = it->second.string();
  }
  sandbox::Spec spec = spec_of(workload, image);
  if (!workload.job.workdir) return sandbox_.prepare(spec);
  Result<void> done = fetch_workdir(workload.lease, *workload.job.workdir);
  if (done) {
    spec.copies.push_back({work_path(workload.lease, "tree"), job::kWorkFolder});
    done = sandbox_.prepare(spec);
  }
  std::error_code error;
  std::filesystem::remove_all(work_path(workload.lease), error);
  return done;
}

Result<void> Machine::fetch_workdir(const LeaseId& lease, const Hash32& sha256) {
  std::error_code error;
  std::filesystem::remove_all(work_path(lease), error);
  std::filesystem::create_directories(work_path(lease), error);
  const std::filesystem::path archive = work_path(lease, "workdir.tar");
  const transfer::ArchiveLimits limits{.bytes_max = options_.workdir_bytes_max};
  MIZAN_TRY(exchange, client());
  MIZAN_CHECK(exchange.get_file("/v1/artifacts/" + hex0x(sha256.view()), archive,
                                limits.bytes_max + (limits.bytes_max >> 4)));
  MIZAN_TRY(digest, transfer::digest_of_file(archive));
  if (digest.sha256 != sha256)
    return fail(ErrorCode::corrupted, "workdir: the archive's bytes are not those of its name");
  MIZAN_CHECK(transfer::unpack_tree_from_file(archive, work_path(lease, "tree"), limits));
  return {};
}

void Machine::start(const LeaseId& lease) {
  workers_->post(lease, [this, lease] {
    // Watched from before the start: the first line is told when it is written.
    (void)watch_->watch_log(lease, sandbox_.log_path(id_of(lease)));
    Result<void> done = sandbox_.start(id_of(lease));
    uint64_t ran_ms = 0;
    if (const auto state = sandbox_.state(id_of(lease)); state) {
      ran_ms = state->ran_ms;
      // Started before the agent's death, by a call whose answer it did not live to hear.
      if (!done && state->phase != sandbox::Phase::created) done = {};
    }
    const bool started = done.has_value();
    tell_({lease, Started{std::move(done), ran_ms}});
    if (started) watch(lease);
  });
}

/// The log, and the exit of a job that has been started.
void Machine::watch(const LeaseId& lease) {
  (void)watch_->watch_log(lease, sandbox_.log_path(id_of(lease)));
  auto notice = sandbox_.exit_notice(id_of(lease));
  if (!notice || !watch_->watch_exit(lease, *std::move(notice))) tell_exit(lease);
}

void Machine::tell_exit(const LeaseId& lease) {
  workers_->post(lease, [this, lease] {
    const auto state = sandbox_.state(id_of(lease));
    if (state && state->phase == sandbox::Phase::exited)
      return tell_({lease, Exited{exit_status(*state)}});
    // Told of an exit that the files do not show: it is lost to us, which is an end too.
    (void)sandbox_.kill(id_of(lease));
    tell_({lease, Exited{{137, "monitor_lost", state ? state->ran_ms : 0}}});
  });
}

void Machine::signal(const LeaseId& lease, const std::string& name, bool or_kill) {
  workers_->post(lease, [this, lease, number = job::signal_number(name), or_kill] {
    const auto heard = sandbox_.signal(id_of(lease), number);
    if (or_kill && (!heard || *heard == 0)) (void)sandbox_.kill(id_of(lease));
  });
}

void Machine::kill(const LeaseId& lease) {
  workers_->post(lease, [this, lease] { (void)sandbox_.kill(id_of(lease)); });
}

Result<Bytes> Machine::read_log(const LeaseId& lease, uint64_t offset, size_t most) {
  watch_->rearm(lease);
  const sandbox::UniqueFd file(
      ::open(sandbox_.log_path(id_of(lease)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return Bytes{};
    return fail(ErrorCode::io_error, "the job's log could not be opened");
  }
  Bytes bytes(most);
  const ssize_t size = ::pread(file.get(), bytes.data(), most, static_cast<off_t>(offset));
  if (size < 0) return fail(ErrorCode::io_error, "the job's log could not be read");
  bytes.resize(static_cast<size_t>(size));
  return bytes;
}

void Machine::collect(const Workload& workload) {
  workers_->post(workload.lease, [this, workload] {
    tell_({workload.lease, Collected{do_collect(workload)}});
  });
}

Result<Hash32> Machine::do_collect(const Workload& workload) {
  MIZAN_TRY(tree, sandbox_.outputs(id_of(workload.lease)));
  std::error_code error;
  std::filesystem::create_directories(work_path(workload.lease), error);
  sandbox::OutputLimits limits;
  limits.bytes_max = options_.outputs_bytes_max;
  return seal_outputs(tree, workload.job, limits, work_path(workload.lease, "outputs.sealed"));
}

void Machine::upload(const LeaseId& lease) {
  workers_->post(lease, [this, lease] { tell_({lease, Uploaded{do_upload(lease)}}); });
}

Result<void> Machine::do_upload(const LeaseId& lease) {
  const std::filesystem::path file = work_path(lease, "outputs.sealed");
  MIZAN_TRY(digest, transfer::digest_of_file(file));
  MIZAN_TRY(exchange, client());
  auto answer = exchange.put_file("/v1/artifacts/" + hex0x(digest.sha256.view()), file);
  if (answer) return {};
  Error why = std::move(answer).error();
  // `not_found` is our own word for a missing file.
  if (why.code == ErrorCode::not_found) why.code = ErrorCode::unavailable;
  return fail(std::move(why));
}

void Machine::remove(const LeaseId& lease) {
  workers_->post(lease, [this, lease] {
    watch_->forget(lease);
    // What cannot be removed now is found and removed when the agent starts again.
    (void)sandbox_.destroy(id_of(lease));
    std::error_code error;
    std::filesystem::remove_all(work_path(lease), error);
    tell_({lease, Removed{}});
  });
}

}  // namespace mizan::provider
