#include "codec/json.hpp"

#include "crypto/hash.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <cmath>
#include <exception>
#include <set>
#include <vector>

namespace mizan {
namespace {

using boost::json::error_code;
using boost::json::string_view;

/// Builds the value and stops at a key that its object already has.
class Builder {
 public:
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = 4096;
  static constexpr size_t max_string_size = SIZE_MAX;

  explicit Builder(bool allow_fractions) : allow_fractions_(allow_fractions) {}

  json::value_stack stack;
  std::string fault;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    keys_.emplace_back();
    return true;
  }
  bool on_object_end(size_t count, error_code&) {
    keys_.pop_back();
    stack.push_object(count);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(size_t count, error_code&) {
    stack.push_array(count);
    return true;
  }
  bool on_key_part(string_view part, size_t, error_code&) {
    key_.append(part.data(), part.size());
    stack.push_chars(part);
    return true;
  }
  bool on_key(string_view part, size_t, error_code& failure) {
    key_.append(part.data(), part.size());
    stack.push_key(part);
    if (!keys_.back().insert(key_).second)
      return refuse("the key \"" + key_ + "\" comes twice", failure);
    key_.clear();
    return true;
  }
  bool on_string_part(string_view part, size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(string_view part, size_t, error_code&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(int64_t number, string_view, error_code&) {
    stack.push_int64(number);
    return true;
  }
  bool on_uint64(uint64_t number, string_view, error_code&) {
    stack.push_uint64(number);
    return true;
  }
  // Also integers outside 64 bits come here.
  bool on_double(auto number, string_view, error_code& failure) {
    if (!allow_fractions_)
      return refuse("a number is a whole one of at most 64 bits; larger amounts are strings",
                    failure);
    // Infinity has no spelling that could be read again.
    if (!std::isfinite(number)) return refuse("a number is too large", failure);
    stack.push_double(number);
    return true;
  }
  bool on_bool(bool flag, error_code&) {
    stack.push_bool(flag);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool refuse(std::string why, error_code& failure) {
    fault = std::move(why);
    failure = make_error_code(boost::json::error::extra_data);
    return false;
  }

  bool allow_fractions_;
  std::string key_;
  std::vector<std::set<std::string>> keys_;
};

void write_string(string_view text, std::string& out) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
          out.push_back(kHex[c & 15]);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
}

// Depth is that of a parsed or built value, which the limits of parse_json bound.
Result<void> write_canonical(const json::value& value, std::string& out) {
  switch (value.kind()) {
    case json::kind::null:
      out += "null";
      return {};
    case json::kind::bool_:
      out += value.get_bool() ? "true" : "false";
      return {};
    case json::kind::int64:
      out += std::to_string(value.get_int64());
      return {};
    case json::kind::uint64:
      out += std::to_string(value.get_uint64());
      return {};
    case json::kind::string:
      write_string(value.get_string(), out);
      return {};
    case json::kind::array: {
      out.push_back('[');
      bool first = true;
      for (const json::value& element : value.get_array()) {
        if (!std::exchange(first, false)) out.push_back(',');
        MIZAN_CHECK(write_canonical(element, out));
      }
      out.push_back(']');
      return {};
    }
    case json::kind::object: {
      std::vector<const json::key_value_pair*> members;
      for (const json::key_value_pair& member : value.get_object()) members.push_back(&member);
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return a->key() < b->key(); });
      out.push_back('{');
      bool first = true;
      for (const json::key_value_pair* member : members) {
        if (!std::exchange(first, false)) out.push_back(',');
        write_string(member->key(), out);
        out.push_back(':');
        MIZAN_CHECK(write_canonical(member->value(), out));
      }
      out.push_back('}');
      return {};
    }
    default:
      return fail(ErrorCode::invalid_argument,
                  "a number that is not whole has no canonical spelling");
  }
}

}  // namespace

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits,
                               std::string_view what) {
  if (text.size() > limits.max_bytes)
    return fail(ErrorCode::too_large, std::string(what) + " has " + std::to_string(text.size()) +
                                          " bytes; the limit is " +
                                          std::to_string(limits.max_bytes));
  boost::json::parse_options options;
  options.max_depth = limits.max_depth;
  boost::json::basic_parser<Builder> parser(options, limits.allow_fractions);
  Builder& builder = parser.handler();
  try {
    builder.stack.reset();
    error_code failure;
    const size_t used = parser.write_some(false, text.data(), text.size(), failure);
    if (failure == boost::json::error::too_deep)
      return fail(ErrorCode::too_large, std::string(what) + " is nested more than " +
                                            std::to_string(limits.max_depth) + " levels deep");
    if (failure || used < text.size()) {
      const std::string why = !builder.fault.empty() ? builder.fault
                              : failure              ? failure.message()
                                                     : "text follows the value";
      return fail(ErrorCode::invalid_argument,
                  std::string(what) + " is not valid at byte " + std::to_string(used) + ": " + why);
    }
    return builder.stack.release();
  } catch (const std::exception& error) {
    return fail(ErrorCode::too_large, std::string(what) + " cannot be held: " + error.what());
  }
}

std::string json_text(const json::value& value) {
  return boost::json::serialize(value);
}

Result<std::string> canonical_json(const json::value& value) {
  std::string out;
  MIZAN_CHECK(write_canonical(value, out));
  return out;
}

Hash32 text_sha256(std::string_view text) {
  return sha256(text);
}

Result<Hash32> canonical_json_hash(const json::value& value) {
  MIZAN_TRY(text, canonical_json(value));
  return keccak256(text);
}

}  // namespace mizan
