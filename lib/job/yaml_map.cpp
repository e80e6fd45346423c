#include "job/yaml_map.hpp"

#include "base/nearest.hpp"

#include <algorithm>

namespace mizan::job {
namespace {

std::string line_of(const YAML::Node& node) {
  return std::to_string(node.Mark().line + 1);
}

}  // namespace

tl::unexpected<Error> fault_at(const std::string& field, const YAML::Node& at,
                               const std::string& what, ErrorCode code) {
  return fail(Error{code, field + " (line " + line_of(at) + "): " + what}
                  .with("field", field)
                  .with("line", line_of(at)));
}

Error with_line(Error error, const YAML::Node& at) {
  const auto field = error.details.find("field");
  if (field != error.details.end() && error.message.starts_with(field->second + ":"))
    error.message.insert(field->second.size(), " (line " + line_of(at) + ")");
  return std::move(error).with("line", line_of(at));
}

std::string YamlMap::field(const std::string& key) const {
  return path_.empty() ? key : path_ + "." + key;
}

Result<YamlMap> YamlMap::open(const YAML::Node& node, std::string path) {
  const std::string name = path.empty() ? "the file" : path;
  if (!node.IsMap()) return fault_at(name, node, "must be a mapping, lines of \"key: value\"");
  YamlMap map;
  map.path_ = std::move(path);
  for (const auto& member : node) {
    if (!member.first.IsScalar()) return fault_at(name, member.first, "a key must be a plain word");
    const std::string& key = member.first.Scalar();
    if (map.keys_.contains(key))
      return fault_at(map.field(key), member.first, "stands there twice; keep one");
    map.keys_.emplace(key, member.first);
    if (!member.second.IsNull()) map.members_.emplace(key, member.second);
  }
  return map;
}

Result<void> YamlMap::check_keys(const std::vector<std::string_view>& known,
                                 const std::vector<UnbuiltKey>& unbuilt) const {
  for (const auto& [key, node] : keys_) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto late = std::find_if(unbuilt.begin(), unbuilt.end(),
                                   [&name = key](const auto& each) { return each.name == name; });
    if (late != unbuilt.end()) {
      const auto member = members_.find(key);
      if (member == members_.end()) continue;
      const YAML::Node& value = member->second;
      if (value.IsScalar() && !late->harmless.empty() && value.Scalar() == late->harmless) continue;
      if ((value.IsSequence() || value.IsMap()) && value.size() == 0) continue;
      std::string what = "is not built yet";
      if (!late->advice.empty()) what += "; " + std::string(late->advice);
      return fault_at(field(key), node, what, ErrorCode::unsupported_key);
    }
    std::vector<std::string_view> words = known;
    for (const UnbuiltKey& each : unbuilt) words.push_back(each.name);
    const auto close = nearest(key, words);
    std::string what = "is no known key";
    if (close) what += "; did you mean \"" + *close + "\"?";
    auto error = fault_at(field(key), node, what, ErrorCode::unknown_field);
    if (close) return fail(std::move(error.value()).with("nearest", *close));
    return error;
  }
  return {};
}

Result<std::optional<std::string>> YamlMap::text(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  const YAML::Node& node = at(key);
  if (!node.IsScalar())
    return fault_at(field(key), node, "must be one value, not a list or mapping");
  return node.Scalar();
}

Result<std::vector<std::string>> YamlMap::list(const std::string& key, size_t most) const {
  std::vector<std::string> items;
  if (!has(key)) return items;
  const YAML::Node& node = at(key);
  if (node.IsScalar()) return std::vector<std::string>{node.Scalar()};
  if (!node.IsSequence()) return fault_at(field(key), node, "must be a list");
  if (node.size() > most)
    return fault_at(field(key), node, "has more than " + std::to_string(most) + " entries",
                    ErrorCode::too_large);
  for (const auto& item : node) {
    if (!item.IsScalar()) return fault_at(field(key), item, "each entry must be one value");
    items.push_back(item.Scalar());
  }
  return items;
}

}  // namespace mizan::job
