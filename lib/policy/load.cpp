#include "base/nearest.hpp"
#include "policy/loader.hpp"

#include <algorithm>

namespace mizan::policy {
namespace {

constexpr std::string_view kSections[] = {
    "certifications", "chips",     "classes", "countries", "groups",
    "jurisdictions",  "languages", "notices", "parts",     "rules"};

constexpr std::pair<std::string_view, std::string_view> kPhrases[] = {
    {"missing", "It cannot be decided whether this applies without: {}."},
    {"covered", "A licence on file covers the deal: {}."},
    {"not_covered", "No licence on file covers the deal."},
    {"empty", "The rule set is empty: nothing was judged."},
};

}  // namespace

tl::unexpected<Error> unknown_word(std::string_view path, std::string_view what,
                                   std::string_view word, const std::vector<std::string>& known) {
  std::string text = "\"" + std::string(word) + "\" is not " + std::string(what);
  const auto near = nearest(word, known);
  if (near) text += "; did you mean \"" + *near + "\"?";
  auto error = bad_field(path, text);
  if (near) error.value().details["nearest"] = *near;
  return error;
}

Result<RuleSet> RuleSet::load(const std::map<std::string, std::string>& files) {
  return Loader().run(files);
}

RuleSet RuleSet::empty() {
  auto set = Loader().run({{"empty", R"({"format":"mizan.policy.1"})"}});
  ensure(set.has_value(), "the empty rule set loads");
  return *std::move(set);
}

Result<RuleSet> Loader::run(const std::map<std::string, std::string>& files) {
  if (files.empty()) return fail(ErrorCode::not_found, "there is no rule file");
  for (const std::string_view section : kSections) sections_[std::string(section)];
  for (const auto& [name, text] : files) MIZAN_CHECK(read_file(name, text));
  MIZAN_CHECK(read_places());
  MIZAN_CHECK(read_words("certifications", "certification", set_.certifications_));
  MIZAN_CHECK(read_words("notices", "notice", set_.notices_));
  MIZAN_CHECK(read_classes());
  MIZAN_CHECK(read_chips());
  MIZAN_CHECK(read_rules());
  MIZAN_CHECK(read_languages());
  MIZAN_CHECK(seal());
  return std::move(set_);
}

Result<void> Loader::read_file(const std::string& name, const std::string& text) {
  JsonLimits limits;
  limits.max_bytes = 16 << 20;
  limits.max_depth = 32;
  auto parsed = parse_json(quote_decimals(text), limits, name);
  if (!parsed) return fail(std::move(parsed).error().with("file", name));
  const json::value value = *std::move(parsed);
  ObjectReader in(value, name);
  std::string format;
  in.required("format", format);
  if (!in.failed() && format != kFormat)
    in.refuse("format", "expected \"" + std::string(kFormat) + "\"");
  for (const std::string_view section : kSections) {
    std::vector<json::value> elements;
    in.optional(section, elements);
    auto& all = sections_[std::string(section)];
    for (size_t i = 0; i < elements.size(); ++i)
      all.push_back({name + ": " + std::string(section) + "[" + std::to_string(i) + "]",
                     std::move(elements[i])});
  }
  return in.finish();
}

Result<std::pair<Date, Date>> Loader::read_window(ObjectReader& in) {
  std::pair<Date, Date> window{kFirstDay, kLastDay};
  const auto read = [&in](std::string_view key, Date& out) -> Result<void> {
    const json::value* value = in.find(key);
    if (value == nullptr) return bad_field(in.path(key), "is missing; null means no limit");
    if (value->is_null()) return {};
    MIZAN_TRY(text, from_json<std::string>(*value, in.path(key)));
    auto date = parse_date(text);
    if (!date) return bad_field(in.path(key), date.error().message);
    out = *date;
    return {};
  };
  in.find("from");
  in.find("until");
  if (in.failed()) return fail(in.finish().error());
  MIZAN_CHECK(read("from", window.first));
  MIZAN_CHECK(read("until", window.second));
  if (window.second < window.first) return bad_field(in.path("until"), "is before \"from\"");
  return window;
}

Result<void> Loader::read_citation(ObjectReader& in) {
  std::string citation;
  in.required("citation", citation);
  if (!in.failed() && citation.empty())
    in.refuse("citation", "is empty; say where the rule stands");
  return {};
}

void Loader::count(const std::string& what, bool unverified) {
  Share& share = set_.unverified_[what];
  ++share.values;
  if (unverified) ++share.unverified;
}

Result<void> Loader::read_languages() {
  std::vector<std::string> ids;
  for (const Rule& rule : set_.rules_) ids.push_back(rule.id);
  for (const Element& element : sections_["languages"]) {
    ObjectReader in(element.value, element.path);
    std::string language;
    std::map<std::string, std::string> sentences;
    std::map<std::string, std::string> phrases;
    in.required("language", language);
    in.required("sentences", sentences);
    in.required("phrases", phrases);
    if (!in.failed() && language != "ar") in.refuse("language", "expected \"ar\"");
    MIZAN_CHECK(in.finish());
    for (auto& [id, sentence] : sentences) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end())
        return unknown_word(in.path("sentences"), "the id of a rule", id, ids);
      for (Rule& rule : set_.rules_)
        if (rule.id == id) rule.sentence_ar = sentence;
    }
    for (auto& [name, phrase] : phrases) {
      std::vector<std::string> known;
      for (const auto& [word, _] : kPhrases) known.emplace_back(word);
      if (std::find(known.begin(), known.end(), name) == known.end())
        return unknown_word(in.path("phrases"), "a phrase", name, known);
      set_.phrases_ar_[name] = phrase;
    }
  }
  return {};
}

// The canonical text: every section's elements in the order of their own canonical texts, so that
// neither the files nor their order count.
Result<void> Loader::seal() {
  json::object all;
  all["format"] = json::string_view(kFormat.data(), kFormat.size());
  for (const auto& [section, elements] : sections_) {
    std::vector<std::pair<std::string, const json::value*>> sorted;
    for (const Element& element : elements) {
      MIZAN_TRY(text, canonical_json(element.value));
      sorted.emplace_back(std::move(text), &element.value);
    }
    std::sort(sorted.begin(), sorted.end());
    json::array array;
    for (const auto& [_, value] : sorted) array.push_back(*value);
    if (!array.empty()) all[section] = std::move(array);
  }
  MIZAN_TRY(text, canonical_json(all));
  set_.canonical_ = std::move(text);
  set_.hash_ = text_sha256(set_.canonical_);
  return {};
}

std::string RuleSet::hash_text() const {
  return "sha256:" + hex(hash_.view());
}

std::string_view RuleSet::phrase(std::string_view name, Language language) const {
  if (language == Language::ar)
    if (const auto it = phrases_ar_.find(name); it != phrases_ar_.end()) return it->second;
  for (const auto& [word, text] : kPhrases)
    if (word == name) return text;
  return {};
}

}  // namespace mizan::policy
