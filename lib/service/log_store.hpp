// The jobs' logs: one append-only file a lease.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace mizan::service {

/// Bytes of a runtime's log file, at the same offsets on both sides. Safe from many threads.
/// Written bytes survive this process at once, the machine after `sync`.
class LogStore {
 public:
  using Owner = std::function<Address(const LeaseId&)>;

  /// At most `max_bytes` of a lease and `total_bytes` in all; of a provider as much as is left
  /// free, so that however many of them flood it, whoever comes next finds as much room as each of
  /// them holds. `owner` tells whose the logs are that are there already, and is not kept.
  LogStore(std::filesystem::path folder, uint64_t max_bytes, uint64_t total_bytes,
           const Owner& owner);

  /// Stores `data` from `offset` on; what is stored already is skipped. The stored size comes back;
  /// an offset beyond it is `conflict` with details.size, a log over its bound too_large, one of a
  /// provider that holds its share limit_exceeded.
  Result<uint64_t> append(const Address& provider, const LeaseId& lease, uint64_t offset,
                          std::string_view data);
  uint64_t size(const LeaseId& lease) const;
  /// At most `bytes_max` bytes from `offset`; "" at the end and beyond.
  Result<std::string> read(const LeaseId& lease, uint64_t offset, size_t bytes_max) const;
  /// io_error with details.size of 0 if the disk may have lost some of it: all has to come again.
  Result<void> sync(const LeaseId& lease);
  std::filesystem::path file(const LeaseId& lease) const;
  /// Removes the logs that were last written before `before_seconds` (since 1970), but for those
  /// that `keep` holds on to.
  void expire(uint64_t before_seconds, const std::function<bool(const LeaseId&)>& keep);

 private:
  struct Entry {
    std::mutex mutex;  ///< held over a write: chunks of one log come one by one
    std::atomic<uint64_t> size = 0;
  };
  std::shared_ptr<Entry> entry(const LeaseId& lease) const;
  bool take(const Address& provider, const LeaseId& lease, uint64_t bytes);
  void give_back(const LeaseId& lease, uint64_t bytes);
  Result<void> write(const LeaseId& lease, uint64_t offset, std::string_view data) const;

  const std::filesystem::path folder_;
  const uint64_t max_bytes_;
  const uint64_t total_bytes_;
  mutable std::mutex mutex_;
  uint64_t total_ = 0;
  std::map<Address, uint64_t> held_;   ///< bytes of its leases' logs
  std::map<LeaseId, Address> owners_;  ///< of each log
  mutable std::map<LeaseId, std::shared_ptr<Entry>> entries_;
};

}  // namespace mizan::service
