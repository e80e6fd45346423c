// mizan stop: the buyer's signed end of a lease.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/follow.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/print.hpp"
#include "mizan/request_close.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

Result<int> stop(const Context& context, const std::string& ref) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(job, find_job(context, session, ref));
  const std::string name = job.order ? job.order->name : short_id(job.lease);
  // One that is over here may be open on a chain all the same: the exchange knows.
  const bool on_chain = !session.domain().is_credits();
  if (lease_is_over(job.view) && !on_chain)
    return fail(ErrorCode::conflict, fmt::format("{} is over already: {}", name,
                                                 member_or<std::string>(job.view, "reason")));
  // A client of this home that meters the job signs for nothing after this, whatever it is told.
  if (job.order)
    MIZAN_CHECK(write_small_file(order_folder(context.home, job.order->order) / "stopped", "\n"));
  MIZAN_TRY(answer, request_close(session, job.lease));
  if (context.json)
    print_json(answer);
  else
    Terminal(stdout, context.no_color)
        .write(fmt::format("{}: {}\n", name,
                           member_or<std::string>(job.view, "state") == "held"
                               ? "no officer is asked any more, and its escrow came back"
                               : "no more time is billed; it gets its signal and is collected"));
  return kExitDone;
}

}  // namespace

void add_stop(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("stop", "End a job: signal, grace, kill; billing ends now");
  static std::string ref;
  command.add_option("job", ref, "Id (its first digits do) or name")->required();
  on_run(command, context, [&context] { return stop(context, ref); });
}

}  // namespace mizan::cli
