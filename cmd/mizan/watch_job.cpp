#include "mizan/watch_job.hpp"

#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "settlement/escrow_errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

namespace mizan::cli {
namespace {

constexpr size_t kProgressLineMax = 400;

}  // namespace

std::optional<JobProgress> read_progress(const std::string& line) {
  static const std::regex kStep(R"((?:^|\s)step=(\d{1,12})/(\d{1,12})(?:\s|$))");
  static const std::regex kLoss(R"((?:^|\s)loss=(-?\d{1,12}(?:\.\d{1,12})?)(?:\s|$))");
  std::smatch match;
  if (line.size() > kProgressLineMax || !std::regex_search(line, match, kStep)) return std::nullopt;
  JobProgress progress{std::stoull(match[1]), std::stoull(match[2])};
  if (std::regex_search(line, match, kLoss)) progress.loss = std::stod(match[1]);
  return progress;
}

JobWatcher::JobWatcher(const Context& context, std::string name)
    : context_(context),
      name_(std::move(name)),
      out_(context.json ? stderr : stdout, context.no_color),
      err_(stderr, context.no_color),
      status_(err_) {}

FollowEvents JobWatcher::events() {
  FollowEvents events;
  events.record = [this](const LogRecord& record) { show(record); };
  events.lease = [this](const json::value& lease) { show_state(lease); };
  events.connection_lost = [this](const Error& error) {
    say(fmt::format("the exchange can't be reached ({}); the job runs on, trying again",
                    error.message));
  };
  events.tick = [this] { redraw(); };
  return events;
}

void JobWatcher::say(const std::string& text) {
  status_.scroll(err_.paint(Style::dim, "mizan: " + text) + "\n");
}

void JobWatcher::show(const LogRecord& record) {
  if (!record.partial)
    if (const auto progress = read_progress(record.text)) progress_ = progress;
  const std::string text = record.text + (record.partial ? "" : "\n");
  const Terminal& to = record.err ? err_ : out_;
  LogFilter& filter = record.err ? err_filter_ : out_filter_;
  status_.scroll(to.live() ? filter.pass(text) : text, to);
}

void JobWatcher::show_state(const json::value& lease) {
  const auto state = member_or<std::string>(lease, "state");
  rate_ = Rate{member_or<u128>(lease, "rate")};
  units_ = member_or<uint64_t>(lease, "units");
  const std::string opening = state == "opening" ? describe_opening(lease) : "";
  if (state == state_ && opening == opening_) return;
  const bool opens_on = state == state_ && state == "opening";
  state_ = state;
  opening_ = opening;
  if (opens_on) {
    if (!err_.live() && !context_.json) say(opening);
    return redraw();
  }
  if (state == "running" && !running_since_) running_since_ = std::chrono::steady_clock::now();
  if (state == "held")
    say("policy holds this deal for an officer: " +
        printable(member_or<std::string>(member_value(lease, "verdict"), "note")));
  else if (state == "opening")
    say("the provider accepted; the lease is being opened on the chain, which takes some blocks");
  else if (!err_.live() && !context_.json)
    say(state);
  redraw();
}

std::string describe_opening(const json::value& lease) {
  const json::value& opening = member_value(lease, "opening");
  const auto blocks = member_or<std::optional<uint64_t>>(opening, "blocks");
  const auto depth = member_or<uint64_t>(opening, "depth");
  if (!blocks) return "its opening waits for a block of the chain";
  return fmt::format("its opening has {} of {} blocks on it", std::min(*blocks, depth), depth);
}

void JobWatcher::redraw() {
  if (!err_.live() || state_.empty()) return;
  std::string text = fmt::format("{} {}", name_, state_);
  if (!opening_.empty()) text += ": " + opening_;
  if (running_since_) {
    const auto seconds =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                  std::chrono::steady_clock::now() - *running_since_)
                                  .count());
    text += " " + duration(seconds);
    if (const auto spent = cost(rate_, units_, seconds)) text += " about " + format_usd(*spent);
  }
  if (progress_) {
    text += fmt::format("  {}▏{}/{}", bar(progress_->done, progress_->total, 20), progress_->done,
                        progress_->total);
    if (progress_->loss) text += fmt::format(" loss {:.3f}", *progress_->loss);
  }
  status_.set(printable(text));
}

namespace {

// Why a deal came to nothing before it began.
std::string why_not(const std::string& reason) {
  if (reason == "policy_rejected") return "an officer rejected the deal";
  if (reason == "policy_undecided") return "no officer decided in time";
  if (reason == "policy_blocked") return "the rules forbid the deal by now";
  if (reason == "not_opened")
    return "the contract did not open the lease in time (is the money still in it?); order again";
  if (reason == "insufficient_balance")
    return "the contract did not open the lease: the money is not in it any more";
  if (reason == "bid_expired")
    return "the contract did not open the lease: the bid had run out by the chain's clock";
  if (reason == "clearance_expired" || reason == "too_late" || reason == "too_early")
    return "the contract did not open the lease: its time, or the exchange's word for it, was over "
           "by the chain's clock; order again";
  if (reason == "bid_nonce_spent")
    return "the contract did not open the lease: its bid was used or cancelled there";
  if (reason == "bid_not_signed" || reason == "outside_bid")
    return "the contract did not open the lease: by its word the bid does not allow it";
  if (reason == "terms_not_signed" || reason == "bad_terms" || reason == "wrong_payees")
    return "the contract did not open the lease: it refused the provider's terms; order again";
  if (reason == "opening_paused" || reason == "not_cleared")
    return "the contract did not open the lease: its guardian has stopped the opening of leases";
  if (const auto sentence = settlement::revert_sentence(reason); !sentence.empty())
    return "the contract did not open the lease: " + std::string(sentence);
  return reason;
}

}  // namespace

std::string describe_end(const Terminal& terminal, const json::value& lease) {
  const auto state = member_or<std::string>(lease, "state");
  const auto reason = member_or<std::string>(lease, "reason");
  const auto exit_code = member_or<std::optional<int64_t>>(lease, "exitCode");
  const auto usd = [&](const char* name) {
    return format_usd(Money{member_or<u128>(lease, name)});
  };
  std::string end = reason.empty() ? state : reason;
  if (member_or<uint64_t>(lease, "openedAtMs") == 0)
    return render_pairs(terminal,
                        {{"ended", {why_not(end), Style::red}},
                         {"charged", {"nothing; " + usd("escrow") + " in escrow came back"}}});
  if (exit_code && *exit_code >= 0) end += fmt::format(", exit code {}", *exit_code);
  const bool well = exit_code && *exit_code == 0 && state == "settled";
  return render_pairs(
      terminal, {{"ended", {end, well ? Style::green : Style::red}},
                 {"billed", {duration(member_or<uint64_t>(lease, "coveredMs") / 1000)}},
                 {"charged",
                  {fmt::format("{} of {} in escrow, {} came back", usd("charged"), usd("escrow"),
                               usd("refunded"))}}});
}

int exit_code_of(const json::value& lease) {
  const auto code = member_or<std::optional<int64_t>>(lease, "exitCode");
  const bool ran = member_or<uint64_t>(lease, "openedAtMs") != 0;
  if (!ran || !code || *code < 0) return kExitFailed;
  const auto state = member_or<std::string>(lease, "state");
  if (state != "settled" && *code == 0) return kExitFailed;
  return static_cast<int>(std::min<int64_t>(*code, 255));
}

}  // namespace mizan::cli
