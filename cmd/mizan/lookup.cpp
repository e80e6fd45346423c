#include "mizan/lookup.hpp"

#include "mizan/follow.hpp"
#include "mizan/json_view.hpp"
#include "mizan/print.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace mizan::cli {
namespace {

bool is_prefix(const std::string& ref) {
  const std::string_view digits =
      ref.starts_with("0x") ? std::string_view(ref).substr(2) : std::string_view(ref);
  return digits.size() >= 4 && digits.find_first_not_of("0123456789abcdef") == digits.npos;
}

bool fits(const std::string& ref, const Hash32& id) {
  return is_prefix(ref) && hex(id.view()).starts_with(ref.starts_with("0x") ? ref.substr(2) : ref);
}

}  // namespace

Result<json::value> get_lease(Session& session, const LeaseId& lease) {
  return session.get("/v1/leases/" + hex0x(lease.view()));
}

Result<FoundJob> find_job(const Context& context, Session& session, const std::string& ref) {
  MIZAN_TRY(orders, load_orders(context.home));
  std::erase_if(orders, [&](const OrderState& order) {
    return order.exchange_id != session.info().id || order.account != session.account();
  });
  MIZAN_TRY(leases, leases_of(session, session.account()));
  std::optional<FoundJob> found;
  for (const json::value& view : leases) {
    MIZAN_TRY(lease, member<LeaseId>(view, "lease"));
    MIZAN_TRY(order_id, member<OrderId>(view, "order"));
    const auto order = std::find_if(orders.begin(), orders.end(), [&](const OrderState& known) {
      return known.order == order_id;
    });
    const bool known = order != orders.end();
    const bool named = known && !is_prefix(ref) && order->name == ref;
    if (!ref.empty() && !named && !fits(ref, lease) && !fits(ref, order_id)) continue;
    if (found && !named && found->view.at("order") != view.at("order"))
      return fail(ErrorCode::invalid_argument,
                  fmt::format("\"{}\" fits several jobs: give more digits", ref));
    if (!found) found = FoundJob{lease, view, known ? std::optional(*order) : std::nullopt};
    if (ref.empty() || named) break;  // newest first
  }
  if (found) return *std::move(found);
  for (const OrderState& order : orders)
    if (fits(ref, order.order) || order.name == ref)
      return fail(ErrorCode::not_found,
                  fmt::format("order {} has no lease: it was never taken; `mizan run` sends the "
                              "same job again",
                              short_id(order.order)));
  return fail(ErrorCode::not_found,
              ref.empty()
                  ? "there is no job yet: mizan run"
                  : fmt::format("no job is called \"{}\": `mizan ps --all` shows them", ref));
}

}  // namespace mizan::cli
