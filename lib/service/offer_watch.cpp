#include "service/offer_watch.hpp"

#include "service/wire.hpp"

#include <algorithm>

namespace mizan::service {

/// `show` comes from one thread at a time: opening, then ticks.
class OfferWatch::Watcher final : public net::SocketHandler {
 public:
  Watcher(Context& context, std::string query, std::string peer_)
      : peer(std::move(peer_)), context_(context), query_(std::move(query)) {}
  const std::string peer;

  void on_open(std::shared_ptr<net::Socket> socket) override {
    {
      const std::lock_guard lock(mutex_);
      socket_ = std::move(socket);
    }
    show();
  }
  void on_text(std::string, std::function<void()> done) override { done(); }
  size_t max_message_bytes() const override { return net::kSilentPeerBytes; }
  void on_close(const Error&) override {
    const std::lock_guard lock(mutex_);
    socket_.reset();
    over_ = true;
  }
  bool over() {
    const std::lock_guard lock(mutex_);
    return over_;
  }

  void show() {
    const std::lock_guard lock(mutex_);
    // The list before has not gone yet: a slow watcher gets fewer of them.
    if (!socket_ || sending_) return;
    uint64_t version = 0;
    const auto offers = context_.state.read(
        [&](const exchange::Exchange& core) -> std::optional<Result<std::vector<exchange::Offer>>> {
          version = core.version();
          if (shown_version_ == version) return std::nullopt;
          return core.offers(query_, "", OfferWatch::kMostOffers);
        });
    if (!offers) return;
    if (!*offers) {
      socket_->close(offers->error().message);
      socket_.reset();
      return;
    }
    std::string text =
        json_text(json::object{{"type", "offers"}, {"offers", offers_json(**offers)}});
    shown_version_ = version;
    if (text == shown_) return;
    shown_ = text;
    sending_ = true;
    socket_->send(std::move(text), [sending = sending_flag_] { *sending = false; });
  }

 private:
  Context& context_;
  const std::string query_;
  std::mutex mutex_;
  std::shared_ptr<net::Socket> socket_;
  std::shared_ptr<std::atomic<bool>> sending_flag_ = std::make_shared<std::atomic<bool>>(false);
  std::atomic<bool>& sending_ = *sending_flag_;
  std::string shown_;
  std::optional<uint64_t> shown_version_;
  bool over_ = false;
};

Result<std::shared_ptr<net::SocketHandler>> OfferWatch::open(std::string query, std::string peer) {
  // A query that does not parse is told before the upgrade.
  const auto probe = context_.state.read(
      [&](const exchange::Exchange& core) { return core.offers(query, "", 1); });
  if (!probe) return fail(probe.error());
  const std::lock_guard lock(mutex_);
  std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
  if (watchers_.size() >= context_.config.max_watchers)
    return fail(ErrorCode::limit_exceeded, "too many watch the offers already; try later");
  const auto here = std::ranges::count_if(watchers_, [&peer](const auto& weak) {
    const auto watcher = weak.lock();
    return watcher && watcher->peer == peer;
  });
  if (static_cast<size_t>(here) >= context_.config.max_watchers_per_address)
    return fail(ErrorCode::limit_exceeded,
                "too many watch the offers from this address already; close one");
  auto watcher = std::make_shared<Watcher>(context_, std::move(query), std::move(peer));
  watchers_.push_back(watcher);
  return std::shared_ptr<net::SocketHandler>(std::move(watcher));
}

void OfferWatch::tick() {
  if (ticking_.exchange(true)) return;
  show_all();
  ticking_ = false;
}

void OfferWatch::show_all() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    const std::lock_guard lock(mutex_);
    if (watchers_.empty()) return;
    for (const auto& weak : watchers_)
      if (auto watcher = weak.lock()) watchers.push_back(std::move(watcher));
  }
  for (const auto& watcher : watchers)
    if (!watcher->over()) watcher->show();
}

}  // namespace mizan::service
