#include "mizan/follow.hpp"

#include "codec/base64.hpp"
#include "crypto/address.hpp"
#include "mizan/json_view.hpp"
#include "net/websocket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <thread>

namespace mizan::cli {
namespace {

constexpr net::Milliseconds kTick{200};
constexpr std::array kDetaching{SIGINT, SIGTERM, SIGHUP};

constexpr std::chrono::seconds kAskPause{1};

volatile std::sig_atomic_t detach_raised = 0;
std::array<struct sigaction, kDetaching.size()> actions_before;

bool final_refusal(ErrorCode code) {
  return code == ErrorCode::not_found || code == ErrorCode::forbidden ||
         code == ErrorCode::unauthenticated || code == ErrorCode::invalid_argument ||
         code == ErrorCode::expired;
}

// One lease's stream, over as many connections as it takes.
class Stream {
 public:
  Stream(Session& session, const LeaseId& lease, const FollowEvents& events)
      : session_(session), lease_(lease), events_(events) {}

  Result<Followed> run() {
    while (!DetachSignals::raised()) {
      auto socket = connect();
      if (!socket) {
        if (final_refusal(socket.error().code)) return fail(std::move(socket).error());
        lost(socket.error());
        continue;
      }
      records_.rewind();
      MIZAN_TRY(ended, read_until_lost(*socket));
      if (ended) return Followed{last_, false};
    }
    return Followed{last_, true};
  }

 private:
  Result<net::WebSocket> connect() {
    const std::string target =
        fmt::format("/v1/leases/{}/stream?offset={}", hex0x(lease_.view()), records_.offset());
    const auto headers =
        session_.signer()->sign("GET", target, "", "", UnixMs{session_.exchange_time_ms()});
    return net::WebSocket::connect(session_.client().url(), target, headers);
  }

  void lost(const Error& error) {
    if (!told_lost_ && events_.connection_lost) events_.connection_lost(error);
    told_lost_ = true;
    if (events_.tick) events_.tick();
    std::this_thread::sleep_for(kTick);
  }

  // True when the lease is over, false when the connection is.
  Result<bool> read_until_lost(net::WebSocket& socket) {
    while (!DetachSignals::raised()) {
      auto text = socket.read(kTick);
      if (events_.tick) events_.tick();
      if (text && !*text) ask_how_it_opens();
      if (!text) {
        if (final_refusal(text.error().code)) return fail(std::move(text).error());
        lost(text.error());
        return false;
      }
      if (!*text) continue;
      told_lost_ = false;
      MIZAN_TRY(over, take(**text));
      if (over) return true;
      if (moved_) return moved_ = false;
    }
    return false;
  }

  /// The stream tells of changes; blocks that come upon a lease's opening are none.
  void ask_how_it_opens() {
    if (member_or<std::string>(last_, "state") != "opening" || !events_.lease) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < asks_again_at_) return;
    asks_again_at_ = now + kAskPause;
    const auto lease = session_.get("/v1/leases/" + hex0x(lease_.view()));
    // Whatever else it says the stream says too.
    if (lease && member_or<std::string>(*lease, "state") == "opening") events_.lease(*lease);
  }

  Result<bool> take(const std::string& text) {
    MIZAN_TRY(message, parse_json(text, {.max_bytes = 4 << 20}, "the exchange's message"));
    const auto type = member_or<std::string>(message, "type");
    if (type == "log") {
      MIZAN_TRY(offset, member<uint64_t>(message, "offset"));
      MIZAN_TRY(data, member<std::string>(message, "data"));
      MIZAN_TRY(bytes, parse_base64(data));
      take_log(offset, bytes);
    } else if (type == "lease" || type == "closed") {
      last_ = member_value(message, "lease");
      // A held deal that an officer approved goes on under another id.
      const auto id = member_or<LeaseId>(last_, "lease", lease_);
      moved_ = id != lease_ && type == "lease";
      lease_ = id;
      if (type == "closed")
        for (const LogRecord& record : records_.finish()) tell(record);
      if (events_.lease) events_.lease(last_);
    }
    return type == "closed";
  }

  // What was seen already is skipped.
  void take_log(uint64_t offset, std::string_view bytes) {
    const uint64_t seen = records_.seen();
    if (offset > seen || offset + bytes.size() <= seen) return;
    for (const LogRecord& record : records_.feed(bytes.substr(seen - offset))) tell(record);
  }

  void tell(const LogRecord& record) {
    if (events_.record) events_.record(record);
  }

  Session& session_;
  LeaseId lease_;
  const FollowEvents& events_;
  LogRecords records_;
  json::value last_;
  bool told_lost_ = false;
  bool moved_ = false;
  std::chrono::steady_clock::time_point asks_again_at_{};
};

}  // namespace

DetachSignals::DetachSignals() {
  struct sigaction action {};
  action.sa_handler = [](int) { detach_raised = 1; };
  for (size_t i = 0; i < kDetaching.size(); ++i)
    ::sigaction(kDetaching[i], &action, &actions_before[i]);
}

DetachSignals::~DetachSignals() {
  for (size_t i = 0; i < kDetaching.size(); ++i)
    ::sigaction(kDetaching[i], &actions_before[i], nullptr);
}

bool DetachSignals::raised() {
  return detach_raised != 0;
}

bool lease_is_over(const json::value& lease) {
  const auto state = member_or<std::string>(lease, "state");
  return state == "settled" || state == "failed";
}

Result<std::vector<json::value>> leases_of(Session& session, const Address& account) {
  constexpr size_t kMost = 1000;  // of one answer
  const auto ask = [&](const std::string& filter) -> Result<std::vector<json::value>> {
    MIZAN_TRY(answer, session.get(fmt::format("/v1/leases?account={}&limit={}{}",
                                              to_checksum(account), kMost, filter)));
    const json::value& leases = member_value(answer, "leases");
    if (!leases.is_array())
      return fail(ErrorCode::internal, "the exchange's answer lacks \"leases\"");
    return std::vector<json::value>(leases.as_array().begin(), leases.as_array().end());
  };
  MIZAN_TRY(newest, ask(""));
  if (newest.size() < kMost) return newest;
  // What is live must not be missing, however many ended jobs are newer.
  MIZAN_TRY(live, ask("&state=live"));
  for (json::value& lease : live) {
    const json::value& id = member_value(lease, "lease");
    if (std::none_of(newest.begin(), newest.end(),
                     [&](const json::value& other) { return member_value(other, "lease") == id; }))
      newest.push_back(std::move(lease));
  }
  return newest;
}

Result<Followed> follow_lease(Session& session, LeaseId& lease, const FollowEvents& events) {
  while (true) {
    MIZAN_TRY(followed, Stream(session, lease, events).run());
    lease = member_or<LeaseId>(followed.lease, "lease", lease);
    if (followed.detached || member_or<uint64_t>(followed.lease, "openedAtMs") != 0)
      return followed;
    // It ended before it was funded: the order may have been matched again.
    const auto order = member_or<std::string>(followed.lease, "order");
    MIZAN_TRY(leases, leases_of(session, session.account()));
    bool moved = false;
    for (const json::value& other : leases) {
      if (member_or<std::string>(other, "order") != order) continue;
      MIZAN_TRY(id, member<LeaseId>(other, "lease"));
      moved = id != lease;
      lease = id;
      break;  // newest first
    }
    if (!moved) return followed;
  }
}

}  // namespace mizan::cli
