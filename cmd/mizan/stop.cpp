// mizan stop: the buyer's signed end of a lease.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/follow.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lookup.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kStopValidSeconds = 300;

Result<int> stop(const Context& context, const std::string& ref) {
  MIZAN_TRY(session, Session::open(context, Access::orders));
  MIZAN_TRY(job, find_job(context, session, ref));
  const std::string name = job.order ? job.order->name : short_id(job.lease);
  if (lease_is_over(job.view))
    return fail(ErrorCode::conflict, fmt::format("{} is over already: {}", name,
                                                 member_or<std::string>(job.view, "reason")));
  const eip712::RequestClose request{
      .lease = job.lease,
      .nonce = random_u64(),
      .deadline = session.exchange_time_ms() / 1000 + kStopValidSeconds,
      .max_relay_fee = 0};
  const Signature signature = eip712::sign(session.domain(), request, session.key());
  const json::object body{{"request", to_json(request)}, {"signature", to_json(signature)}};
  MIZAN_TRY(answer, session.post("/v1/leases/" + hex0x(job.lease.view()) + "/request-close", body,
                                 hex(random_bytes(16))));
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
