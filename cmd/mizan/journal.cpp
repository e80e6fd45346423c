// mizan journal: replay an exchange's journal from its first command and say what came of it.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/journal_folder.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "service/sequencer.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

// What the exchange itself wrote down when it ended in good order; empty if it did not.
std::string live_state_hash(const fs::path& state, uint64_t sequence) {
  const auto value = read_json_file(state / "last_state.json");
  if (!value || member_or<uint64_t>(*value, "sequence") != sequence) return {};
  return member_or<std::string>(*value, "stateHash");
}

Result<int> verify(const Context& context, const fs::path& state) {
  MIZAN_TRY(opened, open_journal(state));
  MIZAN_TRY(rules, kept_rules(state));
  MIZAN_TRY(replayed, service::recover_state(*opened, true, rules));
  MIZAN_TRY(recovered, service::recover_state(*opened, false, rules));
  const Hash32 hash = replayed.state_hash();
  const uint64_t sequence = replayed.last_sequence();
  const bool snapshot_agrees = recovered.state_hash() == hash;
  const std::string live = live_state_hash(state, sequence);
  const bool live_agrees = live.empty() || live == hex0x(hash.view());
  const exchange::MoneyTotals totals = replayed.totals();
  const Money sum = totals.balances + totals.escrow + totals.fees + totals.withdrawn;
  const bool conserved = sum == totals.granted;
  const bool well = snapshot_agrees && live_agrees && conserved;
  if (context.json) {
    print_json(json::object{{"commands", sequence},
                            {"journalHead", hex0x(opened->head().hash.view())},
                            {"stateHash", hex0x(hash.view())},
                            {"liveStateHash", live},
                            {"snapshotAgrees", snapshot_agrees},
                            {"granted", to_string(totals.granted)},
                            {"balances", to_string(totals.balances)},
                            {"escrow", to_string(totals.escrow)},
                            {"fees", to_string(totals.fees)},
                            {"withdrawn", to_string(totals.withdrawn)},
                            {"conserved", conserved}});
    return well ? kExitDone : kExitFailed;
  }
  const auto agrees = [](bool does) {
    return does ? Cell{"the same state", Style::green} : Cell{"ANOTHER STATE", Style::red};
  };
  const Terminal terminal(stdout, context.no_color);
  std::vector<std::pair<std::string, Cell>> lines{
      {"commands", {std::to_string(sequence)}},
      {"journal head", {hex0x(opened->head().hash.view())}},
      {"state hash", {hex0x(hash.view()), Style::bold}},
      {"from the snapshot", agrees(snapshot_agrees)}};
  if (!live.empty()) lines.push_back({"at the exchange's end", agrees(live_agrees)});
  lines.push_back({"money",
                   {fmt::format("granted {} = balances {} + escrow {} + fees {} + withdrawn {}",
                                format_usd(totals.granted), format_usd(totals.balances),
                                format_usd(totals.escrow), format_usd(totals.fees),
                                format_usd(totals.withdrawn)),
                    conserved ? Style::green : Style::red}});
  terminal.write(render_pairs(terminal, lines));
  return well ? kExitDone : kExitFailed;
}

Result<int> hash(const Context& context, const fs::path& state) {
  MIZAN_TRY(opened, open_journal(state));
  MIZAN_TRY(rules, kept_rules(state));
  MIZAN_TRY(recovered, service::recover_state(*opened, false, rules));
  const std::string text = hex0x(recovered.state_hash().view());
  if (context.json)
    print_json(json::object{{"sequence", recovered.last_sequence()}, {"stateHash", text}});
  else
    Terminal(stdout, context.no_color).write(text + "\n");
  return kExitDone;
}

}  // namespace

void add_journal(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("journal", "Check an exchange's journal; it must not run");
  command.require_subcommand(1);
  static fs::path folder;
  auto& verify_command =
      *command.add_subcommand("verify", "Every hash, a replay from the first command, the sums");
  verify_command.add_option("state_dir", folder, "The exchange's state folder")->required();
  on_run(verify_command, context, [&context] { return verify(context, folder); });
  auto& hash_command = *command.add_subcommand("hash", "The hash of the state that it holds");
  hash_command.add_option("state_dir", folder, "The exchange's state folder")->required();
  on_run(hash_command, context, [&context] { return hash(context, folder); });
}

}  // namespace mizan::cli
