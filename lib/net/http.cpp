#include "net/http.hpp"

#include "base/utf8.hpp"
#include "net/tls.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <unistd.h>

namespace mizan::net {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

const std::string* find_header(const Headers& headers, std::string_view name) {
  for (const auto& [key, value] : headers)
    if (std::ranges::equal(key, name, {}, lower, lower)) return &value;
  return nullptr;
}

std::string_view header_or_empty(const Headers& headers, std::string_view name) {
  const std::string* value = find_header(headers, name);
  return value ? std::string_view(*value) : std::string_view();
}

std::string_view Request::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view Request::query() const {
  const size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

FileRange::FileRange(FileRange&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      offset_(other.offset_),
      length_(other.length_) {}

FileRange& FileRange::operator=(FileRange&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  offset_ = other.offset_;
  length_ = other.length_;
  return *this;
}

FileRange::~FileRange() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

unsigned http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::unauthenticated:
    case ErrorCode::expired:
    case ErrorCode::replayed:
      return 401;
    case ErrorCode::insufficient_funds:
      return 402;
    case ErrorCode::forbidden:
    case ErrorCode::policy_blocked:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::conflict:
    case ErrorCode::already_exists:
    case ErrorCode::no_match:
    case ErrorCode::policy_held:
      return 409;
    case ErrorCode::too_large:
      return 413;
    case ErrorCode::limit_exceeded:
      return 429;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::io_error:
    case ErrorCode::corrupted:
    case ErrorCode::internal:
      return 500;
    default:
      return 400;  // an input that is malformed or refused
  }
}

boost::json::object error_object(const Error& error) {
  // What is named in them may have come from a path or a query, as any bytes.
  boost::json::object details;
  for (const auto& [key, value] : error.details)
    details[printable_utf8(key)] = printable_utf8(value);
  return {{"code", std::string(to_string(error.code))},
          {"message", printable_utf8(error.message)},
          {"details", std::move(details)}};
}

std::string error_json(const Error& error) {
  return boost::json::serialize(error_object(error));
}

Response error_response(const Error& error) {
  Response response;
  response.status = http_status(error.code);
  response.body = error_json(error);
  return response;
}

Error parse_error(unsigned status, std::string_view body) {
  Error error{
      ErrorCode::internal, "the server answered with HTTP status " + std::to_string(status), {}};
  boost::system::error_code failed;
  const boost::json::value value = boost::json::parse(body, failed);
  if (!failed && value.is_object()) {
    const boost::json::object& object = value.get_object();
    const auto* code = object.if_contains("code");
    const auto* message = object.if_contains("message");
    const auto* details = object.if_contains("details");
    if (code && code->is_string())
      error.code = parse_error_code(code->get_string()).value_or(ErrorCode::internal);
    if (message && message->is_string()) error.message = message->get_string();
    if (details && details->is_object())
      for (const auto& [key, item] : details->get_object())
        error.details[key] =
            item.is_string() ? std::string(item.get_string()) : boost::json::serialize(item);
  }
  error.details["status"] = std::to_string(status);
  return error;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      return fail(ErrorCode::invalid_argument,
                  "a % in the target is not followed by two hex digits");
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
  return out;
}

Result<Headers> parse_query(std::string_view query) {
  constexpr size_t kMaxFields = 64;
  Headers fields;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    if (fields.size() == kMaxFields)
      return fail(ErrorCode::too_large, "the query string has more than 64 fields");
    const size_t equals = part.find('=');
    MIZAN_TRY(name, percent_decode(part.substr(0, equals)));
    MIZAN_TRY(value, percent_decode(equals == std::string_view::npos ? std::string_view()
                                                                     : part.substr(equals + 1)));
    if (find_header(fields, name))
      return fail(
          Error{ErrorCode::invalid_argument, "a field of the query string is given twice", {}}.with(
              "field", name));
    fields.emplace_back(std::move(name), std::move(value));
  }
  return fields;
}

std::string Url::text() const {
  return (tls ? "https://" : "http://") + authority();
}

std::string Url::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::invalid_argument,
                "an exchange's address looks like https://host:port, not \"" +
                    std::string(text.substr(0, 200)) + "\"");
  };
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    url.tls = true;
    rest.remove_prefix(8);
  } else {
    return bad();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  url.port = url.tls ? 443 : 80;
  std::string_view port;
  if (rest.starts_with('[')) {
    const size_t close = rest.find(']');
    if (close == std::string_view::npos) return bad();
    url.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest[0] != ':') return bad();
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty()) return bad();
  } else {
    const size_t colon = rest.find(':');
    url.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = rest.substr(colon + 1);
      if (port.empty()) return bad();
    }
  }
  if (url.host.empty() || url.host.size() > 253) return bad();
  for (const char c : url.host)
    if (c <= ' ' || c >= 127 || std::string_view("/?#@\\").find(c) != std::string_view::npos)
      return bad();
  if (!port.empty()) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), value);
    if (error != std::errc() || end != port.data() + port.size() || value == 0 || value > 65535)
      return bad();
    url.port = static_cast<uint16_t>(value);
  }
  if (!url.tls && !is_loopback(url.host))
    return fail(ErrorCode::invalid_argument,
                "http:// goes no further than this machine, since anybody on the way could read "
                "and change it: write https://" +
                    url.authority());
  return url;
}

}  // namespace mizan::net
