// Sandbox: runs jobs as OCI bundles by runc or crun, each under a conmon of its own.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.hpp"

#include "base/ensure.hpp"
#include "sandbox/cgroups.hpp"
#include "sandbox/claims.hpp"
#include "sandbox/disk_pool.hpp"
#include "sandbox/job_files.hpp"
#include "sandbox/job_root.hpp"
#include "sandbox/monitor.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/oci_image.hpp"
#include "sandbox/process.hpp"
#include "sandbox/seccomp.hpp"
#include "sandbox/sha256.hpp"
#include "sandbox/signals.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace mizan::sandbox {

namespace {

constexpr int kStartTimeoutMs = 60'000;
constexpr int kKillTimeoutMs = 30'000;

tl::unexpected<Error> no_such_job(const std::string& id) {
  return fail(ErrorCode::not_found, "there is no job " + id + " in the sandbox");
}

/// Mount options are one string, so a folder's name must not end one of them; and the job's first
/// process, which has no rights outside, must get through to its root.
Result<void> check_folders(const Options& options) {
  for (const auto* folder : {&options.state_folder, &options.run_folder, &options.claims_folder}) {
    if (!folder->is_absolute() || folder->string().find_first_of(",:\\\"\n") != std::string::npos)
      return fail(ErrorCode::invalid_argument,
                  "the folder \"" + folder->string() +
                      "\" must be an absolute path without comma, colon, quote or backslash");
  }
  for (auto parent = options.run_folder.parent_path(); !parent.empty() && parent != "/";
       parent = parent.parent_path()) {
    struct stat st {};
    if (::stat(parent.c_str(), &st) == 0 && (st.st_mode & S_IXOTH) == 0)
      return fail(ErrorCode::invalid_argument, "jobs cannot pass through " + parent.string() +
                                                   "; choose another run folder, or chmod o+x it");
  }
  return {};
}

}  // namespace

struct Sandbox::Impl {
  Options options;
  Capabilities capabilities;
  CgroupMounts cgroups;
  Tools tools;
  boost::json::object seccomp;
  UniqueFd lock;
  Claims claims;
  ImageStore images;
  DiskPool pool;

  explicit Impl(Options given)
      : options(std::move(given)),
        claims(options.claims_folder / "claims"),
        images(options.state_folder / "images", options.image_bytes_max),
        pool(disks(), options.pool_disks, options.pool_disk_bytes) {}
  ~Impl() {
    // The tmpfs that keep_in_memory() may have mounted stays as long as a job needs it.
    if (lock && names_in(options.run_folder / "jobs").empty()) (void)let_go(options.run_folder);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  fs::path disks() const { return options.state_folder / "disks"; }
  fs::path host_root() const { return options.state_folder / "host-root"; }
  JobFiles files(const std::string& id) const {
    return JobFiles(options.state_folder, options.run_folder, id);
  }

  Result<void> set_up();
  Result<void> make(const Spec& spec, const JobFiles& files);
  Result<void> settle_start(const JobFiles& files) const;
  Result<void> end_processes(const JobFiles& files, const JobRecord& record) const;
};

Result<void> Sandbox::Impl::set_up() {
  const auto& state = options.state_folder;
  const auto& run = options.run_folder;
  MIZAN_CHECK(make_folder(state, 0711));
  MIZAN_TRY(held, lock_for_process(state / "lock"));
  lock = std::move(held);
  for (const char* name : {"jobs", "disks", "images"}) MIZAN_CHECK(make_folder(state / name, 0700));
  MIZAN_CHECK(make_folder(run, 0711));
  MIZAN_CHECK(keep_in_memory(run));
  MIZAN_CHECK(make_folder(run / "jobs", 0711));
  MIZAN_CHECK(make_folder(run / "s", 0700));
  MIZAN_CHECK(make_folder(run / "runtime", 0711));
  MIZAN_CHECK(make_host_root(host_root()));
  MIZAN_TRY(list, read_file(kSeccompList));
  MIZAN_TRY(rules, make_seccomp(list));
  seccomp = std::move(rules);
  tools = {capabilities.runtime, find_program("conmon"), find_program("catatonit"),
           find_program("cp")};
  return {};
}

Result<Sandbox> Sandbox::open(Options options) {
  if (options.run_folder.empty()) {
    Sha256 name;
    name.add(options.state_folder.c_str(), options.state_folder.native().size());
    options.run_folder = options.claims_folder / name.finish().substr(0, 16);
  }
  MIZAN_CHECK(make_folder(options.claims_folder, 0711));
  MIZAN_CHECK(check_folders(options));
  auto impl = std::make_unique<Impl>(std::move(options));
  impl->capabilities = probe(impl->options);
  if (!impl->capabilities.missing.empty()) {
    std::string sentences;
    for (const auto& sentence : impl->capabilities.missing)
      sentences += (sentences.empty() ? "" : "; ") + sentence;
    return fail(ErrorCode::unavailable, "this machine cannot run jobs yet: " + sentences);
  }
  impl->cgroups = find_cgroups();
  MIZAN_CHECK(impl->set_up());
  return Sandbox(std::move(impl));
}

Sandbox::Sandbox(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sandbox::Sandbox(Sandbox&&) noexcept = default;
Sandbox& Sandbox::operator=(Sandbox&&) noexcept = default;
Sandbox::~Sandbox() = default;

const Capabilities& Sandbox::capabilities() const {
  return impl_->capabilities;
}

bool Sandbox::wait_for_pool(uint64_t timeout_ms) {
  return impl_->pool.wait_full(timeout_ms);
}

/// A start that was cut off between its two files: asks the runtime which of them is true.
Result<void> Sandbox::Impl::settle_start(const JobFiles& files) const {
  std::error_code error;
  auto begin = files.read_time(files.starting());
  if (!begin || fs::exists(files.started(), error)) return {};
  wait_for_starts(files.id, kStartTimeoutMs);
  auto answer =
      run_tool({tools.runtime, "--root=" + files.runtime_root.string(), "state", files.id});
  boost::system::error_code bad;
  auto value = boost::json::parse(answer.value_or(""), bad);
  const auto* object = bad ? nullptr : value.if_object();
  const auto* status = object ? object->if_contains("status") : nullptr;
  if (status != nullptr && status->is_string() && status->get_string() == "created") {
    ::unlink(files.starting().c_str());
    return {};
  }
  return write_file(files.started(), std::to_string(*begin));
}

Result<std::vector<Found>> Sandbox::recover() {
  auto names = names_in(impl_->options.state_folder / "jobs");
  for (const auto& name : names_in(impl_->options.run_folder / "jobs")) names.push_back(name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<Found> found;
  std::vector<std::string> disks_in_use;
  for (const auto& id : names) {
    auto files = impl_->files(id);
    auto record = files.read_record();
    if (!record || !record->made) {
      MIZAN_CHECK(destroy(id));
      continue;
    }
    if (record->boot == boot_id()) MIZAN_CHECK(impl_->settle_start(files));
    MIZAN_TRY(state_now, files.state(impl_->cgroups));
    found.push_back({id, state_now});
    disks_in_use.push_back(record->disk);
  }
  for (const auto& disk : names_in(impl_->disks()))
    if (std::find(disks_in_use.begin(), disks_in_use.end(), disk) == disks_in_use.end())
      MIZAN_CHECK(remove_disk(impl_->disks(), disk));
  MIZAN_CHECK(impl_->images.sweep());
  impl_->pool.start();
  return found;
}

std::vector<std::string> Sandbox::list() const {
  std::vector<std::string> ids;
  for (const auto& id : names_in(impl_->options.state_folder / "jobs")) {
    auto record = impl_->files(id).read_record();
    if (record && record->made) ids.push_back(id);
  }
  return ids;
}

Result<void> Sandbox::Impl::make(const Spec& spec, const JobFiles& files) {
  MIZAN_TRY(ids, claims.claim_ids(files.kept));
  MIZAN_TRY(cpus, claims.claim_cpus(files.kept, spec.limits.cores));
  uint32_t base = kIdBase + ids * kIdCount;
  JobRecord record;
  record.boot = boot_id();
  record.ids = ids;
  record.log_bytes = spec.limits.log_bytes;

  BundleInput bundle;
  MIZAN_TRY(devices, find_devices(spec.devices, options.cdi_folders));
  bundle.devices = std::move(devices);
  bundle.host_image = spec.image == "host";
  fs::path lower = host_root();
  MIZAN_CHECK(make_folder(files.run, 0710));
  if (::chown(files.run.c_str(), 0, base) != 0) return fail_errno("make the bundle", errno);
  MIZAN_CHECK(make_folder(files.exit_folder(), 0700));
  MIZAN_CHECK(make_folder(files.root(), 0755));
  if (!bundle.host_image) {
    MIZAN_TRY(image, images.get(spec.image));
    bundle.user = image.user;
    lower = files.lower();
    MIZAN_CHECK(make_folder(lower, 0700));
    MIZAN_CHECK(mount_shifted(image.root, lower, base, kIdCount));
  }
  MIZAN_TRY(disk, pool.take(spec.limits.disk_bytes));
  record.disk = disk.name;
  if (auto written = files.write_record(record); !written) {
    (void)remove_disk(disks(), disk.name);
    return written;
  }
  MIZAN_CHECK(fill_upper(spec, bundle.user, base, bundle.host_image, lower, disk.upper()));
  MIZAN_CHECK(mount_overlay(lower, disk.upper(), disk.work(), files.root()));

  rlimit own{};
  if (::getrlimit(RLIMIT_NOFILE, &own) != 0) return fail_errno("read the limits", errno);
  bundle.spec = &spec;
  bundle.root = files.root();
  bundle.id_base = base;
  bundle.cpus = std::move(cpus);
  bundle.cgroup = cgroup_of(spec.id);
  bundle.bounds_swap = cgroups.bounds_swap;
  bundle.open_files_max = own.rlim_max;
  bundle.init = tools.init;
  MIZAN_CHECK(write_file(files.run / "config.json", make_config(bundle, seccomp)));
  MIZAN_TRY(processes,
            create_container(files, tools, cgroups, std::to_string(ids), spec.limits.log_bytes));
  weigh_jobs(cgroups);
  record.monitor = processes.monitor;
  record.init = processes.init;
  record.made = true;
  return files.write_record(record);
}

Result<void> Sandbox::prepare(const Spec& spec) {
  MIZAN_CHECK(check(spec));
  auto files = impl_->files(spec.id);
  if (::mkdir(files.kept.c_str(), 0700) != 0) {
    if (errno != EEXIST) return fail_errno("make " + files.kept.string(), errno);
    return fail(ErrorCode::already_exists, "the job " + spec.id + " is in the sandbox already");
  }
  auto made = impl_->make(spec, files);
  if (!made) (void)destroy(spec.id);
  return made;
}

Result<void> Sandbox::start(const std::string& id) {
  auto files = impl_->files(id);
  MIZAN_TRY(state_now, files.state(impl_->cgroups));
  std::error_code error;
  if (state_now.phase != Phase::created || fs::exists(files.starting(), error))
    return fail(ErrorCode::conflict, "the job " + id + " was started before, or has ended");
  MIZAN_CHECK(files.write_time(files.starting()));
  auto started =
      run_tool({impl_->tools.runtime, "--root=" + files.runtime_root.string(), "start", id},
               kStartTimeoutMs);
  if (!started) {
    ::unlink(files.starting().c_str());
    return fail(started.error());
  }
  return files.write_time(files.started());
}

Result<State> Sandbox::state(const std::string& id) const {
  auto state_now = impl_->files(id).state(impl_->cgroups);
  if (!state_now && state_now.error().code == ErrorCode::not_found) return no_such_job(id);
  return state_now;
}

Result<UniqueFd> Sandbox::exit_notice(const std::string& id) const {
  MIZAN_TRY(record, impl_->files(id).read_record());
  if (!record.made) return no_such_job(id);
  UniqueFd notice;
  if (record.boot == boot_id()) notice = open_process(record.monitor);
  if (!notice) notice.reset(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!notice) return fail_errno("watch the job " + id, errno);
  return notice;
}

Result<size_t> Sandbox::signal(const std::string& id, int signal) {
  MIZAN_TRY(record, impl_->files(id).read_record());
  if (!record.made) return no_such_job(id);
  return signal_handlers(impl_->cgroups, cgroup_of(id), record.init.pid, signal);
}

Result<void> Sandbox::kill(const std::string& id) {
  MIZAN_TRY(record, impl_->files(id).read_record());
  if (!record.made) return no_such_job(id);
  if (record.boot != boot_id()) return {};
  // With the first process of a PID namespace the kernel ends all the others.
  if (auto init = open_process(record.init)) (void)send_signal(init, SIGKILL);
  return {};
}

fs::path Sandbox::bundle_path(const std::string& id) const {
  return impl_->files(id).run;
}

fs::path Sandbox::log_path(const std::string& id) const {
  return impl_->files(id).log();
}

Result<OutputTree> Sandbox::outputs(const std::string& id) const {
  auto files = impl_->files(id);
  MIZAN_TRY(record, files.read_record());
  if (!record.made) return no_such_job(id);
  if (record.boot != boot_id())
    return fail(ErrorCode::unavailable,
                "the machine was started again while the job " + id + " ran; its disk is lost");
  UniqueFd root(::open(files.root().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return fail_errno("open the files of the job " + id, errno);
  return OutputTree(std::move(root));
}

Result<void> Sandbox::Impl::end_processes(const JobFiles& files, const JobRecord& record) const {
  if (record.made && record.boot == boot_id()) {
    if (auto init = open_process(record.init)) (void)send_signal(init, SIGKILL);
    if (auto monitor = open_process(record.monitor); monitor && !wait_gone(monitor, kKillTimeoutMs))
      (void)send_signal(monitor, SIGKILL);
  } else {
    ::unlink((files.run / "config.json").c_str());  // whoever is about to read it comes too late
    kill_by_bundle(files.run);
  }
  std::error_code error;
  if (fs::exists(files.runtime_root / files.id, error)) {
    auto gone = run_tool(
        {tools.runtime, "--root=" + files.runtime_root.string(), "delete", "--force", files.id},
        kKillTimeoutMs);
    // A container that was only half-created may be unknown to the runtime, which then leaves this.
    if (!gone) MIZAN_CHECK(remove_tree(files.runtime_root / files.id));
  }
  return remove_cgroup(cgroups, cgroup_of(files.id));
}

Result<void> Sandbox::destroy(const std::string& id) {
  auto files = impl_->files(id);
  std::error_code error;
  bool there = fs::exists(files.kept, error) || fs::exists(files.run, error);
  if (!there) return {};
  const auto record = files.read_record().value_or(JobRecord{});
  if (record.made) {  // cut off after this it is half-destroyed, and recover() goes on with it
    auto half = record;
    half.made = false;
    MIZAN_CHECK(files.write_record(half));
  }
  MIZAN_CHECK(impl_->end_processes(files, record));
  MIZAN_CHECK(unmount(files.root()));
  MIZAN_CHECK(unmount(files.lower()));
  if (!record.disk.empty()) MIZAN_CHECK(impl_->pool.give_back(record.disk));
  for (const auto& name : names_in(files.sockets))
    if (fs::read_symlink(files.sockets / name, error) == files.run)
      ::unlink((files.sockets / name).c_str());
  MIZAN_CHECK(remove_tree(files.run));
  MIZAN_CHECK(impl_->claims.release(files.kept));
  return remove_tree(files.kept);
}

}  // namespace mizan::sandbox
