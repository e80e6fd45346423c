// HTTP messages and addresses as plain values, without the library that carries them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <boost/json/fwd.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mizan::net {

using Milliseconds = std::chrono::milliseconds;

/// Names and values as they travel; names are compared without regard to case.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value of `name`, or null.
const std::string* find_header(const Headers& headers, std::string_view name);
/// The value of `name`, or "".
std::string_view header_or_empty(const Headers& headers, std::string_view name);

struct Request {
  std::string method;  ///< upper case
  std::string target;  ///< path and query as sent, e.g. "/v1/leases?state=running"
  Headers headers;
  std::string body;
  std::string peer;  ///< the other end's IP address, for limits by address
  std::optional<uint64_t> content_length;

  std::string_view path() const;   ///< the target without its query
  std::string_view query() const;  ///< after the "?", or ""
};

/// Bytes of an open file to be sent after the headers; the descriptor is closed when it goes.
class FileRange {
 public:
  FileRange(int descriptor, uint64_t offset, uint64_t length)
      : descriptor_(descriptor), offset_(offset), length_(length) {}
  FileRange(FileRange&& other) noexcept;
  FileRange& operator=(FileRange&& other) noexcept;
  ~FileRange();
  int descriptor() const { return descriptor_; }
  uint64_t offset() const { return offset_; }
  uint64_t length() const { return length_; }
  void narrow(uint64_t offset, uint64_t length) {
    offset_ = offset;
    length_ = length;
  }

 private:
  int descriptor_ = -1;
  uint64_t offset_ = 0;
  uint64_t length_ = 0;
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  Headers headers{};
  std::string body{};
  std::optional<FileRange> file{};  ///< instead of `body`
};

/// The HTTP status of a failure, as docs/PROTOCOL.md gives it.
unsigned http_status(ErrorCode code);
/// {"code", "message", "details"}: what every failure is told as. Bytes that are no UTF-8 are shown
/// as '?'.
boost::json::object error_object(const Error& error);
/// The same as text: the body of a failure.
std::string error_json(const Error& error);
Response error_response(const Error& error);
/// Reads such a body back; another body becomes `internal` with the status in its details.
Error parse_error(unsigned status, std::string_view body);

/// Percent-decodes one component of a path or query ("+" stays a plus); bad escapes are an error.
Result<std::string> percent_decode(std::string_view text);
/// Escapes all but letters, digits and "-._~".
std::string percent_encode(std::string_view text);

/// The fields of a query string in order, decoded. At most 64; a field given twice is an error.
Result<Headers> parse_query(std::string_view query);

/// "http://host:port" or "https://host:port", nothing after it but one "/".
struct Url {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string ca{};  ///< file (PEM) of the authorities to trust; "": the system's. In no text
  std::string text() const;       ///< "http://host:port"
  std::string authority() const;  ///< "host:port", as the Host header has it
};
/// http only to this machine: what leaves it travels under TLS.
Result<Url> parse_url(std::string_view text);

}  // namespace mizan::net
