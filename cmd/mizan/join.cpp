// mizan join URL: from nothing to a home that can order.
// SPDX-License-Identifier: Apache-2.0
#include "crypto/address.hpp"
#include "mizan/commands.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"
#include "mizan/session.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

constexpr std::string_view kNoRules = "this exchange has no rules: NOTHING IS ASSESSED";

struct Step {
  std::string name;
  bool done = false;
  std::string note;  ///< what it is, or what to do
};

Result<KeyEntry> key_of_home(const Context& context) {
  MIZAN_TRY(entries, list_keys(context.home));
  if (!entries.empty()) return choose_key(context);
  const std::string name = context.key_name.empty() ? "default" : context.key_name;
  if (!context.json)
    fmt::print(stderr, "This home has no key yet: \"{}\" is made now, under your passphrase.\n",
               name);
  MIZAN_TRY(passphrase, read_passphrase(context, "A passphrase for the new key: ", true));
  if (passphrase.empty())
    return fail(ErrorCode::invalid_argument, "an empty passphrase protects nothing: choose one");
  return store_key(context.home, name, SecretKey::generate(), passphrase);
}

/// The home keeps a copy: the file that was named may go.
Result<void> keep_authority(const Context& context, Settings& settings) {
  if (context.ca.empty()) return {};
  MIZAN_TRY(text, read_small_file(context.ca));
  const fs::path kept = fs::absolute(context.home) / "exchange-ca.pem";
  MIZAN_CHECK(make_private_folder(context.home));
  MIZAN_CHECK(write_small_file(kept, text));
  settings.ca = kept.string();
  return {};
}

Step balance_step(Session& session) {
  auto account = session.get("/v1/accounts/" + to_checksum(session.account()));
  if (!account && account.error().code != ErrorCode::not_found)
    return {"balance", false, account.error().message};
  const u128 balance = account ? member_or<u128>(*account, "balance") : u128{0};
  if (balance > 0) return {"balance", true, format_usd(Money{balance})};
  if (!session.domain().is_credits())
    return {
        "balance", false,
        fmt::format("nothing yet: `mizan contract join {} --node URL --chain-id {}`, then `mizan "
                    "account deposit USD`; it counts after some blocks",
                    to_checksum(session.domain().contract()), session.domain().chain_id())};
  return {"balance", false,
          fmt::format("nothing yet: ask the operator to run `mizan account grant {} 10`",
                      to_checksum(session.account()))};
}

Step offers_step(Session& session) {
  auto offers = session.get("/v1/offers?limit=1");
  if (!offers) return {"offers", false, offers.error().message};
  const bool some = member_value(*offers, "offers").is_array() &&
                    !member_value(*offers, "offers").as_array().empty();
  return {"offers", some, some ? "capacity is on offer" : "nobody offers capacity at the moment"};
}

// The exchange accepts credentials of some issuers, or asks for none at all.
Step credential_step(Session& session) {
  auto policy = session.get("/v1/policy");
  if (!policy) return {"policy", false, policy.error().message};
  if (member_or<bool>(*policy, "empty")) return {"policy", true, std::string(kNoRules)};
  std::string issuers;
  if (const json::value& list = member_value(*policy, "issuers"); list.is_array())
    for (const json::value& uri : list.as_array())
      if (uri.is_string()) issuers += (issuers.empty() ? "" : ", ") + std::string(uri.get_string());
  if (issuers.empty()) issuers = "nobody yet (the operator names issuers)";
  auto account = session.get("/v1/accounts/" + to_checksum(session.account()));
  if (account && member_or<bool>(*account, "frozen"))
    return {"policy", false, "this account is frozen, since a party to it is listed"};
  const json::object* known = account ? account->if_object() : nullptr;
  if (known == nullptr || !known->contains("facts"))
    return {"policy", true,
            "deals are judged; credentials are taken from " + issuers +
                ": mizan credential submit FILE"};
  const json::value& facts = known->at("facts");
  if (facts.is_object() && member_or<bool>(facts, "holds"))
    return {"policy", true,
            fmt::format("what you proved holds until {}",
                        utc(member_or<uint64_t>(facts, "expiresAt") * 1000))};
  return {"policy", false,
          fmt::format(
              "{} of you, so that most deals wait for an officer: take a credential from "
              "{}, then `mizan credential submit FILE`",
              facts.is_object() ? "what was proven does not hold any more" : "nothing is proven",
              issuers)};
}

Result<int> join(Context& context, const std::string& url_text) {
  MIZAN_TRY(url, net::parse_url(url_text));
  context.exchange = url.text();
  MIZAN_TRY(seen, Session::open(context, Access::open));
  MIZAN_TRY(settings, load_settings(context.home));
  MIZAN_TRY(entry, key_of_home(context));
  if (settings.exchange != url.text()) settings.ca.clear();
  settings.exchange = url.text();
  MIZAN_CHECK(keep_authority(context, settings));
  settings.exchange_id = seen.info().id;
  settings.domain = seen.domain();
  if (settings.key.empty()) settings.key = entry.name;
  MIZAN_CHECK(save_settings(context.home, settings));

  std::vector<Step> steps{
      {"exchange", true, fmt::format("{} (id {})", url.text(), short_id(seen.info().id))},
      {"key", true, fmt::format("{} ({})", entry.name, to_checksum(entry.address))}};
  MIZAN_TRY(session, Session::open(context, Access::requests));
  steps.push_back(balance_step(session));
  const Step policy_step = credential_step(session);
  steps.push_back(policy_step);
  steps.push_back(offers_step(session));
  bool ready = true;
  for (const Step& step : steps) ready = ready && step.done;

  if (context.json) {
    json::array list;
    for (const Step& step : steps)
      list.push_back(json::object{{"step", step.name}, {"done", step.done}, {"note", step.note}});
    print_json(json::object{{"exchange", url.text()},
                            {"exchangeId", hex0x(seen.info().id.view())},
                            {"account", to_checksum(entry.address)},
                            {"ready", ready},
                            {"steps", std::move(list)}});
    return kExitDone;
  }
  const Terminal terminal(stdout, context.no_color);
  for (const Step& step : steps)
    terminal.write(fmt::format("{} {:<9} {}\n",
                               step.done ? terminal.paint(Style::green, "ok     ")
                                         : terminal.paint(Style::yellow, "missing"),
                               step.name, printable(step.note)));
  const char* declared = policy_step.note == kNoRules
                             ? ""
                             : "--declare end_use=commercial,training=false,end_user=self ";
  terminal.write(ready ? fmt::format("Ready. Try: mizan run {}-- uname -a\n", declared)
                       : "What is missing above is all that stands before a first job.\n");
  return kExitDone;
}

}  // namespace

void add_join(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("join", "Make a key, check an exchange, say what is missing");
  static std::string url;
  command.add_option("url", url, "The exchange, e.g. https://exchange.example")->required();
  on_run(command, context, [&context] { return join(context, url); });
}

}  // namespace mizan::cli
