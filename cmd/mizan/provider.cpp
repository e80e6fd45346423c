// mizan provider: lists this machine and serves leases.
// SPDX-License-Identifier: Apache-2.0
#include "provider/provider.hpp"

#include "codec/json_fields.hpp"
#include "crypto/keystore.hpp"
#include "crypto/random.hpp"
#include "mizan/commands.hpp"
#include "mizan/files.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

#include <csignal>
#include <thread>

namespace mizan::cli {
namespace {

using provider::Notice;
using provider::ProviderConfig;

constexpr size_t kConfigMax = size_t{64} << 10;
constexpr uint64_t kStatusEveryMs = 10'000;

Result<ProviderConfig> load_config(const fs::path& path) {
  MIZAN_TRY(text, read_small_file(path, kConfigMax));
  return provider::parse_config(text, fs::absolute(path).parent_path());
}

std::string gigabytes(uint64_t bytes) {
  return fmt::format("{} GB", bytes >> 30);
}

/// Everything that the provider's person sees: lines on a terminal or in a log, or JSON lines.
class Reporter {
 public:
  explicit Reporter(const Context& context)
      : json_(context.json), terminal_(stdout, context.no_color) {}

  void measured(const provider::Inventory& found, const provider::Offer& offer) const {
    if (json_)
      return print_json(json::object{{"event", "measured"},
                                     {"cores", found.cores},
                                     {"memoryBytes", found.memory_bytes},
                                     {"diskBytes", found.disk_bytes},
                                     {"units", offer.capacity.units},
                                     {"memoryGb", offer.capacity.memory_gb},
                                     {"diskGb", offer.capacity.disk_gb},
                                     {"rate", to_string(offer.rate)}});
    Table table({{"", false}, {"machine", true}, {"offered", true}});
    table.add({{"cores"}, {std::to_string(found.cores)}, {std::to_string(offer.capacity.units)}});
    table.add({{"memory"},
               {gigabytes(found.memory_bytes)},
               {fmt::format("{} GB", offer.capacity.memory_gb)}});
    table.add(
        {{"disk"}, {gigabytes(found.disk_bytes)}, {fmt::format("{} GB", offer.capacity.disk_gb)}});
    terminal_.write(table.render(terminal_));
    terminal_.write(fmt::format("one core: {}\n", usd_hour(offer.rate)));
  }

  void notice(const Notice& notice) const {
    if (json_) {
      json::object line{{"event", "notice"}, {"warning", notice.warning}, {"text", notice.text}};
      if (!notice.lease.is_zero()) line["lease"] = hex0x(notice.lease.view());
      return print_json(line);
    }
    const std::string who = notice.lease.is_zero() ? "" : short_id(notice.lease) + " ";
    const Style style = notice.warning ? Style::yellow : Style::plain;
    terminal_.write(terminal_.paint(Style::dim, utc(system_clock().now().ms)) + " " + who +
                    terminal_.paint(style, printable(notice.text)) + "\n");
  }

  /// Money by the second: while something runs, and once more when it has ended.
  void status(const provider::AgentStatus& status) {
    const uint64_t now = system_clock().monotonic().ms;
    if (now < status_at_ms_ || (status.leases.empty() && status.earned == earned_)) return;
    status_at_ms_ = now + kStatusEveryMs;
    earned_ = status.earned;
    u128 vouchered = 0;
    for (const provider::LeaseLine& line : status.leases) vouchered += line.vouchered.nano;
    if (json_)
      return print_json(json::object{{"event", "status"},
                                     {"connected", status.connected},
                                     {"leases", status.leases.size()},
                                     {"earned", to_string(status.earned)},
                                     {"vouchered", to_string(vouchered)}});
    terminal_.write(terminal_.paint(
        Style::dim, fmt::format("{} leases, {} in vouchers, {} earned\n", status.leases.size(),
                                format_usd(Money{vouchered}), format_usd(status.earned))));
  }

 private:
  bool json_;
  Terminal terminal_;
  uint64_t status_at_ms_ = 0;
  Money earned_;
};

/// Ends `source` at SIGINT or SIGTERM, which must be blocked in every thread by then.
class SignalThread {
 public:
  explicit SignalThread(std::stop_source& source)
      : thread_([this, &source] {
          while (!done_) {
            const timespec tick{0, 200'000'000};
            const sigset_t set = signals();
            if (::sigtimedwait(&set, nullptr, &tick) > 0) source.request_stop();
          }
        }) {}
  ~SignalThread() {
    done_ = true;
    thread_.join();
  }
  static sigset_t signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
  }

 private:
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

Result<int> probe(const Context& context, const ProviderConfig& config) {
  const provider::Readiness found = provider::probe_machine(config);
  if (context.json) {
    print_json(json::object{{"ready", found.missing.empty()},
                            {"missing", to_json(found.missing)},
                            {"warnings", to_json(found.warnings)}});
  } else {
    const Terminal terminal(stdout, context.no_color);
    for (const std::string& each : found.missing)
      terminal.write(terminal.paint(Style::red, "missing: ") + each + "\n");
    for (const std::string& each : found.warnings)
      terminal.write(terminal.paint(Style::yellow, "warning: ") + each + "\n");
    if (found.missing.empty()) terminal.write("this machine can run jobs\n");
  }
  return found.missing.empty() ? kExitDone : kExitFailed;
}

Result<int> serve(const Context& context, const ProviderConfig& config) {
  std::stop_source stop;
  const sigset_t set = SignalThread::signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  MIZAN_TRY(passphrase, read_passphrase(context, "Passphrase of the provider's key: ", false,
                                        config.passphrase_file));
  auto key = keystore_load(config.key.string(), passphrase);
  wipe(passphrase);
  if (!key) return fail(std::move(key).error());
  const SignalThread signals(stop);
  Reporter reporter(context);
  MIZAN_CHECK(provider::run_provider(
      config, *key,
      {[&](const auto& found, const auto& offer) { reporter.measured(found, offer); },
       [&](const Notice& notice) { reporter.notice(notice); },
       [&](const provider::AgentStatus& status) { reporter.status(status); }},
      stop.get_token()));
  return kExitDone;
}

}  // namespace

void add_provider(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("provider", "List this machine and serve leases");
  static fs::path config;
  static bool only_probe = false;
  command.add_option("--config", config, "provider.yaml")->required();
  command.add_flag("--probe", only_probe, "Say what this machine lacks, and do nothing else");
  on_run(command, context, [&context]() -> Result<int> {
    MIZAN_TRY(loaded, load_config(config));
    return only_probe ? probe(context, loaded) : serve(context, loaded);
  });
}

}  // namespace mizan::cli
