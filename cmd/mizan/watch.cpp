// mizan watch: looks after leases on the chain for a party that is away.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/lease_calls.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace mizan::cli {
namespace {

namespace escrow = settlement::escrow;

/// Something that is to be done for a lease now.
struct Step {
  const char* what = nullptr;
  Result<Bytes> (*make)(const LeaseFile&, const Address&) = nullptr;
};

class Watcher {
 public:
  Watcher(const Context& context, const ChainSettings& chain, ChainSession& session,
          uint64_t close_delay)
      : context_(context), chain_(chain), session_(session), close_delay_(close_delay) {}

  /// One look at every file. False if something could not be done.
  Result<bool> round(const fs::path& folder) {
    MIZAN_TRY(head, session_.reader().node().head());
    bool well = true;
    std::vector<fs::path> files;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    if (failed)
      return fail(ErrorCode::io_error, "cannot read " + folder.string() + ": " + failed.message());
    std::sort(files.begin(), files.end());
    for (const fs::path& path : files) {
      const auto done = look_after(path, head.time);
      if (done) continue;
      well = false;
      tell(path, "waits", done.error().message, nullptr);
    }
    return well;
  }

 private:
  Result<void> look_after(const fs::path& path, uint64_t now) {
    MIZAN_TRY(file, read_lease_file(path, chain_.domain()));
    const LeaseId lease = eip712::digest(chain_.domain(), file.terms);
    MIZAN_TRY(found, look(session_.reader(), chain_, lease));
    if (found.opened == 0) return {};
    std::optional<Error> refused;
    for (const Step& step : steps(file, found, now)) {
      MIZAN_TRY(data, step.make(file, session_.key().address()));
      const std::string id = send_id(step.what, lease, file);
      if (step.make == claim_data) MIZAN_CHECK(session_.renew(id));
      const auto sent = session_.send(id, {chain_.contract, 0, std::move(data)});
      if (sent) {
        tell(path, step.what, "", &*sent);
        return {};
      }
      if (sent.error().code != ErrorCode::conflict) return fail(sent.error());
      if (!refused) refused = sent.error();
    }
    return refused ? Result<void>(fail(*refused)) : Result<void>{};
  }

  /// What can be done now, the best first: what the contract refuses (a close that asks for more
  /// than it pays) leaves the rest to be done.
  std::vector<Step> steps(const LeaseFile& file, const LeaseOnChain& found, uint64_t now) const {
    uint64_t end = file.terms.start + file.terms.seconds;
    if (found.stop != 0) end = std::min(end, found.stop);
    const bool stands = now >= end;
    const bool has_voucher = file.voucher && file.voucher_signature;
    std::vector<Step> out;
    if (stands && has_voucher && file.close && file.close_signature)
      out.push_back({"close", close_data});
    if (stands && has_voucher && claim_adds(file, found, chain_.decimals, now))
      out.push_back({"claim", claim_data});
    else if (now >= end + close_delay_)
      out.push_back({"finalize", finalize_data});
    const bool lodged = file.request_close && file.request_close_signature && file.stop_at;
    if (found.stop == 0 && !stands && lodged && now >= *file.stop_at)
      out.push_back({"request-close", request_data});
    return out;
  }

  void tell(const fs::path& path, const char* what, const std::string& why,
            const settlement::Entry* sent) {
    if (context_.json) {
      json::object out{{"file", path.filename().string()}, {"did", what}};
      if (!why.empty()) out["why"] = why;
      if (sent != nullptr) out["transaction"] = hex0x(sent->transaction.view());
      print_json(out);
      return;
    }
    Terminal(stdout, context_.no_color)
        .write(fmt::format("{}: {}{}\n", printable(path.filename().string()), what,
                           why.empty() ? "" : ": " + printable(why)));
  }

  const Context& context_;
  const ChainSettings& chain_;
  ChainSession& session_;
  uint64_t close_delay_;
};

Result<int> watch(const Context& context, const fs::path& folder, uint64_t every, bool once) {
  MIZAN_TRY(chain, load_chain(context.home));
  MIZAN_TRY(session, ChainSession::open(context, chain));
  std::optional<uint64_t> delay;
  for (;;) {
    auto round = [&]() -> Result<bool> {
      if (!delay) {
        MIZAN_TRY(seconds, session->reader().number(chain.contract, escrow::close_delay()));
        delay = static_cast<uint64_t>(seconds);
      }
      return Watcher(context, chain, *session, *delay).round(folder);
    }();
    if (once) {
      if (!round) return fail(round.error());
      return *round ? kExitDone : kExitFailed;
    }
    if (!round) report(context, round.error());  // a node that is away comes back
    std::this_thread::sleep_for(std::chrono::seconds(every));
  }
}

}  // namespace

void add_watch(CLI::App& app, Context& context) {
  static fs::path folder;
  static uint64_t every = 12;
  static bool once = false;
  auto& command = *app.add_subcommand(
      "watch", "Bring vouchers, closes and lodged stops to the contract for a party that is away");
  command.add_option("folder", folder, "Of lease files, which may change at any time")->required();
  command.add_option("--every", every, "Seconds between two looks")->capture_default_str();
  command.add_flag("--once", once, "Look once and end");
  on_run(command, context, [&context] { return watch(context, folder, every, once); });
}

}  // namespace mizan::cli
