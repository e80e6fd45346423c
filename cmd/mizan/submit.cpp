#include "mizan/submit.hpp"

#include "crypto/address.hpp"
#include "crypto/hash.hpp"
#include "crypto/random.hpp"
#include "market/order.hpp"
#include "mizan/json_view.hpp"
#include "mizan/order_keys.hpp"
#include "mizan/outputs.hpp"
#include "mizan/print.hpp"
#include "mizan/self_meter.hpp"
#include "transfer/tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <unistd.h>

namespace mizan::cli {
namespace {

constexpr size_t kSpecBytesMax = size_t{64} << 10;
constexpr uint64_t kBidValidSeconds = 60;
constexpr uint64_t kChainBidSeconds = 900;    // a chain may turn, and the lease be opened again
constexpr uint64_t kOfficerSeconds = 86'400;  // an exchange keeps a held deal no longer
constexpr u128 kAnyRate = market::kMostRate;

uint64_t seconds_wanted(const JobRequest& request) {
  const uint64_t asked = request.file.job.max_seconds;
  return asked == 0 ? kDefaultSeconds : asked;
}

Result<Plan::Line> read_line(const json::value& value) {
  Plan::Line line;
  const json::value& offer =
      member_value(value, "offer").is_object() ? member_value(value, "offer") : value;
  MIZAN_TRY(provider, member<Address>(offer, "provider"));
  MIZAN_TRY(rate, member<u128>(offer, "rate"));
  MIZAN_TRY(seconds, member<uint64_t>(value, "seconds"));
  MIZAN_TRY(escrow, member<u128>(value, "escrow"));
  line.provider = provider;
  line.chip = member_or<std::string>(offer, "chip");
  line.rate = Rate{rate};
  line.seconds = seconds;
  line.escrow = Money{escrow};
  line.held = member_or<std::string>(value, "disposition") == "hold";
  line.note = member_or<std::string>(value, "note");
  line.reliability_pm = member_or<std::optional<uint64_t>>(offer, "reliability");
  return line;
}

// The archives of clients that were killed while they sent them.
void remove_stale_archives(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().stem().string();
    int pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), error);
  }
}

job::Spec spec_of(const JobRequest& request, const std::optional<Hash32>& workdir,
                  const Hash32& output_key) {
  job::Spec spec{.job = request.file.job,
                 .query = request.file.query,
                 .immediate_or_cancel = !request.wait_for_officer,
                 .declaration = request.file.declaration};
  spec.job.max_seconds = seconds_wanted(request);
  spec.job.workdir = workdir;
  spec.job.output_key = output_key;
  return spec;
}

}  // namespace

Result<JobRequest> read_job_request(const fs::path& path) {
  MIZAN_TRY(text, read_small_file(path, job::kJobFileMax));
  auto file = job::parse_job_file(text, path.filename().string());
  if (!file) {
    Error error = std::move(file).error();
    error.message = fmt::format("{}: {}", path.string(), error.message);
    return fail(std::move(error));
  }
  const bool script = text.starts_with("#!");
  std::error_code ignored;
  const fs::path folder = script ? fs::current_path(ignored) : fs::absolute(path).parent_path();
  return JobRequest{*std::move(file), folder};
}

Result<JobRequest> command_request(const std::vector<std::string>& command,
                                   const std::string& workdir) {
  MIZAN_TRY(file, job::job_of_command(command));
  if (!workdir.empty()) file.workdir = workdir;
  std::error_code ignored;
  return JobRequest{std::move(file), fs::current_path(ignored)};
}

Result<Plan> ask_plan(Session& session, const JobRequest& request) {
  const job::JobFile& file = request.file;
  Plan plan;
  plan.units = uint64_t{file.nodes} * file.units_per_node;
  const auto limit = file.max_rate();
  json::object body{{"nodes", file.nodes},
                    {"unitsPerNode", file.units_per_node},
                    {"query", file.query},
                    {"maxRate", to_string(limit ? limit->nano : kAnyRate)},
                    {"maxSeconds", seconds_wanted(request)}};
  // Policy judges a buyer's own plan: without one, price and capacity alone are told.
  if (!session.account().is_zero()) {
    body["buyer"] = to_json(session.account());
    if (file.declaration) body["declaration"] = *file.declaration;
  }
  MIZAN_TRY(answer, session.post("/v1/plan", body));
  const json::value& offers = member_value(answer, "offers");
  if (!offers.is_array() || offers.as_array().empty())
    return fail(ErrorCode::no_match, "no offer fits this job now");
  for (const json::value& offer : offers.as_array()) {
    MIZAN_TRY(line, read_line(offer));
    line.judged = body.contains("buyer");
    plan.offers.push_back(std::move(line));
  }
  // An offer that passes is taken before one for which an officer must be asked.
  std::stable_partition(plan.offers.begin(), plan.offers.end(),
                        [](const Plan::Line& line) { return !line.held; });
  plan.max_rate = limit.value_or(plan.best().rate);
  MIZAN_TRY(whole, cost(plan.max_rate, plan.units, seconds_wanted(request)));
  plan.max_total = file.max_total_cost ? std::min(*file.max_total_cost, whole) : whole;
  // What does not pay for a second buys nothing.
  const Money second = mul(Money{plan.best().rate.nano}, plan.units).value_or(whole);
  std::erase_if(plan.offers, [&plan](const Plan::Line& line) {
    const auto one = mul(Money{line.rate.nano}, plan.units);
    return !one || plan.max_total < *one;
  });
  if (plan.offers.empty())
    return fail(Error{ErrorCode::no_match,
                      fmt::format("max_total_cost: {} pays for less than a second of the best "
                                  "offer, which costs {}",
                                  format_usd(plan.max_total), format_usd(second)),
                      {{"field", "max_total_cost"}}});
  if (session.domain().is_credits() || session.account().is_zero()) return plan;
  MIZAN_TRY(account, session.get("/v1/accounts/" + to_checksum(session.account())));
  plan.in_contract = Money{member_or<u128>(account, "balance")};
  return plan;
}

Cell policy_cell(const Plan::Line& line) {
  if (line.held) return {"waits for an officer: " + printable(line.note), Style::yellow};
  return {line.judged ? "allowed" : "not asked: unlock your key for that",
          line.judged ? Style::green : Style::dim};
}

namespace {

struct Most {
  uint64_t seconds;
  Money total;
};

/// What the best offer may come to.
Most most_of(const Plan& plan) {
  const Plan::Line& best = plan.best();
  const auto affordable = mul(Money{best.rate.nano}, plan.units);
  const uint64_t seconds = affordable && affordable->nano > 0
                               ? static_cast<uint64_t>(std::min<u128>(
                                     plan.max_total.nano / affordable->nano, best.seconds))
                               : best.seconds;
  return {seconds, cost(best.rate, plan.units, seconds).value_or(plan.max_total)};
}

}  // namespace

std::optional<Money> Plan::short_of() const {
  const Money most = most_of(*this).total;
  if (!in_contract || *in_contract >= most) return {};
  return Money{most.nano - in_contract->nano};
}

std::string how_to_deposit(Money missing) {
  // In whole micro-dollars, which every token has.
  constexpr u128 kMicro = 1'000;
  const Money whole{(missing.nano + kMicro - 1) / kMicro * kMicro};
  return fmt::format(
      "short of {0}: `mizan account deposit {1}` brings it, or without gas `mizan account deposit "
      "{1} --sign FILE` and somebody's `mizan account relay FILE`",
      format_usd(missing), format_usd(whole).substr(1));
}

void print_plan(const Terminal& terminal, const JobRequest& request, const Plan& plan) {
  const job::Job& job = request.file.job;
  const Plan::Line& best = plan.best();
  const auto [seconds, most] = most_of(plan);
  std::string needs = fmt::format("{} unit{}", plan.units, plan.units == 1 ? "" : "s");
  if (!request.file.query.empty()) needs += ", " + request.file.query;
  std::vector<std::pair<std::string, Cell>> pairs{
      {"job", {job.name, Style::bold}},
      {"needs", {needs}},
      {"offer",
       {fmt::format("{} by {} ({} fit{})", best.chip, short_address(best.provider),
                    plan.offers.size(), plan.offers.size() == 1 ? "s" : "")}},
      {"price", {fmt::format("{} a unit, billed by the second", usd_hour(best.rate))}},
      {"at most",
       {fmt::format("{} for {}; what is not used comes back", format_usd(most), duration(seconds)),
        Style::bold}},
      {"network", {job.network}},
      {"policy", policy_cell(best)}};
  if (plan.in_contract && !plan.short_of())
    pairs.push_back({"in the contract", {format_usd(*plan.in_contract)}});
  else if (plan.in_contract)
    pairs.push_back(
        {"in the contract",
         {fmt::format("{}: {}", format_usd(*plan.in_contract), how_to_deposit(*plan.short_of())),
          Style::yellow}});
  terminal.write(render_pairs(terminal, pairs));
}

json::value plan_json(const JobRequest& request, const Plan& plan) {
  json::array offers;
  for (const Plan::Line& line : plan.offers)
    offers.push_back(json::object{{"provider", to_json(line.provider)},
                                  {"chip", line.chip},
                                  {"rate", to_string(line.rate)},
                                  {"seconds", line.seconds},
                                  {"escrow", to_string(line.escrow)},
                                  {"disposition", line.held ? "hold" : "pass"},
                                  {"note", line.note}});
  return json::object{{"name", request.file.job.name},
                      {"query", request.file.query},
                      {"units", plan.units},
                      {"maxRate", to_string(plan.max_rate)},
                      {"maxTotal", to_string(plan.max_total)},
                      {"offers", std::move(offers)}};
}

Result<PackedTree> PackedTree::pack(const fs::path& home, const JobRequest& request) {
  PackedTree tree;
  if (!request.file.workdir) return tree;
  const fs::path folder = request.base / *request.file.workdir;
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored))
    return fail(Error{ErrorCode::invalid_argument,
                      fmt::format("workdir: there is no folder {}", folder.string()),
                      {{"field", "workdir"}}});
  MIZAN_CHECK(make_private_folder(home / "tmp"));
  remove_stale_archives(home / "tmp");
  tree.file_ = home / "tmp" / fmt::format("{}.tar", ::getpid());
  fs::remove(tree.file_, ignored);
  auto digest = transfer::pack_tree_to_file(folder, tree.file_);
  if (!digest) {
    Error error = std::move(digest).error();
    error.message = "workdir: " + error.message;
    return fail(std::move(error).with("field", "workdir"));
  }
  tree.hash_ = digest->sha256;
  tree.bytes_ = digest->bytes;
  return tree;
}

PackedTree::~PackedTree() {
  std::error_code ignored;
  if (!file_.empty()) fs::remove(file_, ignored);
}

Result<void> PackedTree::upload(Session& session, StatusLine* status) const {
  if (!hash_) return {};
  const auto progress = [&](uint64_t done, uint64_t total) {
    if (status != nullptr)
      status->set(fmt::format("sending the working tree {} {} of {}", bar(done, total, 20),
                              bytes_text(done), bytes_text(total)));
  };
  const std::string target = "/v1/artifacts/" + hex0x(hash_->view());
  auto answer = session.client().put_file(target, file_, progress);
  if (status != nullptr) status->clear();
  if (!answer) return fail(std::move(answer).error());
  return {};
}

std::string request_hash(const Session& session, const JobRequest& request,
                         const std::optional<Hash32>& workdir) {
  const auto spec = canonical_json(job::spec_json(spec_of(request, workdir, Hash32{})));
  const auto money = request.file.max_total_cost;
  const std::string text =
      fmt::format("{} {} {} {} {} {} {}", hex(session.info().id.view()),
                  hex(session.account().view()), spec.value_or(""), request.file.nodes,
                  request.file.units_per_node, to_string(request.file.max_rate().value_or(Rate{})),
                  to_string(money.value_or(Money{}))) +
      (request.self_meter ? " self" : "");
  return hex0x(keccak256(text).view());
}

Result<OrderState> make_order(const Context& context, Session& session, const JobRequest& request,
                              const Plan& plan, const std::optional<Hash32>& workdir) {
  MIZAN_TRY(nonce,
            take_nonces(context.home, session.account(), session.info().id, request.file.nodes));
  Hash32 output_public;
  output_public.bytes = output_key_of(session.key(), session.info().id, nonce).public_key().bytes;
  const job::Spec spec = spec_of(request, workdir, output_public);
  MIZAN_CHECK(job::check(spec.job));
  MIZAN_TRY(spec_text, canonical_json(job::spec_json(spec)));
  if (spec_text.size() > kSpecBytesMax)
    return fail(ErrorCode::too_large,
                fmt::format("the job is {} bytes, of at most {}: put long scripts into the workdir",
                            spec_text.size(), kSpecBytesMax));
  const uint64_t now = session.exchange_time_ms() / 1000;
  const uint64_t soon = session.domain().is_credits() ? kBidValidSeconds : kChainBidSeconds;
  const uint64_t valid = request.wait_for_officer ? kOfficerSeconds : soon;
  OrderState state;
  state.bid = {.buyer = session.account(),
               .meter = request.self_meter
                            ? meter_key_of(session.key(), session.info().id, nonce).address()
                            : session.info().meter,
               .max_rate = plan.max_rate.nano,
               .nodes = request.file.nodes,
               .units_per_node = request.file.units_per_node,
               .max_seconds = spec.job.max_seconds,
               // A little earlier: the exchange's clock may be behind what we take it for.
               .earliest_start = now - kBidValidSeconds,
               .latest_start = now + valid,
               .valid_until = now + valid,
               .all_or_none = true,
               .interruptible = false,
               .grace = request.grace_seconds,
               .max_total = plan.max_total.nano,
               .max_fee_bps = session.info().fee_bps,
               .spec_hash = keccak256(spec_text),
               .nonce = nonce};
  const auto domain = session.domain();
  state.order = eip712::digest(domain, state.bid);
  state.name = spec.job.name;
  state.exchange = session.client().url().text();
  state.exchange_id = session.info().id;
  state.account = session.account();
  state.signature = eip712::sign(domain, state.bid, session.key());
  state.spec = spec_text;
  state.idempotency_key = hex(random_bytes(16));
  state.request = request_hash(session, request, workdir);
  state.created_at_ms = system_clock().now().ms;
  state.client = "attached";
  return state;
}

Result<void> cancel_order(Session& session, const OrderState& state) {
  const uint64_t bit = state.bid.nonce % 256;
  eip712::CancelBids cancel{.owner = state.account,
                            .word = state.bid.nonce / 256,
                            .nonce = random_u64(),
                            .deadline = session.exchange_time_ms() / 1000 + kBidValidSeconds};
  for (uint64_t i = bit; i < bit + state.bid.nodes; ++i)
    cancel.mask.bytes[31 - i / 8] |= static_cast<uint8_t>(1U << (i % 8));
  const Signature signature = eip712::sign(session.domain(), cancel, session.key());
  const json::object body{{"cancel", to_json(cancel)}, {"signature", to_json(signature)}};
  auto answer = session.post("/v1/bids/cancel", body, hex(random_bytes(16)));
  if (!answer) return fail(std::move(answer).error());
  return {};
}

Result<void> send_order(const Context& context, Session& session, OrderState& state) {
  MIZAN_TRY(spec, parse_json(state.spec, {}, "the order's spec"));
  const json::object body{
      {"bid", to_json(state.bid)}, {"spec", spec}, {"signature", to_json(state.signature)}};
  auto answer = session.post("/v1/bids", body, state.idempotency_key);
  if (!answer) {
    // The exchange has spoken: there is nothing to come back to. Otherwise it may have the order.
    const ErrorCode code = answer.error().code;
    const bool spoken = answer.error().details.contains("status") &&
                        code != ErrorCode::unavailable && code != ErrorCode::internal &&
                        code != ErrorCode::io_error;
    std::error_code ignored;
    if (spoken) fs::remove_all(order_folder(context.home, state.order), ignored);
    return fail(std::move(answer).error());
  }
  const json::value& leases = member_value(*answer, "leases");
  // An order that waits for an officer would wait for an offer too, and nobody would follow it.
  if (member_or<std::string>(*answer, "status") == "resting") {
    MIZAN_CHECK(cancel_order(session, state));
    std::error_code ignored;
    fs::remove_all(order_folder(context.home, state.order), ignored);
    return fail(ErrorCode::no_match, "no offer fits this job now; the order was taken back");
  }
  if (!leases.is_array() || leases.as_array().empty())
    return fail(ErrorCode::internal, "the exchange took the order but named no lease");
  MIZAN_TRY(lease, member<LeaseId>(leases.as_array()[0], "lease"));
  state.lease = lease;
  return save_order(context.home, state);
}

}  // namespace mizan::cli
