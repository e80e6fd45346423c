#include "service/agent_hub.hpp"

#include "codec/base64.hpp"
#include "codec/json_fields.hpp"
#include "crypto/address.hpp"
#include "service/agent_messages.hpp"
#include "service/wire.hpp"

#include <set>

namespace mizan::service {

using exchange::Exchange;
using exchange::Lease;
using exchange::LeaseState;

namespace {

/// How long a provider has to accept, and what is left at least to one whose match is told again: a
/// match that is still there can still be accepted, since a Resume renews its time.
constexpr uint64_t kAcceptMs = 10'000;
constexpr uint64_t kAcceptAgainMs = 2'000;
/// Leases that an honest agent may name beside those that live: it has not heard of their end yet.
constexpr size_t kMostStrange = 64;

/// A message's own fields are read by `read`; "type" and "id" are every message's.
struct Incoming {
  Incoming(const json::value& value) : reader(value, "message") {
    reader.required("type", type);
    uint64_t number = 0;
    if (reader.optional("id", number)) id = number;
  }
  ObjectReader reader;
  std::string type;
  std::optional<uint64_t> id;
};

}  // namespace

class AgentHub::Session final : public net::SocketHandler,
                                public std::enable_shared_from_this<Session> {
 public:
  Session(AgentHub& hub, const Address& provider, std::string peer)
      : hub_(hub), context_(hub.context_), provider_(provider), peer_(std::move(peer)) {}

  void on_open(std::shared_ptr<net::Socket> socket) override {
    socket_ = socket;
    ++context_.agents;
    context_.parts.log.info("agent_connected", {{"provider", to_checksum(provider_)}});
    // Nothing is applied while the exchange is read: every event is either in the welcome or is
    // told after it.
    context_.state.read([&](const Exchange& core) {
      {
        const std::lock_guard lock(hub_.mutex_);
        auto& current = hub_.sockets_[provider_];
        if (current) current->close("another agent of this provider connected");
        current = socket;
      }
      welcome(core);
    });
  }

  void on_text(std::string text, std::function<void()> done) override {
    context_.parts.pool.post([self = shared_from_this(), text = std::move(text), done] {
      self->take(text);
      done();
    });
  }

  void on_close(const Error& reason) override {
    if (!socket_) return;  // never opened
    --context_.agents;
    context_.parts.log.info("agent_gone",
                            {{"provider", to_checksum(provider_)}, {"reason", reason.message}});
    const std::lock_guard lock(hub_.mutex_);
    const auto place = hub_.sockets_.find(provider_);
    if (place != hub_.sockets_.end() && place->second == socket_) hub_.sockets_.erase(place);
  }

 private:
  void welcome(const Exchange& core) {
    const ExchangeKeys& keys = context_.parts.keys;
    socket_->send(welcome_message(core, provider_, context_.time.now(), keys,
                                  [this](const LeaseId& id) { return context_.logs.size(id); }));
    // What the agent may have missed; it knows what it has seen by the lease's id.
    for (const Lease* lease : core.live_leases_of(provider_)) {
      if (lease->closing) continue;
      if (lease->state == LeaseState::matched)
        socket_->send(
            match_message(*lease, UnixMs{std::max(lease->matched_at.ms + kAcceptMs,
                                                  context_.time.now().ms + kAcceptAgainMs)}));
      if (lease->state == LeaseState::funded)
        socket_->send(funded_message(*lease, context_.domain, keys));
      if (!lease->stop_reason.empty()) socket_->send(stop_message(lease->id, lease->stop_reason));
      if (lease->vouchered != 0)
        socket_->send(voucher_message({lease->id, lease->vouchered}, lease->voucher_signature));
    }
  }

  void take(const std::string& text) {
    std::optional<uint64_t> id;
    Result<void> taken;
    try {
      taken = dispatch(text, id);
    } catch (const std::exception&) {
      taken = fail(ErrorCode::internal, "the exchange could not handle this message");
    }
    if (!taken) refuse(id, taken.error());
  }

  void refuse(const std::optional<uint64_t>& id, const Error& error) {
    ++context_.refusals;
    socket_->send(error_message(id, error));
  }

  Result<void> dispatch(const std::string& text, std::optional<uint64_t>& id) {
    MIZAN_TRY(value, parse_json(text, {}, "the message"));
    Incoming in(value);
    id = in.id;
    if (in.reader.failed()) return in.reader.finish();
    if (in.type == "ask") return ask(in);
    if (in.type == "heartbeat") return heartbeat(in);
    if (in.type == "accept") return accept(in);
    if (in.type == "reject") return reject(in);
    if (in.type == "log") return log(in);
    if (in.type == "close") return close(in);
    return bad_field("type", "unknown message type");
  }

  Result<void> own(const Address& named, const char* field) const {
    if (named == provider_) return {};
    return bad_field(field, "names another provider than the one that is connected",
                     ErrorCode::forbidden);
  }

  Result<void> ask(Incoming& in) {
    exchange::PlaceAsk command;
    json::value attributes;
    in.reader.required("ask", command.ask);
    in.reader.required("attributes", attributes);
    in.reader.required("signature", command.signature);
    MIZAN_CHECK(in.reader.finish());
    MIZAN_CHECK(own(command.ask.provider, "ask.provider"));
    MIZAN_TRY(canonical, canonical_json(attributes));
    command.attributes = std::move(canonical);
    return submit(in.id, std::move(command));
  }

  Result<void> heartbeat(Incoming& in) {
    exchange::Heartbeat command;
    in.reader.required("heartbeat", command.heartbeat);
    in.reader.required("signature", command.signature);
    MIZAN_CHECK(in.reader.finish());
    MIZAN_CHECK(own(command.heartbeat.provider, "heartbeat.provider"));
    return submit(in.id, command, [this, command] { hub_.keep(command); });
  }

  Result<void> accept(Incoming& in) {
    exchange::Accept command;
    in.reader.required("terms", command.terms);
    in.reader.required("signature", command.signature);
    MIZAN_CHECK(in.reader.finish());
    MIZAN_CHECK(own(command.terms.provider, "terms.provider"));
    return submit(in.id, std::move(command));
  }

  Result<void> reject(Incoming& in) {
    exchange::Reject command;
    in.reader.required("lease", command.lease);
    in.reader.required("code", command.code);
    in.reader.required("message", command.message);
    MIZAN_CHECK(in.reader.finish());
    command.provider = provider_;
    return submit(in.id, std::move(command));
  }

  Result<void> log(Incoming& in) {
    LeaseId lease;
    uint64_t offset = 0;
    std::string data;
    in.reader.required("lease", lease);
    in.reader.required("offset", offset);
    in.reader.required("data", data);
    MIZAN_CHECK(in.reader.finish());
    auto bytes = parse_base64(data);
    if (!bytes) return bad_field("data", bytes.error().message);
    MIZAN_CHECK(own_lease(lease));
    MIZAN_TRY(size, context_.logs.append(provider_, lease, offset, *bytes));
    socket_->send(log_ok_message(lease, size));
    if (in.id) reply(*in.id, {});
    hub_.streams_.log_grew(lease);
    return {};
  }

  Result<void> close(Incoming& in) {
    exchange::Close command;
    in.reader.required("close", command.close);
    in.reader.required("signature", command.signature);
    MIZAN_CHECK(in.reader.finish());
    MIZAN_CHECK(own_lease(command.close.lease));
    // The agent lets go of the log after this: it has to be on the disk.
    MIZAN_CHECK(context_.logs.sync(command.close.lease));
    return submit(in.id, std::move(command));
  }

  Result<void> own_lease(const LeaseId& id) const {
    return context_.state.read([&](const Exchange& core) -> Result<void> {
      const Lease* lease = core.find_lease(id);
      if (lease == nullptr || lease->terms.provider != provider_)
        return fail(Error{ErrorCode::not_found, "you have no lease " + hex0x(id.view()), {}}.with(
            "field", "lease"));
      return {};
    });
  }

  /// `taken` is called once the command has changed the exchange.
  Result<void> submit(const std::optional<uint64_t>& id, exchange::Command command,
                      std::function<void()> taken = nullptr) {
    MIZAN_CHECK(context_.admit(peer_, command));
    context_.sequencer.submit(
        std::move(command), std::nullopt,
        [self = shared_from_this(), id, taken = std::move(taken)](const Result<Applied>& applied) {
          if (!applied) return self->refuse(id, applied.error());
          const auto& answer = applied->outcome.answer;
          if (!answer) return self->refuse(id, answer.error());
          if (taken) taken();
          if (!id) return;
          json::object out;
          if (!answer->order.is_zero()) out["order"] = to_json(answer->order);
          add_acknowledgement(out, applied->sequence, *applied->sealed);
          self->reply(*id, std::move(out));
        });
    return {};
  }

  void reply(uint64_t id, json::object fields) {
    fields["type"] = "reply";
    fields["id"] = id;
    socket_->send(json_text(fields));
  }

  AgentHub& hub_;
  Context& context_;
  const Address provider_;
  const std::string peer_;
  std::shared_ptr<net::Socket> socket_;  ///< set before the first message
};

std::shared_ptr<net::SocketHandler> AgentHub::open(const Address& provider,
                                                   const std::string& peer) {
  return std::make_shared<Session>(*this, provider, peer);
}

void AgentHub::send(const Address& provider, const std::string& text) {
  const std::lock_guard lock(mutex_);
  const auto place = sockets_.find(provider);
  if (place != sockets_.end()) place->second->send(text);
}

bool is_kept(const exchange::Heartbeat& heartbeat, const Exchange& exchange) {
  std::set<LeaseId> own;
  for (const eip712::LeaseStatus& status : heartbeat.heartbeat.leases) {
    const Lease* lease = exchange.find_lease(status.lease);
    if (lease != nullptr && lease->terms.provider == heartbeat.heartbeat.provider && !lease->over())
      own.insert(lease->id);
  }
  return !own.empty() && heartbeat.heartbeat.leases.size() <= kMostStrange + 2 * own.size();
}

void AgentHub::keep(const exchange::Heartbeat& heartbeat) {
  const bool kept = is_kept(heartbeat, context_.state.unlocked());
  const std::lock_guard lock(mutex_);
  if (kept)
    heartbeats_.insert_or_assign(heartbeat.heartbeat.provider, heartbeat);
  else
    heartbeats_.erase(heartbeat.heartbeat.provider);
}

std::optional<exchange::Heartbeat> AgentHub::last_heartbeat(const Address& provider) const {
  const std::lock_guard lock(mutex_);
  const auto found = heartbeats_.find(provider);
  return found == heartbeats_.end() ? std::nullopt : std::optional(found->second);
}

void AgentHub::tell(const exchange::Event& event, const Exchange& exchange) {
  const auto lease_of = [&](const LeaseId& id) { return exchange.find_lease(id); };
  const ExchangeKeys& keys = context_.parts.keys;
  if (const auto* matched = std::get_if<exchange::Matched>(&event)) {
    // The same command may have undone it, which forgets its spec: there is nothing to accept.
    if (const Lease* lease = lease_of(matched->lease); lease && lease->state == LeaseState::matched)
      send(matched->provider, match_message(*lease, matched->accept_by));
  } else if (const auto* opening = std::get_if<exchange::OpenWanted>(&event)) {
    send(opening->provider, opening_message(opening->lease));
  } else if (const auto* funded = std::get_if<exchange::Funded>(&event)) {
    if (const Lease* lease = lease_of(funded->lease))
      send(funded->provider, funded_message(*lease, context_.domain, keys));
  } else if (const auto* vouchered = std::get_if<exchange::Vouchered>(&event)) {
    send(vouchered->provider,
         voucher_message({vouchered->lease, vouchered->cumulative.nano}, vouchered->signature));
  } else if (const auto* stop = std::get_if<exchange::StopRequested>(&event)) {
    send(stop->provider, stop_message(stop->lease, stop->reason));
  } else if (const auto* wanted = std::get_if<exchange::CloseWanted>(&event)) {
    // Over here and open on the chain after all: its agent has forgotten it, and signs its Close.
    const Lease* lease = lease_of(wanted->lease);
    if (lease != nullptr && lease->over() && !lease->close)
      send(lease->terms.provider, stop_message(lease->id, lease->reason));
  } else if (const auto* closed = std::get_if<exchange::LeaseClosed>(&event)) {
    if (const Lease* lease = lease_of(closed->lease))
      send(closed->provider, closed_message(*lease, context_.domain, keys));
  } else if (const auto* changed = std::get_if<exchange::LeaseChanged>(&event)) {
    // Its agent had forgotten it, was told to close it once more, and waits for that.
    if (const Lease* lease = lease_of(changed->lease); lease != nullptr && lease->over())
      send(lease->terms.provider, closed_message(*lease, context_.domain, keys));
  } else if (const auto* undone = std::get_if<exchange::LeaseUndone>(&event)) {
    // Of a deal that was held and never matched the agent has not heard.
    if (const Lease* lease = lease_of(undone->lease); lease && lease->matched_at.ms != 0)
      send(undone->provider, closed_message(*lease, context_.domain, keys));
  } else if (const auto* spoke = std::get_if<exchange::PolicySpoke>(&event)) {
    send(spoke->provider, policy_message(*spoke));
  } else if (const auto* ask = std::get_if<exchange::AskChanged>(&event)) {
    if (ask->change == exchange::AskChange::displaced)
      send(ask->provider, ask_ended_message(ask->ask, "displaced"));
  }
}

}  // namespace mizan::service
