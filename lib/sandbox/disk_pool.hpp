// DiskPool: disks of a fixed size for jobs, made before they are needed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.hpp"
#include "sandbox/sys.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace mizan::sandbox {

/// An ext4 in a file of its own that is allocated in full, mounted on FOLDER/mount. It serves one
/// job and is then removed, never used again: no byte of one job can reach the next.
struct Disk {
  std::string name;  ///< of its folder among the disks
  fs::path folder;
  fs::path upper() const { return folder / "mount/upper"; }
  fs::path work() const { return folder / "mount/work"; }
};

/// Allocates, formats and mounts a disk (20 to 30 ms, more for large ones). Without a journal:
/// after a crash of the machine nobody reads it. `too_large` if the file system has not that much
/// room.
Result<Disk> make_disk(const fs::path& disks, uint64_t bytes);
/// Unmounts and deletes it, half-made or not; nothing there is fine.
Result<void> remove_disk(const fs::path& disks, const std::string& name);

/// Keeps `count` disks of `bytes` ready, and deletes used ones: both take their time (a file of 1
/// GiB needs 90 ms to go where the machine's own file system discards). Thread-safe.
class DiskPool {
 public:
  DiskPool(fs::path disks, uint32_t count, uint64_t bytes);
  /// Stops the thread; removes the disks that nobody took and those given back.
  ~DiskPool();
  DiskPool(const DiskPool&) = delete;
  DiskPool& operator=(const DiskPool&) = delete;

  /// Starts the thread; before that take() and give_back() do the work themselves.
  void start();
  /// A ready disk at once if `bytes` is the pool's size and there is one; otherwise a new one, for
  /// which those given back are deleted first if there is no room without.
  Result<Disk> take(uint64_t bytes);
  /// Unmounts the disk at once and has it deleted soon. Nothing there is fine.
  Result<void> give_back(const std::string& name);
  bool wait_full(uint64_t timeout_ms);

 private:
  void work();
  void delete_used(std::unique_lock<std::mutex>& lock);

  const fs::path disks_;
  const uint32_t count_;
  const uint64_t bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Disk> ready_;
  std::vector<std::string> used_;  ///< unmounted, to be deleted
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mizan::sandbox
