// The exchange of the small world: docs/PROTOCOL.md's agent channel, without a journal.
#include "codec/base64.hpp"
#include "codec/json_fields.hpp"
#include "world.hpp"

#include <gtest/gtest.h>

namespace mizan::provider::testing {
namespace {

template <class T>
T read(const json::object& message, const char* name) {
  auto value = from_json<T>(message.at(name), name);
  EXPECT_TRUE(value) << name;
  return value.value_or(T{});
}

}  // namespace

LeaseId World::match() {
  FakeLease lease;
  job::Spec spec;
  spec.job = job;
  spec.query = "cores>=1";
  lease.spec = *canonical_json(to_json(spec));
  eip712::Bid& bid = lease.bid;
  bid.buyer = buyer.address();
  bid.meter = meter.address();
  bid.max_rate = config.offer.rate.nano;
  bid.nodes = 1;
  bid.units_per_node = static_cast<uint32_t>(job.cores);
  bid.max_seconds = lease_seconds;
  bid.grace = grace;
  bid.max_fee_bps = 500;
  bid.spec_hash = *canonical_json_hash(*parse_json(lease.spec));
  bid.nonce = nonce_++;
  lease.bid_signature = eip712::sign(facts.domain(), bid, buyer);
  eip712::Terms& terms = lease.terms;
  terms.buyer = bid.buyer;
  terms.provider = provider.address();
  terms.meter = bid.meter;
  terms.rate = ask->rate;
  terms.units_per_node = bid.units_per_node;
  terms.seconds = lease_seconds;
  terms.start = now().seconds();
  terms.grace = grace;
  terms.fee_bps = facts.fee_bps;
  terms.bid_nonce = bid.nonce;
  terms.node_count = 1;
  terms.ask_hash = eip712::digest(facts.domain(), *ask);
  if (before_match) before_match(lease);
  const LeaseId id = eip712::digest(facts.domain(), terms);
  lease.heard_at = time_ms;
  leases[id] = lease;
  send_match(id);
  return id;
}

void World::send_match(const LeaseId& id) {
  const FakeLease& lease = leases.at(id);
  tell({{"type", "match"},
        {"lease", to_json(id)},
        {"terms", to_json(lease.terms)},
        {"bid", to_json(lease.bid)},
        {"bidSignature", to_json(lease.bid_signature)},
        {"spec", *parse_json(lease.spec)},
        {"acceptByMs", now().ms + 10'000}});
}

void World::send_funded(const LeaseId& id) {
  FakeLease& lease = leases.at(id);
  eip712::Clearance word;
  word.lease = id;
  word.valid_until =
      (static_cast<uint64_t>(wall_offset_ms) + lease.funded_at) / 1000 + clearance_seconds;
  tell({{"type", "funded"},
        {"lease", to_json(id)},
        {"clearance", to_json(word)},
        {"signature", to_json(eip712::sign(facts.domain(), word, clearance))}});
}

void World::stop(const LeaseId& id) {
  leases.at(id).stop = true;
  tell({{"type", "stop"}, {"lease", to_json(id)}, {"reason", "buyer_stopped"}});
}

void World::welcome() {
  json::array live;
  for (const auto& [id, lease] : leases)
    if (!lease.over())
      live.push_back(json::object{{"lease", to_json(id)},
                                  {"state", lease.state},
                                  {"phase", lease.status.phase},
                                  {"closing", lease.closing},
                                  {"logBytes", lease.log.size()}});
  tell({{"type", "welcome"},
        {"exchange", to_json(facts.id)},
        {"timeMs", now().ms},
        {"leases", std::move(live)}});
  for (const auto& [id, lease] : leases) {
    if (lease.state == "matched") send_match(id);
    if (lease.closing) continue;
    if (lease.state == "funded" && lease.status.phase == 0) send_funded(id);
    if (lease.stop && !lease.over())
      tell({{"type", "stop"}, {"lease", to_json(id)}, {"reason", "buyer_stopped"}});
  }
}

void World::reply(const json::object& message) {
  const eip712::Acknowledgement word{1, 1, {}, now().ms};
  tell({{"type", "reply"},
        {"id", message.at("id")},
        {"sequence", 1},
        {"acknowledgement", to_json(word)}});
}

void World::refuse(const json::object& message, ErrorCode code, const std::string& what,
                   const json::object& details) {
  tell({{"type", "error"},
        {"id", message.at("id")},
        {"code", to_json(std::string(to_string(code)))},
        {"message", to_json(what)},
        {"details", details}});
}

void World::heard(const std::string& text) {
  const auto value = parse_json(text);
  ASSERT_TRUE(value) << text;
  const json::object& message = value->get_object();
  const json::string& type = message.at("type").get_string();
  const eip712::Domain domain = facts.domain();
  if (type == "ask" && ask_error) return refuse(message, ask_error->code, ask_error->message);
  if (type == "ask") {
    ask = read<eip712::Ask>(message, "ask");
    EXPECT_TRUE(eip712::check_signer(domain, *ask, read<Signature>(message, "signature"),
                                     provider.address())
                    .has_value());
    return reply(message);
  }
  if (type == "heartbeat") return heard_heartbeat(message);
  if (type == "log") return heard_log(message);
  if (type == "close") return heard_close(message);
  if (type == "accept") {
    const auto terms = read<eip712::Terms>(message, "terms");
    EXPECT_TRUE(eip712::check_signer(domain, terms, read<Signature>(message, "signature"),
                                     provider.address())
                    .has_value());
    const LeaseId id = eip712::digest(domain, terms);
    FakeLease& lease = leases.at(id);
    if (lease.over()) return refuse(message, ErrorCode::conflict, "the match was undone");
    reply(message);
    if (lease.state != "matched") return;
    const auto open = [this, id] {
      FakeLease& opened = leases.at(id);
      opened.state = "funded";
      opened.funded_at = opened.heard_at = time_ms;
      ++opened.funded;
      send_funded(id);
    };
    if (opening_ms == 0) return open();
    lease.state = "opening";
    tell({{"type", "opening"}, {"lease", to_json(id)}});
    return after(opening_ms, open);
  }
  ASSERT_EQ(type, "reject");
  ++rejects;
  last_reject = std::string(message.at("code").get_string()) + ": " +
                std::string(message.at("message").get_string());
  const auto id = read<LeaseId>(message, "lease");
  reply(message);
  if (leases.contains(id) && leases.at(id).state == "matched") end_lease(id, "failed", "rejected");
}

void World::heard_heartbeat(const json::object& message) {
  ++heartbeats;
  const auto beat = read<eip712::Heartbeat>(message, "heartbeat");
  EXPECT_TRUE(eip712::check_signer(facts.domain(), beat, read<Signature>(message, "signature"),
                                   provider.address())
                  .has_value());
  if (beat.sequence <= sequence_) {
    ADD_FAILURE() << "a heartbeat's number was used before";
    return refuse(message, ErrorCode::replayed, "stale");
  }
  sequence_ = beat.sequence;
  for (const eip712::LeaseStatus& status : beat.leases) {
    const auto it = leases.find(status.lease);
    if (it == leases.end() || it->second.over()) continue;
    if (it->second.state == "matched" || it->second.state == "opening") continue;
    FakeLease& lease = it->second;
    lease.heard_at = time_ms;
    EXPECT_GE(status.phase, lease.status.phase) << "a phase only rises";
    // A stop goes back to the last heartbeat that is known to be taken; one may be on its way.
    EXPECT_GE(status.ran_ms + 2'000, lease.status.ran_ms) << "durations only rise";
    if (lease.phases.empty() || lease.phases.back() != status.phase)
      lease.phases.push_back(status.phase);
    lease.status = status;
  }
  reply(message);
}

void World::heard_log(const json::object& message) {
  const auto id = read<LeaseId>(message, "lease");
  if (!leases.contains(id)) return refuse(message, ErrorCode::not_found, "no such lease");
  if (log_error) return refuse(message, log_error->code, log_error->message);
  FakeLease& lease = leases.at(id);
  const auto offset = read<uint64_t>(message, "offset");
  const std::string data = *parse_base64(read<std::string>(message, "data"));
  if (offset > lease.log.size()) return refuse(message, ErrorCode::conflict, "a gap");
  const size_t known = std::min<size_t>(lease.log.size() - offset, data.size());
  lease.log.append(data.begin() + static_cast<ptrdiff_t>(known), data.end());
  tell({{"type", "log_ok"}, {"lease", message.at("lease")}, {"size", lease.log.size()}});
  reply(message);
}

void World::heard_close(const json::object& message) {
  const auto close = read<eip712::Close>(message, "close");
  EXPECT_TRUE(eip712::check_signer(facts.domain(), close, read<Signature>(message, "signature"),
                                   provider.address())
                  .has_value());
  if (!leases.contains(close.lease)) return refuse(message, ErrorCode::not_found, "no such lease");
  FakeLease& lease = leases.at(close.lease);
  if (lease.over() || lease.state == "opening")
    return refuse(message, ErrorCode::conflict, "the lease is not open");
  if (lost_log) {  // by its disk, as its sync said
    lost_log = false;
    lease.log.clear();
    return refuse(message, ErrorCode::io_error, "cannot sync", {{"size", "0"}});
  }
  if (pays && close.min_paid > *pays)
    return refuse(message, ErrorCode::conflict, "close.minPaid is above the pay",
                  {{"paid", mizan::to_string(*pays)}});
  EXPECT_GE(lease.status.phase, 4) << "closed before its end was told";
  // Of which a contract takes the fee in its token's units, down to 10^-9 of a nano-USD.
  EXPECT_LE(close.min_paid * 10'000, lease.vouchered * (10'000U - lease.terms.fee_bps));
  lease.min_paid = close.min_paid;
  if (lease.closed++ == 0) {
    const auto end = [this, id = close.lease] {
      const eip712::LeaseStatus& last = leases.at(id).status;
      end_lease(id, last.phase == 5 ? "failed" : "settled", last.reason);
    };
    lease.closing = true;
    reply(message);
    return closing_ms == 0 ? end() : after(closing_ms, end);
  }
  reply(message);
}

void World::end_lease(const LeaseId& id, const std::string& state, const std::string& reason) {
  FakeLease& lease = leases.at(id);
  lease.state = state;
  json::object message{{"type", "closed"}, {"lease", to_json(id)}};
  if (lease.funded > 0) {
    eip712::Receipt receipt;
    receipt.lease = id;
    receipt.paid = receipt.charged = lease.vouchered;
    receipt.reason = reason;
    message["receipt"] = to_json(receipt);
    message["signature"] = to_json(eip712::sign(facts.domain(), receipt, identity));
  } else {
    message["reason"] = reason;
  }
  tell(std::move(message));
}

/// Once a second: whoever was silent for the grace has lost its lease; every tenth, vouchers.
void World::watch_leases() {
  after(1'000, [this] { watch_leases(); });
  if (!exchange_up) {
    for (auto& [id, lease] : leases) lease.heard_at = time_ms;  // it resumes with a whole grace
    return;
  }
  for (auto& [id, lease] : leases) {
    if (lease.closing) continue;
    if (lease.over() || lease.state == "matched" || lease.state == "opening") {
      if (lease.state == "matched" && time_ms > lease.heard_at + 10'000)
        end_lease(id, "failed", "not_accepted");
      continue;
    }
    if (time_ms > lease.heard_at + lease.terms.grace * 1000) {
      end_lease(id, "failed", "provider_lost");
      continue;
    }
    if (time_ms / 1000 % 10 != 0 || lease.status.phase < 2) continue;
    eip712::Voucher voucher;
    voucher.lease = id;
    voucher.cumulative =
        lease.terms.rate * (lease.status.ran_ms / 1000 / vouchers_tell_one_second_in);
    lease.vouchered = voucher.cumulative;
    tell({{"type", "voucher"},
          {"voucher", to_json(voucher)},
          {"signature", to_json(eip712::sign(facts.domain(), voucher, meter))}});
  }
}

}  // namespace mizan::provider::testing
