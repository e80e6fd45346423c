// provider.yaml: what an agent offers, to which exchange, and with which key.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/payee.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mizan::provider {

/// The file's keys, in the order of docs and examples:
///
///     exchange: https://exchange.example   # http to this machine alone
///     ca: authority.pem                    # whom to trust instead of the system's authorities
///     key: ~/.mizan/keys/provider.json     # keystore (Web3 Secret Storage)
///     passphrase_file: /etc/mizan/passphrase   # mode 0600; or systemd's credential
///     state_dir: /var/lib/mizan-provider
///     rate: 0.05                           # USD a unit-hour
///     cores: 8                             # to offer; all that the machine has if absent
///     memory_gb: 32
///     disk_gb: 200
///     country: DE
///     min_lease: 1s
///     max_lease: 24h
///     images: {train: /srv/images/train}   # OCI layout folders that jobs name as oci:train
///     pool: {disks: 2, disk_gb: 1}         # disks kept ready, so that a job starts sooner
///     payees:                              # who is paid; the provider alone if absent
///       - {to: 0x5FbDB2315678afecb367f032d93F642f64180aa3, share: 25%, role: investor}
///       - {to: 0x70997970C51812dc3A010C7d01b50e0d17dc79C8, share: 75%}   # itself
///     runtime: /usr/sbin/runc              # runc or crun; whichever works if absent
struct ConfigPayee {
  Payee payee;
  std::string role;  ///< operator, hardware_owner, host, investor, broker; "": investor, or itself
};

struct ProviderConfig {
  std::string exchange;
  std::filesystem::path ca;  ///< PEM; empty: the system's
  std::filesystem::path key;
  std::filesystem::path passphrase_file;  ///< empty: systemd's credential mizan-passphrase
  std::filesystem::path state_dir;
  Rate rate;
  std::optional<uint32_t> cores;
  std::optional<uint64_t> memory_gb;
  std::optional<uint64_t> disk_gb;
  std::string country;  ///< two letters, or "" for none
  uint64_t min_seconds = 1;
  uint64_t max_seconds = 86'400;
  std::map<std::string, std::filesystem::path> images;
  std::vector<ConfigPayee> payees;
  uint32_t pool_disks = 2;
  uint64_t pool_disk_gb = 1;
  std::string runtime;
};

/// Reads the text of provider.yaml. Relative paths are taken from `folder`, the file's own; "~/"
/// from the home folder. Errors name key and line.
Result<ProviderConfig> parse_config(std::string_view text, const std::filesystem::path& folder);

}  // namespace mizan::provider
