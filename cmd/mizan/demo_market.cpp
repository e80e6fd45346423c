#include "mizan/demo_market.hpp"

#include "base/time.hpp"
#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "mizan/json_view.hpp"
#include "mizan/keys.hpp"
#include "net/client.hpp"
#include "service/program.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr uint64_t kStartPatienceMs = 60'000;
constexpr uint64_t kCredentialSeconds = 86'400;
// The passphrases are 32 random bytes: nobody guesses them, however little a guess costs.
constexpr ScryptCost kDemoCost{.n = 4096};

Result<uint16_t> free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = descriptor >= 0 && ::bind(descriptor, generic, size) == 0 &&
                     ::getsockname(descriptor, generic, &size) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!bound) return fail(ErrorCode::unavailable, "no free port on 127.0.0.1");
  return ntohs(address.sin_port);
}

}  // namespace

Result<void> DemoMarket::make_party(const std::string& name) {
  MIZAN_CHECK(make_private_folder(home(name)));
  const std::string passphrase = hex(random_bytes(32));
  MIZAN_CHECK(write_small_file(home(name) / "passphrase", passphrase + "\n"));
  const SecretKey key = SecretKey::generate();
  MIZAN_TRY(entry, store_key(home(name), "default", key, passphrase, kDemoCost));
  addresses_[name] = entry.address;
  public_keys_.insert_or_assign(name, public_key(key));
  return {};
}

Result<void> DemoMarket::prove(const std::string& name, const DemoClaims& claims) const {
  const auto pairwise = [&](const char* kind) {
    return hex0x(keccak256(std::string(kind) + hex(address(name).view())).view());
  };
  credential::Issuance what;
  what.issuer = service::kDevelopmentIssuer;
  what.holder = public_keys_.at(name);
  what.issued_at = system_clock().now().seconds();
  what.expires_at = what.issued_at + kCredentialSeconds;
  what.selective = {{"name", claims.name},
                    {"country", claims.country},
                    {"hq", claims.country},
                    {"lists", boost::json::array()},
                    {"listed_owners", boost::json::array()},
                    {"person_id", pairwise("person ")},
                    {"group_id", pairwise("group ")},
                    {"record_locator", "demo/" + name},
                    {"retention_days", 30}};
  if (!claims.parent.empty()) what.selective["parent_hq"] = claims.parent;
  const fs::path file = home(name) / "credential";
  MIZAN_CHECK(write_small_file(file, credential::issue(what, issuer_) + "\n"));
  auto answer = ask(name, {"credential", "submit", file.string()});
  if (!answer) return fail(std::move(answer).error());
  return {};
}

std::vector<std::string> DemoMarket::command(const std::string& party,
                                             const std::vector<std::string>& args) const {
  std::vector<std::string> words{context_.program.string(),
                                 "--home",
                                 home(party).string(),
                                 "--exchange",
                                 url_,
                                 "--passphrase-file",
                                 (home(party) / "passphrase").string()};
  words.insert(words.end(), args.begin(), args.end());
  return words;
}

Child::Options DemoMarket::child_options(const std::string& party) const {
  return {.error_file = options_.folder / (party + ".log"), .folder = options_.folder};
}

Result<boost::json::value> DemoMarket::ask(const std::string& party,
                                           const std::vector<std::string>& args) const {
  std::vector<std::string> words{"--json"};
  words.insert(words.end(), args.begin(), args.end());
  MIZAN_TRY(text, run_command(command(party, words), child_options(party)));
  return parse_json(text, {.max_bytes = 1 << 20}, "the answer of mizan " + args[0]);
}

Result<void> DemoMarket::wait_for(const std::string& target, Child& child, const std::string& who,
                                  const std::function<bool(const boost::json::value&)>& ready) {
  MIZAN_TRY(url, net::parse_url(url_));
  net::Client client(url);
  const uint64_t begun = system_clock().monotonic().ms;
  while (system_clock().monotonic().ms - begun < kStartPatienceMs) {
    if (const auto answer = client.get(target))
      if (const auto value = parse_json(answer->body); value && ready(*value)) return {};
    if (!child.running()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto log = read_small_file(options_.folder / (who + ".log"));
  return fail(ErrorCode::unavailable,
              fmt::format("the {} did not come up: {}", who, log.value_or("it left no log")));
}

Result<void> DemoMarket::start_chain() {
  MIZAN_TRY(chain, DemoChain::start(context_, options_.folder / "anvil.log"));
  chain_.emplace(std::move(chain));
  MIZAN_TRY(accounts,
            ask("operator", {"exchange", "--keys", "--state-dir", exchange_state().string(),
                             "--operator", to_checksum(address("operator"))}));
  MIZAN_TRY(clearance, member<Address>(accounts, "clearance"));
  MIZAN_TRY(gas, member<Address>(accounts, "gas"));
  gas_ = gas;
  MIZAN_CHECK(chain_->give_ether(gas_));
  MIZAN_CHECK(chain_->give_ether(address("operator")));
  MIZAN_TRY(deployed, ask("operator", {"contract", "deploy", "--node", chain_->url(), "--chain-id",
                                       std::to_string(DemoChain::kChainId), "--test-token",
                                       "--clearance", to_checksum(clearance), "--depth", "0"}));
  MIZAN_TRY(contract, member<Address>(deployed, "contract"));
  contract_ = contract;
  return {};
}

Result<void> DemoMarket::fund(const std::string& name, const std::string& usd) {
  if (!chain_) {
    MIZAN_CHECK(ask("operator", {"account", "grant", to_checksum(address(name)), usd}));
    return {};
  }
  MIZAN_CHECK(chain_->give_ether(address(name)));
  std::error_code error;
  fs::copy_file(home("operator") / "chain.json", home(name) / "chain.json",
                fs::copy_options::overwrite_existing, error);
  if (error) return fail(ErrorCode::io_error, "chain.json can't be copied: " + error.message());
  for (const char* what : {"mint", "deposit"}) MIZAN_CHECK(ask(name, {"account", what, usd}));
  MIZAN_CHECK(chain_->bury());
  const uint64_t begun = system_clock().monotonic().ms;
  while (system_clock().monotonic().ms - begun < kStartPatienceMs) {
    MIZAN_TRY(account, ask(name, {"account"}));
    if (member_or<u128>(account, "balance") > 0) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return fail(ErrorCode::unavailable, "the exchange does not see what was deposited");
}

Result<void> DemoMarket::start_exchange() {
  MIZAN_TRY(port, free_port());
  url_ = fmt::format("http://127.0.0.1:{}", port);
  const fs::path config = options_.folder / "exchange.yaml";
  MIZAN_CHECK(write_small_file(
      config,
      fmt::format("listen: 127.0.0.1:{}\nstate_dir: {}\noperator: \"{}\"\nfee_bps: {}\n", port,
                  exchange_state().string(), to_checksum(address("operator")), options_.fee_bps)));
  if (chain_) {
    MIZAN_TRY(text, read_small_file(config));
    MIZAN_CHECK(write_small_file(
        config,
        text + fmt::format("settlement: evm\nchain:\n  node: {}\n  chain_id: {}\n  contract: "
                           "\"{}\"\n  depth: {}\n",
                           chain_->url(), DemoChain::kChainId, to_checksum(contract_),
                           DemoChain::kDepth)));
  }
  const std::string issuer = json_text(credential::to_jwk(issuer_.public_key()));
  MIZAN_TRY(child, Child::start({context_.program.string(), "exchange", "--config", config.string(),
                                 "--development-issuer", issuer},
                                child_options("exchange")));
  exchange_.emplace(std::move(child));
  return wait_for("/v1/exchange", *exchange_, "exchange",
                  [](const boost::json::value& value) { return value.is_object(); });
}

Result<void> DemoMarket::start_provider() {
  const fs::path config = options_.folder / "provider.yaml";
  MIZAN_CHECK(write_small_file(
      config, fmt::format("exchange: {}\nkey: {}\npassphrase_file: {}\nstate_dir: {}\nrate: {}\n"
                          "country: SG\n",
                          url_, (home("provider") / "keys" / "default.json").string(),
                          (home("provider") / "passphrase").string(),
                          (home("provider") / "state").string(), options_.rate_usd_hour)));
  MIZAN_TRY(child,
            Child::start({context_.program.string(), "provider", "--config", config.string()},
                         child_options("provider")));
  provider_.emplace(std::move(child));
  return wait_for("/v1/offers", *provider_, "provider", [](const boost::json::value& value) {
    const auto& offers = member_value(value, "offers");
    return offers.is_array() && !offers.as_array().empty();
  });
}

Result<DemoMarket> DemoMarket::start(const Context& context, const DemoOptions& options,
                                     const std::function<void(const std::string&)>& say) {
  DemoMarket market(context, options);
  MIZAN_CHECK(make_private_folder(options.folder));
  for (const char* party : {"operator", "provider", "buyer"}) MIZAN_CHECK(market.make_party(party));
  if (options.evm) MIZAN_CHECK(market.start_chain());
  if (options.evm)
    say(fmt::format("a chain of its own at {}; contract {}", market.chain_->url(),
                    to_checksum(market.contract_)));
  MIZAN_CHECK(market.start_exchange());
  say(fmt::format("exchange at {}", market.url_));
  MIZAN_CHECK(market.ask("buyer", {"join", market.url_}));
  MIZAN_TRY(granted, parse_usd(options.grant_usd));
  market.granted_ = granted;
  MIZAN_CHECK(market.fund("buyer", options.grant_usd));
  if (options.evm) MIZAN_CHECK(market.chain_->begin_blocks());
  say(fmt::format("buyer {} has {} {}", to_checksum(market.address("buyer")), format_usd(granted),
                  options.evm ? "in the contract" : "of credits"));
  MIZAN_CHECK(market.prove("buyer", {.name = "Amina Rahman"}));
  MIZAN_CHECK(market.prove("provider", {.name = "Tan Wei Ling"}));
  say("an issuer of this demo vouches for both; the exchange sees countries, and no name");
  MIZAN_CHECK(market.start_provider());
  say(fmt::format("provider {} offers this machine", to_checksum(market.address("provider"))));
  return market;
}

Result<void> DemoMarket::stop() {
  // An agent that ends leaves what it has not removed to its next life, which here does not come.
  std::error_code error;
  const fs::path jobs = home("provider") / "state" / "jobs" / "jobs";
  for (int tries = 0; provider_ && tries < 300 && !fs::is_empty(jobs, error) && !error; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const int provider = provider_ ? provider_->end() : 0;
  const int exchange = exchange_ ? exchange_->end() : 0;
  if (provider == 0 && exchange == 0) return {};
  return fail(ErrorCode::internal,
              fmt::format("at their end: provider {}, exchange {}", provider, exchange));
}

}  // namespace mizan::cli
