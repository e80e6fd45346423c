#include "mizan/demo_policy.hpp"

#include "base/time.hpp"
#include "codec/json.hpp"
#include "crypto/address.hpp"
#include "mizan/json_view.hpp"
#include "mizan/policy_view.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

#include <thread>

namespace mizan::cli {
namespace {

constexpr uint64_t kPatienceMs = 30'000;
constexpr const char* kReason = "the articles of association were shown to me: its founders own it";

const std::vector<std::string> kOrder{"--declare",
                                      "end_use=commercial,training=false,end_user=self"};

std::vector<std::string> order(std::vector<std::string> words) {
  words.insert(words.end(), kOrder.begin(), kOrder.end());
  words.insert(words.end(), {"--", "echo", "hello from the sandbox"});
  return words;
}

class Deals {
 public:
  Deals(const Terminal& terminal, DemoMarket& market) : terminal_(terminal), market_(market) {}

  void line(const std::string& outcome, const std::string& text) const {
    terminal_.write(fmt::format("{}{:{}}{}\n", terminal_.paint(outcome_style(outcome), outcome), "",
                                outcome.size() < 14 ? 14 - outcome.size() : 1, text));
  }
  void more(const std::string& text) const {
    terminal_.write(fmt::format("{:14}{}\n", "", terminal_.paint(Style::dim, text)));
  }
  void keep(const char* deal, const std::string& outcome, const std::string& because,
            const std::string& lease, const std::string& decision) {
    done_.push_back(json::object{{"deal", deal},
                                 {"verdict", outcome},
                                 {"because", because},
                                 {"lease", lease},
                                 {"decision", decision}});
  }

  Result<void> allowed(const json::value& lease);
  Result<void> held();
  Result<void> refused();
  json::array take() { return std::move(done_); }

 private:
  Result<json::value> wait_for_queue();

  const Terminal& terminal_;
  DemoMarket& market_;
  json::array done_;
};

Result<void> Deals::allowed(const json::value& lease) {
  const auto id = member_or<std::string>(lease, "lease");
  MIZAN_TRY(why, market_.ask("buyer", {"policy", "explain", id}));
  const auto outcome = member_or<std::string>(why, "verdict");
  const json::value& findings = member_value(member_value(why, "answer"), "findings");
  if (outcome != "ALLOW" || !findings.is_array())
    return fail(ErrorCode::internal, "the training job's verdict is " + outcome);
  line(outcome, fmt::format("the training job: {} heads of law were looked at, none is in its way",
                            findings.as_array().size()));
  for (const json::value& finding : findings.as_array())
    more(fmt::format("{:19} {}", printable(member_or<std::string>(finding, "head")),
                     printable(member_or<std::string>(finding, "sentence"))));
  keep("allowed", outcome, "", id, "");
  return {};
}

Result<json::value> Deals::wait_for_queue() {
  const uint64_t begun = system_clock().monotonic().ms;
  while (system_clock().monotonic().ms - begun < kPatienceMs) {
    MIZAN_TRY(queue, market_.ask("operator", {"policy", "queue"}));
    const json::value& leases = member_value(queue, "leases");
    if (leases.is_array() && !leases.as_array().empty())
      return member_value(leases.as_array()[0], "lease");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return fail(ErrorCode::internal, "no deal came to the officer's queue");
}

Result<void> Deals::held() {
  MIZAN_CHECK(market_.make_party("lab"));
  MIZAN_CHECK(market_.prove("lab", {.name = "Farid Mansour", .parent = ""}));
  MIZAN_CHECK(market_.fund("lab", "1"));
  MIZAN_TRY(lab, Child::start(market_.command("lab", order({"run", "-y", "--hold"})),
                              market_.child_options("lab")));
  MIZAN_TRY(lease, wait_for_queue());
  const json::value& verdict = member_value(lease, "verdict");
  const auto outcome = member_or<std::string>(verdict, "verdict");
  const auto because = member_or<std::string>(verdict, "note");
  const auto held_as = member_or<std::string>(lease, "lease");
  line(outcome, "a lab whose credential does not say who owns it: held for an officer");
  more(printable(because));
  MIZAN_CHECK(market_.ask("operator", {"policy", "approve", held_as, "--reason", kReason}));
  MIZAN_TRY(said, lab.read_all());
  const int code = lab.wait();
  if (code != 0)
    return fail(ErrorCode::internal, fmt::format("the approved job ended with exit code {}", code));
  more(fmt::format("the officer approves, signed: \"{}\"", kReason));
  more("it ran: " + printable(said.substr(0, said.find('\n'))));
  keep("held", outcome, because, held_as, kReason);
  return {};
}

Result<void> Deals::refused() {
  MIZAN_CHECK(market_.make_party("trader"));
  MIZAN_CHECK(market_.prove("trader", {.name = "Luis Ortega", .country = "CU", .parent = "CU"}));
  std::vector<std::string> words{"--json"};
  for (const std::string& word : order({"run", "-y"})) words.push_back(word);
  MIZAN_TRY(child, Child::start(market_.command("trader", words), market_.child_options("trader")));
  MIZAN_TRY(text, child.read_all());
  const int code = child.wait();
  MIZAN_TRY(answer, parse_json(text, {}, "the answer of mizan run"));
  const json::value& error = member_value(answer, "error");
  const json::value& reasons = member_value(member_value(error, "details"), "reasons");
  std::string because;
  if (reasons.is_array())
    for (const json::value& reason : reasons.as_array())
      if (member_or<std::string>(reason, "dimension") == "policy" && because.empty())
        because = member_or<std::string>(reason, "nearest");
  if (code == 0 || because.empty())
    return fail(ErrorCode::internal, "the deal of an embargoed buyer was not refused: " + text);
  constexpr std::string_view kOutcome = "PROHIBITED ";
  if (because.starts_with(kOutcome)) because.erase(0, kOutcome.size());
  line("PROHIBITED", "a buyer whose credential says Cuba: refused, nothing was locked or run");
  more(printable(because));
  keep("refused", "PROHIBITED", because, "", "");
  return {};
}

}  // namespace

Result<json::array> show_verdicts(const Terminal& terminal, DemoMarket& market,
                                  const json::value& trained) {
  Deals deals(terminal, market);
  MIZAN_CHECK(deals.allowed(trained));
  MIZAN_CHECK(deals.held());
  MIZAN_CHECK(deals.refused());
  return deals.take();
}

}  // namespace mizan::cli
