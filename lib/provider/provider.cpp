#include "provider/provider.hpp"

#include "codec/json_fields.hpp"
#include "crypto/payees_hash.hpp"
#include "crypto/random.hpp"
#include "provider/machine.hpp"
#include "provider/net_link.hpp"

#include <algorithm>
#include <fstream>
#include <sys/stat.h>

namespace mizan::provider {
namespace {

sandbox::Options sandbox_options(const ProviderConfig& config) {
  sandbox::Options options;
  options.state_folder = config.state_dir / "jobs";
  options.runtime = config.runtime;
  options.pool_disks = config.pool_disks;
  options.pool_disk_bytes = config.pool_disk_gb * kGigabyte;
  return options;
}

std::string boot_id() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id.empty() ? "unknown" : id;
}

/// The exchange as it answers now, or as it was when it was last met; waits for the first meeting.
Result<ExchangeFacts> meet_exchange(const net::Url& url, Store& store, const ProviderEvents& events,
                                    const std::stop_token& stop) {
  MIZAN_TRY(before, store.get("exchange.json"));
  std::optional<ExchangeFacts> known;
  if (before) {
    if (auto facts = parse_exchange(*before)) known = *facts;
  }
  net::Client client(url);
  for (bool told = false; !stop.stop_requested(); told = true) {
    const auto answer = client.get("/v1/exchange");
    if (answer) {
      MIZAN_TRY(facts, parse_exchange(answer->body));
      if (known && (known->identity != facts.identity ||
                    known->domain().separator() != facts.domain().separator()))
        return fail(ErrorCode::unauthenticated,
                    "exchange: " + url.text() +
                        " is another exchange than before; use another state_dir if that is meant");
      MIZAN_CHECK(store.put("exchange.json", answer->body, Durability::machine));
      return facts;
    }
    if (known) return *known;  // jobs may be running: they cannot wait
    if (answer.error().code != ErrorCode::unavailable) return fail(answer.error());
    if (!told && events.on_notice)
      events.on_notice({true, "waiting for the exchange: " + answer.error().message, {}});
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait_for(lock, stop, std::chrono::milliseconds(500),
                                           [] { return false; });
  }
  return fail(ErrorCode::unavailable, "stopped before the exchange answered");
}

/// Bytes that this provider's own files take on the disk, which are as good as free to it.
uint64_t own_bytes(const std::filesystem::path& folder) {
  struct stat root {};
  if (::stat(folder.c_str(), &root) != 0) return 0;
  uint64_t bytes = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(
      folder, std::filesystem::directory_options::skip_permission_denied, error);
  for (const std::filesystem::recursive_directory_iterator end; !error && it != end;
       it.increment(error)) {
    struct stat info {};
    if (::lstat(it->path().c_str(), &info) != 0) continue;
    if (info.st_dev != root.st_dev) {  // a job's mounted disk: its file is counted already
      if (S_ISDIR(info.st_mode)) it.disable_recursion_pending();
      continue;
    }
    bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

/// Free disk moves all the time; an ask that moved with it would be a new one at each start. What
/// was offered before stands while the machine still has about as much.
Result<Capacity> steady_capacity(Store& store, const Capacity& now) {
  MIZAN_TRY(text, store.get("capacity.json"));
  if (text) {
    const auto value = parse_json(*text);
    const auto kept =
        value ? from_json<Capacity>(*value, "capacity") : Result<Capacity>(fail(value.error()));
    if (kept && kept->units == now.units && kept->memory_gb == now.memory_gb &&
        kept->disk_gb <= now.disk_gb + now.disk_gb / 10 + 1 &&
        now.disk_gb <= kept->disk_gb + kept->disk_gb / 10 + 1)
      return *kept;
  }
  MIZAN_CHECK(store.put("capacity.json", json_text(to_json(now)), Durability::machine));
  return now;
}

Result<Offer> make_offer(const ProviderConfig& config, Store& store, const ProviderEvents& events) {
  MIZAN_TRY(inventory, measure(config.state_dir));
  inventory.disk_bytes += own_bytes(config.state_dir);
  MIZAN_TRY(measured, offered(config, inventory));
  MIZAN_TRY(capacity, steady_capacity(store, measured));
  std::vector<Payee> payees;
  for (const ConfigPayee& one : config.payees) payees.push_back(one.payee);
  const Offer offer{capacity,
                    attributes_json(config, capacity),
                    payees_hash(payees),
                    config.rate,
                    config.min_seconds,
                    config.max_seconds};
  if (events.on_measured) events.on_measured(inventory, offer);
  return offer;
}

std::chrono::milliseconds until(MonotonicMs wakeup) {
  const uint64_t now = system_clock().monotonic().ms;
  const uint64_t wait = wakeup.ms > now ? wakeup.ms - now : 0;
  return std::chrono::milliseconds(std::min<uint64_t>(wait, 60'000));
}

}  // namespace

Readiness probe_machine(const ProviderConfig& config) {
  const sandbox::Capabilities found = sandbox::probe(sandbox_options(config));
  return {found.missing, found.warnings};
}

Result<void> run_provider(const ProviderConfig& config, const SecretKey& key,
                          const ProviderEvents& events, const std::stop_token& stop) {
  MIZAN_TRY(url, net::parse_url(config.exchange));
  url.ca = config.ca.string();
  std::error_code error;
  std::filesystem::create_directories(config.state_dir, error);
  if (error)
    return fail(ErrorCode::io_error,
                "state_dir: " + config.state_dir.string() + " cannot be made: " + error.message());
  MIZAN_TRY(store, FileStore::open(config.state_dir / "agent"));
  MIZAN_TRY(facts, meet_exchange(url, *store, events, stop));
  auto signer = std::make_shared<net::Signer>(facts.domain(), key.clone());

  Loop loop;
  Agent* agent = nullptr;  // set before the loop runs
  MachineOptions options;
  options.sandbox = sandbox_options(config);
  options.images = config.images;
  options.work_folder = config.state_dir / "work";
  options.exchange = url;
  options.signer = signer;
  MIZAN_TRY(machine, Machine::open(std::move(options), [&](BackendEvent event) {
              loop.post([&agent, event = std::move(event)] { agent->on_backend(event); });
            }));
  MIZAN_TRY(offer, make_offer(config, *store, events));
  NetLink link(
      url, facts, signer, loop,
      {[&] { agent->on_open(); }, [&](std::string_view text) { agent->on_text(text); },
       [&](const Error& why) { agent->on_close(why); },
       [&](uint64_t number, const Result<void>& answer) { agent->on_posted(number, answer); }});
  AgentConfig agent_config;
  agent_config.offer = std::move(offer);
  for (const auto& [name, path] : config.images) agent_config.images.insert(name);
  agent_config.spare_disk_gb = config.pool_disk_gb;
  agent_config.boot_id = boot_id();
  Agent the_agent(std::move(agent_config),
                  AgentParts{facts, key, *machine, *store, link, system_clock(), random_u64,
                             [&](const Notice& notice) {
                               if (events.on_notice) events.on_notice(notice);
                             }});
  agent = &the_agent;
  MIZAN_CHECK(the_agent.start());
  const std::stop_callback on_stop(stop, [&loop] { loop.stop(); });
  loop.run(
      [&] {
        if (events.on_status) events.on_status(the_agent.status());
        return until(the_agent.next_wakeup());
      },
      [&] { the_agent.tick(); });
  return {};
}

}  // namespace mizan::provider
