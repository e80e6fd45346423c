#include "exchange/texts.hpp"

#include "codec/json_fields.hpp"

#include <algorithm>
#include <limits>

namespace mizan::exchange {
namespace {

using market::Field;

constexpr size_t kLongestItem = 128;
constexpr size_t kMostCached = 256;
constexpr uint64_t kMostAttribute = market::kMostSliced;

bool is_claimed(Field field) {
  switch (field) {
    case Field::memory_gb:
    case Field::cores:
    case Field::disk_gb:
    case Field::device_memory_gb:
    case Field::maker:
    case Field::country:
    case Field::network:
    case Field::cached:
      return true;
    default:
      return false;
  }
}

Result<std::string> read_word(const json::value& value, std::string_view path) {
  MIZAN_TRY(word, from_json<std::string>(value, path));
  if (word.empty() || word.size() > kLongestItem) return bad_field(path, "has 1 to 128 bytes");
  return word;
}

Result<void> check_source(const std::string& source, const std::string& path) {
  if (source == "self_reported" || source == "measured" || source == "attested") return {};
  return bad_field(path + ".source", "is self_reported, measured or attested");
}

Result<void> read_value(Field field, const json::value& value, std::string_view path,
                        market::Attributes& out) {
  if (market::is_number(field)) {
    MIZAN_TRY(number, from_json<uint64_t>(value, path));
    if (number > kMostAttribute) return bad_field(path, "is at most 10^12");
    out.number(field) = static_cast<market::Milli>(number) * 1000;
    return {};
  }
  if (market::is_word(field)) {
    MIZAN_TRY(word, read_word(value, path));
    out.word(field) = std::move(word);
    return {};
  }
  MIZAN_TRY(list, from_json<std::vector<std::string>>(value, path));
  if (list.size() > kMostCached) return bad_field(path, "has at most 256 digests");
  for (const std::string& item : list)
    if (item.empty() || item.size() > kLongestItem)
      return bad_field(path, "items have 1 to 128 bytes");
  out.cached = std::move(list);
  return {};
}

}  // namespace

Result<AskText> read_attributes(const eip712::Ask& ask, std::string_view text) {
  AskText read;
  market::Attributes& out = read.attributes;
  MIZAN_TRY(value, parse_json(text, {text.size(), 4, false}, "attributes"));
  ObjectReader in(value, "attributes");
  bool all_measured = true;
  bool any = false;
  for (size_t i = 0; i < market::kFields; ++i) {
    const auto field = static_cast<Field>(i);
    if (!is_claimed(field)) continue;
    const std::string_view name = to_string(field);
    const json::value* member = in.find(name);
    if (member == nullptr) continue;
    const std::string path = in.path(name);
    ObjectReader one(*member, path);
    std::string source;
    json::value said;
    one.required("value", said);
    one.required("source", source);
    MIZAN_CHECK(one.finish());
    MIZAN_CHECK(check_source(source, path));
    if (source == "self_reported") all_measured = false;
    any = true;
    MIZAN_CHECK(read_value(field, said, path + ".value", out));
  }
  for (const std::string_view name : policy_attributes()) {
    const json::value* member = in.find(name);
    if (member == nullptr) continue;
    ObjectReader one(*member, in.path(name));
    std::string source;
    json::value said;
    one.required("value", said);
    one.required("source", source);
    MIZAN_CHECK(one.finish());
    MIZAN_CHECK(check_source(source, in.path(name)));
  }
  MIZAN_CHECK(in.finish());
  MIZAN_TRY(facts, read_ask_facts(ask, value));
  read.facts = std::move(facts);
  // Past what a Milli holds (a rate or a notice that nobody means) a field stays at its greatest.
  const auto whole = [](uint64_t number) {
    constexpr uint64_t kMostWhole = std::numeric_limits<market::Milli>::max() / 1000;
    return static_cast<market::Milli>(std::min(number, kMostWhole)) * 1000;
  };
  out.number(Field::units) = whole(ask.units_per_node);
  out.number(Field::nodes) = whole(ask.nodes);
  out.number(Field::rate) = whole(static_cast<uint64_t>(ask.rate));
  out.number(Field::notice_s) = whole(ask.notice_seconds);
  out.word(Field::chip) = ask.chip;
  out.word(Field::measured) = any && all_measured ? "true" : "false";
  return read;
}

Result<Spec> read_spec(std::string_view text, size_t most_bytes) {
  MIZAN_TRY(value, parse_json(text, {most_bytes, 16, false}, "spec"));
  ObjectReader in(value, "spec");
  json::value job;
  std::string query;
  bool split = false;
  Spec out;
  in.required("job", job);
  in.required("query", query);
  in.required("split", split);
  in.required("immediate_or_cancel", out.immediate_or_cancel);
  if (const json::value* said = in.find("declaration")) {
    MIZAN_TRY(declaration, read_declaration(*said, "spec.declaration"));
    out.declaration = declaration;
  }
  MIZAN_CHECK(in.finish());
  if (split)
    return bad_field("spec.split", "a bid over several asks is not built yet: use false",
                     ErrorCode::unsupported_key);
  MIZAN_TRY(parsed, market::parse_query(query));
  out.query = std::move(parsed);
  return out;
}

}  // namespace mizan::exchange
