// The rule sets that an exchange ever knew, by their hash, beside its journal.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exchange/exchange.hpp"

#include <filesystem>
#include <mutex>

namespace mizan::service {

/// A folder of canonical texts, `HASH.json` each; never one less, since a journal that names a rule
/// set cannot be replayed without it. Safe from many threads.
class RuleStore {
 public:
  static constexpr size_t kMost = 256;

  /// Reads the folder; one that is not there holds nothing. A text that is not that of its name is
  /// corrupted, with details.place.
  static Result<std::unique_ptr<RuleStore>> open(std::filesystem::path folder);

  /// Makes the rule set durable, then known. False if it was there; limit_exceeded past kMost.
  Result<bool> keep(std::shared_ptr<const policy::RuleSet> rules);
  exchange::RuleSets all() const;
  /// Null if it is not there.
  std::shared_ptr<const policy::RuleSet> find(const Hash32& hash) const;

 private:
  explicit RuleStore(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path file(const Hash32& hash) const;

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  exchange::RuleSets kept_;
};

/// What a name says of a rule set: "0x" or "sha256:" and 64 hex digits; or nothing.
std::optional<Hash32> parse_rule_set_name(std::string_view text);

}  // namespace mizan::service
