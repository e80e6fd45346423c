#include "net/write_response.hpp"

#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>

#include <unistd.h>

namespace mizan::net {
namespace {

namespace http = beast::http;

constexpr size_t kWrittenPiece = 64 << 10;

asio::awaitable<bool> write_file(Stream& stream, const FileRange& file, Milliseconds timeout) {
  std::vector<char> piece(kWrittenPiece);
  for (uint64_t done = 0; done < file.length();) {
    const size_t want = std::min<uint64_t>(piece.size(), file.length() - done);
    const ssize_t got =
        ::pread(file.descriptor(), piece.data(), want, static_cast<off_t>(file.offset() + done));
    // A file shorter than announced: the client notices by the missing bytes.
    if (got <= 0) co_return false;
    error_code ec;
    stream.expires_after(timeout);
    co_await asio::async_write(stream, asio::buffer(piece.data(), static_cast<size_t>(got)),
                               into(ec));
    if (ec) co_return false;
    done += static_cast<uint64_t>(got);
  }
  co_return true;
}

}  // namespace

asio::awaitable<bool> write_response(Stream& stream, Response response, unsigned version,
                                     bool keep_alive, Milliseconds timeout) {
  http::response<http::buffer_body> head(static_cast<http::status>(response.status), version);
  head.set(http::field::server, "mizan");
  if (!response.content_type.empty()) head.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : response.headers) head.set(name, value);
  head.keep_alive(keep_alive);
  head.content_length(response.file ? response.file->length() : response.body.size());
  error_code ec;
  stream.expires_after(timeout);
  // Headers and body leave in one write when they are small: one packet, one wake of the client.
  if (!response.file && response.body.size() <= kWrittenPiece) {
    head.body().data = response.body.data();
    head.body().size = response.body.size();
    head.body().more = false;
    co_await http::async_write(stream, head, into(ec));
    co_return !ec && keep_alive;
  }
  head.body().data = nullptr;
  head.body().more = true;
  http::response_serializer<http::buffer_body> serializer(head);
  co_await http::async_write_header(stream, serializer, into(ec));
  if (ec) co_return false;
  if (response.file) co_return co_await write_file(stream, *response.file, timeout) && keep_alive;
  for (size_t done = 0; done < response.body.size();) {
    const size_t size = std::min(kWrittenPiece, response.body.size() - done);
    stream.expires_after(timeout);
    co_await asio::async_write(stream, asio::buffer(response.body.data() + done, size), into(ec));
    if (ec) co_return false;
    done += size;
  }
  co_return keep_alive;
}

}  // namespace mizan::net
