// The calls by which a party proves what it is.
#include "codec/json_fields.hpp"
#include "service/routes.hpp"
#include "service/wire.hpp"

namespace mizan::service {

using exchange::Exchange;
using exchange::Outcome;

namespace {

constexpr size_t kMostLists = 4;

Result<Shown> read_shown(const std::string& body) {
  MIZAN_TRY(value, parse_json(body, {}, "the body"));
  Shown out;
  ObjectReader in(value, "");
  in.required("presentation", out.presentation);
  in.optional("statusLists", out.status_lists);
  MIZAN_CHECK(in.finish());
  if (out.status_lists.size() > kMostLists) return bad_field("statusLists", "has at most 4 lists");
  return out;
}

}  // namespace

void Routes::post_challenge(Call call) {
  const auto body = parse_json(call.request.body, {}, "the body");
  if (!body) return call.refuse(body.error());
  if (const auto empty = ObjectReader(*body, "").finish(); !empty)
    return call.refuse(empty.error());
  const UnixMs now = context_.time.now();
  call.respond(json_response(json::object{{"nonce", context_.credentials.challenge(now)},
                                          {"audience", context_.credentials.audience()},
                                          {"expiresAtMs", now.ms + Challenges::kLifeMs}}));
}

void Routes::post_credential(Call call) {
  const auto holder = caller(call.request, call.request.body);
  if (!holder) return call.refuse(holder.error());
  const auto facts = [&]() -> Result<exchange::PartyFacts> {
    MIZAN_CHECK(context_.proofs.take(hex0x(holder->view())));
    MIZAN_TRY(shown, read_shown(call.request.body));
    const exchange::PolicyOptions options =
        context_.state.read([](const Exchange& core) { return core.policy_options(); });
    return context_.credentials.accept(shown, *holder, options, context_.time.now());
  }();
  if (!facts) return call.refuse(facts.error());
  submit(std::move(call), exchange::ProveFacts{*holder, *facts}, *holder,
         [holder = *holder, facts = *facts](const Outcome&, const Exchange&) {
           return json::object{{"facts", facts_json(holder, facts)}};
         });
}

}  // namespace mizan::service
