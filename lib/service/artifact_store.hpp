// The artifacts: bytes named by their SHA-256, on disk, within quotas, for seven days.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/bytes.hpp"
#include "base/time.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace mizan::service {

struct ArtifactLimits {
  uint64_t each_bytes = uint64_t{4} << 30;
  uint64_t account_bytes = uint64_t{16} << 30;  ///< what one account uploaded
  uint64_t total_bytes = uint64_t{64} << 30;
  uint64_t keep_seconds = uint64_t{7} * 24 * 3600;  ///< after the last upload
};

/// An artifact is a file `HEX`, whole and synced before its name appears, beside `HEX.owners`, the
/// addresses of those who uploaded it, one a line. Safe from many threads.
class ArtifactStore {
 public:
  /// Reads what is there; removes what a crash left half written.
  static Result<std::unique_ptr<ArtifactStore>> open(std::filesystem::path folder,
                                                     ArtifactLimits limits);

  /// Bytes on their way in. Goes away without a trace unless `commit` succeeded. One thread.
  class Upload {
   public:
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;
    Result<void> write(ByteView bytes);
    /// Durable when it returns; invalid_argument if the bytes' SHA-256 is not the name.
    Result<void> commit(UnixMs now);
    const Address& owner() const;
    uint64_t size() const;

   private:
    friend class ArtifactStore;
    struct Impl;
    explicit Upload(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
  };

  /// Reserves room for `bytes` that `owner` will upload as `name`: too_large over the bound of one,
  /// limit_exceeded over the account's or the store's quota.
  Result<std::unique_ptr<Upload>> begin(const Hash32& name, const Address& owner, uint64_t bytes);

  bool has(const Hash32& name) const;
  bool uploaded_by(const Hash32& name, const Address& owner) const;
  struct Opened {
    int descriptor = -1;  ///< the caller's to close
    uint64_t size = 0;
  };
  Result<Opened> open_file(const Hash32& name) const;
  uint64_t total_bytes() const;
  /// Removes what was uploaded last more than keep_seconds before `now`.
  void expire(UnixMs now);

 private:
  struct Entry {
    uint64_t size = 0;
    uint64_t uploaded_s = 0;
    std::set<Address> owners;
  };
  ArtifactStore(std::filesystem::path folder, ArtifactLimits limits);
  Result<void> load();
  Result<void> finish(const Hash32& name, const Address& owner,
                      const std::filesystem::path& temporary, uint64_t size, UnixMs now);
  Result<void> write_owners(const Hash32& name, const std::set<Address>& owners) const;
  void release(const Address& owner, uint64_t bytes);
  std::filesystem::path file(const Hash32& name) const;

  const std::filesystem::path folder_;
  const ArtifactLimits limits_;
  mutable std::mutex mutex_;
  std::map<Hash32, Entry> entries_;
  std::map<Address, uint64_t> used_;  ///< by account, reservations included
  uint64_t total_ = 0;                ///< reservations included
  uint64_t next_temporary_ = 0;
};

}  // namespace mizan::service
