#include "service/program.hpp"

#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "crypto/private_file.hpp"
#include "exchange/format.hpp"
#include "journal/rocksdb_journal.hpp"
#include "service/chain_house.hpp"
#include "service/driver.hpp"
#include "service/files.hpp"
#include "service/spare_clearance.hpp"
#include "settlement/json_rpc.hpp"

#include <boost/json/object.hpp>

#include <csignal>
#include <mutex>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace mizan::service {
namespace {

namespace fs = std::filesystem;

/// The exchange cannot know better when it listens for everybody; on one machine it is loopback.
std::string url_of(const net::ServerOptions& options, uint16_t port) {
  net::Url url;
  url.tls = options.tls.given();
  url.host = options.address;
  url.port = port;
  return url.text();
}

/// Every connection is a descriptor: takes all that the system gives, and lets strangers have no
/// more than the journal, the logs and the artifacts leave over.
void bound_connections(net::ServerOptions& options, const Log& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  const rlim_t for_others =
      limit.rlim_cur > 2 * kOwnFiles ? limit.rlim_cur - kOwnFiles : limit.rlim_cur / 2;
  if (options.max_connections <= for_others) return;
  options.max_connections = for_others;
  log.warn("fewer_connections", {{"maxConnections", std::to_string(for_others)},
                                 {"note", "the limit of open files (RLIMIT_NOFILE) is " +
                                              std::to_string(limit.rlim_cur)}});
}

/// SIGTERM and SIGINT as a descriptor, and a way for other threads to end the program. Made before
/// any thread, so that all of them have the signals blocked.
class EndSignals {
 public:
  EndSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
    signals_ = ::signalfd(-1, &set, SFD_CLOEXEC);
    event_ = ::eventfd(0, EFD_CLOEXEC);
  }
  ~EndSignals() {
    ::close(signals_);
    ::close(event_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;

  void raise() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(event_, &one, sizeof one);
  }
  /// False if it took longer than `most_ms`; -1: for as long as it takes.
  bool wait(int most_ms = -1) const {
    std::array<pollfd, 2> sources{{{signals_, POLLIN, 0}, {event_, POLLIN, 0}}};
    int ready = 0;
    while ((ready = ::poll(sources.data(), sources.size(), most_ms)) < 0 && errno == EINTR) {
    }
    if (ready == 0) return false;
    signalfd_siginfo info{};
    if ((sources[0].revents & POLLIN) != 0) {
      [[maybe_unused]] const ssize_t taken = ::read(signals_, &info, sizeof info);
    }
    return true;
  }

 private:
  sigset_t before_{};
  int signals_ = -1;
  int event_ = -1;
};

Result<void> make_state_folder(const fs::path& state) {
  std::error_code error;
  const bool made = fs::create_directories(state, error);
  if (!error) fs::permissions(state, fs::perms::owner_all, error);
  if (error)
    return fail(Error{
        ErrorCode::io_error,
        "state_dir: cannot make " + state.string() + ": " + error.message(),
        {}}.with("field", "state_dir"));
  if (made) MIZAN_CHECK(sync_folder(fs::absolute(state).parent_path()));
  return {};
}

/// What can be told before anything is written: a mistake leaves nothing behind.
Result<void> check_settlement(const ServiceConfig& config) {
  if (!config.chain) return {};
  if (auto rpc = settlement::JsonRpc::open(config.chain->node); !rpc)
    return fail(Error{rpc.error().code, "chain.node: " + rpc.error().message, {}}.with(
        "field", "chain.node"));
  std::error_code ignored;
  const bool is_new = !fs::exists(config.state / "journal", ignored);  // else its own rules count
  const bool no_rules = !config.rules || config.rules->is_empty();
  if (is_new && no_rules && config.chain->chain_id != exchange::kDevelopmentChain)
    return fail(no_rules_on_a_chain());
  return {};
}

/// For `mizan journal verify`: what the state was when nothing was left to do.
Result<void> write_last_state(const fs::path& state, const exchange::Exchange& exchange) {
  const json::object value{{"sequence", exchange.last_sequence()},
                           {"stateHash", hex0x(exchange.state_hash().view())}};
  return write_private_file((state / "last_state.json").string(),
                            as_bytes(json_text(value) + "\n"));
}

/// A passphrase that Mizan makes is 32 random bytes: nobody guesses it, however little a guess
/// costs, and the start need not take seconds.
ScryptCost key_cost(const ExchangeConfig& config) {
  return config.passphrase_file.empty() ? ScryptCost{.n = 4096} : ScryptCost{};
}

/// Before its first command an exchange waits for its chain; later it does without, for a while.
Result<void> meet_chain(ChainHouse& chain, const ExchangeKeys& keys, bool is_new,
                        const EndSignals& end, const Log& log, ServiceConfig& config) {
  constexpr int kPauseMs = 500;
  for (bool told = false;; told = true) {
    auto learned = chain.learn(keys, config.operator_);
    if (learned) {
      if (is_new) config.settlement = *learned;
      return {};
    }
    const Error& error = learned.error();
    // A guardian that revoked the key may not keep leases from being closed.
    const bool later =
        !is_new && (error.code == ErrorCode::unavailable || error.code == ErrorCode::conflict);
    if (!told || later) log.warn("chain_waits", {{"doing", "start"}, {"why", error.message}});
    if (later) return {};
    if (error.code != ErrorCode::unavailable || error.details.contains("chain_id"))
      return fail(std::move(learned).error());
    if (end.wait(kPauseMs))
      return fail(ErrorCode::unavailable, "stopped before the chain answered: " + error.message);
  }
}

}  // namespace

Result<ExchangeAccounts> make_exchange_keys(const ExchangeConfig& config) {
  const fs::path& state = config.service.state;
  MIZAN_CHECK(check_settlement(config.service));
  MIZAN_CHECK(make_state_folder(state));
  MIZAN_TRY(keys, open_keys(state, config.passphrase_file, key_cost(config)));
  MIZAN_TRY(gas, open_gas_key(state, config.passphrase_file, key_cost(config)));
  return ExchangeAccounts{keys.exchange_id(), keys.identity.address(), keys.meter.address(),
                          keys.clearance.address(), gas.address()};
}

Result<Address> make_next_clearance_key(const ExchangeConfig& config) {
  return make_spare_clearance(config.service.state, config.passphrase_file, key_cost(config));
}

Result<Address> use_next_clearance_key(const ExchangeConfig& config) {
  return use_spare_clearance(config.service.state, config.passphrase_file);
}

Result<void> run_exchange(const ExchangeConfig& config, const Log::Sink& sink,
                          const std::function<void(const Ready&)>& on_ready) {
  MIZAN_CHECK(check_settlement(config.service));
  const EndSignals end;
  const Log log(system_clock(), sink);
  const fs::path& state = config.service.state;
  net::ServerOptions options = config.server;
  bound_connections(options, log);
  // Before keys and Genesis are written: a wrong address or certificate leaves nothing behind.
  MIZAN_TRY(server, net::Server::open(options));
  MIZAN_CHECK(make_state_folder(state));
  MIZAN_TRY(keys, open_keys(state, config.passphrase_file, key_cost(config)));
  MIZAN_TRY(journal, journal::open_rocksdb({.path = (state / "journal").string(),
                                            .genesis = keys.exchange_id(),
                                            .format = exchange::kFormat}));
  ServiceConfig service_config = config.service;
  std::unique_ptr<ChainHouse> chain;
  if (config.service.chain) {
    MIZAN_TRY(gas, open_gas_key(state, config.passphrase_file, key_cost(config)));
    log.info("gas_account", {{"address", to_checksum(gas.address())},
                             {"note", "pays for transactions, and needs the chain's coin"}});
    MIZAN_TRY(house, ChainHouse::open(config.service, std::move(gas)));
    chain = std::move(house);
    MIZAN_CHECK(meet_chain(*chain, keys, journal->head().sequence == 0, end, log, service_config));
  }
  const size_t threads = config.verify_threads != 0
                             ? config.verify_threads
                             : std::max(2U, std::thread::hardware_concurrency());
  ThreadPool pool(threads);
  MIZAN_TRY(service, Service::open(service_config, {system_clock(), pool, *journal, keys, log,
                                                    chain ? &chain->parts() : nullptr}));
  service->sequencer().set_background(
      [&pool](std::function<void()> work) { pool.post(std::move(work)); });
  std::mutex failing;
  std::optional<Error> failure;
  const auto fails = [&](const Error& error) {
    const std::lock_guard lock(failing);
    failure = error;
    end.raise();
  };
  service->sequencer().set_on_failure(fails);
  {
    const Driver driver(*service);
    const ChainDriver chain_driver(*service, fails);
    if (auto serving = server->serve(*service); !serving) {
      pool.stop();
      return fail(std::move(serving).error());
    }
    const Ready ready{url_of(options, server->port()), keys.exchange_id(), keys.identity.address()};
    log.info("ready",
             {{"url", ready.url},
              {"id", hex0x(ready.id.view())},
              {"sequence", std::to_string(service->state().read([](const exchange::Exchange& core) {
                 return core.last_sequence();
               }))}});
    on_ready(ready);
    end.wait();
    server->stop();
    pool.stop();
  }
  service->sequencer().stop();
  if (failure)
    return fail(
        Error{failure->code,
              "the journal failed, so the exchange stopped; nothing was answered that is not "
              "durable: " +
                  failure->message,
              failure->details});
  MIZAN_CHECK(write_last_state(state, service->state().unlocked()));
  log.info("stopped", {{"sequence", std::to_string(service->state().unlocked().last_sequence())}});
  return {};
}

}  // namespace mizan::service
