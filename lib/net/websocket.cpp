#include "net/websocket.hpp"

#include "net/socket_session.hpp"

#include <boost/asio/executor_work_guard.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace mizan::net {

struct IoThread::Impl {
  explicit Impl(SocketOptions options_) : options(options_) {}
  SocketOptions options;
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(*io);
  std::thread thread{[context = io.get()] { context->run(); }};
};

IoThread::IoThread(SocketOptions options) : impl_(std::make_unique<Impl>(options)) {}

IoThread::~IoThread() {
  impl_->io->stop();
  impl_->thread.join();
}

void IoThread::connect(const Url& url, const std::string& target, const Headers& headers,
                       std::shared_ptr<SocketHandler> handler) {
  asio::co_spawn(
      *impl_->io,
      connect_socket(impl_->io, url, target, headers, std::move(handler), impl_->options),
      asio::detached);
}

struct WebSocket::Impl {
  /// What arrives, for the reading thread.
  class Inbox final : public SocketHandler {
   public:
    void on_open(std::shared_ptr<Socket> socket_) override {
      const std::lock_guard lock(mutex);
      socket = std::move(socket_);
      changed.notify_all();
    }
    void on_text(std::string text, std::function<void()> done) override {
      const std::lock_guard lock(mutex);
      texts.push_back(std::move(text));
      if (texts.size() < kMaxWaiting)
        done();
      else
        read_on = std::move(done);
      changed.notify_all();
    }
    void on_close(const Error& reason) override {
      const std::lock_guard lock(mutex);
      ended = reason;
      changed.notify_all();
    }

    static constexpr size_t kMaxWaiting = 64;
    std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<Socket> socket;
    std::deque<std::string> texts;
    std::function<void()> read_on;  ///< set while the inbox is full
    std::optional<Error> ended;
    bool interrupted = false;
  };

  explicit Impl(SocketOptions options) : io(options) {}
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  IoThread io;
};

WebSocket::WebSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebSocket::WebSocket(WebSocket&&) noexcept = default;
WebSocket& WebSocket::operator=(WebSocket&&) noexcept = default;
WebSocket::~WebSocket() = default;

Result<WebSocket> WebSocket::connect(const Url& url, const std::string& target,
                                     const Headers& headers, Milliseconds timeout,
                                     SocketOptions options) {
  options.handshake_timeout = std::min(options.handshake_timeout, timeout);
  auto impl = std::make_unique<Impl>(options);
  auto& inbox = *impl->inbox;
  impl->io.connect(url, target, headers, impl->inbox);
  {
    std::unique_lock lock(inbox.mutex);
    inbox.changed.wait_for(lock, timeout, [&] { return inbox.socket || inbox.ended; });
    if (inbox.ended) return fail(*inbox.ended);
    if (!inbox.socket)
      return fail(ErrorCode::unavailable, "no answer from " + url.authority() + " in time");
  }
  return WebSocket(std::move(impl));
}

Result<std::optional<std::string>> WebSocket::read(Milliseconds timeout) {
  auto& inbox = *impl_->inbox;
  std::function<void()> read_on;
  std::optional<std::string> text;
  {
    std::unique_lock lock(inbox.mutex);
    inbox.changed.wait_for(
        lock, timeout, [&] { return !inbox.texts.empty() || inbox.ended || inbox.interrupted; });
    inbox.interrupted = false;
    if (!inbox.texts.empty()) {
      text = std::move(inbox.texts.front());
      inbox.texts.pop_front();
      read_on = std::exchange(inbox.read_on, {});
    } else if (inbox.ended) {
      return fail(*inbox.ended);
    }
  }
  if (read_on) read_on();
  return text;
}

void WebSocket::write(std::string text) {
  impl_->inbox->socket->send(std::move(text));
}
void WebSocket::close() {
  impl_->inbox->socket->close("done");
}

void WebSocket::interrupt() {
  const std::lock_guard lock(impl_->inbox->mutex);
  impl_->inbox->interrupted = true;
  impl_->inbox->changed.notify_all();
}

}  // namespace mizan::net
