#include "codec/json_fields.hpp"

#include "codec/nearest.hpp"
#include "crypto/address.hpp"

#include <algorithm>

namespace mizan {
namespace {

std::string kind_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "a bool";
    case json::kind::string:
      return "a string";
    case json::kind::array:
      return "an array";
    case json::kind::object:
      return "an object";
    default:
      return "a number";
  }
}

tl::unexpected<Error> wrong_kind(std::string_view path, std::string_view wanted,
                                 const json::value& got) {
  return bad_field(path, "expected " + std::string(wanted) + ", got " + kind_of(got));
}

}  // namespace

tl::unexpected<Error> bad_field(std::string_view path, std::string_view what, ErrorCode code) {
  const std::string field = path.empty() ? "the value" : std::string(path);
  return fail(Error{code, field + ": " + std::string(what), {{"field", std::string(path)}}});
}

namespace detail {

std::string join_path(std::string_view path, std::string_view key) {
  // A hostile key is not repeated at any length.
  const std::string shown(key.substr(0, 64));
  return path.empty() ? shown : std::string(path) + "." + shown;
}

Result<bool> read_bool(const json::value& value, std::string_view path) {
  if (!value.is_bool()) return wrong_kind(path, "true or false", value);
  return value.get_bool();
}

Result<uint64_t> read_unsigned(const json::value& value, std::string_view path, uint64_t most) {
  if (!value.is_int64() && !value.is_uint64()) return wrong_kind(path, "a whole number", value);
  const bool negative = value.is_int64() && value.get_int64() < 0;
  const uint64_t number =
      value.is_uint64() ? value.get_uint64() : static_cast<uint64_t>(value.get_int64());
  if (negative || number > most)
    return bad_field(path, "expected a number from 0 to " + std::to_string(most));
  return number;
}

Result<int64_t> read_signed(const json::value& value, std::string_view path, int64_t least,
                            int64_t most) {
  if (!value.is_int64() && !value.is_uint64()) return wrong_kind(path, "a whole number", value);
  const bool large = value.is_uint64() && value.get_uint64() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = large              ? most
                         : value.is_int64() ? value.get_int64()
                                            : static_cast<int64_t>(value.get_uint64());
  if (large || number < least || number > most)
    return bad_field(
        path, "expected a number from " + std::to_string(least) + " to " + std::to_string(most));
  return number;
}

Result<u128> read_amount(const json::value& value, std::string_view path) {
  if (!value.is_string()) return wrong_kind(path, "an amount as a decimal string", value);
  const json::string& text = value.get_string();
  auto amount = parse_u128(std::string_view(text.data(), text.size()));
  if (!amount) return bad_field(path, amount.error().message);
  return *amount;
}

Result<std::string> read_string(const json::value& value, std::string_view path) {
  if (!value.is_string()) return wrong_kind(path, "a string", value);
  const json::string& text = value.get_string();
  return std::string(text.data(), text.size());
}

Result<Bytes> read_hex(const json::value& value, std::string_view path, size_t size) {
  if (!value.is_string()) return wrong_kind(path, "hex digits after 0x", value);
  const json::string& text = value.get_string();
  const std::string_view digits(text.data(), text.size());
  if (!digits.starts_with("0x")) return bad_field(path, "expected hex digits after 0x");
  if (size != 0 && digits.size() != 2 + 2 * size)
    return bad_field(path, "expected 0x and " + std::to_string(2 * size) + " hex digits");
  auto bytes = parse_hex(digits);
  if (!bytes) return bad_field(path, bytes.error().message);
  return bytes;
}

Result<Address> read_address(const json::value& value, std::string_view path) {
  if (!value.is_string()) return wrong_kind(path, "an address", value);
  const json::string& text = value.get_string();
  auto address = parse_address(std::string_view(text.data(), text.size()));
  if (!address) return bad_field(path, address.error().message);
  return address;
}

Result<const json::array*> as_array(const json::value& value, std::string_view path) {
  if (!value.is_array()) return wrong_kind(path, "an array", value);
  return &value.get_array();
}

Result<const json::object*> as_object(const json::value& value, std::string_view path) {
  if (!value.is_object()) return wrong_kind(path, "an object", value);
  return &value.get_object();
}

json::value address_json(const Address& address) {
  return json::value(to_checksum(address));
}

}  // namespace detail

ObjectReader::ObjectReader(const json::value& value, std::string_view path) : path_(path) {
  if (auto object = detail::as_object(value, path))
    object_ = *object;
  else
    fault_ = std::move(object).error();
}

const json::value* ObjectReader::find(std::string_view key) {
  known_.emplace_back(key);
  return object_ == nullptr ? nullptr : object_->if_contains({key.data(), key.size()});
}

std::string ObjectReader::path(std::string_view key) const {
  return detail::join_path(path_, key);
}

void ObjectReader::refuse(std::string_view key, std::string_view what) {
  if (!failed()) fault_ = bad_field(path(key), what).value();
}

void ObjectReader::refuse_missing(std::string_view key) {
  refuse(key, "is missing");
  missing_ = true;
}

Result<void> ObjectReader::finish() const {
  // A misspelt key says more than the missing one that it was meant to be.
  if (object_ != nullptr && (!failed() || missing_)) {
    for (const json::key_value_pair& member : *object_) {
      const std::string key(member.key());
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      const auto meant = nearest(key, known_);
      auto error = bad_field(
          path(key),
          meant ? "unknown field; did you mean " + *meant + "?" : std::string("unknown field"),
          ErrorCode::unknown_field);
      if (meant) error.value().details["nearest"] = *meant;
      return error;
    }
  }
  if (failed()) return fail(*fault_);
  return {};
}

}  // namespace mizan
