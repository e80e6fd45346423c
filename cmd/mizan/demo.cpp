// mizan demo: the main job with real parties on this machine, from an empty folder to a receipt.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/curve.hpp"
#include "mizan/demo_market.hpp"
#include "mizan/demo_policy.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "mizan/watch_job.hpp"
#include "settlement/escrow_calls.hpp"
#include "transfer/stream.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

struct Options {
  fs::path summary, keep, example;
  std::string settlement = "credits";
};

// What the job itself said, and when.
struct Training {
  std::vector<std::pair<double, double>> losses;  // step, loss
  uint64_t steps = 0;
  std::string model_sha256;  // as computed on the provider's machine
  uint64_t first_output_ms = 0;
};

class Demo {
 public:
  Demo(const Context& context, const Options& options)
      : context_(context), options_(options), terminal_(stdout, context.no_color) {}

  Result<int> run();

 private:
  void step(const std::string& text) const {
    terminal_.write(terminal_.paint(Style::cyan, "• ") + text + "\n");
  }
  void title(const std::string& text) const {
    terminal_.write("\n" + terminal_.paint(Style::bold, text) + "\n");
  }
  Result<fs::path> find_example() const;
  Result<fs::path> make_folder() const;
  Result<void> show(DemoMarket& market, const fs::path& example);
  void end_job(DemoMarket& market) const;
  Result<json::value> train(DemoMarket& market, const fs::path& example);
  void take_line(const std::string& line);
  void draw(bool again);
  Result<void> show_sample(const fs::path& example, const fs::path& model);
  Result<void> settle_up(DemoMarket& market, const json::value& lease);
  Result<void> check_chain(DemoMarket& market, const json::value& lease);
  Result<void> check_receipt(DemoMarket& market, const std::string& file);
  Result<void> replay(DemoMarket& market);
  Result<void> write_summary(const json::value& lease) const;

  const Context& context_;
  const Options& options_;
  Terminal terminal_;
  Training training_;
  std::string model_sha256_;  // of the file that came back
  json::array verdicts_;
  bool conserved_ = false;
  std::optional<ChainFigures> chain_;
  bool onchain_conserved_ = false;
  bool replay_equal_ = false;
  size_t curve_lines_ = 0;
};

Result<fs::path> Demo::find_example() const {
  std::error_code ignored;
  // Beside the sources that the binary was built from, wherever it is started.
  for (const fs::path& folder :
       {options_.example, fs::current_path(ignored) / "examples" / "train-lm",
        context_.program.parent_path() / ".." / ".." / "examples" / "train-lm"})
    if (!folder.empty() && fs::exists(folder / "job.yaml", ignored))
      return fs::canonical(folder, ignored);
  return fail(
      ErrorCode::not_found,
      "examples/train-lm was not found: start it in the checkout, or give --example FOLDER");
}

void Demo::draw(bool again) {
  if (!terminal_.live()) return;
  const size_t width = std::min<size_t>(terminal_.columns() - 1, 100);
  const size_t height = std::min<size_t>(terminal_.rows() - 6, 16);
  std::string text = again ? fmt::format("\x1b[{}A\x1b[J", curve_lines_) : "";
  const std::string curve =
      draw_curve(training_.losses, static_cast<double>(training_.steps), width, height, "step");
  curve_lines_ = static_cast<size_t>(std::count(curve.begin(), curve.end(), '\n'));
  text += terminal_.paint(Style::green, curve);
  if (!training_.losses.empty()) {
    const auto [at, loss] = training_.losses.back();
    text +=
        fmt::format("  {}▏ step {:.0f} of {}, loss {:.3f}\n",
                    bar(static_cast<uint64_t>(at), training_.steps, 30), at, training_.steps, loss);
    ++curve_lines_;
  }
  terminal_.write(text);
}

void Demo::take_line(const std::string& line) {
  constexpr std::string_view kHash = "model_sha256=";
  if (line.starts_with(kHash)) training_.model_sha256 = line.substr(kHash.size());
  const auto progress = read_progress(line);
  if (!progress || !progress->loss) {
    if (!terminal_.live()) terminal_.write("  " + printable(line) + "\n");
    return;
  }
  const bool first = training_.losses.empty();
  training_.steps = progress->total;
  training_.losses.emplace_back(static_cast<double>(progress->done), *progress->loss);
  if (terminal_.live())
    draw(!first);
  else if (first || progress->done % 50 == 0 || progress->done == progress->total)
    terminal_.write("  " + printable(line) + "\n");
}

Result<json::value> Demo::train(DemoMarket& market, const fs::path& example) {
  const auto words =
      market.command("buyer", {"run", (example / "job.yaml").string(), "-y", "--outputs",
                               (market.home("buyer") / "model").string()});
  const uint64_t sent = system_clock().monotonic().ms;
  MIZAN_TRY(buyer, Child::start(words, market.child_options("buyer")));
  while (true) {
    MIZAN_TRY(line, buyer.read_line(&DetachSignals::raised));
    if (!line) break;
    if (training_.first_output_ms == 0)
      training_.first_output_ms = std::max<uint64_t>(system_clock().monotonic().ms - sent, 1);
    take_line(*line);
  }
  const int code = buyer.wait();
  if (code != 0)
    return fail(
        ErrorCode::internal,
        fmt::format("the job ended with exit code {}: {}", code,
                    read_small_file(market.child_options("buyer").error_file).value_or("no log")));
  MIZAN_TRY(jobs, market.ask("buyer", {"ps", "--all"}));
  const json::value& list = member_value(jobs, "jobs");
  if (!list.is_array() || list.as_array().size() != 1)
    return fail(ErrorCode::internal, "the buyer does not have exactly one job");
  return member_value(list.as_array()[0], "lease");
}

Result<void> Demo::show_sample(const fs::path& example, const fs::path& model) {
  MIZAN_TRY(digest, transfer::digest_of_file(model));
  model_sha256_ = hex(digest.sha256.view());
  const bool same = model_sha256_ == training_.model_sha256;
  step(fmt::format("model.pt came back: {}, sha256 {}… {}", bytes_text(digest.bytes),
                   model_sha256_.substr(0, 16),
                   same ? "as on the provider's machine" : "NOT as on the provider's machine"));
  if (!same)
    return fail(ErrorCode::corrupted, "the model that came back is not the one that was trained");
  title("A sample from the model, outside the sandbox");
  MIZAN_TRY(text, run_command({kPython, (example / "sample.py").string(), model.string()}, {}));
  terminal_.write(text);
  return {};
}

Result<void> Demo::settle_up(DemoMarket& market, const json::value& lease) {
  MIZAN_TRY(buyer, market.ask("buyer", {"account"}));
  MIZAN_TRY(provider, market.ask("provider", {"account"}));
  const auto nano = [](const json::value& value, const char* name) {
    return member_or<u128>(value, name);
  };
  const u128 charged = nano(lease, "charged"), fee = nano(lease, "fee"), paid = nano(lease, "paid");
  const u128 escrow = nano(lease, "escrow"), refunded = nano(lease, "refunded");
  conserved_ = charged == paid + fee && escrow == charged + refunded &&
               nano(buyer, "balance") + nano(provider, "balance") + fee == market.granted().nano &&
               nano(buyer, "escrowed") == 0 && nano(provider, "earned") == paid &&
               nano(buyer, "spent") == charged;
  const auto usd = [](u128 value) { return format_usd(Money{value}); };
  title("Who paid and who earned");
  terminal_.write(render_pairs(
      terminal_,
      {{"rate",
        {fmt::format("{} a unit ({} nano-USD a second)", usd_hour(Rate{nano(lease, "rate")}),
                     to_string(nano(lease, "rate")))}},
       {"billed", {duration(member_or<uint64_t>(lease, "secondsBilled"))}},
       {"buyer",
        {fmt::format("paid {}; {} was in escrow, {} came back; has {}", usd(charged), usd(escrow),
                     usd(refunded), usd(nano(buyer, "balance")))}},
       {"provider", {fmt::format("earned {}", usd(nano(provider, "earned"))), Style::green}},
       {"exchange", {fmt::format("fee {}", usd(fee))}},
       {"conserved",
        {conserved_ ? "yes: every nano-USD is accounted for" : "NO",
         conserved_ ? Style::green : Style::red}}}));
  if (!conserved_) return fail(ErrorCode::internal, "the sums do not add up");
  return {};
}

/// The contract's own word, beside the exchange's: what it owes is there, and to the same accounts.
Result<void> Demo::check_chain(DemoMarket& market, const json::value& lease) {
  DemoChain& chain = *market.chain();
  MIZAN_TRY(id, member<LeaseId>(lease, "lease"));
  MIZAN_TRY(figures, chain.figures(market.contract(), id, market.gas_account()));
  chain_ = figures;
  MIZAN_TRY(audit, market.ask("operator", {"audit"}));
  u128 owed = 0;
  bool equal = true;
  for (const char* party : {"buyer", "provider", "operator"}) {
    MIZAN_TRY(units, chain.number(market.contract(),
                                  settlement::escrow::balance_of(market.address(party))));
    MIZAN_TRY(account, market.ask(party, {"account"}));
    owed += units;
    equal = equal && units * DemoChain::kNanoAUnit == member_or<u128>(account, "balance");
  }
  onchain_conserved_ = equal && member_or<bool>(audit, "solvent") &&
                       member_or<u128>(audit, "owed") == owed &&
                       owed * DemoChain::kNanoAUnit == market.granted().nano;
  title("The same on the chain");
  terminal_.write(render_pairs(
      terminal_,
      {{"opened", {fmt::format("{} gas", figures.open_gas)}},
       {"closed", {fmt::format("{} gas", figures.close_gas)}},
       {"sent",
        {fmt::format("{} transactions by the exchange; the parties sent none for it",
                     figures.tx_count)}},
       {"balances",
        {onchain_conserved_ ? "the contract's are the exchange's, and all is there" : "they DIFFER",
         onchain_conserved_ ? Style::green : Style::red}}}));
  if (!onchain_conserved_)
    return fail(ErrorCode::internal, "the contract and the exchange have other balances");
  return {};
}

Result<void> Demo::check_receipt(DemoMarket& market, const std::string& file) {
  MIZAN_TRY(verdict, market.ask("buyer", {"receipt", "verify", file}));
  const json::value& findings = member_value(verdict, "findings");
  step(fmt::format("receipt verified offline: {} rules hold",
                   findings.is_array() ? findings.as_array().size() : 0));
  return {};
}

Result<void> Demo::replay(DemoMarket& market) {
  MIZAN_CHECK(market.stop());
  MIZAN_TRY(found, market.ask("operator", {"journal", "verify", market.exchange_state().string()}));
  const auto live = member_or<std::string>(found, "liveStateHash");
  const auto replayed = member_or<std::string>(found, "stateHash");
  replay_equal_ = !live.empty() && live == replayed;
  conserved_ = conserved_ && member_or<bool>(found, "conserved");
  step(fmt::format("journal replayed: {} commands, state hash {}… {}",
                   member_or<uint64_t>(found, "commands"), replayed.substr(0, 18),
                   replay_equal_ ? "as the exchange's at its end" : "NOT as the exchange's"));
  if (!replay_equal_) return fail(ErrorCode::corrupted, "replay gives another state");
  return {};
}

Result<void> Demo::write_summary(const json::value& lease) const {
  const auto nano = [&](const char* name) {
    return static_cast<uint64_t>(member_or<u128>(lease, name));
  };
  std::string text =
      fmt::format("{{\n  \"steps\": {},\n  \"first_loss\": {:.4f},\n  \"last_loss\": {:.4f},\n",
                  training_.steps, training_.losses.front().second, training_.losses.back().second);
  text += fmt::format("  \"model_sha256_provider\": \"{}\",\n  \"model_sha256_buyer\": \"{}\",\n",
                      training_.model_sha256, model_sha256_);
  for (const auto& [name, key] : {std::pair{"rate_nano", "rate"},
                                  {"charged_nano", "charged"},
                                  {"escrow_nano", "escrow"},
                                  {"refunded_nano", "refunded"},
                                  {"fee_nano", "fee"},
                                  {"earned_nano", "paid"}})
    text += fmt::format("  \"{}\": {},\n", name, nano(key));
  text += fmt::format(
      "  \"seconds_billed\": {},\n  \"units\": {},\n  \"conserved\": {},\n"
      "  \"submit_to_first_output_ms\": {},\n  \"replay_hash_equal\": {},\n",
      member_or<uint64_t>(lease, "secondsBilled"), member_or<uint64_t>(lease, "units"), conserved_,
      training_.first_output_ms, replay_equal_);
  if (chain_)
    text += fmt::format(
        "  \"open_gas\": {},\n  \"close_gas\": {},\n  \"onchain_conserved\": {},\n  "
        "\"tx_count\": {},\n",
        chain_->open_gas, chain_->close_gas, onchain_conserved_, chain_->tx_count);
  text += fmt::format("  \"verdicts\": {}\n}}\n", json_text(verdicts_));
  return write_small_file(options_.summary, text);
}

// However it ends, no job may run on without its parties.
void Demo::end_job(DemoMarket& market) const {
  if (!market.ask("buyer", {"stop", "train-lm"})) return;
  step("the job is stopped");
  // Ends with the job's exit code, which is not 0.
  [[maybe_unused]] const auto ended = market.ask("buyer", {"logs", "-f", "train-lm"});
}

Result<int> Demo::run() {
  // The parties have homes of their own, in which a key that the shell names is not.
  for (const char* name : {"MIZAN_HOME", "MIZAN_KEY", "MIZAN_EXCHANGE", "MIZAN_PASSPHRASE_FILE"})
    ::unsetenv(name);  // NOLINT(concurrency-mt-unsafe): no other thread yet
  MIZAN_TRY(example, find_example());
  MIZAN_TRY(folder, make_folder());
  const DetachSignals signals;
  title("Mizan demo: an exchange, a provider and a buyer on this machine");
  auto market = DemoMarket::start(context_, {.folder = folder, .evm = options_.settlement == "evm"},
                                  [this](const std::string& text) { step(text); });
  if (!market) return fail(std::move(market).error());
  auto done = show(*market, example);
  if (!done) end_job(*market);
  [[maybe_unused]] const auto stopped = market->stop();
  std::error_code ignored;
  if (options_.keep.empty())
    fs::remove_all(folder, ignored);
  else
    step("everything is kept in " + folder.string());
  if (!done) return fail(std::move(done).error());
  return kExitDone;
}

Result<fs::path> Demo::make_folder() const {
  fs::path folder = options_.keep;
  if (folder.empty()) {
    std::string name = "/tmp/mizan-demo-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      return fail(ErrorCode::io_error, "can't make a folder in /tmp");
    folder = name;
  }
  std::error_code ignored;
  folder = fs::absolute(folder, ignored);
  const bool fresh = !fs::exists(folder / "exchange", ignored);
  if (!fresh)
    return fail(ErrorCode::already_exists,
                folder.string() + " holds another demo already: give a new folder to --keep");

  return folder;
}

Result<void> Demo::show(DemoMarket& market, const fs::path& example) {
  step("the buyer orders examples/train-lm: 400 steps of a small language model");
  MIZAN_TRY(lease, train(market, example));
  step(fmt::format("trained; the first line of output came {} ms after the order",
                   training_.first_output_ms));
  MIZAN_CHECK(show_sample(example, market.home("buyer") / "model" / "model.pt"));
  MIZAN_CHECK(settle_up(market, lease));
  if (market.chain() != nullptr) MIZAN_CHECK(check_chain(market, lease));
  title("Three deals before the rules");
  MIZAN_TRY(verdicts, show_verdicts(terminal_, market, lease));
  verdicts_ = std::move(verdicts);
  title("Proof");
  const fs::path receipt =
      market.home("buyer") / "jobs" / member_or<std::string>(lease, "order") / "receipt.json";
  MIZAN_CHECK(check_receipt(market, receipt.string()));
  MIZAN_CHECK(replay(market));
  if (!options_.summary.empty()) MIZAN_CHECK(write_summary(lease));
  return {};
}

}  // namespace

void add_demo(CLI::App& app, Context& context) {
  auto& command =
      *app.add_subcommand("demo", "The main job, with all three parties on this machine");
  static Options options;
  command.add_option("--summary", options.summary, "Write the measured figures as JSON");
  command.add_option("--keep", options.keep, "Do it in this folder and keep it");
  command.add_option("--example", options.example, "The folder of the job (examples/train-lm)");
  command
      .add_option("--settlement", options.settlement,
                  "credits, or evm: a chain of its own, with a contract and test tokens")
      ->check(CLI::IsMember({"credits", "evm"}))
      ->capture_default_str();
  on_run(command, context, [&context] { return Demo(context, options).run(); });
}

}  // namespace mizan::cli
