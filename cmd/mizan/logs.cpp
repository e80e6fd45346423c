// mizan logs: a job's log, so far or until its end.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/print.hpp"
#include "mizan/self_meter.hpp"
#include "mizan/watch_job.hpp"
#include "transfer/stream.hpp"

#include <fmt/format.h>

#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kLogBytesMax = uint64_t{1} << 40;

class Printer {
 public:
  Printer(const Context& context, bool times)
      : context_(context),
        times_(times),
        out_(stdout, context.no_color),
        err_(stderr, context.no_color) {}

  void print(const LogRecord& record) {
    if (context_.json) {
      print_json(json::object{{"time", printable(record.time)},
                              {"stream", record.err ? "stderr" : "stdout"},
                              {"text", printable(record.text)},
                              {"partial", record.partial}});
      return;
    }
    const std::string text =
        (times_ ? record.time + " " : "") + record.text + (record.partial ? "" : "\n");
    const Terminal& to = record.err ? err_ : out_;
    to.write(to.live() ? (record.err ? err_filter_ : out_filter_).pass(text) : text);
  }

 private:
  const Context& context_;
  bool times_;
  Terminal out_;
  Terminal err_;
  LogFilter out_filter_;
  LogFilter err_filter_;
};

// A log may be larger than memory: it passes through a file.
Result<int> print_so_far(const Context& context, Session& session, const FoundJob& job,
                         bool times) {
  MIZAN_CHECK(make_private_folder(context.home / "tmp"));
  const fs::path file = context.home / "tmp" / fmt::format("{}.log", ::getpid());
  auto answer = session.client().get_file(
      "/v1/leases/" + hex0x(job.lease.view()) + "/logs?offset=0", file, kLogBytesMax);
  if (!answer) return fail(std::move(answer).error());
  auto source = transfer::file_source(file);
  std::error_code ignored;
  fs::remove(file, ignored);  // it stays open
  if (!source) return fail(std::move(source).error());
  LogRecords records;
  Printer printer(context, times);
  while (true) {
    MIZAN_TRY(bytes, (*source)());
    if (bytes.empty()) break;
    for (const LogRecord& record : records.feed(as_text(bytes))) printer.print(record);
  }
  if (lease_is_over(job.view))
    for (const LogRecord& record : records.finish()) printer.print(record);
  return kExitDone;
}

Result<int> logs(const Context& context, const std::string& ref, bool follow, bool times) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(job, find_job(context, session, ref));
  const std::string name = job.order ? job.order->name : short_id(job.lease);
  if (follow) {
    const DetachSignals signals;
    JobWatcher watcher(context, name);
    FollowEvents events = watcher.events();
    std::optional<Session> own;  // with the account's key, from which the meter's follows
    std::optional<SelfMeter> meter;
    if (job.order && meters_itself(session, *job.order) && !lease_is_over(job.view)) {
      MIZAN_TRY(opened, Session::open(context, Access::orders));
      own.emplace(std::move(opened));
      events = meter
                   .emplace(context, *own, *job.order,
                            [&watcher](const std::string& text) { watcher.say(text); })
                   .watch(std::move(events));
    }
    MIZAN_TRY(followed, follow_lease(session, job.lease, events));
    watcher.status().clear();
    if (followed.detached) return kExitDone;
    if (context.json) print_json(followed.lease);
    return exit_code_of(followed.lease);
  }
  return print_so_far(context, session, job, times);
}

}  // namespace

void add_logs(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("logs", "A job's log");
  static std::string ref;
  static bool follow = false, times = false;
  command.add_option("job", ref, "Id (its first digits do) or name; the newest by default");
  command.add_flag("-f,--follow", follow, "Until the job ends; then end with its exit code");
  command.add_flag("-t,--times", times, "With the time of each line");
  on_run(command, context, [&context] { return logs(context, ref, follow, times); });
}

}  // namespace mizan::cli
