// JobFiles: all that is known about one job, in files, so that a killed agent's heir finds it.
// SPDX-License-Identifier: Apache-2.0
#include "sandbox/job_files.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

namespace mizan::sandbox {

namespace json = boost::json;

namespace {

constexpr int kUnknownCode = 137;  // as if killed, which it was
constexpr uint64_t kDiskFullBytes = 65536;

json::object to_json(const ProcessId& id) {
  return {{"pid", id.pid}, {"start_ticks", id.start_ticks}};
}

uint64_t number_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr) return 0;
  if (const auto* number = value->if_uint64()) return *number;
  if (const auto* number = value->if_int64(); number && *number >= 0)
    return static_cast<uint64_t>(*number);
  return 0;
}

std::string text_of(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// /proc/uptime's first number, whose seconds have two digits behind the point.
std::optional<uint64_t> uptime_ms(std::string_view text) {
  const size_t point = std::min(text.find('.'), text.size());
  const auto seconds = parse_number(text.substr(0, point));
  const auto hundredths = parse_number(text.substr(std::min(point + 1, text.size()), 2));
  if (!seconds || !hundredths) return std::nullopt;
  return *seconds * 1000 + *hundredths * 10;
}

ProcessId process_at(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  if (value == nullptr || !value->is_object()) return {};
  return {static_cast<pid_t>(number_at(value->get_object(), "pid")),
          number_at(value->get_object(), "start_ticks")};
}

}  // namespace

Result<JobRecord> JobFiles::read_record() const {
  MIZAN_TRY(text, read_file(kept / "record.json"));
  boost::system::error_code error;
  auto value = json::parse(text, error);
  if (error || !value.is_object())
    return fail(ErrorCode::corrupted, "the record of job " + id + " is damaged");
  const auto& object = value.get_object();
  JobRecord record;
  record.boot = text_of(object, "boot");
  record.disk = text_of(object, "disk");
  const auto* made = object.if_contains("made");
  record.made = made != nullptr && made->is_bool() && made->get_bool();
  record.monitor = process_at(object, "monitor");
  record.init = process_at(object, "init");
  record.ids = static_cast<uint32_t>(number_at(object, "ids"));
  record.log_bytes = number_at(object, "log_bytes");
  return record;
}

Result<void> JobFiles::write_record(const JobRecord& record) const {
  json::object object{{"boot", record.boot},
                      {"disk", record.disk},
                      {"ids", record.ids},
                      {"made", record.made},
                      {"monitor", to_json(record.monitor)},
                      {"init", to_json(record.init)},
                      {"log_bytes", record.log_bytes}};
  return write_file(kept / "record.json", json::serialize(object));
}

Result<void> JobFiles::write_time(const fs::path& file) const {
  return write_file(file, std::to_string(boottime_ms()));
}

std::optional<uint64_t> JobFiles::read_time(const fs::path& file) const {
  auto text = read_file(file, 100);
  return text ? parse_number(*text) : std::nullopt;
}

std::optional<int> JobFiles::exit_code(bool monitor_gone) const {
  auto text = read_file(exit_folder() / id, 100);
  auto code = text ? parse_number(*text) : std::nullopt;
  if (!code) return std::nullopt;
  auto end = read_file(ended(), 100);
  if (!monitor_gone && (!end || !end->ends_with('\n'))) return std::nullopt;
  return static_cast<int>(*code);
}

uint64_t JobFiles::ran_ms(bool over) const {
  auto begin = read_time(started());
  // Killed between the two files: the earlier one is at most the time of a start too early.
  if (!begin) begin = read_time(starting());
  if (!begin) return 0;
  uint64_t end = boottime_ms();
  if (over) {
    auto text = read_file(ended(), 100);
    if (auto uptime = text ? uptime_ms(*text) : std::nullopt)
      end = *uptime;
    else if (auto found = read_time(lost()))
      end = *found;
  }
  return end > *begin ? end - *begin : 0;
}

Result<State> JobFiles::state(const CgroupMounts& cgroups) const {
  MIZAN_TRY(record, read_record());
  if (!record.made) return fail(ErrorCode::not_found, "there is no job " + id + " in the sandbox");
  State state;
  if (record.boot != boot_id()) {
    state.phase = Phase::exited;
    state.exit_code = kUnknownCode;
    state.reason = EndReason::machine_restarted;
    return state;
  }
  auto monitor = open_process(record.monitor);
  auto code = exit_code(!monitor);
  std::error_code error;
  if (code) {
    state.phase = Phase::exited;
    state.exit_code = *code;
  } else if (!monitor) {
    state.phase = Phase::exited;
    state.exit_code = kUnknownCode;
    state.reason = EndReason::monitor_lost;
    // Nobody would write its log or notice its end any more.
    if (auto init = open_process(record.init)) (void)send_signal(init, SIGKILL);
  } else {
    state.phase = fs::exists(started(), error) ? Phase::running : Phase::created;
    state.pid = record.init.pid;
  }
  bool over = state.phase == Phase::exited;
  if (over && !fs::exists(ended(), error) && !fs::exists(lost(), error))
    MIZAN_CHECK(write_time(lost()));
  state.ran_ms = ran_ms(over);
  auto events = read_events(cgroups, cgroup_of(id));
  state.memory_limit_hit = events.oom_kills > 0;
  state.pids_limit_hit = events.pids_refused > 0;
  if (over && state.exit_code != 0 && state.memory_limit_hit && state.reason == EndReason::exited)
    state.reason = EndReason::out_of_memory;
  struct statvfs disk {};
  if (::statvfs(root().c_str(), &disk) == 0)
    state.disk_full = disk.f_bavail * disk.f_frsize < kDiskFullBytes || disk.f_ffree == 0;
  struct stat st {};
  if (::stat(log().c_str(), &st) == 0)
    state.log_full = static_cast<uint64_t>(st.st_size) >= record.log_bytes;
  return state;
}

}  // namespace mizan::sandbox
