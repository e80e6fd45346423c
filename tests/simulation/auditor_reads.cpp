// What parties read of accounts and leases, against the books of the same sequence.
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "simulation/auditor.hpp"

namespace mizan::simulation {

using namespace exchange;

namespace {

constexpr size_t kUsualRows = 100;

Address reader_of(const net::Request& request) {
  const auto account = parse_address(net::header_or_empty(request.headers, "Mizan-Account"));
  return account ? *account : Address{};
}

/// What a buyer's own meter rests on; the heartbeat's signature it checks itself.
bool is_metering(const json::value& told, const Lease& ours) {
  LeaseId id;
  uint64_t opened_ms = 0, billed = 0;
  u128 vouchered = 0;
  bool closing = false;
  ObjectReader in(told, "metering");
  in.required("lease", id);
  in.required("openedAtMs", opened_ms);
  in.required("secondsBilled", billed);
  in.required("vouchered", vouchered);
  in.required("closing", closing);
  return !in.failed() && id == ours.id && opened_ms == ours.opened_at.ms &&
         billed == ours.seconds_billed() && vouchered == ours.vouchered &&
         closing == (ours.closing || ours.over());
}

}  // namespace

/// Of a bid: what the core said in the journal, or that its account never had anything, or that it
/// asks too often.
void Auditor::read_refusal(const net::Request& request, const net::Response& response) {
  const Error error = net::parse_error(response.status, response.body);
  const auto body = parse_json(request.body);
  eip712::Bid bid;
  if (body) {
    ObjectReader in(*body, "");
    in.required("bid", bid);
  }
  if (error.code == ErrorCode::limit_exceeded || error.code == ErrorCode::unavailable) return;
  if (error.message.starts_with("the account has no balance")) {
    const AccountView ours = core_.account(bid.buyer);
    const u128 balance = core_.chain() == nullptr ? books_.balance(bid.buyer) : ours.balance.nano;
    world_.expect(
        balance == 0 && core_.leases_of(bid.buyer).empty(),
        "a bid was refused as a stranger's, whose balance is " + mizan::to_string(balance));
    return;
  }
  told_refusals_.push_back(
      {{bid.buyer, std::string(net::header_or_empty(request.headers, "Idempotency-Key"))},
       net::error_json(Error{error.code, error.message, {}})});
}

/// Once the journal was read on: it holds what was refused.
void Auditor::check_refusals() {
  for (const auto& [key, said] : std::exchange(told_refusals_, {})) {
    const auto found = refused_.find(key);
    world_.expect(found != refused_.end() && found->second.contains(said),
                  "a bid was refused otherwise than in the journal: " + said);
  }
}

void Auditor::read(const net::Request& request, const net::Response& response) {
  if (request.method == "POST" && request.target == "/v1/bids" && response.status >= 400)
    return read_refusal(request, response);
  const std::string_view target = request.target;
  const bool account = target.starts_with("/v1/accounts/");
  const bool leases = target == "/v1/leases";
  const bool lease = target.starts_with("/v1/leases/");
  if (request.method != "GET" || !(account || leases || lease)) return;
  // Its clock may have been set since it was signed, or the exchange stops.
  if (response.status == 401 || response.status == 503) return;
  const std::string where = "what was read at " + request.target + ": ";
  const Lease* ours = nullptr;
  bool receipt = false;
  unsigned status = 200;
  if (lease) {
    std::string_view id = target.substr(target.rfind("/leases/") + 8);
    receipt = id.ends_with("/receipt");
    id = id.substr(0, id.find('/'));
    const auto parsed = parse_fixed<LeaseId>(id);
    ours = parsed ? core_.find_lease(*parsed) : nullptr;
    if (ours == nullptr || (receipt && ours->over() && !ours->funded()))
      status = 404;
    else if (receipt && !ours->over())
      status = 409;
  }
  world_.expect(response.status == status, where + "the status is " +
                                               std::to_string(response.status) + ", not " +
                                               std::to_string(status) + ": " + response.body);
  if (response.status != 200 || status != 200) return;
  const auto value = parse_json(response.body, {.max_bytes = 8 << 20});
  world_.expect(value.has_value(), where + "it does not parse");
  if (!value) return;
  if (account) return read_account(*value, reader_of(request), where);
  if (receipt) return read_receipt(*value, *ours, where);
  if (target.ends_with("/metering"))
    return world_.expect(is_metering(*value, *ours), where + "not as it is");
  if (lease) return read_lease(*value, *ours, where);
  const json::array& rows = value->get_object().at("leases").get_array();
  const auto all = core_.leases_of(reader_of(request));
  world_.expect(rows.size() == std::min(all.size(), kUsualRows), where + "another number of them");
  for (size_t i = 0; i < std::min(rows.size(), all.size()); ++i)
    read_lease(rows[i], *all[i], where);
}

void Auditor::read_account(const json::value& told, const Address& account,
                           const std::string& where) {
  Address address;
  u128 balance = 0, escrowed = 0, earned = 0, spent = 0;
  uint64_t open_orders = 0;
  bool frozen = false;
  ObjectReader in(told, "account");
  in.required("address", address);
  in.required("balance", balance);
  in.required("escrowed", escrowed);
  in.required("earned", earned);
  in.required("spent", spent);
  in.required("openOrders", open_orders);
  in.required("frozen", frozen);
  const AccountView ours = core_.account(account);
  world_.expect(!in.failed() && address == account, where + "it is another's, or none");
  world_.expect(earned == ours.earned.nano && spent == ours.spent.nano &&
                    open_orders == ours.open_orders && frozen == core_.is_frozen(account),
                where + "not as it is at " + std::to_string(core_.last_sequence()));
  const u128 due = core_.chain() == nullptr ? books_.balance(account) : ours.balance.nano;
  world_.expect(balance == due, where + "the balance is " + mizan::to_string(balance) + ", and " +
                                    mizan::to_string(due) + " in the books");
  world_.expect(escrowed == books_.escrowed(account),
                where + "the escrow is " + mizan::to_string(escrowed) + ", and " +
                    mizan::to_string(books_.escrowed(account)) + " in the books");
}

void Auditor::read_lease(const json::value& told, const Lease& ours, const std::string& where) {
  LeaseId id;
  std::string state, reason;
  uint64_t phase = 0, covered_ms = 0, billed = 0, closed_ms = 0;
  u128 escrow = 0, vouchered = 0, charged = 0, paid = 0, fee = 0, refunded = 0;
  Hash32 outputs;
  ObjectReader in(told, "lease");
  in.required("lease", id);
  in.required("state", state);
  in.required("reason", reason);
  in.required("phase", phase);
  in.required("closedAtMs", closed_ms);
  in.required("coveredMs", covered_ms);
  in.required("secondsBilled", billed);
  in.required("escrow", escrow);
  in.required("vouchered", vouchered);
  in.required("charged", charged);
  in.required("paid", paid);
  in.required("fee", fee);
  in.required("refunded", refunded);
  in.required("outputs", outputs);
  const Settlement& settled = ours.settlement;
  world_.expect(
      !in.failed() && id == ours.id && state == to_string(ours.state) && reason == ours.reason &&
          phase == ours.phase && closed_ms == ours.closed_at.ms && outputs == ours.outputs,
      where + "a lease is another, or not as it is at " + std::to_string(core_.last_sequence()));
  world_.expect(escrow == ours.escrow && vouchered == ours.vouchered &&
                    charged == settled.charged && paid == settled.paid && fee == settled.fee &&
                    refunded == settled.refunded && billed == ours.seconds_billed() &&
                    covered_ms == ours.covered_ms,
                where + "a lease's money or time is not as it is at " +
                    std::to_string(core_.last_sequence()));
  // As the second metering has it, until its bill is fixed.
  const auto metered = metered_.find(id);
  if (metered == metered_.end() || ours.over() || ours.closing) return;
  world_.expect(covered_ms == metered->second.covered_ms && vouchered == metered->second.vouchered,
                where + "a lease's covered time is not what its heartbeats make it");
}

void Auditor::read_receipt(const json::value& told, const Lease& ours, const std::string& where) {
  eip712::Receipt receipt;
  ObjectReader in(told, "bundle");
  in.required("receipt", receipt);
  const Settlement& settled = ours.settlement;
  world_.expect(!in.failed() && receipt.lease == ours.id && receipt.reason == ours.reason &&
                    receipt.seconds_billed == ours.seconds_billed() &&
                    receipt.charged == settled.charged && receipt.paid == settled.paid &&
                    receipt.fee == settled.fee && receipt.refunded == settled.refunded,
                where + "the receipt is not that of the lease");
}

}  // namespace mizan::simulation
