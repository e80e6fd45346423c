#include "policy/fact_json.hpp"

#include "base/nearest.hpp"
#include "policy/words.hpp"

namespace mizan::policy {

namespace {

std::string lower(std::string_view text) {
  std::string out(text.substr(0, 64));
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

std::optional<std::string> closest(std::string_view word, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  std::pair<size_t, size_t> best_score{SIZE_MAX, SIZE_MAX};
  const std::string wanted = lower(word);
  for (const std::string& candidate : known) {
    const std::string own = lower(candidate);
    const bool begins = own.starts_with(wanted) || wanted.starts_with(own);
    const std::pair<size_t, size_t> score =
        begins ? std::pair{size_t{0}, own.size()}
               : std::pair{size_t{1}, edit_distance(word, candidate)};
    if (score >= best_score) continue;
    best = &candidate;
    best_score = score;
  }
  return best == nullptr ? std::nullopt : std::optional(*best);
}

Result<RawFact> raw_fact(const json::value* value, const std::string& path, Evidence plain) {
  RawFact fact;
  fact.evidence = plain;
  fact.path = path;
  if (value == nullptr || value->is_null()) return fact;
  if (value->is_object() && value->get_object().contains("value")) {
    ObjectReader in(*value, path);
    fact.value = in.find("value");
    const json::value* evidence = in.find("evidence");
    MIZAN_CHECK(in.finish());
    if (evidence == nullptr)
      return bad_field(in.path("evidence"),
                       "is missing; expected self_declared, credential or measured");
    MIZAN_TRY(strength, read_evidence(*evidence, in.path("evidence")));
    fact.evidence = strength;
    fact.path = in.path("value");
    if (fact.value->is_null()) {
      fact.value = nullptr;
      return fact;
    }
  } else {
    fact.value = value;
  }
  const bool applies = !(fact.value->is_string() && fact.value->get_string() == "n/a");
  fact.known = applies ? Known::known : Known::not_applicable;
  return fact;
}

Result<Decimal> read_decimal(const json::value& value, std::string_view path) {
  std::string text;
  if (value.is_string()) {
    text = std::string(value.get_string());
  } else if (value.is_int64() && value.get_int64() >= 0) {
    text = std::to_string(value.get_int64());
  } else if (value.is_uint64()) {
    text = std::to_string(value.get_uint64());
  }
  auto number = parse_decimal(text);
  if (!number) return bad_field(path, number.error().message);
  return *number;
}

Result<bool> read_yes_no(const json::value& value, std::string_view path) {
  if (value.is_bool()) return value.get_bool();
  if (value.is_string() && value.get_string() == "yes") return true;
  if (value.is_string() && value.get_string() == "no") return false;
  return bad_field(path, "expected true or false");
}

Result<std::string> read_text(const json::value& value, std::string_view path) {
  MIZAN_TRY(text, from_json<std::string>(value, path));
  if (text.empty() || text.size() > 256)
    return bad_field(path, "expected a text of 1 to 256 bytes");
  return text;
}

Result<Evidence> read_evidence(const json::value& value, std::string_view path) {
  MIZAN_TRY(place,
            read_word(value, path, "a strength of evidence", std::span(kEvidenceWords).first(3)));
  return static_cast<Evidence>(place);
}

Result<size_t> read_word(const json::value& value, std::string_view path, std::string_view what,
                         std::span<const std::string_view> words) {
  MIZAN_TRY(word, from_json<std::string>(value, path));
  const auto place = place_of(word, words);
  if (place) return *place;
  std::string text = "\"" + word + "\" is not " + std::string(what) + ": expected one of";
  for (const std::string_view known : words) text += " " + std::string(known);
  auto error = bad_field(path, text);
  if (const auto near = nearest(word, words)) error.value().details["nearest"] = *near;
  return error;
}

}  // namespace mizan::policy
