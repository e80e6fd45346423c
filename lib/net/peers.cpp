#include "net/peers.hpp"

#include <algorithm>

namespace mizan::net {
namespace {

// What every connection may keep without being counted: its number is bounded.
constexpr size_t kFreeBytes = 16 << 10;
constexpr size_t kMostIdlePeers = 100'000;

Pace::Clock::duration every(uint32_t per_second) {
  return std::chrono::nanoseconds(1'000'000'000) / std::max(per_second, 1U);
}

}  // namespace

std::string peer_name(const asio::ip::address& address) {
  if (address.is_v4()) return address.to_string();
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, v6).to_string();
  if (v6.is_loopback()) return v6.to_string();
  auto bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), uint8_t{0});
  return asio::ip::address_v6(bytes).to_string() + "/64";
}

Pace::Clock::duration Pace::next(Clock::time_point now, Clock::duration interval, uint32_t burst) {
  const Clock::duration ahead = std::max(due_, now) - now;
  due_ = now + ahead + interval;
  return std::max(ahead - interval * (std::max(burst, 1U) - 1), Clock::duration::zero());
}

bool Peers::may_enter(Peer& peer, Pace::Clock::time_point now) {
  if (connections_ >= options_.max_connections ||
      peer.connections >= options_.max_connections_per_address)
    return false;
  // As many at once as there may be, twice over; all of them anew in five seconds.
  const auto most =
      static_cast<uint32_t>(std::min<size_t>(options_.max_connections_per_address, 1'000'000));
  Pace after = peer.entries;
  if (after.next(now, every(most / 5), 2 * most) > Pace::Clock::duration::zero()) return false;
  peer.entries = after;
  return true;
}

/// Whoever is gone and has all again need not be known; past the most, strangers' past is
/// forgotten.
void Peers::forget_idle(Pace::Clock::time_point now) {
  if (peers_.size() - std::min(connections_, peers_.size()) < kMostIdlePeers) return;
  const auto gone = [](const auto& entry) { return entry.second.connections == 0; };
  std::erase_if(peers_, [&](const auto& entry) {
    return gone(entry) && entry.second.entries.fresh(now) && entry.second.requests.fresh(now);
  });
  if (peers_.size() - std::min(connections_, peers_.size()) >= kMostIdlePeers)
    std::erase_if(peers_, gone);
}

PeerShare::PeerShare(Peers& peers, const std::string& peer) {
  const auto now = Pace::Clock::now();
  peers.forget_idle(now);
  entry_ = peers.peers_.try_emplace(peer).first;
  if (!peers.may_enter(entry_->second, now)) return;
  peers_ = &peers;
  ++entry_->second.connections;
  ++peers.connections_;
}

PeerShare::~PeerShare() {
  if (peers_ == nullptr) return;
  hold(0);
  --entry_->second.connections;
  --peers_->connections_;
}

Pace::Clock::duration PeerShare::next_request(uint32_t requests) {
  const uint32_t per_second = peers_->options_.requests_per_second_per_address;
  const auto now = Pace::Clock::now();
  Pace::Clock::duration wait{};
  for (uint32_t i = 0; i < requests; ++i)
    wait = entry_->second.requests.next(now, every(per_second), 2 * per_second);
  return wait;
}

asio::awaitable<void> wait_turn(PeerShare& share, uint32_t requests) {
  const auto wait = share.next_request(requests);
  if (wait == Pace::Clock::duration::zero()) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, wait);
  error_code ignored;
  co_await timer.async_wait(into(ignored));
}

bool PeerShare::hold(size_t bytes) {
  if (bytes <= kFreeBytes) bytes = 0;
  Peers::Peer& peer = entry_->second;
  if (bytes > held_) {
    const size_t more = bytes - held_;
    if (peer.held + more > peers_->options_.max_memory_per_address ||
        peers_->held_ + more > peers_->options_.max_memory)
      return false;
  }
  peer.held += bytes - held_;
  peers_->held_ += bytes - held_;
  held_ = bytes;
  return true;
}

}  // namespace mizan::net
