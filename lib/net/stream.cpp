#include "net/stream.hpp"

#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <openssl/x509v3.h>

namespace mizan::net {

namespace ssl = asio::ssl;

Stream::Stream(asio::io_context& io) : tcp_(std::make_unique<next_layer_type>(io)) {}
Stream::Stream(const executor_type& executor) : tcp_(std::make_unique<next_layer_type>(executor)) {}
Stream::Stream(Tcp::socket&& socket) : tcp_(std::make_unique<next_layer_type>(std::move(socket))) {}
Stream::Stream(Stream&&) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept {
  tls_ = std::move(other.tls_);  // before what it stands on
  tcp_ = std::move(other.tcp_);
  return *this;
}
Stream::~Stream() = default;

asio::awaitable<error_code> Stream::accept_tls(ssl::context& context) {
  tls_ = std::make_unique<Tls>(*tcp_, context);
  error_code ec;
  co_await tls_->async_handshake(ssl::stream_base::server, into(ec));
  co_return ec;
}

asio::awaitable<error_code> Stream::connect_tls(ssl::context& context, const std::string& host,
                                                long& verify_result) {
  tls_ = std::make_unique<Tls>(*tcp_, context);
  SSL* const handle = tls_->native_handle();
  error_code no_ip;
  asio::ip::make_address(host, no_ip);
  if (no_ip) {
    SSL_set_tlsext_host_name(handle, host.c_str());
    SSL_set_hostflags(handle, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(handle, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(handle), host.c_str());
  }
  error_code ec;
  co_await tls_->async_handshake(ssl::stream_base::client, into(ec));
  verify_result = SSL_get_verify_result(handle);
  co_return ec;
}

asio::awaitable<void> Stream::finish() {
  if (!tcp_) co_return;  // moved away: its new owner ends it
  error_code ignored;
  if (tls_) {
    expires_after(std::chrono::seconds(1));
    co_await tls_->async_shutdown(into(ignored));
  }
  socket().shutdown(Tcp::socket::shutdown_send, ignored);
}

void Stream::read_some(const Buffers8<asio::mutable_buffer>& buffers, Transferred done) {
  if (tls_)
    tls_->async_read_some(buffers, std::move(done));
  else
    tcp_->async_read_some(buffers, std::move(done));
}

void Stream::write_some(const Buffers8<asio::const_buffer>& buffers, Transferred done) {
  if (tls_)
    tls_->async_write_some(buffers, std::move(done));
  else
    tcp_->async_write_some(buffers, std::move(done));
}

void Stream::tear_down(beast::role_type role, Completion<error_code> done) {
  using beast::websocket::async_teardown;
  if (tls_)
    async_teardown(role, *tls_, std::move(done));
  else
    async_teardown(role, *tcp_, std::move(done));
}

}  // namespace mizan::net
