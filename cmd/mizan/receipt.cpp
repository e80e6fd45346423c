// mizan receipt: what a lease cost, and the proof; verify needs no network.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/lookup.hpp"
#include "mizan/outputs.hpp"
#include "mizan/print.hpp"
#include "mizan/receipt_check.hpp"
#include "mizan/settings.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr size_t kReceiptBytesMax = size_t{256} << 10;

std::string render(const Terminal& terminal, const ReceiptBundle& bundle) {
  const auto& r = bundle.receipt;
  const auto usd = [](u128 nano) { return format_usd(Money{nano}); };
  return render_pairs(
      terminal,
      {{"lease", {hex0x(r.lease.view()), Style::bold}},
       {"buyer", {to_checksum(bundle.terms.buyer)}},
       {"provider", {to_checksum(bundle.terms.provider)}},
       {"from, to", {utc(r.opened_at_ms) + ", " + utc(r.closed_at_ms)}},
       {"ended", {fmt::format("{}, exit code {}", r.reason, r.exit_code)}},
       {"price",
        {fmt::format("{} a unit, {} unit{}", usd_hour(Rate{bundle.terms.rate}), bundle.units(),
                     bundle.units() == 1 ? "" : "s")}},
       {"billed", {duration(r.seconds_billed)}},
       {"charged", {usd(r.charged), Style::bold}},
       {"to provider", {usd(r.paid)}},
       {"fee", {usd(r.fee)}},
       {"came back", {fmt::format("{} of {} in escrow", usd(r.refunded), usd(r.escrow))}}});
}

Result<int> show(const Context& context, const std::string& ref, const fs::path& out) {
  MIZAN_TRY(session, Session::open(context, Access::requests));
  MIZAN_TRY(job, find_job(context, session, ref));
  MIZAN_TRY(receipt, fetch_receipt(context, session, job.lease, job.order ? &*job.order : nullptr));
  if (!out.empty()) MIZAN_CHECK(write_json_file(out, receipt));
  if (context.json) {
    print_json(receipt);
    return kExitDone;
  }
  MIZAN_TRY(bundle, read_receipt(receipt));
  const Terminal terminal(stdout, context.no_color);
  terminal.write(render(terminal, bundle));
  return kExitDone;
}

Result<int> verify(const Context& context, const fs::path& file, const std::string& trusted) {
  MIZAN_TRY(text, read_small_file(file, kReceiptBytesMax));
  MIZAN_TRY(value, parse_json(text, {.max_bytes = kReceiptBytesMax}, file.string()));
  MIZAN_TRY(bundle, read_receipt(value));
  MIZAN_TRY(settings, load_settings(context.home));
  std::optional<Hash32> expected;
  if (!trusted.empty()) {
    MIZAN_TRY(id, parse_fixed<Hash32>(trusted));
    expected = id;
  } else if (!settings.exchange_id.is_zero()) {
    expected = settings.exchange_id;
  }
  const auto findings = check_receipt(bundle, expected);
  bool holds = true;
  for (const ReceiptFinding& finding : findings) holds = holds && finding.holds;
  if (context.json) {
    json::array list;
    for (const ReceiptFinding& finding : findings)
      list.push_back(
          json::object{{"rule", finding.what}, {"holds", finding.holds}, {"why", finding.why}});
    print_json(json::object{{"valid", holds},
                            {"exchangeTrusted", expected.has_value()},
                            {"findings", std::move(list)}});
    return holds ? kExitDone : kExitFailed;
  }
  const Terminal terminal(stdout, context.no_color);
  for (const ReceiptFinding& finding : findings)
    terminal.write(fmt::format(
        "{} {}{}\n",
        finding.holds ? terminal.paint(Style::green, "ok   ") : terminal.paint(Style::red, "WRONG"),
        printable(finding.what), finding.holds ? "" : ": " + printable(finding.why)));
  if (!expected)
    terminal.write("note: whose exchange it is was not checked: join it, or give --exchange-id\n");
  terminal.write(holds ? "The receipt is valid.\n" : "The receipt is NOT valid.\n");
  return holds ? kExitDone : kExitFailed;
}

}  // namespace

void add_receipt(CLI::App& app, Context& context) {
  auto& receipt = *app.add_subcommand("receipt", "What a lease cost; verify a receipt's file");
  static std::string ref, trusted;
  static fs::path out, file;
  receipt.require_subcommand(0, 1);
  receipt.add_option("job", ref, "Id (its first digits do) or name; the newest by default");
  receipt.add_option("--out", out, "Also write the bundle to this file");
  on_run(receipt, context, [&context] { return show(context, ref, out); });

  auto& check = *receipt.add_subcommand("verify", "Check a receipt's file, without a network");
  check.add_option("file", file, "A bundle that `mizan receipt --out` wrote")->required();
  check.add_option("--exchange-id", trusted, "The exchange you trust; the joined one by default");
  on_run(check, context, [&context] { return verify(context, file, trusted); });
}

}  // namespace mizan::cli
