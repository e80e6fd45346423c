// YamlMap: reads the members of one mapping of a YAML file, each fault with its field and line.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mizan::job {

/// A key that is known but not built yet, and the one value (if any) that asks for nothing.
struct UnbuiltKey {
  std::string_view name;
  std::string_view harmless;
  std::string_view advice;
};

/// A fault at a place of the file: "resources.cpus (line 4): what".
tl::unexpected<Error> fault_at(const std::string& field, const YAML::Node& at,
                               const std::string& what,
                               ErrorCode code = ErrorCode::invalid_argument);
/// The same for an error that a check gave without a line ("field: what").
Error with_line(Error error, const YAML::Node& at);

/// Reads a mapping. Nothing is converted by YAML's rules: a scalar is the text that stands there,
/// so that `no` and `1.10` stay what they are. A null member counts as absent.
class YamlMap {
 public:
  /// `path` names the mapping in messages: "resources", or "" at the top.
  static Result<YamlMap> open(const YAML::Node& node, std::string path);

  /// Faults: a key that is not among `known` (unknown_field with the nearest one), or is among
  /// `unbuilt` with another than its harmless value (unsupported_key).
  Result<void> check_keys(const std::vector<std::string_view>& known,
                          const std::vector<UnbuiltKey>& unbuilt) const;

  bool has(const std::string& key) const { return members_.contains(key); }
  /// The member; only for a key that is there.
  const YAML::Node& at(const std::string& key) const { return members_.find(key)->second; }
  std::string field(const std::string& key) const;

  /// The scalar under `key`, nothing if it is absent; a list or mapping is a fault.
  Result<std::optional<std::string>> text(const std::string& key) const;
  /// A list of scalars, or one scalar alone; empty if absent.
  Result<std::vector<std::string>> list(const std::string& key, size_t most) const;
  const std::map<std::string, YAML::Node>& members() const { return members_; }

 private:
  std::string path_;
  std::map<std::string, YAML::Node> members_;
  std::map<std::string, YAML::Node> keys_;
};

}  // namespace mizan::job
