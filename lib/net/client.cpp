#include "net/client.hpp"

#include "base/money.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <fcntl.h>
#include <limits>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mizan::net {
namespace {

namespace http = beast::http;

constexpr size_t kPiece = 64 << 10;
constexpr uint64_t kMaxErrorBytes = 1 << 20;

/// A file descriptor that closes itself.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Error file_error(const char* what, const std::filesystem::path& file) {
  const int number = errno;
  return Error{
      ErrorCode::io_error,
      std::string(what) + " " + file.string() + ": " + std::generic_category().message(number),
      {}}
      .with("errno", std::to_string(number));
}

/// What one call sends and where its answer goes.
struct Call {
  http::verb method = http::verb::get;
  std::string target;
  std::string body;
  std::string idempotency_key;
  const File* upload = nullptr;
  uint64_t upload_bytes = 0;
  const File* download = nullptr;
  uint64_t max_bytes = 0;  ///< of the answer's body
  const Progress* progress = nullptr;

  bool may_repeat() const { return method != http::verb::post || !idempotency_key.empty(); }
};

void report(const Call& call, uint64_t done, uint64_t total) {
  if (call.progress && *call.progress) (*call.progress)(done, total);
}

}  // namespace

struct Client::Impl {
  Impl(Url url_, std::shared_ptr<const Signer> signer_, ClientOptions options_)
      : url(std::move(url_)), signer(std::move(signer_)), options(options_) {}

  Result<Response> run(const Call& call);
  Result<Response> run_once(const Call& call);
  bool take_time(const Error& refusal);
  asio::awaitable<Result<Response>> attempt(const Call& call);
  asio::awaitable<Result<void>> connect();
  asio::awaitable<Result<void>> send(const Call& call);
  asio::awaitable<Result<Response>> receive(const Call& call);
  asio::awaitable<Result<Response>> exchange(const Call& call);

  Url url;
  std::shared_ptr<const Signer> signer;
  ClientOptions options;
  asio::io_context io{1};
  std::shared_ptr<TlsContext> tls;
  std::optional<Stream> stream;
  beast::flat_buffer buffer{kPiece * 2};
  bool reused = false;  ///< this call began on a connection that was open before
  uint64_t clock_ahead_ms = 0;
  bool answering = false;  ///< a byte of this call's answer has arrived
};

asio::awaitable<Result<void>> Client::Impl::connect() {
  // The server may have closed the connection, or said something that nobody asked for.
  char byte = 0;
  if (stream && ::recv(stream->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
    stream.reset();
  reused = stream.has_value();
  if (stream) co_return Result<void>{};
  error_code ec;
  Tcp::resolver resolver(io);
  const auto addresses =
      co_await resolver.async_resolve(url.host, std::to_string(url.port), into(ec));
  if (ec) co_return fail(network_error("cannot find " + url.host, ec));
  stream.emplace(io);
  buffer.clear();
  stream->expires_after(options.connect_timeout);
  co_await stream->next_layer().async_connect(addresses, into(ec));
  if (ec) {
    stream.reset();
    co_return fail(network_error("cannot connect to " + url.authority(), ec));
  }
  stream->socket().set_option(Tcp::no_delay(true), ec);
  if (url.tls) co_return co_await secure_client(*stream, *tls, url);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Client::Impl::send(const Call& call) {
  http::request<http::string_body> request(call.method, call.target, 11);
  request.set(http::field::host, url.authority());
  request.set(http::field::user_agent, "mizan");
  const bool has_body = call.method != http::verb::get;
  if (has_body)
    request.set(http::field::content_type,
                call.upload ? "application/octet-stream" : "application/json");
  if (signer) {
    const auto headers =
        signer->sign(http::to_string(call.method), call.target, call.upload ? "" : call.body,
                     call.idempotency_key, UnixMs{system_clock().now().ms + clock_ahead_ms});
    for (const auto& [name, value] : headers) request.set(name, value);
  } else if (!call.idempotency_key.empty()) {
    request.set("Idempotency-Key", call.idempotency_key);
  }
  error_code ec;
  stream->expires_after(options.timeout);
  if (!call.upload) {
    request.body() = call.body;
    request.prepare_payload();
    co_await http::async_write(*stream, request, into(ec));
    if (ec) co_return fail(network_error("cannot send to " + url.authority(), ec));
    co_return Result<void>{};
  }
  request.content_length(call.upload_bytes);
  http::request_serializer<http::string_body> serializer(request);
  co_await http::async_write_header(*stream, serializer, into(ec));
  std::vector<char> piece(kPiece);
  for (uint64_t done = 0; !ec && done < call.upload_bytes;) {
    const size_t want = std::min<uint64_t>(piece.size(), call.upload_bytes - done);
    const ssize_t got = ::pread(call.upload->get(), piece.data(), want, static_cast<off_t>(done));
    if (got <= 0) co_return fail(ErrorCode::io_error, "the file became shorter while it was sent");
    stream->expires_after(options.timeout);
    co_await asio::async_write(*stream, asio::buffer(piece.data(), static_cast<size_t>(got)),
                               into(ec));
    done += static_cast<uint64_t>(got);
    report(call, done, call.upload_bytes);
  }
  // A server that refuses in mid-body has answered already: read that instead.
  if (ec && ec != asio::error::broken_pipe && ec != asio::error::connection_reset)
    co_return fail(network_error("cannot send to " + url.authority(), ec));
  co_return Result<void>{};
}

asio::awaitable<Result<Response>> Client::Impl::receive(const Call& call) {
  http::response_parser<http::buffer_body> parser;
  parser.header_limit(64 << 10);
  parser.body_limit(boost::none);
  error_code ec;
  stream->expires_after(options.timeout);
  co_await http::async_read_header(*stream, buffer, parser, into(ec));
  if (ec) co_return fail(network_error("no answer from " + url.authority(), ec));
  answering = true;
  Response response;
  response.status = parser.get().result_int();
  for (const auto& field : parser.get())
    response.headers.emplace_back(field.name_string(), field.value());
  response.content_type = header_or_empty(response.headers, "Content-Type");
  const bool to_file = call.download && response.status < 400;
  const uint64_t most = response.status < 400 ? call.max_bytes : kMaxErrorBytes;
  const uint64_t total = parser.content_length().value_or(0);
  if (total > most)
    co_return fail(ErrorCode::too_large,
                   "the answer is larger than " + std::to_string(most) + " bytes");
  std::vector<char> piece(kPiece);
  uint64_t done = 0;
  while (!parser.is_done()) {
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    if (to_file) stream->expires_after(options.timeout);
    co_await http::async_read(*stream, buffer, parser, into(ec));
    if (ec == http::error::need_buffer) ec = {};
    if (ec) co_return fail(network_error("the answer broke off", ec));
    const size_t got = piece.size() - parser.get().body().size;
    done += got;
    if (done > most)
      co_return fail(ErrorCode::too_large,
                     "the answer is larger than " + std::to_string(most) + " bytes");
    if (!to_file) {
      response.body.append(piece.data(), got);
      continue;
    }
    for (size_t written = 0; written < got;) {
      const ssize_t n = ::write(call.download->get(), piece.data() + written, got - written);
      if (n < 0) co_return fail(file_error("cannot write", "the answer"));
      written += static_cast<size_t>(n);
    }
    report(call, done, total);
  }
  if (!parser.keep_alive()) stream.reset();
  co_return response;
}

asio::awaitable<Result<Response>> Client::Impl::exchange(const Call& call) {
  if (auto connected = co_await connect(); !connected) co_return fail(connected.error());
  if (auto sent = co_await send(call); !sent) co_return fail(sent.error());
  co_return co_await receive(call);
}

asio::awaitable<Result<Response>> Client::Impl::attempt(const Call& call) {
  answering = false;
  auto response = co_await exchange(call);
  // A server may have closed an idle connection just as this call began on it: once more, anew.
  if (!response && reused && !answering && call.may_repeat() &&
      response.error().code == ErrorCode::unavailable) {
    stream.reset();
    response = co_await exchange(call);
  }
  if (!response) stream.reset();  // its state is unknown
  co_return response;
}

/// Whether the server told the time by which it would take a request that it found expired.
bool Client::Impl::take_time(const Error& refusal) {
  const auto time = refusal.details.find("timeMs");
  if (!signer || refusal.code != ErrorCode::expired || time == refusal.details.end()) return false;
  const auto ms = parse_u128(time->second);
  if (!ms || *ms > std::numeric_limits<uint64_t>::max()) return false;
  clock_ahead_ms = static_cast<uint64_t>(*ms) - system_clock().now().ms;
  return true;
}

// Nothing was done by what the server found expired: it is signed once more. An upload's source is
// read already; its caller signs anew.
Result<Response> Client::Impl::run(const Call& call) {
  auto answer = run_once(call);
  if (answer || call.upload || !take_time(answer.error())) return answer;
  return run_once(call);
}

Result<Response> Client::Impl::run_once(const Call& call) {
  try {
    if (url.tls && !tls) {
      MIZAN_TRY(made, client_tls(url.ca));
      tls = std::move(made);
    }
    std::optional<Result<Response>> result;
    asio::co_spawn(
        io, [&]() -> asio::awaitable<void> { result = co_await attempt(call); },
        [](const std::exception_ptr& thrown) {
          if (thrown) std::rethrow_exception(thrown);
        });
    io.restart();
    io.run();
    if (!*result) return fail(std::move(*result).error());
    if ((*result)->status >= 400) return fail(parse_error((*result)->status, (*result)->body));
    return std::move(**result);
  } catch (const std::exception& thrown) {
    stream.reset();
    return fail(ErrorCode::internal, std::string("the HTTP client failed: ") + thrown.what());
  }
}

Client::Client(Url url, std::shared_ptr<const Signer> signer, ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(url), std::move(signer), options)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const Url& Client::url() const {
  return impl_->url;
}
void Client::set_clock_ahead(uint64_t ms) {
  impl_->clock_ahead_ms = ms;
}
void Client::set_signer(std::shared_ptr<const Signer> signer) {
  impl_->signer = std::move(signer);
}
const std::shared_ptr<const Signer>& Client::signer() const {
  return impl_->signer;
}

Result<Response> Client::get(const std::string& target) {
  Call call;
  call.target = target;
  call.max_bytes = impl_->options.max_body_bytes;
  return impl_->run(call);
}

Result<Response> Client::post(const std::string& target, std::string json,
                              const std::string& idempotency_key) {
  Call call;
  call.method = http::verb::post;
  call.target = target;
  call.body = std::move(json);
  call.idempotency_key = idempotency_key;
  call.max_bytes = impl_->options.max_body_bytes;
  return impl_->run(call);
}

Result<Response> Client::put(const std::string& target, std::string json) {
  Call call;
  call.method = http::verb::put;
  call.target = target;
  call.body = std::move(json);
  call.max_bytes = impl_->options.max_body_bytes;
  return impl_->run(call);
}

Result<Response> Client::put_file(const std::string& target, const std::filesystem::path& file,
                                  const Progress& progress) {
  const File opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (opened.get() < 0 || ::fstat(opened.get(), &info) != 0)
    return fail(file_error("cannot read", file));
  Call call;
  call.method = http::verb::put;
  call.target = target;
  call.upload = &opened;
  call.upload_bytes = static_cast<uint64_t>(info.st_size);
  call.max_bytes = impl_->options.max_body_bytes;
  call.progress = &progress;
  return impl_->run(call);
}

Result<Response> Client::get_file(const std::string& target, const std::filesystem::path& file,
                                  uint64_t max_bytes, const Progress& progress) {
  const File opened(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (opened.get() < 0) return fail(file_error("cannot write", file));
  Call call;
  call.target = target;
  call.download = &opened;
  call.max_bytes = max_bytes;
  call.progress = &progress;
  auto response = impl_->run(call);
  if (!response) {
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
  }
  return response;
}

}  // namespace mizan::net
