// Store: the agent's small durable state, a few files by name.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "sandbox/unique_fd.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace mizan::provider {

/// How much must be survived: the agent's death, or the machine's too (a synced write). Jobs die
/// with the machine, so what speaks of running ones need not outlive it, but that they
/// were started, and why they were stopped.
enum class Durability { process, machine };

/// Names are 1 to 100 of a-z 0-9 . _ -, not starting with a dot. One thread.
class Store {
 public:
  virtual ~Store() = default;
  /// Replaces the whole value at once: after a crash there is the old one or the new one. (After
  /// the machine's, with Durability::process, it may also be damaged.)
  virtual Result<void> put(const std::string& name, std::string_view value,
                           Durability durability) = 0;
  /// Nothing if there is none; at most 1 MiB.
  virtual Result<std::optional<std::string>> get(const std::string& name) = 0;
  virtual Result<void> remove(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> names() = 0;  ///< in order
};

/// Files of mode 0600 in a folder of mode 0700, which one agent at a time holds by a lock.
class FileStore final : public Store {
 public:
  /// `conflict` if another agent holds the folder.
  static Result<std::unique_ptr<FileStore>> open(const std::filesystem::path& folder);
  Result<void> put(const std::string& name, std::string_view value, Durability durability) override;
  Result<std::optional<std::string>> get(const std::string& name) override;
  Result<void> remove(const std::string& name) override;
  Result<std::vector<std::string>> names() override;

 private:
  FileStore(std::filesystem::path folder, sandbox::UniqueFd lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}
  std::filesystem::path folder_;
  sandbox::UniqueFd lock_;
};

}  // namespace mizan::provider
