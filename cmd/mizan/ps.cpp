// mizan ps: the account's jobs, and orders of this home that never became one.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/follow.hpp"
#include "mizan/json_view.hpp"
#include "mizan/orders.hpp"
#include "mizan/print.hpp"
#include "mizan/session.hpp"
#include "mizan/watch_job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mizan::cli {
namespace {

struct Row {
  OrderId order;
  std::string name, state, note;
  uint64_t since_ms = 0;
  u128 charged = 0;
  json::value lease;
};

std::string note_of(const json::value& lease) {
  auto reason = member_or<std::string>(lease, "reason");
  const auto code = member_or<std::optional<int64_t>>(lease, "exitCode");
  const json::value& verdict = member_value(lease, "verdict");
  if (member_or<std::string>(lease, "state") == "held")
    return "waits for an officer: " + printable(member_or<std::string>(verdict, "note"));
  if (member_or<std::string>(lease, "state") == "opening") return describe_opening(lease);
  if (!lease_is_over(lease)) return reason;
  const bool ran = member_or<uint64_t>(lease, "openedAtMs") != 0;
  return code && ran && *code >= 0 ? fmt::format("{}, exit code {}", reason, *code) : reason;
}

// A lease a row, newest first, then the orders that no lease of the exchange names.
Result<std::vector<Row>> rows_of(const Context& context, Session& session, bool all) {
  MIZAN_TRY(orders, load_orders(context.home));
  MIZAN_TRY(leases, leases_of(session, session.account()));
  std::vector<Row> rows;
  std::set<OrderId> seen;
  for (const json::value& lease : leases) {
    MIZAN_TRY(order, member<OrderId>(lease, "order"));
    const bool latest = seen.insert(order).second;
    if (!latest || (!all && lease_is_over(lease))) continue;
    const auto known = std::find_if(orders.begin(), orders.end(),
                                    [&](const OrderState& o) { return o.order == order; });
    rows.push_back(
        {order, known == orders.end() ? std::string("-") : known->name,
         member_or<std::string>(lease, "state"), note_of(lease),
         member_or<uint64_t>(lease, "openedAtMs"),
         std::max(member_or<u128>(lease, "charged"), member_or<u128>(lease, "vouchered")), lease});
  }
  for (const OrderState& order : orders) {
    const bool ours = order.exchange_id == session.info().id && order.account == session.account();
    if (!ours || seen.contains(order.order) || order.client == "done" || (order.lease && !all))
      continue;
    rows.push_back(
        {order.order, order.name, order.lease ? "forgotten" : "unsent",
         order.lease ? "the exchange has let go of it" : "mizan run with the same job sends it",
         order.created_at_ms, 0, nullptr});
  }
  return rows;
}

Result<int> ps(const Context& context, bool all) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(rows, rows_of(context, session, all));
  if (context.json) {
    json::array jobs;
    for (const Row& row : rows)
      jobs.push_back(json::object{{"order", hex0x(row.order.view())},
                                  {"name", row.name},
                                  {"state", row.state},
                                  {"lease", row.lease}});
    print_json(json::object{{"jobs", std::move(jobs)}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  if (rows.empty()) {
    terminal.write(all ? "no jobs yet: mizan run\n" : "no jobs run now; --all shows ended ones\n");
    return kExitDone;
  }
  Table table({{"JOB"}, {"NAME"}, {"STATE"}, {"BEGAN"}, {"CHARGED", true}, {"NOTE"}});
  const uint64_t now = session.exchange_time_ms();
  for (const Row& row : rows)
    table.add({{short_id(row.order), Style::bold},
               {row.name},
               {row.state, state_style(row.state)},
               {row.since_ms == 0 ? "-" : ago(now, row.since_ms)},
               {format_usd(Money{row.charged})},
               {row.note}});
  terminal.write(table.render(terminal));
  return kExitDone;
}

}  // namespace

void add_ps(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("ps", "Your jobs");
  static bool all = false;
  command.add_flag("-a,--all", all, "Ended ones too");
  on_run(command, context, [&context] { return ps(context, all); });
}

}  // namespace mizan::cli
