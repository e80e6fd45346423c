// The limits that docs/THREAT_MODEL.md tells are those that an exchange has which sets none.
#include "exchange/command.hpp"
#include "net/auth.hpp"
#include "net/socket.hpp"
#include "service/program.hpp"
#include "service/routes.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>

namespace mizan::service {
namespace {

/// The second cells of the table "Limits on strangers", by the beginnings of their rows.
std::map<std::string, std::string> limits_of_the_document() {
  std::ifstream file(std::filesystem::path(MIZAN_SOURCE_DIR) / "docs" / "THREAT_MODEL.md");
  std::map<std::string, std::string> out;
  bool within = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) within = line == "## Limits on strangers";
    std::smatch cells;
    if (within && std::regex_match(line, cells, std::regex(R"(\| (.+) \| (.+) \| (.+) \|)")))
      out[cells[1]] = cells[2];
  }
  out.erase("what");
  return out;
}

/// 1,000,000
std::string counted(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string sized(uint64_t bytes) {
  if (bytes >> 30 != 0) return fmt::format("{} GiB", bytes >> 30);
  if (bytes >> 20 != 0) return fmt::format("{} MiB", bytes >> 20);
  return fmt::format("{} KiB", bytes >> 10);
}

std::string timed(net::Milliseconds time) {
  return fmt::format("{} s", time.count() / 1000);
}

std::string paced(const RateLimitOptions& limit, bool at_once = true) {
  return at_once ? fmt::format("{} at once, {} a second", counted(limit.burst),
                               counted(limit.per_second))
                 : fmt::format("{} a second", limit.per_second);
}

}  // namespace

TEST(Limits, AreWhatTheDocumentSays) {
  const auto config = parse_exchange_config(
      "state_dir: s\noperator: \"0x00000000000000000000000000000000000000aa\"\n", "/");
  ASSERT_TRUE(config);
  const net::ServerOptions& server = config->server;
  const ServiceConfig& service = config->service;
  const exchange::Limits& account = service.limits;
  ASSERT_EQ(server.body_timeout, server.write_timeout);
  const std::map<std::string, std::string> limits = {
      {"connections in all; of an address [`max_connections`, `max_connections_per_address`]",
       fmt::format("{}, and {} fewer than the open files that the system allows; {}",
                   counted(server.max_connections), counted(kOwnFiles),
                   counted(server.max_connections_per_address))},
      {"new connections of an address",
       fmt::format("{} at once, {} a second", counted(2 * server.max_connections_per_address),
                   counted(server.max_connections_per_address / 5))},
      {"TLS handshake; headers; a kept connection's next request",
       fmt::format("{}; {} and {}; {}", timed(server.header_timeout), timed(server.header_timeout),
                   sized(server.max_header_bytes), timed(server.keep_alive_timeout))},
      {"a body in memory; each 64 KiB of an upload or an answer", timed(server.body_timeout)},
      {"requests and WebSocket messages of an address, a body's 64 KiB as one each (5 x "
       "`commands_per_second`, at least)",
       fmt::format("{} at once, {} a second", counted(2 * server.requests_per_second_per_address),
                   counted(server.requests_per_second_per_address))},
      {"bodies, answers and messages over 16 KiB in memory: of an address; of all",
       fmt::format("{}; {}", sized(server.max_memory_per_address), sized(server.max_memory))},
      {"a body, by call; a WebSocket message; one to a stream that expects none",
       fmt::format("{} to {}; {}; {}", sized(kSmallBodyBytes), sized(kRuleSetBytes),
                   sized(server.sockets.max_message_bytes), sized(net::kSilentPeerBytes))},
      {"unsent to a WebSocket", sized(server.sockets.max_queued_bytes)},
      {"commands of an address, each 4 KiB of one as one [`commands_per_second`]",
       paced(service.commands)},
      {"searches for offers; plans, of an address",
       fmt::format("{}; {}, {}", paced(service.searches), service.plans.burst,
                   service.plans.per_second)},
      {"watchers of offers: of an address; of all",
       fmt::format("{}; {}", counted(service.max_watchers_per_address),
                   counted(service.max_watchers))},
      {"connections of one provider's agents", paced(service.reconnects)},
      {"an account's open orders, live leases, bids that matched nothing, credentials shown",
       fmt::format("{}; {}; {}; {}", counted(account.open_orders), counted(account.live_leases),
                   paced(service.no_matches, false), paced(service.proofs, false))},
      {"places for asks, each started KiB of attributes and nodes (4 bytes a node) takes one: in "
       "all; attributes of an ask",
       fmt::format("{}; {}", counted(account.all_asks), sized(account.attributes_bytes))},
      {"logs: of a lease; of all; of a provider [`log_mb`, `logs_gb`]",
       fmt::format("{}; {}; as much as is left free", sized(service.log_bytes_max),
                   sized(service.logs_bytes_max))},
      {"signed requests remembered against replay",
       fmt::format("{}, at least the last", counted(net::Authenticator::kMostNonces))},
  };
  EXPECT_EQ(limits_of_the_document(), limits);
}

}  // namespace mizan::service
