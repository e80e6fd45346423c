#include "mizan/session.hpp"

#include "codec/json.hpp"
#include "mizan/json_view.hpp"

#include <fmt/format.h>

namespace mizan::cli {
namespace {

Result<json::value> parse_answer(Result<net::Response> response) {
  if (!response) return fail(std::move(response).error());
  return parse_json(response->body, {.max_bytes = 64 << 20, .max_depth = 32},
                    "the exchange's answer");
}

}  // namespace

Result<Session> Session::open(const Context& context, Access access) {
  MIZAN_TRY(settings, load_settings(context.home));
  const std::string text = context.exchange.empty() ? settings.exchange : context.exchange;
  if (text.empty())
    return fail(ErrorCode::invalid_argument,
                "no exchange is known: run `mizan join URL` first, or give --exchange URL");
  MIZAN_TRY(url, net::parse_url(text));
  if (!context.ca.empty())
    url.ca = context.ca.string();
  else if (text == settings.exchange)
    url.ca = settings.ca;
  net::Client client(url);
  MIZAN_TRY(answer, parse_answer(client.get("/v1/exchange")));
  MIZAN_TRY(info, read_exchange_info(answer));
  if (text == settings.exchange && !settings.exchange_id.is_zero() &&
      info.id != settings.exchange_id)
    return fail(ErrorCode::unauthenticated,
                fmt::format("{} is not the exchange that you joined: its id is {}, yours {}; if "
                            "that is right, run `mizan join {}` again",
                            text, hex0x(info.id.view()), hex0x(settings.exchange_id.view()), text));
  if (text == settings.exchange && !settings.exchange_id.is_zero() &&
      info.domain().separator() != settings.domain.separator())
    return fail(ErrorCode::unauthenticated,
                fmt::format("{} settles elsewhere than when you joined it, by another contract or "
                            "none; if that is right, run `mizan join {}` again",
                            text, text));
  const uint64_t ahead = info.time_ms == 0 ? 0 : info.time_ms - system_clock().now().ms;
  client.set_clock_ahead(ahead);
  Session session(std::move(client), std::move(info), ahead);
  if (access == Access::open) return session;

  MIZAN_TRY(entry, choose_key(context));
  MIZAN_TRY(unlocked, find_unlocked(entry.address));
  session.account_ = entry.address;
  if (unlocked && unlocked->login && unlocked->login_exchange == session.info_.id) {
    session.client_.set_signer(std::make_shared<net::Signer>(
        session.domain(), unlocked->login_key->clone(), *unlocked->login));
    session.key_.emplace(std::move(unlocked->key));
  } else {
    MIZAN_TRY(key, open_key(context, entry));
    session.client_.set_signer(std::make_shared<net::Signer>(session.domain(), key.clone()));
    session.key_.emplace(std::move(key));
  }
  if (access != Access::orders) session.key_.reset();
  return session;
}

uint64_t Session::exchange_time_ms() const {
  return system_clock().now().ms + clock_ahead_ms_;
}

Result<json::value> Session::get(const std::string& target) {
  return parse_answer(client_.get(target));
}

Result<json::value> Session::put(const std::string& target, const json::value& body) {
  return parse_answer(client_.put(target, json_text(body)));
}

Result<json::value> Session::post(const std::string& target, const json::value& body,
                                  const std::string& idempotency_key) {
  return parse_answer(client_.post(target, json_text(body), idempotency_key));
}

}  // namespace mizan::cli
