// mizan get: a job's outputs, opened with the order's key.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/outputs.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

Result<int> get(const Context& context, const std::string& ref, const fs::path& to) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(job, find_job(context, session, ref));
  if (!job.order)
    return fail(ErrorCode::not_found,
                "this home did not order that job: only the home that did has the key to its "
                "outputs");
  const auto outputs = member_or<Hash32>(job.view, "outputs");
  if (outputs.is_zero()) {
    const auto state = member_or<std::string>(job.view, "state");
    return fail(ErrorCode::not_found, state == "settled" || state == "failed"
                                          ? "the job left no outputs"
                                          : fmt::format("the job is {}: no outputs yet", state));
  }
  const Terminal terminal(stderr, context.no_color);
  StatusLine status(terminal);
  std::error_code ignored;
  fs::path folder = to;
  if (folder.empty()) folder = job.order->outputs_to;
  if (folder.empty())
    folder = default_outputs_folder(fs::current_path(ignored), job.order->name, job.order->order);
  MIZAN_TRY(fetched,
            fetch_outputs(context, session, *job.order, outputs, fs::absolute(folder), &status));
  if (context.json)
    print_json(json::object{
        {"folder", fetched.folder.string()}, {"entries", fetched.files}, {"bytes", fetched.bytes}});
  else
    Terminal(stdout, context.no_color).write(fetched.folder.string() + "\n");
  return kExitDone;
}

}  // namespace

void add_get(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("get", "A job's outputs");
  static std::string ref;
  static fs::path to;
  command.add_option("job", ref, "Id (its first digits do) or name; the newest by default");
  command.add_option("--to", to, "A folder that is not there yet");
  on_run(command, context, [&context] { return get(context, ref, to); });
}

}  // namespace mizan::cli
