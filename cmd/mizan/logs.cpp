// mizan logs: a job's log, so far or until its end.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/print.hpp"
#include "mizan/watch_job.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

Result<int> logs(const Context& context, const std::string& ref, bool follow, bool times) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(job, find_job(context, session, ref));
  const std::string name = job.order ? job.order->name : short_id(job.lease);
  if (follow) {
    const DetachSignals signals;
    JobWatcher watcher(context, name);
    MIZAN_TRY(followed, follow_lease(session, job.lease, watcher.events()));
    watcher.status().clear();
    if (followed.detached) return kExitDone;
    if (context.json) print_json(followed.lease);
    return exit_code_of(followed.lease);
  }
  MIZAN_TRY(answer,
            session.client().get("/v1/leases/" + hex0x(job.lease.view()) + "/logs?offset=0"));
  LogRecords cutter;
  auto records = cutter.feed(answer.body);
  if (lease_is_over(job.view))
    for (LogRecord& last : cutter.finish()) records.push_back(std::move(last));
  const Terminal out(stdout, context.no_color), err(stderr, context.no_color);
  LogFilter out_filter, err_filter;
  for (const LogRecord& record : records) {
    if (context.json) {
      print_json(json::object{{"time", record.time},
                              {"stream", record.err ? "stderr" : "stdout"},
                              {"text", printable(record.text)},
                              {"partial", record.partial}});
      continue;
    }
    const std::string text =
        (times ? record.time + " " : "") + record.text + (record.partial ? "" : "\n");
    const Terminal& to = record.err ? err : out;
    to.write(to.live() ? (record.err ? err_filter : out_filter).pass(text) : text);
  }
  return kExitDone;
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
