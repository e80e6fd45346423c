// mizan offers: live capacity, as a table; --watch keeps it live.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/follow.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "mizan/query_text.hpp"
#include "mizan/session.hpp"
#include "net/websocket.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

struct Options {
  std::string query, order = "rate";
  uint32_t limit = 100;
  bool watch = false;
};

std::string attribute(const json::value& offer, std::string_view name) {
  const json::value& value =
      member_value(member_value(member_value(offer, "attributes"), name), "value");
  if (value.is_string()) return std::string(value.as_string());
  return value.is_null() ? "-" : json_text(value);
}

std::string render(const Terminal& terminal, const json::value& offers) {
  Table table({{"OFFER"},
               {"CHIP"},
               {"NODES", true},
               {"UNITS", true},
               {"FREE", true},
               {"USD/H", true},
               {"CORES", true},
               {"MEM GB", true},
               {"DISK GB", true},
               {"LONGEST", true},
               {"ENDED WELL", true}});
  if (!offers.is_array() || offers.as_array().empty()) return "no offers\n";
  for (const json::value& offer : offers.as_array()) {
    const auto reliability = member_or<std::optional<uint64_t>>(offer, "reliability");
    table.add({{short_id(member_or<Hash32>(offer, "ask")), Style::bold},
               {member_or<std::string>(offer, "chip")},
               {std::to_string(member_or<uint64_t>(offer, "nodes"))},
               {std::to_string(member_or<uint64_t>(offer, "unitsPerNode"))},
               {std::to_string(member_or<uint64_t>(offer, "freeUnits")), Style::green},
               {format_usd_hour(Rate{member_or<u128>(offer, "rate")})},
               {attribute(offer, "cores")},
               {attribute(offer, "memory_gb")},
               {attribute(offer, "disk_gb")},
               {duration(member_or<uint64_t>(offer, "maxSeconds"))},
               {reliability ? fmt::format("{}.{} %", *reliability / 10, *reliability % 10)
                            : std::string("new")}});
  }
  return table.render(terminal);
}

Result<int> watch(const Context& context, Session& session, const std::string& query) {
  const DetachSignals signals;
  const Terminal terminal(stdout, context.no_color);
  const std::string target = "/v1/offers/watch?query=" + net::percent_encode(query);
  MIZAN_TRY(socket, net::WebSocket::connect(session.client().url(), target));
  while (!DetachSignals::raised()) {
    MIZAN_TRY(text, socket.read(net::Milliseconds{250}));
    if (!text) continue;
    MIZAN_TRY(message, parse_json(*text, {}, "the exchange's message"));
    const json::value& offers = member_value(message, "offers");
    if (context.json) {
      print_json(json::object{{"offers", offers}});
      continue;
    }
    if (terminal.live()) terminal.write("\x1b[H\x1b[2J");
    terminal.write(render(terminal, offers));
    if (terminal.live()) terminal.write("\nlive; Ctrl-C ends\n");
  }
  return kExitDone;
}

Result<int> offers(const Context& context, const Options& options) {
  MIZAN_TRY(session, Session::open(context, Access::open));
  MIZAN_TRY(query, query_in_nano(options.query));
  if (options.watch) return watch(context, session, query);
  MIZAN_TRY(answer, session.get(fmt::format("/v1/offers?query={}&order={}&limit={}",
                                            net::percent_encode(query),
                                            net::percent_encode(options.order), options.limit)));
  if (context.json) {
    print_json(answer);
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render(terminal, member_value(answer, "offers")));
  return kExitDone;
}

}  // namespace

void add_offers(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("offers", "Live offers of capacity");
  static Options options;
  command.add_option("query", options.query, "e.g. 'cores>=4 rate<0.05'; all clauses must hold");
  command.add_option("-o,--order", options.order, "Sort by, e.g. 'rate,-reliability'")
      ->capture_default_str();
  command.add_option("--limit", options.limit, "At most so many")->capture_default_str();
  command.add_flag("--watch", options.watch, "Stay, and show every change");
  on_run(command, context, [&context] { return offers(context, options); });
}

}  // namespace mizan::cli
