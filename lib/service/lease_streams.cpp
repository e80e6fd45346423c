#include "service/lease_streams.hpp"

#include "codec/base64.hpp"
#include "codec/json_fields.hpp"
#include "service/wire.hpp"

namespace mizan::service {
namespace {

// Of the log in one message: small enough to arrive soon, large enough to be cheap.
constexpr size_t kPiece = 48 << 10;

std::string lease_message(const exchange::Lease& lease, const Context& context) {
  return json_text(json::object{{"type", lease.over() ? "closed" : "lease"},
                                {"lease", lease_json(lease, context)}});
}

}  // namespace

/// One follower. A log piece is sent when the one before has gone, so that a long log waits for its
/// reader instead of filling the queue.
class LeaseStreams::Stream final : public net::SocketHandler,
                                   public std::enable_shared_from_this<Stream> {
 public:
  Stream(LeaseStreams& streams, const LeaseId& lease, uint64_t offset)
      : streams_(streams), lease_(lease), offset_(offset) {}

  void on_open(std::shared_ptr<net::Socket> socket) override {
    ++streams_.context_.streams;
    {
      const std::lock_guard lock(mutex_);
      socket_ = std::move(socket);
    }
    // Nothing is applied meanwhile: every change is either shown here or comes by lease_changed.
    streams_.context_.state.read([&](const exchange::Exchange& core) {
      const exchange::Lease* lease = core.find_lease(lease_);
      if (lease == nullptr) return;
      {
        const std::lock_guard lock(streams_.mutex_);
        rename(lease->id);
        streams_.streams_.emplace(lease->id, weak_from_this());
      }
      show(*lease);
    });
    pump();
  }
  void on_text(std::string, std::function<void()> done) override { done(); }
  size_t max_message_bytes() const override { return net::kSilentPeerBytes; }
  void on_close(const Error&) override {
    --streams_.context_.streams;
    {
      const std::lock_guard lock(mutex_);
      socket_.reset();
    }
    const std::lock_guard lock(streams_.mutex_);
    std::erase_if(streams_.streams_, [this](const auto& entry) {
      return entry.first == lease_ && entry.second.lock().get() == this;
    });
  }

  void show(const exchange::Lease& lease) {
    std::string message = lease_message(lease, streams_.context_);
    const std::lock_guard lock(mutex_);
    if (!socket_ || !closed_.empty()) return;
    if (lease.over())
      closed_ = std::move(message);
    else
      socket_->send(std::move(message));
  }

  /// With the streams' mutex held.
  void rename(const LeaseId& lease) {
    const std::lock_guard lock(mutex_);
    lease_ = lease;
  }

  /// Sends the log's next piece, or, once all of it went and the lease is over, the end.
  void pump() {
    while (step()) {
    }
  }

 private:
  /// True if the log may have grown while it was read.
  bool step() {
    LeaseId lease;
    uint64_t offset = 0;
    {
      const std::lock_guard lock(mutex_);
      grown_ = sending_;
      if (!socket_ || sending_) return false;
      sending_ = true;
      lease = lease_;
      offset = offset_;
    }
    // Without the mutex: `show` waits for it under the state's lock, and disks may be slow.
    const auto data = streams_.context_.logs.read(lease, offset, kPiece);
    const std::lock_guard lock(mutex_);
    sending_ = false;
    if (!socket_) return false;
    if (!data) {
      socket_->close(data.error().message);
      socket_.reset();
      return false;
    }
    if (!data->empty()) {
      sending_ = true;
      const std::string text = json_text(
          json::object{{"type", "log"}, {"offset", offset_}, {"data", base64(as_bytes(*data))}});
      offset_ += data->size();
      socket_->send(text, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->sent();
      });
      return false;
    }
    if (grown_) return true;
    if (closed_.empty()) return false;
    socket_->send(closed_);
    socket_->close("the lease is over");
    socket_.reset();
    return false;
  }

  void sent() {
    {
      const std::lock_guard lock(mutex_);
      sending_ = false;
    }
    pump();
  }

  LeaseStreams& streams_;
  std::mutex mutex_;
  LeaseId lease_;  ///< changed with both mutexes held
  std::shared_ptr<net::Socket> socket_;
  uint64_t offset_;
  bool sending_ = false;  ///< a piece is being read or sent
  bool grown_ = false;    ///< there was more to send meanwhile
  std::string closed_;    ///< the last message, once the lease is over
};

std::shared_ptr<net::SocketHandler> LeaseStreams::open(const LeaseId& lease, uint64_t offset) {
  return std::make_shared<Stream>(*this, lease, offset);
}

std::vector<std::shared_ptr<LeaseStreams::Stream>> LeaseStreams::followers(const LeaseId& lease) {
  std::vector<std::shared_ptr<Stream>> out;
  const std::lock_guard lock(mutex_);
  const auto [first, last] = streams_.equal_range(lease);
  for (auto place = first; place != last; ++place)
    if (auto stream = place->second.lock()) out.push_back(std::move(stream));
  return out;
}

void LeaseStreams::lease_changed(const exchange::Lease& lease) {
  for (const auto& stream : followers(lease.id)) {
    stream->show(lease);
    if (lease.over()) context_.parts.pool.post([stream] { stream->pump(); });
  }
}

void LeaseStreams::renamed(const LeaseId& held, const LeaseId& lease) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = streams_.equal_range(held);
  std::vector<std::weak_ptr<Stream>> moving;
  for (auto place = first; place != last; ++place) moving.push_back(place->second);
  streams_.erase(first, last);
  for (auto& stream : moving) {
    if (const auto alive = stream.lock()) alive->rename(lease);
    streams_.emplace(lease, std::move(stream));
  }
}

void LeaseStreams::log_grew(const LeaseId& lease) {
  for (const auto& stream : followers(lease)) stream->pump();
}

}  // namespace mizan::service
