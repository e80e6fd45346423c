// mizan run: a priced plan, then a funded lease, live logs, outputs back, a receipt.
// SPDX-License-Identifier: Apache-2.0
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/lease_file.hpp"
#include "mizan/lookup.hpp"
#include "mizan/outputs.hpp"
#include "mizan/print.hpp"
#include "mizan/request_close.hpp"
#include "mizan/self_meter.hpp"
#include "mizan/submit.hpp"
#include "mizan/watch_job.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <unistd.h>
#include <utility>

namespace mizan::cli {
namespace {

constexpr int kExitDetached = 130;

struct Options {
  fs::path file;
  std::vector<std::string> command;
  std::string workdir;  ///< for a command
  fs::path outputs_to;
  uint64_t grace = kDefaultGraceSeconds;
  bool yes = false;
  bool detach = false;
  bool plan_only = false;
  bool hold = false;
  std::string meter = "exchange";
  std::vector<std::string> declared;
};

Result<JobRequest> read_request(const Options& options) {
  if (options.command.empty() == options.file.empty())
    return fail(ErrorCode::invalid_argument,
                "give either a job file (mizan run job.yaml) or a command (mizan run -- COMMAND)");
  auto request = options.command.empty() ? read_job_request(options.file)
                                         : command_request(options.command, options.workdir);
  if (!request) return request;
  request->grace_seconds = options.grace;
  request->wait_for_officer = options.hold;
  request->self_meter = options.meter == "self";
  if (request->self_meter && options.detach)
    return fail(ErrorCode::invalid_argument,
                "--detach: with --meter self this client signs for the provider's time, and must "
                "stay; leave out one of the two");
  for (const std::string& word : options.declared) {
    const size_t at = word.find('=');
    if (at == std::string::npos)
      return fail(ErrorCode::invalid_argument,
                  "--declare: write KEY=VALUE, like end_use=commercial or training=true");
    MIZAN_CHECK(job::declare(request->file.declaration, word.substr(0, at), word.substr(at + 1)));
  }
  return request;
}

Result<bool> agreed(const Options& options, const Context& context) {
  if (options.yes) return true;
  if (context.json || ::isatty(STDIN_FILENO) != 1)
    return fail(ErrorCode::invalid_argument,
                "nobody can be asked here: give -y to accept the price");
  Terminal(stderr, context.no_color).write("Run it? [y/N] ");
  std::string answer;
  for (int letter = std::getchar(); letter != EOF && letter != '\n'; letter = std::getchar())
    answer += static_cast<char>(letter);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// An order that a client made for this very request and did not live to finish.
Result<std::optional<OrderState>> find_orphan(const Context& context, const std::string& request) {
  MIZAN_TRY(orders, load_held_orders(context.home));
  for (OrderState& order : orders) {
    if (order.request != request || order.client != "attached") continue;
    MIZAN_TRY(lock, hold_order(context.home, order.order));
    if (lock) return std::optional(std::move(order));
  }
  return std::optional<OrderState>();
}

void say_how_to_come_back(const Session& session, JobWatcher& watcher, const OrderState& state,
                          bool held = false) {
  const std::string id = short_id(state.order);
  if (meters_itself(session, state))
    return watcher.say(
        fmt::format("detached: nobody signs for the provider's time now, and it stops the job in "
                    "about {} s. Take it up again with: mizan logs -f {}",
                    state.bid.grace, id));
  watcher.say(fmt::format("detached: {}. Come back with: mizan logs -f {}",
                          held ? "the deal waits for an officer" : "the job runs on", id));
  watcher.say(fmt::format("outputs when it is over: mizan get {0}; end it: mizan stop {0}", id));
}

// Outputs and receipt of a lease that is over. What can't be fetched now can be later.
void bring_home(const Context& context, Session& session, JobWatcher& watcher, OrderState& state,
                const json::value& lease, json::object& answer) {
  const auto outputs = member_or<Hash32>(lease, "outputs");
  bool whole = true;
  if (!outputs.is_zero() && !state.outputs_to.empty()) {
    auto fetched =
        fetch_outputs(context, session, state, outputs, state.outputs_to, &watcher.status());
    whole = fetched.has_value();
    if (fetched) {
      watcher.say(fmt::format("outputs: {} ({} entries, {})", fetched->folder.string(),
                              fetched->files, bytes_text(fetched->bytes)));
      answer["outputs"] = fetched->folder.string();
    } else {
      watcher.say(fmt::format("the outputs could not be fetched: {}; try mizan get {}",
                              fetched.error().message, short_id(state.order)));
    }
  }
  if (member_or<uint64_t>(lease, "openedAtMs") != 0) {
    auto receipt = fetch_receipt(context, session, *state.lease, &state);
    if (receipt)
      answer["receipt"] = (order_folder(context.home, state.order) / "receipt.json").string();
    else
      watcher.say("no receipt yet: " + receipt.error().message);
  }
  if (!whole) return;
  state.client = "done";
  if (auto saved = save_order(context.home, state); !saved) watcher.say(saved.error().message);
  let_go_of_order(context.home, state.order);
}

/// On a chain, a lease whose provider is lost ends by the buyer's word and the contract's delay, or
/// else by its own end and that delay: the word is sent at once, and again until it is taken.
class LostProvider {
 public:
  LostProvider(Session& session, JobWatcher& watcher) : session_(session), watcher_(watcher) {}

  FollowEvents watch(FollowEvents events) {
    events.lease = [this, shown = std::move(events.lease)](const json::value& lease) {
      shown(lease);
      if (member_or<std::string>(lease, "reason") == "provider_lost" && !lease_is_over(lease))
        lease_ = member_or<LeaseId>(lease, "lease");
      end_it();
    };
    events.tick = [this, ticked = std::move(events.tick)] {
      ticked();
      end_it();
    };
    return events;
  }

 private:
  void end_it() {
    constexpr std::chrono::seconds kPause{5};
    const auto now = std::chrono::steady_clock::now();
    if (session_.domain().is_credits() || !lease_ || told_ || now < again_at_) return;
    again_at_ = now + kPause;
    if (!request_close(session_, *lease_)) return;
    told_ = true;
    watcher_.say(
        "the provider is lost: the contract is told, what it can't earn any more comes back now, "
        "the rest when the provider returns or the contract's delay is over");
  }

  Session& session_;
  JobWatcher& watcher_;
  std::optional<LeaseId> lease_;
  bool told_ = false;
  std::chrono::steady_clock::time_point again_at_{};
};

/// On a chain: what the buyer needs to leave the lease at the contract should the exchange be gone.
void keep_terms(const Context& context, const Session& session, const OrderState& state,
                const json::value& lease) {
  if (session.domain().is_credits()) return;
  // Where it can't be kept the job runs all the same.
  (void)keep_lease_file(order_folder(context.home, state.order) / "lease.json", session.domain(),
                        state.bid, state.signature, lease);
}

Result<int> attach(const Context& context, Session& session, JobWatcher& watcher,
                   OrderState& state) {
  const DetachSignals signals;
  LeaseId lease = *state.lease;
  LostProvider lost(session, watcher);
  FollowEvents events = lost.watch(watcher.events());
  std::optional<SelfMeter> meter;
  if (meters_itself(session, state))
    events = meter
                 .emplace(context, session, state,
                          [&watcher](const std::string& text) { watcher.say(text); })
                 .watch(std::move(events));
  events.lease = [&, shown = std::move(events.lease),
                  kept = LeaseId{}](const json::value& told) mutable {
    shown(told);
    if (const auto id = member_or<LeaseId>(told, "lease"); std::exchange(kept, id) != id)
      keep_terms(context, session, state, told);
  };
  MIZAN_TRY(followed, follow_lease(session, lease, events));
  if (lease != *state.lease) {
    state.lease = lease;
    MIZAN_CHECK(save_order(context.home, state));
  }
  watcher.status().clear();
  json::object answer{{"order", hex0x(state.order.view())},
                      {"lease", hex0x(lease.view())},
                      {"name", state.name},
                      {"detached", followed.detached}};
  if (followed.detached) {
    state.client = "detached";
    MIZAN_CHECK(save_order(context.home, state));
    let_go_of_order(context.home, state.order);
    if (context.json) print_json(answer);
    say_how_to_come_back(session, watcher, state,
                         member_or<std::string>(followed.lease, "state") == "held");
    return kExitDetached;
  }
  // It never began, and a standing bid would be matched again later, for nobody.
  if (member_or<uint64_t>(followed.lease, "openedAtMs") == 0) [[maybe_unused]]
    const auto taken_back = cancel_order(session, state);
  bring_home(context, session, watcher, state, followed.lease, answer);
  const Terminal terminal(stderr, context.no_color);
  if (context.json) {
    answer["result"] = followed.lease;
    print_json(answer);
  } else {
    terminal.write(describe_end(terminal, followed.lease));
  }
  return exit_code_of(followed.lease);
}

/// A plan asks nobody for a passphrase: without a key that is open, policy is left out of it.
Access access_for(const Context& context, const Options& options) {
  if (!options.plan_only) return Access::orders;
  const auto entry = choose_key(context);
  if (!entry) return Access::open;
  if (!context.passphrase_file.empty()) return Access::requests;
  const auto unlocked = find_unlocked(entry->address);
  return unlocked && *unlocked ? Access::requests : Access::open;
}

Result<int> run(const Context& context, const Options& options) {
  MIZAN_TRY(request, read_request(options));
  MIZAN_TRY(session, Session::open(context, access_for(context, options)));
  const Terminal terminal(options.plan_only ? stdout : stderr, context.no_color);
  if (options.plan_only) {
    MIZAN_TRY(plan, ask_plan(session, request));
    if (context.json)
      print_json(plan_json(request, plan));
    else
      print_plan(terminal, request, plan);
    return kExitDone;
  }
  JobWatcher watcher(context, request.file.job.name);
  MIZAN_TRY(tree, PackedTree::pack(context.home, request));
  MIZAN_TRY(orphan, find_orphan(context, request_hash(session, request, tree.hash())));
  OrderState state;
  std::optional<Money> short_of;
  if (orphan) {
    state = *std::move(orphan);
    watcher.say(
        fmt::format("an order for this job was under way when its client ended: taking up {}",
                    short_id(state.order)));
  } else {
    MIZAN_TRY(plan, ask_plan(session, request));
    if (!context.json) print_plan(terminal, request, plan);
    short_of = plan.short_of();
    if (plan.best().held && !request.wait_for_officer)
      return fail(
          ErrorCode::policy_held,
          fmt::format("policy holds this deal for an officer: {} Give --hold to wait for the "
                      "decision, a day at most, with the price in escrow.",
                      plan.best().note));
    MIZAN_TRY(yes, agreed(options, context));
    if (!yes) return kExitFailed;
    std::error_code ignored;
    MIZAN_TRY(made, make_order(context, session, request, plan, tree.hash()));
    state = std::move(made);
    if (!request.file.job.outputs.empty())
      state.outputs_to = fs::absolute(options.outputs_to.empty()
                                          ? default_outputs_folder(fs::current_path(ignored),
                                                                   state.name, state.order)
                                          : options.outputs_to)
                             .string();
  }
  MIZAN_TRY(held, hold_order(context.home, state.order));
  if (!held)
    return fail(ErrorCode::conflict, "another client follows this order already: mizan logs -f " +
                                         short_id(state.order));
  if (!state.lease) MIZAN_CHECK(save_order(context.home, state));
  if (!state.lease) {
    MIZAN_CHECK(tree.upload(session, &watcher.status()));
    auto sent = send_order(context, session, state);
    if (!sent && short_of && sent.error().code == ErrorCode::insufficient_funds)
      sent.error().message += "; the contract is " + how_to_deposit(*short_of);
    MIZAN_CHECK(std::move(sent));
  }
  if (options.detach) {
    state.client = "detached";
    MIZAN_CHECK(save_order(context.home, state));
    if (auto told = session.get("/v1/leases/" + hex0x(state.lease->view())))
      keep_terms(context, session, state, *told);
    let_go_of_order(context.home, state.order);
    if (context.json)
      print_json(json::object{{"order", hex0x(state.order.view())},
                              {"lease", hex0x(state.lease->view())},
                              {"name", state.name},
                              {"detached", true}});
    else
      say_how_to_come_back(session, watcher, state);
    return kExitDone;
  }
  watcher.say(fmt::format("order {}: Ctrl-C leaves it running", short_id(state.order)));
  return attach(context, session, watcher, state);
}

void add_job_options(CLI::App& command, Options& options) {
  command
      .add_option("--declare", options.declared,
                  "What you say of the deal, over the job file's `declaration`: "
                  "end_use=commercial,training=true,country=SG,end_user=self")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("file", options.file, "A job file, or a script with #SBATCH headers");
  command.add_option("--workdir", options.workdir, "Folder to send along with a command");
  command
      .add_option("--grace", options.grace, "Seconds that the job may be out of touch, 10 to 600")
      ->check(CLI::Range(10, 600))
      ->capture_default_str();
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  static Options options;
  auto& command = *app.add_subcommand("run", "Run a job: mizan run job.yaml, mizan run -- COMMAND");
  add_job_options(command, options);
  command.add_option("-o,--outputs", options.outputs_to, "Folder for the outputs");
  command.add_flag("-y,--yes", options.yes, "Accept the price without being asked");
  command
      .add_option("--meter", options.meter,
                  "Who signs for the time used: the exchange, or this client itself, which then "
                  "must stay")
      ->check(CLI::IsMember({"exchange", "self"}))
      ->capture_default_str();
  command.add_flag("--hold", options.hold, "Where policy holds the deal, wait for an officer");
  command.add_flag("-d,--detach", options.detach, "Return as soon as the order is matched");
  on_run(command, context, [&context] {
    options.command = context.command_words;
    return run(context, options);
  });
}

void add_plan(CLI::App& app, Context& context) {
  static Options options;
  auto& command = *app.add_subcommand("plan", "What a job would cost now; nothing is ordered");
  add_job_options(command, options);
  on_run(command, context, [&context] {
    options.command = context.command_words;
    options.plan_only = true;
    return run(context, options);
  });
}

}  // namespace mizan::cli
